//! Stored JSON: the difference of two rows.

use serde_json::Value;

use super::correlation::Token;
use super::invocation::{Link, Parent};
use super::number::is_same_json;
use super::redact::{MASK, mask};

/// One difference between two values.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, such as `config.sla` or `stops[4]`.
    pub path: String,
    /// Before; absent where it was added.
    pub old: Option<Value>,
    /// After; absent where it was removed.
    pub new: Option<Value>,
    /// As [`Change::old`], its secrets masked: what stands around a value may make it one.
    pub old_masked: Option<Value>,
    /// As [`Change::new`], its secrets masked.
    pub new_masked: Option<Value>,
}

/// What changed between two rows, in the order of the keys. Arrays are compared by position, between the items that both
/// begin and end with; numbers by value, all their digits: 1.0 is 1, as for PostgreSQL.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let masked = |value: &Value| {
        let mut value = value.clone();
        mask(&mut value);
        value
    };
    let (old_masked, new_masked) = (masked(old), masked(new));
    let mut changes = Vec::new();
    let (old, new) = (Side { value: old, masked: &old_masked }, Side { value: new, masked: &new_masked });
    compare(&mut changes, String::new(), Some(old), Some(new));
    changes
}

/// A value of one of the rows, and what is shown of it.
#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Value,
    masked: &'a Value,
}

impl<'a> Side<'a> {
    fn key(self, key: &str) -> Option<Self> {
        let masked = self.masked.as_object().map_or(Some(self.masked), |map| map.get(key));
        Some(Self { value: self.value.get(key)?, masked: masked.unwrap_or(&Value::Null) })
    }

    fn item(self, at: usize) -> Option<Self> {
        let masked = self.masked.as_array().map_or(Some(self.masked), |items| items.get(at));
        Some(Self { value: self.value.get(at)?, masked: masked.unwrap_or(&Value::Null) })
    }
}

/// How many secrets are masked in a value.
#[must_use]
pub fn secrets(value: &Value, masked: &Value) -> usize {
    if value == masked {
        return 0;
    }
    if masked.as_str() == Some(MASK) { 1 } else { mask(&mut value.clone()).max(1) }
}

fn compare(changes: &mut Vec<Change>, path: String, old: Option<Side<'_>>, new: Option<Side<'_>>) {
    match (old, new) {
        (Some(old), Some(new)) if is_same_json(old.value, new.value) => {}
        (
            Some(old @ Side { value: Value::Object(before), .. }),
            Some(new @ Side { value: Value::Object(after), .. }),
        ) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(changes, path, old.key(key), new.key(key));
            }
        }
        (Some(old @ Side { value: Value::Array(before), .. }), Some(new @ Side { value: Value::Array(after), .. })) => {
            let (before, after) = (&before[..], &after[..]);
            let most = before.len().min(after.len());
            let first = (0..most).take_while(|&i| is_same_json(&before[i], &after[i])).count();
            let same_end = |i: &usize| is_same_json(&before[before.len() - 1 - i], &after[after.len() - 1 - i]);
            let last = (0..most - first).take_while(same_end).count();
            for index in first..before.len().max(after.len()) - last {
                let within = |side: Side<'_>, len: usize| index < len - last && side.value.get(index).is_some();
                let (of_old, of_new) = (within(old, before.len()), within(new, after.len()));
                let (old, new) = (of_old.then(|| old.item(index)), of_new.then(|| new.item(index)));
                compare(changes, format!("{path}[{index}]"), old.flatten(), new.flatten());
            }
        }
        _ => {
            let of = |side: Option<Side<'_>>| side.map(|side| (side.value.clone(), side.masked.clone())).unzip();
            let ((old, old_masked), (new, new_masked)) = (of(old), of(new));
            changes.push(Change { path, old, new, old_masked, new_masked });
        }
    }
}

/// The rows of a database event's payload, before and after; `None` for other payloads.
#[must_use]
pub fn rows(payload: &Value) -> Option<(&Value, &Value)> {
    let data = payload.get("event")?.get("data")?;
    Some((data.get("old")?, data.get("new")?))
}

/// The job whose write caused the event, where a writer left it only in the payload: `__sourceJobId`, or the token in
/// `updated_by` of the new row. A token that the old row carries, too, was left there by an earlier write, which need not
/// be the cause of this one.
#[must_use]
pub fn source_job(own: Option<&str>, updated_by: Option<&str>, updated_by_before: Option<&str>) -> Option<Parent> {
    let of_token = |text: Option<&str>| text.and_then(Token::parse).map(|token| token.job);
    let job = own.and_then(|id| uuid::Uuid::try_parse(id).ok()).or_else(|| of_token(updated_by))?;
    let link = if of_token(updated_by_before) == Some(job) { Link::Doubtful } else { Link::Inferred };
    Some(Parent { job, link })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_names_every_change() {
        let old = json!({"id": 1, "status": "a", "gone": true, "config": {"sla": null, "k": 1}, "stops": [1, 2]});
        let new = json!({"id": 1, "status": "b", "config": {"sla": 45, "k": 1}, "stops": [1, 3, 4], "more": 0});
        let found: Vec<_> = diff(&old, &new).into_iter().map(|change| change.path).collect();
        assert_eq!(found, ["status", "gone", "config.sla", "stops[1]", "stops[2]", "more"]);
        assert_eq!(diff(&old, &old), []);
        let paths = |old, new| diff(&old, &new).into_iter().map(|change| change.path).collect::<Vec<_>>();
        assert_eq!(paths(json!([1, 2, 3]), json!([2, 3])), ["[0]"], "an item less, not three others");
        assert_eq!(paths(json!([1, 1]), json!([1, 1, 1])), ["[2]"]);
        assert_eq!(paths(json!([1, 2, 9]), json!([1, 3, 4, 9])), ["[1]", "[2]"]);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let row = |n: &str| read(&format!(r#"{{"id": {n}, "list": [{n}, 1]}}"#));
        if cfg!(feature = "tui") {
            for (a, b) in [
                ("123456789012345678901", "123456789012345678902"),
                ("1e400", "2e400"),
                ("0.1", "0.10000000000000000001"),
            ] {
                assert_eq!(paths(row(a), row(b)), ["id", "list[0]"], "{a} {b}");
                assert_eq!(diff(&row(a), &row(b))[0].new, Some(read(b)), "the number as it was written");
            }
        }
        assert!(["1.0", "1e0", "1.000"].iter().all(|same| paths(row("1"), row(same)).is_empty()));
        let insert = diff(&Value::Null, &new);
        assert_eq!((insert.len(), insert[0].path.as_str()), (1, ""));
    }

    #[test]
    fn a_change_knows_what_is_secret_for_what_stands_around_it() {
        let row =
            |value: &str| json!({"settings": [{"name": "api_key", "value": value}], "token": {"a": {"b": value}}});
        let changes = diff(&row("one"), &row("two"));
        let found: Vec<_> = changes.iter().map(|change| (change.path.as_str(), &change.new_masked)).collect();
        assert_eq!(found, [("settings[0].value", &Some(MASK.into())), ("token.a.b", &Some(MASK.into()))]);
        assert_eq!(secrets(&row("one"), changes[0].new_masked.as_ref().unwrap()), 1);
    }

    #[test]
    fn the_source_job_is_recovered() {
        let job = "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11";
        let token = format!("user@example.com|550e8400-e29b-41d4-a716-446655440000|{job}");
        let found = |own, new, old| source_job(own, new, old).map(|parent| (parent.job.to_string(), parent.link));
        let expect = |link| Some((job.to_owned(), link));
        assert_eq!(found(Some(job), None, None), expect(Link::Inferred));
        assert_eq!(found(None, Some(&token), None), expect(Link::Inferred));
        assert_eq!(found(None, Some(&token), Some("driver@company.com")), expect(Link::Inferred));
        assert_eq!(found(None, Some(&token), Some(&token)), expect(Link::Doubtful), "an update that named no token");
        assert_eq!(found(Some(job), Some(&token), Some(&token)), expect(Link::Doubtful), "read out of the same token");
        let earlier = token.replace("b0876e74", "b0876e75");
        assert_eq!(found(None, Some(&token), Some(&earlier)), expect(Link::Inferred));
        assert_eq!(found(Some("x"), Some("driver@company.com"), Some(&token)), None);
    }
}

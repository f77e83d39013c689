//! Stored JSON: masking of secrets, and the difference of two rows.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value;

use super::redact::{self, Words};

/// What stands in the place of a masked value.
pub const MASK: &str = "******";

/// Words in a key that make its value a secret, in lower case and without anything but letters.
pub const SECRET_WORDS: [&str; 8] =
    ["authorization", "cookie", "secret", "token", "password", "passwd", "apikey", "privatekey"];

/// Whether values under this key are secrets: inbound headers are stored as they came.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// A text with every secret in it replaced by [`MASK`], and how many there were: in JSON, in JSON within text, and in JSON
/// that was cut off.
#[must_use]
pub fn mask_text(text: &str) -> (Cow<'_, str>, usize) {
    static SECRETS: LazyLock<Words> = LazyLock::new(|| Words::new(SECRET_WORDS));
    redact::mask_counted(text, &SECRETS)
}

/// Replaces every secret by [`MASK`], at any depth, also within texts. Returns how many there were.
pub fn mask(value: &mut Value) -> usize {
    match value {
        Value::Object(map) => map
            .iter_mut()
            .map(|(key, value)| {
                if is_secret(key) && !value.is_null() {
                    *value = Value::String(MASK.to_owned());
                    1
                } else {
                    mask(value)
                }
            })
            .sum(),
        Value::Array(items) => items.iter_mut().map(mask).sum(),
        Value::String(text) => {
            let (masked, secrets) = mask_text(text);
            if let Cow::Owned(masked) = masked {
                *text = masked;
            }
            secrets
        }
        _ => 0,
    }
}

/// One difference between two values.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, such as `config.sla` or `stops[4]`.
    pub path: String,
    /// Before; absent where it was added.
    pub old: Option<Value>,
    /// After; absent where it was removed.
    pub new: Option<Value>,
}

/// What changed between two rows, in the order of the keys. Arrays are compared by position, between the items that both
/// begin and end with.
#[must_use]
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut changes, String::new(), Some(old), Some(new));
    changes
}

fn compare(changes: &mut Vec<Change>, path: String, old: Option<&Value>, new: Option<&Value>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(changes, path, before.get(key), after.get(key));
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            let (before, after) = (&before[..], &after[..]);
            let most = before.len().min(after.len());
            let first = (0..most).take_while(|&i| before[i] == after[i]).count();
            let same_end = |i: &usize| before[before.len() - 1 - i] == after[after.len() - 1 - i];
            let last = (0..most - first).take_while(same_end).count();
            let (before, after) = (&before[..before.len() - last], &after[..after.len() - last]);
            for index in first..before.len().max(after.len()) {
                compare(changes, format!("{path}[{index}]"), before.get(index), after.get(index));
            }
        }
        _ => changes.push(Change { path, old: old.cloned(), new: new.cloned() }),
    }
}

/// The rows of a database event's payload, before and after; `None` for other payloads.
#[must_use]
pub fn rows(payload: &Value) -> Option<(&Value, &Value)> {
    let data = payload.get("event")?.get("data")?;
    Some((data.get("old")?, data.get("new")?))
}

/// The job whose write caused the event, where a writer left it only in the payload: `__sourceJobId`, or the token in
/// `updated_by` of the new row.
#[must_use]
pub fn source_job(own: Option<&str>, updated_by: Option<&str>) -> Option<uuid::Uuid> {
    own.and_then(|id| uuid::Uuid::try_parse(id).ok())
        .or_else(|| updated_by.and_then(super::correlation::Token::parse).map(|token| token.job))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_masked_at_any_depth() {
        let mut value = json!({
            "headers": {"Authorization": "Bearer abc", "X-Api-Key": "k", "accept": "*/*", "set-cookie": ["a", "b"]},
            "list": [{"db_password": "p", "client_secret": null}],
            "text": "{\"access_token\": \"t\", \"n\": 1}",
            "status": "ok",
        });
        assert_eq!(mask(&mut value), 5);
        let text = value.to_string();
        for secret in ["Bearer", "\"k\"", "\"p\"", "\\\"t\\\"", "\"a\""] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("*/*") && text.contains("ok"));
    }

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
        let insert = diff(&Value::Null, &new);
        assert_eq!((insert.len(), insert[0].path.as_str()), (1, ""));
    }

    #[test]
    fn the_source_job_is_recovered() {
        let job = "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11";
        let token = format!("user@example.com|550e8400-e29b-41d4-a716-446655440000|{job}");
        assert_eq!(source_job(Some(job), None).unwrap().to_string(), job);
        assert_eq!(source_job(None, Some(&token)).unwrap().to_string(), job);
        assert_eq!(source_job(Some("x"), Some("driver@company.com")), None);
    }
}

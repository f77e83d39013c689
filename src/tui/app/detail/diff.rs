//! What a database event changed in its row.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Map, Value};

use crate::model::payload::{self, MASK, is_secret, mask};
use crate::model::text::clean;

/// Bytes of a value that are shown.
const SHOWN: usize = 600;

/// Old and new row.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The table and what was done to it, as the payload says: `UPDATE moves`.
    pub what: String,
    /// What differs.
    pub rows: Vec<DiffRow>,
    /// Columns of the row.
    pub columns: usize,
    /// Columns without any difference.
    pub unchanged: usize,
    /// How many secrets are masked in it, or would be.
    pub secrets: usize,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffRow {
    /// Where, such as `config.sla`.
    pub path: String,
    /// Before; absent where it was added.
    pub old: Option<Value>,
    /// After; absent where it was removed.
    pub new: Option<Value>,
    /// Before, for the screen: the beginning of its JSON.
    pub old_text: String,
    /// After, for the screen.
    pub new_text: String,
}

impl DiffRow {
    /// `+` added, `-` removed, `~` changed.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "+",
            (_, None) => "-",
            _ => "~",
        }
    }
}

impl Diff {
    /// What a payload says to have changed; `None` when it holds no rows.
    pub(in crate::tui) fn of(payload: &Value, revealed: bool) -> Option<Self> {
        let (old, new) = payload::rows(payload)?;
        if !old.is_object() && !new.is_object() {
            return None;
        }
        let nothing = Value::Object(Map::new());
        let row = |value| if Value::is_object(value) { value } else { &nothing };
        let (old, new) = (row(old), row(new));
        let keys = |value: &Value| value.as_object().into_iter().flat_map(Map::keys).cloned().collect::<BTreeSet<_>>();
        let columns: BTreeSet<String> = keys(old).union(&keys(new)).cloned().collect();
        let unchanged = columns.iter().filter(|column| old.get(*column) == new.get(*column)).count();
        let mut secrets = 0;
        let rows = payload::diff(old, new)
            .into_iter()
            .map(|change| {
                // The path names every key above the value: any of them may say that it is a secret.
                let secret = is_secret(&change.path);
                let mut safe = |value: Option<Value>| {
                    let mut value = value?;
                    let mut masked = value.clone();
                    if secret && !value.is_null() {
                        masked = Value::from(MASK);
                        secrets += 1;
                    } else {
                        secrets += mask(&mut masked);
                    }
                    if !revealed {
                        value = masked;
                    }
                    Some(value)
                };
                let (old, new) = (safe(change.old), safe(change.new));
                let text = |value: &Option<Value>| value.as_ref().map(beginning).unwrap_or_default();
                DiffRow { old_text: text(&old), new_text: text(&new), path: change.path, old, new }
            })
            .collect();
        Some(Self { what: what(payload), rows, columns: columns.len(), unchanged, secrets })
    }
}

fn what(payload: &Value) -> String {
    let text = |path: &str| payload.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let what = format!("{} {}", text("/event/op"), text("/table/name"));
    clean(what.trim()).into_owned()
}

/// The beginning of a value's JSON.
fn beginning(value: &Value) -> String {
    struct Beginning(Vec<u8>);
    impl io::Write for Beginning {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = SHOWN.saturating_sub(self.0.len());
            if room == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let taken = room.min(bytes.len());
            self.0.extend(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut beginning = Beginning(Vec::new());
    // The error says that the value is longer than what is shown.
    let cut = serde_json::to_writer(&mut beginning, value).is_err();
    let text = String::from_utf8_lossy(&beginning.0);
    let text = if cut { text.trim_end_matches('\u{fffd}') } else { &text };
    clean(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(op: &str, old: Value, new: Value) -> Value {
        json!({"table": {"schema": "public", "name": "moves"}, "event": {"op": op, "data": {"old": old, "new": new}}})
    }

    fn shown(diff: &Diff) -> Vec<String> {
        diff.rows.iter().map(|row| format!("{} {} {} {}", row.mark(), row.path, row.old_text, row.new_text)).collect()
    }

    #[test]
    fn an_update_tells_what_changed() {
        let payload = event(
            "UPDATE",
            json!({"id": 1, "s": "a", "gone": 2, "c": {"x": null}}),
            json!({"id": 1, "s": "b", "c": {"x": [1]}, "more": true}),
        );
        let diff = Diff::of(&payload, false).unwrap();
        assert_eq!(shown(&diff), ["~ s \"a\" \"b\"", "- gone 2 ", "~ c.x null [1]", "+ more  true"]);
        assert_eq!((diff.what.as_str(), diff.columns, diff.unchanged), ("UPDATE moves", 5, 1));
    }

    #[test]
    fn an_insert_adds_every_column_and_a_delete_removes_it() {
        let row = json!({"id": 1, "s": "a"});
        let insert = Diff::of(&event("INSERT", Value::Null, row.clone()), false).unwrap();
        assert_eq!(shown(&insert), ["+ id  1", "+ s  \"a\""]);
        let delete = Diff::of(&event("DELETE", row, Value::Null), false).unwrap();
        assert_eq!(shown(&delete), ["- id 1 ", "- s \"a\" "]);
        assert_eq!(Diff::of(&event("MANUAL", Value::Null, Value::Null), false), None);
        assert_eq!(Diff::of(&json!({"name": "cron"}), false), None);
    }

    #[test]
    fn a_changed_secret_is_told_and_masked() {
        let payload = event(
            "UPDATE",
            json!({"p": {"db_password": "old-s3cret"}, "t": "x"}),
            json!({"p": {"db_password": "new-s3cret"}, "t": {"token": "t-s3cret"}}),
        );
        let diff = Diff::of(&payload, false).unwrap();
        assert_eq!(shown(&diff), ["~ p.db_password \"******\" \"******\"", "~ t \"x\" {\"token\":\"******\"}"]);
        assert_eq!(diff.secrets, 3);
        assert!(!format!("{diff:?}").contains("s3cret"));
        assert!(format!("{:?}", Diff::of(&payload, true)).contains("old-s3cret"));
    }

    #[test]
    fn long_values_are_cut_for_the_screen_only() {
        let long = "ü".repeat(100_000);
        let diff = Diff::of(&event("UPDATE", json!({"a": 1}), json!({"a": long})), false).unwrap();
        assert!(diff.rows[0].new_text.len() <= SHOWN);
        assert_eq!(diff.rows[0].new.as_ref().and_then(Value::as_str).map(str::len), Some(200_000));
    }
}

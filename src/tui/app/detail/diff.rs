//! What a database event changed in its row.

use std::collections::BTreeSet;
use std::io;

use chrono::{DateTime, NaiveDateTime};
use serde_json::{Map, Value};

use crate::model::number::is_same_json;
use crate::model::payload::{self, Change};
use crate::model::redact::{mask, mask_text};
use crate::model::text::{clean, duration};
use crate::tui::msg::Action;

/// Bytes of a value that are shown.
const SHOWN: usize = 600;
/// Characters of a row's id that are shown.
const LONGEST_ID: usize = 36;

/// Old and new row.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The row and what was done to it, as the payload says: `UPDATE moves#123`.
    pub what: String,
    /// What differs.
    pub rows: Vec<DiffRow>,
    /// The columns without any difference.
    pub unchanged: Vec<DiffRow>,
    /// Whether those are shown.
    pub open: bool,
    /// Columns of the row.
    pub columns: usize,
    /// How many secrets are masked in it, or would be.
    pub secrets: usize,
}

/// A line of the section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiffLine<'a> {
    /// A difference, or a column without one.
    Row(&'a DiffRow),
    /// Stands in front of the columns without any difference, or for them.
    Unchanged,
}

/// One difference, or a column without one.
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
    /// How much later or earlier a changed time is: `+3m18s`.
    pub delta: Option<String>,
    /// Whether old and new are the same.
    pub is_same: bool,
}

impl DiffRow {
    /// `+` added, `-` removed, `~` changed, `=` the same.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match (&self.old, &self.new) {
            _ if self.is_same => "=",
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
        let mut secrets = 0;
        let mut row = |change: Change, is_same| {
            let Change { path, old, new, old_masked, new_masked } = change;
            for (value, masked) in [(&old, &old_masked), (&new, &new_masked)] {
                secrets +=
                    value.as_ref().zip(masked.as_ref()).map_or(0, |(value, masked)| payload::secrets(value, masked));
            }
            let path = mask_text(&path).0.into_owned();
            let (old, new) = if revealed { (old, new) } else { (old_masked, new_masked) };
            let text = |value: &Option<Value>| value.as_ref().map(beginning).unwrap_or_default();
            let delta = if is_same { None } else { delta(old.as_ref(), new.as_ref()) };
            DiffRow { old_text: text(&old), new_text: text(&new), delta, path, old, new, is_same }
        };
        let rows = payload::diff(old, new).into_iter().map(|change| row(change, false)).collect();
        let mut masked = new.clone();
        mask(&mut masked);
        let unchanged = columns.iter().filter(|column| match (old.get(*column), new.get(*column)) {
            (Some(old), Some(new)) => is_same_json(old, new),
            (old, new) => old == new,
        });
        let unchanged = unchanged.map(|column| {
            let (value, masked) = (new.get(column).cloned(), masked.get(column).or(Some(&Value::Null)).cloned());
            let [old_masked, new_masked] = [masked.clone(), masked];
            row(Change { path: column.clone(), old: value.clone(), new: value, old_masked, new_masked }, true)
        });
        let unchanged = unchanged.collect();
        Some(Self { what: what(payload, old, new), rows, unchanged, open: false, columns: columns.len(), secrets })
    }

    /// How many lines it has.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.open { self.all_lines() } else { self.rows.len() + usize::from(!self.unchanged.is_empty()) }
    }

    /// Whether it has no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A line, of those that are shown when all are.
    #[must_use]
    pub fn line(&self, at: usize) -> Option<DiffLine<'_>> {
        match at.checked_sub(self.rows.len()) {
            None => self.rows.get(at).map(DiffLine::Row),
            Some(0) => (!self.unchanged.is_empty()).then_some(DiffLine::Unchanged),
            Some(at) => self.unchanged.get(at - 1).map(DiffLine::Row),
        }
    }

    /// Lines when all are shown.
    #[must_use]
    pub fn all_lines(&self) -> usize {
        self.rows.len() + if self.unchanged.is_empty() { 0 } else { 1 + self.unchanged.len() }
    }

    /// Whether a key opens or closes the unchanged columns, seen from a line; nothing when it means something else.
    pub(super) fn wants_open(&self, action: Action, at: usize) -> Option<bool> {
        match action {
            Action::Undetected => Some(!self.open),
            Action::UnfoldAll => Some(true),
            Action::FoldAll => Some(false),
            Action::FoldToggle | Action::Open if at == self.rows.len() => Some(!self.open),
            Action::Right if at == self.rows.len() => Some(true),
            Action::Left if at >= self.rows.len() => Some(false),
            _ => None,
        }
    }
}

/// How much later a time is than another one, when both are times.
fn delta(old: Option<&Value>, new: Option<&Value>) -> Option<String> {
    let time = |value: Option<&Value>| {
        let text = value?.as_str().filter(|text| text.len() >= 16 && text.as_bytes()[0].is_ascii_digit())?;
        let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.naive_utc());
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        let local = || formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        Some((zoned.is_ok(), zoned.ok().or_else(local)?))
    };
    // A time with a zone and one without cannot be compared.
    let ((old_zoned, old), (new_zoned, new)) = (time(old)?, time(new)?);
    let ms = (new - old).num_milliseconds();
    let sign = if ms < 0 { "-" } else { "+" };
    (old_zoned == new_zoned).then(|| format!("{sign}{}", duration(ms.saturating_abs())))
}

fn what(payload: &Value, old: &Value, new: &Value) -> String {
    let text = |path: &str| payload.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let id = match new.get("id").or_else(|| old.get("id")) {
        Some(Value::String(id)) => {
            format!("#{}", &id[..id.char_indices().nth(LONGEST_ID).map_or(id.len(), |(end, _)| end)])
        }
        Some(Value::Number(id)) => format!("#{id}"),
        _ => String::new(),
    };
    let what = format!("{} {}{id}", text("/event/op"), text("/table/name"));
    clean(&mask_text(what.trim()).0).into_owned()
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
        assert_eq!((diff.what.as_str(), diff.columns, diff.unchanged.len()), ("UPDATE moves#1", 5, 1));
    }

    #[test]
    fn what_is_the_same_stands_behind_one_line() {
        let payload = event("UPDATE", json!({"id": 1, "s": "a", "k": [2]}), json!({"id": 1, "s": "b", "k": [2]}));
        let mut diff = Diff::of(&payload, false).unwrap();
        assert_eq!((diff.len(), diff.all_lines(), diff.line(1)), (2, 4, Some(DiffLine::Unchanged)));
        assert_eq!((diff.wants_open(Action::Open, 0), diff.wants_open(Action::Open, 1)), (None, Some(true)));
        diff.open = true;
        assert_eq!((diff.len(), diff.wants_open(Action::Left, 3)), (4, Some(false)));
        let Some(DiffLine::Row(row)) = diff.line(3) else { panic!("{diff:?}") };
        assert_eq!((row.mark(), row.path.as_str(), row.new_text.as_str()), ("=", "k", "[2]"));
        assert_eq!(diff.line(4), None);
    }

    #[test]
    fn a_changed_time_tells_how_far() {
        for (old, new, expected) in [
            ("2026-11-20T12:01:10.551Z", "2026-11-20T12:04:28.902Z", Some("+3m18s")),
            ("2026-11-20T12:00:00+01:00", "2026-11-20T10:59:59.500Z", Some("-500ms")),
            ("2026-11-20 12:00:00", "2026-11-20T12:00:01.5", Some("+1.50s")),
            ("2026-11-20T12:00:00", "2026-11-20T12:00:01Z", None),
            ("12", "13", None),
            ("0000-00-00T00:00:00Z", "2026-11-20T12:00:01Z", None),
        ] {
            assert_eq!(delta(Some(&json!(old)), Some(&json!(new))).as_deref(), expected, "{old} {new}");
        }
        assert_eq!(delta(None, Some(&json!("2026-11-20T12:00:01Z"))), None);
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

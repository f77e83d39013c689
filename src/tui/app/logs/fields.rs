//! The fields of a log line → rows of text.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::redact::{mask, mask_text};

/// Rows of one line's fields; what is beyond is counted.
const MOST_ROWS: usize = 300;
/// Characters of one row.
const LONGEST_ROW: usize = 2_000;

/// The fields with secrets masked, unless they are to be shown.
#[must_use]
pub fn masked(fields: &Value, reveal: bool) -> Value {
    let mut fields = fields.clone();
    if !reveal {
        mask(&mut fields);
    }
    fields
}

/// A message with the secrets in it masked, unless they are to be shown.
#[must_use]
pub fn text(message: &str, reveal: bool) -> Cow<'_, str> {
    if reveal { message.into() } else { mask_text(message).0 }
}

/// One row for each field, nested ones indented; texts of several lines as these lines. Not yet clean.
#[must_use]
pub fn rows(fields: &Value, reveal: bool) -> Vec<String> {
    let mut printer = Printer { rows: Vec::new(), left_out: 0 };
    match masked(fields, reveal) {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| printer.print(0, &format!("{key}: "), value)),
        other => printer.print(0, "", &other),
    }
    if printer.left_out > 0 {
        printer.rows.push(format!("... {} more rows (Y copies all)", printer.left_out));
    }
    printer.rows
}

struct Printer {
    rows: Vec<String>,
    left_out: usize,
}

impl Printer {
    fn print(&mut self, depth: usize, name: &str, value: &Value) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.row(depth, name, "");
                fields.iter().for_each(|(key, value)| self.print(depth + 1, &format!("{key}: "), value));
            }
            Value::Array(values) if values.iter().any(|value| value.is_object() || value.is_array()) => {
                self.row(depth, name, "");
                values.iter().for_each(|value| self.print(depth + 1, "- ", value));
            }
            Value::String(text) if text.contains('\n') => {
                self.row(depth, name, "");
                text.lines().for_each(|line| self.row(depth + 1, "", line));
            }
            other => self.row(depth, name, &other.to_string()),
        }
    }

    fn row(&mut self, depth: usize, name: &str, value: &str) {
        if self.rows.len() >= MOST_ROWS {
            self.left_out += 1;
            return;
        }
        let cut = value.char_indices().nth(LONGEST_ROW).map_or(value.len(), |(at, _)| at);
        let more = if cut < value.len() { " ... (Y copies all)" } else { "" };
        self.rows.push(format!("{}{name}{}{more}", "  ".repeat(depth), &value[..cut]));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_rows() {
        let fields = json!({
            "code": 21610, "to": "+1555", "tags": ["a", 1], "empty": {},
            "error": {"stack": "Error: x\n  at y", "causes": [{"z": null}]},
        });
        let expected = [
            "code: 21610",
            "to: \"+1555\"",
            "tags: [\"a\",1]",
            "empty: {}",
            "error: ",
            "  stack: ",
            "    Error: x",
            "      at y",
            "  causes: ",
            "    - ",
            "      z: null",
        ];
        assert_eq!(rows(&fields, false), expected);
        assert!(rows(&Value::Null, false).is_empty());
        assert_eq!(rows(&json!("text"), false), ["\"text\""]);
    }

    #[test]
    fn secrets_are_masked_until_asked_for() {
        let fields = json!({"headers": {"authorization": "Bearer abc"}});
        assert!(!rows(&fields, false).join("\n").contains("abc"));
        assert!(rows(&fields, true).join("\n").contains("abc"));
        let line = r#"{"event":"login","password":"abc"}"#;
        assert_eq!(text(line, false), r#"{"event":"login","password":"******"}"#);
        assert_eq!(text(line, true), line);
    }

    #[test]
    fn endless_fields_are_cut_and_counted() {
        let long = json!({"a": "x".repeat(10_000_000), "b": (0..1_000).map(|i| json!({"i": i})).collect::<Vec<_>>()});
        let rows = rows(&long, false);
        assert_eq!(rows.len(), MOST_ROWS + 1);
        assert!(rows[0].len() < LONGEST_ROW + 50 && rows[0].ends_with("(Y copies all)"));
        assert_eq!(rows[MOST_ROWS], "... 1702 more rows (Y copies all)");
    }
}

//! How much of a value is read. A name of 20 MB, a payload of 400 MB or 100,000 jobs of one invocation must not stop a
//! list or cost its memory: the server cuts what is longer (`left` reads no more of a text than it gives), and what was
//! cut ends in a mark. Numbers that are none, or that no sum could take, are not known.

use serde_json::{Map, Value, json};

use crate::model::text::{LONGEST_NAME, cut};

/// Events and jobs of one invocation that a list counts at the most, each.
pub(in crate::store) const MOST_COUNTED_BELOW: i64 = 10_000;
/// Events that failed by their jobs only, of one invocation, that a list counts at the most.
pub(in crate::store) const MOST_FAILED_BY_JOBS: i64 = 200;
/// Bytes of a payload, as it is stored, up to which a list looks for the job that caused its row.
pub(in crate::store) const MOST_PAYLOAD: i32 = 65_536;
/// Bytes of a payload, as it is stored, up to which a filter looks into it.
pub(in crate::store) const MOST_PAYLOAD_SEARCHED: i32 = 2 * 1024 * 1024;
/// Bytes of a JSON column, as it is stored, up to which it is read for one row.
const MOST_JSON_STORED: i32 = 2 * 1024 * 1024;
/// Characters of one column of one row.
const MOST_CHARACTERS: usize = 8 * 1024 * 1024;
/// Characters of what is shown of a value that is too long or not to be read as JSON.
const BEGINNING: usize = 64 * 1024;

/// A name, an id, a status: the beginning of it, and one character more that tells of a longer one.
pub(in crate::store) fn name(column: &str) -> String {
    format!("left({column}::text, {})", LONGEST_NAME + 1)
}

/// A text that is searched: the beginning of one that is long.
pub(in crate::store) fn searched(text: &str) -> String {
    format!("case when octet_length({text}) > 65536 then left({text}, 65536) else {text} end")
}

/// A name of a function by which numbers are added up. An index holds it, which takes no more.
pub(in crate::store) fn key(column: &str) -> String {
    format!("left({column}::text, 500)")
}

/// A duration in milliseconds, unless it is longer than 300 years.
pub(in crate::store) fn milliseconds(column: &str) -> String {
    format!("case when {column} between -10000000000000 and 10000000000000 then {column}::bigint end")
}

/// A count: 0 where there is none, and no more than 10^12, which can be added.
pub(in crate::store) fn count(column: &str) -> String {
    format!("least(greatest(coalesce({column}, 0), 0), 1000000000000)::bigint")
}

/// A number with a fraction, if it is one.
pub(in crate::store) fn number(column: &str) -> String {
    format!("case when {column} between -10000000000000 and 10000000000000 then {column}::float8 end")
}

/// As [`name`], read: at most [`LONGEST_NAME`] characters and a mark.
pub(in crate::store) fn cut_name(text: impl Into<String>) -> String {
    cut(text.into(), LONGEST_NAME)
}

/// One column (alias `t`) of a raw row as text, for [`value`]: its JSON, the full length where it is too long, and
/// whether that is a text.
pub(in crate::store) fn column(name: &str) -> String {
    let is_text = format!("pg_typeof(t.{name}) in ('text', 'varchar', 'bpchar')");
    let long = MOST_CHARACTERS;
    // What is a text is cut before it is read as a whole. Of JSON only the size on the disk is known before.
    format!(
        "case when {is_text} then case when octet_length(t.{name}::text) > {long} \
             then left(t.{name}::text, {BEGINNING}) else t.{name}::text end \
         when pg_column_size(t.{name}) <= {MOST_JSON_STORED} then left(to_jsonb(t.{name})::text, {long}) end, \
         case when {is_text} then octet_length(t.{name}::text) else pg_column_size(t.{name}) end, {is_text}"
    )
}

/// What [`column`] gave: JSON as it is, and what is no JSON or too long as an object that says so.
pub(in crate::store) fn value(text: Option<impl Into<String>>, size: Option<i32>, is_text: bool) -> Value {
    let size = size.map_or(0, |size| usize::try_from(size).unwrap_or(0));
    match text.map(Into::into) {
        Some(text) if is_text && size <= MOST_CHARACTERS => Value::String(text),
        Some(text) if is_text => json!({"_truncated": true, "_bytes": size, "_beginning": text}),
        Some(text) => json_or_text(text, MOST_CHARACTERS),
        None if size > 0 => json!({"_truncated": true, "_bytes_stored": size}),
        None => Value::Null,
    }
}

/// The value of a text of JSON; or the text, and why it is not shown as JSON. `most` characters of it were read.
pub(in crate::store) fn json_or_text(text: impl Into<String>, most: usize) -> Value {
    let text = text.into();
    let reason = match serde_json::from_str(&text) {
        Ok(value) => return value,
        Err(_) if text.len() >= most && text.chars().count() >= most => "longer than is read".to_owned(),
        Err(error) if error.to_string().starts_with("recursion limit") => "nested deeper than 127 levels".to_owned(),
        Err(error) if error.to_string().starts_with("number out of range") => {
            "it holds a number beyond 64 bits".to_owned()
        }
        Err(error) => error.to_string(),
    };
    let mut object = Map::new();
    object.insert("_not_json".to_owned(), Value::String(format!("not shown as JSON: {reason}")));
    object.insert("_text".to_owned(), Value::String(cut(text, BEGINNING)));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_for_us_is_told_with_its_text() {
        assert_eq!(json_or_text("[1,2]".to_owned(), 9), json!([1, 2]));
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let value = json_or_text(deep.clone(), MOST_CHARACTERS);
        assert_eq!(value, json!({"_not_json": "not shown as JSON: nested deeper than 127 levels", "_text": deep}));
        let cut = json_or_text("[1,".to_owned(), 3);
        assert_eq!(cut["_not_json"], "not shown as JSON: longer than is read");
    }

    #[test]
    fn a_long_value_says_how_long_it_is() {
        assert_eq!(value(None::<String>, None, true), Value::Null);
        assert_eq!(value(Some("x"), Some(1), true), json!("x"));
        let long = value(Some("x"), Some(20_000_000), true);
        assert_eq!(long, json!({"_truncated": true, "_bytes": 20_000_000, "_beginning": "x"}));
        assert_eq!(
            value(None::<String>, Some(9_000_000), false),
            json!({"_truncated": true, "_bytes_stored": 9_000_000})
        );
    }
}

//! What is cut in a column is kept whole in the context of its invocation, where it fits.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::row::InvocationRow;
use super::text::NAME_BYTES;

/// The key of the context under which they are.
const KEY: &str = "_original";
/// The longest text that is kept, bytes.
const MOST_BYTES: usize = 128 << 10;

/// The context of an invocation, with the names that are too long for their columns. A context that is no object has no
/// place for them.
pub(super) fn context<'a>(row: &'a InvocationRow<'_>) -> Option<Cow<'a, str>> {
    // Only the start has a context.
    let source = row.source.as_deref()?;
    let names = [
        ("correlation_id", Some(row.correlation_id)),
        ("source_function", Some(row.source_function)),
        ("source_table", source.table.as_deref()),
        ("source_operation", source.operation.as_deref()),
        ("source_system", source.system.as_deref()),
        ("source_type", source.kind.as_deref()),
        ("source_user_email", source.user_email.as_deref()),
        ("source_user_role", source.user_role.as_deref()),
        ("event_modules_directory", source.modules_directory.as_deref()),
    ];
    let is_cut = |name: &&str| (NAME_BYTES + 1..=MOST_BYTES).contains(&name.len());
    let cut = names.into_iter().filter_map(|(column, name)| Some((column, name.filter(is_cut)?)));
    let originals: Map<String, Value> = cut.map(|(column, name)| (column.to_owned(), name.into())).collect();
    let context = source.context.as_deref();
    if originals.is_empty() {
        return context.map(Cow::Borrowed);
    }
    let originals = Value::Object(originals);
    let Some(text) = context.map(str::trim).filter(|text| *text != "null") else {
        return Some(format!(r#"{{"{KEY}":{originals}}}"#).into());
    };
    match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(str::trim) {
        Some("") => Some(format!(r#"{{"{KEY}":{originals}}}"#).into()),
        Some(members) => Some(format!(r#"{{{members},"{KEY}":{originals}}}"#).into()),
        None => context.map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::store::write::Source;

    fn kept(function: &str, context: Option<&str>) -> Option<String> {
        let at = DateTime::UNIX_EPOCH;
        let row = InvocationRow {
            id: Uuid::nil(),
            created_at: at,
            updated_at: at,
            correlation_id: "chain",
            source_function: function,
            source: Some(Box::new(Source { context: context.map(Cow::Borrowed), ..Source::default() })),
            status: "running",
            total_duration_ms: None,
            events_detected: 0,
            jobs_run: 0,
            jobs_succeeded: 0,
            jobs_failed: 0,
            error: None,
            records: 1,
        };
        super::context(&row).map(Cow::into_owned)
    }

    #[test]
    fn what_is_cut_stands_in_the_context() {
        let long = "\"x\\".repeat(300);
        for (context, expected) in [
            (None, json!({ "_original": { "source_function": long } })),
            (Some("null"), json!({ "_original": { "source_function": long } })),
            (Some(" { } "), json!({ "_original": { "source_function": long } })),
            (Some(r#"{"a":{}}"#), json!({ "a": {}, "_original": { "source_function": long } })),
            (Some("[1]"), json!([1])),
            (Some(r#""{}""#), json!("{}")),
        ] {
            let found: Value = serde_json::from_str(&kept(&long, context).unwrap()).unwrap();
            assert_eq!(found, expected, "{context:?}");
            assert_eq!(kept(&long[..NAME_BYTES], context).as_deref(), context);
            assert_eq!(kept(&"x".repeat(MOST_BYTES + 1), context).as_deref(), context);
        }
    }
}

//! Columns that another program made with other types than ours, read as ours: an enum as its word, ids that are texts or
//! numbers as UUIDs, `json` as `jsonb`. Only there a statement reads a subselect instead of the table, so that all others
//! stay as they are. The names of such columns are told, since a lookup by them can use no index of theirs.
//!
//! A `timestamp` needs nothing here: the session's zone is UTC and so is such a time, see [`Timestamp`].
//!
//! [`Timestamp`]: super::time::Timestamp

use std::collections::BTreeMap;

use super::sql::identifier;

/// What a column holds for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Id,
    Text,
    Json,
    Time,
}

/// What we read of the tables; other columns are read as they are.
const COLUMNS: [(Holds, &[&str]); 4] = [
    (Holds::Id, &["id", "invocation_id", "event_execution_id", "job_execution_id", "source_job_id", "source_event_id"]),
    (
        Holds::Text,
        &[
            "correlation_id",
            "detection_error",
            "detection_error_stack",
            "error_message",
            "error_stack",
            "event_name",
            "handler_error",
            "handler_error_stack",
            "job_name",
            "level",
            "message",
            "source",
            "source_function",
            "source_operation",
            "source_system",
            "source_table",
            "source_type",
            "source_user_email",
            "source_user_role",
            "status",
        ],
    ),
    (Holds::Json, &["data", "most_failed_jobs", "source_event_payload"]),
    (Holds::Time, &["created_at", "updated_at", "source_event_time"]),
];

/// The types of a table's columns, by name, as `format_type` writes them.
pub(super) type Types = BTreeMap<String, String>;

/// The column (of the alias `t`) as what we read, where it needs more than its name.
pub(super) fn conversion(column: &str, of_type: &str) -> Option<String> {
    let holds = COLUMNS.iter().find(|(_, columns)| columns.contains(&column))?.0;
    let name = format!("t.{}", identifier(column));
    let is_text = matches!(of_type, "text" | "character varying" | "character" | "name");
    match (holds, of_type) {
        (Holds::Id, "uuid") | (Holds::Json, "jsonb") => None,
        // What is no UUID gets one of its own, the same wherever it stands.
        (Holds::Id, _) => Some(format!(
            "case when {name}::text ~* '^[0-9a-f]{{8}}(-?[0-9a-f]{{4}}){{3}}-?[0-9a-f]{{12}}$' \
             then {name}::text::uuid else md5({name}::text)::uuid end"
        )),
        (Holds::Text, _) => (!is_text).then(|| format!("{name}::text")),
        (Holds::Json, "json") => Some(format!("{name}::jsonb")),
        (Holds::Json, _) => Some(format!("to_jsonb({name})")),
        (Holds::Time, "date") => Some(format!("{name}::timestamptz")),
        (Holds::Time, _) => None,
    }
}

/// What is read instead of a table: all its columns as ours; nothing where they are.
pub(super) fn selection(table: &str, types: &Types) -> Option<String> {
    let columns = types.iter().map(|(column, of_type)| (identifier(column), conversion(column, of_type)));
    let columns: Vec<_> = columns.collect();
    if columns.iter().all(|(_, conversion)| conversion.is_none()) {
        return None;
    }
    let column = |(name, conversion): &(String, Option<String>)| match conversion {
        Some(conversion) => format!("{conversion} as {name}"),
        None => format!("t.{name}"),
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    Some(format!("(select {} from @schema.{table} t)", columns.join(", ")))
}

/// A statement that reads the selections of these tables instead of the tables.
pub(super) fn replaced(sql: &str, selections: &BTreeMap<String, String>) -> String {
    let mut parts = sql.split("@schema.");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let (table, rest) = part.split_at(end);
        match selections.get(table) {
            None => text.extend(["@schema.", part]),
            Some(selection) => {
                text.push_str(selection);
                // A subselect needs a name.
                if !has_alias(rest) {
                    text.extend([" ", table]);
                }
                text.push_str(rest);
            }
        }
    }
    text
}

/// Whether a name stands behind a table.
fn has_alias(rest: &str) -> bool {
    const NONE: [&str; 13] = [
        "where", "order", "limit", "offset", "join", "cross", "left", "inner", "on", "group", "union", "having", "for",
    ];
    let word = rest.trim_start();
    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
    end > 0 && !NONE.iter().any(|keyword| word[..end].eq_ignore_ascii_case(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_with_other_types_are_replaced() {
        let types = |list: &[(&str, &str)]| -> Types {
            list.iter().map(|(column, of_type)| ((*column).to_owned(), (*of_type).to_owned())).collect()
        };
        let ours =
            [("id", "uuid"), ("status", "text"), ("created_at", "timestamp without time zone"), ("own", "point")];
        assert_eq!(selection("invocations", &types(&ours)), None);
        let selection = selection("invocations", &types(&[("id", "uuid"), ("status", "app.status")])).unwrap();
        assert_eq!(selection, r#"(select t."id", t."status"::text as "status" from @schema.invocations t)"#);
        let selections = BTreeMap::from([("invocations".to_owned(), "(S)".to_owned())]);
        let read = |sql: &str| replaced(sql, &selections);
        assert_eq!(
            read("select 1 from @schema.invocations i join @schema.job_executions j on true where i.x = '@schema.'"),
            "select 1 from (S) i join @schema.job_executions j on true where i.x = '@schema.'"
        );
        assert_eq!(read("from @schema.invocations where id = $1"), "from (S) invocations where id = $1");
        assert_eq!(read("(select from @schema.invocations) x"), "(select from (S) invocations) x");
    }

    #[test]
    fn ids_of_any_type_become_ids() {
        assert!(conversion("source_job_id", "bigint").unwrap().ends_with(r#"md5(t."source_job_id"::text)::uuid end"#));
        assert_eq!(conversion("correlation_id", "uuid").unwrap(), r#"t."correlation_id"::text"#);
        assert_eq!((conversion("status", "character varying"), conversion("other", "point")), (None, None));
    }
}

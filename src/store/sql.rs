//! The one place where statements come to name our tables.
//!
//! Sessions look names up in `pg_catalog` alone (see [`SEARCH_PATH`]): whatever another role makes in a schema that we
//! read shadows no function, operator or type of PostgreSQL. So each statement names the schema of our tables: as
//! `@schema.` before the name of a table, as `@'schema'` where its name is a text.

#[cfg(feature = "tui")]
use sqlx::AssertSqlSafe;

/// Where a session looks for names without a schema. `pg_temp` is searched first unless it is named.
pub(crate) const SEARCH_PATH: &str = "pg_catalog,pg_temp";

/// The text of a statement of this program, with the name of the schema in it.
#[cfg(feature = "tui")]
pub(crate) fn in_schema(text: &str, schema: &str) -> AssertSqlSafe<String> {
    let mut parts = text.split('@');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("schema.") {
            sql.push_str(&quoted(schema, '"'));
            sql.push('.');
            sql.push_str(rest);
        } else if let Some(rest) = part.strip_prefix("'schema'") {
            sql.push_str(&quoted(schema, '\''));
            sql.push_str(rest);
        } else {
            sql.push('@');
            sql.push_str(part);
        }
    }
    AssertSqlSafe(sql)
}

/// An SQL identifier in quotes, whatever it holds.
pub(crate) fn identifier(name: &str) -> String {
    quoted(name, '"')
}

/// An SQL text in quotes, whatever it holds.
#[cfg(feature = "tui")]
pub(crate) fn literal(text: &str) -> String {
    quoted(text, '\'')
}

/// In quotes of this kind. A dollar would end the text of a block or function that the name stands in, and a backslash
/// means something in texts on old servers: with either, the form with escapes is used.
fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    if name.contains(['$', '\\']) {
        format!("U&{quote}{}{quote}", doubled.replace('\\', r"\\").replace('$', r"\0024"))
    } else {
        format!("{quote}{doubled}{quote}")
    }
}

#[cfg(all(test, feature = "tui"))]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_quoted_as_what_it_stands_for() {
        let text = "select '@' from @schema.invocations where n = @'schema' and x @> y";
        let named = |schema| in_schema(text, schema).0;
        assert_eq!(named("public"), r#"select '@' from "public".invocations where n = 'public' and x @> y"#);
        assert_eq!(named("a\"b'c"), r#"select '@' from "a""b'c".invocations where n = 'a"b''c' and x @> y"#);
        assert_eq!(
            named("@schema.$$\\"),
            r#"select '@' from U&"@schema.\0024\0024\\".invocations where n = U&'@schema.\0024\0024\\' and x @> y"#
        );
    }
}

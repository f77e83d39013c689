//! The migrations of this program, for tables in a schema.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, Migrator};

use super::sql::{identifier, in_schema};

/// Our own table: another program may use the usual one in the same schema. `roles.sql` names it too.
pub(super) const TABLE: &str = "obs_tui_migrations";
/// Of the texts that migrations had before they named the schema, one a line: databases hold these. A migration keeps
/// its first checksum, whatever its text names today and whichever schema it names.
const FIRST_CHECKSUMS: &str = include_str!("migrations/checksums.txt");

/// All of them, in order.
pub(super) fn migrator(schema: &str) -> Migrator {
    let mut migrator = sqlx::migrate!();
    let mut first = FIRST_CHECKSUMS.lines();
    for migration in migrator.migrations.to_mut() {
        if let Some(checksum) = first.next() {
            migration.checksum = bytes(checksum).into();
        }
        migration.sql = in_schema(&keep_comments(migration.sql.as_str()), schema).into_sql_str();
    }
    migrator.dangerous_set_table_name(format!("{}.{TABLE}", identifier(schema)));
    migrator
}

/// The statements of a migration that is not applied in one transaction, each to be executed on its own.
pub(super) fn statements(migration: &Migration) -> impl Iterator<Item = &str> {
    migration.sql.as_str().split("\n-- next\n")
}

/// The same text, in which a table or column that has a comment keeps it: it may be another program's.
fn keep_comments(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() * 2);
    for line in sql.split_inclusive('\n') {
        let found = line.strip_prefix("COMMENT ON ").and_then(|rest| {
            let (kind, rest) = rest.split_once(" @schema.")?;
            let (name, _) = rest.split_once(" IS ")?;
            let (table, column) = match kind {
                "TABLE" => (name, None),
                "COLUMN" => name.split_once('.').map(|(table, column)| (table, Some(column)))?,
                _ => return None,
            };
            let table = format!("format('%I.{table}', @'schema')::regclass");
            let present = match column {
                None => format!("obj_description({table}, 'pg_class')"),
                Some(column) => format!(
                    "(SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = {table} AND attname = '{column}')"
                ),
            };
            Some(format!("DO $$ BEGIN IF {present} IS NULL THEN {} END IF; END $$;\n", line.trim_end()))
        });
        text.push_str(found.as_deref().unwrap_or(line));
    }
    text
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, &half| byte << 4 | digit(half))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_the_same_whatever_the_schema() {
        let (one, other) = (migrator("public"), migrator("an\"other"));
        for (number, (one, other)) in one.iter().zip(other.iter()).enumerate() {
            assert_eq!((one.version, &one.checksum), (i64::try_from(number).unwrap() + 1, &other.checksum));
            assert_eq!(one.checksum.len(), 48, "{}", one.description);
            assert_ne!(one.sql.as_str(), other.sql.as_str());
            assert!(!one.sql.as_str().contains("@schema") && !one.sql.as_str().contains("@'schema"));
        }
        // As databases hold it: half a byte is a digit.
        assert_eq!(bytes("00ff5a"), [0, 255, 90]);
    }

    #[test]
    fn indexes_are_built_concurrently_and_triggers_table_by_table() {
        let migrator = migrator("public");
        let locking = |sql: &str| {
            // What locks a table against its writers. A table that is new with the statement has none.
            let table = |word: &str| sql.matches(&format!("\"public\".{word} ")).count();
            let tables = ["invocations", "event_executions", "job_executions"].map(|word| table(word).min(1));
            (sql.contains("CREATE INDEX") || sql.contains("TRIGGER obs_tui_touch"))
                .then_some(tables.iter().sum::<usize>())
        };
        let mut statements_seen = 0;
        for migration in migrator.iter().filter(|migration| migration.no_tx) {
            for statement in statements(migration) {
                statements_seen += 1;
                assert!(locking(statement).unwrap_or(0) <= 1, "{statement}");
                assert!(!statement.contains("CREATE INDEX ") || statement.contains("CREATE INDEX CONCURRENTLY "));
            }
        }
        assert_eq!(statements_seen, 13 + 2 + 2 + 5 + 3);
        for migration in migrator.iter().filter(|migration| !migration.no_tx) {
            assert!(!migration.sql.as_str().contains("CREATE TRIGGER"), "{}", migration.description);
        }
    }

    #[test]
    fn comment_is_set_only_where_there_is_none() {
        let kept = keep_comments(
            "SELECT 1;\nCOMMENT ON COLUMN @schema.a.b IS 'x; y';\n    COMMENT ON TABLE @schema.a IS 'z';\n",
        );
        assert!(kept.starts_with("SELECT 1;\nDO $$ BEGIN IF (SELECT col_description("), "{kept}");
        assert!(
            kept.contains("attname = 'b') IS NULL THEN COMMENT ON COLUMN @schema.a.b IS 'x; y'; END IF; END $$;\n")
        );
        assert!(kept.ends_with("$$;\n    COMMENT ON TABLE @schema.a IS 'z';\n"), "within a block the block decides");
    }
}

//! The migrations of this program, for tables in a schema.

use sqlx::SqlSafeStr;
use sqlx::migrate::Migrator;

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
        migration.sql = in_schema(migration.sql.as_str(), schema).into_sql_str();
    }
    migrator.dangerous_set_table_name(format!("{}.{TABLE}", identifier(schema)));
    migrator
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
}

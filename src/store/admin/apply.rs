//! Applies migrations beside running writers.
//!
//! Writers lock invocations, then event_executions, then job_executions. A migration waits for a lock only shortly at
//! first, since all writers wait behind it, then longer. Indexes are built concurrently, triggers are created in one
//! transaction for each table.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::MigrationState;
use crate::store::error::StoreError;
use crate::store::migrations::statements;
use crate::store::sql::{identifier, in_schema};

/// How long each try waits for a table, in milliseconds. The last one bounds what a writer may have to wait.
const LOCK_TRIES_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 5_000];
/// How long building an index waits for the transactions of others, which nobody waits behind.
pub(super) const INDEX_LIMIT: &str = "60s";
/// Between two tries, of which writers make use.
const PAUSE: Duration = Duration::from_millis(250);
/// What a statement begins with that builds an index.
const INDEX: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ";

/// Waits until no other session migrates the schema, however long that takes, and keeps others from it until this one
/// ends. It asks again and again: a session that waits for a lock within a statement would be waited for by the other
/// one, which builds an index.
pub(super) async fn exclude_others(connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
    let sql = "SELECT pg_try_advisory_lock(hashtextextended('obs-tui migrate ' || $1, 0))";
    while !sqlx::query_scalar(sql).bind(schema).fetch_one(&mut *connection).await? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Applies what the database does not have, in order. A migration of several transactions that was interrupted is
/// completed by the next run.
pub(super) async fn apply(
    connection: &mut PgConnection,
    mut migrator: Migrator,
    schema: &str,
    before: &[MigrationState],
) -> Result<(), MigrateError> {
    migrator.set_locking(false);
    // Changes nothing: finds migrations of a newer version.
    migrator.run_to(0, &mut *connection).await?;
    if let Some(other) = before.iter().find(|migration| migration.differs) {
        return Err(MigrateError::VersionMismatch(other.version));
    }
    for (migration, _) in migrator.iter().zip(before).filter(|(_, state)| state.applied_at.is_none()) {
        let version = migration.version;
        if !migration.no_tx {
            patiently(connection, &migrator, version, None).await?;
            continue;
        }
        for statement in statements(migration) {
            match statement.find(INDEX) {
                Some(at) => build_index(connection, schema, &statement[at + INDEX.len()..])
                    .await
                    .map_err(|error| MigrateError::ExecuteMigration(error, version))?,
                None => patiently(connection, &migrator, version, Some(statement)).await?,
            }
        }
        // All before it are applied: only this one is noted down.
        migrator.skip(&mut *connection, Some(version)).await?;
    }
    Ok(())
}

/// Executes one statement, or a whole migration with those before it in one transaction each, until it has its locks.
async fn patiently(
    connection: &mut PgConnection,
    migrator: &Migrator,
    version: i64,
    statement: Option<&str>,
) -> Result<(), MigrateError> {
    let mut tries = LOCK_TRIES_MS.iter().peekable();
    while let Some(wait) = tries.next() {
        connection.execute(AssertSqlSafe(format!("SET lock_timeout = {wait}"))).await?;
        let done = match statement {
            Some(sql) => {
                let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
                done.map(drop).map_err(|error| MigrateError::ExecuteMigration(error, version))
            }
            None => migrator.run_to(version, &mut *connection).await,
        };
        match done {
            Err(error) if tries.peek().is_some() && is_locked(&error) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    Ok(())
}

/// Whether a lock was not to be had, or was given up to end a deadlock.
fn is_locked(error: &MigrateError) -> bool {
    let MigrateError::ExecuteMigration(error, _) = error else { return false };
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// Builds an index unless there is an equal one; `index` is its definition from the name on. What is left of an
/// interrupted attempt is removed first.
async fn build_index(connection: &mut PgConnection, schema: &str, index: &str) -> Result<(), sqlx::Error> {
    let parts = index.trim_end().trim_end_matches(';').split_once(" ON ").and_then(|(name, rest)| {
        let (table, columns) = rest.strip_prefix(&identifier(schema))?.strip_prefix('.')?.split_once(' ')?;
        Some((name, table, columns))
    });
    let Some((name, table, columns)) = parts else {
        return Err(sqlx::Error::Protocol(format!("no index in a migration: {index}")));
    };
    let sql = "SELECT coalesce(bool_or(i.indisvalid AND \
                    split_part(pg_get_indexdef(i.indexrelid), ' USING btree ', 2) = $2), false), \
                coalesce(bool_or(c.relname = $3 AND NOT i.indisvalid AND t.relkind = 'r'), false), \
                coalesce(bool_or(t.relkind = 'p'), false) \
         FROM pg_class t LEFT JOIN pg_index i ON i.indrelid = t.oid LEFT JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE t.relname = $1 AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = @'schema')";
    let (equal, broken, partitioned): (bool, bool, bool) =
        sqlx::query_as(in_schema(sql, schema)).bind(table).bind(columns).bind(name).fetch_one(&mut *connection).await?;
    if equal {
        return Ok(());
    }
    connection.execute(AssertSqlSafe(format!("SET lock_timeout = '{INDEX_LIMIT}'"))).await?;
    if broken {
        let drop = format!("DROP INDEX CONCURRENTLY {}.{}", identifier(schema), identifier(name));
        connection.execute(AssertSqlSafe(drop)).await?;
    }
    // PostgreSQL cannot build one of a partitioned table concurrently.
    let create = if partitioned { INDEX.replace("CONCURRENTLY ", "") } else { INDEX.to_owned() };
    connection.execute(AssertSqlSafe(format!("{create}{index}"))).await?;
    Ok(())
}

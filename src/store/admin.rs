//! What an administrator does: migrations, a new database, the rights of its roles.
mod apply;
mod create;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::{Migrate as _, MigrateError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::answer::within;
use super::config::Config;
use super::connect::open;
use super::error::StoreError;
use super::migrations::{TABLE, migrator};
use super::sql::{OWNED_BY_RULER, identifier, in_schema, revocation};
use super::time::Timestamp;
use super::trust::{self, Purpose};

pub use create::{Passwords, Roles, create_database};

const ADMIN: &str = "observability_admin";
const APP: &str = "observability_app";
const READONLY: &str = "observability_readonly";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for a table, in words of PostgreSQL.
const LOCK_LIMIT: &str = "5s";

/// What the table of applied migrations says of the others in its schema.
const MADE: &str = "Migrations of obs-tui, which made the tables of this schema.";
/// The same, after tables were found.
const ADOPTED: &str = "Migrations of obs-tui, which completed the tables of another program.";

/// What [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Versions and names of the migrations applied now, in order.
    pub applied: Vec<(i64, String)>,
    /// How many were applied before.
    pub already: usize,
    /// Whether the tables had been made by another program and were completed.
    pub adopted: bool,
    /// Whether everybody could create in the schema, which is ours, and cannot any more.
    pub closed: bool,
    /// Roles, as they stand in a statement, that may create in the schema besides its owner, superusers and
    /// `observability_admin`; `PUBLIC` is everybody.
    pub may_create: Vec<String>,
}

/// One migration and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Number of the migration.
    pub version: i64,
    /// Its name.
    pub description: String,
    /// When it was applied; `None` if it was not.
    pub applied_at: Option<DateTime<Utc>>,
    /// Whether another text was applied under this number than this program has.
    pub differs: bool,
}

/// How a database stands to the migrations of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseStatus {
    /// Whether the table of applied migrations exists. Without it, no migration of ours was ever applied.
    pub tracked: bool,
    /// Whether there is a table `invocations`: if none of the migrations was applied, another program made it.
    pub has_tables: bool,
    /// All migrations of this program, in order.
    pub migrations: Vec<MigrationState>,
    /// Who may create in the schema: see [`MigrationReport::may_create`].
    pub may_create: Vec<String>,
    /// What of others would run where this role changes the tables, in words.
    pub code_of_others: Vec<String>,
}

/// Brings the tables in the configured schema to the state that this program needs, beside running writers: see
/// `admin/apply.rs`. Tables of another program are completed, not replaced; its comments and rights stay. The three roles
/// get their rights if they exist.
///
/// # Errors
/// When the database cannot be reached, the role does not own the tables, another session holds a lock for longer than
/// it waits, or the database was migrated by a newer version of this program.
pub async fn migrate(config: &Config) -> Result<MigrationReport, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui migrate")).await?;
    connection.execute("SET lock_timeout = 0; SET statement_timeout = 0").await?;
    apply::exclude_others(&mut connection, &config.schema).await?;
    let session = format!(
        "SET lock_timeout = '{LOCK_LIMIT}'; SET statement_timeout = 0; SET client_min_messages = warning; \
         SET idle_in_transaction_session_timeout = 0"
    );
    connection.execute(AssertSqlSafe(session)).await?;
    let schema_exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
        .bind(&config.schema)
        .fetch_one(&mut connection)
        .await?;
    if !schema_exists {
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {}", identifier(&config.schema)))).await?;
    }
    let schema = config.schema.as_str();
    let migrator = migrator(schema);
    connection.ensure_migrations_table(&migrator.table_name).await.map_err(|error| explain(config, error))?;
    // From here on nobody else can put something in its place.
    trust::check_tables(&mut connection, schema, Purpose::Migrate).await?;
    let before = read_status(&mut connection, schema).await?;
    let applying = apply::apply(&mut connection, migrator, schema, &before.migrations).await;
    applying.map_err(|error| explain(config, error))?;
    // Rights take no lock of a table, comments hardly any.
    connection.execute(AssertSqlSafe(format!("SET lock_timeout = '{LOCK_LIMIT}'"))).await?;
    if before.migrations.iter().all(|migration| migration.applied_at.is_none()) {
        let comment =
            format!("COMMENT ON TABLE @schema.{TABLE} IS '{}'", if before.has_tables { ADOPTED } else { MADE });
        connection.execute(in_schema(&comment, schema)).await?;
    }
    connection.execute(roles(config)).await?;
    let closed = close_schema(&mut connection, schema).await?;
    let may_create = trust::may_create(&mut connection, schema).await?;
    connection.close().await?;

    let (already, now): (Vec<_>, Vec<_>) = before.migrations.into_iter().partition(|m| m.applied_at.is_some());
    Ok(MigrationReport {
        applied: now.into_iter().map(|migration| (migration.version, migration.description)).collect(),
        already: already.len(),
        adopted: before.has_tables && already.is_empty(),
        closed,
        may_create,
    })
}

/// Which migrations the database has. The readonly role may ask.
///
/// # Errors
/// When the database cannot be reached or read.
pub async fn status(config: &Config) -> Result<DatabaseStatus, StoreError> {
    let mut connection = connect(config, config.reader_options()).await?;
    connection.execute("BEGIN READ ONLY").await?;
    let status = read_status(&mut connection, &config.schema).await?;
    connection.close().await?;
    Ok(status)
}

/// Gives the three roles their rights on the tables, as far as they exist. [`migrate`] does it too.
///
/// # Errors
/// When the database cannot be reached.
pub async fn grant(admin: &Config) -> Result<(), StoreError> {
    let mut connection = connect(admin, admin.writer_options("obs-tui grant")).await?;
    connection.execute(roles(admin)).await?;
    Ok(connection.close().await?)
}

pub(super) async fn connect(config: &Config, options: PgConnectOptions) -> Result<PgConnection, StoreError> {
    // Not even a slow statement is logged: it may hold a password.
    let options = options.disable_statement_logging();
    within(CONNECT_LIMIT, config, open(config, &options)).await.map_err(|error| error.named(config))
}

fn roles(config: &Config) -> AssertSqlSafe<String> {
    in_schema(include_str!("roles.sql"), &config.schema)
}

/// Whether there is a table of applied migrations, and not one of anybody's.
async fn is_tracked(connection: &mut PgConnection, schema: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = @'schema' AND c.relname = '{TABLE}' AND c.relkind = 'r' AND {OWNED_BY_RULER})"
    );
    Ok(sqlx::query_scalar(in_schema(&sql, schema)).fetch_one(connection).await?)
}

/// Takes the right to create in the schema from everybody, where a migration of ours made all the tables in it; gives
/// whether that was done. Another's schema is not ours to close.
async fn close_schema(connection: &mut PgConnection, schema: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT pg_has_role(n.nspowner, 'USAGE') AND obj_description(c.oid, 'pg_class') = '{MADE}' \
            AND EXISTS (SELECT FROM aclexplode(n.nspacl) WHERE grantee = 0 AND privilege_type = 'CREATE') \
            AND NOT EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = n.oid AND o.relkind IN ('r', 'p', 'v', 'm', 'f') \
                AND o.relname NOT IN ('invocations', 'event_executions', 'job_executions', 'job_logs', 'metrics_hourly', \
                    'metrics_coverage', 'metrics_pruned', 'metrics_late', 'dashboard_stats', 'recorder_losses', '{TABLE}')) \
         FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid \
         WHERE n.nspname = @'schema' AND c.relname = '{TABLE}'"
    );
    let open: Option<Option<bool>> =
        sqlx::query_scalar(in_schema(&sql, schema)).fetch_optional(&mut *connection).await?;
    let open = open.flatten().unwrap_or(false);
    if open {
        let revoke = revocation(schema, &["PUBLIC".to_owned()]);
        connection.execute(AssertSqlSafe(revoke)).await?;
    }
    Ok(open && !trust::may_create(connection, schema).await?.iter().any(|role| role == "PUBLIC"))
}

async fn read_status(connection: &mut PgConnection, schema: &str) -> Result<DatabaseStatus, StoreError> {
    let tracked = is_tracked(connection, schema).await?;
    let has_tables: bool = sqlx::query_scalar(in_schema(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = @'schema' AND c.relname = 'invocations')",
        schema,
    ))
    .fetch_one(&mut *connection)
    .await?;
    let mut applied: BTreeMap<i64, (DateTime<Utc>, Vec<u8>)> = BTreeMap::new();
    if tracked {
        let rows: Vec<(i64, Timestamp, Vec<u8>)> = sqlx::query_as(in_schema(
            "SELECT version, installed_on, checksum FROM @schema.obs_tui_migrations WHERE success",
            schema,
        ))
        .fetch_all(&mut *connection)
        .await?;
        applied.extend(rows.into_iter().map(|(version, at, checksum)| (version, (at.0, checksum))));
    }
    let migrations = migrator(schema)
        .iter()
        .map(|migration| {
            let found = applied.get(&migration.version);
            MigrationState {
                version: migration.version,
                description: migration.description.to_string(),
                applied_at: found.map(|(at, _)| *at),
                differs: found.is_some_and(|(_, checksum)| *checksum != *migration.checksum),
            }
        })
        .collect();
    let may_create = trust::may_create(connection, schema).await?;
    let code_of_others = trust::code_of_others(connection, schema).await?;
    Ok(DatabaseStatus { tracked, has_tables, migrations, may_create, code_of_others })
}

fn explain(config: &Config, error: MigrateError) -> StoreError {
    let (version, error) = match error {
        MigrateError::ExecuteMigration(error, version) => (Some(version), error),
        MigrateError::Execute(error) => (None, error),
        MigrateError::VersionMissing(version) => {
            let reason = format!("migration {version} was applied by a newer obs-tui; update this one");
            return StoreError::Data { reason, source: error.into() };
        }
        MigrateError::VersionMismatch(version) => {
            let reason = format!("migration {version} was applied with another text than this obs-tui has");
            return StoreError::Data { reason, source: error.into() };
        }
        other => return StoreError::Other { reason: other.to_string(), source: other.into() },
    };
    match (version, StoreError::at(config, error)) {
        (None, StoreError::Locked { reason, source }) => {
            let reason = format!("another migration of this database is running ({reason})");
            StoreError::Locked { reason, source }
        }
        (Some(version), StoreError::Locked { reason, source }) => {
            // Most of those with several transactions build indexes, which wait longer, and in no one's way.
            let several =
                migrator(&config.schema).iter().any(|migration| migration.version == version && migration.no_tx);
            let (limit, applied) =
                if several { (apply::INDEX_LIMIT, "fully applied") } else { (LOCK_LIMIT, "applied") };
            let reason = format!("migration {version} waited {limit} for a table and was not {applied} ({reason})");
            StoreError::Locked { reason, source }
        }
        (Some(version), StoreError::Denied { reason, source }) => {
            let reason = format!("migration {version} needs the owner of the tables ({reason})");
            StoreError::Denied { reason, source }
        }
        (_, error) => error,
    }
}

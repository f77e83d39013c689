//! What an administrator does: migrations, a new database, the rights of its roles.
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::config::{Config, Secret, quote};
use super::connect::open;
use super::error::StoreError;
use crate::clock;

const ADMIN: &str = "observability_admin";
const APP: &str = "observability_app";
const READONLY: &str = "observability_readonly";
/// Our own table: another program may use the usual one in the same schema. `roles.sql` names it too.
const MIGRATIONS_TABLE: &str = "obs_tui_migrations";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for a table or for another migration, in words of PostgreSQL.
const LOCK_LIMIT: &str = "5s";
const LOCALES: [&str; 3] = ["en_US.UTF-8", "C.UTF-8", "C"];

/// What [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Versions and names of the migrations applied now, in order.
    pub applied: Vec<(i64, String)>,
    /// How many were applied before.
    pub already: usize,
    /// Whether the tables had been made by another program and were completed.
    pub adopted: bool,
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
}

/// Passwords for [`create_database`]; one that is `None` is generated for a new role and kept for an existing one.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    /// Of `observability_admin`.
    pub admin: Option<Secret>,
    /// Of `observability_app`.
    pub app: Option<Secret>,
    /// Of `observability_readonly`.
    pub readonly: Option<Secret>,
}

/// The three ways to connect to a database. A role that existed before and was given no password has none here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Owns the database: migrations, refreshing the view.
    pub admin: Config,
    /// Reads and writes rows: the recorder.
    pub app: Config,
    /// Reads: the explorer.
    pub readonly: Config,
}

/// Brings the tables in the configured schema to the state that this program needs. Each migration is applied whole or
/// not at all. Tables of another program are completed, not replaced. The three roles get their rights if they exist.
///
/// # Errors
/// When the database cannot be reached, the role does not own the tables, another session holds a lock for longer than
/// five seconds, or the database was migrated by a newer version of this program.
pub async fn migrate(config: &Config) -> Result<MigrationReport, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui migrate")).await?;
    // Another migration that is on its way is waited for, however long it takes: the limit is for the locks of tables.
    connection.execute("SET lock_timeout = 0; SET statement_timeout = 0").await?;
    connection.lock().await.map_err(|error| explain(config, error))?;
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
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {}", quote(&config.schema)))).await?;
    }
    let before = read_status(&mut connection).await?;
    migrator().run(&mut connection).await.map_err(|error| explain(config, error))?;
    connection.execute(include_str!("roles.sql")).await?;
    connection.close().await?;

    let (already, now): (Vec<_>, Vec<_>) = before.migrations.into_iter().partition(|m| m.applied_at.is_some());
    Ok(MigrationReport {
        applied: now.into_iter().map(|migration| (migration.version, migration.description)).collect(),
        already: already.len(),
        adopted: before.has_tables && already.is_empty(),
    })
}

/// Which migrations the database has. The readonly role may ask.
///
/// # Errors
/// When the database cannot be reached or read.
pub async fn status(config: &Config) -> Result<DatabaseStatus, StoreError> {
    let mut connection = connect(config, config.reader_options()).await?;
    let status = read_status(&mut connection).await?;
    connection.close().await?;
    Ok(status)
}

/// Gives the three roles their rights on the tables, as far as they exist. [`migrate`] does it too.
///
/// # Errors
/// When the database cannot be reached.
pub async fn grant(admin: &Config) -> Result<(), StoreError> {
    let mut connection = connect(admin, admin.writer_options("obs-tui grant")).await?;
    connection.execute(include_str!("roles.sql")).await?;
    Ok(connection.close().await?)
}

/// Makes the database and the three roles, as far as they are missing, and closes a database of ours to everybody else.
/// The tables come with [`migrate`]. Doing it again changes nothing but the passwords that are given.
///
/// # Errors
/// When the server cannot be reached or the role may not create databases and roles. Then no role was made or changed.
pub async fn create_database(superuser: &Config, name: &str, passwords: &Passwords) -> Result<Roles, StoreError> {
    let mut connection = connect(superuser, superuser.writer_options("obs-tui create")).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        create_empty(&mut connection, name).await?;
    }
    connection.close().await?;

    let inside = superuser.with_database(name);
    let mut connection = connect(&inside, inside.writer_options("obs-tui create")).await?;
    let mut transaction = connection.begin().await?;
    // A superuser can keep the statements with the passwords out of the log of the server.
    transaction
        .execute(
            "SET LOCAL password_encryption = 'scram-sha-256';
             SELECT set_config(name, value, true)
             FROM (VALUES ('log_statement', 'none'), ('log_min_error_statement', 'panic'),
                 ('log_min_duration_statement', '-1')) AS v (name, value)
             WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
        )
        .await?;
    let admin = ensure_role(&mut transaction, ADMIN, passwords.admin.as_ref()).await?;
    let app = ensure_role(&mut transaction, APP, passwords.app.as_ref()).await?;
    let readonly = ensure_role(&mut transaction, READONLY, passwords.readonly.as_ref()).await?;
    if !exists || is_ours(&mut transaction).await? {
        close_to_others(&mut transaction, name).await?;
    }
    transaction.execute(include_str!("roles.sql")).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(Roles {
        admin: inside.with_user(ADMIN, admin),
        app: inside.with_user(APP, app),
        readonly: inside.with_user(READONLY, readonly),
    })
}

pub(super) async fn connect(config: &Config, options: PgConnectOptions) -> Result<PgConnection, StoreError> {
    // Not even a slow statement is logged: it may hold a password.
    let options = options.disable_statement_logging();
    match tokio::time::timeout(CONNECT_LIMIT, open(config, &options)).await {
        Ok(result) => result,
        Err(elapsed) => {
            let reason = format!("no answer within {} s", CONNECT_LIMIT.as_secs());
            Err(StoreError::Unreachable { target: format!("PostgreSQL at {config}"), reason, source: elapsed.into() })
        }
    }
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

async fn read_status(connection: &mut PgConnection) -> Result<DatabaseStatus, StoreError> {
    let (tracked, has_tables): (bool, bool) =
        sqlx::query_as("SELECT to_regclass($1) IS NOT NULL, to_regclass('invocations') IS NOT NULL")
            .bind(MIGRATIONS_TABLE)
            .fetch_one(&mut *connection)
            .await?;
    let mut applied: BTreeMap<i64, (DateTime<Utc>, Vec<u8>)> = BTreeMap::new();
    if tracked {
        let rows: Vec<(i64, DateTime<Utc>, Vec<u8>)> =
            sqlx::query_as("SELECT version, installed_on, checksum FROM obs_tui_migrations WHERE success")
                .fetch_all(&mut *connection)
                .await?;
        applied.extend(rows.into_iter().map(|(version, at, checksum)| (version, (at, checksum))));
    }
    let migrations = migrator()
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
    Ok(DatabaseStatus { tracked, has_tables, migrations })
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
            let reason = format!("migration {version} waited {LOCK_LIMIT} for a table and was not applied ({reason})");
            StoreError::Locked { reason, source }
        }
        (Some(version), StoreError::Denied { reason, source }) => {
            let reason = format!("migration {version} needs the owner of the tables ({reason})");
            StoreError::Denied { reason, source }
        }
        (_, error) => error,
    }
}

async fn create_empty(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let mut refused = None;
    for locale in LOCALES {
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE '{locale}' LC_CTYPE '{locale}'",
            quote(name)
        );
        match connection.execute(AssertSqlSafe(statement)).await {
            Ok(_) => return Ok(()),
            // The locale is not installed on the server.
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42809" | "22023")) => {
                refused = Some(sqlx::Error::Database(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.unwrap_or(sqlx::Error::RowNotFound).into())
}

/// Makes the role, or gives it the password; the password if it is known.
async fn ensure_role(
    connection: &mut PgConnection,
    role: &str,
    given: Option<&Secret>,
) -> Result<Option<Secret>, StoreError> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regrole($1) IS NOT NULL").bind(role).fetch_one(&mut *connection).await?;
    let (verb, password) = match (exists, given) {
        (true, None) => return Ok(None),
        (true, Some(given)) => ("ALTER", given.clone()),
        (false, given) => ("CREATE", given.cloned().unwrap_or_else(|| Secret::new(clock::secret()))),
    };
    let statement: String = sqlx::query_scalar("SELECT format('%s ROLE %I LOGIN PASSWORD %L', $1, $2, $3)")
        .bind(verb)
        .bind(role)
        .bind(password.reveal())
        .fetch_one(&mut *connection)
        .await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(Some(password))
}

/// Whether the database belongs to the admin role, or is an empty one of ours that was not finished.
async fn is_ours(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let ours = sqlx::query_scalar(
        "SELECT pg_get_userbyid(datdba) = $1 OR pg_get_userbyid(datdba) = current_user AND NOT EXISTS (
             SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname !~ '^(pg_|information_schema$)')
         FROM pg_database WHERE datname = current_database()",
    )
    .bind(ADMIN)
    .fetch_one(connection)
    .await?;
    Ok(ours)
}

/// Makes the admin role the owner, and takes from everybody else what PostgreSQL gives to all by default.
async fn close_to_others(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let database = quote(name);
    let statements = format!(
        "DO $$ BEGIN
             IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                 GRANT {ADMIN} TO CURRENT_USER;
             END IF;
         END $$;
         ALTER DATABASE {database} OWNER TO {ADMIN};
         REVOKE ALL ON DATABASE {database} FROM PUBLIC;
         GRANT CREATE, USAGE ON SCHEMA public TO {ADMIN};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    );
    connection.execute(AssertSqlSafe(statements)).await?;
    Ok(())
}

//! A new database and its roles.
//!
//! The database may be there already and belong to anybody. What concerns the whole server, roles with their passwords
//! above all, is done outside of it; inside, only rights on its schema are given.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{ADMIN, APP, READONLY, connect, roles};
use crate::clock;
use crate::store::config::{Config, Secret};
use crate::store::error::StoreError;
use crate::store::sql::{identifier, literal};

const LOCALES: [&str; 3] = ["en_US.UTF-8", "C.UTF-8", "C"];

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

/// Makes the database and the three roles, as far as they are missing, and closes a database of ours to everybody else.
/// The tables come with [`migrate`](super::migrate). Doing it again changes nothing but the passwords that are given.
///
/// # Errors
/// When the server or the database cannot be reached, or the role may not create databases and roles. Then no role was
/// made or changed.
pub async fn create_database(superuser: &Config, name: &str, passwords: &Passwords) -> Result<Roles, StoreError> {
    let mut outside = connect(superuser, superuser.writer_options("obs-tui create")).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut outside)
        .await?;
    if !exists {
        create_empty(&mut outside, name).await?;
    }
    // Before roles are made: it may let nobody in.
    let config = superuser.with_database(name);
    let mut inside = connect(&config, config.writer_options("obs-tui create")).await?;
    let ours = !exists || is_ours(&mut inside).await?;

    let mut transaction = outside.begin().await?;
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
    if ours {
        close_to_others(&mut transaction, name).await?;
    }
    transaction.commit().await?;
    outside.close().await?;

    let mut transaction = inside.begin().await?;
    if ours {
        let rights =
            format!("GRANT CREATE, USAGE ON SCHEMA public TO {ADMIN}; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        transaction.execute(AssertSqlSafe(rights)).await?;
    }
    transaction.execute(roles(&config)).await?;
    transaction.commit().await?;
    inside.close().await?;
    Ok(Roles {
        admin: config.with_user(ADMIN, admin),
        app: config.with_user(APP, app),
        readonly: config.with_user(READONLY, readonly),
    })
}

async fn create_empty(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let mut refused = None;
    for locale in LOCALES {
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE '{locale}' LC_CTYPE '{locale}'",
            identifier(name)
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
    // Put together here: a function of the server would be told the password.
    let statement = format!("{verb} ROLE {} LOGIN PASSWORD {}", identifier(role), literal(password.reveal()));
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
    let database = identifier(name);
    let statements = format!(
        "DO $$ BEGIN
             IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                 GRANT {ADMIN} TO CURRENT_USER;
             END IF;
         END $$;
         ALTER DATABASE {database} OWNER TO {ADMIN};
         REVOKE ALL ON DATABASE {database} FROM PUBLIC"
    );
    connection.execute(AssertSqlSafe(statements)).await?;
    Ok(())
}

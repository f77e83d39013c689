//! The one way to a session: settings are checked before the server is asked.

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use sqlx::Row;

use super::config::{Config, invalid};
use super::error::StoreError;
use super::sql::SEARCH_PATH;

/// Refuses a session without the settings that it was to begin with: poolers drop them where they are told to, and then
/// names would be looked up in schemas that others may write.
///
/// # Errors
/// [`StoreError::InvalidConfig`], with what to do.
pub(crate) fn check_search_path(found: &str) -> Result<(), StoreError> {
    if found.replace(' ', "") == SEARCH_PATH {
        return Ok(());
    }
    Err(invalid(
        "the settings of the session did not reach the server (options, with search_path), so that code of others could \
         run in it. A pooler on the way drops them (PgBouncer does with `options` in ignore_startup_parameters): connect to \
         the server itself",
    ))
}

/// Opens a session with options that this configuration made, and looks whether they hold.
///
/// # Errors
/// The settings cannot be used or did not arrive, the server cannot be reached or refuses.
pub(crate) async fn open(config: &Config, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let mut connection = connect(config, options).await?;
    // Not a function, which could be somebody's.
    let shown = sqlx::raw_sql("show search_path").fetch_one(&mut connection).await;
    let found: String = shown.and_then(|row| row.try_get(0)).map_err(|error| StoreError::at(config, error))?;
    check_search_path(&found)?;
    Ok(connection)
}

/// The same without a look at the settings, which is to be the first that is asked.
///
/// # Errors
/// The settings cannot be used, the server cannot be reached or refuses.
pub(crate) async fn connect(config: &Config, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    config.check()?;
    PgConnection::connect_with(options).await.map_err(|error| StoreError::at(config, error))
}

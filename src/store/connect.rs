//! The one way to a session: settings are checked before the server is asked.

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::config::Config;
use super::error::StoreError;

/// Opens a session with options that this configuration made.
///
/// # Errors
/// The settings cannot be used, the server cannot be reached or refuses.
pub(crate) async fn open(config: &Config, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    config.check()?;
    PgConnection::connect_with(options).await.map_err(|error| StoreError::at(config, error))
}

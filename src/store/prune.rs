//! Deletes old invocations with everything below them, a few at a time: what was deleted stays deleted when it is
//! interrupted, and no lock is held for long. Hourly numbers stay.

use chrono::{DateTime, Utc};
use sqlx::{Connection, Executor};
use uuid::Uuid;

use super::admin::connect;
use super::config::Config;
use super::error::StoreError;
use super::refresh::keep_pruned;
use super::sql::in_schema;
use super::time::Timestamp;
use super::trust::{self, Purpose};

/// Invocations that one statement deletes; each may have hundreds of events and jobs.
const BATCH: i64 = 500;

/// How many invocations were created before a moment.
///
/// # Errors
/// When the database cannot be reached or read.
pub async fn count(config: &Config, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut connection = connect(config, config.reader_options()).await?;
    connection.execute("begin read only").await?;
    trust::check_tables(&mut connection, &config.schema, Purpose::Write).await?;
    let count: i64 =
        sqlx::query_scalar(in_schema("select count(*) from @schema.invocations where created_at < $1", &config.schema))
            .bind(Timestamp(before))
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deletes the invocations that were created before a moment, oldest first; gives how many. `progress` is told how many
/// are deleted so far. Rows that another session is changing are passed over.
///
/// # Errors
/// When the database cannot be reached, the role may not delete, or one statement takes too long. What was deleted until
/// then is gone; doing it again goes on from there.
pub async fn prune(config: &Config, before: DateTime<Utc>, mut progress: impl FnMut(u64)) -> Result<u64, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui prune")).await?;
    trust::check_tables(&mut connection, &config.schema, Purpose::Write).await?;
    let schema = config.schema.as_str();
    let mut deleted = 0;
    loop {
        let mut transaction = connection.begin().await?;
        let ids: Vec<Uuid> = sqlx::query_scalar(in_schema(
            "select id from @schema.invocations where created_at < $1 order by created_at limit $2 for update skip locked",
            schema,
        ))
        .bind(Timestamp(before))
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        keep_pruned(&mut transaction, schema, &ids).await?;
        let batch = sqlx::query(in_schema("delete from @schema.invocations where id = any($1)", schema))
            .bind(ids)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        transaction.commit().await?;
        if batch == 0 {
            connection.close().await?;
            return Ok(deleted);
        }
        deleted += batch;
        progress(deleted);
    }
}

//! One use of a connection. All that a [`Reader`](super::Reader) asks goes through here, so that nothing is asked in
//! another way.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{FromRow, PgConnection};
use tokio::sync::SemaphorePermit;

use super::Inner;
use crate::model::invocation::Server;
use crate::model::shared::Texts;
use crate::store::answer::within;
use crate::store::capabilities::Capabilities;
use crate::store::config::Config;
use crate::store::error::StoreError;
use crate::store::sql::in_schema;

/// How long an answer may take: longer than the server works on a statement, so that a way that is cut without a word,
/// as by a sleeping laptop or a lost tunnel, is noticed.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Rows of one answer. Nothing that is asked has so many.
const MOST_ROWS: usize = 1_000_000;

/// A connection in use. It is used again only after [`Session::done`]: dropped earlier, by an error or because nobody
/// waits for the answer any more, it is closed, which also ends the query on the server.
pub(super) struct Session<'a> {
    connection: PgConnection,
    pub(super) capabilities: Arc<Capabilities>,
    inner: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        connection: PgConnection,
        capabilities: Arc<Capabilities>,
        inner: &'a Inner,
        permit: SemaphorePermit<'a>,
    ) -> Self {
        Self { connection, capabilities, inner, _permit: permit }
    }

    /// All rows. The text is made of constants of this program and of names of known columns; it names tables as
    /// [`in_schema`] has it.
    pub(super) async fn fetch_all<Row>(&mut self, sql: &str, arguments: PgArguments) -> Result<Vec<Row>, StoreError>
    where
        Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.fetch_kept(sql, arguments, |row, _| row).await
    }

    /// The same, each row made into what is kept of it as soon as it comes.
    pub(super) async fn fetch_kept<Row, Kept>(
        &mut self,
        sql: &str,
        arguments: PgArguments,
        keep: impl Fn(Row, &mut Texts) -> Kept,
    ) -> Result<Vec<Kept>, StoreError>
    where
        Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let sql = in_schema(sql, &self.inner.config.schema);
        let kept = async {
            let mut rows = sqlx::query_as_with::<_, Row, _>(sql, arguments).fetch(&mut self.connection);
            let (mut texts, mut kept) = (Texts::default(), Vec::new());
            while let Some(row) = rows.try_next().await? {
                if kept.len() == MOST_ROWS {
                    return Err(sqlx::Error::Decode(format!("more than {MOST_ROWS} rows came").into()));
                }
                kept.push(keep(row, &mut texts));
            }
            Ok::<_, sqlx::Error>(kept)
        };
        in_time(&self.inner.config, kept).await
    }

    /// The first row, if there is one.
    pub(super) async fn fetch_first<Row>(
        &mut self,
        sql: &str,
        arguments: PgArguments,
    ) -> Result<Option<Row>, StoreError>
    where
        Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        Ok(self.fetch_all(sql, arguments).await?.into_iter().next())
    }

    /// Remembers what the server is; only a standby is asked, for its lag.
    pub(super) async fn look_at_server(&mut self) -> Result<(), StoreError> {
        let Capabilities { read_only, replica, invocations, .. } = *self.capabilities;
        let mut server = Server { read_only, replica, lag: None, invocations };
        if replica {
            (server.replica, server.lag) = self.lag().await?;
        }
        *self.inner.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
        Ok(())
    }

    /// Whether the server is still a standby, and how far it is behind.
    async fn lag(&mut self) -> Result<(bool, Option<TimeDelta>), StoreError> {
        // A standby that has replayed all it received from a server that it hears is not behind, however old that is.
        let sql = "select pg_is_in_recovery(), \
                    case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() \
                              and exists (select from pg_stat_wal_receiver where pid is not null) then 0 \
                         else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8";
        let found: Option<(bool, Option<f64>)> = self.fetch_first(sql, PgArguments::default()).await?;
        let (replica, seconds) = found.unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let lag = seconds.and_then(|seconds| TimeDelta::try_milliseconds((seconds.max(0.0) * 1_000.0) as i64));
        Ok((replica, lag))
    }

    /// Gives the connection back.
    pub(super) fn done(self) {
        self.inner.idle().push((self.connection, self.capabilities));
    }
}

/// Waits for an answer no longer than one may take.
pub(super) async fn in_time<T, E: Into<StoreError>>(
    server: &Config,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    within(ANSWER_TIME, server, answer).await
}

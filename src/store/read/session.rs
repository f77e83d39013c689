//! One use of a connection. All that a [`Reader`](super::Reader) asks goes through here, so that nothing is asked in
//! another way.
//!
//! No statement can write, whatever the role may do and whatever a view or a type of somebody else does when it is read.
//! A session begins as its options say: read-only by default, which nothing can turn off within the transaction that a
//! statement is. But what runs in it could turn it off for the next. So a second statement runs in a transaction that is
//! read-only itself, which is begun then, and when the session is done everything is set back. That goes out behind the
//! last answer and nobody waits for it, as each wait is a way to the server and back.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, TryStreamExt};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use tokio::sync::SemaphorePermit;

use super::Inner;
use crate::model::shared::Texts;
use crate::store::answer::within;
use crate::store::capabilities::Capabilities;
use crate::store::config::Config;
use crate::store::error::StoreError;

/// How long an answer may take: longer than the server works on a statement, so that a way that is cut without a word,
/// as by a sleeping laptop or a lost tunnel, is noticed.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Sets back what a session can change, and has the server notice when nobody waits for a query any more. A database
/// `without_encoding` sends its bytes as they are, see `store::text`: it would refuse those that are no UTF-8.
pub(crate) fn fresh(connection: &PgConnection, without_encoding: bool) -> String {
    let check = match connection.server_version_num() {
        Some(140_000..) => "; set client_connection_check_interval = '1s'",
        _ => "",
    };
    let encoding = if without_encoding { "; set client_encoding = 'SQL_ASCII'" } else { "" };
    format!("set session authorization default; reset all{check}{encoding}")
}

/// Nothing that runs in it can make it write.
pub(crate) const BEGIN: &str = "begin read only";

/// What may have happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing since it was set back.
    Fresh,
    /// A statement ran, by itself.
    Used,
    /// It is within a transaction that is read-only.
    Transaction,
}
/// Rows of one answer. Nothing that is asked has so many.
const MOST_ROWS: usize = 1_000_000;

/// A connection in use. It is used again only after [`Session::done`]: dropped earlier, by an error or because nobody
/// waits for the answer any more, it is closed, which also ends the query on the server.
pub(super) struct Session<'a> {
    connection: PgConnection,
    state: State,
    goes_on: bool,
    pub(super) capabilities: Arc<Capabilities>,
    inner: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        connection: PgConnection,
        state: State,
        capabilities: Arc<Capabilities>,
        inner: &'a Inner,
        permit: SemaphorePermit<'a>,
    ) -> Self {
        Self { connection, state, goes_on: false, capabilities, inner, _permit: permit }
    }

    /// The connection, for one statement that cannot write.
    async fn ready(&mut self) -> Result<&mut PgConnection, StoreError> {
        match self.state {
            State::Fresh => self.state = State::Used,
            State::Used | State::Transaction => self.begin().await?,
        }
        Ok(&mut self.connection)
    }

    /// Begins the transaction that a second statement would begin.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let sql = match self.state {
            State::Fresh => BEGIN.to_owned(),
            State::Used => format!("{}; {BEGIN}", fresh(&self.connection, self.capabilities.without_encoding)),
            State::Transaction => return Ok(()),
        };
        in_time(&self.inner.config, sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection)).await?;
        self.state = State::Transaction;
        Ok(())
    }

    /// All rows. The text is made of constants of this program and of names of known columns; it names tables as
    /// [`in_schema`](crate::store::sql::in_schema) has it.
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
        let sql = self.capabilities.statement(sql, &self.inner.config.schema);
        let config = &self.inner.config;
        let connection = self.ready().await?;
        let kept = async {
            let mut rows = sqlx::query_as_with::<_, Row, _>(sql, arguments).fetch(connection);
            let (mut texts, mut kept) = (Texts::default(), Vec::new());
            while let Some(row) = rows.try_next().await? {
                if kept.len() == MOST_ROWS {
                    return Err(sqlx::Error::Decode(format!("more than {MOST_ROWS} rows came").into()));
                }
                kept.push(keep(row, &mut texts));
            }
            Ok::<_, sqlx::Error>(kept)
        };
        in_time(config, kept).await
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

    /// Remembers what the server is; only a standby is asked, for its lag. To be called before other statements.
    pub(super) async fn look_at_server(&mut self) -> Result<(), StoreError> {
        let mut server = self.capabilities.server.clone();
        server.tls = self.inner.config.is_encrypted(server.tls);
        let replica = server.replica;
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
        let state = self.state;
        let found: Option<(bool, Option<f64>)> = self.fetch_first(sql, PgArguments::default()).await?;
        // It looks at nothing that somebody else may have made.
        if state == State::Fresh {
            self.state = state;
        }
        let (replica, seconds) = found.unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let lag = seconds.and_then(|seconds| TimeDelta::try_milliseconds((seconds.max(0.0) * 1_000.0) as i64));
        Ok((replica, lag))
    }

    /// See [`Server::data_time`](crate::model::invocation::Server::data_time).
    pub(super) fn data_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).data_time(now)
    }

    /// Gives the connection back.
    pub(super) fn done(mut self) {
        if !self.goes_on && !set_back(&mut self.connection, self.state, &self.capabilities) {
            return;
        }
        let state = if self.goes_on { self.state } else { State::Fresh };
        self.inner.idle().push((self.connection, state, self.capabilities));
    }

    /// As part of a request of several sessions, this one is given back as it is, for the next.
    pub(super) fn part_of(&mut self, _: &Several<'_>) {
        self.goes_on = true;
    }
}

/// A request of several sessions, one after the other. They share a transaction, so that none waits until the connection
/// is set back after the one before. That is done at the end, however it comes.
pub(super) struct Several<'a>(pub(super) &'a Inner);

impl Drop for Several<'_> {
    fn drop(&mut self) {
        self.0.idle().retain_mut(|(connection, state, capabilities)| {
            let settled = set_back(connection, *state, capabilities);
            *state = State::Fresh;
            settled
        });
    }
}

/// Ends what is open and sets back what may have been changed; false when the connection is broken.
fn set_back(connection: &mut PgConnection, state: State, capabilities: &Capabilities) -> bool {
    let end = match state {
        State::Fresh => return true,
        State::Used => "",
        State::Transaction => "rollback; ",
    };
    let sql = format!("{end}{}", fresh(connection, capabilities.without_encoding));
    // Polled once it is sent; whoever uses the connection next takes the answer first. Unconstrained, as it must be sent
    // now even where this task has had its share.
    let sent = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection);
    !matches!(tokio::task::unconstrained(sent).now_or_never(), Some(Err(_)))
}

/// Waits for an answer no longer than one may take.
pub(super) async fn in_time<T, E: Into<StoreError>>(
    server: &Config,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    within(ANSWER_TIME, server, answer).await
}

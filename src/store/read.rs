//! What the explorer and the command line read. Nothing here writes: the session itself is read-only.

mod cascade;
mod failures;
mod filter;
mod hourly;
mod inside;
mod known;
mod listen;
mod page;
mod search;
mod steps;
mod values;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::capabilities::Capabilities;
use super::config::{Config, Secret};
use super::error::StoreError;
use crate::clock::Clock;
use crate::model::flow::Kind;
use crate::model::invocation::{JobLog, Server};
use crate::model::shared::Texts;

pub use cascade::{MOST_INVOCATIONS, Seed};
pub use listen::Listener;
pub use page::PageQuery;
pub use search::MOST_COUNTED;

/// Lines of `job_logs` that are read at the most for one node.
pub const MOST_JOB_LOGS: i64 = 5_000;
/// Connections that are open at the most.
const CONNECTIONS: usize = 2;
/// How long the server may take to let a session in.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the server works on a statement, so that a way that is cut without a word,
/// as by a sleeping laptop or a lost tunnel, is noticed.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Reads one database over at most two connections, which are opened when they are needed; a [`Listener`] is one of them.
/// Clones share them.
#[derive(Clone, Debug)]
pub struct Reader {
    inner: Arc<Inner>,
}

/// Not a pool of sqlx: that keeps trying while the server refuses, and then only says that time is up.
#[derive(Debug)]
struct Inner {
    config: Config,
    /// Tells how long statements take.
    clock: Clock,
    permits: Semaphore,
    /// With what was found when they were opened.
    idle: Mutex<Vec<(PgConnection, Arc<Capabilities>)>>,
    server: Mutex<Server>,
    /// Instead of that of the configuration.
    password: Mutex<Option<Secret>>,
}

/// A connection in use. It is used again only after [`Session::done`]: dropped earlier, by an error or because nobody
/// waits for the answer any more, it is closed, which also ends the query on the server.
struct Session<'a> {
    connection: PgConnection,
    capabilities: Arc<Capabilities>,
    inner: &'a Inner,
    _permit: SemaphorePermit<'a>,
}

impl Session<'_> {
    /// Remembers what the server is; only a standby is asked, for its lag.
    async fn look_at_server(&mut self) -> Result<(), StoreError> {
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
        let lag = sqlx::query_as::<_, (bool, Option<f64>)>(
            "select pg_is_in_recovery(), \
                    case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() \
                              and exists (select from pg_stat_wal_receiver where pid is not null) then 0 \
                         else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8",
        )
        .fetch_one(&mut self.connection);
        let (replica, seconds) = in_time(lag).await?;
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let lag = seconds.and_then(|seconds| TimeDelta::try_milliseconds((seconds.max(0.0) * 1_000.0) as i64));
        Ok((replica, lag))
    }

    fn done(self) {
        self.inner.idle().push((self.connection, self.capabilities));
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<(PgConnection, Arc<Capabilities>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn options(&self) -> PgConnectOptions {
        match self.password.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(password) => self.config.with_user(&self.config.user, Some(password)).reader_options(),
            None => self.config.reader_options(),
        }
    }
}

impl Reader {
    /// A reader of this database. Does not connect yet, so it cannot fail.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_clock(config, Clock::system())
    }

    /// A reader that judges by this clock how much one statement may look at.
    #[must_use]
    pub fn with_clock(config: Config, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                clock,
                permits: Semaphore::new(CONNECTIONS),
                idle: Mutex::default(),
                server: Mutex::default(),
                password: Mutex::default(),
            }),
        }
    }

    async fn session(&self) -> Result<Session<'_>, StoreError> {
        let inner = &*self.inner;
        let at = |error| StoreError::at(&inner.config, error);
        let permit = inner.permits.acquire().await.map_err(|_| at(sqlx::Error::PoolClosed))?;
        let idle = inner.idle().pop();
        let (connection, capabilities) = match idle {
            Some(idle) => idle,
            // The server may be another one now, or migrated: it is asked again what it holds.
            None => {
                let mut connection = self.connect().await.map_err(at)?;
                let capabilities = in_time(Capabilities::probe(&mut connection)).await?;
                (connection, Arc::new(capabilities))
            }
        };
        Ok(Session { connection, capabilities, inner, _permit: permit })
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.inner.options();
        tokio::time::timeout(CONNECT_TIME, PgConnection::connect_with(&options))
            .await
            .unwrap_or_else(|_| Err(no_answer(CONNECT_TIME)))
    }

    /// Connects with this password from now on.
    pub fn use_password(&self, password: Secret) {
        *self.inner.password.lock().unwrap_or_else(PoisonError::into_inner) = Some(password);
    }

    /// What the last page told of the server.
    #[must_use]
    pub fn server(&self) -> Server {
        *self.inner.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the database holds.
    ///
    /// # Errors
    /// When it cannot be reached, or lacks a main table.
    pub async fn capabilities(&self) -> Result<Capabilities, StoreError> {
        let session = self.session().await?;
        let capabilities = Capabilities::clone(&session.capabilities);
        session.done();
        Ok(capabilities)
    }

    /// A raw row as JSON, whatever columns it has; `None` when there is no such row.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn row(&self, kind: Kind, id: Uuid) -> Result<Option<Value>, StoreError> {
        let sql = match kind {
            Kind::Invocation => "select to_jsonb(t) from invocations t where t.id = $1",
            Kind::Event => "select to_jsonb(t) from event_executions t where t.id = $1",
            Kind::Job => "select to_jsonb(t) from job_executions t where t.id = $1",
        };
        let mut session = self.session().await?;
        let row = in_time(sqlx::query_scalar(sql).bind(id).fetch_optional(&mut session.connection)).await?;
        session.done();
        Ok(row)
    }

    /// Lines of the table `job_logs` of these jobs, oldest first, and whether that is all; none where there is no such table.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn job_logs(&self, jobs: &[Uuid]) -> Result<(Vec<JobLog>, bool), StoreError> {
        let mut session = self.session().await?;
        if jobs.is_empty() || !session.capabilities.table("job_logs") {
            session.done();
            return Ok((Vec::new(), true));
        }
        type Row = (Option<DateTime<Utc>>, Uuid, Option<String>, Option<String>, Option<Json<Value>>, Option<String>);
        let rows = sqlx::query_as(
            "select created_at, job_execution_id, level, message, data, source from job_logs \
             where job_execution_id = any($1) order by created_at, id limit $2",
        )
        .bind(jobs)
        .bind(MOST_JOB_LOGS + 1)
        .fetch_all(&mut session.connection);
        let mut rows: Vec<Row> = in_time(rows).await?;
        session.done();
        let most = usize::try_from(MOST_JOB_LOGS).unwrap_or(usize::MAX);
        let complete = rows.len() <= most;
        rows.truncate(most);
        let lines = rows
            .into_iter()
            .map(|(created_at, job_execution_id, level, message, data, source)| {
                JobLog {
                    created_at: created_at.unwrap_or_default(),
                    job_execution_id,
                    level: level.unwrap_or_default(),
                    message: message.unwrap_or_default(),
                    data: data.map_or(Value::Null, |data| data.0),
                    source,
                }
                .hide_secrets()
            })
            .collect();
        Ok((lines, complete))
    }

    /// Leaves the connections that nobody uses at the moment.
    pub fn forget_connections(&self) {
        self.inner.idle().clear();
    }

    /// Says good-bye to the server.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.inner.idle());
        for (connection, _) in idle {
            // It is gone either way.
            let _ = connection.close().await;
        }
    }
}

/// Runs SQL that this module put together from its own constants and the names of known columns.
async fn fetch_all<Row>(
    connection: &mut PgConnection,
    sql: String,
    arguments: sqlx::postgres::PgArguments,
) -> Result<Vec<Row>, StoreError>
where
    Row: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    in_time(sqlx::query_as_with::<_, Row, _>(AssertSqlSafe(sql), arguments).fetch_all(connection)).await
}

/// Waits for an answer no longer than one may take.
async fn in_time<T, E: Into<StoreError>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    let late = |_| Err(no_answer(ANSWER_TIME).into());
    tokio::time::timeout(ANSWER_TIME, answer).await.map_or_else(late, |answer| answer.map_err(Into::into))
}

fn no_answer(within: Duration) -> sqlx::Error {
    let text = format!("no answer within {} s", within.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// As [`fetch_all`], each row made into what is kept of it as soon as it comes.
async fn fetch_kept<Row, Kept>(
    connection: &mut PgConnection,
    sql: String,
    arguments: sqlx::postgres::PgArguments,
    keep: impl Fn(Row, &mut Texts) -> Kept,
) -> Result<Vec<Kept>, StoreError>
where
    Row: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let kept = async {
        let mut rows = sqlx::query_as_with::<_, Row, _>(AssertSqlSafe(sql), arguments).fetch(connection);
        let (mut texts, mut kept) = (Texts::default(), Vec::new());
        while let Some(row) = rows.try_next().await? {
            kept.push(keep(row, &mut texts));
        }
        Ok::<_, sqlx::Error>(kept)
    };
    in_time(kept).await
}

/// When an unfinished row that was last written before this moment is stuck.
fn stale_before(now: DateTime<Utc>, stale_after: TimeDelta) -> DateTime<Utc> {
    now.checked_sub_signed(stale_after).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

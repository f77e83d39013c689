//! What the explorer and the command line read. Nothing here writes: the session itself is read-only.

pub(super) mod bound;
mod cascade;
mod failures;
mod filter;
mod find;
mod hourly;
mod inside;
mod known;
mod listen;
mod losses;
mod page;
mod search;
pub(super) mod session;
mod steps;
mod values;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::answer::{CONNECT_TIME, within};
use super::capabilities::Capabilities;
use super::config::{Config, Secret};
use super::connect::connect;
use super::error::StoreError;
use super::sql::{identifier, literal};
use super::text::Text;
use super::time::Timestamp;
use crate::clock::Clock;
use crate::model::flow::Kind;
use crate::model::invocation::{JobLog, Server};
use crate::model::text::cut;

pub use cascade::{MOST_INVOCATIONS, Seed};
pub use find::looked_for;
pub use listen::Listener;
pub use page::PageQuery;
pub use search::MOST_COUNTED;

use page::Values;
use session::{Session, State, in_time};

/// Lines of `job_logs` that are read at the most for one node.
pub const MOST_JOB_LOGS: i64 = 5_000;
/// Characters of a line's message, and of its data, that are read.
const MOST_LOG_CHARACTERS: usize = 8_192;
/// Connections that are open at the most.
const CONNECTIONS: usize = 2;

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
    idle: Mutex<Vec<(PgConnection, State, Arc<Capabilities>)>>,
    server: Mutex<Server>,
    /// Instead of that of the configuration.
    password: Mutex<Option<Secret>>,
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<(PgConnection, State, Arc<Capabilities>)>> {
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
        let (connection, state, capabilities) = match idle {
            Some(idle) => idle,
            // The server may be another one now, or migrated: it is asked again what it holds.
            None => {
                let mut connection = self.connect().await?;
                // The machine's own, whatever clock tells how long statements take.
                let (clock, asked_at) = (Clock::system(), Clock::system().now());
                let mut capabilities =
                    in_time(&inner.config, Capabilities::probe(&mut connection, &inner.config.schema)).await?;
                let ahead = ahead(capabilities.server_now, asked_at, clock.now());
                capabilities.server.ahead = ahead;
                inner.server.lock().unwrap_or_else(PoisonError::into_inner).ahead = ahead;
                (connection, State::Transaction, Arc::new(capabilities))
            }
        };
        Ok(Session::new(connection, state, capabilities, inner, permit))
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let options = self.inner.options();
        within(CONNECT_TIME, &self.inner.config, connect(&self.inner.config, &options))
            .await
            .map_err(|error| error.named(&self.inner.config))
    }

    /// Connects with this password from now on.
    pub fn use_password(&self, password: Secret) {
        *self.inner.password.lock().unwrap_or_else(PoisonError::into_inner) = Some(password);
    }

    /// The time that the rows tell of, when our clock shows `now`: see [`Server::data_time`].
    #[must_use]
    pub fn data_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.server().data_time(now)
    }

    /// What the last page told of the server.
    #[must_use]
    pub fn server(&self) -> Server {
        self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        let table = match kind {
            Kind::Invocation => "invocations",
            Kind::Event => "event_executions",
            Kind::Job => "job_executions",
        };
        let mut session = self.session().await?;
        let columns: Vec<String> = (session.capabilities.columns(table))
            .map(|column| format!("({}, {})", literal(column), bound::column(&identifier(column))))
            .collect();
        // One by one: a value that cannot be read hides no other.
        let sql = format!(
            "select c.* from @schema.\"{table}\" t cross join lateral \
             (values {}) c (name, text, size, is_text) where {} = $1",
            columns.join(", "),
            session.capabilities.raw(table, "id")
        );
        let mut values = Values::default();
        values.add(id)?;
        type Column = (Text, Option<Text>, Option<i32>, bool);
        let columns: Vec<Column> = session.fetch_all(&sql, values.inner).await?;
        session.done();
        let column = |(name, text, size, is_text): Column| (name.into(), bound::value(text, size, is_text));
        let row: serde_json::Map<String, Value> = columns.into_iter().map(column).collect();
        Ok(Some(row).filter(|row| !row.is_empty()).map(Value::Object))
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
        type Row = (Option<Timestamp>, Uuid, Option<Text>, Option<Text>, Option<Text>, Option<i32>, Option<Text>);
        let sql = format!(
            "select created_at, job_execution_id, {} as level, left(message, {}) as message, \
                    case when pg_column_size(data) <= {} then left(data::text, {MOST_LOG_CHARACTERS}) end as data, \
                    pg_column_size(data) as size, {} as source \
             from @schema.job_logs where job_execution_id = any($1) order by created_at, id limit $2",
            bound::name("level"),
            MOST_LOG_CHARACTERS + 1,
            bound::MOST_PAYLOAD,
            bound::name("source"),
        );
        let mut values = Values::default();
        values.add(jobs)?;
        values.add(MOST_JOB_LOGS + 1)?;
        let mut rows: Vec<Row> = session.fetch_all(&sql, values.inner).await?;
        session.done();
        let most = usize::try_from(MOST_JOB_LOGS).unwrap_or(usize::MAX);
        let complete = rows.len() <= most;
        rows.truncate(most);
        let lines = rows
            .into_iter()
            .map(|(created_at, job_execution_id, level, message, data, size, source)| {
                JobLog {
                    created_at: created_at.unwrap_or_default().0,
                    job_execution_id,
                    level: bound::cut_name(level.unwrap_or_default()),
                    message: cut(message.unwrap_or_default().into(), MOST_LOG_CHARACTERS),
                    data: match data {
                        Some(text) => bound::json_or_text(text, MOST_LOG_CHARACTERS),
                        None => bound::value(None::<Text>, size, false),
                    },
                    source: source.map(bound::cut_name),
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
        for (connection, ..) in idle {
            // It is gone either way.
            let _ = connection.close().await;
        }
    }
}

/// How far a clock is ahead that showed so many seconds at some moment between two of ours.
fn ahead(server_now: Option<f64>, asked_at: DateTime<Utc>, answered_at: DateTime<Utc>) -> TimeDelta {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let server_now = server_now.and_then(|seconds| DateTime::from_timestamp_millis((seconds * 1_000.0) as i64));
    let Some(server_now) = server_now else { return TimeDelta::zero() };
    let unsure = (answered_at - asked_at).abs() + TimeDelta::seconds(1);
    let ahead = server_now - (asked_at + (answered_at - asked_at) / 2);
    if ahead.abs() > unsure { ahead } else { TimeDelta::zero() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_less_than_an_answer_takes_are_the_same() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap();
        let ahead = |server: i64, answered: i64| {
            super::ahead(Some(1_800_000_000.0 + server as f64 / 1_000.0), at(0), at(answered)).num_milliseconds()
        };
        assert_eq!([ahead(0, 0), ahead(900, 10), ahead(-1_900, 2_000), ahead(3_900, 2_000)], [0; 4]);
        assert_eq!([ahead(3_600_000, 0), ahead(-90_000, 1_000)], [3_600_000, -90_500]);
        assert_eq!(super::ahead(None, at(0), at(0)), TimeDelta::zero());
        assert_eq!(super::ahead(Some(f64::NAN), at(0), at(0)), super::ahead(Some(0.0), at(0), at(0)));
    }
}

//! All rows of the cascade that an invocation, a job or a correlation id belongs to.
//!
//! Recorded links are followed by the server, up and down, in one statement. What it finds may name further
//! correlation ids and, where a writer left the link only in the payload, further jobs: those are asked for in the next
//! round, until a round brings nothing new. A cascade of one correlation id takes two rounds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow, PgConnection};
use uuid::Uuid;

use super::page::{InvocationRow, invocation_columns};
use super::{Reader, Session, fetch_kept};
use crate::model::correlation;
use crate::model::flow::Rows;
use crate::model::invocation::{Event, Invocation, Job, Link};
use crate::model::shared::Texts;
use crate::store::capabilities::Capabilities;
use crate::store::error::StoreError;

/// Invocations that are loaded at the most for one cascade.
pub const MOST_INVOCATIONS: usize = 20_000;
/// Rounds at the most; each follows links of any depth, so only chains that change their correlation id need more than two.
const MOST_ROUNDS: usize = 32;
/// Characters of an error text that are read; the whole text is in the raw row.
const ERROR_CHARACTERS: i32 = 65_536;

/// Where a cascade is entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// Invocations.
    pub invocations: Vec<Uuid>,
    /// Correlation ids, e-mail addresses included.
    pub correlations: Vec<String>,
    /// Jobs: their invocations.
    pub jobs: Vec<Uuid>,
}

impl Seed {
    /// One invocation.
    #[must_use]
    pub fn invocation(id: Uuid) -> Self {
        Self { invocations: vec![id], ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.invocations.is_empty() && self.correlations.is_empty() && self.jobs.is_empty()
    }
}

impl Reader {
    /// What a text names: the id of an invocation, an event or a job, or a correlation id, whatever its form; `None`
    /// when nothing carries it.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn find(&self, text: &str) -> Result<Option<Seed>, StoreError> {
        let mut session = self.session().await?;
        if let Ok(id) = Uuid::try_parse(text) {
            let found: Option<(Uuid,)> = sqlx::query_as(
                "select id from invocations where id = $1 \
                 union all select invocation_id from job_executions where id = $1 \
                 union all select invocation_id from event_executions where id = $1 limit 1",
            )
            .bind(id)
            .fetch_optional(&mut session.connection)
            .await?;
            if let Some((invocation,)) = found {
                session.done();
                return Ok(Some(Seed::invocation(invocation)));
            }
        }
        let carried: Option<(i32,)> = sqlx::query_as("select 1 from invocations where correlation_id = $1 limit 1")
            .bind(text)
            .fetch_optional(&mut session.connection)
            .await?;
        session.done();
        Ok(carried.map(|_| Seed { correlations: vec![text.to_owned()], ..Seed::default() }))
    }

    /// The rows of the cascade; none when the seed names nothing that is still there.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn cascade(&self, seed: Seed) -> Result<Rows, StoreError> {
        let mut session = self.session().await?;
        let Session { connection, capabilities, .. } = &mut session;
        let mut invocations = BTreeMap::<Uuid, Invocation>::new();
        let (mut seen_correlations, mut seen_jobs) = (BTreeSet::new(), BTreeSet::new());
        let mut truncated = false;
        let mut seed = seed;
        for _ in 0..MOST_ROUNDS {
            if seed.is_empty() || truncated {
                break;
            }
            seen_correlations.extend(seed.correlations.iter().cloned());
            seen_jobs.extend(seed.jobs.iter().copied());
            let known: Vec<Uuid> = invocations.keys().copied().collect();
            let found = members(connection, capabilities, &seed, known).await?;
            truncated = found.len() > MOST_INVOCATIONS;
            seed = Seed::default();
            for invocation in found.into_iter().take(MOST_INVOCATIONS) {
                if invocations.contains_key(&invocation.id) {
                    continue;
                }
                // Unique ids only: a person's address would gather everything that they ever did.
                let chain =
                    invocation.correlation_id.as_deref().filter(|id| correlation::is_unique(id)).map(str::to_owned);
                seed.correlations.extend(chain.filter(|id| seen_correlations.insert(id.clone())));
                // Recorded links were followed by the server.
                let inferred = invocation.parent.filter(|parent| parent.link == Link::Inferred);
                seed.jobs.extend(inferred.map(|parent| parent.job).filter(|job| seen_jobs.insert(*job)));
                invocations.insert(invocation.id, invocation);
            }
            truncated |= invocations.len() > MOST_INVOCATIONS;
        }
        let ids: Vec<Uuid> = invocations.keys().copied().collect();
        let events = events(connection, &ids).await?;
        let jobs = jobs(connection, &ids).await?;
        session.done();
        Ok(Rows { invocations: invocations.into_values().collect(), events, jobs, truncated })
    }
}

/// What hangs together with the seed by recorded links, unless the seed leads to `known` invocations only.
///
/// The server cannot know how many rows a recursion will bring and expects thousands, for which it would read whole
/// tables. `offset 0`, and ids as an array instead of a join, keep it at looking rows up; `limit` ends the recursion
/// itself.
async fn members(
    connection: &mut PgConnection,
    capabilities: &Capabilities,
    seed: &Seed,
    known: Vec<Uuid>,
) -> Result<Vec<Invocation>, StoreError> {
    let linked = capabilities.column("invocations", "source_job_id");
    let columns = invocation_columns(capabilities);
    let (up, down) = if linked {
        (
            "select p.invocation_id from up cross join lateral (\
               select j.invocation_id from invocations i join job_executions j on j.id = i.source_job_id \
               where i.id = up.id offset 0) p",
            "select c.id from down cross join lateral (\
               select i.id from job_executions j join invocations i on i.source_job_id = j.id \
               where j.invocation_id = down.id offset 0) c",
        )
    } else {
        ("select id from up where false", "select id from down where false")
    };
    let most = MOST_INVOCATIONS + 1;
    let sql = format!(
        "with recursive \
         seed as (select unnest($1::uuid[]) as id \
                  union (select id from invocations where correlation_id = any($2) and id <> all($4) limit {most}) \
                  union select invocation_id from job_executions where id = any($3) and invocation_id <> all($4)), \
         up as (select id from seed union {up}), \
         down as (select id from up union {down}) \
         select {columns} from invocations i where i.id = any(array(select id from down limit {most})) \
         order by i.created_at, i.id"
    );
    let mut arguments = PgArguments::default();
    let add = || {
        arguments.add(seed.invocations.clone())?;
        arguments.add(seed.correlations.clone())?;
        arguments.add(seed.jobs.clone())?;
        arguments.add(known)
    };
    add().map_err(sqlx::Error::Encode)?;
    fetch_kept(connection, sql, arguments, InvocationRow::keep).await
}

/// Columns of [`EventRow`]; `$2` is how many characters of an error text are read.
pub(super) const EVENT_COLUMNS: &str = "id, invocation_id, created_at, updated_at, event_name, detected, \
     detection_duration_ms::bigint as detection_duration_ms, \
     handler_duration_ms::bigint as handler_duration_ms, status, \
     left(coalesce(nullif(detection_error, ''), nullif(handler_error, ''), \
                   nullif(detection_error_stack, ''), nullif(handler_error_stack, '')), $2) as error";

#[derive(FromRow)]
pub(super) struct EventRow {
    id: Uuid,
    invocation_id: Uuid,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    event_name: String,
    detected: bool,
    detection_duration_ms: Option<i64>,
    handler_duration_ms: Option<i64>,
    status: Option<String>,
    error: Option<String>,
}

impl EventRow {
    /// What is kept of it.
    pub(super) fn keep(self, texts: &mut Texts) -> Event {
        let created_at = self.created_at.unwrap_or_default();
        Event {
            id: self.id,
            invocation_id: self.invocation_id,
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
            name: texts.share(self.event_name),
            detected: self.detected,
            detection_duration_ms: self.detection_duration_ms,
            handler_duration_ms: self.handler_duration_ms,
            status: texts.share(self.status.unwrap_or_default()),
            error: self.error.map(Into::into),
        }
        .hide_secrets()
    }
}

async fn events(connection: &mut PgConnection, invocations: &[Uuid]) -> Result<Vec<Event>, StoreError> {
    let sql = format!("select {EVENT_COLUMNS} from event_executions where invocation_id = any($1)");
    fetch_kept(connection, sql, of(invocations)?, EventRow::keep).await
}

/// Columns of [`JobRow`]; `$2` is how many characters of an error text are read.
pub(super) const JOB_COLUMNS: &str = "id, invocation_id, event_execution_id, created_at, updated_at, job_name, \
     duration_ms::bigint as duration_ms, status, \
     left(coalesce(nullif(error_message, ''), nullif(error_stack, '')), $2) as error";

#[derive(FromRow)]
pub(super) struct JobRow {
    id: Uuid,
    invocation_id: Uuid,
    event_execution_id: Uuid,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    job_name: String,
    duration_ms: Option<i64>,
    status: Option<String>,
    error: Option<String>,
}

impl JobRow {
    /// What is kept of it.
    pub(super) fn keep(self, texts: &mut Texts) -> Job {
        let created_at = self.created_at.unwrap_or_default();
        Job {
            id: self.id,
            invocation_id: self.invocation_id,
            event_execution_id: self.event_execution_id,
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
            name: texts.share(self.job_name),
            duration_ms: self.duration_ms,
            status: texts.share(self.status.unwrap_or_default()),
            error: self.error.map(Into::into),
        }
        .hide_secrets()
    }
}

async fn jobs(connection: &mut PgConnection, invocations: &[Uuid]) -> Result<Vec<Job>, StoreError> {
    let sql = format!("select {JOB_COLUMNS} from job_executions where invocation_id = any($1)");
    fetch_kept(connection, sql, of(invocations)?, JobRow::keep).await
}

/// The invocations, and how many characters of an error text are read.
fn of(invocations: &[Uuid]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    arguments.add(invocations).and_then(|()| arguments.add(ERROR_CHARACTERS)).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

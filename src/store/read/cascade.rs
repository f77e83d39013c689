//! All rows of the cascade that an invocation, a job or a correlation id belongs to.
//!
//! Recorded links are followed by the server, up and down, in one statement. What it finds may name further
//! correlation ids and, where a writer left the link only in the payload, lead to further invocations above and below: those
//! are asked for in the next round, until a round brings nothing new. A cascade of one correlation id takes two rounds.

mod inferred;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, FromRow};
use uuid::Uuid;

use self::inferred::{ChildSearch, parents};
use super::page::{InvocationRow, invocation_columns};
use super::{Reader, Session, Values, bound};
use crate::model::correlation;
use crate::model::flow::Rows;
use crate::model::invocation::{Event, Invocation, Job, count_deliveries};
use crate::model::shared::Texts;
use crate::model::status::sql::{EVENT_FAILED, JOB_FAILED, finished};
use crate::model::text::cut;
use crate::store::error::StoreError;
use crate::store::text::Text;
use crate::store::time::Timestamp;

/// Invocations that are loaded at the most for one cascade.
pub const MOST_INVOCATIONS: usize = 20_000;
/// Rounds at the most; each follows recorded links of any depth, and one level of those that stand in payloads only.
const MOST_ROUNDS: usize = 100;
/// Events and jobs that are loaded at the most, each.
const MOST_BELOW: usize = 200_000;
/// Bytes of a payload, as it is stored, up to which the job is looked for in it that caused its invocation.
const MOST_PAYLOAD: i32 = 1_048_576;
/// Characters of an error text that are read; the whole text is in the raw row.
const ERROR_CHARACTERS: usize = 65_536;
/// Errors of which so much is read. Of each one after them, [`FEW_CHARACTERS`].
pub(super) const LONG_ERRORS: i64 = 500;
/// Characters that tell one error from another.
const FEW_CHARACTERS: usize = 500;

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
    /// The rows of the cascade; none when the seed names nothing that is still there.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn cascade(&self, seed: Seed) -> Result<Rows, StoreError> {
        let mut session = self.session().await?;
        let mut invocations = BTreeMap::<Uuid, Invocation>::new();
        let mut seen_correlations = BTreeSet::new();
        let mut search = ChildSearch::default();
        let mut truncated = false;
        let mut seed = seed;
        for _ in 0..MOST_ROUNDS {
            if seed.is_empty() || truncated {
                break;
            }
            seen_correlations.extend(seed.correlations.iter().cloned());
            let known: Vec<Uuid> = invocations.keys().copied().collect();
            let mut found = members(&mut session, &seed, known).await?;
            truncated = found.len() > MOST_INVOCATIONS;
            found.truncate(MOST_INVOCATIONS);
            found.retain(|row| !invocations.contains_key(&row.id));
            seed = Seed::default();
            let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
            let mut further = parents(&mut session, &mut found).await?;
            if !ids.is_empty() {
                further.extend(search.children(&mut session, &ids).await?);
            }
            for invocation in found {
                // Unique ids only: a person's address would gather everything that they ever did.
                let chain =
                    invocation.correlation_id.as_deref().filter(|id| correlation::is_unique(id)).map(str::to_owned);
                seed.correlations.extend(chain.filter(|id| seen_correlations.insert(id.clone())));
                invocations.insert(invocation.id, invocation);
            }
            seed.invocations.extend(further.into_iter().filter(|id| !invocations.contains_key(id)));
            truncated |= invocations.len() > MOST_INVOCATIONS;
        }
        count_deliveries(invocations.values_mut());
        truncated |= !seed.is_empty();
        let ids: Vec<Uuid> = invocations.keys().copied().collect();
        let (events, all_events) = events(&mut session, &ids).await?;
        let (jobs, all_jobs) = jobs(&mut session, &ids).await?;
        session.done();
        truncated |= !all_events || !all_jobs;
        let unsearched_since = search.unsearched_since;
        let invocations = invocations.into_values().collect();
        Ok(Rows { invocations, events, jobs, truncated, unsearched_since, has_starts: false })
    }
}

/// What hangs together with the seed by recorded links, unless the seed leads to `known` invocations only.
///
/// The server cannot know how many rows a recursion will bring and expects thousands, for which it would read whole
/// tables. `offset 0`, and ids as an array instead of a join, keep it at looking rows up; `limit` ends the recursion
/// itself.
async fn members(session: &mut Session<'_>, seed: &Seed, known: Vec<Uuid>) -> Result<Vec<Invocation>, StoreError> {
    let linked = session.capabilities.column("invocations", "source_job_id");
    let columns = invocation_columns(&session.capabilities, MOST_PAYLOAD);
    let (up, down) = if linked {
        (
            "select p.invocation_id from up cross join lateral (\
               select j.invocation_id from @schema.invocations i join @schema.job_executions j on j.id = i.source_job_id \
               where i.id = up.id offset 0) p",
            "select c.id from down cross join lateral (\
               select i.id from @schema.job_executions j join @schema.invocations i on i.source_job_id = j.id \
               where j.invocation_id = down.id offset 0) c",
        )
    } else {
        ("select id from up where false", "select id from down where false")
    };
    let most = MOST_INVOCATIONS + 1;
    let sql = format!(
        "with recursive \
         seed as (select unnest($1::uuid[]) as id \
                  union (select id from @schema.invocations where correlation_id = any($2) and id <> all($4) limit {most}) \
                  union select invocation_id from @schema.job_executions where id = any($3) and invocation_id <> all($4)), \
         up as (select id from seed union {up}), \
         down as (select id from up union {down}) \
         select {columns} from @schema.invocations i where i.id = any(array(select id from down limit {most})) \
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
    session.fetch_kept(&sql, arguments, InvocationRow::keep).await
}

/// Columns of [`EventRow`] of `event_executions e`.
pub(super) fn event_columns() -> String {
    format!(
        "e.id, e.invocation_id, e.created_at, e.updated_at, {} as event_name, e.detected, \
         {} as detection_duration_ms, {} as handler_duration_ms, {} as status, \
         coalesce(nullif(e.detection_error, ''), nullif(e.handler_error, ''), \
                  nullif(e.detection_error_stack, ''), nullif(e.handler_error_stack, '')) as error",
        bound::name("e.event_name"),
        bound::milliseconds("e.detection_duration_ms"),
        bound::milliseconds("e.handler_duration_ms"),
        bound::name("e.status"),
    )
}

/// The rows of a select with a column `error`: the beginning of it, of the first ones more than of the others, and its
/// place among the errors, of which there were so many before.
pub(super) fn with_errors(columns: &str, select: &str, before: i64) -> String {
    format!(
        "select {columns}, errors, left(error, case when errors <= {LONG_ERRORS} then {} else {} end) as error \
         from (select *, {before} + count(nullif(error, '')) over (rows unbounded preceding) as errors from ({select}) found) counted",
        ERROR_CHARACTERS + 1,
        FEW_CHARACTERS + 1,
    )
}

/// What was read of an error, with a mark where there is more.
fn cut_error(error: Text, errors: i64) -> Arc<str> {
    cut(error.into(), if errors <= LONG_ERRORS { ERROR_CHARACTERS } else { FEW_CHARACTERS }).into()
}

/// The rows of a table below these invocations that pass this condition, and at the most one more than wanted.
async fn below<Row, Kept>(
    session: &mut Session<'_>,
    (fields, columns, table): (&str, &str, &str),
    invocations: &[Uuid],
    condition: &str,
    keep: impl Fn(Row, &mut Texts) -> Kept,
) -> Result<Vec<Kept>, StoreError>
where
    Row: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let most = MOST_BELOW + 1;
    let sql = with_errors(
        fields,
        &format!("select {columns} from @schema.{table} where invocation_id = any($1) and {condition} limit {most}"),
        0,
    );
    session.fetch_kept(&sql, values(invocations)?, keep).await
}

/// All rows; where there are too many, what failed or did not end before all others.
fn first_of<Kept>(telling: Vec<Kept>, others: Vec<Kept>, id: impl Fn(&Kept) -> Uuid) -> Vec<Kept> {
    let known: HashSet<Uuid> = telling.iter().map(&id).collect();
    telling.into_iter().chain(others.into_iter().filter(|row| !known.contains(&id(row)))).take(MOST_BELOW).collect()
}

pub(super) const EVENT_FIELDS: &str = "id, invocation_id, created_at, updated_at, event_name, detected, detection_duration_ms, \
     handler_duration_ms, status";

#[derive(FromRow)]
pub(super) struct EventRow {
    id: Uuid,
    invocation_id: Uuid,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    event_name: Option<Text>,
    detected: Option<bool>,
    detection_duration_ms: Option<i64>,
    handler_duration_ms: Option<i64>,
    status: Option<Text>,
    errors: i64,
    error: Option<Text>,
}

impl EventRow {
    /// What is kept of it.
    pub(super) fn keep(self, texts: &mut Texts) -> Event {
        let created_at = self.created_at.unwrap_or_default().0;
        Event {
            id: self.id,
            invocation_id: self.invocation_id,
            created_at,
            updated_at: self.updated_at.map_or(created_at, |at| at.0),
            name: texts.share(bound::cut_name(self.event_name.unwrap_or_default())),
            detected: self.detected.unwrap_or(false),
            detection_duration_ms: self.detection_duration_ms,
            handler_duration_ms: self.handler_duration_ms,
            status: texts.share(bound::cut_name(self.status.unwrap_or_default())),
            error: self.error.map(|error| cut_error(error, self.errors)),
        }
        .hide_secrets()
    }
}

/// The events below these invocations, and whether that is all.
async fn events(session: &mut Session<'_>, invocations: &[Uuid]) -> Result<(Vec<Event>, bool), StoreError> {
    let columns = event_columns();
    let from = (EVENT_FIELDS, columns.as_str(), "event_executions e");
    let all = below(session, from, invocations, "true", EventRow::keep).await?;
    if all.len() <= MOST_BELOW {
        return Ok((all, true));
    }
    let telling = format!("({EVENT_FAILED} or not {})", finished('e'));
    let telling = below(session, from, invocations, &telling, EventRow::keep).await?;
    Ok((first_of(telling, all, |event| event.id), false))
}

/// Columns of [`JobRow`] of `job_executions j`.
pub(super) fn job_columns() -> String {
    format!(
        "j.id, j.invocation_id, j.event_execution_id, j.created_at, j.updated_at, {} as job_name, \
         {} as duration_ms, {} as status, \
         coalesce(nullif(j.error_message, ''), nullif(j.error_stack, '')) as error",
        bound::name("j.job_name"),
        bound::milliseconds("j.duration_ms"),
        bound::name("j.status"),
    )
}

pub(super) const JOB_FIELDS: &str =
    "id, invocation_id, event_execution_id, created_at, updated_at, job_name, duration_ms, status";

#[derive(FromRow)]
pub(super) struct JobRow {
    id: Uuid,
    invocation_id: Uuid,
    event_execution_id: Option<Uuid>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    job_name: Option<Text>,
    duration_ms: Option<i64>,
    status: Option<Text>,
    errors: i64,
    error: Option<Text>,
}

impl JobRow {
    /// What is kept of it.
    pub(super) fn keep(self, texts: &mut Texts) -> Job {
        let created_at = self.created_at.unwrap_or_default().0;
        Job {
            id: self.id,
            invocation_id: self.invocation_id,
            // A job of no event hangs below its invocation.
            event_execution_id: self.event_execution_id.unwrap_or_default(),
            created_at,
            updated_at: self.updated_at.map_or(created_at, |at| at.0),
            name: texts.share(bound::cut_name(self.job_name.unwrap_or_default())),
            duration_ms: self.duration_ms,
            status: texts.share(bound::cut_name(self.status.unwrap_or_default())),
            error: self.error.map(|error| cut_error(error, self.errors)),
        }
        .hide_secrets()
    }
}

/// The jobs below these invocations, and whether that is all.
async fn jobs(session: &mut Session<'_>, invocations: &[Uuid]) -> Result<(Vec<Job>, bool), StoreError> {
    let columns = job_columns();
    let from = (JOB_FIELDS, columns.as_str(), "job_executions j");
    let all = below(session, from, invocations, "true", JobRow::keep).await?;
    if all.len() <= MOST_BELOW {
        return Ok((all, true));
    }
    let telling = format!("({JOB_FAILED} or not {})", finished('j'));
    let telling = below(session, from, invocations, &telling, JobRow::keep).await?;
    Ok((first_of(telling, all, |job| job.id), false))
}

/// One argument.
fn values<'q, T>(value: T) -> Result<PgArguments, StoreError>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + 'q,
{
    let mut values = Values::default();
    values.add(value)?;
    Ok(values.inner)
}

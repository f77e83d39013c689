//! Pages of the invocation list.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow};
use uuid::Uuid;

use super::bound;
use super::filter::Ids;
use super::{Reader, Session, filter};
use crate::model::filter::Filter;
use crate::model::invocation::{
    Children, Delivery, FailedJob, Invocation, Key, Link, Listed, Page, Parent, count_deliveries,
};
use crate::model::payload;
use crate::model::shared::Texts;
use crate::model::status::{settled_before, sql};
use crate::model::text::LONGEST_NAME;
use crate::model::time::{MINUS_INFINITY, plus};
use crate::store::capabilities::Capabilities;
use crate::store::error::StoreError;
use crate::store::text::Text;
use crate::store::time::Timestamp;

/// How far before the newest known row a look for changes goes back: rows arrive out of order, since each writer
/// flushes in its own time.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(60);

/// Which rows of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Only rows older than this one.
    pub older_than: Option<Key>,
    /// Only rows created at or after this moment. Without it, and without times of its own, a filter that no index answers
    /// looks [`SEARCH_RANGE`](crate::model::filter::SEARCH_RANGE) back; give an early moment to search everything. See
    /// [`PageQuery::searched_since`].
    pub since: Option<DateTime<Utc>>,
    /// Only rows that pass. Hours of the day are UTC: see [`Filter::pinned`].
    pub filter: Filter,
    /// At most so many.
    pub limit: usize,
}

impl PageQuery {
    /// The moment from which on rows are looked for, as it will be applied; absent when all are.
    #[must_use]
    pub fn searched_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.since.or_else(|| self.filter.search_since(now))
    }

    /// Everything that is asked of a row but its place in the list.
    fn conditions(
        &self,
        ids: Ids,
        capabilities: &Capabilities,
        values: &mut Values,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        let mut conditions = filter::conditions(&self.filter, ids, capabilities, values, now)?;
        if let Some(since) = self.searched_since(now) {
            conditions.push(format!("i.created_at >= {}", values.add(Timestamp(since))?));
        }
        Ok(conditions)
    }
}

impl Reader {
    /// The newest rows back to a little before `known`, and the rows with these ids, in one list, newest first: those
    /// that pass the query's filter and range, whose `older_than` does not matter here. An asked-for row that is missing
    /// in the answer does not pass any more, or is gone.
    ///
    /// `known` is the newest row that the list has seen. With a filter that few rows pass, give the moment of the last
    /// look instead of an old row, so that the rows between are not searched again each time.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn changes(
        &self,
        query: &PageQuery,
        known: Option<Key>,
        unfinished: &[Uuid],
        now: DateTime<Utc>,
        stale_after: TimeDelta,
    ) -> Result<Page, StoreError> {
        let session = self.session().await?;
        let now = session.data_time(now);
        let mut values = Values::new(now, stale_after);
        let condition = all(&query.conditions(Ids::Any, &session.capabilities, &mut values, now)?);
        let newer = match known {
            None => "true".to_owned(),
            Some(key) => format!("i.created_at >= {}", values.add(Timestamp(plus(key.created_at, -LOOK_BACK)))?),
        };
        let (ids, most) =
            (values.add(unfinished.to_vec())?, values.add(i64::try_from(query.limit).unwrap_or(i64::MAX))?);
        let condition = format!(
            "i.id in (select id from (select i.id from @schema.invocations i where {newer} and {condition} \
             order by i.created_at desc, i.id desc limit {most}) newest \
             union all select i.id from @schema.invocations i where i.id = any({ids}) and {condition})"
        );
        self.listed(session, &[condition], values, query.limit + unfinished.len()).await
    }

    pub(super) async fn listed(
        &self,
        mut session: Session<'_>,
        conditions: &[String],
        mut values: Values,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let most = values.limit(limit)?;
        let sql = list_sql(&session.capabilities, conditions, &most);
        session.look_at_server().await?;
        let mut rows = session.fetch_kept(&sql, values.inner, ListRow::keep).await?;
        session.done();
        let more = rows.len() > limit;
        rows.truncate(limit);
        count_deliveries(rows.iter_mut().map(|row| &mut row.invocation));
        Ok(Page { rows, more })
    }
}

pub(super) fn page_conditions(
    query: &PageQuery,
    ids: Ids,
    session: &Session<'_>,
    now: DateTime<Utc>,
    stale_after: TimeDelta,
) -> Result<(Vec<String>, Values), StoreError> {
    let (now, capabilities) = (session.data_time(now), &session.capabilities);
    let mut values = Values::new(now, stale_after);
    let mut conditions = query.conditions(ids, capabilities, &mut values, now)?;
    if let Some(key) = query.older_than {
        let at = values.add(Timestamp(key.created_at))?;
        // The server cannot tell how few rows lie between a moment and a pair of values.
        conditions.push(if key.id.is_nil() {
            format!("i.created_at < {at}")
        } else {
            format!("i.created_at <= {at} and (i.created_at, i.id) < ({at}, {})", values.add(key.id)?)
        });
    }
    Ok((conditions, values))
}

pub(super) fn all(conditions: &[String]) -> String {
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") }
}

/// Numbered arguments. The first of a list's is the moment before which an untouched row is stale, the second
/// [`settled_before`].
#[derive(Default)]
pub(super) struct Values {
    pub(super) inner: PgArguments,
    count: usize,
}

impl Values {
    fn new(now: DateTime<Utc>, stale_after: TimeDelta) -> Self {
        let mut values = Self::default();
        // A timestamp always encodes.
        let _ = values.add(Timestamp(plus(now, -stale_after)));
        let _ = values.add(Timestamp(settled_before(now, stale_after)));
        values
    }

    /// One row more than wanted, which tells whether there are more.
    fn limit(&mut self, limit: usize) -> Result<String, StoreError> {
        self.add(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
    }

    pub(super) fn add<'q, T>(&mut self, value: T) -> Result<String, StoreError>
    where
        T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + 'q,
    {
        self.inner.add(value).map_err(sqlx::Error::Encode)?;
        self.count += 1;
        Ok(format!("${}", self.count))
    }
}

/// The columns of an invocation (alias `i`) that [`InvocationRow`] reads; a payload up to this size is looked into.
pub(super) fn invocation_columns(capabilities: &Capabilities, most_payload: i32) -> String {
    let source_job = capabilities.or_null("invocations", 'i', "source_job_id", "uuid");
    let source_event = capabilities.or_null("invocations", 'i', "source_event_id", "uuid");
    let names: String = [
        "correlation_id",
        "source_function",
        "source_table",
        "source_operation",
        "source_system",
        "source_user_email",
        "status",
    ]
    .map(|column| format!("{} as {column}, ", bound::name(&format!("i.{column}"))))
    .concat();
    let duration = bound::milliseconds("i.total_duration_ms");
    format!(
        "i.id, i.created_at, i.updated_at, {names}{duration} as total_duration_ms, \
         left(i.error_message, 65536) as error_message, coalesce(i.error_stack, '') <> '' as has_error_stack, \
         {source_job} as source_job_id, {source_event} as source_event_id, {}",
        hint_columns(capabilities, most_payload)
    )
}

/// What the payload of an invocation (alias `i`) tells of the job that caused it, for [`payload::source_job`].
pub(super) fn hint_columns(capabilities: &Capabilities, most_payload: i32) -> String {
    let source_job = capabilities.or_null("invocations", 'i', "source_job_id", "uuid");
    let looked_into = format!("{source_job} is null and pg_column_size(i.source_event_payload) <= {most_payload}");
    let hint = |value: String| format!("case when {looked_into} then left({value}, {LONGEST_NAME}) end");
    let token = |row: &str| {
        let of = |column: &str| format!("i.source_event_payload #>> '{{event,data,{row},{column}}}'");
        hint(format!("coalesce({}, {})", of("updated_by"), of("updatedby")))
    };
    format!(
        "{source_job} is null and pg_column_size(i.source_event_payload) > {most_payload} as link_unread, \
         {} as own_hint, {} as row_hint, {} as old_hint",
        hint("i.source_event_payload ->> '__sourceJobId'".to_owned()),
        token("new"),
        token("old"),
    )
}

/// Of each row at most so many events and jobs are counted. Where there are more, the rest is asked what the status
/// depends on: whether any of it failed, did not end, or was written lately.
fn list_sql(capabilities: &Capabilities, conditions: &[String], limit: &str) -> String {
    let columns = invocation_columns(capabilities, bound::MOST_PAYLOAD);
    let condition = all(conditions);
    let (event_failed, job_failed) = (sql::EVENT_FAILED, sql::JOB_FAILED);
    let (event_finished, job_finished) = (sql::finished('e'), sql::finished('j'));
    let (most, read) = (bound::MOST_COUNTED_BELOW, bound::MOST_COUNTED_BELOW + 1);
    let by_jobs = bound::MOST_FAILED_BY_JOBS;
    let any = |table: &str, alias: char, condition: &str| {
        format!(
            "exists (select 1 from @schema.{table} {alias} where {alias}.invocation_id = i.id and {condition}{})",
            sql::PROBE
        )
    };
    // Nothing beyond is looked at unless there is something and its answer would change anything.
    let events = |condition: &str| format!("ev.more_events and {}", any("event_executions", 'e', condition));
    let jobs = |condition: &str| format!("jb.more_jobs and {}", any("job_executions", 'j', condition));
    let at_least_one =
        |count: &str, beyond: String| format!("case when {count} = 0 and {beyond} then 1 else {count} end");
    let touched = |last: &str, settled: String, stale: String| {
        format!("case when {settled} then greatest({last}, $2) when {stale} then greatest({last}, $1) else {last} end")
    };
    let unfinished = |failed: &str, finished: &str| format!("not {failed} and not {finished}");
    let (event_unfinished, job_unfinished) =
        (unfinished(event_failed, &event_finished), unfinished(job_failed, &job_finished));
    let counts = [
        at_least_one("ev.failed_themselves", events(event_failed)) + " as events_failed_themselves",
        at_least_one("ev.unfinished", events(&event_unfinished)) + " as events_unfinished",
        touched("ev.touched_at", events("e.updated_at >= $2"), events("e.updated_at >= $1")) + " as events_touched_at",
        at_least_one("jb.failed", jobs(job_failed)) + " as jobs_failed",
        at_least_one("jb.unfinished", jobs(&job_unfinished)) + " as jobs_unfinished",
        touched("jb.touched_at", jobs("j.updated_at >= $2"), jobs("j.updated_at >= $1")) + " as jobs_touched_at",
    ]
    .join(", ");
    let failed_name = bound::name("f.job_name");
    format!(
        "with i as materialized ( \
           select {columns} from @schema.invocations i where {condition} \
           order by i.created_at desc, i.id desc limit {limit}) \
         select i.*, ev.events_checked, ev.events_detected, ev.events_failed, ev.more_events, jb.jobs_run, \
                jb.jobs_stuck_themselves, jb.more_jobs, {counts}, \
                f.failed_job, f.failed_error from i \
         cross join lateral ( \
           select least(count(*), {most}) as jobs_run, count(*) > {most} as more_jobs, \
                  count(*) filter (where failed) as failed, \
                  count(*) filter (where unfinished) as unfinished, \
                  count(*) filter (where unfinished \
                    and (j.updated_at < $1 or j.updated_at < $2 and exists (select 1 from @schema.event_executions e \
                         where e.id = j.event_execution_id and {event_finished} and e.updated_at < $2))) as jobs_stuck_themselves, \
                  max(j.updated_at) as touched_at, \
                  (array_agg(distinct j.event_execution_id) filter (where failed))[1:{by_jobs}] as failed_of, \
                  (array_agg(j.id order by j.created_at, j.id) filter (where failed))[1] as first_failed \
           from (select j.id, j.created_at, j.updated_at, j.event_execution_id, {job_failed} as failed, \
                        {job_unfinished} as unfinished \
                 from @schema.job_executions j where j.invocation_id = i.id limit {read}) j) jb \
         cross join lateral ( \
           select least(count(*), {most}) as events_checked, \
                  count(*) > {most} or coalesce(cardinality(jb.failed_of), 0) = {by_jobs} as more_events, \
                  count(*) filter (where e.detected) as events_detected, \
                  count(*) filter (where e.failed or e.id = any(jb.failed_of)) as events_failed, \
                  count(*) filter (where e.failed) as failed_themselves, \
                  count(*) filter (where e.unfinished) as unfinished, \
                  max(e.updated_at) as touched_at \
           from (select e.id, e.updated_at, e.detected, {event_failed} as failed, {event_unfinished} as unfinished \
                 from @schema.event_executions e where e.invocation_id = i.id limit {read}) e) ev \
         left join lateral ( \
           select {failed_name} as failed_job, left(f.error_message, 500) as failed_error \
           from @schema.job_executions f where f.id = jb.first_failed{}) f on true \
         order by i.created_at desc, i.id desc",
        sql::PROBE
    )
}

/// An invocation as it is read.
#[derive(FromRow)]
pub(super) struct InvocationRow {
    id: Uuid,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    correlation_id: Option<Text>,
    source_function: Option<Text>,
    source_table: Option<Text>,
    source_operation: Option<Text>,
    source_system: Option<Text>,
    source_user_email: Option<Text>,
    total_duration_ms: Option<i64>,
    status: Option<Text>,
    error_message: Option<Text>,
    has_error_stack: bool,
    link_unread: Option<bool>,
    source_job_id: Option<Uuid>,
    source_event_id: Option<Uuid>,
    own_hint: Option<Text>,
    row_hint: Option<Text>,
    old_hint: Option<Text>,
}

impl InvocationRow {
    /// What is kept of it.
    pub(super) fn keep(self, texts: &mut Texts) -> Invocation {
        let recorded = self.source_job_id.map(|job| Parent { job, link: Link::Recorded });
        let inferred =
            || payload::source_job(self.own_hint.as_deref(), self.row_hint.as_deref(), self.old_hint.as_deref());
        let parent = recorded.or_else(inferred);
        // A row that does not know when it was recorded is older than all that do.
        let created_at = self.created_at.map_or(MINUS_INFINITY, |at| at.0);
        let mut share = |text: Option<Text>| text.map(|text| texts.share(bound::cut_name(text)));
        Invocation {
            id: self.id,
            created_at,
            updated_at: self.updated_at.map_or(created_at, |at| at.0),
            parent,
            correlation_id: share(self.correlation_id.filter(|text| !text.is_empty())),
            source_table: share(self.source_table),
            source_operation: share(self.source_operation),
            source_system: share(self.source_system),
            source_user_email: share(self.source_user_email),
            source_function: share(self.source_function).unwrap_or_default(),
            total_duration_ms: self.total_duration_ms,
            status: share(self.status).unwrap_or_default(),
            error_message: self.error_message.map(Into::into),
            has_error_stack: self.has_error_stack,
            delivery: Delivery { event: self.source_event_id, others: 0 },
            link_unread: self.link_unread.unwrap_or(false),
        }
        .hide_secrets()
    }
}

#[derive(FromRow)]
struct ListRow {
    #[sqlx(flatten)]
    invocation: InvocationRow,
    events_checked: i64,
    events_detected: i64,
    events_failed: i64,
    events_failed_themselves: i64,
    events_unfinished: i64,
    events_touched_at: Option<Timestamp>,
    more_events: bool,
    jobs_run: i64,
    jobs_failed: i64,
    jobs_unfinished: i64,
    jobs_stuck_themselves: i64,
    jobs_touched_at: Option<Timestamp>,
    more_jobs: bool,
    failed_job: Option<Text>,
    failed_error: Option<Text>,
}

impl ListRow {
    fn keep(self, texts: &mut Texts) -> Listed {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let failed_job = self.failed_job.map(|name| texts.share(bound::cut_name(name)));
        let children = Children {
            events_checked: count(self.events_checked),
            events_detected: count(self.events_detected),
            events_failed: count(self.events_failed),
            events_failed_themselves: count(self.events_failed_themselves),
            events_unfinished: count(self.events_unfinished),
            jobs_run: count(self.jobs_run),
            jobs_failed: count(self.jobs_failed),
            jobs_unfinished: count(self.jobs_unfinished),
            jobs_stuck_themselves: count(self.jobs_stuck_themselves),
            touched_at: self.events_touched_at.max(self.jobs_touched_at).map(|at| at.0),
            more_events: self.more_events,
            more_jobs: self.more_jobs,
            first_failure: failed_job
                .map(|name| Box::new(FailedJob { name, error: self.failed_error.map(Into::into) })),
        };
        Listed { invocation: self.invocation.keep(texts), children }.hide_secrets()
    }
}

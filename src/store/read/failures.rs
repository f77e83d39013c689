//! What failed in a range of time, and how the jobs of each name went.
//!
//! Both are found below the newest invocations of the range, looked up one by one: that takes no index beyond those
//! that every database has, and the limit bounds it whatever the range is. They are looked up in steps, so that no
//! statement takes long. What was not looked at is told.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{Arguments, FromRow};
use uuid::Uuid;

use super::steps::Steps;
use super::{Reader, Values, bound};
use crate::model::failures::{Failed, Failures, JobStat, JobStats, Looked, Run};
use crate::model::flow::Kind;
use crate::model::outline::plain_text;
use crate::model::spread::nearest_rank;
use crate::model::status::sql::{EVENT_FAILED, INVOCATION_FAILED, JOB_FAILED};
use crate::model::text::{LONGEST_NAME, cut};
use crate::store::error::StoreError;
use crate::store::text::Text;
use crate::store::time::Timestamp;

/// Invocations that are looked below at the most.
const MOST_LOOKED_BELOW: i64 = 10_000;
/// Failures that are read at the most.
const MOST_FAILURES: usize = 5_000;
/// Names of jobs that are told of at the most.
const MOST_NAMES: usize = 500;
/// Characters of an error that are kept, and of which it is told whether there are more.
const ERROR_CHARACTERS: usize = 4_000;
const MOST_CHARACTERS: i32 = 4_001;

impl Reader {
    /// What failed by itself from one moment to another, newest first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn failures(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Failures, StoreError> {
        let most_name = LONGEST_NAME + 1;
        let sql = format!(
            "with i as materialized ( \
               select i.id, i.created_at, left(i.source_function, {most_name}) as source_function, {INVOCATION_FAILED} as failed, \
                      left(coalesce(nullif(i.error_message, ''), i.error_stack), $4) as error \
               from @schema.invocations i where i.created_at >= $1 and i.created_at < $2) \
             select f.* from ( \
               select 0 as kind, i.id, i.id as invocation_id, null::uuid as event_id, i.source_function as name, \
                      i.created_at, i.error from i where i.failed \
               union all \
               select 1, e.id, i.id, null, e.event_name, e.created_at, e.error from i cross join lateral ( \
                 select e.id, left(e.event_name, {most_name}) as event_name, e.created_at, \
                        left(coalesce(nullif(e.detection_error, ''), nullif(e.handler_error, ''), \
                             nullif(e.detection_error_stack, ''), e.handler_error_stack), $4) as error \
                 from @schema.event_executions e where e.invocation_id = i.id and {EVENT_FAILED} offset 0) e \
               union all \
               select 2, j.id, i.id, j.event_execution_id, j.job_name, j.created_at, j.error from i cross join lateral ( \
                 select j.id, j.event_execution_id, left(j.job_name, {most_name}) as job_name, j.created_at, \
                        left(coalesce(nullif(j.error_message, ''), j.error_stack), $4) as error \
                 from @schema.job_executions j where j.invocation_id = i.id and {JOB_FAILED} offset 0) j) f \
             order by f.created_at desc, f.id desc limit $3"
        );
        let mut rows: Vec<Failed> = Vec::new();
        let mut steps = Steps::between(self, from, to, MOST_LOOKED_BELOW);
        while rows.len() <= MOST_FAILURES
            && let Some(mut part) = steps.next().await?
        {
            let mut arguments = part.arguments()?;
            let most = i64::try_from(MOST_FAILURES + 1 - rows.len()).unwrap_or(i64::MAX);
            arguments.add(most).and_then(|()| arguments.add(MOST_CHARACTERS)).map_err(sqlx::Error::Encode)?;
            let found: Vec<FailedRow> = part.session.fetch_all(&sql, arguments).await?;
            part.session.done();
            rows.extend(found.into_iter().map(Failed::from));
        }
        let more = rows.len() > MOST_FAILURES;
        // Events and jobs of an older invocation may be the newer ones.
        rows.sort_by_key(|row| Reverse((row.at, row.id)));
        rows.truncate(MOST_FAILURES);
        Ok(Failures { rows, more, looked: looked(&steps, from, to) })
    }

    /// How the jobs of each name went below the invocations from one moment to another.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn job_stats(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<JobStats, StoreError> {
        let sql = format!(
            "select j.job_name as name, count(*) as runs, count(*) filter (where j.failed) as failed, \
                    array_agg(j.ms) filter (where j.ms is not null) as durations, \
                    (array_agg(j.id order by j.ms desc nulls last, j.id))[1] as slowest, \
                    max(j.created_at) filter (where j.failed) as last_failed_at, \
                    (array_agg(j.id order by j.created_at desc, j.id) filter (where j.failed))[1] as last_failed, \
                    max(j.created_at) as last_at, (array_agg(j.id order by j.created_at desc, j.id))[1] as last \
             from @schema.invocations i cross join lateral ( \
               select j.id, {} as job_name, j.created_at, {} as ms, {JOB_FAILED} as failed \
               from @schema.job_executions j where j.invocation_id = i.id offset 0) j \
             where i.created_at >= $1 and i.created_at < $2 group by j.job_name",
            bound::name("j.job_name"),
            bound::milliseconds("j.duration_ms"),
        );
        let mut stats = HashMap::<String, Stat>::new();
        let mut steps = Steps::between(self, from, to, MOST_LOOKED_BELOW);
        while let Some(mut part) = steps.next().await? {
            let arguments = part.arguments()?;
            let rows: Vec<StatRow> = part.session.fetch_all(&sql, arguments).await?;
            part.session.done();
            for mut row in rows {
                let name = bound::cut_name(row.name.take().unwrap_or_default());
                stats.entry(name).or_default().add(row);
            }
        }
        let mut stats: Vec<(String, Stat)> = stats.into_iter().collect();
        stats.sort_by(|a, b| b.1.runs.cmp(&a.1.runs).then_with(|| a.0.cmp(&b.0)));
        stats.truncate(MOST_NAMES);

        let ids: Vec<Uuid> = stats.iter().flat_map(|(_, stat)| stat.examples()).flatten().collect();
        type RunRow = (Uuid, Uuid, Option<Timestamp>, Option<i64>);
        let mut session = self.session().await?;
        let sql = format!(
            "select id, invocation_id, created_at, {} from @schema.job_executions where id = any($1)",
            bound::milliseconds("duration_ms")
        );
        let mut values = Values::default();
        values.add(ids)?;
        session.part_of(&steps.several);
        let runs: Vec<RunRow> = session.fetch_all(&sql, values.inner).await?;
        session.done();
        let runs: HashMap<Uuid, Run> = (runs.into_iter())
            .map(|(job, invocation, at, ms)| (job, Run { job, invocation, at: at.unwrap_or_default().0, ms }))
            .collect();
        let told = |(name, mut stat): (String, Stat)| {
            let [slowest, last_failed, last] = stat.examples().map(|id| runs.get(&id?).copied());
            stat.durations.sort_unstable();
            JobStat {
                name,
                runs: stat.runs,
                failed: stat.failed,
                p50_ms: percentile(&stat.durations, 50),
                p95_ms: percentile(&stat.durations, 95),
                slowest,
                last_failed,
                last,
            }
            .hide_secrets()
        };
        Ok(JobStats { jobs: stats.into_iter().map(told).collect(), looked: looked(&steps, from, to) })
    }
}

fn looked(steps: &Steps<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Looked {
    let invocations = u64::try_from(steps.looked_through).unwrap_or(0);
    Looked { from, to, invocations, only_since: steps.only_since() }
}

fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get(nearest_rank(sorted.len(), percent)?).copied()
}

#[derive(FromRow)]
struct FailedRow {
    kind: i32,
    id: Uuid,
    invocation_id: Uuid,
    event_id: Option<Uuid>,
    name: Option<Text>,
    created_at: Option<Timestamp>,
    error: Option<Text>,
}

impl From<FailedRow> for Failed {
    fn from(row: FailedRow) -> Self {
        let error = cut(row.error.unwrap_or_default().into(), ERROR_CHARACTERS);
        let error = plain_text(&error, false).0;
        Self {
            kind: match row.kind {
                0 => Kind::Invocation,
                1 => Kind::Event,
                _ => Kind::Job,
            },
            id: row.id,
            invocation: row.invocation_id,
            event: row.event_id,
            name: bound::cut_name(row.name.unwrap_or_default()),
            at: row.created_at.unwrap_or_default().0,
            error,
        }
        .hide_secrets()
    }
}

/// The jobs of one name in one step.
#[derive(FromRow)]
struct StatRow {
    name: Option<Text>,
    runs: i64,
    failed: i64,
    durations: Option<Vec<i64>>,
    slowest: Uuid,
    last_failed_at: Option<Timestamp>,
    last_failed: Option<Uuid>,
    last_at: Option<Timestamp>,
    last: Uuid,
}

/// The jobs of one name in all steps so far.
#[derive(Default)]
struct Stat {
    runs: u64,
    failed: u64,
    durations: Vec<i64>,
    slowest: Option<(i64, Uuid)>,
    last_failed: Option<(Timestamp, Uuid)>,
    last: Option<(Timestamp, Uuid)>,
}

impl Stat {
    fn add(&mut self, row: StatRow) {
        let durations = row.durations.unwrap_or_default();
        self.runs += u64::try_from(row.runs).unwrap_or(0);
        self.failed += u64::try_from(row.failed).unwrap_or(0);
        self.slowest = self.slowest.max(durations.iter().max().map(|&ms| (ms, row.slowest)));
        self.last_failed = self.last_failed.max(row.last_failed_at.zip(row.last_failed));
        self.last = self.last.max(Some((row.last_at.unwrap_or_default(), row.last)));
        self.durations.extend(durations);
    }

    /// The slowest, the last that failed, the last.
    fn examples(&self) -> [Option<Uuid>; 3] {
        [self.slowest.map(|(_, id)| id), self.last_failed.map(|(_, id)| id), self.last.map(|(_, id)| id)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_durations() {
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 95)), (Some(50), Some(95)));
        assert_eq!((percentile(&[7, 900], 50), percentile(&[7, 900], 95)), (Some(7), Some(900)));
        assert_eq!((percentile(&[7], 50), percentile(&[], 95)), (Some(7), None));
    }
}

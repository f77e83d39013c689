//! What failed in a range of time, and how the jobs of each name went.
//!
//! Both are found below the newest invocations of the range, looked up one by one: that takes no index beyond those
//! that every database has, and the limit bounds it whatever the range is. What was not looked at is told.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, PgConnection};
use uuid::Uuid;

use super::{Reader, fetch_all};
use crate::model::failures::{Failed, Failures, JobStat, JobStats, Looked, Run};
use crate::model::flow::Kind;
use crate::model::outline::plain_text;
use crate::model::status::sql::{EVENT_FAILED, INVOCATION_FAILED, JOB_FAILED};
use crate::store::error::StoreError;

/// Invocations that are looked below at the most.
const MOST_LOOKED_BELOW: i64 = 10_000;
/// Failures that are read at the most.
const MOST_FAILURES: usize = 5_000;
/// Names of jobs that are told of at the most.
const MOST_NAMES: i64 = 500;
/// Characters of an error that are read.
const ERROR_CHARACTERS: i32 = 4_000;

/// The newest invocations of the range `$1..$2`, at most `$3`.
const NEWEST: &str = "from invocations i where i.created_at >= $1 and i.created_at < $2 \
                      order by i.created_at desc, i.id desc limit $3";

impl Reader {
    /// What failed by itself from one moment to another, newest first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn failures(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Failures, StoreError> {
        let mut session = self.session().await?;
        let looked = looked(&mut session.connection, from, to).await?;
        let mut arguments = range(from, to)?;
        let most = i64::try_from(MOST_FAILURES + 1).unwrap_or(i64::MAX);
        arguments.add(most).and_then(|()| arguments.add(ERROR_CHARACTERS)).map_err(sqlx::Error::Encode)?;
        let sql = format!(
            "with i as materialized ( \
               select i.id, i.created_at, i.source_function, {INVOCATION_FAILED} as failed, \
                      left(coalesce(nullif(i.error_message, ''), i.error_stack), $5) as error {NEWEST}) \
             select f.* from ( \
               select 0 as kind, i.id, i.id as invocation_id, null::uuid as event_id, i.source_function as name, \
                      i.created_at, i.error from i where i.failed \
               union all \
               select 1, e.id, i.id, null, e.event_name, e.created_at, e.error from i cross join lateral ( \
                 select e.id, e.event_name, e.created_at, \
                        left(coalesce(nullif(e.detection_error, ''), nullif(e.handler_error, ''), \
                             nullif(e.detection_error_stack, ''), e.handler_error_stack), $5) as error \
                 from event_executions e where e.invocation_id = i.id and {EVENT_FAILED} offset 0) e \
               union all \
               select 2, j.id, i.id, j.event_execution_id, j.job_name, j.created_at, j.error from i cross join lateral ( \
                 select j.id, j.event_execution_id, j.job_name, j.created_at, \
                        left(coalesce(nullif(j.error_message, ''), j.error_stack), $5) as error \
                 from job_executions j where j.invocation_id = i.id and {JOB_FAILED} offset 0) j) f \
             order by f.created_at desc, f.id desc limit $4"
        );
        let rows: Vec<FailedRow> = fetch_all(&mut session.connection, sql, arguments).await?;
        session.done();
        let more = rows.len() > MOST_FAILURES;
        Ok(Failures { rows: rows.into_iter().take(MOST_FAILURES).map(Failed::from).collect(), more, looked })
    }

    /// How the jobs of each name went below the invocations from one moment to another.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn job_stats(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<JobStats, StoreError> {
        let mut session = self.session().await?;
        let looked = looked(&mut session.connection, from, to).await?;
        let mut arguments = range(from, to)?;
        arguments.add(MOST_NAMES).map_err(sqlx::Error::Encode)?;
        let sql = format!(
            "with i as materialized (select i.id {NEWEST}) \
             select j.job_name as name, count(*) as runs, count(*) filter (where j.failed) as failed, \
                    percentile_disc(0.5) within group (order by j.duration_ms)::bigint as p50_ms, \
                    percentile_disc(0.95) within group (order by j.duration_ms)::bigint as p95_ms, \
                    (array_agg(j.id order by j.duration_ms desc nulls last, j.id))[1] as slowest, \
                    (array_agg(j.id order by j.created_at desc, j.id) filter (where j.failed))[1] as last_failed, \
                    (array_agg(j.id order by j.created_at desc, j.id))[1] as last \
             from i cross join lateral ( \
               select j.id, j.job_name, j.created_at, j.duration_ms, {JOB_FAILED} as failed \
               from job_executions j where j.invocation_id = i.id offset 0) j \
             group by j.job_name order by runs desc, name limit $4"
        );
        let rows: Vec<StatRow> = fetch_all(&mut session.connection, sql, arguments).await?;
        let ids: Vec<Uuid> =
            rows.iter().flat_map(|row| [Some(row.slowest), row.last_failed, Some(row.last)]).flatten().collect();
        type RunRow = (Uuid, Uuid, Option<DateTime<Utc>>, Option<i64>);
        let runs: Vec<RunRow> = sqlx::query_as(
            "select id, invocation_id, created_at, duration_ms::bigint from job_executions where id = any($1)",
        )
        .bind(ids)
        .fetch_all(&mut session.connection)
        .await?;
        session.done();
        let runs: HashMap<Uuid, Run> = (runs.into_iter())
            .map(|(job, invocation, at, ms)| (job, Run { job, invocation, at: at.unwrap_or_default(), ms }))
            .collect();
        let stat = |row: StatRow| JobStat {
            runs: u64::try_from(row.runs).unwrap_or(0),
            failed: u64::try_from(row.failed).unwrap_or(0),
            p50_ms: row.p50_ms,
            p95_ms: row.p95_ms,
            slowest: runs.get(&row.slowest).copied().filter(|run| run.ms.is_some()),
            last_failed: row.last_failed.and_then(|id| runs.get(&id)).copied(),
            last: runs.get(&row.last).copied(),
            name: row.name,
        };
        Ok(JobStats { jobs: rows.into_iter().map(stat).collect(), looked })
    }
}

fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    let added = arguments.add(from).and_then(|()| arguments.add(to)).and_then(|()| arguments.add(MOST_LOOKED_BELOW));
    added.map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

async fn looked(connection: &mut PgConnection, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Looked, StoreError> {
    let sql = format!("select count(*), min(created_at) from (select i.created_at {NEWEST}) newest");
    let rows: Vec<(i64, Option<DateTime<Utc>>)> = fetch_all(connection, sql, range(from, to)?).await?;
    let (count, oldest) = rows.first().copied().unwrap_or_default();
    let only_since = oldest.filter(|_| count >= MOST_LOOKED_BELOW);
    Ok(Looked { from, to, invocations: u64::try_from(count).unwrap_or(0), only_since })
}

#[derive(FromRow)]
struct FailedRow {
    kind: i32,
    id: Uuid,
    invocation_id: Uuid,
    event_id: Option<Uuid>,
    name: String,
    created_at: Option<DateTime<Utc>>,
    error: Option<String>,
}

impl From<FailedRow> for Failed {
    fn from(row: FailedRow) -> Self {
        let error = plain_text(row.error.as_deref().unwrap_or_default(), false).0;
        Self {
            kind: match row.kind {
                0 => Kind::Invocation,
                1 => Kind::Event,
                _ => Kind::Job,
            },
            id: row.id,
            invocation: row.invocation_id,
            event: row.event_id,
            name: row.name,
            at: row.created_at.unwrap_or_default(),
            error,
        }
    }
}

#[derive(FromRow)]
struct StatRow {
    name: String,
    runs: i64,
    failed: i64,
    p50_ms: Option<i64>,
    p95_ms: Option<i64>,
    slowest: Uuid,
    last_failed: Option<Uuid>,
    last: Uuid,
}

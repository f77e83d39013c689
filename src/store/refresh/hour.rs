//! The numbers of one hour: counted from its rows, and from what was deleted of them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::time::plus;
use crate::store::count::{self, IN_RANGE, OF_IDS};
use crate::store::error::StoreError;
use crate::store::sql::in_schema;
use crate::store::time::Timestamp;

/// Names that are kept for an hour of a function.
const MOST_NAMES: usize = 20;

/// A select with `at`, `function` and `names`, a list of names with their counts, made of one that counts each name.
fn lists(counts: &str, most: usize) -> String {
    format!(
        "(select at, function, jsonb_agg(jsonb_build_object('name', name, 'count', count) order by count desc, name) as names \
          from (select *, row_number() over (partition by at, function order by count desc, name) as place \
                from (select at, function, name, sum(count)::bigint as count from ({counts}) parts group by 1, 2, 3) added) ranked \
          where place <= {most} group by at, function)"
    )
}

/// Counts one hour; gives how many rows were written. They replace what stood there, except for a row of an hour that is not
/// covered yet, was counted before deletions were recorded, and holds more invocations than are there now.
pub(super) async fn fill(
    connection: &mut PgConnection,
    schema: &str,
    hour: DateTime<Utc>,
    is_covered: bool,
) -> Result<u64, StoreError> {
    let names = |counted: &str, column: &str| {
        let pruned = format!(
            "select p.hour_bucket, p.source_function, n.name, n.count from @schema.metrics_pruned p \
             cross join lateral jsonb_to_recordset(p.{column}) as n(name text, count bigint) \
             where p.hour_bucket >= $1 and p.hour_bucket < $2"
        );
        lists(&format!("({counted}) union all {pruned}"), MOST_NAMES)
    };
    // The columns hold eight digits before the point, the others 31 bits. What is null stays null.
    let number = |column: &str| {
        format!("case when l.{column} < 99999999 then l.{column} when l.{column} is not null then 99999999 end")
    };
    // Before the migration that made the table of what was deleted, it was not recorded.
    let kept =
        "not $3 and m.created_at < (select min(installed_on) from @schema.obs_tui_migrations where version = 17)";
    let int = |column: &str| {
        format!("case when {column} < 2147483647 then {column} when {column} is not null then 2147483647 end")
    };
    let statement = format!(
        "with parts as ({} union all \
             select p.hour_bucket, p.source_function, p.total_invocations, p.successful_invocations, p.failed_invocations, \
                    p.total_events_detected, p.total_jobs_run, p.durations \
             from @schema.metrics_pruned p where p.hour_bucket >= $1 and p.hour_bucket < $2), \
         sums as (select at, function, sum(total) as total, sum(ok) as ok, sum(failed) as failed, \
                         sum(events_detected) as events_detected, sum(jobs_run) as jobs_run \
                  from parts group by at, function), \
         gone as (delete from @schema.metrics_hourly m where not ({kept}) and m.hour_bucket >= $1 and m.hour_bucket < $2 \
                  and not exists (select from sums s where s.at = m.hour_bucket and s.function = m.source_function)) \
         insert into @schema.metrics_hourly as m (hour_bucket, source_function, total_invocations, successful_invocations, \
             failed_invocations, total_events_detected, total_jobs_run, avg_duration_ms, min_duration_ms, \
             max_duration_ms, p50_duration_ms, p95_duration_ms, duration_counts, top_detected_events, \
             most_failed_jobs, created_at) \
         select s.at, s.function, {}, {}, {}, {}, {}, ({})::numeric(10, 2), {}, {}, ({})::numeric(10, 2), \
                ({})::numeric(10, 2), l.spread, coalesce(e.names, '[]'), coalesce(j.names, '[]'), now() \
         from sums s \
         cross join lateral ({}) l \
         left join {} e on e.at = s.at and e.function = s.function \
         left join {} j on j.at = s.at and j.function = s.function \
         on conflict (hour_bucket, source_function) do update set \
             total_invocations = excluded.total_invocations, successful_invocations = excluded.successful_invocations, \
             failed_invocations = excluded.failed_invocations, total_events_detected = excluded.total_events_detected, \
             total_jobs_run = excluded.total_jobs_run, avg_duration_ms = excluded.avg_duration_ms, \
             min_duration_ms = excluded.min_duration_ms, max_duration_ms = excluded.max_duration_ms, \
             p50_duration_ms = excluded.p50_duration_ms, p95_duration_ms = excluded.p95_duration_ms, \
             duration_counts = excluded.duration_counts, top_detected_events = excluded.top_detected_events, \
             most_failed_jobs = excluded.most_failed_jobs, created_at = excluded.created_at \
         where not ({kept}) or m.total_invocations is null or excluded.total_invocations >= m.total_invocations",
        count::hours(IN_RANGE),
        int("s.total"),
        int("s.ok"),
        int("s.failed"),
        int("s.events_detected"),
        int("s.jobs_run"),
        number("avg_ms"),
        int("l.min_ms"),
        int("l.max_ms"),
        number("p50_ms"),
        number("p95_ms"),
        count::lengths(
            "array(select ms from parts p cross join unnest(p.durations) as ms where p.at = s.at and p.function = s.function)"
        ),
        names(&count::detected_events(IN_RANGE), "detected_events"),
        names(&count::failed_jobs(IN_RANGE), "failed_jobs"),
    );
    let done = sqlx::query(in_schema(&statement, schema))
        .bind(Timestamp(hour))
        .bind(Timestamp(plus(hour, TimeDelta::hours(1))))
        .bind(is_covered)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Keeps the numbers of invocations that are about to be deleted, in the transaction that deletes them. Does nothing where
/// the table is missing.
pub(in crate::store) async fn keep_pruned(
    connection: &mut PgConnection,
    schema: &str,
    ids: &[Uuid],
) -> Result<(), StoreError> {
    let has_table: bool = sqlx::query_scalar(in_schema(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = @'schema' and c.relname = 'metrics_pruned' and c.relkind = 'r')",
        schema,
    ))
    .fetch_one(&mut *connection)
    .await?;
    if !has_table {
        return Ok(());
    }
    let statement = format!(
        "insert into @schema.metrics_pruned (hour_bucket, source_function, total_invocations, successful_invocations, \
             failed_invocations, total_events_detected, total_jobs_run, durations, detected_events, failed_jobs) \
         select c.at, c.function, c.total, c.ok, c.failed, c.events_detected, c.jobs_run, c.durations, \
                coalesce(e.names, '[]'), coalesce(j.names, '[]') \
         from ({}) c \
         left join {} e on e.at = c.at and e.function = c.function \
         left join {} j on j.at = c.at and j.function = c.function",
        count::hours(OF_IDS),
        lists(&count::detected_events(OF_IDS), usize::MAX >> 1),
        lists(&count::failed_jobs(OF_IDS), usize::MAX >> 1),
    );
    sqlx::query(in_schema(&statement, schema)).bind(ids.to_vec()).execute(connection).await?;
    Ok(())
}

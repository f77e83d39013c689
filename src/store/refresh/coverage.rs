//! What `metrics_hourly` covers, and which of its hours changed since.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::model::hourly::Step;
use crate::model::hourly::coverage::{Coverage, Covered};
use crate::model::time::plus;
use crate::store::count;
use crate::store::error::StoreError;
use crate::store::sql::in_schema;
use crate::store::time::Timestamp;

/// How far back changes are looked for that an earlier look could not see. A row bears the time at which its transaction
/// began, or that of the writer's clock, and is seen when the transaction has ended. What is older than this tells
/// `metrics_late` (our recorder), or the list of sessions where this role may see their transactions.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// The ranges that are covered.
pub(super) async fn read(connection: &mut PgConnection, schema: &str) -> Result<Coverage, StoreError> {
    let rows: Vec<(Timestamp, Timestamp, Timestamp)> = sqlx::query_as(in_schema(
        "select covered_from, covered_to, counted_at from @schema.metrics_coverage order by covered_from",
        schema,
    ))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(from, to, at)| Covered { from: from.0, to: to.0, counted_at: at.0 }).collect())
}

/// Stores the ranges that are covered; within a transaction.
pub(super) async fn write(connection: &mut PgConnection, schema: &str, coverage: &Coverage) -> Result<(), StoreError> {
    let of = |time: fn(&Covered) -> DateTime<Utc>| {
        coverage.ranges().iter().map(|range| Timestamp(time(range))).collect::<Vec<_>>()
    };
    sqlx::query(in_schema("delete from @schema.metrics_coverage", schema)).execute(&mut *connection).await?;
    sqlx::query(in_schema(
        "insert into @schema.metrics_coverage (covered_from, covered_to, counted_at) \
         select * from unnest($1::timestamptz[], $2::timestamptz[], $3::timestamptz[])",
        schema,
    ))
    .bind(of(|range| range.from))
    .bind(of(|range| range.to))
    .bind(of(|range| range.counted_at))
    .execute(connection)
    .await?;
    Ok(())
}

/// The moment up to which every change can be seen, the beginning of the oldest transaction that this role knows of, and the
/// present one: both by the server's clock.
pub(super) async fn seen_until(connection: &mut PgConnection) -> Result<(DateTime<Utc>, DateTime<Utc>), StoreError> {
    let (seen, now): (Timestamp, Timestamp) = sqlx::query_as(
        "select coalesce((select min(a.xact_start) from pg_stat_activity a \
             where a.datid = (select d.oid from pg_database d where d.datname = current_database()) \
               and a.pid <> pg_backend_pid() and a.xact_start < now()), now()), now()",
    )
    .fetch_one(connection)
    .await?;
    Ok((seen.0, now.0))
}

/// The hours of the rows that changed since they were counted, the newest first: within the ranges only.
pub(super) async fn changed(
    connection: &mut PgConnection,
    schema: &str,
    coverage: &Coverage,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    let Some(oldest) = coverage.ranges().iter().map(|range| range.counted_at).min() else { return Ok(Vec::new()) };
    let since = plus(oldest, -MARGIN);
    let late: Option<Timestamp> = sqlx::query_scalar(in_schema(
        "select min(updated_since) from @schema.metrics_late where written_at >= $1",
        schema,
    ))
    .bind(Timestamp(since))
    .fetch_one(&mut *connection)
    .await?;
    let since = late.map_or(since, |late| since.min(late.0));
    // Each invocation is looked up by its id: a join could read the table.
    let below = |table: &str| {
        format!(
            "select i.created_at from (select distinct b.invocation_id from @schema.{table} b where b.updated_at >= $1 offset 0) b \
             cross join lateral (select i.created_at from @schema.invocations i where i.id = b.invocation_id offset 0) i"
        )
    };
    let sql = format!(
        "select distinct {} as hour from ( \
             select i.created_at from @schema.invocations i where i.updated_at >= $1 union all {} union all {}) changed \
         where created_at > '-infinity' and created_at < 'infinity' order by hour desc",
        count::start(Step::Hour, "created_at"),
        below("event_executions"),
        below("job_executions"),
    );
    let hours: Vec<Timestamp> =
        sqlx::query_scalar(in_schema(&sql, schema)).bind(Timestamp(since)).fetch_all(connection).await?;
    Ok(hours.into_iter().map(|hour| hour.0).filter(|hour| coverage.contains(*hour)).collect())
}

/// Forgets late batches that every later look would find by their margin alone.
pub(super) async fn forget_late(
    connection: &mut PgConnection,
    schema: &str,
    coverage: &Coverage,
) -> Result<(), StoreError> {
    let Some(oldest) = coverage.ranges().iter().map(|range| range.counted_at).min() else { return Ok(()) };
    sqlx::query(in_schema("delete from @schema.metrics_late where written_at < $1", schema))
        .bind(Timestamp(plus(oldest, -MARGIN)))
        .execute(connection)
        .await?;
    Ok(())
}

/// The newest hour before a moment that holds rows, or held rows that were deleted.
pub(super) async fn hour_before(
    connection: &mut PgConnection,
    schema: &str,
    from: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let newest: Option<Timestamp> = sqlx::query_scalar(in_schema(
        "select greatest( \
             (select created_at from @schema.invocations where created_at < $2 and created_at >= $1 and created_at > '-infinity' \
              order by created_at desc limit 1), \
             (select hour_bucket from @schema.metrics_pruned where hour_bucket < $2 and hour_bucket >= $1 and hour_bucket > '-infinity' \
              order by hour_bucket desc limit 1))",
        schema,
    ))
    .bind(Timestamp(from))
    .bind(Timestamp(before))
    .fetch_one(connection)
    .await?;
    Ok(newest.map(|at| Step::Hour.start(at.0)))
}

//! Hourly numbers: from `metrics_hourly`, else `dashboard_stats`, else counted from the invocations.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow, PgConnection};

use super::{Reader, fetch_all};
use crate::model::hourly::{Bucket, Hourly, Source, start_of_hour};
use crate::model::status::sql;
use crate::store::error::StoreError;

/// Hours that are counted by one statement. Each needs all events and jobs of its invocations, so a statement over
/// weeks would reach its time limit.
const STEP: TimeDelta = TimeDelta::hours(6);

impl Reader {
    /// Numbers of the hours from the one of `from` to the one of `to`. `now` is the time of the query.
    ///
    /// # Errors
    /// When the database does not answer in time: counting rows is bounded by the range, so a shorter one may do.
    pub async fn hourly(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Hourly, StoreError> {
        let mut session = self.session().await?;
        let (from, to) = (start_of_hour(from), start_of_hour(to));
        let hourly = |source, as_of, rows: Vec<BucketRow>| Hourly {
            source,
            as_of,
            from,
            to,
            buckets: rows.into_iter().map(Bucket::from).collect(),
        };
        for (source, table) in [(Source::MetricsHourly, "metrics_hourly"), (Source::DashboardStats, "dashboard_stats")]
        {
            if !session.capabilities.table(table) {
                continue;
            }
            let rows = aggregated(&mut session.connection, table, from, to).await?;
            // The hour is the newest thing that both sources tell of their age.
            if let Some(newest) = rows.iter().map(|row| row.hour).max() {
                session.done();
                return Ok(hourly(source, newest, rows));
            }
        }
        let mut rows = Vec::new();
        let mut at = from;
        while at <= to {
            let last = to.min(at + STEP - TimeDelta::hours(1));
            rows.extend(counted(&mut session.connection, at, last).await?);
            at += STEP;
        }
        session.done();
        Ok(hourly(Source::Rows, now, rows))
    }
}

#[derive(FromRow)]
struct BucketRow {
    hour: DateTime<Utc>,
    function: String,
    total: i64,
    failed: i64,
    events_detected: i64,
    jobs_run: i64,
    avg_ms: Option<f64>,
    max_ms: Option<i64>,
    p95_ms: Option<f64>,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Self {
            hour: row.hour,
            function: row.function,
            total: count(row.total),
            failed: count(row.failed),
            events_detected: count(row.events_detected),
            jobs_run: count(row.jobs_run),
            avg_ms: row.avg_ms,
            max_ms: row.max_ms,
            p95_ms: row.p95_ms,
        }
    }
}

fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    arguments.add(from).and_then(|()| arguments.add(to)).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

async fn aggregated(
    connection: &mut PgConnection,
    table: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<BucketRow>, StoreError> {
    let failed = "coalesce(failed_invocations, 0)::bigint";
    let sql = format!(
        "select hour_bucket as hour, source_function as function, coalesce(total_invocations, 0)::bigint as total, \
                {failed} as failed, coalesce(total_events_detected, 0)::bigint as events_detected, \
                coalesce(total_jobs_run, 0)::bigint as jobs_run, avg_duration_ms::float8 as avg_ms, \
                max_duration_ms::bigint as max_ms, p95_duration_ms::float8 as p95_ms \
         from {table} where hour_bucket between $1 and $2 order by hour_bucket, source_function"
    );
    fetch_all(connection, sql, range(from, to)?).await
}

async fn counted(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<BucketRow>, StoreError> {
    let failed = sql::effectively_failed();
    let sql = format!(
        "select date_trunc('hour', i.created_at, 'UTC') as hour, i.source_function as function, \
                count(*) as total, count(*) filter (where {failed}) as failed, \
                coalesce(sum(i.events_detected_count), 0)::bigint as events_detected, \
                coalesce(sum(i.total_jobs_run), 0)::bigint as jobs_run, \
                avg(i.total_duration_ms)::float8 as avg_ms, max(i.total_duration_ms)::bigint as max_ms, \
                percentile_cont(0.95) within group (order by i.total_duration_ms)::float8 as p95_ms \
         from invocations i where i.created_at >= $1 and i.created_at < $2 + interval '1 hour' \
         group by 1, 2 order by 1, 2"
    );
    fetch_all(connection, sql, range(from, to)?).await
}

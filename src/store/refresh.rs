//! Fills `metrics_hourly`, an hour at a time: what was done stays done when it is interrupted, and doing it again gives the
//! same numbers.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::admin::connect;
use super::config::Config;
use super::count;
use super::error::StoreError;
use crate::model::hourly::{Step, start_of_hour};

/// Hours before the last filled one that are counted again: rows come late, and what ran then has ended since.
const MARGIN: TimeDelta = TimeDelta::hours(3);
/// Names that are kept for an hour of a function.
const MOST_NAMES: usize = 20;
/// Marks our lock among those of other programs; the second half of the key is the table.
const LOCK: i32 = 0x6f62_7374;

/// From where on hours are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From a little before the last hour that was filled, or from the first row.
    LastTime,
    /// From this moment.
    Moment(DateTime<Utc>),
    /// From the first row.
    FirstRow,
}

/// What became of the view `dashboard_stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// It was refreshed.
    Refreshed,
    /// It belongs to another role, which alone may refresh it.
    NotOwned,
    /// There is none.
    Absent,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hours that were counted.
    pub hours: u64,
    /// Rows that were written: one for each function of an hour.
    pub rows: u64,
    /// The first hour that was counted, if there was any.
    pub first: Option<DateTime<Utc>>,
    /// What became of the view.
    pub view: View,
}

/// Counts the hours up to the one of `now`; `progress` is told each hour that is done. `None` when another session is at
/// it. An hour of which rows were deleted since it was counted keeps its numbers.
///
/// # Errors
/// When the database cannot be reached, the role may not write the table, the table lacks columns that a migration adds,
/// or an hour takes longer than the time limit of a statement. Hours that were done stay done.
pub async fn refresh(
    config: &Config,
    since: Since,
    now: DateTime<Utc>,
    mut progress: impl FnMut(DateTime<Utc>),
) -> Result<Option<Report>, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui refresh")).await?;
    let alone: bool = sqlx::query_scalar("select pg_try_advisory_lock($1, 'metrics_hourly'::regclass::oid::int)")
        .bind(LOCK)
        .fetch_one(&mut connection)
        .await?;
    if !alone {
        connection.close().await?;
        return Ok(None);
    }
    connection.execute("set plan_cache_mode = force_custom_plan; set jit = off").await?;
    let from = match since {
        Since::Moment(at) => Some(at),
        Since::FirstRow => None,
        Since::LastTime => {
            let last: Option<DateTime<Utc>> =
                sqlx::query_scalar("select max(hour_bucket) from metrics_hourly where duration_counts is not null")
                    .fetch_one(&mut connection)
                    .await?;
            last.map(|last| last - MARGIN)
        }
    };
    let mut report = Report { hours: 0, rows: 0, first: None, view: View::Absent };
    let mut next = from.map_or(DateTime::<Utc>::MIN_UTC, start_of_hour);
    // Hours without rows are passed over.
    while let Some(hour) = first_hour(&mut connection, next, now).await? {
        report.rows += fill(&mut connection, hour).await?;
        report.hours += 1;
        report.first.get_or_insert(hour);
        progress(hour);
        next = hour + TimeDelta::hours(1);
    }
    report.view = refresh_view(&mut connection).await?;
    connection.close().await?;
    Ok(Some(report))
}

/// The hour of the first row from `from` to `now`.
async fn first_hour(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    // Moments that PostgreSQL cannot hold are left out of the question.
    let from = (from != DateTime::<Utc>::MIN_UTC).then_some(from);
    let first: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select created_at from invocations where created_at <= $2 and created_at >= coalesce($1, '-infinity') \
         order by created_at limit 1",
    )
    .bind(from)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(first.map(start_of_hour))
}

/// Counts one hour; gives how many rows were written.
async fn fill(connection: &mut PgConnection, hour: DateTime<Utc>) -> Result<u64, StoreError> {
    let names = |select: &str| {
        format!(
            "(select function, jsonb_agg(jsonb_build_object('name', name, 'count', count) order by count desc, name) as names \
              from (select *, row_number() over (partition by function order by count desc, name) as place from ({select}) all_names) ranked \
              where place <= {MOST_NAMES} group by function)"
        )
    };
    // The columns hold eight digits before the point.
    let number = |column: &str| format!("least(c.{column}, 99999999)::numeric(10, 2)");
    let statement = format!(
        "insert into metrics_hourly (hour_bucket, source_function, total_invocations, successful_invocations, \
             failed_invocations, total_events_detected, total_jobs_run, avg_duration_ms, min_duration_ms, \
             max_duration_ms, p50_duration_ms, p95_duration_ms, duration_counts, top_detected_events, \
             most_failed_jobs, created_at) \
         select c.at, c.function, c.total, c.ok, c.failed, c.events_detected, c.jobs_run, {}, c.min_ms, c.max_ms, \
                {}, {}, c.spread, coalesce(e.names, '[]'), coalesce(j.names, '[]'), now() \
         from ({}) c left join {} e on e.function = c.function left join {} j on j.function = c.function \
         on conflict (hour_bucket, source_function) do update set \
             total_invocations = excluded.total_invocations, successful_invocations = excluded.successful_invocations, \
             failed_invocations = excluded.failed_invocations, total_events_detected = excluded.total_events_detected, \
             total_jobs_run = excluded.total_jobs_run, avg_duration_ms = excluded.avg_duration_ms, \
             min_duration_ms = excluded.min_duration_ms, max_duration_ms = excluded.max_duration_ms, \
             p50_duration_ms = excluded.p50_duration_ms, p95_duration_ms = excluded.p95_duration_ms, \
             duration_counts = excluded.duration_counts, top_detected_events = excluded.top_detected_events, \
             most_failed_jobs = excluded.most_failed_jobs, created_at = excluded.created_at \
         where metrics_hourly.total_invocations is null \
             or excluded.total_invocations >= metrics_hourly.total_invocations",
        number("avg_ms"),
        number("p50_ms"),
        number("p95_ms"),
        count::invocations(Step::Hour),
        names(&count::detected_events(Step::Hour)),
        names(&count::failed_jobs(Step::Hour)),
    );
    let done =
        sqlx::query(AssertSqlSafe(statement)).bind(hour).bind(hour + TimeDelta::hours(1)).execute(connection).await?;
    Ok(done.rows_affected())
}

async fn refresh_view(connection: &mut PgConnection) -> Result<View, StoreError> {
    let (exists, owned, function): (bool, bool, bool) = sqlx::query_as(
        "select c.oid is not null, coalesce(pg_has_role(c.relowner, 'usage'), false), \
                to_regprocedure('refresh_dashboard_stats()') is not null \
         from (select to_regclass('dashboard_stats') as oid) named \
         left join pg_class c on c.oid = named.oid and c.relkind = 'm'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(View::Absent);
    }
    if !owned {
        return Ok(View::NotOwned);
    }
    connection.execute("set statement_timeout = '10min'").await?;
    let statement =
        if function { "select refresh_dashboard_stats()" } else { "refresh materialized view dashboard_stats" };
    connection.execute(statement).await?;
    Ok(View::Refreshed)
}

//! Fills `metrics_hourly`, an hour at a time: what was done stays done when it is interrupted, and doing it again gives the
//! same numbers.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, Executor, PgConnection};

use super::admin::connect;
use super::config::Config;
use super::count;
use super::error::StoreError;
use super::sql::in_schema;
use super::time::Timestamp;
use super::trust::{self, Purpose};
use crate::model::hourly::{Step, start_of_hour};
use crate::model::time::plus;

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
    /// Who may create in the schema: see [`MigrationReport::may_create`](super::admin::MigrationReport::may_create).
    pub may_create: Vec<String>,
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
    let schema = config.schema.as_str();
    let alone: Option<bool> = sqlx::query_scalar(
        "select pg_try_advisory_lock($1, c.oid::int) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = $2 and c.relname = 'metrics_hourly'",
    )
    .bind(LOCK)
    .bind(schema)
    .fetch_optional(&mut connection)
    .await?;
    let Some(alone) = alone else {
        let reason = format!("there is no table metrics_hourly in the schema {schema}");
        return Err(StoreError::MissingTable { source: reason.clone().into(), reason });
    };
    if !alone {
        connection.close().await?;
        return Ok(None);
    }
    trust::check_tables(&mut connection, schema, Purpose::Write).await?;
    connection.execute("set plan_cache_mode = force_custom_plan; set jit = off").await?;
    let from = match since {
        Since::Moment(at) => Some(at),
        Since::FirstRow => None,
        Since::LastTime => {
            let last: Option<Timestamp> = sqlx::query_scalar(in_schema(
                // An hour that has not come yet, as `infinity`, would leave nothing to be counted.
                "select max(hour_bucket) from @schema.metrics_hourly \
                 where duration_counts is not null and hour_bucket <= $1",
                schema,
            ))
            .bind(Timestamp(now))
            .fetch_one(&mut connection)
            .await?;
            last.map(|last| plus(last.0, -MARGIN))
        }
    };
    let mut report = Report { hours: 0, rows: 0, first: None, view: View::Absent, may_create: Vec::new() };
    let mut next = from.map_or(DateTime::<Utc>::MIN_UTC, start_of_hour);
    // Hours without rows are passed over.
    while let Some(hour) = first_hour(&mut connection, schema, next, now).await? {
        report.rows += fill(&mut connection, schema, hour).await?;
        report.hours += 1;
        report.first.get_or_insert(hour);
        progress(hour);
        next = plus(hour, TimeDelta::hours(1));
    }
    report.view = refresh_view(&mut connection, schema).await?;
    report.may_create = trust::may_create(&mut connection, schema).await?;
    connection.close().await?;
    Ok(Some(report))
}

/// The hour of the first row from `from` to `now`.
async fn first_hour(
    connection: &mut PgConnection,
    schema: &str,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    // Moments that PostgreSQL cannot hold are left out of the question.
    let from = (from != DateTime::<Utc>::MIN_UTC).then_some(from);
    let first: Option<Timestamp> = sqlx::query_scalar(in_schema(
        "select created_at from @schema.invocations where created_at <= $2 and created_at >= coalesce($1, '-infinity') and created_at > '-infinity' \
         order by created_at limit 1",
        schema,
    ))
    .bind(from.map(Timestamp))
    .bind(Timestamp(now))
    .fetch_optional(connection)
    .await?;
    Ok(first.map(|first| start_of_hour(first.0)))
}

/// Counts one hour; gives how many rows were written.
async fn fill(connection: &mut PgConnection, schema: &str, hour: DateTime<Utc>) -> Result<u64, StoreError> {
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
        "insert into @schema.metrics_hourly (hour_bucket, source_function, total_invocations, successful_invocations, \
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
    let done = sqlx::query(in_schema(&statement, schema))
        .bind(Timestamp(hour))
        .bind(Timestamp(plus(hour, TimeDelta::hours(1))))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Not by a function of the database: it may be anybody's, and would run as the owner of the view. The view's own query
/// cannot do more than its owner may, and not in this session.
async fn refresh_view(connection: &mut PgConnection, schema: &str) -> Result<View, StoreError> {
    let found: Option<(bool, bool)> = sqlx::query_as(
        "select pg_has_role(c.relowner, 'usage'), c.relispopulated and exists ( \
                  select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid \
                  and i.indpred is null and i.indexprs is null) \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = $1 and c.relname = 'dashboard_stats' and c.relkind = 'm'",
    )
    .bind(schema)
    .fetch_optional(&mut *connection)
    .await?;
    let (owned, without_blocking) = match found {
        None => return Ok(View::Absent),
        Some(found) => found,
    };
    if !owned {
        return Ok(View::NotOwned);
    }
    connection.execute("set statement_timeout = '10min'").await?;
    let how = if without_blocking { "concurrently " } else { "" };
    let statement = format!("refresh materialized view {how}@schema.dashboard_stats");
    connection.execute(in_schema(&statement, schema)).await?;
    Ok(View::Refreshed)
}

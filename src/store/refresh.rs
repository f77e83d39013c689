//! Fills `metrics_hourly`, an hour at a time, the newest first: what was done stays done when it is interrupted, and doing
//! it again gives the same numbers. `metrics_coverage` holds what was counted and when, so that the next time only the hours
//! of rows that changed since are counted again, and those that never were.

mod coverage;
mod hour;

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, Executor, PgConnection};

use super::admin::connect;
use super::config::Config;
use super::error::StoreError;
use super::sql::in_schema;
use super::trust::{self, Purpose};
pub(super) use hour::keep_pruned;

use crate::model::hourly::coverage::{Coverage, Covered};
use crate::model::hourly::start_of_hour;
use crate::model::time::{MINUS_INFINITY, plus};

/// How long counting one hour may take. A refresh locks nothing that others wait for.
const HOUR_LIMIT: &str = "set statement_timeout = '10min'";
/// Marks our lock among those of other programs; the second half of the key is the table.
const LOCK: i32 = 0x6f62_7374;

/// From where on hours are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The hours of rows that changed since the last time, and those that were never counted.
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
    /// The earliest hour that was counted, if there was any.
    pub first: Option<DateTime<Utc>>,
    /// Hours that took longer than the time limit: they are not covered.
    pub too_long: Vec<DateTime<Utc>>,
    /// What became of the view.
    pub view: View,
    /// Who may create in the schema: see [`MigrationReport::may_create`](super::admin::MigrationReport::may_create).
    pub may_create: Vec<String>,
}

/// Counts the hours up to the one of `now`; `progress` is told each hour that is done. `None` when another session is at
/// it. Rows that `prune` deleted stay in the numbers of their hour. An hour that takes too long is left out.
///
/// # Errors
/// When the database cannot be reached, the role may not write the tables, or they lack what a migration adds. Hours that
/// were done stay done.
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
    connection.execute(HOUR_LIMIT).await?;
    let coverage = coverage::read(&mut connection, schema).await?;
    let (counted_at, server_now) = coverage::seen_until(&mut connection).await?;
    let report =
        Report { hours: 0, rows: 0, first: None, too_long: Vec::new(), view: View::Absent, may_create: Vec::new() };
    let mut run = Run { connection, schema, coverage, counted_at, report, progress: &mut progress };
    // The hour of now goes on: it is counted, but not covered. Nor is what only our clock holds to be over.
    let this_hour = start_of_hour(now.min(server_now));
    let from = match since {
        Since::LastTime => {
            run.changed_hours().await?;
            run.recount(this_hour..plus(now, TimeDelta::microseconds(1))).await?;
            for gap in run.coverage.gaps(MINUS_INFINITY, this_hour) {
                run.recount(gap).await?;
            }
            None
        }
        Since::Moment(at) => Some(start_of_hour(at)),
        Since::FirstRow => Some(MINUS_INFINITY),
    };
    if let Some(from) = from {
        run.recount(this_hour.max(from)..plus(now, TimeDelta::microseconds(1))).await?;
        run.recount(from..this_hour).await?;
    }
    let Run { mut connection, mut report, .. } = run;
    report.view = refresh_view(&mut connection, schema).await?;
    report.may_create = trust::may_create(&mut connection, schema).await?;
    connection.close().await?;
    Ok(Some(report))
}

/// One refresh.
struct Run<'a, F> {
    connection: PgConnection,
    schema: &'a str,
    coverage: Coverage,
    /// Every change up to this moment is seen.
    counted_at: DateTime<Utc>,
    report: Report,
    progress: &'a mut F,
}

impl<F: FnMut(DateTime<Utc>)> Run<'_, F> {
    /// Counts the covered hours again of which rows changed.
    async fn changed_hours(&mut self) -> Result<(), StoreError> {
        let mut coverage = self.coverage.clone();
        for hour in coverage::changed(&mut self.connection, self.schema, &coverage).await? {
            if !self.count(hour, None).await? {
                coverage.uncover(hour, plus(hour, TimeDelta::hours(1)));
            }
        }
        coverage.renew(self.counted_at);
        self.coverage = coverage;
        let mut transaction = self.connection.begin().await?;
        coverage::write(&mut transaction, self.schema, &self.coverage).await?;
        coverage::forget_late(&mut transaction, self.schema, &self.coverage).await?;
        Ok(transaction.commit().await?)
    }

    /// Counts the hours of a range, the newest first. Those that are over are covered then, with those between them that
    /// hold no rows.
    async fn recount(&mut self, range: Range<DateTime<Utc>>) -> Result<(), StoreError> {
        let mut end = range.end;
        loop {
            let hour = coverage::hour_before(&mut self.connection, self.schema, range.start, end).await?;
            let from = hour.unwrap_or(range.start);
            // The last of all is the hour of now.
            let whole = start_of_hour(range.end) == range.end;
            let covered = whole.then_some(Covered { from, to: end, counted_at: self.counted_at });
            let Some(hour) = hour else {
                return match covered {
                    Some(covered) if from < end => self.cover(covered).await,
                    _ => Ok(()),
                };
            };
            if !self.count(hour, covered).await? && whole {
                // What lies above it is known to be empty.
                self.coverage.uncover(hour, end);
                let above = plus(hour, TimeDelta::hours(1));
                self.cover(Covered { from: above, to: end, counted_at: self.counted_at }).await?;
            }
            end = hour;
            if end <= range.start {
                return Ok(());
            }
        }
    }

    /// Counts one hour, and stores with its numbers what is covered then. False when it takes too long.
    async fn count(&mut self, hour: DateTime<Utc>, covered: Option<Covered>) -> Result<bool, StoreError> {
        let mut coverage = self.coverage.clone();
        let is_covered = coverage.contains(hour);
        let mut transaction = self.connection.begin().await?;
        let rows = match hour::fill(&mut transaction, self.schema, hour, is_covered).await {
            Ok(rows) => rows,
            Err(StoreError::Timeout { .. }) => {
                transaction.rollback().await?;
                self.report.too_long.push(hour);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if let Some(covered) = covered {
            coverage.cover(covered);
            coverage::write(&mut transaction, self.schema, &coverage).await?;
        }
        transaction.commit().await?;
        self.coverage = coverage;
        self.report.rows += rows;
        self.report.hours += 1;
        self.report.first = Some(self.report.first.map_or(hour, |first| first.min(hour)));
        (self.progress)(hour);
        Ok(true)
    }

    async fn cover(&mut self, covered: Covered) -> Result<(), StoreError> {
        self.coverage.cover(covered);
        let mut transaction = self.connection.begin().await?;
        coverage::write(&mut transaction, self.schema, &self.coverage).await?;
        Ok(transaction.commit().await?)
    }
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
    let how = if without_blocking { "concurrently " } else { "" };
    let statement = format!("refresh materialized view {how}@schema.dashboard_stats");
    connection.execute(in_schema(&statement, schema)).await?;
    Ok(View::Refreshed)
}

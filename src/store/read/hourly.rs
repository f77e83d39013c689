//! Numbers per step of time: from `metrics_hourly`, as far as it covers the hours, else counted from the invocations.

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow};

use super::session::Several;
use super::steps::Steps;
use super::{Reader, Session, bound};
use crate::model::hourly::coverage::{Coverage, Covered};
use crate::model::hourly::pieces::{Piece, Pieces};
use crate::model::hourly::{Bucket, Hourly, Source, Step};
use crate::model::spread::Spread;
use crate::store::count;
use crate::store::error::StoreError;
use crate::store::text::Text;
use crate::store::time::Timestamp;

/// Counting tells how far it has come at every such part of the range.
const PARTS: i32 = 24;

impl Reader {
    /// Numbers of the steps from the one of `from` to the one of `to`. `now` is the time of the query. Only whole hours
    /// are read from an aggregation.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn hourly(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<Hourly, StoreError> {
        self.count_hours(from, to, step, now, |_| ()).await
    }

    /// The same, and before it now and then what has been counted so far, the newest steps first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn count_hours(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        step: Step,
        now: DateTime<Utc>,
        told: impl FnMut(Hourly),
    ) -> Result<Hourly, StoreError> {
        let several = Several(&self.inner);
        let mut session = self.session().await?;
        session.part_of(&several);
        let (from, to) = (step.start(from), step.start(to));
        let mut hourly = Hourly {
            source: Source::Rows,
            as_of: now,
            from_rows: Vec::new(),
            back_to: None,
            step,
            from,
            to,
            buckets: Vec::new(),
        };
        let coverage = match step {
            Step::Hour => covered(&mut session, from, to + step.length()).await?,
            Step::Minute | Step::Quarter => Coverage::default(),
        };
        if let Some(as_of) = coverage.ranges().iter().map(|range| range.counted_at).min() {
            (hourly.source, hourly.as_of) = (Source::MetricsHourly, as_of.min(now));
            hourly.buckets = stored(&mut session, from, to).await?;
            hourly.buckets.retain(|bucket| coverage.contains(bucket.at));
        }
        session.done();
        hourly.from_rows = coverage.gaps(from, to + step.length());
        self.count_rows(&mut hourly, told).await?;
        Ok(hourly)
    }

    /// What was deleted of these hours: a part of them like their rows. Of shorter steps nothing is known.
    async fn pruned(&self, gap: &Range<DateTime<Utc>>, step: Step) -> Result<Pieces, StoreError> {
        let mut pieces = Pieces::default();
        let mut session = self.session().await?;
        if step == Step::Hour && session.capabilities.table("metrics_pruned") {
            let rows: Vec<PieceRow> = session.fetch_all(&count::pruned_pieces(), range(gap.start, gap.end)?).await?;
            for mut row in rows {
                let function = bound::cut_name(row.function.take().unwrap_or_default());
                pieces.add(row.at.0, function, row.into());
            }
        }
        session.done();
        Ok(pieces)
    }

    /// Counts what the numbers lack, the newest first.
    async fn count_rows(&self, hourly: &mut Hourly, mut told: impl FnMut(Hourly)) -> Result<(), StoreError> {
        let step = hourly.step;
        let sql = count::pieces(step);
        let part_of_range = (hourly.to + step.length() - hourly.from) / PARTS;
        let mut tell_at = hourly.to + step.length() - part_of_range;
        for gap in hourly.from_rows.clone() {
            let mut pieces = self.pruned(&gap, step).await?;
            let mut steps = Steps::between(self, gap.start, gap.end, i64::MAX);
            while let Some(mut part) = steps.next().await? {
                let arguments = part.arguments()?;
                let rows: Vec<PieceRow> = part.session.fetch_all(&sql, arguments).await?;
                part.session.done();
                for mut row in rows {
                    let function = bound::cut_name(row.function.take().unwrap_or_default());
                    pieces.add(row.at.0, function, row.into());
                }
                // The rest of the step that it came to is in the next part.
                let back_to = steps.only_since().map_or(gap.start, |at| step.start(at) + step.length());
                hourly.buckets.extend(pieces.take_since(back_to).into_iter().map(Bucket::hide_secrets));
                let goes_on = !steps.ended || hourly.from_rows.last() != Some(&gap);
                if goes_on && back_to <= tell_at {
                    tell_at = back_to - part_of_range;
                    hourly.back_to = Some(back_to);
                    sort(&mut hourly.buckets);
                    told(hourly.clone());
                }
            }
        }
        hourly.back_to = None;
        sort(&mut hourly.buckets);
        Ok(())
    }
}

fn sort(buckets: &mut [Bucket]) {
    buckets.sort_by(|a, b| (a.at, &a.function).cmp(&(b.at, &b.function)));
}

/// The ranges within these moments that `metrics_hourly` covers: nothing where no table tells.
async fn covered(session: &mut Session<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Coverage, StoreError> {
    if !session.capabilities.table("metrics_hourly") || !session.capabilities.table("metrics_coverage") {
        return Ok(Coverage::default());
    }
    let sql = "select covered_from, covered_to, counted_at from @schema.metrics_coverage \
               where covered_from < $2 and covered_to > $1";
    let rows: Vec<(Timestamp, Timestamp, Timestamp)> = session.fetch_all(sql, range(from, to)?).await?;
    Ok(rows.into_iter().map(|(from, to, at)| Covered { from: from.0, to: to.0, counted_at: at.0 }).collect())
}

fn range(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    let added = arguments.add(Timestamp(from)).and_then(|()| arguments.add(Timestamp(to)));
    added.map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

/// The hours of `metrics_hourly` from one moment to another.
async fn stored(session: &mut Session<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Bucket>, StoreError> {
    let optional = |column, of_type| session.capabilities.or_null("metrics_hourly", 'm', column, of_type);
    let (spread, jobs) = (optional("duration_counts", "int[]"), optional("most_failed_jobs", "jsonb"));
    let sql = format!(
        "select m.hour_bucket as at, {} as function, {} as total, {} as ok, {} as failed, {} as events_detected, \
                {} as jobs_run, {} as avg_ms, {} as max_ms, {} as p95_ms, {} as p50_ms, \
                case when array_ndims({spread}) = 1 and cardinality({spread}) < 1000 \
                          and array_position({spread}, null) is null then {spread} end as spread, \
                case when pg_column_size({jobs}) <= {} then {jobs}::text end as failed_jobs \
         from @schema.metrics_hourly m where m.hour_bucket between $1 and $2 order by 1, 2",
        bound::name("m.source_function"),
        bound::count("m.total_invocations"),
        bound::count("m.successful_invocations"),
        bound::count("m.failed_invocations"),
        bound::count("m.total_events_detected"),
        bound::count("m.total_jobs_run"),
        bound::number("m.avg_duration_ms"),
        bound::milliseconds("m.max_duration_ms"),
        bound::number("m.p95_duration_ms"),
        bound::number(&optional("p50_duration_ms", "numeric")),
        bound::MOST_PAYLOAD,
    );
    let rows: Vec<BucketRow> = session.fetch_all(&sql, range(from, to)?).await?;
    Ok(rows.into_iter().map(Bucket::from).collect())
}

/// Numbers of some invocations, or how often a job failed below them.
#[derive(FromRow)]
struct PieceRow {
    at: Timestamp,
    function: Option<Text>,
    name: Option<Text>,
    total: i64,
    ok: i64,
    failed: i64,
    events_detected: i64,
    jobs_run: i64,
    durations: Option<Vec<i64>>,
}

impl From<PieceRow> for Piece {
    fn from(row: PieceRow) -> Self {
        let total = unsigned(row.total);
        match row.name {
            Some(name) => Self { failed_jobs: [(bound::cut_name(name), total)].into(), ..Self::default() },
            None => Self {
                total,
                ok: unsigned(row.ok),
                failed: unsigned(row.failed),
                events_detected: unsigned(row.events_detected),
                jobs_run: unsigned(row.jobs_run),
                durations: row.durations.unwrap_or_default(),
                ..Self::default()
            },
        }
    }
}

#[derive(FromRow)]
struct BucketRow {
    at: Timestamp,
    function: Option<Text>,
    total: i64,
    ok: i64,
    failed: i64,
    events_detected: i64,
    jobs_run: i64,
    avg_ms: Option<f64>,
    max_ms: Option<i64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    spread: Option<Vec<i32>>,
    failed_jobs: Option<Text>,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        Self {
            at: row.at.0,
            function: bound::cut_name(row.function.unwrap_or_default()),
            total: unsigned(row.total),
            ok: unsigned(row.ok),
            failed: unsigned(row.failed),
            events_detected: unsigned(row.events_detected),
            jobs_run: unsigned(row.jobs_run),
            avg_ms: row.avg_ms,
            max_ms: row.max_ms,
            p50_ms: row.p50_ms,
            p95_ms: row.p95_ms,
            spread: row.spread.and_then(|counts| Spread::from_counts(&counts)),
            failed_jobs: names(&row.failed_jobs.map_or(Value::Null, |jobs| bound::json_or_text(jobs, usize::MAX))),
        }
        .hide_secrets()
    }
}

/// A count that can be added to others.
const MOST: u64 = 1_000_000_000_000;

/// `[{"name": …, "count": …}]`, or an object of names with their counts. Anything else is no names.
fn names(jobs: &Value) -> Vec<(String, u64)> {
    let pair = |job: &Value| Some((job.get("name")?.as_str()?.to_owned(), job.get("count")?.as_u64()?.min(MOST)));
    match jobs {
        Value::Array(jobs) => jobs.iter().filter_map(pair).collect(),
        Value::Object(jobs) => {
            jobs.iter().filter_map(|(name, n)| Some((name.clone(), n.as_u64()?.min(MOST)))).collect()
        }
        _ => Vec::new(),
    }
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_jobs_are_read_in_both_forms() {
        let list = serde_json::json!([{"name": "a", "count": 2}, {"name": "b"}, 7]);
        assert_eq!(names(&list), [("a".to_owned(), 2)]);
        assert_eq!(names(&serde_json::json!({"a": 2, "b": "x"})), [("a".to_owned(), 2)]);
        assert_eq!(names(&Value::Null), []);
    }
}

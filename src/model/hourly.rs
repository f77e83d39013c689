//! Invocations per hour, or per shorter step of time, and where the numbers come from.

pub mod coverage;
pub mod pieces;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::spread::Spread;
use super::text::percent;
use super::time::plus;

/// Where hourly numbers were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Table `metrics_hourly`, as `obs-tui db refresh` fills it, for the hours that it covers; the others from rows.
    MetricsHourly,
    /// Counted from the invocations themselves.
    Rows,
}

impl Source {
    /// The name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MetricsHourly => "metrics_hourly",
            Self::Rows => "rows",
        }
    }
}

/// How much time is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// A minute: always counted from rows.
    Minute,
    /// Fifteen minutes: always counted from rows.
    Quarter,
    /// An hour.
    #[default]
    Hour,
}

impl Step {
    /// Its length.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Quarter => TimeDelta::minutes(15),
            Self::Hour => TimeDelta::hours(1),
        }
    }

    /// The beginning of the step that a moment lies in, counted from midnight UTC.
    #[must_use]
    pub fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let into = TimeDelta::seconds(at.timestamp().rem_euclid(self.length().num_seconds()));
        plus(at.with_nanosecond(0).unwrap_or(at), -into)
    }

    /// So many of it, in words: `hour`, `4 minutes`.
    #[must_use]
    pub fn words(self, count: usize) -> String {
        let minutes = self.length().num_minutes().unsigned_abs().saturating_mul(count as u64);
        match minutes {
            1 => "minute".to_owned(),
            60 => "hour".to_owned(),
            1_440 => "day".to_owned(),
            n if n.is_multiple_of(1_440) => format!("{} days", n / 1_440),
            n if n.is_multiple_of(60) => format!("{} hours", n / 60),
            n => format!("{n} minutes"),
        }
    }
}

/// One function in one step of time. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Start of the step, UTC.
    pub at: DateTime<Utc>,
    /// The source function.
    pub function: String,
    /// Invocations.
    pub total: u64,
    /// Of these, those that ended well.
    pub ok: u64,
    /// Of these, failed ones.
    pub failed: u64,
    /// Events detected.
    pub events_detected: u64,
    /// Jobs run.
    pub jobs_run: u64,
    /// Mean duration.
    pub avg_ms: Option<f64>,
    /// Longest duration.
    pub max_ms: Option<i64>,
    /// Median of the durations.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the durations.
    pub p95_ms: Option<f64>,
    /// The durations by length, where the source tells.
    pub spread: Option<Spread>,
    /// Names of failed jobs with their counts.
    pub failed_jobs: Vec<(String, u64)>,
}

/// Numbers of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Hourly {
    /// Where they were read.
    pub source: Source,
    /// The time of the query for rows; of a table, that up to which the rows of its oldest part were counted.
    pub as_of: DateTime<Utc>,
    /// What was counted from rows, the newest first: everything, or what the source does not cover.
    pub from_rows: Vec<Range<DateTime<Utc>>>,
    /// Counting goes on: of the steps that are counted from rows, those before this one are still missing.
    pub back_to: Option<DateTime<Utc>>,
    /// How much time is counted together.
    pub step: Step,
    /// First step of the range.
    pub from: DateTime<Utc>,
    /// Last step of the range.
    pub to: DateTime<Utc>,
    /// In order of time and function; steps without invocations are absent.
    pub buckets: Vec<Bucket>,
}

/// How well a percentile is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// One of the durations: see [`nearest_rank`](super::spread::nearest_rank).
    Exactly,
    /// From counts of durations by length.
    About,
    /// The largest of several: percentiles themselves cannot be added.
    AtMost,
}

/// All functions of one step, or all steps of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// Invocations.
    pub total: u64,
    /// Of these, those that ended well.
    pub ok: u64,
    /// Of these, failed ones.
    pub failed: u64,
    /// Events detected.
    pub events_detected: u64,
    /// Jobs run.
    pub jobs_run: u64,
    /// Longest duration, milliseconds.
    pub max_ms: Option<i64>,
    /// The largest median among the buckets; see [`Self::p50`].
    pub(crate) p50_ms: Option<f64>,
    /// The largest 95th percentile among the buckets; see [`Self::p95`].
    pub(crate) p95_ms: Option<f64>,
    /// How many buckets told durations.
    pub(crate) told: u32,
    /// How many buckets told durations, but not by length.
    pub(crate) unspread: u32,
    /// The durations by length.
    pub spread: Spread,
    /// Mean duration weighted by invocations, milliseconds.
    pub avg_ms: Option<f64>,
    /// Invocations of the buckets that told a mean: its weight.
    pub timed: u64,
}

impl From<&Bucket> for Sum {
    fn from(bucket: &Bucket) -> Self {
        let told = bucket.p95_ms.is_some() || bucket.p50_ms.is_some() || bucket.avg_ms.is_some();
        Self {
            total: bucket.total,
            ok: bucket.ok,
            failed: bucket.failed,
            events_detected: bucket.events_detected,
            jobs_run: bucket.jobs_run,
            max_ms: bucket.max_ms,
            p50_ms: bucket.p50_ms.filter(|ms| ms.is_finite()),
            p95_ms: bucket.p95_ms.filter(|ms| ms.is_finite()),
            told: u32::from(told),
            unspread: u32::from(told && bucket.spread.is_none()),
            spread: bucket.spread.unwrap_or_default(),
            avg_ms: bucket.avg_ms,
            timed: if bucket.avg_ms.is_some() { bucket.total } else { 0 },
        }
    }
}

impl Sum {
    /// Both together.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub fn plus(self, other: Self) -> Self {
        let (a, b) = (self.timed as f64, other.timed as f64);
        let larger = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        Self {
            total: self.total + other.total,
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            events_detected: self.events_detected + other.events_detected,
            jobs_run: self.jobs_run + other.jobs_run,
            max_ms: self.max_ms.max(other.max_ms),
            p50_ms: larger(self.p50_ms, other.p50_ms),
            p95_ms: larger(self.p95_ms, other.p95_ms),
            told: self.told + other.told,
            unspread: self.unspread + other.unspread,
            spread: self.spread.plus(&other.spread),
            avg_ms: match (self.avg_ms, other.avg_ms) {
                (Some(x), Some(y)) if a + b > 0.0 => Some((x * a + y * b) / (a + b)),
                (x, y) => x.or(y),
            },
            timed: self.timed + other.timed,
        }
    }

    /// Invocations that neither failed nor ended well: running, or stuck.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.total.saturating_sub(self.ok.saturating_add(self.failed))
    }

    /// Share of failed invocations in percent, as shown.
    #[must_use]
    pub fn failed_percent(&self) -> String {
        percent(self.failed, self.total)
    }

    /// The order of two sums by their shares of failed invocations.
    #[must_use]
    pub fn by_failures(&self, other: &Self) -> Ordering {
        let share = |a: &Self, b: &Self| u128::from(a.failed) * u128::from(b.total.max(1));
        share(self, other).cmp(&share(other, self))
    }

    /// The median in milliseconds; of several buckets only where these told their durations by length.
    #[must_use]
    pub fn p50(&self) -> Option<(f64, Known)> {
        self.percentile(50, self.p50_ms).filter(|(_, known)| *known != Known::AtMost)
    }

    /// The 95th percentile in milliseconds.
    #[must_use]
    pub fn p95(&self) -> Option<(f64, Known)> {
        self.percentile(95, self.p95_ms)
    }

    /// Whether all durations are known by length.
    #[must_use]
    pub fn is_spread(&self) -> bool {
        self.told > 0 && self.unspread == 0
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    fn percentile(&self, percent: usize, largest: Option<f64>) -> Option<(f64, Known)> {
        if self.told > 1 && self.unspread == 0 {
            let most = self.max_ms.map_or(f64::INFINITY, |ms| ms as f64);
            return self.spread.percentile(percent).map(|ms| (ms.min(most), Known::About));
        }
        largest.map(|ms| (ms, if self.told > 1 { Known::AtMost } else { Known::Exactly }))
    }
}

impl Hourly {
    /// Every step of the range with its sum, empty ones included, of one function only if one is named.
    #[must_use]
    pub fn steps_of(&self, function: Option<&str>) -> Vec<(DateTime<Utc>, Sum)> {
        let mut sums = BTreeMap::<DateTime<Utc>, Sum>::new();
        for bucket in self.buckets.iter().filter(|bucket| function.is_none_or(|name| name == bucket.function)) {
            let sum = sums.entry(bucket.at).or_default();
            *sum = sum.plus(bucket.into());
        }
        let mut steps = Vec::new();
        let mut at = self.step.start(self.from);
        while at <= self.to {
            steps.push((at, sums.get(&at).copied().unwrap_or_default()));
            at += self.step.length();
        }
        steps
    }

    /// Every function with its sum, and its invocations per step of the range; most invocations first.
    #[must_use]
    pub fn functions(&self) -> Vec<(&str, Sum, Vec<u64>)> {
        let index = |at: DateTime<Utc>| {
            let since = at - self.step.start(self.from);
            usize::try_from(since.num_seconds() / self.step.length().num_seconds()).ok()
        };
        let count = index(self.to).map_or(0, |last| last + 1);
        let mut functions = BTreeMap::<&str, (Sum, Vec<u64>)>::new();
        for bucket in &self.buckets {
            let (sum, trend) = functions.entry(&bucket.function).or_insert_with(|| (Sum::default(), vec![0; count]));
            *sum = sum.plus(bucket.into());
            if let Some(slot) = index(bucket.at).and_then(|index| trend.get_mut(index)) {
                *slot += bucket.total;
            }
        }
        let mut functions: Vec<_> = functions.into_iter().map(|(name, (sum, trend))| (name, sum, trend)).collect();
        functions.sort_by(|a, b| b.1.total.cmp(&a.1.total).then(a.0.cmp(b.0)));
        functions
    }

    /// The jobs that failed, of one function only if one is named; most failures first.
    #[must_use]
    pub fn failed_jobs(&self, function: Option<&str>) -> Vec<(&str, u64)> {
        let mut jobs = BTreeMap::<&str, u64>::new();
        for bucket in self.buckets.iter().filter(|bucket| function.is_none_or(|name| name == bucket.function)) {
            for (name, count) in &bucket.failed_jobs {
                *jobs.entry(name).or_default() += count;
            }
        }
        let mut jobs: Vec<_> = jobs.into_iter().collect();
        jobs.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        jobs
    }

    /// Whether a step has not been counted yet: that it holds nothing does not say that nothing happened.
    #[must_use]
    pub fn is_missing(&self, at: DateTime<Utc>) -> bool {
        self.back_to.is_some_and(|back_to| at < back_to) && self.from_rows.iter().any(|range| range.contains(&at))
    }

    /// How much of the time up to a moment was counted.
    #[must_use]
    pub fn counted(&self, until: DateTime<Utc>) -> TimeDelta {
        let end = (self.to + self.step.length()).min(until);
        let missing = |range: &Range<DateTime<Utc>>| match self.back_to {
            Some(back_to) => (range.end.min(back_to).min(end) - range.start).max(TimeDelta::zero()),
            None => TimeDelta::zero(),
        };
        (end - self.from - self.from_rows.iter().map(missing).sum::<TimeDelta>()).max(TimeDelta::zero())
    }

    /// The sum over everything.
    #[must_use]
    pub fn total(&self) -> Sum {
        self.buckets.iter().fold(Sum::default(), |sum, bucket| sum.plus(bucket.into()))
    }
}

/// The hour that a moment lies in.
#[must_use]
pub fn start_of_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    Step::Hour.start(at)
}

/// Consecutive steps that are drawn as one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Start of the first step.
    pub from: DateTime<Utc>,
    /// End of the last step. The last column of a range may be shorter than the others.
    pub to: DateTime<Utc>,
    /// Their sum.
    pub sum: Sum,
}

/// How many steps a column holds so that at most `limit` columns are needed: a part of an hour or day, or whole days.
#[must_use]
pub fn steps_per_column(step: Step, steps: usize, limit: usize) -> usize {
    let least = steps.div_ceil(limit.max(1));
    let (parts, whole): (&[usize], usize) = match step {
        Step::Minute => (&[1, 2, 3, 5, 10, 15, 20, 30], 60),
        Step::Quarter => (&[1, 2], 4),
        Step::Hour => (&[1, 2, 3, 4, 6, 8, 12], 24),
    };
    parts.iter().copied().find(|&part| part >= least).unwrap_or_else(|| least.div_ceil(whole) * whole)
}

/// Joins steps so that at most `limit` columns remain; every step is in exactly one.
#[must_use]
pub fn columns(step: Step, steps: &[(DateTime<Utc>, Sum)], limit: usize) -> Vec<Column> {
    steps
        .chunks(steps_per_column(step, steps.len(), limit))
        .filter_map(|chunk| {
            let sum = chunk.iter().fold(Sum::default(), |sum, (_, step)| sum.plus(*step));
            let (first, last) = (chunk.first()?, chunk.last()?);
            Some(Column { from: first.0, to: last.0 + step.length(), sum })
        })
        .collect()
}

#[cfg(test)]
mod tests;

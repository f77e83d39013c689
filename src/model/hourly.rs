//! Invocations per hour, and where the numbers come from.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Where hourly numbers were read. Each later one is read only where the earlier ones hold nothing for the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Table `metrics_hourly`: the recorded status as its writer counted it.
    MetricsHourly,
    /// Materialized view `dashboard_stats`: the recorded status, as of its last refresh.
    DashboardStats,
    /// Counted from the invocations themselves, by effective status.
    Rows,
}

impl Source {
    /// The name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MetricsHourly => "metrics_hourly",
            Self::DashboardStats => "dashboard_stats",
            Self::Rows => "rows",
        }
    }
}

/// One function in one hour. Durations are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Start of the hour, UTC.
    pub hour: DateTime<Utc>,
    /// The source function.
    pub function: String,
    /// Invocations.
    pub total: u64,
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
    /// 95th percentile of the durations.
    pub p95_ms: Option<f64>,
}

/// Hourly numbers of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Hourly {
    /// Where they were read.
    pub source: Source,
    /// The newest moment that they cover: the time of the query for rows, else of the last aggregation as far as it is known.
    pub as_of: DateTime<Utc>,
    /// First hour of the range.
    pub from: DateTime<Utc>,
    /// Last hour of the range.
    pub to: DateTime<Utc>,
    /// In order of hour and function; hours without invocations are absent.
    pub buckets: Vec<Bucket>,
}

/// All functions of one hour, or all hours of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// Invocations.
    pub total: u64,
    /// Of these, failed ones.
    pub failed: u64,
    /// Events detected.
    pub events_detected: u64,
    /// Jobs run.
    pub jobs_run: u64,
    /// Longest duration, milliseconds.
    pub max_ms: Option<i64>,
    /// The largest 95th percentile among the buckets: percentiles cannot be added, of several this is an upper bound.
    pub p95_ms: Option<f64>,
    /// How many buckets told a percentile; of a single one it is exact.
    pub p95_of: u32,
    /// Mean duration weighted by invocations, milliseconds.
    pub avg_ms: Option<f64>,
    /// Invocations of the buckets that told a mean: its weight.
    pub timed: u64,
}

impl From<&Bucket> for Sum {
    fn from(bucket: &Bucket) -> Self {
        Self {
            total: bucket.total,
            failed: bucket.failed,
            events_detected: bucket.events_detected,
            jobs_run: bucket.jobs_run,
            max_ms: bucket.max_ms,
            p95_ms: bucket.p95_ms,
            p95_of: u32::from(bucket.p95_ms.is_some()),
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
        Self {
            total: self.total + other.total,
            failed: self.failed + other.failed,
            events_detected: self.events_detected + other.events_detected,
            jobs_run: self.jobs_run + other.jobs_run,
            max_ms: self.max_ms.max(other.max_ms),
            p95_ms: match (self.p95_ms, other.p95_ms) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            },
            p95_of: self.p95_of + other.p95_of,
            avg_ms: match (self.avg_ms, other.avg_ms) {
                (Some(x), Some(y)) if a + b > 0.0 => Some((x * a + y * b) / (a + b)),
                (x, y) => x.or(y),
            },
            timed: self.timed + other.timed,
        }
    }

    /// Invocations that did not fail.
    #[must_use]
    pub fn ok(&self) -> u64 {
        self.total.saturating_sub(self.failed)
    }

    /// Share of failed invocations, percent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    pub fn failed_percent(&self) -> f64 {
        if self.total == 0 { 0.0 } else { self.failed as f64 * 100.0 / self.total as f64 }
    }
}

impl Hourly {
    /// Every hour of the range with its sum, empty hours included.
    #[must_use]
    pub fn hours(&self) -> Vec<(DateTime<Utc>, Sum)> {
        self.hours_of(None)
    }

    /// As [`Self::hours`], of one function only if one is named.
    #[must_use]
    pub fn hours_of(&self, function: Option<&str>) -> Vec<(DateTime<Utc>, Sum)> {
        let mut sums = BTreeMap::<DateTime<Utc>, Sum>::new();
        for bucket in self.buckets.iter().filter(|bucket| function.is_none_or(|name| name == bucket.function)) {
            let sum = sums.entry(bucket.hour).or_default();
            *sum = sum.plus(bucket.into());
        }
        let mut hours = Vec::new();
        let mut hour = start_of_hour(self.from);
        while hour <= self.to {
            hours.push((hour, sums.get(&hour).copied().unwrap_or_default()));
            hour += TimeDelta::hours(1);
        }
        hours
    }

    /// Every function with its sum, and its invocations per hour of the range; most invocations first.
    #[must_use]
    pub fn functions(&self) -> Vec<(&str, Sum, Vec<u64>)> {
        let first = start_of_hour(self.from);
        let count = usize::try_from((start_of_hour(self.to) - first).num_hours().max(0)).unwrap_or(0) + 1;
        let mut functions = BTreeMap::<&str, (Sum, Vec<u64>)>::new();
        for bucket in &self.buckets {
            let (sum, trend) = functions.entry(&bucket.function).or_insert_with(|| (Sum::default(), vec![0; count]));
            *sum = sum.plus(bucket.into());
            let index = usize::try_from((bucket.hour - first).num_hours()).ok();
            if let Some(slot) = index.and_then(|index| trend.get_mut(index)) {
                *slot += bucket.total;
            }
        }
        let mut functions: Vec<_> = functions.into_iter().map(|(name, (sum, trend))| (name, sum, trend)).collect();
        functions.sort_by(|a, b| b.1.total.cmp(&a.1.total).then(a.0.cmp(b.0)));
        functions
    }

    /// Whether an hour has not been aggregated yet: that it holds nothing does not say that nothing happened.
    #[must_use]
    pub fn is_missing(&self, hour: DateTime<Utc>) -> bool {
        self.source != Source::Rows && hour > self.as_of
    }

    /// Whether no hour of the range is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.is_missing(start_of_hour(self.to))
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
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

/// Consecutive hours that are drawn as one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Start of the first hour.
    pub from: DateTime<Utc>,
    /// How many hours; the last column of a range may hold fewer than the others.
    pub hours: usize,
    /// Their sum.
    pub sum: Sum,
}

impl Column {
    /// End of the last hour.
    #[must_use]
    pub fn to(&self) -> DateTime<Utc> {
        self.from + TimeDelta::hours(i64::try_from(self.hours).unwrap_or(1))
    }
}

/// How many hours a column holds so that at most `limit` columns are needed: a part of a day, or whole days.
#[must_use]
pub fn hours_per_column(hours: usize, limit: usize) -> usize {
    let least = hours.div_ceil(limit.max(1));
    [1, 2, 3, 4, 6, 8, 12].into_iter().find(|&step| step >= least).unwrap_or_else(|| least.div_ceil(24) * 24)
}

/// Joins hours so that at most `limit` columns remain; every hour is in exactly one.
#[must_use]
pub fn columns(hours: &[(DateTime<Utc>, Sum)], limit: usize) -> Vec<Column> {
    hours
        .chunks(hours_per_column(hours.len(), limit))
        .filter_map(|chunk| {
            let sum = chunk.iter().fold(Sum::default(), |sum, (_, hour)| sum.plus(*hour));
            chunk.first().map(|&(from, _)| Column { from, hours: chunk.len(), sum })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(hour: i64, function: &str, total: u64, failed: u64, avg: f64) -> Bucket {
        Bucket {
            hour: DateTime::from_timestamp(hour * 3600, 0).unwrap(),
            function: function.to_owned(),
            total,
            failed,
            events_detected: total,
            jobs_run: total * 2,
            avg_ms: Some(avg),
            max_ms: Some(9),
            p95_ms: Some(avg),
        }
    }

    #[test]
    fn hours_and_functions_add_up() {
        let at = |hour: i64, minute: i64| DateTime::from_timestamp(hour * 3600 + minute * 60, 0).unwrap();
        let hourly = Hourly {
            source: Source::Rows,
            as_of: at(13, 20),
            from: at(10, 20),
            to: at(13, 20),
            buckets: vec![bucket(10, "b", 3, 0, 10.0), bucket(12, "a", 1, 1, 40.0), bucket(12, "b", 3, 1, 20.0)],
        };
        let hours: Vec<_> = hourly.hours().iter().map(|(_, sum)| (sum.total, sum.failed)).collect();
        assert_eq!(hours, [(3, 0), (0, 0), (4, 2), (0, 0)]);
        let functions = hourly.functions();
        assert_eq!(functions[0].0, "b");
        assert_eq!(functions[0].2, [3, 0, 3, 0]);
        assert_eq!((functions[0].1.avg_ms, functions[0].1.p95_ms), (Some(15.0), Some(20.0)));
        assert_eq!(hourly.total().total, 7);
        assert!((functions[1].1.failed_percent() - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn one_function_has_its_own_hours() {
        let hours = |from: i64, to: i64, buckets| Hourly {
            source: Source::Rows,
            as_of: DateTime::from_timestamp(to * 3600, 0).unwrap(),
            from: DateTime::from_timestamp(from * 3600, 0).unwrap(),
            to: DateTime::from_timestamp(to * 3600, 0).unwrap(),
            buckets,
        };
        let hourly = hours(10, 11, vec![bucket(10, "a", 3, 1, 10.0), bucket(10, "b", 4, 0, 30.0)]);
        let of = |name| hourly.hours_of(name).iter().map(|(_, sum)| sum.total).collect::<Vec<_>>();
        assert_eq!((of(Some("a")), of(Some("none")), of(None)), (vec![3, 0], vec![0, 0], vec![7, 0]));
        assert_eq!(hourly.hours_of(Some("a"))[0].1.p95_of, 1);
        assert_eq!(hourly.hours_of(None)[0].1.p95_of, 2);
    }

    #[test]
    fn a_bucket_without_durations_does_not_weigh() {
        let untimed = Sum { total: 100, ..Sum::default() };
        let timed = Sum::from(&bucket(1, "a", 2, 0, 10.0)).plus(untimed).plus((&bucket(1, "b", 2, 0, 20.0)).into());
        assert_eq!((timed.avg_ms, timed.total, timed.timed, timed.ok()), (Some(15.0), 104, 4, 104));
    }

    #[test]
    fn columns_are_parts_of_a_day() {
        let steps = [(24, 100), (24, 12), (168, 100), (168, 60), (720, 100), (720, 30), (720, 29), (720, 7), (5, 0)];
        let steps = steps.map(|(hours, limit)| hours_per_column(hours, limit));
        assert_eq!(steps, [1, 2, 2, 3, 8, 24, 48, 120, 6]);
    }

    proptest::proptest! {
        #[test]
        fn columns_lose_no_hour(counts in proptest::collection::vec((0u64..1000, 0u64..9), 0..800), limit in 1usize..200) {
            let hours: Vec<_> = (0..).zip(&counts).map(|(i, &(total, failed))| {
                let sum = Sum { total, failed, ..Sum::default() };
                (DateTime::from_timestamp(i * 3600, 0).unwrap(), sum)
            }).collect();
            let columns = columns(&hours, limit);
            proptest::prop_assert!(columns.len() <= limit);
            proptest::prop_assert_eq!(columns.iter().map(|c| c.hours).sum::<usize>(), counts.len());
            proptest::prop_assert_eq!(columns.iter().map(|c| c.sum.total).sum::<u64>(), counts.iter().map(|c| c.0).sum::<u64>());
            proptest::prop_assert_eq!(columns.iter().map(|c| c.sum.failed).sum::<u64>(), counts.iter().map(|c| c.1).sum::<u64>());
            for pair in columns.windows(2) {
                proptest::prop_assert_eq!(pair[0].to(), pair[1].from);
            }
        }
    }
}

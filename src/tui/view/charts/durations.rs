//! Durations per column on a logarithmic axis: one row for each class of lengths, with marks for percentiles and maximum,
//! or with the share of the invocations that were so long. Pure numbers.

use crate::model::hourly::Column;
use crate::model::spread::{STEPS, class_of};

/// Which classes remain, about three times the one before each, where all of them need too many rows.
const COARSE: [&str; 19] = [
    "<1ms", "1ms", "3ms", "10ms", "30ms", "100ms", "300ms", "1s", "3s", "10s", "30s", "1m", "3m", "10m", "30m", "1h",
    "3h", "10h", "1d",
];

/// What is plotted in a cell; the greater hides the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Longest duration.
    Max,
    /// Median, or the mean where the median is not known.
    Middle,
    /// 95th percentile.
    P95,
}

/// A plot: the label of each row from the bottom, and for each column the marks with their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// Labels of the rows, bottom to top.
    pub labels: Vec<&'static str>,
    /// For each column: mark and row, in the order they are to be drawn.
    pub marks: Vec<Vec<(Mark, usize)>>,
}

/// Lays the durations of columns out in at most `rows` rows; nothing without any duration.
#[must_use]
pub fn plot(columns: &[Column], rows: usize) -> Option<Plot> {
    let values = |column: &Column| {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds on a logarithmic axis")]
        let max = column.sum.max_ms.map(|ms| ms as f64);
        let middle = column.sum.p50().map(|(ms, _)| ms).or(column.sum.avg_ms);
        [(Mark::Max, max), (Mark::Middle, middle), (Mark::P95, column.sum.p95().map(|(ms, _)| ms))]
            .into_iter()
            .filter_map(|(mark, ms)| ms.filter(|ms| ms.is_finite()).map(|ms| (mark, ms)))
            .collect::<Vec<_>>()
    };
    let values: Vec<_> = columns.iter().map(values).collect();
    let all = || values.iter().flatten().map(|&(_, ms)| ms);
    let (least, most) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    let axis = Axis::fit(class_of(least), class_of(most), rows);
    let row = |&(mark, ms): &(Mark, f64)| (mark, axis.row(class_of(ms)));
    let marks = values.iter().map(|column| column.iter().map(row).collect()).collect();
    Some(Plot { labels: axis.labels(), marks })
}

/// Shares: the label of each row from the bottom, and for each column how much of it lies in each row, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Labels of the rows, bottom to top.
    pub labels: Vec<&'static str>,
    /// For each column: the share of each row.
    pub shares: Vec<Vec<f64>>,
}

/// Lays the lengths of durations out in at most `rows` rows; nothing without any duration.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shares")]
pub fn heat(columns: &[Column], rows: usize) -> Option<Heat> {
    let counts = || columns.iter().map(|column| column.sum.spread.counts());
    let used = |class: &usize| counts().any(|counts| counts[*class] > 0);
    let (low, high) = ((0..STEPS.len()).find(used)?, (0..STEPS.len()).rfind(used)?);
    let axis = Axis::fit(low, high, rows);
    let labels = axis.labels();
    let share = |column: &Column| {
        let total = column.sum.spread.total().max(1) as f64;
        let mut shares = vec![0.0; labels.len()];
        for (class, &count) in column.sum.spread.counts().iter().enumerate().filter(|&(_, &count)| count > 0) {
            if let Some(share) = shares.get_mut(axis.row(class)) {
                *share += f64::from(count) / total;
            }
        }
        shares
    };
    let shares = columns.iter().map(share).collect();
    Some(Heat { labels, shares })
}

/// Which classes share a row.
struct Axis {
    /// The first class of each step of the axis.
    steps: Vec<usize>,
    low: usize,
    top: usize,
    stride: usize,
}

impl Axis {
    /// An axis from one class to another in at most `rows` rows.
    fn fit(low: usize, high: usize, rows: usize) -> Self {
        let rows = rows.max(1);
        let fits = high - low < rows;
        let steps: Vec<usize> = (0..STEPS.len()).filter(|&class| fits || COARSE.contains(&STEPS[class].1)).collect();
        let step_of = |class: usize| steps.iter().rposition(|&from| class >= from).unwrap_or(0);
        let (low, high) = (step_of(low), step_of(high));
        let stride = (high - low + 1).div_ceil(rows);
        // Room that is left shows longer durations: most charts then keep their axis from one look to the next.
        let top = if stride == 1 { (low + rows - 1).min(steps.len() - 1) } else { high };
        Self { steps, low, top, stride }
    }

    fn labels(&self) -> Vec<&'static str> {
        (self.low..=self.top).step_by(self.stride).map(|step| STEPS[self.steps[step]].1).collect()
    }

    fn row(&self, class: usize) -> usize {
        let step = self.steps.iter().rposition(|&from| class >= from).unwrap_or(0);
        step.saturating_sub(self.low) / self.stride
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::hourly::{Bucket, Sum};
    use crate::model::spread::Spread;

    fn column(avg: f64, p95: f64, max: i64) -> Column {
        let bucket = Bucket {
            at: DateTime::UNIX_EPOCH,
            function: String::new(),
            total: 1,
            ok: 1,
            failed: 0,
            events_detected: 0,
            jobs_run: 0,
            avg_ms: Some(avg),
            max_ms: Some(max),
            p50_ms: None,
            p95_ms: Some(p95),
            spread: None,
            failed_jobs: Vec::new(),
        };
        untimed(Sum::from(&bucket))
    }

    fn untimed(sum: Sum) -> Column {
        Column { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH, sum }
    }

    #[test]
    fn rows_are_steps_of_three() {
        let plot = plot(&[column(310.0, 1_910.0, 11_200), column(90.0, 90.0, 90)], 6).unwrap();
        assert_eq!(plot.labels, ["30ms", "100ms", "300ms", "1s", "3s", "10s"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 5), (Mark::Middle, 2), (Mark::P95, 3)]);
        assert_eq!(plot.marks[1], [(Mark::Max, 0), (Mark::Middle, 0), (Mark::P95, 0)]);
    }

    #[test]
    fn near_durations_have_finer_rows() {
        let plot = plot(&[column(1_660.0, 6_580.0, 7_860)], 6).unwrap();
        assert_eq!(plot.labels, ["1.5s", "2s", "3s", "5s", "7s", "10s"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 4), (Mark::Middle, 0), (Mark::P95, 3)]);
        assert!(COARSE.iter().all(|label| STEPS.iter().any(|step| step.1 == *label)));
    }

    #[test]
    fn a_wide_span_skips_steps() {
        let plot = plot(&[column(0.2, 5.0, 90_000_000)], 4).unwrap();
        assert_eq!(plot.labels, ["<1ms", "100ms", "30s", "1h"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 3), (Mark::Middle, 0), (Mark::P95, 0)]);
    }

    #[test]
    fn nothing_timed_is_no_plot() {
        assert_eq!(plot(&[untimed(Sum::default())], 4), None);
        assert_eq!(heat(&[untimed(Sum::default())], 4), None);
    }

    #[test]
    fn shares_are_of_the_column() {
        let column = |lengths: &[(f64, usize)]| {
            let mut spread = Spread::default();
            lengths.iter().for_each(|&(ms, count)| (0..count).for_each(|_| spread.add(ms)));
            untimed(Sum { spread, ..Sum::default() })
        };
        let heat = heat(&[column(&[(40.0, 3), (2_000.0, 1)]), column(&[]), column(&[(400.0, 7)])], 5).unwrap();
        assert_eq!(heat.labels, ["30ms", "100ms", "300ms", "1s", "3s"]);
        assert_eq!(heat.shares, [vec![0.75, 0.0, 0.0, 0.25, 0.0], vec![0.0; 5], vec![0.0, 0.0, 1.0, 0.0, 0.0]]);
    }

    proptest::proptest! {
        #[test]
        fn every_mark_is_in_a_row(values in proptest::collection::vec((0.0f64..1e9, 0.0f64..1e9, 0i64..1_000_000_000), 1..50), rows in 1usize..20) {
            let columns: Vec<_> = values.iter().map(|&(a, p, m)| column(a, p, m)).collect();
            let plot = plot(&columns, rows).unwrap();
            proptest::prop_assert!(plot.labels.len() <= rows);
            proptest::prop_assert!(plot.marks.iter().flatten().all(|&(_, row)| row < plot.labels.len()));
        }

        #[test]
        fn every_duration_has_its_share(counts in proptest::collection::vec(0i32..9, 1..49), rows in 1usize..20) {
            let spread = Spread::from_counts(&counts).unwrap();
            let heat = heat(&[untimed(Sum { spread, ..Sum::default() })], rows);
            proptest::prop_assert_eq!(heat.is_some(), spread.total() > 0);
            if let Some(heat) = heat {
                proptest::prop_assert!(heat.labels.len() <= rows && heat.shares[0].len() == heat.labels.len());
                proptest::prop_assert!((heat.shares[0].iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}

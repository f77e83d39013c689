//! Durations per column on a logarithmic axis: one row for each step, a mark for mean, 95th percentile and maximum.

use crate::model::hourly::Column;

/// Lower ends of the rows in milliseconds, about half as long again each.
#[rustfmt::skip]
const FINE: [(f64, &str); 49] = [
    (0.0, "<1ms"), (1.0, "1ms"), (2.0, "2ms"), (3.0, "3ms"), (5.0, "5ms"), (7.0, "7ms"), (10.0, "10ms"),
    (15.0, "15ms"), (20.0, "20ms"), (30.0, "30ms"), (50.0, "50ms"), (70.0, "70ms"), (100.0, "100ms"),
    (150.0, "150ms"), (200.0, "200ms"), (300.0, "300ms"), (500.0, "500ms"), (700.0, "700ms"), (1e3, "1s"),
    (1500.0, "1.5s"), (2e3, "2s"), (3e3, "3s"), (5e3, "5s"), (7e3, "7s"), (10e3, "10s"), (15e3, "15s"), (20e3, "20s"),
    (30e3, "30s"), (45e3, "45s"), (6e4, "1m"), (9e4, "1.5m"), (12e4, "2m"), (18e4, "3m"), (30e4, "5m"), (42e4, "7m"),
    (60e4, "10m"), (90e4, "15m"), (120e4, "20m"), (180e4, "30m"), (270e4, "45m"), (36e5, "1h"), (54e5, "1.5h"),
    (72e5, "2h"), (108e5, "3h"), (180e5, "5h"), (252e5, "7h"), (360e5, "10h"), (540e5, "15h"), (864e5, "1d"),
];
/// Which of these remain, about three times the one before each, where the fine ones need too many rows.
const COARSE: [&str; 19] = [
    "<1ms", "1ms", "3ms", "10ms", "30ms", "100ms", "300ms", "1s", "3s", "10s", "30s", "1m", "3m", "10m", "30m", "1h",
    "3h", "10h", "1d",
];

/// What is plotted in a cell; the greater hides the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Longest duration.
    Max,
    /// Mean.
    Mean,
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
        [(Mark::Max, max), (Mark::Mean, column.sum.avg_ms), (Mark::P95, column.sum.p95_ms)]
            .into_iter()
            .filter_map(|(mark, ms)| ms.filter(|ms| ms.is_finite()).map(|ms| (mark, ms)))
            .collect::<Vec<_>>()
    };
    let values: Vec<_> = columns.iter().map(values).collect();
    let all = || values.iter().flatten().map(|&(_, ms)| ms);
    let (least, most) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    let rows = rows.max(1);
    let coarse = || FINE.into_iter().filter(|(_, label)| COARSE.contains(label)).collect::<Vec<_>>();
    let step_of = |steps: &[(f64, &str)], ms: f64| steps.iter().rposition(|&(from, _)| ms >= from).unwrap_or(0);
    let fits = step_of(&FINE, most) - step_of(&FINE, least) < rows;
    let steps = if fits { FINE.to_vec() } else { coarse() };
    let (low, high) = (step_of(&steps, least), step_of(&steps, most));
    let stride = (high - low + 1).div_ceil(rows);
    // Room that is left shows longer durations: most charts then keep their axis from one look to the next.
    let top = if stride == 1 { (low + rows - 1).min(steps.len() - 1) } else { high };
    let labels = (low..=top).step_by(stride).map(|step| steps[step].1).collect();
    let row = |&(mark, ms): &(Mark, f64)| (mark, (step_of(&steps, ms) - low) / stride);
    let marks = values.iter().map(|column| column.iter().map(row).collect()).collect();
    Some(Plot { labels, marks })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::hourly::Sum;

    fn column(avg: f64, p95: f64, max: i64) -> Column {
        let sum = Sum { avg_ms: Some(avg), p95_ms: Some(p95), max_ms: Some(max), ..Sum::default() };
        Column { from: DateTime::UNIX_EPOCH, hours: 1, sum }
    }

    #[test]
    fn rows_are_steps_of_three() {
        let plot = plot(&[column(310.0, 1_910.0, 11_200), column(90.0, 90.0, 90)], 6).unwrap();
        assert_eq!(plot.labels, ["30ms", "100ms", "300ms", "1s", "3s", "10s"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 5), (Mark::Mean, 2), (Mark::P95, 3)]);
        assert_eq!(plot.marks[1], [(Mark::Max, 0), (Mark::Mean, 0), (Mark::P95, 0)]);
    }

    #[test]
    fn near_durations_have_finer_rows() {
        let plot = plot(&[column(1_660.0, 6_580.0, 7_860)], 6).unwrap();
        assert_eq!(plot.labels, ["1.5s", "2s", "3s", "5s", "7s", "10s"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 4), (Mark::Mean, 0), (Mark::P95, 3)]);
        assert!(FINE.windows(2).all(|steps| steps[0].0 < steps[1].0));
        assert!(COARSE.iter().all(|label| FINE.iter().any(|step| step.1 == *label)));
    }

    #[test]
    fn a_wide_span_skips_steps() {
        let plot = plot(&[column(0.2, 5.0, 90_000_000)], 4).unwrap();
        assert_eq!(plot.labels, ["<1ms", "100ms", "30s", "1h"]);
        assert_eq!(plot.marks[0], [(Mark::Max, 3), (Mark::Mean, 0), (Mark::P95, 0)]);
    }

    #[test]
    fn nothing_timed_is_no_plot() {
        assert_eq!(plot(&[Column { from: DateTime::UNIX_EPOCH, hours: 1, sum: Sum::default() }], 4), None);
    }

    proptest::proptest! {
        #[test]
        fn every_mark_is_in_a_row(values in proptest::collection::vec((0.0f64..1e9, 0.0f64..1e9, 0i64..1_000_000_000), 1..50), rows in 1usize..20) {
            let columns: Vec<_> = values.iter().map(|&(a, p, m)| column(a, p, m)).collect();
            let plot = plot(&columns, rows).unwrap();
            proptest::prop_assert!(plot.labels.len() <= rows);
            proptest::prop_assert!(plot.marks.iter().flatten().all(|&(_, row)| row < plot.labels.len()));
        }
    }
}

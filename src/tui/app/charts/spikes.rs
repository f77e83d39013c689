//! Columns that stand out.

use crate::model::hourly::{Column, Sum};

/// A number of a sum.
type Measure = fn(&Sum) -> f64;

/// What is more than so many times the median stands out.
const TIMES: f64 = 2.0;

/// What of a column is far above the median of all columns, in words.
#[must_use]
pub fn spike(columns: &[Column], at: usize) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "compared with a multiple")]
    let measures: [(&str, Measure, f64); 3] = [
        ("failures", |sum| sum.failed as f64, 3.0),
        ("invocations", |sum| sum.total as f64, 10.0),
        ("p95", |sum| sum.p95().map_or(0.0, |(ms, _)| ms), 100.0),
    ];
    let sum = &columns.get(at)?.sum;
    let found: Vec<String> = (measures.iter())
        .filter_map(|(name, measure, least)| {
            let (value, median) = (measure(sum), median(columns, measure));
            let stands_out = value >= *least && value > median * TIMES;
            stands_out.then(|| match median {
                0.0 => format!("{name} where most have none"),
                median => format!("{name} {:.1} times the median", value / median),
            })
        })
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// The median of the columns that hold anything.
fn median(columns: &[Column], measure: &Measure) -> f64 {
    let mut values: Vec<f64> =
        columns.iter().map(|column| &column.sum).filter(|sum| sum.total > 0).map(measure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn what_is_twice_the_median_stands_out() {
        let column = |total, failed| Column {
            from: DateTime::UNIX_EPOCH,
            to: DateTime::UNIX_EPOCH,
            sum: Sum { total, failed, ..Sum::default() },
        };
        let columns = [column(20, 0), column(0, 0), column(45, 0), column(21, 4), column(22, 1)];
        let found: Vec<_> = (0..5).map(|i| spike(&columns, i)).collect();
        assert_eq!(found[2].as_deref(), Some("invocations 2.1 times the median"));
        assert_eq!(found[3].as_deref(), Some("failures where most have none"));
        assert_eq!((&found[0], &found[1], &found[4]), (&None, &None, &None));
        assert_eq!(spike(&columns, 9), None);
    }
}

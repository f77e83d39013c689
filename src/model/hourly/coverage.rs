//! Ranges of hours that were counted. What lies outside was not: that it holds nothing does not say that nothing happened.

use std::ops::Range;

use chrono::{DateTime, Utc};

/// Hours that were counted, those without invocations included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The beginning of the first hour.
    pub from: DateTime<Utc>,
    /// The end of the last hour.
    pub to: DateTime<Utc>,
    /// Rows that changed later were not counted yet.
    pub counted_at: DateTime<Utc>,
}

/// Ranges that do not overlap, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(Vec<Covered>);

impl FromIterator<Covered> for Coverage {
    fn from_iter<I: IntoIterator<Item = Covered>>(ranges: I) -> Self {
        let mut coverage = Self::default();
        ranges.into_iter().for_each(|range| coverage.cover(range));
        coverage
    }
}

impl Coverage {
    /// The ranges, the oldest first.
    #[must_use]
    pub fn ranges(&self) -> &[Covered] {
        &self.0
    }

    /// Whether a moment lies in one of them.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.0.iter().any(|range| (range.from..range.to).contains(&at))
    }

    /// One more range, which was counted after those that it overlaps.
    pub fn cover(&mut self, new: Covered) {
        if new.from >= new.to {
            return;
        }
        self.uncover(new.from, new.to);
        let at = self.0.partition_point(|range| range.from < new.from);
        self.0.insert(at, new);
        self.0.dedup_by(|next, last| {
            let meets = last.to == next.from && last.counted_at == next.counted_at;
            if meets {
                last.to = next.to;
            }
            meets
        });
    }

    /// What lies between these moments is not covered.
    pub fn uncover(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        let rest = |old: Covered| [Covered { to: old.to.min(from), ..old }, Covered { from: old.from.max(to), ..old }];
        self.0 = self.0.drain(..).flat_map(rest).filter(|part| part.from < part.to).collect();
    }

    /// Everything that is covered was counted again up to this moment.
    pub fn renew(&mut self, counted_at: DateTime<Utc>) {
        *self = self.0.drain(..).map(|range| Covered { counted_at, ..range }).collect();
    }

    /// What is not covered from one moment up to another, the newest first.
    #[must_use]
    pub fn gaps(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Range<DateTime<Utc>>> {
        let mut gaps = Vec::new();
        let mut end = to;
        for range in self.0.iter().rev() {
            gaps.push(range.to.max(from)..end);
            end = end.min(range.from);
        }
        gaps.push(from..end);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    fn covered(from: i64, to: i64, counted_at: i64) -> Covered {
        Covered { from: at(from), to: at(to), counted_at: at(counted_at) }
    }

    #[test]
    fn a_range_replaces_what_it_overlaps_and_joins_what_it_meets() {
        let mut coverage: Coverage = [covered(0, 10, 50)].into_iter().collect();
        coverage.cover(covered(4, 6, 60));
        assert_eq!(coverage.ranges(), [covered(0, 4, 50), covered(4, 6, 60), covered(6, 10, 50)]);
        coverage.cover(covered(10, 12, 50));
        coverage.cover(covered(7, 7, 99));
        assert_eq!(coverage.ranges(), [covered(0, 4, 50), covered(4, 6, 60), covered(6, 12, 50)]);
        coverage.renew(at(70));
        assert_eq!(coverage.ranges(), [covered(0, 12, 70)]);
    }

    #[test]
    fn gaps_are_what_is_not_covered_and_nothing_more() {
        let coverage: Coverage = [covered(2, 4, 9), covered(6, 8, 9)].into_iter().collect();
        let gaps = |from, to| coverage.gaps(at(from), at(to));
        assert_eq!(gaps(0, 10), [at(8)..at(10), at(4)..at(6), at(0)..at(2)]);
        assert_eq!((gaps(2, 4), gaps(3, 7)), (vec![], vec![at(4)..at(6)]));
        assert_eq!((gaps(8, 9), gaps(0, 2)), (vec![at(8)..at(9)], vec![at(0)..at(2)]));
        assert_eq!(Coverage::default().gaps(at(1), at(3)), [at(1)..at(3)]);
    }

    proptest::proptest! {
        #[test]
        fn each_hour_is_covered_or_in_a_gap(
            ranges in proptest::collection::vec((0i64..40, 1i64..9, 50i64..53), 0..12), from in 0i64..40, length in 0i64..40,
        ) {
            let coverage: Coverage = ranges.iter().map(|&(from, length, at)| covered(from, from + length, at)).collect();
            proptest::prop_assert!(coverage.ranges().windows(2).all(|pair| pair[0].to <= pair[1].from));
            let gaps = coverage.gaps(at(from), at(from + length));
            proptest::prop_assert!(gaps.windows(2).all(|pair| pair[0].start >= pair[1].end));
            for hour in 0..60 {
                let is_covered = ranges.iter().any(|&(from, length, _)| (from..from + length).contains(&hour));
                proptest::prop_assert_eq!(coverage.contains(at(hour)), is_covered);
                let in_gap = gaps.iter().filter(|gap| gap.contains(&at(hour))).count();
                let expected = (from..from + length).contains(&hour) && !is_covered;
                proptest::prop_assert_eq!(in_gap, usize::from(expected), "hour {}", hour);
            }
        }
    }
}

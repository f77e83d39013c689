//! Durations by length: how many fall into each class. Unlike percentiles, such counts can be added.

/// How many classes there are.
pub const CLASSES: usize = 49;

/// The lower end of each class in milliseconds and its name, each about half as long again as the one before.
#[rustfmt::skip]
pub const STEPS: [(i32, &str); CLASSES] = [
    (0, "<1ms"), (1, "1ms"), (2, "2ms"), (3, "3ms"), (5, "5ms"), (7, "7ms"), (10, "10ms"), (15, "15ms"), (20, "20ms"),
    (30, "30ms"), (50, "50ms"), (70, "70ms"), (100, "100ms"), (150, "150ms"), (200, "200ms"), (300, "300ms"),
    (500, "500ms"), (700, "700ms"), (1_000, "1s"), (1_500, "1.5s"), (2_000, "2s"), (3_000, "3s"), (5_000, "5s"),
    (7_000, "7s"), (10_000, "10s"), (15_000, "15s"), (20_000, "20s"), (30_000, "30s"), (45_000, "45s"), (60_000, "1m"),
    (90_000, "1.5m"), (120_000, "2m"), (180_000, "3m"), (300_000, "5m"), (420_000, "7m"), (600_000, "10m"),
    (900_000, "15m"), (1_200_000, "20m"), (1_800_000, "30m"), (2_700_000, "45m"), (3_600_000, "1h"),
    (5_400_000, "1.5h"), (7_200_000, "2h"), (10_800_000, "3h"), (18_000_000, "5h"), (25_200_000, "7h"),
    (36_000_000, "10h"), (54_000_000, "15h"), (86_400_000, "1d"),
];

/// The class of a duration.
#[must_use]
pub fn class_of(ms: f64) -> usize {
    STEPS.iter().rposition(|&(from, _)| ms >= f64::from(from)).unwrap_or(0)
}

/// How many durations fall into each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread([u32; CLASSES]);

impl Default for Spread {
    fn default() -> Self {
        Self([0; CLASSES])
    }
}

impl Spread {
    /// The counts of the classes in their order; missing ones are zero, more than there are classes is `None`.
    #[must_use]
    pub fn from_counts(counts: &[i32]) -> Option<Self> {
        let mut spread = Self::default();
        if counts.len() > CLASSES {
            return None;
        }
        for (slot, &count) in spread.0.iter_mut().zip(counts) {
            *slot = u32::try_from(count).unwrap_or(0);
        }
        Some(spread)
    }

    /// The counts of the classes in their order.
    #[must_use]
    pub fn counts(&self) -> &[u32; CLASSES] {
        &self.0
    }

    /// One more duration of so many milliseconds.
    pub fn add(&mut self, ms: f64) {
        let slot = &mut self.0[class_of(ms)];
        *slot = slot.saturating_add(1);
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (slot, count) in self.0.iter_mut().zip(other.0) {
            *slot = slot.saturating_add(count);
        }
        self
    }

    /// How many durations there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|&count| u64::from(count)).sum()
    }

    /// About the duration of the nearest rank, in milliseconds: in the class where it lies the durations, whole numbers, are
    /// taken to be spread evenly on a logarithmic scale.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = nearest_rank(usize::try_from(self.total()).ok()?, percent)? as u64;
        let mut before = 0;
        for (class, count) in self.0.iter().map(|&count| u64::from(count)).enumerate() {
            if rank < before + count {
                let low = f64::from(STEPS[class].0);
                // The last duration of the class; of the last class, which has no end, its beginning.
                let high = STEPS.get(class + 1).map_or(low, |&(next, _)| f64::from(next - 1));
                let part = ((rank - before) as f64 + 0.5) / count as f64;
                return Some(if class == 0 { 0.0 } else { low * (high / low).powf(part) });
            }
            before += count;
        }
        None
    }
}

/// The place, in the order of their lengths and counted from 0, of the duration that so many percent of `count` durations do not
/// exceed: of rank ⌈percent · count / 100⌉. The same as `percentile_disc` of PostgreSQL: always one of the durations.
#[must_use]
pub fn nearest_rank(count: usize, percent: usize) -> Option<usize> {
    count.checked_mul(percent)?.div_ceil(100).max(1).checked_sub(1).filter(|&rank| rank < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_rise() {
        assert!(STEPS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(
            [0.0, 0.9, 1.0, 99.0, 100.0, 1e9].map(class_of).map(|i| STEPS[i].1),
            ["<1ms", "<1ms", "1ms", "70ms", "100ms", "1d"]
        );
    }

    #[test]
    fn a_percentile_is_the_duration_of_the_nearest_rank() {
        let ranks = [(1, 50), (2, 50), (2, 95), (20, 95), (21, 95), (100, 95), (100, 100), (3, 0), (0, 95)];
        let ranks = ranks.map(|(count, percent)| nearest_rank(count, percent));
        assert_eq!(ranks, [Some(0), Some(0), Some(1), Some(18), Some(19), Some(94), Some(99), Some(0), None]);
        let mut two = Spread::default();
        two.add(0.0);
        two.add(17_970.0);
        let p95 = two.percentile(95).unwrap();
        assert!((15_000.0..20_000.0).contains(&p95) && two.percentile(50) == Some(0.0), "{p95}");
        assert_eq!(Spread::default().percentile(95), None);
    }

    /// Over many durations of all lengths the estimate is neither above nor below them.
    #[test]
    fn percentiles_do_not_lean() {
        for (low, ratio) in [(1.0_f64, 1.000_9_f64), (400.0, 1.000_3), (20_000.0, 1.000_2)] {
            let values: Vec<f64> = (0..10_000).map(|i| (low * ratio.powi(i)).round()).collect();
            let mut spread = Spread::default();
            values.iter().for_each(|&ms| spread.add(ms));
            let ratio =
                |percent| spread.percentile(percent).unwrap() / values[nearest_rank(values.len(), percent).unwrap()];
            let mean = (1..=99).map(ratio).map(f64::ln).sum::<f64>() / 99.0;
            assert!(mean.abs() < 0.05, "{mean} from {low}");
        }
    }

    #[test]
    fn counts_of_another_writer_are_not_taken_for_ours() {
        assert_eq!(Spread::from_counts(&[1; CLASSES + 1]), None);
        assert_eq!(Spread::from_counts(&[3, -1, 2]).map(|spread| spread.total()), Some(5));
    }

    proptest::proptest! {
        #[test]
        fn percentiles_are_near(mut values in proptest::collection::vec(0u32..80_000_000, 1..300), percent in 1usize..=100) {
            let mut spread = Spread::default();
            values.iter().for_each(|&ms| spread.add(f64::from(ms)));
            proptest::prop_assert_eq!(spread.total(), values.len() as u64);
            values.sort_unstable();
            // The duration of that rank lies in the same class.
            let exact = f64::from(values[nearest_rank(values.len(), percent).unwrap()]);
            let about = spread.percentile(percent).unwrap();
            proptest::prop_assert_eq!(class_of(about), class_of(exact), "{} for {}", about, exact);
        }

        #[test]
        fn sums_are_of_both(a in proptest::collection::vec(0i32..1000, 0..CLASSES), b in proptest::collection::vec(0i32..1000, 0..CLASSES)) {
            let (a, b) = (Spread::from_counts(&a).unwrap(), Spread::from_counts(&b).unwrap());
            proptest::prop_assert_eq!(a.plus(&b).total(), a.total() + b.total());
            proptest::prop_assert_eq!(a.plus(&b), b.plus(&a));
        }
    }
}

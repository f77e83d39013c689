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

    /// About the duration that a share of all (0 to 1) does not exceed, in milliseconds: in the class where it lies the
    /// durations are taken to be spread evenly on a logarithmic scale.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let total = self.total();
        let rank = share.clamp(0.0, 1.0) * (total.checked_sub(1)? as f64);
        let mut before = 0.0;
        for (class, &count) in self.0.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let count = f64::from(count);
            if rank < before + count {
                let part = ((rank - before + 0.5) / count).clamp(0.0, 1.0);
                let low = f64::from(STEPS[class].0);
                let Some(&(high, _)) = STEPS.get(class + 1) else { return Some(low) };
                return Some(if class == 0 { part } else { low * (f64::from(high) / low).powf(part) });
            }
            before += count;
        }
        None
    }
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
    fn counts_of_another_writer_are_not_taken_for_ours() {
        assert_eq!(Spread::from_counts(&[1; CLASSES + 1]), None);
        assert_eq!(Spread::from_counts(&[3, -1, 2]).map(|spread| spread.total()), Some(5));
    }

    proptest::proptest! {
        #[test]
        fn percentiles_are_near(values in proptest::collection::vec(1.0f64..80_000_000.0, 1..300), share in 0.0f64..=1.0) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let mut spread = Spread::default();
            values.iter().for_each(|&ms| spread.add(ms));
            proptest::prop_assert_eq!(spread.total(), values.len() as u64);
            let about = spread.percentile(share).unwrap();
            // The value of that rank lies in the same class, or the rank is between two values.
            let rank = share * (values.len() - 1) as f64;
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            proptest::prop_assert!(about >= low / 2.01 && about <= high * 2.01, "{about} for {low}..{high}");
        }

        #[test]
        fn sums_are_of_both(a in proptest::collection::vec(0i32..1000, 0..CLASSES), b in proptest::collection::vec(0i32..1000, 0..CLASSES)) {
            let (a, b) = (Spread::from_counts(&a).unwrap(), Spread::from_counts(&b).unwrap());
            proptest::prop_assert_eq!(a.plus(&b).total(), a.total() + b.total());
            proptest::prop_assert_eq!(a.plus(&b), b.plus(&a));
        }
    }
}

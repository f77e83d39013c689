//! How much time the charts show, and in which steps.

use crate::model::hourly::Step;

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// An hour, by minutes.
    Hour,
    /// Six hours, by quarters of an hour.
    Hours6,
    /// A day, by hours.
    #[default]
    Day,
    /// A week, by hours.
    Week,
    /// Thirty days, by hours.
    Month,
}

impl Range {
    /// All, shortest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Hours6, Self::Day, Self::Week, Self::Month];

    /// How much time is counted together.
    #[must_use]
    pub fn step(self) -> Step {
        match self {
            Self::Hour => Step::Minute,
            Self::Hours6 => Step::Quarter,
            Self::Day | Self::Week | Self::Month => Step::Hour,
        }
    }

    /// How many steps it has.
    #[must_use]
    pub fn steps(self) -> i32 {
        match self {
            Self::Hour => 60,
            Self::Hours6 | Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        }
    }

    /// Its name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Hours6 => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The next one; after the longest comes the shortest.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self.index() + 1) % Self::ALL.len()]
    }

    /// The next longer or shorter one, if there is one.
    #[must_use]
    pub fn zoomed(self, closer: bool) -> Option<Self> {
        let at = if closer { self.index().checked_sub(1)? } else { self.index() + 1 };
        Self::ALL.get(at).copied()
    }

    /// Whether so many rows are to be counted that it takes long where no hours are.
    #[must_use]
    pub fn is_long(self) -> bool {
        matches!(self, Self::Week | Self::Month)
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|&range| range == self).unwrap_or(0)
    }
}

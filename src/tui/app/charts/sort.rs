//! The table of functions and its order.

use std::cmp::Ordering;

use crate::model::hourly::Sum;

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name, as recorded.
    pub name: String,
    /// Its sum over the range.
    pub sum: Sum,
    /// Its invocations per step.
    pub trend: Vec<u64>,
}

/// What the table is sorted by. All but the name begin with the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Invocations.
    #[default]
    Invocations,
    /// The share of failed ones.
    Failures,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The longest duration.
    Max,
    /// The name.
    Name,
}

impl Sort {
    const ALL: [Self; 6] = [Self::Invocations, Self::Failures, Self::P50, Self::P95, Self::Max, Self::Name];

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&sort| sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Its name in the message row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invocations => "invocations",
            Self::Failures => "share of failures",
            Self::P50 => "median duration",
            Self::P95 => "95th percentile",
            Self::Max => "longest duration",
            Self::Name => "name",
        }
    }

    /// Puts rows into this order, or its reverse; equal ones by name.
    pub fn apply(self, functions: &mut [Function], reverse: bool) {
        functions.sort_by(|a, b| {
            let order = match self {
                Self::Invocations => b.sum.total.cmp(&a.sum.total),
                Self::Failures => b.sum.by_failures(&a.sum),
                Self::P50 => descending(a.sum.p50(), b.sum.p50()),
                Self::P95 => descending(a.sum.p95(), b.sum.p95()),
                Self::Max => b.sum.max_ms.cmp(&a.sum.max_ms),
                Self::Name => a.name.cmp(&b.name),
            };
            let order = if reverse { order.reverse() } else { order };
            order.then_with(|| a.name.cmp(&b.name))
        });
    }
}

fn descending<T>(a: Option<(f64, T)>, b: Option<(f64, T)>) -> Ordering {
    let key = |value: Option<(f64, T)>| value.map_or(-1.0, |(ms, _)| ms);
    key(b).total_cmp(&key(a))
}

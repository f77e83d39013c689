//! The screens.

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The list of invocations.
    Invocations,
    /// The tree of one cascade.
    Flow,
    /// The log lines of one node.
    Logs,
    /// Invocations per hour.
    Charts,
    /// How the jobs of each name went.
    Jobs,
    /// What failed, by fingerprint.
    Failures,
    /// All that is recorded of one node.
    Detail,
    /// Two cascades side by side.
    Compare,
}

impl View {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Invocations,
        Self::Flow,
        Self::Logs,
        Self::Charts,
        Self::Jobs,
        Self::Failures,
        Self::Detail,
        Self::Compare,
    ];
    /// Those with a number, from 1.
    pub const NUMBERED: [Self; 6] =
        [Self::Invocations, Self::Flow, Self::Logs, Self::Charts, Self::Jobs, Self::Failures];
}

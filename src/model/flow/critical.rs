//! The critical path: what determined when the cascade ended.
//!
//! As tracing tools define it (CRISP, Zhang et al. 2022; the same walk is in Jaeger): begin at the end of the root whose
//! tree ends last and go back in time. Of the children that had ended by then, with everything below them, the one that
//! ended last is on the path; its own path is found in the same way. Go on from its start with the children that had
//! ended before, until none is left. Time on the path that no child has belongs to the node itself: its share. Shortening
//! a share shortens the cascade; shortening anything else does not.
//!
//! Undetected events are left out: each was looked at for a moment, and none of them is why anything took long.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Flow, Overview, Times};

/// The critical path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Critical {
    /// From the root down to what ended last, each the parent of the next.
    pub chain: Vec<usize>,
    /// From the start of the root to the end of the path, milliseconds.
    pub took_ms: i64,
    /// The nodes on the path and how much of it each of them has, milliseconds.
    shares: BTreeMap<usize, i64>,
}

impl Critical {
    /// The path through a tree as of `now`; empty where no end is known.
    #[must_use]
    pub fn of(flow: &Flow, overview: &Overview, times: &Times, now: DateTime<Utc>) -> Self {
        let now_ms = overview.offset_ms(now);
        let end = |node: usize| times.get(node).whole_end_ms(now_ms);
        let last = flow.roots.iter().copied().filter(|&root| !flow.nodes[root].is_undetected());
        let last = last.filter_map(|root| Some((end(root)?, std::cmp::Reverse(times.get(root).from_ms), root))).max();
        let Some((until, _, root)) = last else { return Self::default() };
        let mut path = Self { took_ms: until - times.get(root).from_ms, ..Self::default() };
        // A node, from and to when the path is in it or below it, and whether it ended last at each level.
        let mut stack = vec![(root, times.get(root).from_ms, until, true)];
        let mut ended = Vec::new();
        while let Some((node, from, until, is_last)) = stack.pop() {
            if is_last {
                path.chain.push(node);
            }
            ended.clear();
            for &child in &flow.nodes[node].children {
                if let Some(end) = end(child).filter(|_| !flow.nodes[child].is_undetected()) {
                    ended.push((end, times.get(child).from_ms, child));
                }
            }
            ended.sort_unstable_by(|a, b| b.cmp(a));
            let (mut at, mut share, mut first) = (until, 0, true);
            for &(end, child_from, child) in &ended {
                let child_from = child_from.max(from);
                // A child that a wrong clock lets end before its parent began has no part in the path.
                if end <= at && child_from < at && end > from {
                    share += at - end;
                    stack.push((child, child_from, end, is_last && first));
                    (at, first) = (child_from, false);
                }
            }
            path.shares.insert(node, share + (at - from).max(0));
        }
        path
    }

    /// Whether a node is on the path.
    #[must_use]
    pub fn contains(&self, node: usize) -> bool {
        self.shares.contains_key(&node)
    }

    /// The nodes on the path and how much of it each of them has, milliseconds.
    pub fn shares(&self) -> impl Iterator<Item = (usize, i64)> {
        self.shares.iter().map(|(&node, &ms)| (node, ms))
    }

    /// How much of the path is a node's own, milliseconds.
    #[must_use]
    pub fn share_ms(&self, node: usize) -> Option<i64> {
        self.shares.get(&node).copied()
    }

    /// The node with the largest share.
    #[must_use]
    pub fn largest(&self) -> Option<(usize, i64)> {
        self.shares().max_by_key(|&(node, ms)| (ms, std::cmp::Reverse(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::status::STALE_AFTER;
    use super::super::tests::{at, event, id, invocation, job};
    use super::super::{Flow, Overview, Rows, Times};
    use super::Critical;

    /// 1 inv 0..10 s; event 2 at 1..3 s (job 3 at 2..3 s), event 4 at 4..5 s with jobs 5 at 5..7 s, 6 at 5..6 s and 7 at
    /// 8..9 s, by which invocation 9 ran at 9..12 s.
    fn rows() -> Rows {
        let mut root = invocation(1, None);
        root.total_duration_ms = Some(10_000);
        let mut child = invocation(9, Some(7));
        (child.created_at, child.total_duration_ms) = (at(10), Some(3_000));
        let mut events = vec![event(2, 1, "completed"), event(4, 1, "completed"), event(8, 1, "not_detected")];
        for (event, (from, took)) in events.iter_mut().zip([(2, 2_000), (5, 1_000), (1, 500)]) {
            event.created_at = at(from);
            (event.detection_duration_ms, event.handler_duration_ms) = (None, Some(took));
        }
        let mut jobs = vec![
            job(3, 1, 2, "completed"),
            job(5, 1, 4, "completed"),
            job(6, 1, 4, "completed"),
            job(7, 1, 4, "completed"),
        ];
        for (job, (from, took)) in jobs.iter_mut().zip([(3, 1_000), (6, 2_000), (6, 1_000), (9, 1_000)]) {
            (job.created_at, job.duration_ms) = (at(from), Some(took));
        }
        Rows { invocations: vec![root, child], events, jobs, ..Rows::default() }
    }

    fn path(rows: Rows) -> (Flow, Critical) {
        let flow = Flow::build(rows, at(100), STALE_AFTER);
        let overview = Overview::of(&flow);
        let times = Times::of(&flow, &overview, at(100));
        let critical = Critical::of(&flow, &overview, &times, at(100));
        (flow, critical)
    }

    #[test]
    fn the_path_goes_back_from_the_last_end() {
        let (flow, path) = path(rows());
        let chain: Vec<_> = path.chain.iter().map(|&node| flow.nodes[node].id).collect();
        assert_eq!(chain, [1, 4, 7, 9].map(id));
        assert_eq!(path.took_ms, 12_000);
        let mut shares: Vec<_> = path.shares().map(|(node, ms)| (flow.nodes[node].id, ms)).collect();
        shares.sort();
        // Job 6 ended before job 5 did; job 5 ended last before job 7 began, and event 2 before event 4 did.
        let expected = [(1, 2_000), (2, 1_000), (3, 1_000), (4, 2_000), (5, 2_000), (7, 1_000), (9, 3_000)];
        assert_eq!(shares, expected.map(|(n, ms)| (id(n), ms)));
        assert_eq!(path.largest().map(|(node, ms)| (flow.nodes[node].id, ms)), Some((id(9), 3_000)));
    }

    #[test]
    fn a_cascade_without_any_end_has_no_path() {
        let mut stuck = invocation(1, None);
        (stuck.status, stuck.total_duration_ms) = ("running".into(), None);
        let (_, path) = path(Rows { invocations: vec![stuck], ..Rows::default() });
        assert_eq!((path.chain.len(), path.took_ms), (1, 99_000), "it still runs");
        assert_eq!(
            super::Critical::of(&Flow::default(), &Overview::default(), &Times::default(), at(1)),
            Critical::default()
        );
    }

    #[test]
    fn a_chain_of_any_depth_is_walked_without_recursion() {
        let deep = 20_000_u128;
        let rows = Rows {
            invocations: (0..deep).map(|n| invocation(n * 2, (n > 0).then(|| n * 2 - 1))).collect(),
            jobs: (0..deep).map(|n| job(n * 2 + 1, n * 2, 0, "completed")).collect(),
            ..Rows::default()
        };
        let (_, path) = path(rows);
        assert!(path.chain.len() > 10_000);
    }
}

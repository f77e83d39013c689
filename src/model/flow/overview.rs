//! What is told of a whole tree, taken from it once: its place in time, its failures in the order of the tree.

use chrono::{DateTime, Utc};

use super::super::failures::is_copy;
use super::super::status::Effective;
use super::{Flow, Kind, Node};

/// What a screen needs to know of a whole tree beyond its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// When its first node began.
    pub start: Option<DateTime<Utc>>,
    /// When its last node ended as far as that is recorded, in milliseconds after `start`.
    pub end_ms: i64,
    /// The causes of failure: failed nodes that hold an error of their own, or nothing failed directly below them.
    /// In the order of the tree.
    pub failures: Vec<usize>,
    /// Running nodes without a running one directly below them.
    pub running: usize,
    /// Stuck nodes without a stuck one directly below them.
    pub stuck: usize,
    /// The correlation id that most invocations carry.
    pub correlation_id: Option<String>,
    /// The place of each node in the order of the tree.
    places: Vec<usize>,
    /// How many nodes are below each, and how many of them are no undetected events.
    below: Vec<(u32, u32)>,
}

impl Overview {
    /// Takes it from a tree.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let start = flow.nodes.iter().map(|node| node.started_at).min();
        let mut overview = Self {
            start,
            correlation_id: flow.correlation_id().map(str::to_owned),
            places: vec![0; flow.nodes.len()],
            ..Self::default()
        };
        let mut place = 0;
        let mut stack: Vec<usize> = flow.roots.iter().rev().copied().collect();
        while let Some(index) = stack.pop() {
            overview.places[index] = place;
            place += 1;
            let node = &flow.nodes[index];
            stack.extend(node.children.iter().rev());
            let from = overview.offset_ms(node.started_at);
            overview.end_ms = overview.end_ms.max(from.saturating_add(node.duration_ms.unwrap_or(0).max(0)));
            if node.back_reference {
                continue;
            }
            let has_error = node.error.as_deref().is_some_and(|error| !error.is_empty());
            match node.effective {
                Effective::Failed
                    if has_error && !flow.has_copy_below(node) || !flow.has_below(node, Effective::Failed) =>
                {
                    overview.failures.push(index);
                }
                Effective::Running if !flow.has_below(node, Effective::Running) => overview.running += 1,
                Effective::Stuck if !flow.has_below(node, Effective::Stuck) => overview.stuck += 1,
                _ => {}
            }
        }
        overview.below = vec![(0, 0); flow.nodes.len()];
        for index in overview.order().into_iter().rev() {
            let node = &flow.nodes[index];
            let (all, telling) = overview.below[index];
            if let Some(parent) = node.parent {
                let above = &mut overview.below[parent];
                *above = (above.0 + all + 1, above.1 + telling + u32::from(!node.is_undetected()));
            }
        }
        overview
    }

    /// How many nodes are below a node, undetected events left out, and how many causes of failure are among them.
    #[must_use]
    pub fn below(&self, node: usize) -> (usize, usize) {
        let (all, telling) = self.below.get(node).copied().unwrap_or_default();
        let place = self.place(node);
        let before = |end: usize| self.failures.partition_point(|&failure| self.places[failure] <= end);
        (telling as usize, before(place + all as usize) - before(place))
    }

    /// The place of a node in the order of the tree, from 0.
    #[must_use]
    pub fn place(&self, node: usize) -> usize {
        self.places.get(node).copied().unwrap_or_default()
    }

    /// All nodes in the order of the tree: each before what is below it.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let mut order = vec![0; self.places.len()];
        for (node, &place) in self.places.iter().enumerate() {
            order[place] = node;
        }
        order
    }

    /// A moment, in milliseconds after the start; never negative.
    #[must_use]
    pub fn offset_ms(&self, at: DateTime<Utc>) -> i64 {
        self.start.map_or(0, |start| (at - start).num_milliseconds().max(0))
    }

    /// The end of the time axis, in milliseconds after the start: the last recorded end, or now while something runs.
    /// Never 0.
    #[must_use]
    pub fn axis_ms(&self, now: DateTime<Utc>) -> i64 {
        let end = if self.running > 0 { self.end_ms.max(self.offset_ms(now)) } else { self.end_ms };
        end.max(1)
    }

    /// The place in [`Self::failures`] of the next one after a node, or of the one before it, and whether the search
    /// went round the end.
    #[must_use]
    pub fn failure_from(&self, node: Option<usize>, forward: bool) -> Option<(usize, bool)> {
        let last = self.failures.len().checked_sub(1)?;
        let Some(place) = node.and_then(|node| self.places.get(node)) else { return Some((0, false)) };
        let found = if forward {
            Some(self.failures.partition_point(|&failure| self.places[failure] <= *place)).filter(|&at| at <= last)
        } else {
            self.failures.partition_point(|&failure| self.places[failure] < *place).checked_sub(1)
        };
        Some(found.map_or((if forward { 0 } else { last }, true), |at| (at, false)))
    }
}

impl Flow {
    /// Whether an event or a job directly below has this status. Invocations further down do not explain it.
    fn has_below(&self, node: &Node, effective: Effective) -> bool {
        (node.children.iter().map(|&child| &self.nodes[child]))
            .any(|child| child.kind != Kind::Invocation && child.effective == effective)
    }

    /// Whether the error of an event or invocation is that of an event or a job of it.
    fn has_copy_below(&self, node: &Node) -> bool {
        let Some(error) = node.error.as_deref() else { return false };
        let within = |node: &Node| {
            let below = node.children.iter().map(|&child| &self.nodes[child]);
            below.filter(|child| child.kind != Kind::Invocation).collect::<Vec<_>>()
        };
        let is_same = |child: &&Node| child.error.as_deref().is_some_and(|of| is_copy(error, of));
        node.kind != Kind::Job && within(node).iter().any(|child| is_same(child) || within(child).iter().any(is_same))
    }

    /// A node and everything below it that belongs to the same invocation.
    #[must_use]
    pub fn within_invocation(&self, node: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut stack = vec![node];
        while let Some(index) = stack.pop() {
            found.push(index);
            let children = self.nodes[index].children.iter().rev().copied();
            stack.extend(children.filter(|&child| self.nodes[child].kind != Kind::Invocation));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::super::status::STALE_AFTER;
    use super::super::tests::{at, event, id, invocation, job};
    use super::super::{Flow, Rows};
    use super::Overview;

    /// 1 inv (event 10 with jobs 20 failed and 21, event 11 with job 22 failed) → 2 inv by job 21, running.
    fn flow() -> Flow {
        let mut jobs = vec![job(20, 1, 10, "failed"), job(21, 1, 10, "completed"), job(22, 1, 11, "failed")];
        jobs[1].duration_ms = Some(5_000);
        let mut running = invocation(2, Some(21));
        running.status = "running".into();
        let rows = Rows {
            invocations: vec![invocation(1, None), running],
            events: vec![event(10, 1, "completed"), event(11, 1, "completed"), event(12, 1, "not_detected")],
            jobs,
            ..Rows::default()
        };
        Flow::build(rows, at(60), STALE_AFTER)
    }

    #[test]
    fn failures_are_causes_in_the_order_of_the_tree() {
        let flow = flow();
        let overview = Overview::of(&flow);
        let ids: Vec<_> = overview.failures.iter().map(|&node| flow.nodes[node].id).collect();
        assert_eq!(ids, [id(20), id(22)], "neither the invocation nor the events that failed by them");
        let (first, second) = (overview.failures[0], overview.failures[1]);
        let root = flow.roots[0];
        assert_eq!(overview.failure_from(Some(root), true), Some((0, false)));
        assert_eq!(overview.failure_from(Some(first), true), Some((1, false)));
        assert_eq!(overview.failure_from(Some(second), true), Some((0, true)));
        assert_eq!(overview.failure_from(Some(second), false), Some((0, false)));
        assert_eq!(overview.failure_from(Some(root), false), Some((1, true)));
        assert_eq!(Overview::default().failure_from(None, true), None);
    }

    #[test]
    fn an_error_that_is_copied_upward_is_one_failure() {
        let mut root = invocation(1, None);
        (root.status, root.error_message) = ("failed".into(), Some("handler: broken".into()));
        let mut handled = event(2, 1, "handler_failed");
        handled.error = Some("broken".into());
        let mut failing = job(3, 1, 2, "failed");
        failing.error = Some("broken".into());
        let rows = Rows { invocations: vec![root], events: vec![handled], jobs: vec![failing], ..Rows::default() };
        let causes = |rows: &Rows| {
            let flow = Flow::build(rows.clone(), at(60), STALE_AFTER);
            Overview::of(&flow).failures.iter().map(|&node| flow.nodes[node].id).collect::<Vec<_>>()
        };
        assert_eq!(causes(&rows), [id(3)]);
        let mut own = rows.clone();
        own.events[0].error = Some("another".into());
        assert_eq!(causes(&own), [2, 3].map(id));
        let mut above = rows;
        (above.jobs[0].error, above.jobs[0].status) = (None, "completed".into());
        assert_eq!(causes(&above), [id(2)]);
    }

    #[test]
    fn the_axis_ends_now_while_something_runs() {
        let flow = flow();
        let overview = Overview::of(&flow);
        assert_eq!((overview.start, overview.running, overview.stuck), (Some(at(1)), 1, 0));
        assert_eq!(overview.end_ms, 25_000, "job 21 began 20 s after the start and took 5 s");
        assert_eq!(overview.axis_ms(at(61)), 60_000);
        assert_eq!(overview.offset_ms(at(1) - TimeDelta::seconds(5)), 0);
        assert_eq!(Overview::default().axis_ms(at(1)), 1);
    }

    #[test]
    fn a_node_holds_what_its_invocation_holds_below_it() {
        let flow = flow();
        let below: Vec<_> = flow.within_invocation(flow.roots[0]).into_iter().map(|node| flow.nodes[node].id).collect();
        assert_eq!(below, [1, 10, 20, 21, 11, 22, 12].map(id));
    }
}

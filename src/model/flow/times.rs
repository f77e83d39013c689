//! Self and total time of each node.
//!
//! A node's own interval is from when it was recorded to its recorded duration later; while it runs, to now. Where
//! nobody knows an end, as of what is stuck, there is no interval. Then
//!
//! ```text
//! total = (the last end of the node and of everything below it) - its start
//! self  = its own interval - the union of its children's own intervals, as far as they lie in it
//! ```
//!
//! so that self <= own <= total. Jobs that run beside each other count once, and clocks of different machines may let a
//! child begin before its parent: nothing becomes negative by that.
//!
//! Before its start a node has waited since it could have started: an event since its invocation began, a job since its
//! event was detected, an invocation since the job that caused it ended, where that was before.

use chrono::{DateTime, Utc};

use super::super::status::Effective;
use super::{Flow, Kind, Node, Overview};

/// When a node ran, in milliseconds after the start of the cascade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// When it could have started, as far as the nodes above it tell; its start, or before.
    pub ready_ms: i64,
    /// Its start.
    pub from_ms: i64,
    /// When the detection of an event ended; the start of everything else.
    pub work_ms: i64,
    /// Failed because of what is below it: when the first of that ended.
    pub failed_below_ms: Option<i64>,
    /// Its own end, when that is recorded.
    pub own_end_ms: Option<i64>,
    /// The last recorded end of it and everything below it.
    pub last_end_ms: Option<i64>,
    /// Whether it runs.
    pub runs: bool,
    /// Whether it or anything below it runs.
    pub runs_below: bool,
    /// How much of its own interval its children's cover.
    covered_ms: i64,
    /// Its self time where a child runs beside it: what is covered then grows as the node does, and this stays.
    fixed_self_ms: Option<i64>,
}

impl Span {
    fn of(node: &Node, overview: &Overview) -> Self {
        let from_ms = overview.offset_ms(node.started_at);
        let own_end_ms = node.duration_ms.map(|ms| from_ms.saturating_add(ms.max(0)));
        // What counts as running although its end is recorded is so because of something below it.
        let runs = own_end_ms.is_none() && node.effective == Effective::Running;
        let last_end_ms = own_end_ms;
        let work_ms = from_ms.saturating_add(node.detection_ms.unwrap_or(0).max(0));
        let work_ms = own_end_ms.map_or(work_ms, |end| work_ms.min(end));
        Self { ready_ms: from_ms, from_ms, work_ms, own_end_ms, last_end_ms, runs, runs_below: runs, ..Self::default() }
    }

    /// When what is below this one could have started.
    fn ready_below(&self, above: Kind, below: Kind) -> i64 {
        match (above, below) {
            // While the job runs nobody knows when in it the row was written.
            (_, Kind::Invocation) => self.own_end_ms.unwrap_or(i64::MAX),
            (Kind::Event, _) => self.work_ms,
            _ => self.from_ms,
        }
    }

    /// When a failed node failed.
    fn failed_ms(&self) -> i64 {
        self.failed_below_ms.or(self.own_end_ms).unwrap_or(self.from_ms)
    }

    /// The end of its own interval.
    #[must_use]
    pub fn end_ms(&self, now_ms: i64) -> Option<i64> {
        if self.runs { Some(now_ms.max(self.from_ms)) } else { self.own_end_ms }
    }

    /// Whether its self time grows.
    #[must_use]
    pub fn self_grows(&self) -> bool {
        self.runs && self.fixed_self_ms.is_none()
    }

    /// The last end of it and of everything below it.
    #[must_use]
    pub fn whole_end_ms(&self, now_ms: i64) -> Option<i64> {
        let now = self.runs_below.then_some(now_ms.max(self.from_ms));
        self.last_end_ms.max(now).map(|end| end.max(self.from_ms))
    }

    /// From its start to the last end of it and everything below it; nothing where no end is known.
    #[must_use]
    pub fn total_ms(&self, now_ms: i64) -> Option<i64> {
        Some(self.whole_end_ms(now_ms)? - self.from_ms)
    }

    /// What none of its children did.
    #[must_use]
    pub fn self_ms(&self, now_ms: i64) -> Option<i64> {
        let own = self.end_ms(now_ms)? - self.from_ms;
        Some(self.fixed_self_ms.map_or((own - self.covered_ms).max(0), |fixed| fixed.min(own)))
    }
}

/// When all nodes ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    spans: Vec<Span>,
}

impl Times {
    /// The times of a tree as of `now`.
    #[must_use]
    pub fn of(flow: &Flow, overview: &Overview, now: DateTime<Utc>) -> Self {
        let now_ms = overview.offset_ms(now);
        let mut spans: Vec<Span> = flow.nodes.iter().map(|node| Span::of(node, overview)).collect();
        let mut inside = Vec::new();
        for index in overview.order().into_iter().rev() {
            let node = &flow.nodes[index];
            let Span { from_ms, runs, .. } = spans[index];
            if let Some(parent) = node.parent {
                spans[index].ready_ms = spans[parent].ready_below(flow.nodes[parent].kind, node.kind).min(from_ms);
            }
            let end = spans[index].end_ms(now_ms).unwrap_or(from_ms);
            inside.clear();
            let (mut last, mut runs_below, mut child_runs) = (spans[index].last_end_ms, runs, false);
            for child in node.children.iter().map(|&child| spans[child]) {
                last = last.max(child.last_end_ms);
                runs_below |= child.runs_below;
                child_runs |= child.runs && runs;
                if let Some(child_end) = child.end_ms(now_ms) {
                    inside.push((child.from_ms.clamp(from_ms, end), child_end.clamp(from_ms, end)));
                }
            }
            let covered = union(&mut inside);
            let failed = node.children.iter().copied().filter(|&child| {
                let child = &flow.nodes[child];
                child.kind != Kind::Invocation && child.effective == Effective::Failed
            });
            let failed = failed.map(|child| spans[child].failed_ms()).min();
            let span = &mut spans[index];
            (span.last_end_ms, span.runs_below, span.covered_ms) = (last, runs_below, covered);
            span.failed_below_ms = failed.filter(|_| node.effective == Effective::Failed);
            span.fixed_self_ms = child_runs.then(|| end - from_ms - covered);
        }
        Self { spans }
    }

    /// The times of a node.
    #[must_use]
    pub fn get(&self, node: usize) -> Span {
        self.spans.get(node).copied().unwrap_or_default()
    }
}

/// The length of what these intervals cover together.
fn union(intervals: &mut [(i64, i64)]) -> i64 {
    intervals.sort_unstable();
    let (mut covered, mut until) = (0, i64::MIN);
    for &(from, to) in intervals.iter() {
        covered += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::super::super::status::STALE_AFTER;
    use super::super::tests::{any_rows, at, event, id, invocation, job};
    use super::super::{Critical, Flow, Overview, Rows};
    use super::{Times, union};

    /// Times of a node in milliseconds: self, total.
    fn shown(rows: &Rows, now: i64, n: u128) -> (Option<i64>, Option<i64>) {
        let flow = Flow::build(rows.clone(), at(now), STALE_AFTER);
        let overview = Overview::of(&flow);
        let span = Times::of(&flow, &overview, at(now)).get(flow.find(id(n)).unwrap());
        let now_ms = overview.offset_ms(at(now));
        (span.self_ms(now_ms), span.total_ms(now_ms))
    }

    /// 1 inv 0..10 s; its event 2 at 1..5 s with jobs 3 at 2..4 s, 4 at 3..9 s, 5 at 6..7 s.
    fn rows() -> Rows {
        let mut root = invocation(1, None);
        root.total_duration_ms = Some(10_000);
        let mut handled = event(2, 1, "completed");
        (handled.detection_duration_ms, handled.handler_duration_ms) = (Some(1_000), Some(3_000));
        let mut jobs = vec![job(3, 1, 2, "completed"), job(4, 1, 2, "completed"), job(5, 1, 2, "completed")];
        for (job, (from, took)) in jobs.iter_mut().zip([(3, 2_000), (4, 6_000), (7, 1_000)]) {
            (job.created_at, job.duration_ms) = (at(from), Some(took));
        }
        Rows { invocations: vec![root], events: vec![handled], jobs, ..Rows::default() }
    }

    #[test]
    fn self_is_what_no_child_did_and_total_reaches_to_the_last_end() {
        let rows = rows();
        assert_eq!(shown(&rows, 100, 1), (Some(6_000), Some(10_000)), "the event covers 4 of 10 s");
        assert_eq!(
            shown(&rows, 100, 2),
            (Some(1_000), Some(8_000)),
            "jobs beside each other count once, and in it only"
        );
        assert_eq!(shown(&rows, 100, 4), (Some(6_000), Some(6_000)));
        let mut rows = rows;
        rows.jobs[1].duration_ms = None;
        assert_eq!(shown(&rows, 100, 4), (None, None), "completed, and nobody wrote how long it took");
        assert_eq!(shown(&rows, 100, 2), (Some(2_000), Some(6_000)));
    }

    #[test]
    fn running_nodes_grow_and_stuck_ones_have_no_end() {
        let mut rows = rows();
        rows.invocations[0].status = "running".into();
        rows.invocations[0].total_duration_ms = None;
        rows.jobs[1].status = "running".into();
        rows.jobs[1].duration_ms = None;
        rows.jobs[1].updated_at = at(99);
        rows.events[0].status = "handling".into();
        rows.events[0].updated_at = at(99);
        rows.invocations[0].updated_at = at(99);
        assert_eq!(shown(&rows, 30, 1), (Some(25_000), Some(29_000)));
        assert_eq!(shown(&rows, 30, 4), (Some(26_000), Some(26_000)));
        // The same tree, looked at later without reading it again.
        let flow = Flow::build(rows.clone(), at(30), STALE_AFTER);
        let overview = Overview::of(&flow);
        let span = Times::of(&flow, &overview, at(30)).get(flow.find(id(1)).unwrap());
        assert_eq!((span.self_ms(39_000), span.total_ms(39_000)), (Some(35_000), Some(39_000)));
        for row in [&mut rows.jobs[1].updated_at, &mut rows.events[0].updated_at, &mut rows.invocations[0].updated_at] {
            *row = at(1);
        }
        assert_eq!(shown(&rows, 10_000, 4), (None, None));
        assert_eq!(shown(&rows, 10_000, 1), (None, Some(7_000)), "to the last end that is known");
    }

    #[test]
    fn waiting_begins_when_nothing_above_holds_it_up() {
        let mut rows = rows();
        let mut caused = invocation(6, Some(3));
        (caused.created_at, caused.total_duration_ms) = (at(8), Some(500));
        rows.invocations.push(caused);
        rows.jobs[1].status = "failed".into();
        let flow = Flow::build(rows, at(100), STALE_AFTER);
        let overview = Overview::of(&flow);
        let times = Times::of(&flow, &overview, at(100));
        let span = |n| times.get(flow.find(id(n)).unwrap());
        let waits = |n| (span(n).ready_ms, span(n).from_ms);
        assert_eq!(waits(1), (0, 0));
        assert_eq!((waits(2), span(2).work_ms), ((0, 1_000), 2_000), "for its invocation, then detected for a second");
        assert_eq!((waits(3), waits(5)), ((2_000, 2_000), (2_000, 6_000)), "for the detection");
        assert_eq!(waits(6), (4_000, 7_000), "for the job that caused it");
        assert_eq!((span(4).failed_below_ms, span(4).own_end_ms), (None, Some(9_000)), "it failed by itself");
        assert_eq!([1, 2].map(|n| span(n).failed_below_ms), [Some(9_000); 2]);
    }

    #[test]
    fn a_handler_that_runs_has_no_end_though_its_detection_has_one() {
        let mut rows = rows();
        (rows.events[0].status, rows.events[0].handler_duration_ms) = ("handling".into(), None);
        rows.events[0].updated_at = at(20);
        rows.invocations[0].status = "running".into();
        rows.jobs.clear();
        assert_eq!(shown(&rows, 21, 2), (Some(19_000), Some(19_000)));
    }

    #[test]
    fn what_intervals_cover_counts_once() {
        assert_eq!(union(&mut [(5, 9), (0, 2), (1, 3), (6, 7)]), 7);
        assert_eq!(union(&mut []), 0);
    }

    proptest::proptest! {
        #[test]
        fn times_are_sane_on_any_clocks(rows in any_rows(), now in 0_i64..2_000) {
            let flow = Flow::build(rows, at(now), STALE_AFTER);
            let overview = Overview::of(&flow);
            let times = Times::of(&flow, &overview, at(now));
            let now_ms = overview.offset_ms(at(now));
            for (index, node) in flow.nodes.iter().enumerate() {
                let span = times.get(index);
                proptest::prop_assert!(span.ready_ms <= span.from_ms && span.from_ms <= span.work_ms);
                let (own, total) = (span.self_ms(now_ms), span.total_ms(now_ms));
                proptest::prop_assert!(own.is_none_or(|own| own >= 0 && total.is_some_and(|total| own <= total)));
                for later in [now_ms + 5_000, i64::MAX] {
                    proptest::prop_assert!(span.self_ms(later).is_none_or(|own| span.total_ms(later).is_some_and(|total| own <= total)));
                }
                if let Some(end) = span.end_ms(now_ms) {
                    let inside = node.children.iter().map(|&child| {
                        let child = times.get(child);
                        child.end_ms(now_ms).map_or(0, |end| end - child.from_ms)
                    }).fold(own.unwrap(), i64::saturating_add);
                    proptest::prop_assert!(end - span.from_ms <= inside, "self and children make up the whole");
                }
            }
            let critical = Critical::of(&flow, &overview, &times, at(now));
            let shares: i64 = critical.shares().map(|(_, ms)| ms).fold(0, i64::saturating_add);
            proptest::prop_assert!(critical.shares().all(|(_, ms)| ms >= 0));
            proptest::prop_assert_eq!(shares, critical.took_ms, "the path is divided without rest");
            proptest::prop_assert!(critical.chain.windows(2).all(|pair| flow.nodes[pair[1]].parent == Some(pair[0])));
            proptest::prop_assert!(critical.chain.iter().all(|&node| critical.contains(node)));
            proptest::prop_assert_eq!(critical.chain.is_empty(), critical.took_ms == 0 && critical.shares().count() == 0);
        }
    }
}

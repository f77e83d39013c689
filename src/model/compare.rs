//! Two cascades side by side, aligned by the names on the way to each node.

use std::collections::HashMap;

use super::flow::{Flow, Kind, Node};
use super::status::Effective;

/// A node takes notably longer or shorter from this difference on, milliseconds.
const NOTABLE_MS: i64 = 20;
/// And from this share of the shorter time on, percent.
const NOTABLE_PERCENT: i64 = 20;

/// A line: what stands at the same place in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Levels below the first line.
    pub depth: usize,
    /// The node of the first cascade.
    pub left: Option<usize>,
    /// The node of the second.
    pub right: Option<usize>,
    /// How they differ.
    pub change: Change,
}

/// How two nodes differ; the first of these that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the first cascade has it.
    Missing,
    /// Only the second has it.
    Added,
    /// They went differently.
    Status,
    /// The second took longer by so much, milliseconds.
    Slower(i64),
    /// The second took so much less, milliseconds.
    Faster(i64),
    /// Nothing notable.
    Same,
}

/// In what two invocations that are compared were caused differently: then what differs below them tells little.
#[must_use]
pub fn other_trigger(left: &Node, right: &Node) -> Vec<&'static str> {
    let parts = |node: &Node| {
        let (operation, table) = node.trigger.split_once(' ').unwrap_or(("", &node.trigger));
        [node.name.to_string(), operation.to_owned(), table.to_owned()]
    };
    let (left, right) = (parts(left), parts(right));
    let names = ["function", "operation", "table"].into_iter().zip(left.iter().zip(&right));
    names.filter(|(_, (left, right))| left != right).map(|(name, _)| name).collect()
}

/// Pairs what is at and below two nodes, in the order of the first tree; what only the second has comes after its
/// siblings. Events that applied in neither are left out.
#[must_use]
pub fn pairs((left, from): (&Flow, usize), (right, to): (&Flow, usize)) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut stack = vec![(0, Some(from), Some(to))];
    while let Some((depth, a, b)) = stack.pop() {
        let (before, after) = (a.and_then(|a| left.nodes.get(a)), b.and_then(|b| right.nodes.get(b)));
        pairs.push(Pair { depth, left: a, right: b, change: change(before, after) });
        let below = children((left, before), (right, after));
        stack.extend(below.into_iter().rev().map(|(a, b)| (depth + 1, a, b)));
    }
    pairs
}

/// The children of two nodes, each with that of the same kind and name, the first with the first, the second with the
/// second.
fn children(
    (left, before): (&Flow, Option<&Node>),
    (right, after): (&Flow, Option<&Node>),
) -> Vec<(Option<usize>, Option<usize>)> {
    let below = |node: Option<&Node>| node.map_or_else(Vec::new, |node| node.children.clone());
    let mut others: HashMap<(Kind, &str), Vec<usize>> = HashMap::new();
    let of_right = below(after);
    for &child in of_right.iter().rev() {
        let node = &right.nodes[child];
        others.entry((node.kind, &*node.name)).or_default().push(child);
    }
    let mut pairs = Vec::new();
    for child in below(before) {
        let node = &left.nodes[child];
        let other = others.get_mut(&(node.kind, &*node.name)).and_then(Vec::pop);
        let nowhere = node.is_undetected() && other.is_none_or(|other| right.nodes[other].is_undetected());
        if !nowhere {
            pairs.push((Some(child), other));
        }
    }
    let mut rest: Vec<usize> =
        others.into_values().flatten().filter(|&child| !right.nodes[child].is_undetected()).collect();
    rest.sort_by_key(|child| of_right.iter().position(|other| other == child));
    pairs.extend(rest.into_iter().map(|child| (None, Some(child))));
    pairs
}

fn change(left: Option<&Node>, right: Option<&Node>) -> Change {
    let (Some(left), Some(right)) = (left, right) else {
        return if left.is_some() { Change::Missing } else { Change::Added };
    };
    if left.effective != right.effective {
        return match (left.effective, right.effective) {
            // An event that did not apply is there, but nothing of it happened.
            (Effective::NotDetected, _) => Change::Added,
            (_, Effective::NotDetected) => Change::Missing,
            _ => Change::Status,
        };
    }
    let (Some(before), Some(after)) = (left.duration_ms, right.duration_ms) else { return Change::Same };
    let difference = after.saturating_sub(before);
    let least = before.min(after).max(0).saturating_mul(NOTABLE_PERCENT) / 100;
    match difference {
        ms if ms.saturating_abs() < NOTABLE_MS.max(least) => Change::Same,
        ms if ms > 0 => Change::Slower(ms),
        ms => Change::Faster(ms.saturating_neg()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow::{Flow, Rows};
    use super::super::invocation::{Event, Invocation, Job};
    use super::super::status::STALE_AFTER;
    use super::*;
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// Events with their jobs: name, duration; negative: failed.
    fn flow(events: &[(&str, &[(&str, i64)])]) -> Flow {
        let mut n = 0;
        let mut id = || {
            n += 1;
            Uuid::from_u128(n)
        };
        let invocation = Invocation {
            id: id(),
            created_at: at(),
            updated_at: at(),
            correlation_id: None,
            source_function: "f".into(),
            source_table: None,
            source_operation: None,
            source_system: None,
            source_user_email: None,
            parent: None,
            total_duration_ms: Some(10),
            status: "completed".into(),
            error_message: None,
            delivery: Default::default(),
            link_unread: false,
            has_error_stack: false,
        };
        let mut rows = Rows::default();
        for (name, jobs) in events {
            let (name, detected) = (name.trim_start_matches('-').into(), !name.starts_with('-'));
            let event = Event {
                id: id(),
                invocation_id: invocation.id,
                created_at: at(),
                updated_at: at(),
                name,
                detected,
                detection_duration_ms: Some(1),
                handler_duration_ms: None,
                status: if detected { "completed" } else { "not_detected" }.into(),
                error: None,
            };
            rows.jobs.extend(jobs.iter().map(|&(name, ms)| Job {
                id: id(),
                invocation_id: invocation.id,
                event_execution_id: event.id,
                created_at: at(),
                updated_at: at(),
                name: name.into(),
                duration_ms: Some(ms.abs()),
                status: if ms < 0 { "failed" } else { "completed" }.into(),
                error: None,
            }));
            rows.events.push(event);
        }
        rows.invocations.push(invocation);
        Flow::build(rows, at(), STALE_AFTER)
    }

    fn shown(left: &Flow, right: &Flow) -> Vec<String> {
        let line = |pair: Pair| {
            let node = pair.left.map(|node| &left.nodes[node]).or(pair.right.map(|node| &right.nodes[node])).unwrap();
            format!("{}{} {:?}", "  ".repeat(pair.depth), node.name, pair.change)
        };
        pairs((left, left.roots[0]), (right, right.roots[0])).into_iter().map(line).collect()
    }

    #[test]
    fn nodes_of_the_same_way_stand_side_by_side() {
        let left = flow(&[
            ("picked", &[("a", 100), ("b", 100), ("b", 500), ("c", 10), ("gone", 1)]),
            ("-never", &[]),
            ("left", &[("x", 1)]),
            ("-right", &[]),
        ]);
        let right = flow(&[
            ("right", &[]),
            ("picked", &[("new", 1), ("c", 25), ("b", 130), ("a", -100), ("b", 300)]),
            ("-never", &[]),
            ("-left", &[]),
        ]);
        assert_eq!(
            shown(&left, &right),
            [
                "f Status",
                "  picked Status",
                "    a Status",
                "    b Slower(30)",
                "    b Faster(200)",
                "    c Same",
                "    gone Missing",
                "    new Added",
                "  left Missing",
                "    x Missing",
                "  right Added",
            ]
        );
        assert!(shown(&left, &left).iter().all(|line| line.ends_with("Same")));
    }
}

//! A cascade: rows → tree → visible lines.
//!
//! An invocation holds its events, an event its jobs, and a job the invocations that its writes caused. No row is ever
//! lost: what has no parent among the rows becomes a root, and a chain that bites its own tail is cut at its oldest
//! invocation, with a back-reference where the loop closes.

mod build;
mod critical;
mod ids;
mod lines;
mod overview;
mod replay;
mod starts;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::invocation::{Event, Invocation, Job, JobCounts, Link};
use super::status::{Effective, Recorded};

pub use critical::Critical;
pub use ids::{IdHasher, IdSet};
pub use lines::{Fold, Glyphs, Line, LineId};
pub use overview::Overview;
pub use times::{Span, Times};

/// The rows of a cascade, in any order; duplicates are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Invocations.
    pub invocations: Vec<Invocation>,
    /// Their events.
    pub events: Vec<Event>,
    /// Their jobs.
    pub jobs: Vec<Job>,
    /// Whether there are more that were not loaded.
    pub truncated: bool,
    /// Where a search for invocations that only their payloads link to jobs of this cascade ended before its time: from
    /// here on it was not searched.
    pub unsearched_since: Option<DateTime<Utc>>,
    /// Whether events begin at their `created_at`: see [`Rows::with_starts`].
    pub has_starts: bool,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call of a function.
    Invocation,
    /// An event module that was checked.
    Event,
    /// A job that a handler ran.
    Job,
}

impl Kind {
    /// Short name on the screen.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Invocation => "inv",
            Self::Event => "evt",
            Self::Job => "job",
        }
    }
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Row id.
    pub id: Uuid,
    /// Function, event or job name.
    pub name: Arc<str>,
    /// What triggered an invocation, such as `UPDATE moves`; empty for others.
    pub trigger: Box<str>,
    /// The chain that the invocation carries.
    pub correlation_id: Option<Arc<str>>,
    /// The status column.
    pub status: Arc<str>,
    /// The derived status.
    pub effective: Effective,
    /// Why they differ, if they do.
    pub reason: Option<String>,
    /// Events only: whether it applied.
    pub detected: Option<bool>,
    /// Events only: how long the detection took, milliseconds.
    pub detection_ms: Option<i64>,
    /// When it began: when it was recorded, of an event see [`Rows::with_starts`].
    pub started_at: DateTime<Utc>,
    /// Recorded duration, milliseconds.
    pub duration_ms: Option<i64>,
    /// Its error text, secrets masked.
    pub error: Option<Arc<str>>,
    /// Invocations only: how its link to the parent job is known.
    pub link: Option<Link>,
    /// Invocations only: the parent job, when it is not among the rows.
    pub missing_parent: Option<Uuid>,
    /// Whether this only points to an invocation that stands further up.
    pub back_reference: bool,
    /// Its parent.
    pub parent: Option<usize>,
    /// Its children, in the order they are shown.
    pub children: Vec<usize>,
}

impl Node {
    /// Its duration: recorded, or of an unfinished one the time since it began. Milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self, now: DateTime<Utc>) -> Option<i64> {
        let unfinished = !Recorded::parse(&self.status).is_finished();
        self.duration_ms.or_else(|| unfinished.then(|| (now - self.started_at).num_milliseconds().max(0)))
    }

    /// Whether this is an event that was checked, did not apply, did not fail and ran nothing.
    #[must_use]
    pub fn is_undetected(&self) -> bool {
        self.kind == Kind::Event && self.effective == Effective::NotDetected && self.children.is_empty()
    }
}

/// What a cascade holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Invocations.
    pub invocations: u64,
    /// Of these, effectively failed.
    pub invocations_failed: u64,
    /// Events by what became of them.
    pub events: EventCounts,
    /// Jobs by effective status.
    pub jobs: JobCounts,
}

/// Events by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventCounts {
    /// All.
    pub checked: u64,
    /// Applied.
    pub detected: u64,
    /// Effectively failed.
    pub failed: u64,
    /// Whether there are more than were counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// The tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// All nodes; an index into it is the name of a node.
    pub nodes: Vec<Node>,
    /// Nodes without a parent, oldest first.
    pub roots: Vec<usize>,
    /// What it holds.
    pub counts: Counts,
    /// Whether there are more rows that were not loaded.
    pub truncated: bool,
    /// From when on payloads were not searched for links to jobs of this cascade, where that ended before its time.
    pub unsearched_since: Option<DateTime<Utc>>,
}

impl Flow {
    /// The node of a row.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id && !node.back_reference)
    }

    /// Says where the search for children that only payloads link ended before its time.
    #[must_use]
    pub fn unsearched(&self) -> Option<String> {
        let at = self.unsearched_since?.format("%Y-%m-%dT%H:%M:%SZ");
        Some(format!("children not searched: payloads since {at} may link more invocations to this cascade"))
    }

    /// The correlation id that most invocations carry.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        let mut seen = BTreeMap::<&str, usize>::new();
        for id in self.nodes.iter().filter_map(|node| node.correlation_id.as_deref()) {
            *seen.entry(id).or_default() += 1;
        }
        seen.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0))).map(|(id, _)| id)
    }

    /// The invocation that a node belongs to: itself, or the nearest one above it.
    #[must_use]
    pub fn invocation_of(&self, node: usize) -> Option<usize> {
        let mut at = Some(node);
        while let Some(index) = at {
            let node = self.nodes.get(index)?;
            if node.kind == Kind::Invocation {
                return Some(index);
            }
            at = node.parent;
        }
        None
    }
}

/// How long an event took: detection and handler together. Nobody knows yet while its handler runs.
fn event_ms(row: &Event) -> Option<i64> {
    match (row.detection_duration_ms, row.handler_duration_ms) {
        (_, None) if !Recorded::parse(&row.status).is_finished() => None,
        (None, None) => None,
        (detection, handler) => Some(detection.unwrap_or(0).saturating_add(handler.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests;

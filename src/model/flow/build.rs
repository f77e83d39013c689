//! Rows → tree.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::super::invocation::{Event, Invocation, Job, Link, is_child_of};
use super::super::outline::plain_text;
use super::super::status::{Effective, Facts, Recorded, judge};
use super::ids::{IdMap, IdSet};
use super::{Counts, EventCounts, Flow, Kind, Node, Rows, event_ms};

impl Flow {
    /// Builds the tree of these rows as it is to be seen at `now`.
    #[must_use]
    pub fn build(rows: Rows, now: DateTime<Utc>, stale_after: TimeDelta) -> Self {
        let rows = rows.with_starts();
        let (truncated, unsearched_since) = (rows.truncated, rows.unsearched_since);
        let (invocations, events, jobs) = (
            unique(rows.invocations, |row| row.id),
            unique(rows.events, |row| row.id),
            unique(rows.jobs, |row| row.id),
        );
        let nodes = Vec::with_capacity(invocations.len() + events.len() + jobs.len());
        let mut builder = Builder { nodes, now, stale_after };
        builder.add_nodes(&invocations, &events, &jobs);
        builder.link_rows(&invocations, &events, &jobs);
        builder.link_invocations(&invocations, &jobs);
        Flow { truncated, unsearched_since, ..builder.finish() }
    }
}

fn unique<T>(rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Vec<T> {
    let mut seen = IdSet::default();
    seen.reserve(rows.len());
    rows.into_iter().filter(|row| seen.insert(id(row))).collect()
}

/// What a row tells of the rows above it.
#[derive(Clone, Copy, Default)]
struct Below {
    failed_events: u64,
    failed_jobs: u64,
    unfinished: u64,
    touched_at: Option<DateTime<Utc>>,
}

struct Builder {
    nodes: Vec<Node>,
    now: DateTime<Utc>,
    stale_after: TimeDelta,
}

impl Builder {
    fn add_nodes(&mut self, invocations: &[Invocation], events: &[Event], jobs: &[Job]) {
        let mut below = IdMap::<Below>::default();
        let finished: IdMap<DateTime<Utc>> = (invocations.iter().map(|row| (row.id, &*row.status, row.updated_at)))
            .chain(events.iter().map(|row| (row.id, &*row.status, row.updated_at)))
            .filter(|(_, status, _)| Recorded::parse(status).is_finished())
            .map(|(id, _, touched_at)| (id, touched_at))
            .collect();
        let ended = |id: Uuid| finished.get(&id).copied();
        for job in jobs {
            let (failed, unfinished) = own(&job.status, job.error.as_deref());
            for id in [job.invocation_id, job.event_execution_id] {
                let row = below.entry(id).or_default();
                row.failed_jobs += u64::from(failed);
                row.unfinished += u64::from(unfinished);
                row.touched_at = row.touched_at.max(Some(job.updated_at));
            }
        }
        for event in events {
            let (failed, unfinished) = own(&event.status, event.error.as_deref());
            let row = below.entry(event.invocation_id).or_default();
            row.failed_events += u64::from(failed);
            row.unfinished += u64::from(unfinished);
            row.touched_at = row.touched_at.max(Some(event.updated_at));
        }
        let below = |id: &Uuid| below.get(id).copied().unwrap_or_default();
        for row in invocations {
            let mut node = self.node(
                Kind::Invocation,
                row.id,
                (&row.source_function, &row.status),
                row.has_error(),
                (row.created_at, row.updated_at),
                None,
                below(&row.id),
            );
            node.reason = row.delivery.add_to(node.reason);
            node.trigger = row.trigger().into();
            node.correlation_id.clone_from(&row.correlation_id);
            node.duration_ms = row.total_duration_ms;
            node.error = shown(row.error_message.as_deref());
            node.link = row.parent.map(|parent| parent.link);
            node.missing_parent = row.parent.map(|parent| parent.job);
            self.nodes.push(node);
        }
        for row in events {
            let has_error = has_text(row.error.as_deref());
            let times = (row.created_at, row.updated_at);
            let parent_ended = ended(row.invocation_id);
            let mut node = self.node(
                Kind::Event,
                row.id,
                (&row.name, &row.status),
                has_error,
                times,
                parent_ended,
                below(&row.id),
            );
            node.detected = Some(row.detected);
            node.detection_ms = row.detection_duration_ms;
            node.duration_ms = event_ms(row);
            node.error = shown(row.error.as_deref());
            self.nodes.push(node);
        }
        for row in jobs {
            let has_error = has_text(row.error.as_deref());
            let times = (row.created_at, row.updated_at);
            // Whichever ended first.
            let parent_ended = ended(row.invocation_id).into_iter().chain(ended(row.event_execution_id)).min();
            let mut node = self.node(
                Kind::Job,
                row.id,
                (&row.name, &row.status),
                has_error,
                times,
                parent_ended,
                Below::default(),
            );
            node.duration_ms = row.duration_ms;
            node.error = shown(row.error.as_deref());
            self.nodes.push(node);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place makes all three kinds of nodes")]
    fn node(
        &self,
        kind: Kind,
        id: Uuid,
        (name, status): (&Arc<str>, &Arc<str>),
        has_error: bool,
        (started_at, updated_at): (DateTime<Utc>, DateTime<Utc>),
        parent_ended: Option<DateTime<Utc>>,
        below: Below,
    ) -> Node {
        let facts = Facts {
            status,
            has_error,
            touched_at: below.touched_at.map_or(updated_at, |at| at.max(updated_at)),
            parent_ended,
            failed_events: below.failed_events,
            failed_jobs: below.failed_jobs,
            unfinished_children: below.unfinished,
        };
        let verdict = judge(&facts, self.now, self.stale_after);
        Node {
            kind,
            id,
            name: name.clone(),
            trigger: Box::default(),
            correlation_id: None,
            status: status.clone(),
            effective: verdict.effective,
            reason: verdict.reason,
            detected: None,
            detection_ms: None,
            started_at,
            duration_ms: None,
            error: None,
            link: None,
            missing_parent: None,
            back_reference: false,
            parent: None,
            children: Vec::new(),
        }
    }

    /// Events below their invocation, jobs below their event, or where that is missing below their invocation.
    fn link_rows(&mut self, invocations: &[Invocation], events: &[Event], jobs: &[Job]) {
        let first_event = invocations.len();
        let first_job = first_event + events.len();
        let of_invocations: IdMap<usize> = invocations.iter().enumerate().map(|(i, row)| (row.id, i)).collect();
        let of_events: IdMap<usize> = events.iter().enumerate().map(|(i, row)| (row.id, first_event + i)).collect();
        for (i, event) in events.iter().enumerate() {
            self.nodes[first_event + i].parent = of_invocations.get(&event.invocation_id).copied();
        }
        for (i, job) in jobs.iter().enumerate() {
            let parent = of_events.get(&job.event_execution_id).or_else(|| of_invocations.get(&job.invocation_id));
            self.nodes[first_job + i].parent = parent.copied();
        }
    }

    /// Invocations below the job that caused them; loops are cut.
    fn link_invocations(&mut self, invocations: &[Invocation], jobs: &[Job]) {
        let first_job = self.nodes.len() - jobs.len();
        let job_index: IdMap<usize> = jobs.iter().enumerate().map(|(i, job)| (job.id, first_job + i)).collect();
        // The invocation nearest above each invocation, by index.
        let mut above: Vec<Option<usize>> = Vec::with_capacity(invocations.len());
        for (i, invocation) in invocations.iter().enumerate() {
            let job = invocation.parent.and_then(|parent| job_index.get(&parent.job)).copied();
            let job_began = job.map(|job| self.nodes[job].started_at);
            let node = &mut self.nodes[i];
            if node.link == Some(Link::Inferred) && job_began.is_some_and(|at| !is_child_of(node.started_at, at)) {
                node.link = Some(Link::Doubtful);
            }
            let job = job.filter(|_| node.link != Some(Link::Doubtful));
            node.parent = job;
            if job.is_some() {
                self.nodes[i].missing_parent = None;
            }
            above.push(job.and_then(|job| self.invocation_above(job)));
        }
        for cycle in cycles(&above) {
            let oldest = cycle.into_iter().min_by_key(|&i| (self.nodes[i].started_at, self.nodes[i].id));
            let Some(cut) = oldest else { continue };
            let job = self.nodes[cut].parent.take();
            let mut reference = self.nodes[cut].clone();
            reference.back_reference = true;
            reference.parent = job;
            self.nodes.push(reference);
        }
    }

    fn invocation_above(&self, mut at: usize) -> Option<usize> {
        // A job's ancestors are at most an event and an invocation.
        loop {
            if self.nodes[at].kind == Kind::Invocation {
                return Some(at);
            }
            at = self.nodes[at].parent?;
        }
    }

    fn finish(mut self) -> Flow {
        let mut roots = Vec::new();
        for index in 0..self.nodes.len() {
            match self.nodes[index].parent {
                Some(parent) => self.nodes[parent].children.push(index),
                None => roots.push(index),
            }
        }
        let order: Vec<_> =
            (self.nodes.iter()).map(|node| (node.is_undetected(), node.started_at, node.kind, node.id)).collect();
        for node in &mut self.nodes {
            node.children.sort_by_key(|&index| order[index]);
        }
        roots.sort_by_key(|&index| order[index]);
        let counts = count(&self.nodes);
        Flow { nodes: self.nodes, roots, counts, ..Flow::default() }
    }
}

/// An error text as it may be shown: without secrets. All that draws, copies or prints a tree relies on it.
fn shown(error: Option<&str>) -> Option<Arc<str>> {
    error.map(|error| plain_text(error, false).0.into())
}

fn has_text(text: Option<&str>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

/// Whether a row by itself is failed, or unfinished.
fn own(status: &str, error: Option<&str>) -> (bool, bool) {
    let recorded = Recorded::parse(status);
    let failed = recorded == Recorded::Failed || has_text(error);
    (failed, !failed && !recorded.is_finished())
}

/// The loops of a graph in which each node has at most one successor.
fn cycles(next: &[Option<usize>]) -> Vec<Vec<usize>> {
    let mut seen_in_walk = vec![usize::MAX; next.len()];
    let mut found = Vec::new();
    for start in 0..next.len() {
        let mut at = Some(start);
        while let Some(index) = at {
            match seen_in_walk[index] {
                usize::MAX => seen_in_walk[index] = start,
                walk => {
                    if walk == start {
                        let mut cycle = vec![index];
                        let mut member = next[index];
                        while let Some(other) = member.filter(|&other| other != index) {
                            cycle.push(other);
                            member = next[other];
                        }
                        found.push(cycle);
                    }
                    break;
                }
            }
            at = next[index];
        }
    }
    found
}

fn count(nodes: &[Node]) -> Counts {
    let mut counts = Counts::default();
    for node in nodes.iter().filter(|node| !node.back_reference) {
        let failed = u64::from(node.effective == Effective::Failed);
        match node.kind {
            Kind::Invocation => {
                counts.invocations += 1;
                counts.invocations_failed += failed;
            }
            Kind::Event => {
                let EventCounts { checked, detected, failed: failures, .. } = &mut counts.events;
                *checked += 1;
                *detected += u64::from(node.detected == Some(true));
                *failures += failed;
            }
            Kind::Job => {
                counts.jobs.run += 1;
                match node.effective {
                    Effective::Failed => counts.jobs.failed += 1,
                    Effective::Stuck => counts.jobs.stuck += 1,
                    Effective::Running => counts.jobs.running += 1,
                    Effective::Ok | Effective::NotDetected => counts.jobs.ok += 1,
                }
            }
        }
    }
    counts
}

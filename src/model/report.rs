//! The JSON of `obs-tui ls` and `obs-tui show`. Scripts rely on these fields: they are only ever added to.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::flow::{EventCounts, Flow, Kind, Node};
use super::invocation::{JobCounts, Link, Listed};
use super::status::Effective;
use super::text::is_cut_name;

/// An invocation of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the row, documented in model::invocation")]
pub struct Listing<'a> {
    pub id: Uuid,
    #[serde(serialize_with = "super::time::serialize")]
    pub created_at: DateTime<Utc>,
    pub correlation_id: Option<&'a str>,
    pub source_function: &'a str,
    pub source_system: Option<&'a str>,
    pub source_operation: Option<&'a str>,
    pub source_table: Option<&'a str>,
    pub source_user_email: Option<&'a str>,
    pub status: &'a str,
    pub effective_status: Effective,
    pub reason: Option<String>,
    pub total_duration_ms: Option<i64>,
    pub events: EventCounts,
    pub jobs: JobCounts,
    pub parent_job_id: Option<Uuid>,
    pub link: Option<Link>,
    pub source_event_id: Option<Uuid>,
    /// Invocations of that event among the listed ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<u16>,
    /// The payload is too large to look for the parent job in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub link_unread: bool,
    /// The fields of which only the beginning was read.
    #[serde(rename = "_truncated", skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<&'static str>,
}

impl<'a> Listing<'a> {
    /// The row as it is to be seen at `now`.
    #[must_use]
    pub fn new(row: &'a Listed, now: DateTime<Utc>, stale_after: TimeDelta) -> Self {
        let (invocation, children) = (&row.invocation, &row.children);
        let verdict = row.verdict(now, stale_after);
        let names = [
            ("correlation_id", invocation.correlation_id.as_deref()),
            ("source_function", Some(&*invocation.source_function)),
            ("source_system", invocation.source_system.as_deref()),
            ("source_operation", invocation.source_operation.as_deref()),
            ("source_table", invocation.source_table.as_deref()),
            ("source_user_email", invocation.source_user_email.as_deref()),
            ("status", Some(&*invocation.status)),
        ];
        Self {
            id: invocation.id,
            created_at: invocation.created_at,
            correlation_id: invocation.correlation_id.as_deref(),
            source_function: &invocation.source_function,
            source_system: invocation.source_system.as_deref(),
            source_operation: invocation.source_operation.as_deref(),
            source_table: invocation.source_table.as_deref(),
            source_user_email: invocation.source_user_email.as_deref(),
            status: &invocation.status,
            effective_status: verdict.effective,
            reason: verdict.reason,
            total_duration_ms: invocation.total_duration_ms,
            events: EventCounts {
                checked: children.events_checked,
                detected: children.events_detected,
                failed: children.events_failed,
                at_least: children.more_events,
            },
            jobs: row.jobs(now, stale_after),
            parent_job_id: invocation.parent.map(|parent| parent.job),
            link: invocation.parent.map(|parent| parent.link),
            source_event_id: invocation.delivery.event,
            deliveries: invocation.delivery.event.map(|_| invocation.delivery.others.saturating_add(1)),
            link_unread: invocation.link_unread,
            truncated: names
                .into_iter()
                .filter(|(_, text)| text.is_some_and(is_cut_name))
                .map(|(name, _)| name)
                .collect(),
        }
    }
}

/// A node of a cascade without its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct NodeReport<'a> {
    kind: Kind,
    id: Uuid,
    name: &'a str,
    status: &'a str,
    effective_status: Effective,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<bool>,
    #[serde(serialize_with = "super::time::serialize")]
    started_at: DateTime<Utc>,
    duration_ms: Option<i64>,
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Link>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    back_reference: bool,
}

impl<'a> From<&'a Node> for NodeReport<'a> {
    fn from(node: &'a Node) -> Self {
        Self {
            kind: node.kind,
            id: node.id,
            name: &node.name,
            status: &node.status,
            effective_status: node.effective,
            reason: node.reason.as_deref(),
            detected: node.detected,
            started_at: node.started_at,
            duration_ms: node.duration_ms,
            error: node.error.as_deref(),
            link: node.link,
            back_reference: node.back_reference,
        }
    }
}

/// Writes a cascade as JSON, `{correlation_id, counts, truncated, children_unsearched_since, roots[node]}`, where a node holds
/// its `children`: node by node, so that no cascade stands in memory as one text, and without recursion, since a chain may
/// be deeper than any stack.
///
/// # Errors
/// When the output cannot be written.
pub fn cascade(flow: &Flow, out: &mut impl Write) -> io::Result<()> {
    let (id, counts) = (serde_json::to_string(&flow.correlation_id())?, serde_json::to_string(&flow.counts)?);
    let (truncated, unsearched) = (flow.truncated, serde_json::to_string(&flow.unsearched_since)?);
    write!(
        out,
        "{{\"correlation_id\":{id},\"counts\":{counts},\"truncated\":{truncated},\
         \"children_unsearched_since\":{unsearched},\"roots\":["
    )?;
    // Nodes that are still to be written, and `None` where a node's list of children ends.
    let mut open: Vec<Option<usize>> = flow.roots.iter().rev().map(|&root| Some(root)).collect();
    let mut is_first = true;
    while let Some(next) = open.pop() {
        let Some(index) = next else {
            out.write_all(b"]}")?;
            is_first = false;
            continue;
        };
        let node = &flow.nodes[index];
        let text = serde_json::to_string(&NodeReport::from(node))?;
        let comma = if is_first { "" } else { "," };
        write!(out, "{comma}{},\"children\":[", text.strip_suffix('}').unwrap_or(&text))?;
        is_first = true;
        open.push(None);
        open.extend(node.children.iter().rev().map(|&child| Some(child)));
    }
    out.write_all(b"]}")
}

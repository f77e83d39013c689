//! What a node is and how it went, in a few lines.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::flow::{Kind, Node};
use crate::model::invocation::Link;
use crate::model::outline::plain_text;
use crate::model::status::{Effective, Facts, Recorded, Verdict, judge};
use crate::model::text::duration;
use crate::tui::app::App;

/// Characters of a value that the summary shows.
const SHOWN: usize = 2_000;
/// Bytes of an error that are looked into: the summary is made anew for every frame.
const LONG: usize = 65_536;

/// How a field is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As text.
    Plain,
    /// As a status.
    Status(Effective),
    /// As an error.
    Error,
}

/// A line of the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub label: &'static str,
    /// The value.
    pub value: String,
    /// A moment, in whose place the view puts a time in the zone that is shown.
    pub at: Option<DateTime<Utc>>,
    /// How it is drawn.
    pub tone: Tone,
}

/// Columns of the three tables, in the order they are shown: label, column.
const COLUMNS: [(&str, &str); 18] = [
    ("correlation", "correlation_id"),
    ("source system", "source_system"),
    ("source type", "source_type"),
    ("operation", "source_operation"),
    ("table", "source_table"),
    ("user", "source_user_email"),
    ("role", "source_user_role"),
    ("event time", "source_event_time"),
    ("source event", "source_event_id"),
    ("events detected", "events_detected_count"),
    ("jobs run", "total_jobs_run"),
    ("jobs succeeded", "total_jobs_succeeded"),
    ("jobs failed", "total_jobs_failed"),
    ("jobs", "jobs_count"),
    ("module", "event_module_path"),
    ("function", "job_function_name"),
    ("event row", "event_execution_id"),
    ("invocation row", "invocation_id"),
];

/// The summary of the node on the screen; empty until its row is there.
#[must_use]
pub fn fields(app: &App) -> Vec<Field> {
    let state = &app.detail;
    let (Some((kind, id)), Some(row)) = (state.of, state.shown()) else { return Vec::new() };
    let flow = app.flow.flow.value.as_ref();
    let node = flow.and_then(|flow| flow.find(id).map(|node| &flow.nodes[node]));
    let text = |name: &str| row.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut fields = Vec::new();
    let mut add = |label, value: String, tone| fields.push(Field { label, value, at: None, tone });
    let name = ["source_function", "event_name", "job_name"].into_iter().find_map(text).unwrap_or("-");
    add(kind_name(kind), name.to_owned(), Tone::Plain);
    add("id", id.to_string(), Tone::Plain);
    let verdict = verdict(app, row, node);
    let recorded = text("status").unwrap_or("nothing");
    add("status", verdict.effective.name().replace('_', " "), Tone::Status(verdict.effective));
    match verdict.reason {
        Some(reason) => add("because", reason, Tone::Plain),
        None => add("recorded", recorded.to_owned(), Tone::Plain),
    }
    for (label, column) in
        [("error", "error_message"), ("detector error", "detection_error"), ("handler error", "handler_error")]
    {
        if let Some(error) = text(column) {
            let error = plain_text(&error[..error.floor_char_boundary(LONG)], state.revealed).0;
            add(label, beginning(error.trim()).to_owned(), Tone::Error);
        }
    }
    let moments = [("started", "created_at"), ("last written", "updated_at")];
    for (label, column) in moments {
        let at = text(column).and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.to_utc());
        let value = text(column).unwrap_or("-").to_owned();
        fields.push(Field { label, value, at, tone: Tone::Plain });
    }
    let mut add = |label, value: String| fields.push(Field { label, value, at: None, tone: Tone::Plain });
    for (label, column) in [
        ("duration", "total_duration_ms"),
        ("duration", "duration_ms"),
        ("detection took", "detection_duration_ms"),
        ("handler took", "handler_duration_ms"),
    ] {
        if let Some(ms) = row.get(column).and_then(Value::as_i64) {
            add(label, duration(ms));
        }
    }
    if let Some(detected) = row.get("detected").and_then(Value::as_bool) {
        add("detected", if detected { "yes" } else { "no" }.to_owned());
    }
    if let Some(link) = node.and_then(link) {
        add("caused by", link);
    } else if let Some(job) = text("source_job_id") {
        add("caused by", format!("job {job}"));
    }
    for (label, column) in COLUMNS {
        match row.get(column) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => add(label, beginning(text).to_owned()),
            Some(value) => add(label, value.to_string()),
        }
    }
    fields
}

fn beginning(text: &str) -> &str {
    &text[..text.char_indices().nth(SHOWN).map_or(text.len(), |(end, _)| end)]
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Invocation => "invocation",
        Kind::Event => "event",
        Kind::Job => "job",
    }
}

/// How an invocation's link to its parent job is known, in words.
#[must_use]
pub fn link(node: &Node) -> Option<String> {
    if let Some(job) = node.missing_parent.filter(|_| node.link == Some(Link::Doubtful)) {
        return Some(format!(
            "doubtful, not followed: the payload names job {job}, but named it before this change, or the job began later"
        ));
    }
    if let Some(job) = node.missing_parent {
        return Some(format!("job {job}, which is not in the database: deleted, or never recorded"));
    }
    node.link.map(|link| match link {
        Link::Recorded => "the job above it, as recorded".to_owned(),
        Link::Inferred | Link::Doubtful => {
            "the job above it, inferred from the payload: the link itself is not recorded".to_owned()
        }
    })
}

/// The effective status: of the tree, which knows what is below, as long as it knows the same row; else of the row alone.
fn verdict(app: &App, row: &Value, node: Option<&Node>) -> Verdict {
    let status = row.get("status").and_then(Value::as_str).unwrap_or_default();
    if let Some(node) = node.filter(|node| *node.status == *status) {
        return Verdict { effective: node.effective, reason: node.reason.clone() };
    }
    let has_text = |column| row.get(column).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let errors = [
        "error_message",
        "error_stack",
        "detection_error",
        "handler_error",
        "detection_error_stack",
        "handler_error_stack",
    ];
    let touched = row.get("updated_at").and_then(Value::as_str).and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let failed_jobs = ["total_jobs_failed", "jobs_failed"].iter().find_map(|name| row.get(name)?.as_u64());
    let facts = Facts {
        status,
        has_error: errors.into_iter().any(has_text),
        touched_at: touched.map_or(app.now, |at| at.to_utc()),
        parent_ended: None,
        failed_events: 0,
        failed_jobs: failed_jobs.filter(|_| Recorded::parse(status).is_finished()).unwrap_or_default(),
        unfinished_children: 0,
    };
    judge(&facts, app.data_time(), app.settings.stale_after)
}

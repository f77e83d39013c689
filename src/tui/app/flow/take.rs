//! What is taken away from the tree: copies, and the question for the logs.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::model::flow::{Flow, Kind, Node, Overview};
use crate::model::status::Effective;
use crate::tui::app::App;
use crate::tui::app::logs::Subject;
use crate::tui::msg::{Action, Cmd, Copied, Form};

/// Nobody knows when a stuck node stopped: its logs are looked for so long after its start at the most.
const STUCK_WINDOW: TimeDelta = TimeDelta::hours(24);

/// Whose logs to ask for, for a node of the tree on the screen.
#[must_use]
pub fn subject(app: &App, node: Option<usize>) -> Option<Subject> {
    subject_of(app.flow.flow.value.as_ref()?, &app.flow.overview, node?, app.now)
}

/// Whose logs to ask for, for a node of a tree.
#[must_use]
pub fn subject_of(flow: &Flow, overview: &Overview, index: usize, now: DateTime<Utc>) -> Option<Subject> {
    let node = flow.nodes.get(index)?;
    let jobs = |nodes: &mut dyn Iterator<Item = &Node>| {
        let mut ids: Vec<_> = nodes.filter(|node| node.kind == Kind::Job).map(|node| node.id).collect();
        ids.sort_unstable();
        ids
    };
    let invocation = flow.invocation_of(index).map(|index| &flow.nodes[index]);
    let start = overview.start.unwrap_or(node.started_at);
    Some(Subject {
        name: format!("{} {}", node.kind.short(), node.name),
        correlation_id: invocation
            .and_then(|invocation| invocation.correlation_id.as_deref().map(str::to_owned))
            .or_else(|| overview.correlation_id.clone()),
        job: (node.kind == Kind::Job).then_some(node.id),
        jobs: jobs(&mut flow.within_invocation(index).into_iter().map(|index| &flow.nodes[index])),
        cascade_jobs: jobs(&mut flow.nodes.iter()),
        window: (node.started_at, end(node, now)),
        cascade_window: (start, later(start, overview.axis_ms(now))),
    })
}

fn end(node: &Node, now: DateTime<Utc>) -> DateTime<Utc> {
    let elapsed = node.elapsed_ms(now).unwrap_or_default();
    let most = if node.effective == Effective::Stuck { STUCK_WINDOW.num_milliseconds() } else { i64::MAX };
    later(node.started_at, elapsed.min(most))
}

fn later(at: DateTime<Utc>, milliseconds: i64) -> DateTime<Utc> {
    TimeDelta::try_milliseconds(milliseconds).and_then(|delta| at.checked_add_signed(delta)).unwrap_or(at)
}

/// Copies what the action names of the selected line.
pub(super) fn copy(app: &mut App, action: Action) -> Vec<Cmd> {
    let copied = match (app.flow.node(), action) {
        (_, Action::CopyCorrelation) => match correlation_id(app) {
            Some(id) => Some(Copied::new(Form::Value, &id, "the correlation id")),
            None => {
                app.complain("this cascade carries no correlation id");
                None
            }
        },
        (Some((flow, node)), Action::CopyCommand) => {
            Some(Copied::new(Form::Value, &app.command(&["show", &flow.nodes[node].id.to_string()]), "the command"))
        }
        (Some((flow, node)), _) => copy_node(&flow.nodes[node], action),
        (None, Action::CopyValue) => undetected_names(app),
        (None, _) => None,
    };
    copied.map(Cmd::Copy).into_iter().collect()
}

fn copy_node(node: &Node, action: Action) -> Option<Copied> {
    let name = format!("{} {}", node.kind.short(), node.name);
    match action {
        Action::CopyValue => Some(match node.error.as_deref().filter(|error| !error.is_empty()) {
            Some(error) => Copied::new(Form::Lines, error, format!("the error of {name}")),
            None => Copied::new(Form::Value, &node.name, "the name"),
        }),
        Action::CopyRow => Some(Copied::new(Form::Json, &as_json(node), format!("{name} as JSON"))),
        _ => None,
    }
}

fn correlation_id(app: &App) -> Option<String> {
    let own = app.flow.line().and_then(|line| {
        let flow: &Flow = app.flow.flow.value.as_ref()?;
        flow.nodes[flow.invocation_of(line.node)?].correlation_id.as_deref().map(str::to_owned)
    });
    own.or_else(|| app.flow.overview.correlation_id.clone())
}

fn undetected_names(app: &App) -> Option<Copied> {
    let (flow, line) = (app.flow.flow.value.as_ref()?, app.flow.line()?);
    let children = flow.nodes[line.node].children.iter().map(|&child| &flow.nodes[child]);
    Some(Copied::list(children.filter(|node| node.is_undetected()).map(|node| &*node.name), "the names"))
}

/// The node under the names that `obs-tui show --json` gives it.
fn as_json(node: &Node) -> String {
    let value = json!({
        "kind": node.kind,
        "id": node.id,
        "name": node.name,
        "correlation_id": node.correlation_id,
        "status": node.status,
        "effective_status": node.effective,
        "reason": node.reason,
        "detected": node.detected,
        "started_at": node.started_at,
        "duration_ms": node.duration_ms,
        "error": node.error,
    });
    format!("{value:#}")
}

//! Filtering by a value that is on the screen: a choice of the values of what is selected.

use super::{apply, drill};
use crate::model::filter::{Field, Step, Test, TextField, table_name};
use crate::model::flow::{Kind, Node};
use crate::model::invocation::Listed;
use crate::model::outline::{self, Outline, Place};
use crate::tui::app::App;
use crate::tui::app::detail::{Content, Section};
use crate::tui::app::overlay::Overlay;
use crate::tui::msg::{Action, Cmd, View};

/// The choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// Whether rows with the value are refused.
    pub out: bool,
    /// What can be chosen: what it is, and the test for it.
    pub values: Vec<(&'static str, Test)>,
    /// The selected one.
    pub at: usize,
}

/// Opens the choice of the values of what is selected.
pub(super) fn open(app: &mut App, out: bool) {
    let values = match app.view {
        View::Invocations => app.invocations.selected_row().map(|row| of_row(app, row)),
        View::Flow => app.flow.node().map(|(flow, node)| of_node(&flow.nodes[node])),
        View::Detail => Some(of_detail(app)),
        _ => None,
    };
    match values.filter(|values| !values.is_empty()) {
        Some(values) => app.overlay = Some(Overlay::Values(Menu { out, values, at: 0 })),
        None => app.say("there is no value here to filter by"),
    }
}

/// What a key does in the choice.
pub fn act_in_menu(app: &mut App, mut menu: Menu, action: Action) -> Vec<Cmd> {
    let last = menu.values.len().saturating_sub(1);
    match action {
        Action::Down => menu.at = (menu.at + 1).min(last),
        Action::Up => menu.at = menu.at.saturating_sub(1),
        Action::First => menu.at = 0,
        Action::Last => menu.at = last,
        Action::FilterBy => menu.out = false,
        Action::FilterOut => menu.out = true,
        Action::Open => {
            app.overlay = None;
            let Some((_, test)) = menu.values.get(menu.at).cloned() else { return Vec::new() };
            let filter = app.filter.applied.clone();
            let filter = if menu.out { filter.without(test) } else { filter.with(test) };
            return if app.view == View::Invocations { apply(app, filter) } else { drill(app, filter) };
        }
        _ => return Vec::new(),
    }
    app.overlay = Some(Overlay::Values(menu));
    Vec::new()
}

fn text(values: &mut Vec<(&'static str, Test)>, name: &'static str, field: TextField, value: Option<&str>) {
    let value = value.filter(|value| !value.is_empty());
    // A text that no filter can hold is not offered.
    if let Some(Ok(test)) = value.map(|value| Test::exact(Field::Text(field), value)) {
        values.push((name, test));
    }
}

fn of_row(app: &App, row: &Listed) -> Vec<(&'static str, Test)> {
    let invocation = &row.invocation;
    let status = row.verdict(app.data_time(), app.settings.stale_after).effective;
    let mut values = Vec::new();
    text(&mut values, "function", TextField::Fn, Some(&invocation.source_function));
    values.push(("status", Test::Status(vec![status])));
    text(&mut values, "user", TextField::User, invocation.source_user_email.as_deref());
    text(&mut values, "table", TextField::Table, invocation.source_table.as_deref().map(table_name));
    text(&mut values, "operation", TextField::Op, invocation.source_operation.as_deref());
    text(&mut values, "system", TextField::Sys, invocation.source_system.as_deref());
    text(&mut values, "correlation", TextField::Corr, invocation.correlation_id.as_deref());
    let failed = row.children.first_failure.as_ref().map(|job| &*job.name);
    text(&mut values, "failed job", TextField::Job, failed);
    values
}

fn of_node(node: &Node) -> Vec<(&'static str, Test)> {
    let mut values = Vec::new();
    let (name, field) = match node.kind {
        Kind::Invocation => ("function", TextField::Fn),
        Kind::Event => ("event", TextField::Evt),
        Kind::Job => ("job", TextField::Job),
    };
    text(&mut values, name, field, Some(&node.name));
    text(&mut values, "correlation", TextField::Corr, node.correlation_id.as_deref());
    values
}

fn of_detail(app: &App) -> Vec<(&'static str, Test)> {
    let state = &app.detail;
    let mut values = Vec::new();
    if let (Section::Payload, Some(pane)) = (state.section, state.pane())
        && let Some(Content::Outline { outline, lines }) = &pane.content
        && let Some(&entry) = lines.get(pane.cursor.at)
    {
        values.extend(of_payload(outline, entry).map(|test| ("payload", test)));
    }
    let column = |name: &str| state.column(name).and_then(|value| value.as_str());
    text(&mut values, "function", TextField::Fn, column("source_function"));
    text(&mut values, "event", TextField::Evt, column("event_name"));
    text(&mut values, "job", TextField::Job, column("job_name"));
    text(&mut values, "user", TextField::User, column("source_user_email"));
    text(&mut values, "table", TextField::Table, column("source_table").map(table_name));
    text(&mut values, "correlation", TextField::Corr, column("correlation_id"));
    values
}

/// The value under the cursor by its path; nothing for a container, nor for a secret that is masked.
fn of_payload(outline: &Outline, entry: usize) -> Option<Test> {
    let mut path = Vec::new();
    let mut at = outline.entries().get(entry);
    if at.is_some_and(|entry| entry.content == outline::Content::Masked) {
        return None;
    }
    while let Some(entry) = at {
        match &entry.place {
            Place::Root => {}
            Place::Key(key) => path.push(Step::Key(key.to_string())),
            Place::Item(_) => path.push(Step::Any),
        }
        at = entry.parent.and_then(|parent| outline.entries().get(parent));
    }
    path.reverse();
    Test::payload(path, &outline.value(entry))
}

//! Two screens of one form: what failed, by fingerprint, and how the jobs went, by name. A table of groups, and below it
//! the runs of the selected one, each of which opens its cascade.

mod rows;

use chrono::{DateTime, TimeDelta, Utc};

use super::cursor::Cursor;
use super::{App, Load, filter, flow};
use crate::model::failures::{Failures, JobStats, Looked};
use crate::model::fingerprint::fingerprint;
use crate::model::flow::Kind;
use crate::model::status::Effective;
use crate::tui::msg::{Action, Cmd, Copied, Failure, FailureKind, Form, View};

pub use rows::{Row, Run};

/// The ranges that a key goes through: hours, name.
pub const RANGES: [(i64, &str); 4] = [(1, "1h"), (6, "6h"), (24, "24h"), (168, "7d")];
/// The numbers change slowly and take some work: a live screen reads them no more often.
const RELOAD_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Names a group, so that the selection survives a new reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it is about.
    pub kind: Kind,
    /// Function, event or job name.
    pub name: String,
    /// The fingerprint of its errors; empty where groups are names alone.
    pub fingerprint: String,
}

/// What the numbers are about.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The table.
    pub rows: Vec<Row>,
    /// What was looked at.
    pub looked: Looked,
    /// Whether more failures were found than are read.
    pub more: bool,
}

/// One of the screens.
#[derive(Clone, Debug)]
pub struct State {
    /// The groups.
    pub told: Load<Told>,
    /// The selected group.
    pub cursor: Cursor,
    /// The selected run of it.
    pub run: Cursor,
    /// Whether keys move among the runs.
    pub in_runs: bool,
    /// Which of [`RANGES`].
    pub range: usize,
    /// The end of the range; now without one.
    pub end: Option<DateTime<Utc>>,
    /// When it was asked for.
    asked_at: Option<DateTime<Utc>>,
    /// The group to select when the answer comes.
    wanted: Option<Name>,
}

impl State {
    /// A screen that looks back as far as one of [`RANGES`].
    #[must_use]
    pub fn new(range: usize) -> Self {
        Self {
            told: Load::default(),
            cursor: Cursor::default(),
            run: Cursor::default(),
            in_runs: false,
            range,
            end: None,
            asked_at: None,
            wanted: None,
        }
    }

    /// The table.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        self.told.value.as_ref().map_or(&[], |told| &told.rows)
    }

    /// The selected group.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        self.rows().get(self.cursor.at)
    }
}

/// How the rows of the body are shared out; two go to a title and the heads of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The table.
    pub table: u16,
    /// The runs, without the rule and the line above them; 0 where there is no room.
    pub runs: u16,
}

impl Layout {
    /// Shares out so many rows of a screen; the pane that has the keys takes all of them where it is shown alone.
    #[must_use]
    pub fn of(app: &App, state: &State, body: u16) -> Self {
        let left = body.saturating_sub(2);
        match (app.zoomed, state.in_runs) {
            (true, true) => return Self { table: 0, runs: left },
            (true, false) => return Self { table: left, runs: 0 },
            (false, _) => {}
        }
        let runs = if body >= 14 { (left / 3).min(12) } else { 0 };
        Self { table: left - runs - if runs > 0 { 2 } else { 0 }, runs }
    }
}

fn layout(app: &App) -> (usize, usize) {
    let state = of(app, app.view).unwrap_or(&app.failures);
    let layout = Layout::of(app, state, app.body_rows());
    (usize::from(layout.table).max(1), usize::from(layout.runs).max(1))
}

/// The state of a screen of this form.
#[must_use]
pub fn of(app: &App, view: View) -> Option<&State> {
    match view {
        View::Failures => Some(&app.failures),
        View::Jobs => Some(&app.jobs),
        _ => None,
    }
}

fn here(app: &mut App) -> &mut State {
    if app.view == View::Jobs { &mut app.jobs } else { &mut app.failures }
}

/// Goes to one of the screens and asks for what it shows.
pub fn open(app: &mut App, view: View) -> Vec<Cmd> {
    app.show(view);
    refresh(app)
}

/// Goes to the failures that have the fingerprint of a node's error.
pub fn open_fingerprint(app: &mut App, node: Option<usize>) -> Vec<Cmd> {
    let Some((name, at)) = node.and_then(|node| fingerprint_of(app, node)) else {
        app.say("nothing failed here: e goes to the next failure");
        return Vec::new();
    };
    let state = &mut app.failures;
    let length = TimeDelta::hours(RANGES[state.range].0);
    let covered = |end: DateTime<Utc>| at < end && end - at < length;
    if !covered(state.end.unwrap_or(app.now)) {
        state.range = state.range.max(2);
        let length = TimeDelta::hours(RANGES[state.range].0);
        state.end = (app.now - at >= length).then(|| at + TimeDelta::hours(1));
    }
    state.wanted = Some(name);
    app.show(View::Failures);
    select_wanted(app);
    if app.failures.wanted.is_none() { refresh(app) } else { ask(app) }
}

/// The fingerprint of a failed node's error, or of what made it fail, and when that began.
fn fingerprint_of(app: &App, node: usize) -> Option<(Name, DateTime<Utc>)> {
    let flow = app.flow.flow.value.as_ref()?;
    let has_error = |node: usize| flow.nodes[node].error.as_deref().is_some_and(|error| !error.is_empty());
    let failed = flow.nodes.get(node).is_some_and(|node| node.effective == Effective::Failed);
    let overview = &app.flow.overview;
    let cause = || overview.failure_from(Some(node), true).and_then(|(at, _)| overview.failures.get(at)).copied();
    let found =
        if has_error(node) { node } else { Some(node).filter(|_| failed).and_then(|node| cause().or(Some(node)))? };
    let node = &flow.nodes[found];
    let error = node.error.as_deref().unwrap_or_default();
    let name = Name { kind: node.kind, name: node.name.to_string(), fingerprint: fingerprint(error) };
    Some((name, node.started_at))
}

/// Reads again when the numbers are old; after the database could not be reached, whenever it is tried again.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let now = app.now;
    let state = here(app);
    let is_old = state.asked_at.is_none_or(|at| now - at >= RELOAD_AFTER);
    let fixed = state.end.is_some() && state.told.value.is_some();
    if !state.told.is_loading() && is_old && (!fixed || state.told.error.is_some()) { ask(app) } else { Vec::new() }
}

fn ask(app: &mut App) -> Vec<Cmd> {
    let request = app.next_request();
    let (view, now) = (app.view, app.now);
    let state = here(app);
    (state.told.request, state.asked_at) = (Some(request), Some(now));
    // A row may be a little ahead of this machine's clock.
    let to = state.end.unwrap_or(now + TimeDelta::minutes(1));
    let from = state.end.unwrap_or(now) - TimeDelta::hours(RANGES[state.range].0);
    vec![if view == View::Jobs { Cmd::JobStats { request, from, to } } else { Cmd::Failures { request, from, to } }]
}

/// The failures came.
pub fn failures_loaded(app: &mut App, request: u64, answer: Result<Failures, Failure>) -> Vec<Cmd> {
    loaded(app, View::Failures, request, answer.map(Told::from))
}

/// The jobs came.
pub fn jobs_loaded(app: &mut App, request: u64, answer: Result<JobStats, Failure>) -> Vec<Cmd> {
    loaded(app, View::Jobs, request, answer.map(Told::from))
}

fn loaded(app: &mut App, view: View, request: u64, answer: Result<Told, Failure>) -> Vec<Cmd> {
    let state = if view == View::Jobs { &mut app.jobs } else { &mut app.failures };
    if !state.told.take(request) {
        return Vec::new();
    }
    let unreachable = answer.as_ref().is_err_and(|failure| failure.kind != FailureKind::Other);
    let answer = app.heard(answer);
    let ((table, runs), now) = (layout(app), app.now);
    let state = if view == View::Jobs { &mut app.jobs } else { &mut app.failures };
    match answer {
        Ok(told) => {
            let selected = state.row().map(|row| row.name.clone());
            let run = state.row().and_then(|row| row.runs.get(state.run.at)).map(|run| run.id);
            let found = selected.and_then(|name| told.rows.iter().position(|row| row.name == name));
            if found.is_none() {
                (state.run, state.in_runs) = (Cursor::default(), false);
            }
            state.cursor.at = found.unwrap_or(state.cursor.at);
            state.cursor.clamp(told.rows.len(), table);
            if let Some(row) = told.rows.get(state.cursor.at) {
                // A group whose first run is selected stays at its newest.
                let kept = run.filter(|_| state.run.at > 0).and_then(|id| row.runs.iter().position(|run| run.id == id));
                state.run.at = kept.unwrap_or_default();
                state.run.clamp(row.runs.len(), runs);
            }
            state.told.value = Some(told);
            (state.told.error, state.told.loaded_at) = (None, Some(now));
            if view == View::Failures {
                select_wanted(app);
                if let Some(name) = app.failures.wanted.take() {
                    app.complain(format!("the failures of {} are not among those of this range", name.name));
                }
            }
        }
        Err(error) => {
            state.told.error = Some(error);
            if unreachable {
                state.asked_at = None;
            }
        }
    }
    Vec::new()
}

/// Selects the wanted group, where it is among those that are known.
fn select_wanted(app: &mut App) {
    let table = layout(app).0;
    let state = &mut app.failures;
    let found = |name: &Name| state.rows().iter().position(|row| row.name == *name);
    if let Some(at) = state.wanted.as_ref().and_then(found) {
        state.cursor.go(at, state.rows().len(), table);
        (state.run, state.in_runs, state.wanted) = (Cursor::default(), false, None);
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let (table, runs) = layout(app);
    let now = app.now;
    let state = here(app);
    let (groups, len) = (state.rows().len(), state.row().map_or(0, |row| row.runs.len()));
    match action {
        Action::NextPane | Action::PreviousPane | Action::Right | Action::Left => {
            state.in_runs = len > 0 && (action == Action::Right || action != Action::Left && !state.in_runs);
        }
        Action::Origin => {
            state.in_runs = len > 0;
            state.run.go(len, len, runs);
        }
        Action::Open => {
            let run = state.row().and_then(|row| row.runs.get(state.run.at)).map(|run| (run.invocation, run.id));
            return run.map_or_else(Vec::new, |(invocation, id)| flow::open_at(app, invocation, id));
        }
        Action::TimeRange => {
            state.range = (state.range + 1) % RANGES.len();
            return ask(app);
        }
        Action::Earlier | Action::Later => {
            let length = TimeDelta::hours(RANGES[state.range].0);
            let end = state.end.unwrap_or(now);
            if action == Action::Later && state.end.is_none() {
                app.say("the range already ends now");
                return Vec::new();
            }
            let moved =
                if action == Action::Later { end.checked_add_signed(length) } else { end.checked_sub_signed(length) };
            state.end = moved.filter(|&end| !filter::ends_now(end, length, now));
            return ask(app);
        }
        Action::Refresh => return ask(app),
        Action::CopyValue | Action::CopyRow => {
            let Some(row) = state.row() else { return Vec::new() };
            let (form, text, what) = match action {
                Action::CopyValue => (Form::Value, row.value(), "the group"),
                _ => (Form::Json, row.json(), "the group as JSON"),
            };
            return vec![Cmd::Copy(Copied::new(form, &text, what))];
        }
        _ if state.in_runs => {
            state.run.act(action, len, runs);
        }
        _ => {
            let before = state.cursor.at;
            state.cursor.act(action, groups, table);
            if state.cursor.at != before {
                state.run = Cursor::default();
            }
        }
    }
    Vec::new()
}

/// Selects what stands in this row of the body.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let (table, runs) = layout(app);
    let alone = app.zoomed;
    let state = here(app);
    let (groups, len) = (state.rows().len(), state.row().map_or(0, |row| row.runs.len()));
    // Alone the runs stand below the title and the line of their group.
    let (table, runs_from) = match (alone, state.in_runs) {
        (true, true) => (0, 2),
        _ => (table, 2 + table + 2),
    };
    if (2..2 + table).contains(&row) {
        let at = state.cursor.window(groups, table).start + row - 2;
        if at < groups {
            state.cursor.go(at, groups, table);
            (state.run, state.in_runs) = (Cursor::default(), false);
        }
    } else if (runs_from..runs_from + runs).contains(&row) {
        let at = state.run.window(len, runs).start + row - runs_from;
        if at < len {
            state.run.go(at, len, runs);
            state.in_runs = true;
        }
    }
    Vec::new()
}

/// How many failures like a node's are known, of the last failures that were read; nothing while none were.
#[must_use]
pub fn like(app: &App, node: usize) -> Option<(u64, &'static str)> {
    app.failures.told.value.as_ref()?;
    let name = fingerprint_of(app, node)?.0;
    let row = app.failures.rows().iter().find(|row| row.name == name)?;
    Some((row.count, RANGES[app.failures.range].1))
}

/// The table as JSON; nothing while there is none.
#[must_use]
pub fn as_json(app: &App) -> Option<String> {
    let rows: Vec<String> = of(app, app.view)?.rows().iter().map(Row::json).collect();
    (!rows.is_empty()).then(|| format!("[{}]\n", rows.join(",\n")))
}

/// Gives up what is on its way.
pub(super) fn abandon(app: &mut App, view: View) -> bool {
    let state = if view == View::Jobs { &mut app.jobs } else { &mut app.failures };
    let abandoned = state.told.abandon();
    if abandoned {
        state.asked_at = None;
    }
    abandoned
}

#[cfg(test)]
pub(in crate::tui) mod tests;

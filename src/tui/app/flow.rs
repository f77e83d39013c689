//! The tree of one cascade.

mod hits;
mod moves;
mod replay;
mod take;
mod zoom;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cursor::Cursor;
use super::find::Find;
use super::{App, Load, detail, groups, logs};
use crate::model::flow::{Critical, Flow, Fold, Kind, Line, LineId, Overview, Rows, Times};
use crate::tui::msg::{Action, Cmd, Failure, View};

/// A cascade that has ended, or that is larger than [`LARGE`], is read again only after so many polls.
const PATIENCE: i32 = 5;
/// Nodes from which on a tree is large: building it again takes a moment.
const LARGE: usize = 20_000;
/// A tree with more lines than this opens with only the ways to failures unfolded.
const MANY_LINES: usize = 200;

/// The tree.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The invocation that was opened.
    pub invocation: Option<Uuid>,
    /// The row of it that is to be selected when it comes.
    wanted: Option<Uuid>,
    /// The cascade that it belongs to.
    pub flow: Load<Flow>,
    /// What is told of the whole tree.
    pub overview: Overview,
    /// What is folded.
    pub fold: Fold,
    /// The visible lines: derived from the tree and its folds whenever one of them changes.
    pub lines: Vec<Line>,
    /// The selected line.
    pub cursor: Cursor,
    /// Whether the bars are hidden.
    pub waterfall_off: bool,
    /// The part of the time axis that is shown; all of it without one.
    pub zoom: Option<Zoom>,
    /// When each node ran.
    pub times: Times,
    /// The critical path.
    pub path: Critical,
    /// Whether the critical path is shown.
    pub path_on: bool,
    /// The replay, while there is one.
    pub replay: Option<Replay>,
    /// Whether a replay begins when the rows come.
    replay_wanted: bool,
    /// What is looked for: hits are nodes.
    pub find: Find,
}

impl State {
    /// The selected line.
    #[must_use]
    pub fn line(&self) -> Option<&Line> {
        self.lines.get(self.cursor.at)
    }

    /// The tree and the node of the selected line; the line of the undetected events stands for none.
    #[must_use]
    pub fn node(&self) -> Option<(&Flow, usize)> {
        let line = self.line().filter(|line| line.undetected == 0)?;
        Some((self.flow.value.as_ref()?, line.node))
    }
}

/// How the rows of the body are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What is told of the whole cascade.
    pub head: u16,
    /// The tree.
    pub tree: u16,
    /// The critical path in words.
    pub path: u16,
    /// The selected node, with the rule above it; 0 where there is no room.
    pub pane: u16,
}

impl Layout {
    /// Shares out so many rows; one goes to the heads of the columns.
    #[must_use]
    pub fn of(body: u16, path_on: bool) -> Self {
        let head = if body >= 14 { 2 } else { 1 };
        let pane = match body {
            30.. => 9,
            19.. => 6,
            _ => 0,
        };
        let path = u16::from(path_on);
        Self { head, tree: body.saturating_sub(head + 1 + path + pane), path, pane }
    }
}

fn tree_rows(app: &App) -> usize {
    usize::from(Layout::of(app.body_rows(), app.flow.path_on).tree).max(1)
}

/// Shows the cascade of an invocation and goes to the screen.
pub fn open(app: &mut App, invocation: Uuid) -> Vec<Cmd> {
    open_at(app, invocation, invocation)
}

/// As [`open`], with one of its rows selected.
pub fn open_at(app: &mut App, invocation: Uuid, row: Uuid) -> Vec<Cmd> {
    app.show(View::Flow);
    let rows = tree_rows(app);
    let state = &mut app.flow;
    if state.flow.value.as_ref().is_some_and(|flow| flow.find(invocation).is_some()) {
        // Another row of the cascade that is on the screen: it stays while it is read again.
        state.invocation = Some(invocation);
        state.reveal(row);
        state.select(&[LineId::Node(row), LineId::Node(invocation)], rows);
    } else {
        let fold = Fold { show_undetected: state.fold.show_undetected, ..Fold::default() };
        let State { waterfall_off, path_on, .. } = *state;
        *state =
            State { invocation: Some(invocation), wanted: Some(row), fold, waterfall_off, path_on, ..State::default() };
    }
    state.flow.request = None;
    load(app)
}

fn load(app: &mut App) -> Vec<Cmd> {
    let Some(invocation) = app.flow.invocation.filter(|_| !app.flow.flow.is_loading()) else { return Vec::new() };
    let request = app.next_request();
    app.flow.flow.request = Some(request);
    vec![Cmd::Cascade { request, invocation }]
}

/// Looks for changes, keeping the selection. A tree in which nothing runs, and a very large one, is left alone for a
/// few polls.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let state = &app.flow;
    let large = state.flow.value.as_ref().is_some_and(|flow| flow.nodes.len() > LARGE);
    let at_rest = state.overview.running == 0 || large;
    let fresh = state.flow.loaded_at.is_some_and(|at| app.now - at < app.settings.poll_every * PATIENCE);
    if state.replay.is_some() || at_rest && fresh && state.flow.error.is_none() {
        return Vec::new();
    }
    load(app)
}

/// The rows came.
pub fn loaded(app: &mut App, request: u64, answer: Result<Option<Rows>, Failure>) -> Vec<Cmd> {
    if !app.flow.flow.take(request) {
        return Vec::new();
    }
    let answer = app.heard(answer);
    let (rows, now, stale_after) = (tree_rows(app), app.server.data_time(app.now), app.settings.stale_after);
    let mut folded = false;
    let state = &mut app.flow;
    match answer {
        Ok(Some(found)) if !found.invocations.is_empty() => {
            if std::mem::take(&mut state.replay_wanted) {
                state.flow.loaded_at = Some(now);
                replay::begin(app, found);
                return Vec::new();
            }
            let flow = Flow::build(found, now, stale_after);
            let first = state.flow.value.is_none();
            state.flow.error = None;
            state.flow.loaded_at = Some(now);
            show_flow(app, flow, now);
            let state = &mut app.flow;
            if first && state.lines.len() > MANY_LINES {
                state.fold_healthy();
                folded = true;
            }
            if let Some(invocation) = state.invocation.filter(|_| first) {
                let row = state.wanted.take().unwrap_or(invocation);
                state.reveal(row);
                state.select(&[LineId::Node(row), LineId::Node(invocation)], rows);
            }
        }
        Ok(_) => {
            state.flow.error = Some(
                "this invocation is no longer in the database: it was deleted, or its retention is over".to_owned(),
            );
        }
        Err(error) => state.flow.error = Some(error),
    }
    if folded {
        let all = app.flow.flow.value.as_ref().map_or(0, |flow| flow.nodes.len());
        app.say(format!("{all} nodes: what went well is folded (zR unfolds all)"));
    }
    Vec::new()
}

/// Shows a tree as it is at `now`, keeping the selection.
fn show_flow(app: &mut App, flow: Flow, now: DateTime<Utc>) {
    let rows = tree_rows(app);
    let state = &mut app.flow;
    let changed = state.flow.value.as_ref() != Some(&flow);
    if changed || state.overview.running > 0 {
        state.overview = Overview::of(&flow);
        state.times = Times::of(&flow, &state.overview, now);
        state.path = Critical::of(&flow, &state.overview, &state.times, now);
    }
    if changed {
        let before = state.remembered();
        state.flow.value = Some(flow);
        state.list();
        state.search();
        state.reselect(&before, rows);
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let rows = tree_rows(app);
    let state = &mut app.flow;
    if state.cursor.act(action, state.lines.len(), rows) || state.walk(action, rows) {
        return Vec::new();
    }
    if replay::act(app, action) {
        return Vec::new();
    }
    let state = &mut app.flow;
    match action {
        Action::Replay => {
            // Its rows are read anew: only the tree is kept of them.
            if !replay::end(app) {
                app.flow.replay_wanted = true;
                return load(app);
            }
        }
        Action::Refresh => {
            replay::end(app);
            return load(app);
        }
        Action::Wrap => state.waterfall_off = !state.waterfall_off,
        Action::CriticalPath => {
            state.path_on = !state.path_on;
            let (rows, len) = (tree_rows(app), app.flow.lines.len());
            app.flow.cursor.clamp(len, rows);
        }
        Action::ZoomIn | Action::ZoomOut => zoom::act(app, action == Action::ZoomIn),
        Action::NextFailure | Action::PreviousFailure => next_failure(app, action == Action::NextFailure),
        Action::Fingerprint => return groups::open_fingerprint(app, app.flow.node().map(|(_, node)| node)),
        Action::Open | Action::Diff => return enter(app, action == Action::Diff),
        Action::Logs => {
            if let Some(subject) = take::subject(app, app.flow.line().map(|line| line.node)) {
                return logs::open(app, subject);
            }
        }
        _ => return take::copy(app, action),
    }
    Vec::new()
}

pub use hits::go_to_hit;
/// Selects the line that stands in this row of the body.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let layout = Layout::of(app.body_rows(), app.flow.path_on);
    let (rows, len) = (tree_rows(app), app.flow.lines.len());
    let at = row.checked_sub(usize::from(layout.head) + 1).filter(|&line| line < rows);
    if let Some(at) = at.map(|line| app.flow.cursor.window(len, rows).start + line).filter(|&at| at < len) {
        app.flow.cursor.go(at, len, rows);
    }
    Vec::new()
}

pub use replay::{Replay, end as end_replay, tick};
pub use take::{subject, subject_of};
pub use zoom::Zoom;

fn next_failure(app: &mut App, forward: bool) {
    let rows = tree_rows(app);
    let state = &mut app.flow;
    let from = state.line().and_then(|line| state.place_of(line));
    let Some((found, wrapped)) = state.overview.failure_from(from, forward) else {
        app.say("nothing failed in this cascade");
        return;
    };
    let all = state.overview.failures.len();
    let id = state.flow.value.as_ref().map(|flow| flow.nodes[state.overview.failures[found]].id);
    if let Some(id) = id {
        state.reveal(id);
        state.select(&[LineId::Node(id)], rows);
    }
    let round = match (wrapped, forward) {
        (false, _) => "",
        (true, true) => ", from the top again",
        (true, false) => ", from the end again",
    };
    app.say(format!("failure {} of {all}{round}", found + 1));
}

/// Opens what is selected: a node's detail, or the undetected events one by one.
fn enter(app: &mut App, diff: bool) -> Vec<Cmd> {
    let Some((flow, index)) = app.flow.node() else {
        let rows = tree_rows(app);
        app.flow.walk(Action::Undetected, rows);
        return Vec::new();
    };
    // Only an invocation carries a changed row.
    let shown = if diff { flow.invocation_of(index).unwrap_or(index) } else { index };
    let (kind, id) = (flow.nodes[shown].kind, flow.nodes[shown].id);
    detail::open(app, kind, id, diff && kind == Kind::Invocation)
}

#[cfg(test)]
pub(in crate::tui) mod tests;

//! Two cascades side by side.

use serde_json::json;
use uuid::Uuid;

use super::cursor::Cursor;
use super::{App, Load, flow};
use crate::model::compare::{Change, Pair, pairs};
use crate::model::flow::{Flow, Rows};
use crate::tui::msg::{Action, Cmd, Failure, FailureKind, View};

/// Rows of the body that are not the table: the two cascades, what differs, the heads.
pub const CHROME: u16 = 4;

/// Two cascades and how they differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The first.
    pub left: Flow,
    /// The second.
    pub right: Flow,
    /// What stands at the same place in both.
    pub pairs: Vec<Pair>,
}

impl Compared {
    /// The invocations that are compared.
    #[must_use]
    pub fn roots(&self) -> (Option<usize>, Option<usize>) {
        self.pairs.first().map_or((None, None), |pair| (pair.left, pair.right))
    }
}

/// The screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The invocations that are compared.
    pub of: Option<(Uuid, Uuid)>,
    /// How they differ.
    pub compared: Load<Compared>,
    /// The selected line.
    pub cursor: Cursor,
    /// Whether the last request failed because the database cannot be reached.
    unreachable: bool,
}

impl State {
    /// The lines.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        self.compared.value.as_ref().map_or(&[], |compared| &compared.pairs)
    }
}

fn rows(app: &App) -> usize {
    usize::from(app.body_rows().saturating_sub(CHROME)).max(1)
}

/// Compares the marked invocations, when there are two.
pub fn open(app: &mut App) -> Vec<Cmd> {
    let &[left, right] = app.marks.as_slice() else {
        let marked = app.marks.len();
        app.say(format!("two rows are compared: m marks them ({marked} marked, M clears)"));
        return Vec::new();
    };
    if app.compare.of != Some((left, right)) {
        app.compare = State { of: Some((left, right)), ..State::default() };
    }
    app.show(View::Compare);
    ask(app)
}

fn ask(app: &mut App) -> Vec<Cmd> {
    let Some((left, right)) = app.compare.of.filter(|_| !app.compare.compared.is_loading()) else { return Vec::new() };
    let request = app.next_request();
    app.compare.compared.request = Some(request);
    vec![Cmd::Compare { request, left, right }]
}

/// Reads again only what never came, or when the database is tried again: what is compared has ended, for the most part,
/// and a key reads it again.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let state = &app.compare;
    if state.unreachable || state.compared.is_idle() { ask(app) } else { Vec::new() }
}

/// The rows of both came.
pub fn loaded(app: &mut App, request: u64, answer: Result<(Rows, Rows), Failure>) -> Vec<Cmd> {
    if !app.compare.compared.take(request) {
        return Vec::new();
    }
    app.compare.unreachable = answer.as_ref().is_err_and(|failure| failure.kind != FailureKind::Other);
    let answer = app.heard(answer);
    let (rows, now, stale_after) = (rows(app), app.now, app.settings.stale_after);
    let Some((left_id, right_id)) = app.compare.of else { return Vec::new() };
    let state = &mut app.compare;
    match answer {
        Ok((left, right)) => {
            let (left, right) = (Flow::build(left, now, stale_after), Flow::build(right, now, stale_after));
            let (Some(from), Some(to)) = (left.find(left_id), right.find(right_id)) else {
                state.compared.error = Some(
                    "one of them is no longer in the database: it was deleted, or its retention is over".to_owned(),
                );
                return Vec::new();
            };
            let pairs = pairs((&left, from), (&right, to));
            state.cursor.clamp(pairs.len(), rows);
            state.compared.value = Some(Compared { left, right, pairs });
            (state.compared.error, state.compared.loaded_at) = (None, Some(now));
        }
        Err(error) => state.compared.error = Some(error),
    }
    Vec::new()
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let rows = rows(app);
    let state = &mut app.compare;
    let len = state.pairs().len();
    if state.cursor.act(action, len, rows) {
        return Vec::new();
    }
    let at = state.cursor.at;
    match action {
        Action::NextFailure | Action::PreviousFailure => {
            let differs = |&place: &usize| state.pairs()[place].change != Change::Same;
            let found = match action {
                Action::NextFailure => (at + 1..len).find(differs),
                _ => (0..at.min(len)).rev().find(differs),
            };
            match found {
                Some(found) => state.cursor.go(found, len, rows),
                None => app.say("no further difference"),
            }
        }
        Action::Open => {
            let (Some(compared), Some((left, right))) = (&state.compared.value, state.of) else { return Vec::new() };
            let Some(pair) = compared.pairs.get(at) else { return Vec::new() };
            return match (pair.left, pair.right) {
                (_, Some(node)) => {
                    let id = compared.right.nodes[node].id;
                    flow::open_at(app, right, id)
                }
                (Some(node), None) => {
                    let id = compared.left.nodes[node].id;
                    flow::open_at(app, left, id)
                }
                (None, None) => Vec::new(),
            };
        }
        Action::Refresh => return ask(app),
        Action::CopyValue | Action::CopyRow => return copy(app, action).into_iter().collect(),
        _ => {}
    }
    Vec::new()
}

/// Selects the line that stands in this row of the body.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let (rows, len) = (rows(app), app.compare.pairs().len());
    let line = row.checked_sub(usize::from(CHROME)).filter(|&line| line < rows);
    if let Some(at) = line.map(|line| app.compare.cursor.window(len, rows).start + line).filter(|&at| at < len) {
        app.compare.cursor.go(at, len, rows);
    }
    Vec::new()
}

fn copy(app: &App, action: Action) -> Option<Cmd> {
    let compared = app.compare.compared.value.as_ref()?;
    let pair = compared.pairs.get(app.compare.cursor.at)?;
    let left = pair.left.map(|node| &compared.left.nodes[node]);
    let right = pair.right.map(|node| &compared.right.nodes[node]);
    let name = left.or(right)?.name.clone();
    if action == Action::CopyValue {
        return Some(Cmd::Copy { text: name, what: "the name".to_owned() });
    }
    let side = |node: &crate::model::flow::Node| json!({"id": node.id, "effective_status": node.effective, "duration_ms": node.duration_ms});
    let change = match pair.change {
        Change::Missing => "missing",
        Change::Added => "added",
        Change::Status => "status",
        Change::Slower(_) => "slower",
        Change::Faster(_) => "faster",
        Change::Same => "same",
    };
    let value = json!({"name": name, "change": change, "left": left.map(side), "right": right.map(side)});
    Some(Cmd::Copy { text: format!("{value:#}"), what: "the pair as JSON".to_owned() })
}

#[cfg(test)]
pub(in crate::tui) mod tests;

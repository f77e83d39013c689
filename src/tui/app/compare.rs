//! Two cascades side by side.

use serde_json::{Value, json};
use uuid::Uuid;

use super::cursor::Cursor;
use super::{App, Load, flow};
use crate::model::compare::{Change, Pair, other_trigger, pairs};
use crate::model::flow::{Flow, Node, Rows};
use crate::model::text::{clean, duration};
use crate::tui::msg::{Action, Cmd, Copied, Failure, FailureKind, Form, View};
use crate::tui::theme::Theme;

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

    /// In what their triggers differ.
    #[must_use]
    pub fn other_trigger(&self) -> Vec<&'static str> {
        let (Some(left), Some(right)) = self.roots() else { return Vec::new() };
        other_trigger(&self.left.nodes[left], &self.right.nodes[right])
    }

    /// How many of each kind of difference there are, in words.
    #[must_use]
    pub fn sum(&self) -> String {
        let count = |matches: fn(Change) -> bool| self.pairs.iter().filter(|pair| matches(pair.change)).count();
        let counts = [
            (count(|change| change == Change::Missing), "missing in B"),
            (count(|change| change == Change::Added), "only in B"),
            (count(|change| change == Change::Status), "other status"),
            (count(|change| matches!(change, Change::Slower(_))), "slower"),
            (count(|change| matches!(change, Change::Faster(_))), "faster"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        match parts.len() {
            0 => "no difference in what ran, how it went and how long it took".to_owned(),
            _ => parts.join(", "),
        }
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
    let (rows, now, stale_after) = (rows(app), app.server.data_time(app.now), app.settings.stale_after);
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
    if action == Action::CopyValue {
        let name = &compared.nodes(pair).0.or(compared.nodes(pair).1)?.name;
        return Some(Cmd::Copy(Copied::new(Form::Value, name, "the name")));
    }
    let text = format!("{:#}", compared.json(pair));
    Some(Cmd::Copy(Copied::new(Form::Json, &text, "the pair as JSON")))
}

/// The whole comparison as JSON; nothing while there is none.
#[must_use]
pub fn as_json(app: &App) -> Option<String> {
    let (compared, (left, right)) = (app.compare.compared.value.as_ref()?, app.compare.of?);
    let pairs: Vec<_> = compared.pairs.iter().map(|pair| compared.json(pair)).collect();
    let value = json!({
        "left": left, "right": right, "other_trigger": compared.other_trigger(), "summary": compared.sum(),
        "pairs": pairs,
    });
    Some(format!("{value:#}\n"))
}

/// The whole comparison as lines of text; nothing while there is none.
#[must_use]
pub fn as_text(app: &App) -> Option<String> {
    let (compared, (left, right)) = (app.compare.compared.value.as_ref()?, app.compare.of?);
    let mut text = format!("A {left}\nB {right}\n{}\n\n", compared.sum());
    let cell = |node: Option<&Node>| match node {
        Some(node) => {
            format!("{} {}", Theme::word(node.effective), node.duration_ms.map(duration).unwrap_or_default())
        }
        None => "-".to_owned(),
    };
    for pair in &compared.pairs {
        let (left, right) = compared.nodes(pair);
        let Some(node) = left.or(right) else { continue };
        let name = format!("{}{} {}", "  ".repeat(pair.depth), node.kind.short(), clean(&node.name));
        let line = format!("{name:<60} {:<14} {:<14} {}", cell(left), cell(right), words(pair.change));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Some(text)
}

/// A change in words; empty when there is none.
#[must_use]
pub fn words(change: Change) -> String {
    match change {
        Change::Missing => "missing in B".to_owned(),
        Change::Added => "only in B".to_owned(),
        Change::Status => "other status".to_owned(),
        Change::Slower(ms) => format!("slower +{}", duration(ms)),
        Change::Faster(ms) => format!("faster -{}", duration(ms)),
        Change::Same => String::new(),
    }
}

impl Compared {
    /// The nodes of a line.
    #[must_use]
    pub fn nodes(&self, pair: &Pair) -> (Option<&Node>, Option<&Node>) {
        (pair.left.map(|node| &self.left.nodes[node]), pair.right.map(|node| &self.right.nodes[node]))
    }

    fn json(&self, pair: &Pair) -> Value {
        let (left, right) = self.nodes(pair);
        let side =
            |node: &Node| json!({"id": node.id, "effective_status": node.effective, "duration_ms": node.duration_ms});
        let node = left.or(right);
        let change = match pair.change {
            Change::Missing => "missing",
            Change::Added => "added",
            Change::Status => "status",
            Change::Slower(_) => "slower",
            Change::Faster(_) => "faster",
            Change::Same => "same",
        };
        json!({
            "name": node.map(|node| &node.name), "kind": node.map(|node| node.kind), "depth": pair.depth,
            "change": change, "left": left.map(side), "right": right.map(side),
        })
    }
}

#[cfg(test)]
pub(in crate::tui) mod tests;

//! The prompt of the filter: a line, what may come next, what is wrong with it, and what was typed before.

use crossterm::event::{KeyCode, KeyEvent};

use super::apply;
use crate::model::filter::{Completion, Filter, FilterError, Known, SEARCH_RANGE, Test, TextField, complete};
use crate::tui::app::App;
use crate::tui::app::prompt::{Edit, Line};
use crate::tui::msg::{Cmd, Failure, View};

/// Filters that are remembered.
const MOST_REMEMBERED: usize = 100;

/// The prompt.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// What is typed.
    pub line: Line,
    /// What may come next.
    pub completions: Vec<Completion>,
    /// The completion that Enter takes.
    pub chosen: Option<usize>,
    /// What is wrong.
    pub error: Option<FilterError>,
    /// Which of the remembered filters is shown, counted from the newest.
    past: Option<usize>,
}

impl Prompt {
    /// Tells again what may come next and what is wrong, after the line or the cursor changed.
    fn derive(&mut self, known: &Known) {
        let (text, at) = (self.line.text(), self.line.at());
        self.chosen = None;
        self.completions = if self.past.is_some() { Vec::new() } else { complete(text, at, known) };
        // A term that is being typed is not wrong yet.
        let finished = |error: &FilterError| {
            text.get(error.at.min(at)..at).is_some_and(|typed| typed.contains(char::is_whitespace))
        };
        self.error = Filter::parse(text).err().filter(finished);
    }

    /// Chooses the next completion, or the one before; between the last and the first lies none.
    fn choose(&mut self, forward: bool) {
        let last = self.completions.len().checked_sub(1);
        self.chosen = match (self.chosen, forward) {
            (None, true) => last.map(|_| 0),
            (None, false) => last,
            (Some(at), true) => Some(at + 1).filter(|at| Some(*at) <= last),
            (Some(at), false) => at.checked_sub(1),
        };
        if self.chosen.is_some() {
            self.error = None;
        }
    }
}

/// Opens the prompt on the filter that is applied, and asks for the names that may be completed.
pub(super) fn open(app: &mut App) -> Vec<Cmd> {
    let mut text = app.filter.applied.to_string();
    if !text.is_empty() {
        text.push(' ');
    }
    app.filter.prompt = Some(Prompt { line: Line::new(text), ..Prompt::default() });
    derive(app);
    if app.has_banner() {
        return Vec::new();
    }
    let request = app.next_request();
    app.filter.known.request = Some(request);
    let since = app.now.checked_sub_signed(SEARCH_RANGE).unwrap_or(app.now);
    vec![Cmd::Known { request, since }]
}

/// The names came.
pub fn named(app: &mut App, request: u64, answer: Result<Known, Failure>) -> Vec<Cmd> {
    if !app.filter.known.take(request) {
        return Vec::new();
    }
    // Without names fields can still be completed.
    let Ok(known) = app.heard(answer) else { return Vec::new() };
    app.filter.known.value = Some(known);
    let chosen = |prompt: &Prompt| Some(prompt.completions.get(prompt.chosen?)?.insert.clone());
    let chosen = app.filter.prompt.as_ref().and_then(chosen);
    derive(app);
    if let Some(prompt) = &mut app.filter.prompt {
        prompt.chosen = prompt.completions.iter().position(|completion| Some(&completion.insert) == chosen.as_ref());
    }
    Vec::new()
}

fn derive(app: &mut App) {
    let none = Known::default();
    let known = app.filter.known.value.as_ref().unwrap_or(&none);
    if let Some(prompt) = &mut app.filter.prompt {
        prompt.derive(known);
    }
}

/// Closes the prompt; the names that did not come are not waited for.
pub(super) fn close(app: &mut App) -> Vec<Cmd> {
    app.filter.prompt = None;
    if app.filter.known.abandon() { vec![Cmd::LeavePrompt] } else { Vec::new() }
}

/// Gives a key to the prompt; nothing when none is open, or when the key is none of a prompt's.
pub fn typed(app: &mut App, key: KeyEvent) -> Option<Vec<Cmd>> {
    let prompt = app.filter.prompt.as_mut()?;
    match (key.code, prompt.chosen) {
        (KeyCode::Tab, _) => prompt.choose(true),
        (KeyCode::BackTab, _) | (KeyCode::Up, Some(_)) => prompt.choose(false),
        (KeyCode::Down, _) if prompt.past.is_none() => prompt.choose(true),
        (KeyCode::Up | KeyCode::Down, _) => remember(app, key.code == KeyCode::Up),
        (KeyCode::Enter, Some(at)) => {
            if let Some(Completion { replace, insert, .. }) = prompt.completions.get(at).cloned() {
                prompt.line.replace(replace, &insert);
            }
            derive(app);
        }
        _ => match prompt.line.press(key) {
            Edit::Foreign => return None,
            Edit::Left => return Some(close(app)),
            Edit::Done => return Some(submit(app)),
            Edit::Changed => {
                prompt.past = None;
                derive(app);
            }
            Edit::Same => derive(app),
        },
    }
    Some(Vec::new())
}

/// Puts pasted text into the line; opens the prompt on the list where none is open. A pasted id stands alone: it is
/// looked for everywhere, whatever was asked before.
pub fn paste(app: &mut App, text: &str) -> Option<Vec<Cmd>> {
    let commands = match app.filter.prompt {
        Some(_) => Vec::new(),
        None if app.view == View::Invocations && !app.is_covered() => open(app),
        None => return None,
    };
    let mut alone = Line::default();
    alone.insert(text);
    let prompt = app.filter.prompt.as_mut()?;
    if is_id(alone.text()) {
        prompt.line = alone;
    } else {
        prompt.line.insert(text);
    }
    prompt.past = None;
    derive(app);
    Some(commands)
}

fn is_id(text: &str) -> bool {
    Filter::parse(text).is_ok_and(|filter| match filter.terms() {
        [term] => matches!(term.test(), Test::Id(_) | Test::Text(TextField::Corr, _)) && !term.negated(),
        _ => false,
    })
}

/// Applies what was typed, or says what is wrong with it.
fn submit(app: &mut App) -> Vec<Cmd> {
    let Some(prompt) = &mut app.filter.prompt else { return Vec::new() };
    let text = prompt.line.text().trim().to_owned();
    let filter = match Filter::parse(prompt.line.text()) {
        Ok(filter) => filter,
        Err(error) => {
            prompt.error = Some(error);
            return Vec::new();
        }
    };
    if !text.is_empty() {
        let history = &mut app.filter.history;
        history.retain(|old| *old != text);
        history.push(text);
        let surplus = history.len().saturating_sub(MOST_REMEMBERED);
        history.drain(..surplus);
    }
    let mut commands = close(app);
    commands.extend(apply(app, filter));
    commands
}

/// Shows the filter that was applied before, or after, the one that is shown.
fn remember(app: &mut App, before: bool) {
    let history = &app.filter.history;
    let Some(prompt) = &mut app.filter.prompt else { return };
    let past = match (prompt.past, before) {
        // The newest one is what is applied, and stands there already.
        (None, true) => {
            let same = history.last().is_some_and(|last| last.trim() == prompt.line.text().trim());
            Some(usize::from(same))
        }
        (Some(past), true) => Some(past + 1),
        (past, false) => past.and_then(|past| past.checked_sub(1)),
    };
    let text = past.map(|past| history.len().checked_sub(past + 1).map(|at| history[at].clone()));
    match text {
        // There is none before the oldest.
        Some(None) => return,
        Some(Some(text)) => prompt.line = Line::new(text),
        None => prompt.line = Line::default(),
    }
    prompt.past = past;
    derive(app);
}

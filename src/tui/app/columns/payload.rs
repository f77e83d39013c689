//! The column of a value out of the payload: which value, and what is known of it. Only what is on the screen is asked for.

use std::collections::HashMap;

use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::{Column, row_at};
use crate::model::redact::{MASK, mask_text, masker};
use crate::tui::app::invocations::table_rows;
use crate::tui::app::overlay::{Overlay, Typed};
use crate::tui::app::prompt::{Edit, Line};
use crate::tui::app::{App, Load};
use crate::tui::msg::{Cmd, Failure, View};

/// Values that are kept; then all are forgotten.
const MOST: usize = 10_000;
/// Names in a path at the most.
const DEEPEST: usize = 20;

/// The column.
#[derive(Clone, Debug, Default)]
pub struct State {
    path: String,
    values: HashMap<Uuid, Option<String>>,
    load: Load<()>,
    asked: Vec<Uuid>,
}

impl State {
    /// The path to the value, such as `data.new.id`; empty while none was chosen.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is known of an invocation's value: its text, `-` where there is none; nothing before it was read.
    #[must_use]
    pub fn value(&self, invocation: Uuid) -> Option<&str> {
        if self.is_secret() {
            return Some(MASK);
        }
        self.values.get(&invocation).map(|value| value.as_deref().unwrap_or("-"))
    }

    fn is_secret(&self) -> bool {
        masker().is_secret_path(&self.path)
    }

    /// Awaits no answer any more; tells whether one was awaited.
    pub(in crate::tui::app) fn abandon(&mut self) -> bool {
        self.load.abandon()
    }

    /// Asks again for what could not be read.
    pub(in crate::tui) fn retry(&mut self) {
        self.load.error = None;
    }
}

/// Shows the values at this path; an empty one takes the column away. A text that is no path changes nothing.
///
/// # Errors
/// What is wrong with it, in words.
pub fn set(app: &mut App, text: &str) -> Result<(), &'static str> {
    let path = text.trim();
    let path = path.strip_prefix("payload.").unwrap_or(path);
    if !path.is_empty() && (path.split('.').any(str::is_empty) || path.split('.').count() > DEEPEST) {
        return Err("a path is names with dots between them: data.new.id");
    }
    if path != app.columns.payload.path {
        app.columns.payload = State { path: path.to_owned(), ..State::default() };
    }
    if path.is_empty() {
        show(app, false);
    }
    Ok(())
}

fn show(app: &mut App, is_shown: bool) {
    for (column, shown) in &mut app.columns.all {
        if *column == Column::Payload {
            *shown = is_shown;
        }
    }
}

/// Opens the prompt for the path.
pub(super) fn open(app: &mut App) {
    app.overlay = Some(Overlay::PayloadPath(Line::new(app.columns.payload.path.clone())));
}

/// A key of that prompt.
pub fn typed(app: &mut App, mut line: Line, key: KeyEvent) -> Typed {
    let at = app.columns.all.iter().position(|(column, _)| *column == Column::Payload).unwrap_or(0);
    match line.press(key) {
        Edit::Foreign => return Typed::Foreign,
        Edit::Same | Edit::Changed => app.overlay = Some(Overlay::PayloadPath(line)),
        Edit::Left => app.overlay = Some(Overlay::Columns(at)),
        Edit::Done => match set(app, line.text()) {
            Ok(()) => {
                show(app, !app.columns.payload.path.is_empty());
                app.overlay = Some(Overlay::Columns(at));
            }
            Err(error) => app.complain(error),
        },
    }
    Typed::Taken(Vec::new())
}

/// Asks for the values on the screen that are not known, unless some are on their way.
pub(in crate::tui) fn ask(app: &mut App) -> Vec<Cmd> {
    let state = &app.columns.payload;
    let is_shown = app.columns.shown().any(|column| column == Column::Payload);
    let waits = state.load.is_loading() || state.load.error.is_some() || app.has_banner();
    if app.view != View::Invocations || !is_shown || state.path.is_empty() || state.is_secret() || waits {
        return Vec::new();
    }
    let first = app.invocations.offset;
    let ids: Vec<Uuid> = (first..first + table_rows(app))
        .filter_map(|place| Some(app.invocations.rows().get(row_at(app, place)?)?.invocation.id))
        .filter(|id| !state.values.contains_key(id))
        .collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let path = state.path.split('.').map(str::to_owned).collect();
    let request = app.next_request();
    let state = &mut app.columns.payload;
    state.load.request = Some(request);
    state.asked = ids.clone();
    vec![Cmd::Values { request, ids, path }]
}

/// The values came.
pub fn loaded(app: &mut App, request: u64, answer: Result<Vec<(Uuid, Option<String>)>, Failure>) -> Vec<Cmd> {
    if !app.columns.payload.load.take(request) {
        return Vec::new();
    }
    let answer = app.heard(answer);
    let state = &mut app.columns.payload;
    match answer {
        Ok(values) => {
            if state.values.len() + state.asked.len() > MOST {
                state.values.clear();
            }
            state.values.extend(state.asked.drain(..).map(|id| (id, None)));
            let masked = |text: String| mask_text(&text).0.into_owned();
            state.values.extend(values.into_iter().map(|(id, value)| (id, value.map(masked))));
            super::arrange(app);
        }
        Err(error) => {
            state.load.error = Some(error.clone());
            app.complain(format!("the payload column was not read: {error} (r tries again)"));
        }
    }
    Vec::new()
}

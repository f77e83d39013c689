//! Saved views of the list: choosing, saving and deleting them, and what a session leaves to the next one.

use crossterm::event::{KeyCode, KeyEvent};

use super::cursor::Cursor;
use super::kept::{self, Look, Session, View};
use super::overlay::{Overlay, Typed};
use super::prompt::{Edit, Line};
use super::{App, columns, filter};
use crate::model::filter::Filter;
use crate::tui::msg::{Action, Cmd};

/// Saved views.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Those of the file, or why there are none; nothing before it was read.
    pub all: Option<Result<Vec<View>, String>>,
    /// The one that was chosen or saved last.
    pub current: Option<View>,
}

/// The list of views while it is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The chosen one.
    pub at: usize,
    /// Whether it was asked to delete it once.
    pub deleting: bool,
}

/// The prompt for the name of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// What is typed.
    pub line: Line,
    /// The name that another view has already: once more replaces that one.
    pub taken: Option<String>,
}

/// How the list is looked at now.
#[must_use]
pub fn look(app: &App) -> Look {
    Look {
        filter: app.filter.applied().to_string(),
        columns: kept::columns(&app.columns),
        sort: app.columns.sort,
        payload: app.columns.payload.path().to_owned(),
    }
}

/// The name of the chosen view, with a star when something was changed since; empty when there is none.
#[must_use]
pub fn name(app: &App) -> String {
    match &app.views.current {
        Some(view) if view.look == look(app) => view.name.clone(),
        Some(view) => format!("{}*", view.name),
        None => String::new(),
    }
}

/// The views of the file, as far as it was read.
#[must_use]
pub fn all(app: &App) -> &[View] {
    app.views.all.as_ref().and_then(|all| all.as_deref().ok()).unwrap_or_default()
}

/// Opens the list of views, or the prompt that saves the present one.
pub(super) fn open(app: &mut App, action: Action) -> Vec<Cmd> {
    let Some(file) = app.settings.files.views.clone() else {
        app.complain("there is no place for saved views: set HOME or XDG_CONFIG_HOME");
        return Vec::new();
    };
    app.overlay = Some(if action == Action::SaveView {
        let name = app.views.current.as_ref().map_or_else(String::new, |view| view.name.clone());
        Overlay::SaveView(Naming { line: Line::new(name), taken: None })
    } else {
        Overlay::Views(Choice::default())
    });
    vec![Cmd::ReadViews(file)]
}

/// The file was read or written.
pub fn loaded(app: &mut App, answer: Result<Vec<View>, String>) -> Vec<Cmd> {
    if let Err(error) = &answer {
        app.complain(error.clone());
    }
    if let Some(Overlay::Views(choice)) = &mut app.overlay {
        let last = answer.as_ref().map_or(0, |views| views.len().saturating_sub(1));
        choice.at = choice.at.min(last);
    }
    app.views.all = Some(answer);
    Vec::new()
}

/// A view was saved, or nothing was because another one has its name.
pub fn saved(app: &mut App, view: View, answer: Result<Option<Vec<View>>, String>) -> Vec<Cmd> {
    match answer {
        Ok(Some(all)) => {
            app.say(format!("saved the view `{}`", view.name));
            app.views.all = Some(Ok(all));
            app.views.current = Some(view);
        }
        Ok(None) => {
            app.overlay =
                Some(Overlay::SaveView(Naming { line: Line::new(view.name.clone()), taken: Some(view.name) }));
        }
        Err(error) => app.complain(error),
    }
    Vec::new()
}

/// What an action does in the list of views.
pub(super) fn act(app: &mut App, mut choice: Choice, action: Action) -> Vec<Cmd> {
    let count = all(app).len();
    if action == Action::Open {
        app.overlay = None;
        return all(app).get(choice.at).cloned().map_or_else(Vec::new, |view| choose(app, view));
    }
    let mut cursor = Cursor { at: choice.at, top: 0 };
    cursor.act(action, count, count);
    choice = Choice { at: cursor.at, deleting: false };
    app.overlay = Some(Overlay::Views(choice));
    Vec::new()
}

/// A key of the list of views: deleting asks once more.
pub(super) fn typed(app: &mut App, choice: Choice, key: KeyEvent) -> Typed {
    let (KeyCode::Char('d') | KeyCode::Delete, Some(view), Some(file)) =
        (key.code, all(app).get(choice.at).cloned(), app.settings.files.views.clone())
    else {
        return Typed::Foreign;
    };
    if !key.modifiers.is_empty() {
        return Typed::Foreign;
    }
    app.overlay = Some(Overlay::Views(Choice { deleting: !choice.deleting, ..choice }));
    Typed::Taken(if choice.deleting { vec![Cmd::DeleteView { file, name: view.name }] } else { Vec::new() })
}

/// A key of the prompt for a name.
pub(super) fn named(app: &mut App, mut naming: Naming, key: KeyEvent) -> Typed {
    match naming.line.press(key) {
        Edit::Foreign => return Typed::Foreign,
        Edit::Left => app.overlay = None,
        Edit::Same => app.overlay = Some(Overlay::SaveView(naming)),
        Edit::Changed => app.overlay = Some(Overlay::SaveView(Naming { taken: None, ..naming })),
        Edit::Done => {
            let name = naming.line.text().trim().to_owned();
            let Some(file) = app.settings.files.views.clone().filter(|_| !name.is_empty()) else {
                return Typed::Taken(Vec::new());
            };
            app.overlay = None;
            let replace = naming.taken.as_ref() == Some(&name);
            return Typed::Taken(vec![Cmd::SaveView { file, view: View { name, look: look(app) }, replace }]);
        }
    }
    Typed::Taken(Vec::new())
}

/// Looks at the list as a view does.
pub fn choose(app: &mut App, view: View) -> Vec<Cmd> {
    if let Err(error) = Filter::parse(&view.look.filter) {
        app.complain(format!("the filter of `{}` cannot be used: {}", view.name, error.message));
        return Vec::new();
    }
    app.say(format!("view `{}`", view.name));
    let commands = apply(app, &view.look);
    app.views.current = Some(View { look: look(app), ..view });
    commands
}

fn apply(app: &mut App, look: &Look) -> Vec<Cmd> {
    let commands = filter::set(app, &look.filter);
    columns::set(app, &look.columns, look.sort);
    if let Err(error) = columns::payload::set(app, &look.payload) {
        app.complain(error);
    }
    commands
}

/// Says what to begin with where no session was before this one.
pub fn welcome(app: &mut App) -> Vec<Cmd> {
    let keys = |action| app.settings.keys.key_of(app.view, action);
    let [open, failure, find, help] = [Action::Open, Action::NextFailure, Action::Find, Action::Help].map(keys);
    app.say(format!("to begin: {failure} next failure, {open} its cascade, {find} filter, {help} all keys"));
    Vec::new()
}

/// Goes on where the last session ended. What it asks for is to be sent after the first frame.
pub fn restore(app: &mut App, session: Session) -> Vec<Cmd> {
    if session == Session::default() {
        return Vec::new();
    }
    (app.local_time, app.ages) = (session.local_time, session.ages);
    // The filter of another database would hide the rows of this one; the role does not matter.
    fn place(database: &str) -> &str {
        database.rsplit_once('@').map_or(database, |(_, place)| place)
    }
    let is_same = place(&session.database) == place(&app.settings.database);
    let session = if is_same {
        session
    } else {
        let look = Look { filter: String::new(), ..session.look };
        Session { look, view: None, ..session }
    };
    // A filter that an older version understood and this one does not is none.
    let filter = Filter::parse(&session.look.filter).map_or_else(|_| String::new(), |_| session.look.filter.clone());
    let commands = apply(app, &Look { filter, ..session.look });
    app.views.current = session.view.map(|name| View { name, look: look(app) });
    commands
}

/// What this session leaves to the next one.
#[must_use]
pub fn session(app: &App) -> Session {
    Session {
        database: app.settings.database.clone(),
        look: look(app),
        view: app.views.current.as_ref().filter(|view| view.look == look(app)).map(|view| view.name.clone()),
        local_time: app.local_time,
        ages: app.ages,
    }
}

#[cfg(test)]
mod tests;

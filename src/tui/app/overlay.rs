//! What is open over a screen: one thing at a time, and it gets the keys.

use crossterm::event::KeyEvent;

use super::cursor::Cursor;
use super::prompt::Line;
use super::{App, columns, filter, messages, palette, views};
use crate::tui::msg::{Action, Cmd};

/// What is open over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The messages of this run.
    Messages(Cursor),
    /// The choice of columns: the selected one.
    Columns(usize),
    /// The list of saved views.
    Views(views::Choice),
    /// The prompt for the name of a view.
    SaveView(views::Naming),
    /// The palette.
    Palette(palette::State),
    /// The values to filter by.
    Values(filter::ValueMenu),
    /// The prompt for the path of the payload column.
    PayloadPath(Line),
    /// The ranges of time.
    Range(filter::RangeMenu),
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// It was for nothing that is open.
    Foreign,
    /// It was, and asks for this.
    Taken(Vec<Cmd>),
    /// It was, and is to do what this action does.
    Act(Action),
}

/// Gives a key to what is open.
pub fn typed(app: &mut App, key: KeyEvent) -> Typed {
    match app.overlay.clone() {
        Some(Overlay::Columns(at)) => columns::typed(app, at, key).map_or(Typed::Foreign, Typed::Taken),
        Some(Overlay::Views(choice)) => views::typed(app, choice, key),
        Some(Overlay::SaveView(naming)) => views::named(app, naming, key),
        Some(Overlay::Palette(state)) => palette::typed(app, state, key),
        Some(Overlay::PayloadPath(line)) => columns::payload::typed(app, line, key),
        Some(Overlay::Range(menu)) => filter::typed_range(app, menu, key).map_or(Typed::Foreign, Typed::Taken),
        Some(Overlay::Messages(_) | Overlay::Values(_)) | None => Typed::Foreign,
    }
}

/// Puts pasted text into the line that is typed into what is open; false when there is none.
pub fn pasted(app: &mut App, text: &str) -> bool {
    match &mut app.overlay {
        Some(Overlay::Palette(state)) => {
            state.line.insert(text);
            state.at = 0;
        }
        Some(Overlay::SaveView(naming)) => {
            naming.line.insert(text);
            naming.taken = None;
        }
        Some(Overlay::PayloadPath(line)) => line.insert(text),
        Some(Overlay::Range(menu)) => {
            menu.line.insert(text);
            menu.error = None;
        }
        Some(Overlay::Messages(_) | Overlay::Columns(_) | Overlay::Views(_) | Overlay::Values(_)) | None => {
            return false;
        }
    }
    true
}

/// What a key means while something is open; nothing when the key is for the whole explorer.
pub fn act(app: &mut App, action: Action) -> Option<Vec<Cmd>> {
    let overlay = app.overlay.clone()?;
    let moves = Cursor::default().act(action, 0, 0);
    match action {
        Action::QuitNow | Action::Redraw | Action::Suspend => return None,
        Action::Back | Action::Quit => {
            app.overlay = None;
            return Some(Vec::new());
        }
        _ => {}
    }
    let commands = match overlay.clone() {
        Overlay::Messages(_) if matches!(action, Action::Messages | Action::Open) => {
            app.overlay = None;
            Vec::new()
        }
        Overlay::Columns(_) if matches!(action, Action::Columns | Action::Open) => {
            app.overlay = None;
            Vec::new()
        }
        Overlay::Columns(at) => {
            columns::act_in_choice(app, at, action);
            Vec::new()
        }
        Overlay::Views(_) if action == Action::Views => {
            app.overlay = None;
            Vec::new()
        }
        Overlay::Views(choice) => views::act(app, choice, action),
        Overlay::Palette(state) => palette::act(app, state, action),
        // It takes every key but those of the whole explorer; the wheel has no lines to pass.
        Overlay::SaveView(_) | Overlay::PayloadPath(_) | Overlay::Range(_) => Vec::new(),
        Overlay::Values(menu) => filter::act_in_menu(app, menu, action),
        Overlay::Messages(cursor) => messages::act(app, cursor, action),
    };
    if commands.is_empty() && !moves && app.note.is_none() && app.overlay == Some(overlay) {
        app.close_first();
    }
    Some(commands)
}

/// Opens what an action opens.
pub fn open(app: &mut App, action: Action) -> Vec<Cmd> {
    match action {
        Action::Messages => messages::open(app),
        Action::Columns => columns::open(app),
        Action::Views | Action::SaveView => return views::open(app, action),
        Action::Palette => return palette::open(app),
        _ => {}
    }
    Vec::new()
}

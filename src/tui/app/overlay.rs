//! What is open over a screen: one thing at a time, and it gets the keys.

use crossterm::event::KeyEvent;

use super::cursor::Cursor;
use super::{App, columns, messages};
use crate::tui::msg::{Action, Cmd};

/// What is open over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The messages of this run.
    Messages(Cursor),
    /// The choice of columns: the selected one.
    Columns(usize),
}

/// Gives a key to what is open; nothing when it is none of its own.
pub fn typed(app: &mut App, key: KeyEvent) -> Option<Vec<Cmd>> {
    match app.overlay {
        Some(Overlay::Columns(at)) => columns::typed(app, at, key),
        _ => None,
    }
}

/// What a key means while something is open; nothing when the key is for the whole explorer.
pub fn act(app: &mut App, action: Action) -> Option<Vec<Cmd>> {
    let overlay = app.overlay.clone()?;
    match action {
        Action::QuitNow | Action::Redraw | Action::Suspend => return None,
        Action::Back | Action::Quit => {
            app.overlay = None;
            return Some(Vec::new());
        }
        _ => {}
    }
    Some(match overlay {
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
        Overlay::Messages(cursor) => messages::act(app, cursor, action),
    })
}

/// Opens what an action opens; false when it opens nothing.
pub fn open(app: &mut App, action: Action) -> bool {
    match action {
        Action::Messages => messages::open(app),
        Action::Columns => columns::open(app),
        _ => return false,
    }
    true
}

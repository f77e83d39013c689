//! What is open over a screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{columns, messages};
use crate::tui::app::App;
use crate::tui::app::overlay::Overlay;
use crate::tui::msg::Action;
use crate::tui::theme::Theme;

/// Draws what is open over the body.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    match &app.overlay {
        None => {}
        Some(Overlay::Columns(at)) => columns::draw(app, *at, theme, area, buf),
        Some(Overlay::Messages(cursor)) => {
            super::clear(area, buf);
            messages::draw(app, *cursor, theme, area, buf);
        }
    }
}

/// Its name among the breadcrumbs; nothing when the screen below can be seen.
pub(super) fn name(app: &App) -> Option<&'static str> {
    match app.overlay.as_ref()? {
        Overlay::Messages(_) => Some("Messages"),
        Overlay::Columns(_) => None,
    }
}

/// What the key row says while it is open.
pub(super) fn keys(app: &App) -> Vec<(String, &'static str)> {
    let key_of = |action| app.settings.keys.key_of(app.view, action);
    let pair = |a, b| format!("{}/{}", key_of(a), key_of(b));
    let fixed = |key: &str, label| (key.to_owned(), label);
    if let Some(Overlay::Columns(_)) = app.overlay {
        return vec![
            (pair(Action::Down, Action::Up), "choose"),
            fixed("J/K", "move"),
            fixed("s", "sort"),
            fixed("0", "reset"),
            fixed("Space", "show"),
            (key_of(Action::Back), "close"),
        ];
    }
    vec![(pair(Action::Down, Action::Up), "move"), (key_of(Action::CopyValue), "copy"), (key_of(Action::Back), "close")]
}

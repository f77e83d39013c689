//! What is open over a screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::messages;
use crate::tui::app::App;
use crate::tui::app::overlay::Overlay;
use crate::tui::msg::Action;
use crate::tui::theme::Theme;

/// Draws what is open over the body.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    match &app.overlay {
        None => {}
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
    }
}

/// What the key row says while it is open.
pub(super) fn keys(app: &App) -> Vec<(String, &'static str)> {
    let key_of = |action| app.settings.keys.key_of(app.view, action);
    let pair = |a, b| format!("{}/{}", key_of(a), key_of(b));
    vec![(pair(Action::Down, Action::Up), "move"), (key_of(Action::CopyValue), "copy"), (key_of(Action::Back), "close")]
}

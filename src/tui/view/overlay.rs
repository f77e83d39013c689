//! What is open over a screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{columns, filter, messages, palette, prompt, views};
use crate::tui::app::App;
use crate::tui::app::overlay::Overlay;
use crate::tui::msg::Action;
use crate::tui::theme::Theme;

/// Draws what is open over the body.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    match &app.overlay {
        None => {}
        Some(Overlay::Columns(at)) => columns::draw(app, *at, theme, area, buf),
        Some(Overlay::Views(choice)) => views::draw(app, *choice, theme, area, buf),
        Some(Overlay::Palette(state)) => palette::draw(app, state, theme, area, buf),
        Some(Overlay::SaveView(_) | Overlay::PayloadPath(_)) => {}
        Some(Overlay::Values(menu)) => filter::draw_values(menu, theme, area, buf),
        Some(Overlay::Range(menu)) => filter::draw_ranges(menu, theme, area, buf),
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
        Overlay::Columns(_) | Overlay::Views(_) | Overlay::SaveView(_) | Overlay::Palette(_) => None,
        Overlay::Values(_) | Overlay::Range(_) | Overlay::PayloadPath(_) => None,
    }
}

/// Draws the line that is typed into what is open; false when nothing is.
pub(super) fn typed(app: &App, theme: &Theme, row: Rect, buf: &mut Buffer) -> bool {
    match &app.overlay {
        Some(Overlay::Palette(state)) => {
            prompt::draw(&state.line, ":", ("a part of a name", theme.dim()), theme, row, buf);
        }
        Some(Overlay::PayloadPath(line)) => {
            let said = ("names with dots: data.new.id", theme.dim());
            prompt::draw(line, "value of the payload> ", said, theme, row, buf);
        }
        Some(Overlay::SaveView(naming)) => {
            let (said, style) = match &naming.taken {
                Some(_) => ("this name is taken: Enter replaces it", theme.error()),
                None => ("a name for what the list shows now", theme.dim()),
            };
            prompt::draw(&naming.line, "save view as> ", (said, style), theme, row, buf);
        }
        _ => return false,
    }
    true
}

/// What the key row says while it is open.
pub(super) fn keys(app: &App) -> Vec<(String, &'static str)> {
    let key_of = |action| app.settings.keys.key_of(app.view, action);
    let pair = |a, b| format!("{}/{}", key_of(a), key_of(b));
    let fixed = |key: &str, label| (key.to_owned(), label);
    let moves = |label| (pair(Action::Down, Action::Up), label);
    let close = (key_of(Action::Back), "close");
    match &app.overlay {
        Some(Overlay::Values(_)) => vec![
            moves("choose"),
            (key_of(Action::Open), "filter"),
            (key_of(Action::FilterBy), "by it"),
            (key_of(Action::FilterOut), "out"),
            close,
        ],
        Some(Overlay::Range(_)) => vec![moves("choose"), fixed("Enter", "take"), close],
        Some(Overlay::Columns(_)) => vec![
            moves("choose"),
            fixed("J/K", "move"),
            fixed("s", "sort"),
            fixed("p", "payload"),
            fixed("0", "reset"),
            fixed("Space", "show"),
            close,
        ],
        Some(Overlay::Views(_)) => vec![moves("choose"), fixed("d", "delete"), (key_of(Action::Open), "show"), close],
        Some(Overlay::Palette(_)) => {
            vec![fixed("Down/Up", "choose"), fixed("Enter", "run"), fixed("Esc", "close")]
        }
        Some(Overlay::SaveView(_)) => vec![fixed("Enter", "save"), fixed("Esc", "close")],
        Some(Overlay::PayloadPath(_)) => vec![fixed("Enter", "show"), fixed("Esc", "back")],
        Some(Overlay::Messages(_)) | None => vec![moves("move"), (key_of(Action::CopyValue), "copy"), close],
    }
}

//! The palette: what matches, above the line that is typed.
//!
//! ```text
//!  | next_failure      next failure                     e |
//!  +------------------------------------------------------+
//!  :fail
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::{columns, fit, put};
use super::popup;
use crate::model::text::{clean, plural};
use crate::tui::app::App;
use crate::tui::app::palette::{State, matching};
use crate::tui::theme::Theme;

/// Columns of the box.
const WIDTH: u16 = 78;
/// Columns for a name.
const NAME: usize = 17;

/// Draws what matches at the lower end of the body.
pub(super) fn draw(app: &App, state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let found = matching(app, state.line.text());
    let title = match found.len() {
        0 => "nothing matches".to_owned(),
        n => plural(n as u64, "command"),
    };
    let height = u16::try_from(found.len()).unwrap_or(u16::MAX).clamp(1, area.height.saturating_sub(3).max(1));
    let inside = popup::draw_at_end(&title, (WIDTH, height), theme, area, buf);
    if found.is_empty() {
        put(buf, Rect { height: 1, ..inside }, inside.x + 1, "terms such as st:failed filter the list", theme.dim());
    }
    let rows = usize::from(inside.height);
    let first = (state.at + 1).saturating_sub(rows);
    for (y, (at, entry)) in (inside.y..inside.bottom()).zip(found.iter().enumerate().skip(first)) {
        let row = Rect { y, height: 1, ..inside };
        let selected = at == state.at;
        let x = put(buf, row, row.x, if selected { theme.cursor() } else { " " }, theme.title());
        let name = format!("{:<NAME$} ", clean(&entry.name));
        let x = put(buf, row, x, &name, theme.accent());
        let keys = row.right().saturating_sub(columns(&entry.keys) + 1);
        let room = usize::from(keys.saturating_sub(x + 1));
        put(buf, row, x, &fit(&entry.help, room, theme), ratatui::style::Style::new());
        put(buf, row, keys, &entry.keys, theme.dim());
        if selected {
            buf.set_style(row, theme.selected());
        }
    }
}

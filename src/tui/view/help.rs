//! The keys.
//!
//! ```text
//! MOVE                   SHOW                  COPY
//!   j Down   line down     za     fold or …      y   value
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{fit, put};
use crate::tui::app::{App, help};
use crate::tui::keymap::HelpLine;
use crate::tui::theme::Theme;

/// Columns for the keys of a binding.
const KEYS: u16 = 9;

/// Draws the help over the body. Keys that do nothing on this screen are dim and in brackets.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let columns = app.settings.keys.help(app.view, area.width, help::wanted(app));
    if columns.iter().all(Vec::is_empty) {
        let row = Rect { height: 1, ..area };
        put(buf, row, area.x + 1, "no key does that: Esc ends the search", theme.dim());
    }
    let width = area.width / u16::try_from(columns.len()).unwrap_or(1).max(1);
    let first = app.help.unwrap_or(0);
    for (x, column) in (area.x..).step_by(usize::from(width)).zip(&columns) {
        for (y, line) in (area.y..area.bottom()).zip(column.iter().skip(first)) {
            let row = Rect { x, y, width, height: 1 }.intersection(area);
            match line {
                HelpLine::Blank => {}
                HelpLine::Title(title) => {
                    put(buf, row, x + 1, title, theme.title());
                }
                HelpLine::Key { keys, help, here } => {
                    let (key, text) = if *here { (theme.accent(), Style::new()) } else { (theme.dim(), theme.dim()) };
                    let next = put(buf, row, x + 2, keys, key).max(x + 2 + KEYS) + 1;
                    let room = usize::from(row.right().saturating_sub(next + 1));
                    let text_shown = if *here { (*help).to_owned() } else { format!("({help})") };
                    put(buf, row, next, &fit(&text_shown, room, theme), text);
                }
            }
        }
    }
}

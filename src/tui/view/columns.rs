//! The choice of columns.
//!
//! ```text
//! +- Columns ---------------------------------+
//! |>[x] TIME         when it began            |
//! | [ ] USER         who or what changed it   |
//! +-------------------------------------------+
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::{fit, put};
use super::popup;
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::app::columns::{Column, Sort};
use crate::tui::theme::Theme;

/// Columns of the box.
const WIDTH: u16 = 54;

/// Draws the choice.
pub(super) fn draw(app: &App, selected: usize, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let all = &app.columns.all;
    let height = u16::try_from(all.len()).unwrap_or(u16::MAX);
    let inside = popup::draw("Columns", (WIDTH, height), theme, area, buf);
    // Where the box is too low the selected one stays in it.
    let first = (selected + 1).saturating_sub(usize::from(inside.height));
    for (y, (at, (column, is_shown))) in (inside.y..inside.bottom()).zip(all.iter().enumerate().skip(first)) {
        let row = Rect { y, height: 1, ..inside };
        let cursor = if at == selected { theme.cursor() } else { " " };
        let shown = if *is_shown { "x" } else { " " };
        let sorted = match app.columns.sort {
            Some(sort) if sort.column == *column => format!("sorted, {}", Sort::words(sort)),
            _ if *column == Column::Payload && !app.columns.payload.path().is_empty() => {
                clean(app.columns.payload.path()).into_owned()
            }
            _ => column.help().to_owned(),
        };
        let text = format!("{cursor}[{shown}] {:<12} {sorted}", column.title());
        put(buf, row, row.x, &fit(&text, usize::from(row.width), theme), popup::line_style(theme, at == selected));
        if at == selected {
            buf.set_style(row, theme.selected());
        }
    }
}

//! The saved views.
//!
//! ```text
//! +- Saved views -----------------------------------------------+
//! |>failed moves      st:failed fn:moves at:1h                  |
//! | slow              dur:>5s   DURATION, longest first         |
//! +-------------------------------------------------------------+
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{columns, fit, put};
use super::popup;
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::app::kept::View;
use crate::tui::app::views::{Choice, all};
use crate::tui::msg::Action;
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Columns of the box.
const WIDTH: u16 = 78;
/// Rows of the box that says why there are no views.
const TOLD: u16 = 3;
/// Columns for a name at the most.
const LONGEST_NAME: usize = 24;

/// Draws the list.
pub(super) fn draw(app: &App, choice: Choice, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let views = all(app);
    let height = u16::try_from(views.len()).unwrap_or(u16::MAX);
    let height = if views.is_empty() { TOLD } else { height };
    let inside = popup::draw("Saved views", (WIDTH, height), theme, area, buf);
    let row = |y: u16| Rect { y, height: 1, ..inside };
    if views.is_empty() {
        let text = why_none(app, theme);
        let lines = wrap(&text, usize::from(inside.width.saturating_sub(2)), usize::from(inside.height)).0;
        for (y, text) in (inside.y..inside.bottom()).zip(lines) {
            put(buf, row(y), inside.x + 1, text, Style::new());
        }
        return;
    }
    let name_width = views.iter().map(|view| usize::from(columns(&clean(&view.name)))).max().unwrap_or(0);
    let name_width = name_width.min(LONGEST_NAME).min(usize::from(inside.width) / 2);
    let first = (choice.at + 1).saturating_sub(usize::from(inside.height));
    for (y, (at, view)) in (inside.y..inside.bottom()).zip(views.iter().enumerate().skip(first)) {
        let (row, selected) = (row(y), at == choice.at);
        let x = put(buf, row, row.x, if selected { theme.cursor() } else { " " }, Style::new());
        put(buf, row, x, &fit(&clean(&view.name), name_width, theme), theme.title());
        let x = x + u16::try_from(name_width).unwrap_or(0) + 2;
        let text = if selected && choice.deleting {
            "d again deletes it, any other key does not".to_owned()
        } else {
            what(view)
        };
        put(buf, row, x, &fit(&text, usize::from(row.right().saturating_sub(x + 1)), theme), Style::new());
        if selected {
            buf.set_style(row, theme.selected());
        }
    }
}

fn why_none(app: &App, theme: &Theme) -> String {
    match &app.views.all {
        None => format!("reading{}", theme.ellipsis()),
        Some(Err(error)) => clean(error).into_owned(),
        Some(Ok(_)) => {
            format!(
                "no saved views yet: {} saves the present one",
                app.settings.keys.key_of(app.view, Action::SaveView)
            )
        }
    }
}

/// What a view shows.
fn what(view: &View) -> String {
    let look = &view.look;
    let filter = if look.filter.is_empty() { "all rows".into() } else { clean(&look.filter) };
    let sort = look.sort.map_or_else(String::new, |sort| format!("   {}", sort.words()));
    let columns = match look.columns.len() {
        0 => String::new(),
        count => format!("   {count} columns"),
    };
    format!("{filter}{sort}{columns}")
}

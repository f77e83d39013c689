//! Draws the state and changes nothing.
//!
//! ```text
//! header           where we are, the database, whether it answers, the time
//! (tabs)           from 30 rows on
//! (banner)         when the database cannot be reached
//! body             one of the screens, or the help
//! ----
//! message row      what was said last, else the screen's own summary
//! keys             of this screen, out of the key table
//! ```

pub mod charts;
mod columns;
mod compare;
pub mod detail;
mod filter;
mod find;
pub mod flow;
pub mod frame;
mod groups;
pub mod help;
#[cfg(test)]
mod hostile;
pub mod invocations;
pub mod logs;
#[cfg(test)]
mod matrix;
mod messages;
mod overlay;
mod palette;
mod popup;
mod prompt;
#[cfg(test)]
mod secrets;
mod views;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::msg::View;
use super::theme::Theme;

/// Columns and rows below which nothing useful can be shown.
pub const SMALLEST: (u16, u16) = (40, 12);

/// Bytes that a cell holds at the most.
const LARGEST_CELL: usize = 64;

/// Draws the whole screen.
pub fn draw(app: &App, theme: &Theme, buf: &mut Buffer) {
    let area = buf.area;
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        frame::too_small(area, buf);
        return;
    }
    let rows = frame::rows(app, area);
    frame::header(app, theme, rows.header, buf);
    if app.has_banner() {
        frame::banner(app, theme, rows.banner, buf);
    }
    let body: fn(&App, &Theme, Rect, &mut Buffer) = match app.view {
        _ if app.help.is_some() => help::draw,
        View::Invocations => invocations::draw,
        View::Flow => flow::draw,
        View::Logs => logs::draw,
        View::Charts => charts::draw,
        View::Jobs | View::Failures => groups::draw,
        View::Compare => compare::draw,
        View::Detail => detail::draw,
    };
    body(app, theme, rows.body, buf);
    overlay::draw(app, theme, rows.body, buf);
    frame::rule(theme, rows.rule, buf);
    frame::message(app, theme, rows.message, buf);
    frame::keys(app, theme, rows.keys, buf);
    limit(buf);
}

/// Cuts cells that hold more than a character with what combines with it: a text of nothing but accents would be a single
/// cell, however long it is.
fn limit(buf: &mut Buffer) {
    for cell in buf.content.iter_mut().filter(|cell| cell.symbol().len() > LARGEST_CELL) {
        let end = cell.symbol().floor_char_boundary(LARGEST_CELL);
        let start = cell.symbol()[..end].to_owned();
        cell.set_symbol(&start);
    }
}

/// Empties a part of the screen for what is drawn over it.
fn clear(area: Rect, buf: &mut Buffer) {
    for position in area.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
}

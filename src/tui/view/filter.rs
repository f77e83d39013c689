//! The row of the filter: what the rows pass, over which time, and how many there are.
//!
//! ```text
//!  filter> st:failed fn:event-detector-*                              last 15m   200 of 3,120
//! ```
//!
//! While it is typed: what may come next, or what is wrong.

mod menus;
mod prompt;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{columns, fit, put};
use crate::model::filter::Filter;
use crate::model::text::clean;
use crate::tui::app::charts::words::count;
use crate::tui::app::{App, filter, invocations};
use crate::tui::theme::Theme;

pub(super) use menus::{range as draw_ranges, values as draw_values};
pub(super) use prompt::draw as draw_prompt;

/// What stands before the filter.
fn label(row: Rect) -> &'static str {
    if row.width < 60 { "/ " } else { "filter> " }
}

/// Draws the row.
pub(super) fn draw(app: &App, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let applied = app.filter.applied();
    let (range, found) = (filter::range(app), found(app, theme));
    let right = if found.is_empty() { range } else { format!("{range}  {found}") };
    let end = row.right().saturating_sub(columns(&right) + 1);
    put(buf, row, end, &right, Style::new());
    let x = put(buf, row, row.x + 1, label(row), theme.accent());
    let room = usize::from(end.saturating_sub(x + 1));
    if applied.is_empty() {
        let text = if row.width < 60 { "all rows" } else { "none, all rows are shown" };
        put(buf, row, x, &fit(text, room, theme), theme.dim());
    } else {
        put(buf, row, x, &fit(&clean(&terms(applied)), room, theme), theme.title());
    }
}

/// The terms but the range, which stands at the right.
fn terms(filter: &Filter) -> String {
    let one = filter.times().map(<[_]>::len).sum::<usize>() < 2;
    if one { filter.clone().at(None).to_string() } else { filter.to_string() }
}

/// How many rows there are: `12 match`, `200 of 3,120`, `200 of 10,000+`.
fn found(app: &App, theme: &Theme) -> String {
    let state = &app.invocations;
    if app.filter.applied().is_empty() {
        return String::new();
    }
    if state.kept.is_some() {
        return format!("{} so far, waits for the database", count(state.rows().len() as u64));
    }
    if let Some(progress) = invocations::progress(app) {
        return format!("{} so far, searched {progress}", count(state.rows().len() as u64));
    }
    if state.rows.value.is_none() {
        return if state.rows.is_loading() { format!("searching{}", theme.ellipsis()) } else { "not read".to_owned() };
    }
    let shown = state.rows().len() as u64;
    if state.complete {
        return match shown {
            0 => "no match".to_owned(),
            shown => format!("{} match", count(shown)),
        };
    }
    let of = match (&app.filter.count.value, &app.filter.count.error) {
        (Some(found), _) => format!("{}{}", count(found.at_least.max(shown)), if found.exact { "" } else { "+" }),
        (None, Some(_)) => "too many to count".to_owned(),
        (None, None) => theme.ellipsis().to_owned(),
    };
    format!("{} of {of}", count(shown))
}

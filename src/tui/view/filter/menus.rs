//! The choices of values and of the range of time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::text::clean;
use crate::tui::app::filter::{LENGTHS, RangeMenu, ValueMenu};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{columns, fit, put};
use crate::tui::view::{popup, prompt};
use crate::tui::wrap::wrap;

/// Columns of what a value is.
const WHAT: u16 = 13;
/// Columns of the choice of a range.
const RANGE: u16 = 50;

/// Draws the choice of values.
pub(in crate::tui::view) fn values(menu: &ValueMenu, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let sign = if menu.out { "-" } else { "" };
    let texts: Vec<String> =
        menu.values.iter().map(|(_, test)| format!("{sign}{}", clean(&test.to_string()))).collect();
    let widest = texts.iter().map(|text| columns(text)).max().unwrap_or(0).max(20);
    let height = u16::try_from(texts.len()).unwrap_or(u16::MAX);
    let title = if menu.out { "Filter out" } else { "Filter by" };
    let inside = popup::draw(title, (widest + WHAT + 2, height), theme, area, buf);
    let first = (menu.at + 1).saturating_sub(usize::from(inside.height));
    let lines = menu.values.iter().zip(&texts).enumerate().skip(first);
    for (y, (at, ((what, _), text))) in (inside.y..inside.bottom()).zip(lines) {
        let row = Rect { y, height: 1, ..inside };
        let style = popup::line_style(theme, at == menu.at);
        let mark = if at == menu.at { theme.cursor() } else { " " };
        put(buf, row, row.x, &format!("{mark}{what}"), style);
        let room = usize::from(row.width.saturating_sub(WHAT + 1));
        put(buf, row, row.x + WHAT, &fit(text, room, theme), style);
        if at == menu.at {
            buf.set_style(row, style);
        }
    }
}

/// Draws the choice of a range.
pub(in crate::tui::view) fn range(menu: &RangeMenu, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let error = menu.error.as_deref().map(clean).unwrap_or_default();
    let width = RANGE.min(area.width.saturating_sub(2));
    let told = wrap(&error, usize::from(width.saturating_sub(2)), usize::MAX).0;
    let height = LENGTHS.len() + 1 + if error.is_empty() { 1 } else { told.len() };
    let inside = popup::draw("Range of time", (RANGE, u16::try_from(height).unwrap_or(u16::MAX)), theme, area, buf);
    let typing = !menu.line.text().is_empty();
    // The line to type in stays on the screen where the box is too low.
    let below = if error.is_empty() { 2 } else { 1 + told.len() };
    let room = usize::from(inside.height).saturating_sub(below);
    let first = (menu.at + 1).saturating_sub(room);
    let mut y = inside.y;
    for (at, text) in LENGTHS.iter().enumerate().skip(first).take(room) {
        let row = Rect { y, height: 1, ..inside };
        let selected = at == menu.at && !typing;
        let style = popup::line_style(theme, selected);
        let words = if *text == "all" { "all time".to_owned() } else { format!("last {text}") };
        put(buf, row, row.x, &format!("{}{words}", if selected { theme.cursor() } else { " " }), style);
        if selected {
            buf.set_style(row, style);
        }
        y += 1;
    }
    let row = Rect { y, height: 1, ..inside }.intersection(inside);
    prompt::draw(&menu.line, "or> ", ("", Style::new()), theme, row, buf);
    let hint = ["today, 12:00..12:30, 2d..1d, 2026-11-20"];
    let (lines, style) = if error.is_empty() { (&hint[..], theme.dim()) } else { (&told[..], theme.error()) };
    for (y, line) in (y + 1..inside.bottom()).zip(lines) {
        put(buf, Rect { y, height: 1, ..inside }, inside.x + 1, &fit(line, usize::from(width - 2), theme), style);
    }
}

//! The messages of this run.
//!
//! ```text
//!  12:04:38  !! cannot reach db:5432: connection refused                        4 times since 12:04:30
//! >12:05:01  connected again
//! ----
//!  the whole text of the selected message
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{columns, fit, put, rule};
use crate::model::text::{bytes, clean};
use crate::tui::app::App;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::messages::{Message, Traffic, heights};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Draws the list over the body.
pub(super) fn draw(app: &App, cursor: Cursor, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let messages = &app.messages.kept;
    let row_at = |y: usize| {
        Rect { y: area.y.saturating_add(u16::try_from(y).unwrap_or(u16::MAX)), height: 1, ..area }.intersection(area)
    };
    let x = put(buf, row_at(0), area.x + 1, &head(app), theme.title());
    let traffic = traffic(app);
    let right = area.right().saturating_sub(columns(&traffic) + 1);
    if right > x + 1 {
        put(buf, row_at(0), right, &traffic, theme.dim());
    }
    let (rows, whole) = heights(app);
    for (y, at) in (1..).zip(cursor.window(messages.len(), rows)) {
        let Some(message) = messages.get(at) else { break };
        line(app, theme, message, at == cursor.at, row_at(y), buf);
    }
    let Some(message) = messages.get(cursor.at) else { return };
    rule(theme, row_at(rows + 1), buf);
    let text = clean(&message.text);
    for (y, text) in (rows + 2..).zip(wrap(&text, usize::from(area.width.saturating_sub(2)), whole).0) {
        put(buf, row_at(y), area.x + 1, text, Style::new());
    }
}

/// How much a slow line had to carry.
fn traffic(app: &App) -> String {
    let Traffic { frames, bytes: written, largest, .. } = app.traffic;
    let size = |count: u64| bytes(usize::try_from(count).unwrap_or(usize::MAX));
    match frames {
        0 => String::new(),
        frames => format!("{frames} frames, {}, largest change {}", size(written), bytes(largest)),
    }
}

fn head(app: &App) -> String {
    let messages = &app.messages;
    let count = |n: usize, noun: &str| crate::model::text::plural(n as u64, noun);
    match messages.kept.len() {
        0 => "no messages in this run yet".to_owned(),
        n => {
            let dropped =
                if messages.dropped > 0 { format!(", {} older ones dropped", messages.dropped) } else { String::new() };
            format!("{}, {}{dropped}", count(n, "message"), count(messages.errors(), "error"))
        }
    }
}

fn line(app: &App, theme: &Theme, message: &Message, selected: bool, row: Rect, buf: &mut Buffer) {
    let time = |at| app.shown(at, "%H:%M:%S").to_string();
    let (mark, style) = if message.is_error { ("!! ", theme.error()) } else { ("", Style::new()) };
    let again = match message.times {
        1 => String::new(),
        n if row.width >= 80 => format!("{n} times since {}", time(message.first)),
        n => format!("x{n}"),
    };
    let right = row.right().saturating_sub(columns(&again) + 1);
    let x = put(buf, row, row.x, if selected { theme.cursor() } else { " " }, Style::new());
    let x = put(buf, row, x, &time(message.at), Style::new()) + 2;
    let text = clean(&message.text);
    let room = usize::from(right.saturating_sub(x + 2));
    put(buf, row, x, &fit(&format!("{mark}{text}"), room, theme), style);
    put(buf, row, right, &again, theme.dim());
    if selected {
        buf.set_style(row, theme.selected());
    }
}

//! Two cascades side by side.
//!
//! ```text
//!  A moves UPDATE moves  12:04:29.440  FAIL 1.80s   id
//!  B moves UPDATE moves  11:04:29.440  OK   1.20s   id
//!  3 differences: 1 missing, 1 other status, 1 slower
//!    NODE                              A            B            CHANGE
//!  - job sendNotification              FAIL 912ms   -            missing in B
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{columns, fit, put};
use crate::model::compare::{Change, Pair};
use crate::model::flow::{Flow, Node};
use crate::model::status::Effective;
use crate::model::text::{age, clean, duration};
use crate::tui::app::App;
use crate::tui::app::compare::{CHROME, Compared, words};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Columns of the mark in front of a name.
const FRONT: u16 = 3;

/// Columns of a line.
#[derive(Clone, Copy)]
struct Widths {
    name: usize,
    /// Status and time of one side.
    side: usize,
    /// The change in words; 0 where there is no room.
    change: usize,
}

impl Widths {
    fn of(width: usize) -> Self {
        let (side, change) = if width >= 70 { (14, 18) } else { (11, 0) };
        let others = usize::from(FRONT) + 2 * (side + 1) + if change > 0 { change + 1 } else { 0 };
        Self { name: width.saturating_sub(others), side, change }
    }
}

/// Draws the body of the screen.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.compare;
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    let Some(compared) = &state.compared.value else {
        let (text, style) = match (&state.compared.error, state.compared.is_loading()) {
            (Some(error), _) => (clean(error), theme.error()),
            (None, true) => ("reading both cascades".into(), theme.dim()),
            (None, false) => ("nothing is compared: m marks two rows of the list, = compares them".into(), theme.dim()),
        };
        let width = usize::from(area.width.saturating_sub(2));
        for (y, text) in (1..area.height).zip(wrap(&text, width, usize::from(area.height)).0) {
            put(buf, row(y), area.x + 1, text, style);
        }
        return;
    };
    let (left, right) = compared.roots();
    draw_root(app, "A", &compared.left, left, theme, row(0), buf);
    draw_root(app, "B", &compared.right, right, theme, row(1), buf);
    match &state.compared.error {
        Some(error) => {
            let old = state.compared.loaded_at.map(|at| format!(", {} old", age(app.now - at))).unwrap_or_default();
            let text = format!("! not read again{old}: {}", clean(error));
            put(buf, row(2), area.x + 1, &fit(&text, usize::from(area.width.saturating_sub(2)), theme), theme.error());
        }
        None => {
            draw_sum(compared, theme, row(2), buf);
        }
    }
    let widths = Widths::of(usize::from(area.width));
    let Widths { name, side, change } = widths;
    let heads =
        format!("   {:<name$} {:<side$} {:<side$} {}", "NODE", "A", "B", if change > 0 { "CHANGE" } else { "" });
    put(buf, row(3), area.x, &heads, theme.title());
    let rows = usize::from(area.height.saturating_sub(CHROME));
    let window = state.cursor.window(compared.pairs.len(), rows);
    for (at, y) in window.zip(CHROME..) {
        draw_pair(compared, &compared.pairs[at], at == state.cursor.at, widths, theme, row(y), buf);
    }
}

fn draw_root(app: &App, name: &str, flow: &Flow, node: Option<usize>, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let Some(node) = node.map(|node| &flow.nodes[node]) else { return };
    let x = put(buf, row, row.x + 1, name, theme.title());
    let at = app.shown(node.started_at, "%m-%d %H:%M:%S%.3f");
    let trigger = if node.trigger.is_empty() { String::new() } else { format!("  {}", clean(&node.trigger)) };
    let took = node.duration_ms.map(duration).unwrap_or_default();
    let (function, word) = (clean(&node.name), Theme::word(node.effective));
    let text = format!("{function}{trigger}  {at}{}  {word} {took}", app.zone());
    let id = node.id.to_string();
    let right = row.right().saturating_sub(columns(&id) + 1);
    let has_room = x + 2 + columns(&text) < right;
    let room = usize::from(row.right().saturating_sub(x + 2));
    put(buf, row, x + 1, &fit(&text, room, theme), theme.status(node.effective));
    if has_room {
        put(buf, row, right, &id, theme.dim());
    }
}

/// `! other function, table: little to compare   1 missing, 1 other status, 1 slower`
fn draw_sum(compared: &Compared, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let other = compared.other_trigger();
    let mut x = row.x + 1;
    if !other.is_empty() {
        x = put(buf, row, x, &format!("! not the same {}", other.join(", ")), theme.error()) + 2;
    }
    let room = usize::from(row.right().saturating_sub(x + 1));
    put(buf, row, x, &fit(&compared.sum(), room, theme), theme.title());
}

fn draw_pair(
    compared: &Compared,
    pair: &Pair,
    selected: bool,
    widths: Widths,
    theme: &Theme,
    row: Rect,
    buf: &mut Buffer,
) {
    let (left, right) = compared.nodes(pair);
    let Some(node) = left.or(right) else { return };
    let (mark, style) = match pair.change {
        Change::Missing => ("-", theme.error()),
        Change::Added => ("+", theme.status(Effective::Ok)),
        Change::Status | Change::Slower(_) => ("~", theme.status(Effective::Stuck)),
        Change::Faster(_) => ("~", theme.status(Effective::Ok)),
        Change::Same => (" ", theme.dim()),
    };
    let words = words(pair.change);
    let plain = |style: Style| if selected { Style::new() } else { style };
    put(buf, row, row.x, if selected { theme.cursor() } else { " " }, theme.title());
    put(buf, row, row.x + 1, mark, plain(style));
    let indent = " ".repeat((pair.depth * 2).min(widths.name / 2));
    let name = clean(&node.name);
    let short = name.strip_prefix("event-detector-").unwrap_or(&name);
    let name = format!("{indent}{} {short}", node.kind.short());
    put(buf, row, row.x + FRONT, &fit(&name, widths.name, theme), Style::new());
    let mut x = row.x + FRONT + u16::try_from(widths.name + 1).unwrap_or(0);
    for side in [left, right] {
        let (text, style) = cell(side, theme);
        put(buf, row, x, &fit(&text, widths.side, theme), plain(style));
        x += u16::try_from(widths.side + 1).unwrap_or(0);
    }
    put(buf, row, x, &fit(&words, widths.change, theme), plain(style));
    if selected {
        buf.set_style(row, theme.selected());
    }
}

fn cell(node: Option<&Node>, theme: &Theme) -> (String, Style) {
    let Some(node) = node else { return ("-".to_owned(), theme.dim()) };
    let word = if node.effective == Effective::NotDetected { "not" } else { Theme::word(node.effective) };
    let took = node.duration_ms.map(duration).unwrap_or_default();
    (format!("{word:<5} {took}"), theme.status(node.effective))
}

#[cfg(test)]
mod tests;

//! The prompt of the filter over the list, with what may come next or what is wrong below it.
//!
//! ```text
//!  filter> st:failed fn:mo                                    filter> dur:>fast
//!                   | event-detector-moves |                          ^
//!                   +----------------------+                  >fast is no number for dur, write dur:>1s
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::label;
use crate::model::filter::{Completion, FilterError};
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::theme::Theme;
use crate::tui::view::clear;
use crate::tui::view::frame::{columns, fit, put};
use crate::tui::view::prompt;
use crate::tui::wrap::wrap;

/// Completions that are shown at once.
const MOST: usize = 10;

/// Draws the prompt where it is open.
pub(in crate::tui::view) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(open) = &app.filter.prompt else { return };
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    clear(row(0), buf);
    let place = prompt::draw(&open.line, label(area), ("", theme.dim()), theme, row(0), buf);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if let Some(error) = &open.error {
        wrong(error, place.column(&open.line, error.at), theme, below, buf);
    } else if let Some(first) = open.completions.first() {
        list(&open.completions, open.chosen, place.column(&open.line, first.replace.start), theme, below, buf);
    }
}

/// Points to the place, and says what to write there.
fn wrong(error: &FilterError, x: u16, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let text = clean(&error.message);
    let lines = wrap(&text, usize::from(area.width.saturating_sub(2)), usize::MAX).0;
    let height = u16::try_from(lines.len() + 1).unwrap_or(u16::MAX).min(area.height);
    clear(Rect { height, ..area }, buf);
    put(buf, Rect { height: 1.min(height), ..area }, x, "^", theme.error());
    for (y, line) in (area.y + 1..area.y + height).zip(&lines) {
        // Below its place where it is one line that fits there.
        let fits = lines.len() == 1 && x + columns(line) < area.right();
        put(buf, Rect { y, height: 1, ..area }, if fits { x } else { area.x + 1 }, line, theme.error());
    }
}

fn list(all: &[Completion], chosen: Option<usize>, x: u16, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let most = MOST.min(usize::from(area.height.saturating_sub(1)));
    let first = chosen.map_or(0, |at| (at + 1).saturating_sub(most));
    let shown = &all[first..(first + most).min(all.len())];
    let texts: Vec<_> = shown.iter().map(|completion| clean(&completion.insert)).collect();
    let name = texts.iter().map(|text| columns(text)).max().unwrap_or(0);
    let what = all.iter().map(|completion| columns(completion.what)).max().unwrap_or(0);
    let gap = if what > 0 { 2 } else { 0 };
    let width = (name + gap + what + 4).min(area.width);
    let height = u16::try_from(shown.len() + 1).unwrap_or(u16::MAX);
    let x = x.saturating_sub(2).min(area.right() - width).max(area.x);
    let around = Rect { x, width, height, ..area }.intersection(area);
    clear(around, buf);
    let [line, bar, left, right] = if theme.unicode { ["─", "│", "└", "┘"] } else { ["-", "|", "+", "+"] };
    for (y, (at, (completion, text))) in (around.y..).zip((first..).zip(shown.iter().zip(&texts))) {
        let row = Rect { y, height: 1, ..around };
        let inside = Rect { x: row.x + 1, width: width.saturating_sub(2), ..row };
        put(buf, row, row.x, bar, theme.dim());
        put(buf, row, row.right().saturating_sub(1), bar, theme.dim());
        let selected = chosen == Some(at);
        let mark = if selected { theme.cursor() } else { " " };
        let x = put(buf, inside, inside.x, mark, Style::new());
        put(buf, inside, x, &fit(text, usize::from(inside.width - 1), theme), Style::new());
        put(buf, inside, x + name + gap, completion.what, if selected { Style::new() } else { theme.dim() });
        if selected {
            buf.set_style(inside, theme.selected());
        }
    }
    let rest = all.len() - shown.len();
    let told = if rest > 0 { format!(" {rest} more ") } else { String::new() };
    let border = line.repeat(usize::from(width.saturating_sub(columns(&told) + 2)));
    let last = Rect { y: around.bottom().saturating_sub(1), height: 1, ..around };
    put(buf, last, last.x, &format!("{left}{border}{told}{right}"), theme.dim());
}

//! The table of functions: counts, durations and the course over the range.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::{levels, short, squeeze};
use super::{at_most, put};
use crate::model::text::{clean, duration};
use crate::tui::app::App;
use crate::tui::app::charts::{Function, count, milliseconds, p95};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{self, fit};

/// Widths of the columns: what has no room is left out from the right.
struct Widths {
    name: usize,
    durations: bool,
    trend: usize,
}

/// Invocations and failures.
const COUNTS: usize = 9 + 8;
/// Mean, 95th percentile, maximum.
const DURATIONS: usize = 8 + 9 + 8;

impl Widths {
    fn fit(width: usize, longest: usize, hours: usize) -> Self {
        let rest = width.saturating_sub(2 + COUNTS);
        let durations = rest >= DURATIONS + 16;
        let rest = if durations { rest - DURATIONS } else { rest };
        let name = longest.clamp(8, 44);
        let trend = rest.saturating_sub(name + 3);
        let (name, trend) = if trend >= 8 { (name, trend) } else { (name.min(rest.saturating_sub(11)), 8) };
        let trend = if rest < 8 + 3 + trend { 0 } else { trend.min(hours) };
        let name = if trend == 0 { rest.saturating_sub(1) } else { name };
        Self { name, durations, trend }
    }
}

/// Draws a rule, the heads and as many functions as fit, the selected one among them.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.charts;
    frame::rule(theme, Rect { height: 1, ..area }, buf);
    let longest = state.functions.iter().map(|function| usize::from(frame::columns(&clean(&function.name)))).max();
    let widths = Widths::fit(usize::from(area.width), longest.unwrap_or(8), state.hours.len());
    let y = area.y + 1;
    let mut head = format!("  {:<width$}{:>9}{:>8}", "FUNCTION", "INV", "FAIL%", width = widths.name);
    if widths.durations {
        head.push_str(&format!("{:>8}{:>9}{:>8}", "AVG", "P95", "MAX"));
    }
    if widths.trend >= 5 {
        head.push_str("   TREND");
    }
    put(buf, area, area.x, y, &head, theme.title());
    let rows = usize::from(area.bottom().saturating_sub(y + 1));
    let selected = state.selected_index();
    let top = (selected + 1).saturating_sub(rows);
    for (row, (i, function)) in state.functions.iter().enumerate().skip(top).take(rows).enumerate() {
        let row = Rect { y: y + 1 + row as u16, height: 1, ..area };
        line(app, theme, row, buf, function, &widths, i == selected);
    }
    let below = state.functions.len().saturating_sub(top + rows);
    if below > 0 {
        let more = format!("{below} more");
        let x = area.right().saturating_sub(frame::columns(&more) + 1);
        put(buf, area, x, y, &more, theme.dim());
    }
}

fn line(
    app: &App,
    theme: &Theme,
    row: Rect,
    buf: &mut Buffer,
    function: &Function,
    widths: &Widths,
    is_selected: bool,
) {
    let style = if is_selected { theme.selected() } else { Style::new() };
    let sum = &function.sum;
    let cursor = if is_selected { theme.cursor() } else { " " };
    let only = if app.charts.only.as_deref() == Some(function.name.as_str()) { "*" } else { " " };
    let total = if sum.total < 10_000_000 { count(sum.total) } else { short(sum.total) };
    let name = clean(&function.name);
    let name = pad(&name, widths.name, theme);
    let x = frame::put(buf, row, row.x, &format!("{cursor}{only}{name}{}", cell(&total, 9, theme)), style);
    let failing = if sum.failed > 0 { style.patch(theme.error()) } else { style };
    let mut x = frame::put(buf, row, x, &format!("{:>7.1}%", sum.failed_percent()), failing);
    if widths.durations {
        let max = sum.max_ms.map_or_else(|| "-".to_owned(), duration);
        for (text, width) in [(milliseconds(sum.avg_ms), 8), (p95(sum, at_most(theme)), 9), (max, 8)] {
            x = frame::put(buf, row, x, &cell(&text, width, theme), style);
        }
    }
    if widths.trend > 0 {
        frame::put(buf, row, x + 3, &sparkline(&function.trend, widths.trend, theme), Style::new());
    }
}

/// A number at the right end of its column, with a gap before it.
fn cell(text: &str, width: usize, theme: &Theme) -> String {
    format!("{:>width$}", fit(text, width - 1, theme))
}

fn pad(text: &str, width: usize, theme: &Theme) -> String {
    let text: Cow<'_, str> = fit(text, width, theme);
    let spaces = width.saturating_sub(usize::from(frame::columns(&text)));
    format!("{text}{}", " ".repeat(spaces))
}

/// The course of a count in at most `width` characters; its own greatest value is the highest.
fn sparkline(values: &[u64], width: usize, theme: &Theme) -> String {
    let bars = theme.bars();
    let glyph = |level: usize| if level == 0 { " " } else { bars[level - 1] };
    levels(&squeeze(values, width)).into_iter().map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_every_width() {
        for width in 40..200 {
            for longest in [8, 20, 60] {
                let widths = Widths::fit(width, longest, 24);
                let trend = if widths.trend > 0 { widths.trend + 3 } else { 0 };
                let used = 2 + COUNTS + if widths.durations { DURATIONS } else { 0 } + widths.name + trend;
                assert!(used <= width, "{used} of {width} for names of {longest}");
                assert!(widths.name >= 8);
            }
        }
        assert_eq!(Widths::fit(80, 20, 24).trend, 13);
        assert_eq!(Widths::fit(120, 20, 24).trend, 24);
    }

    #[test]
    fn a_sparkline_shows_every_count_above_zero() {
        let theme = crate::tui::fixture::THEME;
        assert_eq!(sparkline(&[0, 1, 50, 100], 4, &theme), " ▁▄█");
        assert_eq!(sparkline(&[0, 0], 4, &Theme { unicode: false, ..theme }), "  ");
    }
}

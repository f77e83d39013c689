//! The table of functions: counts, durations and the course over the range.

use std::borrow::Cow;
use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::{levels, short, squeeze};
use super::{at_most, put};
use crate::model::hourly::{Column, Known, Sum};
use crate::model::text::{clean, duration};
use crate::tui::app::App;
use crate::tui::app::charts::words::{count, milliseconds, percentile};
use crate::tui::app::charts::{Function, Sort};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{self, fit};

/// Widths of the columns: what has no room is left out from the right.
struct Widths {
    name: usize,
    totals: bool,
    durations: bool,
    trend: usize,
}

/// Invocations per hour and failures.
const COUNTS: usize = 8 + 8;
/// Invocations.
const TOTALS: usize = 10;
/// Median or mean, 95th percentile, maximum.
const DURATIONS: usize = 9 + 9 + 9;
/// The failing jobs beside the table, with a gap.
const JOBS: u16 = 36;

impl Widths {
    fn fit(width: usize, longest: usize, steps: usize) -> Self {
        let rest = width.saturating_sub(2 + COUNTS);
        let durations = rest >= DURATIONS + 16;
        let rest = if durations { rest - DURATIONS } else { rest };
        let name = longest.clamp(8, 44);
        let totals = durations && rest >= name + TOTALS + 15;
        let rest = if totals { rest - TOTALS } else { rest };
        let trend = rest.saturating_sub(name + 3);
        let (name, trend) = if trend >= 8 { (name, trend) } else { (name.min(rest.saturating_sub(11)), 8) };
        let trend = if rest < 8 + 3 + trend { 0 } else { trend.min(steps) };
        let name = if trend == 0 { rest.saturating_sub(1) } else { name };
        Self { name, totals, durations, trend }
    }
}

/// Whether the failing jobs stand beside the table, not below it.
pub(super) fn has_jobs_beside(app: &App, width: u16) -> bool {
    !app.charts.failed_jobs.is_empty() && width >= super::WIDE + 10
}

/// Draws a rule, the heads and as many functions as fit, the selected one among them; failing jobs beside or below.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    frame::rule(theme, Rect { height: 1, ..area }, buf);
    let jobs = &app.charts.failed_jobs;
    if has_jobs_beside(app, area.width) {
        let table = Rect { width: area.width - JOBS, ..area };
        functions(app, theme, table, buf);
        let beside = Rect { x: table.right() + 2, y: area.y + 1, width: JOBS - 3, height: area.height - 1 };
        put(buf, beside, beside.x, beside.y, "TOP FAILING JOBS", theme.title());
        let range = app.charts.range.name();
        put(buf, beside, beside.right().saturating_sub(frame::columns(range) + 1), beside.y, range, theme.dim());
        for (y, (name, count)) in (beside.y + 1..beside.bottom()).zip(jobs) {
            let name = pad(&clean(name), usize::from(beside.width - 8), theme);
            let x = put(buf, beside, beside.x, y, &name, Style::new());
            put(buf, beside, x, y, &format!("{:>7}", short(*count)), theme.error());
        }
    } else if jobs.is_empty() || area.height < 4 {
        functions(app, theme, area, buf);
    } else {
        functions(app, theme, Rect { height: area.height - 1, ..area }, buf);
        let y = area.bottom() - 1;
        let mut x = put(buf, area, area.x + 1, y, "FAILING JOBS", theme.title());
        for (name, count) in jobs {
            let text = format!("{} {}", clean(name), short(*count));
            if frame::columns(&text) + 2 > area.right().saturating_sub(x) {
                break;
            }
            x = put(buf, area, x + 2, y, &text, Style::new());
        }
    }
}

/// The heads of the columns: the one that sorts is marked.
fn head(app: &App, theme: &Theme, widths: &Widths, has_more: bool) -> String {
    let state = &app.charts;
    let mark = match (theme.unicode, state.reverse) {
        (true, false) => "▼",
        (true, true) => "▲",
        (false, false) => "v",
        (false, true) => "^",
    };
    let head = |name: &str, sort: Sort| if state.sort == sort { format!("{mark}{name}") } else { name.to_owned() };
    let function = head("FUNCTION", Sort::Name);
    let mut text = format!("  {function:<width$}", width = widths.name);
    let total = head("INV", Sort::Invocations);
    if widths.totals {
        let _ = write!(text, "{total:>TOTALS$}{:>8}", "INV/h");
    } else {
        let _ = write!(text, "{:>8}", format!("{total}/h"));
    }
    let _ = write!(text, "{:>8}", head("FAIL%", Sort::Failures));
    if widths.durations {
        let middle = if has_medians(app) { head("P50", Sort::P50) } else { "AVG".to_owned() };
        let (p95, max) = (head("P95", Sort::P95), head("MAX", Sort::Max));
        let _ = write!(text, "{middle:>9}{p95:>9}{max:>9}");
    }
    // Where the table is longer than its rows, their number stands there.
    if widths.trend >= if has_more { 20 } else { 5 } {
        text.push_str("   TREND");
    }
    text
}

/// Whether any function tells its median; the mean stands in its place otherwise.
fn has_medians(app: &App) -> bool {
    app.charts.functions.iter().any(|function| function.sum.p50().is_some())
}

fn functions(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.charts;
    let longest = state.functions.iter().map(|function| usize::from(frame::columns(&clean(&function.name)))).max();
    let widths = Widths::fit(usize::from(area.width), longest.unwrap_or(8), state.steps.len());
    let y = area.y + 1;
    let rows = usize::from(area.bottom().saturating_sub(y + 1));
    let selected = state.selected_index();
    let top = (selected + 1).saturating_sub(rows);
    let below = state.functions.len().saturating_sub(top + rows);
    put(buf, area, area.x, y, &head(app, theme, &widths, below > 0), theme.title());
    for (row, (i, function)) in state.functions.iter().enumerate().skip(top).take(rows).enumerate() {
        let row = Rect { y: y + 1 + row as u16, height: 1, ..area };
        line(app, theme, row, buf, function, &widths, i == selected);
    }
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
    let name = clean(&function.name);
    let name = pad(&name, widths.name, theme);
    let mut x = frame::put(buf, row, row.x, &format!("{cursor}{only}{name}"), style);
    if widths.totals {
        let total = if sum.total < 10_000_000 { count(sum.total) } else { short(sum.total) };
        x = frame::put(buf, row, x, &cell(&total, TOTALS, theme), style);
    }
    x = frame::put(buf, row, x, &cell(&rate(sum.total, app.charts.hours(app.now)), 8, theme), style);
    let failing = if sum.failed > 0 { style.patch(theme.error()) } else { style };
    let mut x = frame::put(buf, row, x, &format!("{:>8}", sum.failed_percent()), failing);
    if widths.durations {
        let max = sum.max_ms.map_or_else(|| "-".to_owned(), duration);
        let middle = match sum.p50() {
            None if !has_medians(app) => milliseconds(sum.avg_ms),
            p50 => percentile(p50, at_most(theme)),
        };
        for text in [middle, percentile(sum.p95(), at_most(theme)), max] {
            x = frame::put(buf, row, x, &cell(&text, 9, theme), style);
        }
    }
    if widths.trend > 0 {
        frame::put(buf, row, x + 3, &sparkline(&function.trend, widths.trend, theme), Style::new());
    }
}

/// The course of median and 95th percentile in one row, with the numbers under the cursor.
pub(super) fn percentiles(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let Some(at) = columns.get(app.charts.cursor_index(columns)) else { return };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds, not below zero")]
    let whole = |value: Option<(f64, Known)>| value.map_or(0, |(ms, _)| ms.max(0.0) as u64);
    let width = usize::from(area.width / 2).saturating_sub(21);
    let mut x = put(buf, area, area.x + 1, area.y, "DURATION", theme.title());
    for (name, value) in [("p50", Sum::p50 as fn(&Sum) -> _), ("p95", Sum::p95)] {
        let values: Vec<u64> = columns.iter().map(|column| whole(value(&column.sum))).collect();
        if values.iter().all(|&value| value == 0) {
            continue;
        }
        x = put(buf, area, x + 2, area.y, &format!("{name} "), theme.dim());
        x = put(buf, area, x, area.y, &sparkline(&values, width, theme), Style::new());
        x = put(buf, area, x + 1, area.y, &percentile(value(&at.sum), at_most(theme)), theme.title());
    }
}

/// A number per hour.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
fn rate(total: u64, hours: f64) -> String {
    let rate = if hours > 0.0 { total as f64 / hours } else { 0.0 };
    match rate {
        rate if rate >= 100_000.0 => short(rate as u64),
        rate if rate >= 10.0 || rate == 0.0 => count(rate.round() as u64),
        rate if rate < 0.05 => "<0.1".to_owned(),
        rate => format!("{rate:.1}"),
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
                let durations = if widths.durations { DURATIONS } else { 0 };
                let totals = if widths.totals { TOTALS } else { 0 };
                let used = 2 + COUNTS + totals + durations + widths.name + trend;
                assert!(used <= width, "{used} of {width} for names of {longest}");
                assert!(widths.name >= 8);
            }
        }
        assert_eq!((Widths::fit(80, 20, 24).trend, Widths::fit(80, 20, 24).totals), (12, false));
        assert_eq!((Widths::fit(120, 20, 24).trend, Widths::fit(120, 20, 24).totals), (24, true));
    }

    #[test]
    fn rates_are_short() {
        let rates = [(0, 1.0), (1, 24.0), (1, 720.0), (36, 24.0), (1_000, 3.0), (9_000_000, 1.0), (5, 0.0)];
        let rates = rates.map(|(total, hours)| rate(total, hours));
        assert_eq!(rates, ["0", "<0.1", "<0.1", "1.5", "333", "9M", "0"]);
    }

    #[test]
    fn a_sparkline_shows_every_count_above_zero() {
        let theme = crate::tui::fixture::THEME;
        assert_eq!(sparkline(&[0, 1, 50, 100], 4, &theme), " ▁▄█");
        assert_eq!(sparkline(&[0, 0], 4, &Theme { unicode: false, ..theme }), "  ");
    }
}

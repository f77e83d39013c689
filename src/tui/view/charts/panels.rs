//! Bars, percentiles and shares of durations, column by column over an x axis.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::{Bar, Cell, Scale, levels, short};
use super::durations::{Mark, plot};
use super::labels::{Geometry, labels};
use super::put;
use crate::model::hourly::{Column, Known};
use crate::model::status::Effective;
use crate::tui::app::App;
use crate::tui::app::charts::AXIS;
use crate::tui::theme::Theme;

/// Characters of the axes.
struct Axis {
    side: &'static str,
    tick: &'static str,
    corner: &'static str,
    base: &'static str,
    base_tick: &'static str,
    cursor: &'static str,
}

fn axis(theme: &Theme) -> Axis {
    if theme.unicode {
        Axis { side: "│", tick: "┤", corner: "└", base: "─", base_tick: "┬", cursor: "▲" }
    } else {
        Axis { side: "|", tick: "+", corner: "+", base: "-", base_tick: "+", cursor: "^" }
    }
}

/// The marks and styles of what ended well, of what failed and of what is open: they differ without colour, too.
pub(super) fn legend(theme: &Theme) -> [(&'static str, Style); 3] {
    let [ok, failed, open] = if theme.unicode { ["█", "▒", "░"] } else { ["#", "x", ":"] };
    [(ok, theme.status(Effective::Ok)), (failed, theme.error()), (open, theme.status(Effective::Running))]
}

/// Where a column begins.
fn left(area: Rect, geometry: Geometry, column: usize) -> u16 {
    let offset = u16::try_from(column * geometry.pitch).unwrap_or(u16::MAX);
    area.x.saturating_add(AXIS).saturating_add(offset)
}

fn geometry(area: Rect, columns: &[Column]) -> Geometry {
    Geometry::fit(columns.len(), usize::from(area.width.saturating_sub(AXIS + 1)))
}

/// Rows below the upper panel: the axis with the cursor, its labels, the strip of failures.
pub(super) const BELOW: u16 = 3;

/// What stands below the upper panel.
pub(super) fn below(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    x_axis(app, theme, area, buf, columns);
    failures(theme, area, buf, columns);
}

/// Stacked bars, standing on the row below the area.
pub(super) fn bars(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let rows = usize::from(area.height);
    let glyphs = axis(theme);
    let scale = Scale::fit(columns.iter().map(|column| column.sum.total).max().unwrap_or(0), rows);
    let base = area.bottom();
    // The lowest tick stands beside the axis.
    let area = Rect { height: area.height + 1, ..area };
    let geometry = geometry(area, columns);
    for row in 1..=rows {
        put(buf, area, area.x + AXIS - 1, base - row as u16, glyphs.side, theme.dim());
    }
    for (row, value) in scale.ticks().filter(|_| rows > 0) {
        let y = base - row as u16;
        put(buf, area, area.x, y, &format!("{:>6}", short(value)), theme.dim());
        put(buf, area, area.x + AXIS - 1, y, if row == 0 { glyphs.corner } else { glyphs.tick }, theme.dim());
    }
    let [(full, ok), (mark, failed), (shade, open)] = legend(theme);
    let parts = theme.bars();
    for (i, column) in columns.iter().enumerate() {
        let x = left(area, geometry, i);
        let bar = Bar::new(column.sum.total, column.sum.failed, column.sum.open(), &scale);
        for row in 0..rows {
            let (symbol, style) = match bar.cell(row) {
                Cell::Empty if row == 0 && app.charts.is_missing(column) => ("?", theme.dim()),
                Cell::Empty => break,
                Cell::Failed => (mark, failed),
                Cell::Open(_) => (shade, open),
                Cell::Ok(8) => (full, ok),
                Cell::Ok(eighths) => (parts[eighths - 1], ok),
            };
            put(buf, area, x, base - 1 - row as u16, &symbol.repeat(geometry.bar), style);
        }
    }
}

/// Failures on a scale of their own: a few among many are seen, and where there are more of them.
fn failures(theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let y = area.bottom().saturating_sub(1);
    let failed: Vec<_> = columns.iter().map(|column| column.sum.failed).collect();
    let geometry = geometry(area, columns);
    put(buf, area, area.x, y, "failed", theme.dim());
    for (i, level) in levels(&failed).into_iter().enumerate().filter(|&(_, level)| level > 0) {
        put(buf, area, left(area, geometry, i), y, &theme.bars()[level - 1].repeat(geometry.bar), theme.error());
    }
}

/// The line below a panel, with the mark of the hour under the cursor.
pub(super) fn axis_line(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let glyphs = axis(theme);
    let cells = columns.len() * geometry(area, columns).pitch;
    put(buf, area, area.x + AXIS - 1, area.y, glyphs.corner, theme.dim());
    put(buf, area, area.x + AXIS, area.y, &glyphs.base.repeat(cells), theme.dim());
    cursor(app, theme, area, buf, columns);
}

fn cursor(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    if !columns.is_empty() {
        let geometry = geometry(area, columns);
        let x = left(area, geometry, app.charts.cursor_index(columns)) + (geometry.bar / 2) as u16;
        put(buf, area, x, area.y, axis(theme).cursor, theme.title());
    }
}

fn x_axis(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let glyphs = axis(theme);
    let geometry = geometry(area, columns);
    let y = area.y;
    axis_line(app, theme, area, buf, columns);
    let minutes = |column: &Column| usize::try_from((column.to - column.from).num_minutes()).unwrap_or(1);
    let local: Vec<_> = columns.iter().map(|column| (app.local(column.from), minutes(column))).collect();
    for (i, text) in labels(&local, geometry.pitch) {
        let x = left(area, geometry, i);
        put(buf, area, x, y, glyphs.base_tick, theme.dim());
        if usize::from(area.right().saturating_sub(x)) >= text.len() {
            put(buf, area, x, y + 1, &text, theme.dim());
        }
    }
    // Over the ticks.
    cursor(app, theme, area, buf, columns);
}

/// The mark of a percentile and its style.
fn mark(theme: &Theme, mark: Mark) -> (&'static str, Style) {
    match (mark, theme.unicode) {
        (Mark::Middle, true) => ("•", theme.accent()),
        (Mark::P95, true) => ("■", theme.title()),
        (Mark::Max, true) => ("▲", theme.dim()),
        (Mark::Middle, false) => ("o", theme.accent()),
        (Mark::P95, false) => ("=", theme.title()),
        (Mark::Max, false) => ("^", theme.dim()),
    }
}

/// What the marks of the percentiles mean; gives the column after it.
pub(super) fn durations_legend(theme: &Theme, area: Rect, x: u16, buf: &mut Buffer, columns: &[Column]) -> u16 {
    let told = |known| columns.iter().any(|column| column.sum.p95().is_some_and(|(_, how)| how == known));
    let middle = if columns.iter().any(|column| column.sum.p50().is_some()) { "p50" } else { "avg" };
    let p95 = if told(Known::AtMost) { "p95, at most" } else { "p95" };
    let mut x = x;
    for (kind, name) in [(Mark::Middle, middle), (Mark::P95, p95), (Mark::Max, "max")] {
        let (symbol, style) = mark(theme, kind);
        x = put(buf, area, x, area.y, symbol, style);
        x = put(buf, area, x + 1, area.y, name, Style::new()) + 2;
    }
    x
}

/// Percentiles and maximum of each column on a logarithmic axis.
pub(super) fn durations(theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let Some(plot) = plot(columns, usize::from(area.height)) else {
        put(buf, area, area.x + AXIS + 1, area.y, "no durations recorded in this range", theme.dim());
        return;
    };
    let geometry = geometry(area, columns);
    let bottom = area.bottom().saturating_sub(1);
    rows(theme, area, buf, &plot.labels);
    for (i, marks) in plot.marks.iter().enumerate() {
        let x = left(area, geometry, i) + (geometry.bar / 2) as u16;
        for &(kind, row) in marks {
            let (symbol, style) = mark(theme, kind);
            put(buf, area, x, bottom - row as u16, symbol, style);
        }
    }
}

/// Labels of durations at the side.
fn rows(theme: &Theme, area: Rect, buf: &mut Buffer, labels: &[&str]) {
    for y in area.y..area.bottom() {
        put(buf, area, area.x + AXIS - 1, y, axis(theme).side, theme.dim());
    }
    for (y, label) in (area.y..area.bottom()).rev().zip(labels) {
        put(buf, area, area.x, y, &format!("{label:>6}"), theme.dim());
    }
}

/// From which share on a cell has which shade.
fn shades(theme: &Theme) -> [(f64, &'static str); 5] {
    let [a, b, c, d, e] = if theme.unicode { ["·", "░", "▒", "▓", "█"] } else { [".", ":", "=", "*", "#"] };
    [(0.0, a), (0.01, b), (0.05, c), (0.2, d), (0.5, e)]
}

/// What the shades mean; gives the column after it.
pub(super) fn heat_legend(theme: &Theme, area: Rect, x: u16, buf: &mut Buffer) -> u16 {
    let names = ["<1%", "1%", "5%", "20%", "50%+"];
    let text: Vec<String> =
        shades(theme).iter().zip(names).map(|((_, shade), name)| format!("{shade} {name}")).collect();
    put(buf, area, x, area.y, &text.join("  "), Style::new())
}

/// The share of each column's invocations that were so long.
pub(super) fn heat(theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let Some(heat) = super::durations::heat(columns, usize::from(area.height)) else {
        put(buf, area, area.x + AXIS + 1, area.y, "the source does not tell durations by length", theme.dim());
        return;
    };
    let geometry = geometry(area, columns);
    rows(theme, area, buf, &heat.labels);
    for (i, shares) in heat.shares.iter().enumerate() {
        for (y, &share) in (area.y..area.bottom()).rev().zip(shares).filter(|&(_, &share)| share > 0.0) {
            let shade = shades(theme).into_iter().rfind(|&(from, _)| share >= from).map_or(" ", |(_, shade)| shade);
            put(buf, area, left(area, geometry, i), y, &shade.repeat(geometry.bar), theme.accent());
        }
    }
}

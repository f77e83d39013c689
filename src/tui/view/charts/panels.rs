//! Bars and durations, column by column on the same x axis.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::{Bar, Cell, Scale, levels, short};
use super::durations::{Mark, plot};
use super::labels::{Geometry, labels};
use super::put;
use crate::model::hourly::Column;
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

/// The marks and styles of what did not fail and of what did: they differ without colour, too.
pub(super) fn legend(theme: &Theme) -> ((&'static str, Style), (&'static str, Style)) {
    let (ok, failed) = if theme.unicode { ("█", "▒") } else { ("#", "x") };
    ((ok, theme.status(Effective::Ok)), (failed, theme.error()))
}

/// Where a column begins.
fn left(area: Rect, geometry: Geometry, column: usize) -> u16 {
    let offset = u16::try_from(column * geometry.pitch).unwrap_or(u16::MAX);
    area.x.saturating_add(AXIS).saturating_add(offset)
}

fn geometry(area: Rect, columns: &[Column]) -> Geometry {
    Geometry::fit(columns.len(), usize::from(area.width.saturating_sub(AXIS + 1)))
}

/// Rows below the bars: the axis with the cursor, its labels, the strip of failures.
pub(super) const BELOW: u16 = 3;

/// Stacked bars with what stands below them.
pub(super) fn bars(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let rows = usize::from(area.height.saturating_sub(BELOW));
    let glyphs = axis(theme);
    let scale = Scale::fit(columns.iter().map(|column| column.sum.total).max().unwrap_or(0), rows);
    let base = area.bottom().saturating_sub(BELOW);
    let geometry = geometry(area, columns);
    for row in 1..=rows {
        put(buf, area, area.x + AXIS - 1, base - row as u16, glyphs.side, theme.dim());
    }
    for (row, value) in scale.ticks().filter(|_| rows > 0) {
        let y = base - row as u16;
        put(buf, area, area.x, y, &format!("{:>6}", short(value)), theme.dim());
        put(buf, area, area.x + AXIS - 1, y, if row == 0 { glyphs.corner } else { glyphs.tick }, theme.dim());
    }
    let ((full, ok), (mark, failed)) = legend(theme);
    let parts = theme.bars();
    for (i, column) in columns.iter().enumerate() {
        let x = left(area, geometry, i);
        let bar = Bar::new(column.sum.total, column.sum.failed, &scale);
        for row in 0..rows {
            let (symbol, style) = match bar.cell(row) {
                Cell::Empty if row == 0 && app.charts.is_missing(column) => ("?", theme.dim()),
                Cell::Empty => break,
                Cell::Failed => (mark, failed),
                Cell::Ok(8) => (full, ok),
                Cell::Ok(eighths) => (parts[eighths - 1], ok),
            };
            put(buf, area, x, base - 1 - row as u16, &symbol.repeat(geometry.bar), style);
        }
    }
    x_axis(app, theme, area, buf, columns);
    failures(theme, area, buf, columns);
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

fn x_axis(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let glyphs = axis(theme);
    let geometry = geometry(area, columns);
    let y = area.bottom().saturating_sub(BELOW);
    let cells = columns.len() * geometry.pitch;
    put(buf, area, area.x + AXIS, y, &glyphs.base.repeat(cells), theme.dim());
    let local: Vec<_> = columns.iter().map(|column| (app.local(column.from), column.hours)).collect();
    for (i, text) in labels(&local, geometry.pitch) {
        let x = left(area, geometry, i);
        put(buf, area, x, y, glyphs.base_tick, theme.dim());
        if usize::from(area.right().saturating_sub(x)) >= text.len() {
            put(buf, area, x, y + 1, &text, theme.dim());
        }
    }
    let at = app.charts.cursor_index(columns);
    if !columns.is_empty() {
        let x = left(area, geometry, at) + (geometry.bar / 2) as u16;
        put(buf, area, x, y, glyphs.cursor, theme.title());
    }
}

/// Mean, 95th percentile and maximum of each column on a logarithmic axis.
pub(super) fn durations(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let glyphs = axis(theme);
    let mark = |mark: Mark| match (mark, theme.unicode) {
        (Mark::Mean, true) => ("•", theme.accent()),
        (Mark::P95, true) => ("■", theme.title()),
        (Mark::Max, true) => ("▲", theme.dim()),
        (Mark::Mean, false) => ("o", theme.accent()),
        (Mark::P95, false) => ("=", theme.title()),
        (Mark::Max, false) => ("^", theme.dim()),
    };
    let mut x = put(buf, area, area.x + 1, area.y, "DURATION  ", theme.title());
    let joined = app.charts.only.is_none() || columns.first().is_some_and(|column| column.hours > 1);
    let p95 = if joined { "p95, at most" } else { "p95" };
    for (kind, name) in [(Mark::Mean, "avg"), (Mark::P95, p95), (Mark::Max, "max")] {
        let (symbol, style) = mark(kind);
        x = put(buf, area, x, area.y, symbol, style);
        x = put(buf, area, x + 1, area.y, name, Style::new()) + 2;
    }
    let Some(plot) = plot(columns, usize::from(area.height.saturating_sub(1))) else {
        put(buf, area, x, area.y, "none recorded in this range", theme.dim());
        return;
    };
    let geometry = geometry(area, columns);
    let bottom = area.bottom().saturating_sub(1);
    for (row, label) in plot.labels.iter().enumerate() {
        let y = bottom - row as u16;
        put(buf, area, area.x, y, &format!("{label:>6}"), theme.dim());
        put(buf, area, area.x + AXIS - 1, y, glyphs.side, theme.dim());
    }
    for (i, marks) in plot.marks.iter().enumerate() {
        let x = left(area, geometry, i) + (geometry.bar / 2) as u16;
        for &(kind, row) in marks {
            let (symbol, style) = mark(kind);
            put(buf, area, x, bottom - row as u16, symbol, style);
        }
    }
}

//! The levels of the lines over time, in one row: how many lines a cell holds, or the letter of its gravest one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::logs::{Level, LogLine};
use crate::model::text::round_duration;
use crate::tui::app::App;
use crate::tui::theme::Theme;
use crate::tui::view::frame::put;

/// Durations of a cell, milliseconds; longer ones are whole days.
#[rustfmt::skip]
const STEPS: [i64; 26] = [
    1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 86_400_000,
];
const NS_PER_MS: i64 = 1_000_000;

/// What falls into one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    lines: usize,
    errors: usize,
    warnings: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Histogram {
    /// When the first cell begins, nanoseconds.
    start_ns: i64,
    /// Length of a cell, milliseconds.
    step_ms: i64,
    cells: Vec<Cell>,
}

impl Histogram {
    /// Lines, in the order of time, in at most `width` cells; nothing where all are of one moment.
    fn of<'a>(lines: impl Iterator<Item = &'a LogLine> + Clone, width: usize) -> Option<Self> {
        let first = lines.clone().map(|line| line.at_ns).min()?;
        let last = lines.clone().map(|line| line.at_ns).max()?;
        let span_ms = last.saturating_sub(first) / NS_PER_MS;
        let width = i64::try_from(width).ok().filter(|&width| width > 0 && span_ms > 0)?;
        let least = span_ms / width + 1;
        let day = STEPS[STEPS.len() - 1];
        let step_ms =
            STEPS.into_iter().find(|&step| step >= least).unwrap_or_else(|| (least / day + 1).saturating_mul(day));
        let mut histogram = Self { start_ns: first, step_ms, cells: Vec::new() };
        let count = histogram.cell(last) + 1;
        histogram.cells.resize(count, Cell::default());
        for line in lines {
            let at = histogram.cell(line.at_ns);
            let cell = &mut histogram.cells[at];
            cell.lines += 1;
            cell.errors += usize::from(line.level == Level::Error);
            cell.warnings += usize::from(line.level == Level::Warn);
        }
        Some(histogram)
    }

    /// The cell of a moment not before the start.
    fn cell(&self, at_ns: i64) -> usize {
        let ms = at_ns.saturating_sub(self.start_ns).max(0) / NS_PER_MS;
        usize::try_from(ms / self.step_ms).unwrap_or(0)
    }
}

/// `levels  ▂E▁ ▁W  1 bar = 250ms`, of the lines that are shown; the selected one's cell stands out.
pub(super) fn draw(app: &App, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let state = &app.logs;
    let shown = state.shown.iter().filter_map(|&i| state.lines.get(i));
    let x = row.x + 9;
    let width = usize::from(row.right().saturating_sub(x + 17));
    let Some(histogram) = Histogram::of(shown, width) else { return };
    put(buf, row, row.x + 1, "levels", theme.dim());
    let most = histogram.cells.iter().map(|cell| cell.lines).max().unwrap_or(1).max(1);
    let selected = state.line().map(|(_, line)| histogram.cell(line.at_ns));
    let mut end = x;
    for (i, cell) in histogram.cells.iter().enumerate() {
        let (symbol, style) = match cell {
            Cell { lines: 0, .. } => (" ", Style::new()),
            Cell { errors: 1.., .. } => ("E", super::level_style(Level::Error, theme)),
            Cell { warnings: 1.., .. } => ("W", super::level_style(Level::Warn, theme)),
            Cell { lines, .. } => (theme.bars()[(lines * 8).div_ceil(most).clamp(1, 8) - 1], theme.accent()),
        };
        let style = if selected == Some(i) { style.add_modifier(Modifier::REVERSED) } else { style };
        end = put(buf, row, end, symbol, style);
    }
    let step = round_duration(histogram.step_ms);
    put(buf, row, end + 1, &format!(" 1 bar = {step}"), theme.dim());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Origin;

    fn line(milliseconds: i64, level: Level) -> LogLine {
        let (message, service) = (String::new(), String::new());
        let fields = serde_json::Value::Null;
        LogLine { at_ns: milliseconds * NS_PER_MS, level, message, service, fields, origin: Origin::Loki }
    }

    #[test]
    fn cells_have_round_lengths() {
        let lines = [line(1_000, Level::Info), line(1_400, Level::Error), line(1_410, Level::Warn)];
        let histogram = Histogram::of(lines.iter(), 10).unwrap();
        let cells: Vec<_> = histogram.cells.iter().map(|cell| (cell.lines, cell.errors, cell.warnings)).collect();
        assert_eq!((histogram.step_ms, cells.len()), (50, 9));
        assert_eq!((cells[0], cells[8]), ((1, 0, 0), (2, 1, 1)));
        assert_eq!(Histogram::of(lines[..1].iter(), 10), None);
        assert_eq!(Histogram::of([].iter(), 10), None);
    }

    proptest::proptest! {
        #[test]
        fn every_line_is_in_a_cell(times in proptest::collection::vec(proptest::num::i64::ANY, 0..40), width in 0_usize..200) {
            let lines: Vec<_> = times.iter().map(|at_ns| LogLine { at_ns: *at_ns, ..line(0, Level::Info) }).collect();
            if let Some(histogram) = Histogram::of(lines.iter(), width) {
                proptest::prop_assert!(histogram.cells.len() <= width.max(1));
                proptest::prop_assert_eq!(histogram.cells.iter().map(|cell| cell.lines).sum::<usize>(), lines.len());
            }
        }
    }
}

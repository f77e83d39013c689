//! When each node ran, on one axis for the whole cascade.

use ratatui::style::{Modifier, Style};
use ratatui::text::Span as TextSpan;

use crate::model::flow::Span;
use crate::model::status::Effective;
use crate::model::text::{duration, round_duration};
use crate::tui::app::flow::Zoom;
use crate::tui::theme::Theme;

/// Columns between two labels of the axis at least.
const APART: i64 = 9;
/// Lengths between two labels, milliseconds; longer ones are whole days.
#[rustfmt::skip]
const STEPS: [i64; 27] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_200_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000,
];

/// The axis: round times where they are, and its end; of a part of it the start, and how long after it the others are.
pub(super) fn axis(width: usize, window: Zoom) -> String {
    let Zoom { from_ms, span_ms } = window;
    let mut axis = if from_ms == 0 { "0".to_owned() } else { duration(from_ms) };
    let sign = if from_ms == 0 { "" } else { "+" };
    let end = format!("{sign}{}", duration(span_ms));
    let end_at = width.saturating_sub(end.len());
    let columns = i64::try_from(width).unwrap_or(0);
    let least = span_ms.saturating_mul(APART) / columns.max(1) + 1;
    let day = STEPS[STEPS.len() - 1];
    let step = STEPS.into_iter().find(|&step| step >= least).unwrap_or_else(|| (least / day + 1).saturating_mul(day));
    for ms in (1..).map_while(|n: i64| n.checked_mul(step).filter(|&ms| ms < span_ms)) {
        let at = usize::try_from(i128::from(ms) * i128::from(columns) / i128::from(span_ms)).unwrap_or(width);
        let label = format!("{sign}{}", round_duration(ms));
        if at > axis.len() && at + label.len() < end_at {
            axis = format!("{axis:<at$}{label}");
        }
    }
    let room = end_at.max(axis.len() + usize::from(axis.len() > end_at));
    format!("{axis:<room$}{end}")
}

/// A bar of the waterfall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui::view) struct Bar {
    /// When the node began, milliseconds after the start of the cascade.
    pub(in crate::tui::view) from: i64,
    /// When it ended itself.
    pub(in crate::tui::view) to: i64,
    /// When the last thing below it ended.
    pub(in crate::tui::view) whole: i64,
    /// When it could have begun: it waited from then on.
    pub(in crate::tui::view) ready: i64,
    /// When the detection of an event ended.
    pub(in crate::tui::view) work: i64,
    /// When something below it failed first.
    pub(in crate::tui::view) failed_below: Option<i64>,
    /// Whether something below it runs.
    pub(in crate::tui::view) runs_below: bool,
    /// How it went.
    pub(in crate::tui::view) effective: Effective,
    /// Whether it is to stand out.
    pub(in crate::tui::view) bold: bool,
}

impl Bar {
    /// A bar of one piece.
    pub(in crate::tui::view) fn plain(from: i64, to: i64, effective: Effective) -> Self {
        Self {
            from,
            to,
            whole: to,
            ready: from,
            work: from,
            failed_below: None,
            runs_below: false,
            effective,
            bold: false,
        }
    }

    /// The bar of a node whose times are these, on an axis of such a length.
    pub(super) fn of(times: &Span, effective: Effective, axis_ms: i64, now_ms: i64, bold: bool) -> Self {
        // Nobody knows when what is stuck ended.
        let unknown = if effective == Effective::Stuck { axis_ms } else { times.from_ms };
        let to = times.end_ms(now_ms).unwrap_or(unknown);
        Self {
            whole: times.whole_end_ms(now_ms).unwrap_or(to),
            ready: times.ready_ms,
            work: times.work_ms,
            failed_below: times.failed_below_ms,
            runs_below: times.runs_below,
            bold,
            ..Self::plain(times.from_ms, to, effective)
        }
    }
}

/// The cells from one moment to another, at least one; nothing for what is not in the window at all.
fn cells(from_ms: i64, to_ms: i64, window: Zoom, width: usize) -> Option<(usize, usize)> {
    let end_ms = window.from_ms.saturating_add(window.span_ms);
    if from_ms > end_ms || to_ms < window.from_ms {
        return None;
    }
    let place = |ms: i64| {
        let ms = i128::from(ms.clamp(window.from_ms, end_ms) - window.from_ms);
        usize::try_from(ms * i128::try_from(width).unwrap_or(0) / i128::from(window.span_ms.max(1))).unwrap_or(0)
    };
    let from = place(from_ms).min(width.saturating_sub(1));
    Some((from, place(to_ms).clamp(from + 1, width.max(from + 1))))
}

/// A row of the waterfall, between its edges; empty for what has no time of its own.
pub(super) fn bar<'a>(bar: Option<Bar>, window: Zoom, width: usize, theme: &Theme) -> Vec<TextSpan<'a>> {
    let mut spans = bar_without_edges(bar, window, width, theme);
    let edge = TextSpan::styled(theme.bar(), theme.dim());
    spans.insert(0, edge.clone());
    spans.push(edge);
    spans
}

/// As [`bar`]. What is outside the window is pointed at.
pub(in crate::tui::view) fn bar_without_edges<'a>(
    bar: Option<Bar>,
    window: Zoom,
    width: usize,
    theme: &Theme,
) -> Vec<TextSpan<'a>> {
    let mut row = Row { cells: vec![(" ", theme.dim()); width], window };
    if let Some(bar) = bar {
        paint(&bar, &mut row, theme);
    }
    let runs = row.cells.chunk_by(|a, b| a == b);
    runs.map(|run| TextSpan::styled(run[0].0.repeat(run.len()), run[0].1)).collect()
}

/// The cells of a row.
struct Row {
    cells: Vec<(&'static str, Style)>,
    window: Zoom,
}

impl Row {
    fn paint(&mut self, range: Option<(usize, usize)>, glyph: &'static str, style: Style) {
        let (from, to) = range.unwrap_or_default();
        self.cells.iter_mut().take(to).skip(from).for_each(|cell| *cell = (glyph, style));
    }

    fn cells(&self, from_ms: i64, to_ms: i64) -> Option<(usize, usize)> {
        cells(from_ms, to_ms, self.window, self.cells.len())
    }

    /// The last of these cells, if they end with this moment and not with the window.
    fn last(&self, (_, end): (usize, usize), end_ms: i64) -> Option<(usize, usize)> {
        self.cells(end_ms, end_ms).map(|_| (end - 1, end))
    }

    /// The cells before the one in which the other moment lies: a short time is no cell of its own here.
    fn cells_before(&self, from_ms: i64, to_ms: i64) -> Option<(usize, usize)> {
        let end = self.cells(to_ms, to_ms).map_or(usize::MAX, |(from, _)| from);
        self.cells(from_ms, to_ms).map(|(from, to)| (from, to.min(end)))
    }
}

fn paint(bar: &Bar, row: &mut Row, theme: &Theme) {
    let bold = |style: Style| if bar.bold { style.add_modifier(Modifier::BOLD) } else { style };
    let style = bold(theme.status(bar.effective));
    if bar.whole > bar.to {
        let cells = row.cells(bar.from, bar.whole);
        row.paint(cells, glyph(Piece::Below, theme), theme.dim());
        let end = cells.filter(|_| bar.runs_below).and_then(|cells| row.last(cells, bar.whole));
        row.paint(end, glyph(Piece::Ran(Effective::Running), theme), theme.status(Effective::Running));
    }
    if bar.ready < bar.from {
        row.paint(row.cells_before(bar.ready, bar.from), glyph(Piece::Waits, theme), theme.dim());
    }
    let ran = Piece::Ran(bar.effective);
    row.paint(row.cells(bar.from, bar.to), glyph(ran, theme), style);
    if let Some(failed) = bar.failed_below {
        let ok = glyph(Piece::Ran(Effective::Ok), theme);
        row.paint(row.cells_before(bar.from, failed.min(bar.to)), ok, bold(theme.status(Effective::Ok)));
        // However late that was: where it ends it has failed.
        let end = row.cells(bar.from, bar.to).and_then(|cells| row.last(cells, bar.to));
        row.paint(end, glyph(ran, theme), style);
    }
    if bar.work < bar.to {
        row.paint(row.cells_before(bar.from, bar.work), glyph(Piece::Detects, theme), theme.dim());
    }
    let end_ms = row.window.from_ms.saturating_add(row.window.span_ms);
    let width = row.cells.len();
    let (earlier, later) = if theme.unicode { ("◂", "▸") } else { ("<", ">") };
    if bar.whole.max(bar.to) < row.window.from_ms {
        row.paint(Some((0, 1)), earlier, theme.dim());
    } else if bar.from > end_ms {
        row.paint(Some((width.saturating_sub(1), width)), later, theme.dim());
    }
}

/// What the bars mean: `━ ok  ▓ failed  ▶ running  ░ stuck  · waits  ─ detects  ┄ below`.
pub(super) fn legend(theme: &Theme) -> String {
    let names = [Effective::Ok, Effective::Failed, Effective::Running, Effective::Stuck]
        .map(|effective| format!("{} {}", glyph(Piece::Ran(effective), theme), effective.name()));
    let [waits, detects, below] = [Piece::Waits, Piece::Detects, Piece::Below].map(|piece| glyph(piece, theme));
    format!("{}  {waits} waits  {detects} detects  {below} goes on below", names.join("  "))
}

/// What a part of a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// The node itself, by how it went.
    Ran(Effective),
    /// It could have begun and did not.
    Waits,
    /// An event is looked for.
    Detects,
    /// Only what is below it goes on.
    Below,
}

/// The pieces can be told apart without colour.
fn glyph(piece: Piece, theme: &Theme) -> &'static str {
    match (piece, theme.unicode) {
        (Piece::Ran(Effective::Ok), true) => "━",
        (Piece::Ran(Effective::Failed), true) => "▓",
        (Piece::Ran(Effective::Running), true) => "▶",
        (Piece::Ran(Effective::Stuck), true) => "░",
        (Piece::Waits, true) => "·",
        (Piece::Detects | Piece::Ran(Effective::NotDetected), true) => "─",
        (Piece::Below, true) => "┄",
        (Piece::Ran(Effective::Ok), false) => "=",
        (Piece::Ran(Effective::Failed), false) => "x",
        (Piece::Ran(Effective::Running), false) => ">",
        (Piece::Ran(Effective::Stuck), false) => "?",
        (Piece::Waits, false) => ".",
        (Piece::Detects | Piece::Ran(Effective::NotDetected), false) => "-",
        (Piece::Below, false) => ":",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    const ALL: Zoom = Zoom { from_ms: 0, span_ms: 1_000 };

    #[test]
    fn a_bar_covers_its_time() {
        assert_eq!(cells(0, 1_000, ALL, 10), Some((0, 10)));
        assert_eq!(cells(500, 600, ALL, 10), Some((5, 6)));
        assert_eq!(cells(990, 990, ALL, 10), Some((9, 10)), "what took no time is still there");
        assert_eq!(cells(1_000, 1_000, ALL, 10), Some((9, 10)));
        assert_eq!(cells(0, i64::MAX, Zoom { from_ms: 0, span_ms: i64::MAX }, 10), Some((0, 10)));
        let part = Zoom { from_ms: 400, span_ms: 200 };
        assert_eq!((cells(0, 1_000, part, 10), cells(500, 520, part, 10)), (Some((0, 10)), Some((5, 6))));
        assert_eq!((cells(0, 399, part, 10), cells(601, 700, part, 10)), (None, None));
    }

    #[test]
    fn a_row_shows_its_node_and_points_at_what_is_outside() {
        let ok = Bar::plain(200, 500, Effective::Ok);
        let part = Zoom { from_ms: 400, span_ms: 200 };
        let failed = Bar { effective: Effective::Failed, ..ok };
        let event = Bar { work: 350, ..Bar::plain(150, 900, Effective::Ok) };
        for (bar, window, unicode, ascii) in [
            (ok, ALL, "│  ━━━     │", "|  ===     |"),
            (Bar { whole: 900, ..ok }, ALL, "│  ━━━┄┄┄┄ │", "|  ===:::: |"),
            (Bar { whole: 900, runs_below: true, ..ok }, ALL, "│  ━━━┄┄┄▶ │", "|  ===:::> |"),
            (Bar { ready: 0, ..ok }, ALL, "│··━━━     │", "|..===     |"),
            (Bar { ready: 150, ..ok }, ALL, "│ ·━━━     │", "| .===     |"),
            (Bar { ready: 210, from: 220, ..ok }, ALL, "│  ━━━     │", "|  ===     |"),
            (event, ALL, "│ ──━━━━━━ │", "| --====== |"),
            (Bar { effective: Effective::Failed, ..event }, ALL, "│ ──▓▓▓▓▓▓ │", "| --xxxxxx |"),
            (Bar { work: 160, ..event }, ALL, "│ ━━━━━━━━ │", "| ======== |"),
            (Bar::plain(0, 300, Effective::NotDetected), ALL, "│───       │", "|---       |"),
            (Bar::plain(0, 300, Effective::Running), ALL, "│▶▶▶       │", "|>>>       |"),
            (Bar::plain(0, 300, Effective::Stuck), ALL, "│░░░       │", "|???       |"),
            (failed, ALL, "│  ▓▓▓     │", "|  xxx     |"),
            (Bar { failed_below: Some(310), ..failed }, ALL, "│  ━▓▓     │", "|  =xx     |"),
            (Bar { failed_below: Some(499), ..failed }, ALL, "│  ━━▓     │", "|  ==x     |"),
            (Bar { failed_below: Some(900), ..failed }, ALL, "│  ━━▓     │", "|  ==x     |"),
            (Bar::plain(0, 300, Effective::Ok), part, "│◂         │", "|<         |"),
            (Bar { whole: 500, ..Bar::plain(0, 300, Effective::Ok) }, part, "│┄┄┄┄┄     │", "|:::::     |"),
            (Bar::plain(700, 800, Effective::Ok), part, "│         ▸│", "|         >|"),
            (Bar { ready: 450, ..Bar::plain(550, 800, Effective::Ok) }, part, "│  ·····━━━│", "|  .....===|"),
        ] {
            for (theme, expected) in [(crate::tui::fixture::THEME, unicode), (crate::tui::fixture::PLAIN, ascii)] {
                let spans = self::bar(Some(bar), window, 10, &theme);
                let shown: String = spans.iter().map(|span| span.content.to_string()).collect();
                assert_eq!(shown, expected, "{bar:?}");
            }
        }
    }

    #[test]
    fn the_axis_names_round_times_and_its_end() {
        assert_eq!(axis(30, ALL), "0              500ms     1.00s");
        assert_eq!(axis(36, Zoom { from_ms: 0, span_ms: 4_210 }), "0                2s            4.21s");
        assert_eq!(axis(30, Zoom { from_ms: 61_000, span_ms: 500 }), "1m01s       +200ms      +500ms");
        assert_eq!(axis(10, ALL), "0    1.00s");
        assert_eq!(axis(20, Zoom { from_ms: 0, span_ms: 1 }), "0                1ms");
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_as_wide_as_the_axis(
            times in proptest::array::uniform3(proptest::num::i64::ANY),
            from_ms in 0..1_000_000_000_000_i64,
            span_ms in 1..1_000_000_000_000_i64,
            width in 8_usize..80,
        ) {
            let [from, to, whole] = times;
            let window = Zoom { from_ms, span_ms };
            for theme in [crate::tui::fixture::THEME, crate::tui::fixture::PLAIN] {
                let bar = Bar {
                    whole,
                    ready: whole.min(from),
                    work: whole.max(from),
                    failed_below: Some(whole),
                    runs_below: true,
                    bold: true,
                    ..Bar::plain(from, to, Effective::Failed)
                };
                let spans = super::bar(Some(bar), window, width, &theme);
                let shown: usize = spans.iter().map(|span| span.content.width()).sum();
                proptest::prop_assert_eq!(shown, width + 2);
            }
            proptest::prop_assert!(axis(width, window).width() <= width.max(32));
        }
    }
}

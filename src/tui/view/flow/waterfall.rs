//! When each node ran, on one axis for the whole cascade.

use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use crate::model::status::Effective;
use crate::model::text::duration;
use crate::tui::app::flow::Zoom;
use crate::tui::theme::Theme;

/// The axis: start, middle and end; of a part of it the start, and how long after it the others are.
pub(super) fn axis(width: usize, window: Zoom) -> String {
    let Zoom { from_ms, span_ms } = window;
    let start = if from_ms == 0 { "0".to_owned() } else { duration(from_ms) };
    let sign = if from_ms == 0 { "" } else { "+" };
    let (middle, end) = (format!("{sign}{}", duration(span_ms / 2)), format!("{sign}{}", duration(span_ms)));
    if span_ms < 2 || width < 20 {
        return format!("{start}{end:>0$}", width.saturating_sub(start.len()));
    }
    let left = (width / 2 + middle.len() / 2).saturating_sub(start.len());
    format!("{start}{middle:>left$}{end:>right$}", right = width.saturating_sub(left + start.len()))
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
    /// How it went.
    pub(in crate::tui::view) effective: Effective,
    /// Whether it is to stand out.
    pub(in crate::tui::view) bold: bool,
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

/// A row of the waterfall, between its edges; empty for what has no time of its own. What is outside the window is
/// pointed at.
pub(in crate::tui::view) fn bar<'a>(bar: Option<Bar>, window: Zoom, width: usize, theme: &Theme) -> Vec<Span<'a>> {
    let edge = if theme.unicode { "│" } else { "|" };
    let mut cells_of_row = vec![(" ", theme.dim()); width];
    if let Some(bar) = bar {
        let mut paint = |range: Option<(usize, usize)>, glyph: &'static str, style: Style| {
            let (from, to) = range.unwrap_or_default();
            cells_of_row.iter_mut().take(to).skip(from).for_each(|cell| *cell = (glyph, style));
        };
        let style = theme.status(bar.effective);
        let style = if bar.bold { style.add_modifier(Modifier::BOLD) } else { style };
        if bar.whole > bar.to {
            paint(cells(bar.from, bar.whole, window, width), below(theme), theme.dim());
        }
        paint(cells(bar.from, bar.to, window, width), glyph(bar.effective, theme), style);
        let (earlier, later) = if theme.unicode { ("◂", "▸") } else { ("<", ">") };
        if bar.whole.max(bar.to) < window.from_ms {
            paint(Some((0, 1)), earlier, theme.dim());
        } else if bar.from > window.from_ms.saturating_add(window.span_ms) {
            paint(Some((width.saturating_sub(1), width)), later, theme.dim());
        }
    }
    let mut spans = vec![Span::styled(edge, theme.dim())];
    for run in cells_of_row.chunk_by(|a, b| a == b) {
        let (glyph, style) = run[0];
        spans.push(Span::styled(glyph.repeat(run.len()), style));
    }
    spans.push(Span::styled(edge, theme.dim()));
    spans
}

/// What the bars mean: `━ ok  ▓ failed  ▶ running  ░ stuck  ┄ goes on below`.
pub(super) fn legend(theme: &Theme) -> String {
    let names = [Effective::Ok, Effective::Failed, Effective::Running, Effective::Stuck]
        .map(|effective| format!("{} {}", glyph(effective, theme), effective.name()));
    format!("{}  {} goes on below", names.join("  "), below(theme))
}

/// The time in which only what is below a node goes on.
fn below(theme: &Theme) -> &'static str {
    if theme.unicode { "┄" } else { "." }
}

/// The statuses can be told apart without colour.
fn glyph(effective: Effective, theme: &Theme) -> &'static str {
    match (effective, theme.unicode) {
        (Effective::Ok, true) => "━",
        (Effective::Failed, true) => "▓",
        (Effective::Running, true) => "▶",
        (Effective::Stuck, true) => "░",
        (Effective::NotDetected, true) => "·",
        (Effective::Ok, false) => "=",
        (Effective::Failed, false) => "x",
        (Effective::Running, false) => ">",
        (Effective::Stuck, false) => "?",
        (Effective::NotDetected, false) => ".",
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
        let theme = crate::tui::fixture::PLAIN;
        let row = |from, to, whole, window| {
            let bar = Bar { from, to, whole, effective: Effective::Ok, bold: false };
            self::bar(Some(bar), window, 10, &theme).iter().map(|span| span.content.to_string()).collect::<String>()
        };
        assert_eq!(row(200, 500, 500, ALL), "|  ===     |");
        assert_eq!(row(200, 500, 900, ALL), "|  ===.... |");
        let part = Zoom { from_ms: 400, span_ms: 200 };
        assert_eq!(row(0, 300, 300, part), "|<         |");
        assert_eq!(row(0, 300, 500, part), "|.....     |");
        assert_eq!(row(700, 800, 800, part), "|         >|");
    }

    #[test]
    fn the_axis_names_the_part() {
        assert_eq!(axis(30, ALL), "0           500ms        1.00s");
        assert_eq!(axis(30, Zoom { from_ms: 61_000, span_ms: 500 }), "1m01s       +250ms      +500ms");
        assert_eq!(axis(10, ALL), "0    1.00s");
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
                let bar = Bar { from, to, whole, effective: Effective::Failed, bold: true };
                let spans = super::bar(Some(bar), window, width, &theme);
                let shown: usize = spans.iter().map(|span| span.content.width()).sum();
                proptest::prop_assert_eq!(shown, width + 2);
            }
            proptest::prop_assert!(axis(width, window).width() <= width.max(32));
        }
    }
}

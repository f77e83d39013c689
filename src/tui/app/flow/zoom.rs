//! The part of the time axis that the waterfall shows.

use super::State;
use crate::model::flow::Span;
use crate::tui::app::App;

/// The shortest part, milliseconds.
const SHORTEST: i64 = 10;

/// A part of the time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zoom {
    /// Where it begins, milliseconds after the start of the cascade.
    pub from_ms: i64,
    /// Its length, milliseconds.
    pub span_ms: i64,
}

impl State {
    /// What the waterfall shows of an axis of this length.
    #[must_use]
    pub fn window(&self, axis_ms: i64) -> Zoom {
        self.zoom.unwrap_or(Zoom { from_ms: 0, span_ms: axis_ms })
    }
}

/// Halves or doubles the part that is shown, with the selected node in it.
pub(super) fn act(app: &mut App, closer: bool) {
    let axis_ms = app.flow.overview.axis_ms(app.data_time());
    let now_ms = app.flow.overview.offset_ms(app.data_time());
    let span = app.flow.line().map(|line| app.flow.times.get(line.node)).unwrap_or_default();
    let zoom = step(app.flow.window(axis_ms), closer, axis_ms, (span.from_ms, end(&span, now_ms)));
    if zoom.is_none() && app.flow.zoom.is_none() {
        app.say("the whole time is shown");
    } else if closer && zoom == app.flow.zoom {
        app.say(format!("{SHORTEST}ms is the shortest time that is shown"));
    }
    app.flow.zoom = zoom;
}

fn end(span: &Span, now_ms: i64) -> i64 {
    span.end_ms(now_ms).or(span.last_end_ms).unwrap_or(span.from_ms)
}

/// The next part, or nothing for all; around what lies between two moments, or from a little before its start where it
/// is longer.
fn step(now: Zoom, closer: bool, axis_ms: i64, (from, to): (i64, i64)) -> Option<Zoom> {
    let span_ms = if closer { (now.span_ms / 2).max(SHORTEST) } else { now.span_ms.saturating_mul(2) };
    if span_ms >= axis_ms {
        return None;
    }
    let length = to.saturating_sub(from);
    let before = if length < span_ms { (span_ms - length) / 2 } else { span_ms / 10 };
    Some(Zoom { from_ms: (from - before).clamp(0, axis_ms - span_ms), span_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_node_stays_on_the_axis() {
        let all = Zoom { from_ms: 0, span_ms: 8_000 };
        let closer = |now, from, to| step(now, true, 8_000, (from, to)).unwrap();
        assert_eq!(closer(all, 6_000, 6_400), Zoom { from_ms: 4_000, span_ms: 4_000 });
        assert_eq!(closer(all, 3_000, 3_400), Zoom { from_ms: 1_200, span_ms: 4_000 });
        assert_eq!(closer(all, 1_000, 7_000), Zoom { from_ms: 600, span_ms: 4_000 }, "longer than the window");
        let near = Zoom { from_ms: 3_000, span_ms: 10 };
        assert_eq!(closer(near, 3_000, 3_004), Zoom { from_ms: 2_997, span_ms: 10 });
        assert_eq!(step(Zoom { from_ms: 0, span_ms: 4_000 }, false, 8_000, (0, 1)), None);
        assert_eq!(step(all, true, 5, (0, 1)), None, "shorter than the shortest");
    }

    proptest::proptest! {
        #[test]
        fn the_window_is_on_the_axis(from: i64, to: i64, axis_ms in 1..i64::MAX, start in 0..i64::MAX, span_ms in 1..i64::MAX, closer: bool) {
            let from = from.max(0);
            let to = to.max(from);
            if let Some(zoom) = step(Zoom { from_ms: start, span_ms }, closer, axis_ms, (from, to)) {
                proptest::prop_assert!(zoom.from_ms >= 0 && zoom.span_ms > 0 && zoom.from_ms + zoom.span_ms <= axis_ms);
            }
        }
    }
}

//! The cascade from moment to moment, as it went.

use chrono::{DateTime, TimeDelta, Utc};

use super::{State, Zoom, show_flow};
use crate::model::flow::{Flow, Rows};
use crate::tui::app::App;
use crate::tui::msg::{Action, View};

/// Time between two steps of a replay that plays.
const STEP: TimeDelta = TimeDelta::milliseconds(400);
/// Steps at the most from the first moment to the last: of a large cascade several moments are passed at once.
const MOST_STEPS: usize = 100;

/// A replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The rows of the whole cascade.
    rows: Rows,
    /// When anything began or ended.
    pub moments: Vec<DateTime<Utc>>,
    /// Which moment is shown.
    pub at: usize,
    /// When the next one is shown, while it plays.
    pub next_at: Option<DateTime<Utc>>,
}

impl Replay {
    /// The moment that is shown.
    #[must_use]
    pub fn moment(&self) -> Option<DateTime<Utc>> {
        self.moments.get(self.at).copied()
    }
}

/// Begins at the first moment of these rows, and plays.
pub(super) fn begin(app: &mut App, rows: Rows) {
    let moments = rows.moments();
    let (Some(&first), Some(&last)) = (moments.first(), moments.last()) else { return };
    // The whole time from the beginning, so that the bars grow on one axis.
    app.flow.zoom = Some(Zoom { from_ms: 0, span_ms: (last - first).num_milliseconds().max(1) });
    app.flow.replay = Some(Replay { rows, moments, at: 0, next_at: app.now.checked_add_signed(STEP) });
    show(app);
}

/// Shows the cascade as it is again; false when nothing is replayed.
pub fn end(app: &mut App) -> bool {
    let Some(replay) = app.flow.replay.take() else { return false };
    app.flow.zoom = None;
    let now = app.data_time();
    let flow = Flow::build(replay.rows, now, app.settings.stale_after);
    show_flow(app, flow, now);
    true
}

/// Shows the next moment when it is due.
pub fn tick(app: &mut App) {
    let now = app.now;
    if app.flow.replay.as_ref().and_then(|replay| replay.next_at).is_some_and(|at| at <= now) {
        step(app, true);
    }
}

/// What a key does; false when it is not about a replay, or there is none.
pub(super) fn act(app: &mut App, action: Action) -> bool {
    if !matches!(action, Action::ReplayBack | Action::ReplayForward | Action::ReplayPlay) {
        return false;
    }
    let now = app.now;
    let Some(replay) = &mut app.flow.replay else {
        let key = app.settings.keys.key_of(View::Flow, Action::Replay);
        app.say(format!("nothing is replayed: {key} replays the cascade"));
        return true;
    };
    match action {
        Action::ReplayPlay if replay.next_at.is_some() => replay.next_at = None,
        Action::ReplayPlay => {
            if replay.at + 1 >= replay.moments.len() {
                replay.at = 0;
            }
            replay.next_at = now.checked_add_signed(STEP);
            show(app);
        }
        _ => {
            replay.next_at = None;
            step(app, action == Action::ReplayForward);
        }
    }
    true
}

fn step(app: &mut App, forward: bool) {
    let now = app.now;
    let Some(replay) = &mut app.flow.replay else { return };
    let last = replay.moments.len().saturating_sub(1);
    let stride = if replay.next_at.is_some() { last / MOST_STEPS + 1 } else { 1 };
    replay.at = if forward { (replay.at + stride).min(last) } else { replay.at.saturating_sub(stride) };
    let goes_on = replay.next_at.is_some() && replay.at < last;
    replay.next_at = if goes_on { now.checked_add_signed(STEP) } else { None };
    show(app);
}

fn show(app: &mut App) {
    let Some((replay, at)) = app.flow.replay.as_ref().and_then(|replay| Some((replay, replay.moment()?))) else {
        return;
    };
    let flow = Flow::build(replay.rows.as_of(at), at, app.settings.stale_after);
    show_flow(app, flow, at);
}

impl State {
    /// The moment of the replay that is shown.
    #[must_use]
    pub fn replayed(&self) -> Option<DateTime<Utc>> {
        self.replay.as_ref()?.moment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::status::Effective;
    use crate::tui::app::flow::tests::opened;
    use crate::tui::fixture::{id, press, rows};
    use crate::tui::msg::{Cmd, Msg};
    use crate::tui::update::update;

    fn replayed() -> App {
        let mut app = opened(rows());
        let commands = press(&mut app, "R");
        let [Cmd::Cascade { request, .. }] = commands[..] else { panic!("{commands:?}") };
        update(&mut app, Msg::Cascade(request, Ok(Some(rows()))));
        app
    }

    fn at(app: &App) -> Option<(usize, bool, usize)> {
        let nodes = app.flow.flow.value.as_ref().unwrap().nodes.len();
        app.flow.replay.as_ref().map(|replay| (replay.at, replay.next_at.is_some(), nodes))
    }

    #[test]
    fn it_begins_with_the_first_moment_and_plays() {
        let mut app = replayed();
        assert_eq!(at(&app), Some((0, true, 1)));
        assert_eq!(app.wake_at(), app.now.checked_add_signed(STEP));
        assert_eq!(app.data_time(), rows().moments()[0]);
        for step in 1..=3 {
            let due = app.wake_at().unwrap();
            assert_eq!(update(&mut app, Msg::Tick(due)), []);
            assert_eq!(at(&app).unwrap().0, step);
        }
        let last = app.flow.replay.as_ref().unwrap().moments.len() - 1;
        while let Some(due) = app.flow.replay.as_ref().and_then(|replay| replay.next_at) {
            update(&mut app, Msg::Tick(due));
        }
        assert_eq!(at(&app), Some((last, false, 27)));
        press(&mut app, "<Space>");
        assert_eq!(at(&app), Some((0, true, 1)), "from the beginning again");
    }

    #[test]
    fn keys_step_stop_and_end_it() {
        let table = [
            ("", Some((0, true))),
            ("<Space>", Some((0, false))),
            (".", Some((1, false))),
            ("...,", Some((2, false))),
            (",", Some((0, false))),
            ("..<Space>", Some((2, true))),
            ("..R", None),
            ("..<Esc>", None),
        ];
        for (keys, expected) in table {
            let mut app = replayed();
            press(&mut app, keys);
            assert_eq!(at(&app).map(|(at, plays, _)| (at, plays)), expected, "{keys}");
            assert_eq!(app.view, View::Flow, "{keys}");
        }
        let mut app = opened(rows());
        let before = app.flow.flow.value.clone();
        press(&mut app, ".");
        assert!(app.note.as_ref().unwrap().text.contains("R replays"), "{:?}", app.note);
        let mut app = replayed();
        press(&mut app, "....R");
        assert_eq!((&app.flow.flow.value, app.flow.zoom), (&before, None), "as it was");
    }

    #[test]
    fn what_is_shown_is_as_it_was() {
        let mut app = replayed();
        let status = |app: &App, n| {
            let flow = app.flow.flow.value.as_ref()?;
            flow.find(id(n)).map(|node| flow.nodes[node].effective)
        };
        press(&mut app, "<Space>");
        let mut seen = Vec::new();
        for _ in 0..60 {
            seen.push(status(&app, 41));
            press(&mut app, ".");
        }
        seen.dedup();
        assert_eq!(seen, [None, Some(Effective::Running), Some(Effective::Failed)]);
    }

    #[test]
    fn leaving_the_screen_ends_it() {
        for keys in ["4", "<Enter>", "q"] {
            let mut app = replayed();
            press(&mut app, keys);
            assert!(app.flow.replay.is_none(), "{keys}");
        }
        let mut app = replayed();
        let commands = press(&mut app, "r");
        assert!(matches!(commands[..], [Cmd::Cascade { .. }]) && app.flow.replay.is_none());
        let mut app = replayed();
        app.now += TimeDelta::minutes(1);
        assert_eq!(crate::tui::app::flow::refresh(&mut app), [], "nothing is read meanwhile");
    }
}

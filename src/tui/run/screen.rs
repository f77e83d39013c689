//! What the terminal shows, and the fewest bytes that change it into what it is to show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::encode::encode;
use crate::tui::app::App;
use crate::tui::theme::Theme;
use crate::tui::view;

/// Two frames: the one that is shown, and the one that is drawn. Not ratatui's `Terminal`, which writes also where
/// nothing changed, and asks the terminal for its size in each frame.
#[derive(Debug)]
pub(super) struct Screen {
    shown: Buffer,
    drawn: Buffer,
    clear: bool,
}

impl Screen {
    /// A terminal of which nothing is known.
    pub(super) fn new() -> Self {
        Self { shown: Buffer::empty(Rect::ZERO), drawn: Buffer::empty(Rect::ZERO), clear: true }
    }

    /// Nothing is known of the terminal any more: the next frame is drawn as a whole.
    pub(super) fn forget(&mut self) {
        self.clear = true;
    }

    /// The bytes that change the terminal into this state's frame; none where nothing changes.
    pub(super) fn draw(&mut self, app: &App, theme: &Theme) -> Vec<u8> {
        let area = Rect::new(0, 0, app.size.0, app.size.1);
        let mut bytes = Vec::new();
        if self.clear || self.shown.area != area {
            self.clear = false;
            self.shown = Buffer::empty(area);
            self.drawn = Buffer::empty(area);
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        self.drawn.reset();
        view::draw(app, theme, &mut self.drawn);
        if !theme.unicode {
            in_ascii(&mut self.drawn);
        }
        encode(&self.shown, &self.drawn, &mut bytes);
        std::mem::swap(&mut self.shown, &mut self.drawn);
        bytes
    }
}

/// Puts `?` in the place of each character of data that is not ASCII. A terminal without UTF-8 reads its bytes one by one,
/// and some of them command it.
fn in_ascii(drawn: &mut Buffer) {
    for cell in drawn.content.iter_mut().filter(|cell| !cell.symbol().is_ascii()) {
        cell.set_symbol("?");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::invocation::{Event, Inside, Job, Listed};
    use crate::tui::fixture::server::{self, Answers, Filling};
    use crate::tui::fixture::{self, PLAIN, THEME, press};
    use crate::tui::msg::{Cmd, Msg};
    use crate::tui::update::{start, update};

    fn listed(size: (u16, u16)) -> App {
        let mut app = fixture::app(size);
        let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
        let page = crate::model::invocation::Page { rows: fixture::listed(), more: false };
        update(&mut app, Msg::Page(request, Ok(page)));
        app
    }

    #[test]
    fn a_frame_without_changes_writes_nothing() {
        let app = listed((120, 36));
        let mut screen = Screen::new();
        assert!(screen.draw(&app, &THEME).starts_with(b"\x1b[0m\x1b[2J"));
        assert_eq!(screen.draw(&app, &THEME), b"");
        screen.forget();
        assert!(screen.draw(&app, &THEME).len() > 1_000);
    }

    #[test]
    fn any_size_that_a_terminal_claims_is_drawn() {
        for size in [(65_535, 65_535), (65_535, 1), (1, 65_535), (0, 0), (1, 1), (1_001, 501)] {
            let mut app = fixture::app(size);
            let drawn = app.size;
            assert_eq!(drawn, (size.0.min(1_000), size.1.min(500)));
            for keys in ["", "?", "4"] {
                press(&mut app, keys);
                update(&mut app, Msg::Resize(80, 24));
                update(&mut app, Msg::Resize(size.0, size.1));
                let mut screen = Screen::new();
                screen.draw(&app, &THEME);
                assert_eq!((screen.shown.area.width, screen.shown.area.height), drawn);
            }
        }
    }

    #[test]
    fn without_unicode_every_byte_is_ascii() {
        // U+06DB holds the byte 9b, which begins a control sequence where bytes are characters.
        let filling = Filling::of("日本 \u{6db}31m e\u{301} \u{202e}");
        let app = server::shown((120, 36), "jj<Enter>", Answers::Filled(&filling));
        let bytes = Screen::new().draw(&app, &PLAIN);
        assert!(bytes.is_ascii() && String::from_utf8_lossy(&bytes).contains("??"));
        assert!(!Screen::new().draw(&app, &THEME).is_ascii());
    }

    #[test]
    fn ages_at_rest_cost_little() {
        // A screen full of rows of the last minute, looked at for two more, every two seconds.
        let mut app = listed((120, 36));
        let row = app.invocations.rows()[1].clone();
        let rows = (0..30).map(|n| {
            let mut row = row.clone();
            row.invocation.id = fixture::id(n);
            row.invocation.created_at = fixture::ago(2_000 * i64::try_from(n).unwrap());
            row
        });
        app.invocations.rows.value = Some(rows.collect());
        press(&mut app, "TT");
        app.note = None;
        let mut screen = Screen::new();
        assert!(!screen.draw(&app, &THEME).is_empty());
        let bytes: usize = (0..60)
            .map(|_| {
                app.now += chrono::TimeDelta::seconds(2);
                screen.draw(&app, &THEME).len()
            })
            .sum();
        assert!(bytes <= 20 * 120, "{bytes} bytes in two minutes");
    }

    #[test]
    fn frames_are_small() {
        for (size, first, move_by_a_line, second) in [((80, 24), 1_700, 210, 60), ((120, 36), 4_000, 650, 60)] {
            let mut app = listed(size);
            press(&mut app, "j");
            let mut screen = Screen::new();
            let bytes = screen.draw(&app, &THEME).len();
            assert!(bytes <= first, "first frame: {bytes} at {size:?}");
            press(&mut app, "j");
            let bytes = screen.draw(&app, &THEME).len();
            assert!(bytes <= move_by_a_line, "a line down: {bytes} at {size:?}");
            app.invocations.rows.value.as_mut().unwrap().truncate(0);
            screen.draw(&app, &THEME);
            app.now += chrono::TimeDelta::seconds(1);
            let bytes = screen.draw(&app, &THEME).len();
            assert!(bytes <= second, "a second later: {bytes} at {size:?}");
        }
    }

    /// An event that was detected, two jobs of it, and a changed status.
    fn inside(row: &Listed, n: u128) -> Inside {
        let id = row.invocation.id;
        let age = (fixture::now() - row.invocation.created_at).num_milliseconds();
        let took = row.invocation.total_duration_ms.unwrap_or_default();
        let event = fixture::event(2_000 + n, 0, age, "move.pickup.successful", "completed");
        let job =
            |nth: u128, name: &str, ms| fixture::job(3_000 + 10 * n + nth, (0, 2_000 + n), age - 5, name, Some(ms));
        let jobs = [job(0, "sendNotification", took / 3), job(1, "updateAnalytics", took / 2)];
        let data =
            json!({"old": {"id": 1, "status": "pickup started"}, "new": {"id": 1, "status": "pickup successful"}});
        Inside {
            events: vec![Event { invocation_id: id, detection_duration_ms: Some(took), ..event }],
            jobs: jobs.into_iter().map(|job| Job { invocation_id: id, ..job }).collect(),
            payload: Some(json!({"table": {"name": "moves"}, "event": {"op": "UPDATE", "data": data}})),
        }
    }

    #[test]
    fn a_move_is_small_with_all_of_its_preview() {
        let mut app = listed((120, 36));
        let mut screen = Screen::new();
        screen.draw(&app, &THEME);
        let mut moves = Vec::new();
        for n in 0..8 {
            let commands = press(&mut app, "j");
            let mut bytes = screen.draw(&app, &THEME).len();
            let [Cmd::Inside { request, .. }] = commands[..] else { panic!("{commands:?}") };
            let came = inside(app.invocations.selected_row().unwrap(), n);
            update(&mut app, Msg::Inside(request, Ok(came)));
            bytes += screen.draw(&app, &THEME).len();
            moves.push(bytes);
        }
        assert!(fixture::screen(&app, &THEME, app.size).contains("updateAnalytics"));
        moves.sort_unstable();
        assert!(moves[4] <= 800 && moves[7] <= 1_000, "{moves:?}");
    }
}

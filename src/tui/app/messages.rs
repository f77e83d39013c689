//! What this run said: notes, complaints, and failures that no note told. The newest stands last.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::App;
use super::overlay::Overlay;
use crate::model::invocation::Server;
use crate::model::losses::Losses;
use crate::model::text::{bytes, duration, plural};
use crate::tui::app::cursor::Cursor;
use crate::tui::msg::{Action, Cmd, Copied, Failure, FailureKind, Form};

/// Messages that are kept.
pub const MOST: usize = 500;
/// Rows below the list for the whole text of the selected message.
const WHOLE: u16 = 5;

/// A message. The same text again, with nothing else in between, counts up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, as it came.
    pub text: String,
    /// Whether something went wrong.
    pub is_error: bool,
    /// When it came last.
    pub at: DateTime<Utc>,
    /// When it came first.
    pub first: DateTime<Utc>,
    /// How often it came.
    pub times: u32,
}

/// The messages of this run, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// Those that are kept.
    pub kept: VecDeque<Message>,
    /// Older ones that are not.
    pub dropped: usize,
    /// What recorders lost, as it was read last; `None` if it was not read yet.
    pub losses: Option<Losses>,
}

impl Messages {
    /// Adds one.
    pub fn add(&mut self, text: &str, is_error: bool, at: DateTime<Utc>) {
        if let Some(last) = self.kept.back_mut().filter(|last| last.text == text && last.is_error == is_error) {
            last.at = at;
            last.times = last.times.saturating_add(1);
            return;
        }
        if self.kept.len() == MOST {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(Message { text: text.to_owned(), is_error, at, first: at, times: 1 });
    }

    /// How many tell that something went wrong.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.kept.iter().filter(|message| message.is_error).count()
    }
}

/// What was written to the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames in which something changed.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the largest one, the first left out: it is the whole screen.
    pub largest: usize,
    /// How long drawing them took.
    pub drawing: Duration,
    /// How long the terminal took them.
    pub writing: Duration,
    /// The longest that it took one.
    pub slowest: Duration,
}

impl Traffic {
    /// A frame was drawn and written, in so long.
    pub fn add(&mut self, bytes: usize, drawing: Duration, writing: Duration) {
        if bytes > 0 {
            self.drawing += drawing;
            self.writing += writing;
            self.slowest = self.slowest.max(writing);
            self.largest = if self.frames == 0 { 0 } else { self.largest.max(bytes) };
            self.frames += 1;
            self.bytes += bytes as u64;
        }
    }
}

/// A request that took so long is told, even when its answer came.
pub const SLOW: Duration = Duration::from_millis(1_000);

/// A request was slow.
pub fn slow(app: &mut App, what: &str, took: Duration) {
    let took = duration(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    let advice = "a shorter range of time, or a filter for an id or a function, is faster";
    let now = app.now;
    app.messages.add(&format!("slow: {what} took {took}; {advice}"), false, now);
}

/// Tells what could go wrong with the rights of this role and of others, once.
pub fn rights(app: &mut App, server: &Server) {
    let (now, before) = (app.now, std::mem::take(&mut app.server));
    let mut add = |text: &str| app.messages.add(text, false, now);
    if server.may_write && !before.may_write {
        add("this role may write to the tables; sessions are read-only all the same: observability_readonly is enough");
    }
    if !server.may_create.is_empty() && server.may_create != before.may_create {
        let every = server.may_create.iter().any(|role| role == "PUBLIC");
        let who = if every { "every role".to_owned() } else { server.may_create.join(", ") };
        add(&format!(
            "may create in the schema of the tables: {who}; `obs-tui db status` tells how its owner ends that"
        ));
    }
    for (relation, owner) in server.not_read.iter().filter(|other| !before.not_read.contains(other)) {
        add(&format!(
            "{relation} is not read: that could run code of its owner {owner}, whom this session does not trust"
        ));
    }
    for (column, of_type) in server.converted.iter().filter(|other| !before.converted.contains(other)) {
        add(&format!("{column} is of type {of_type}: it is converted, so that no index leads to its values"));
    }
}

/// Lists what recorders lost, when that is other than before.
pub fn losses(app: &mut App, range: &str, answer: Result<Losses, Failure>) {
    let losses = match answer {
        Ok(losses) => losses,
        // What was read before stays; that the database is out of reach is told elsewhere.
        Err(failure) => {
            let text = format!("Recorder losses: not read: {}", failure.text);
            if failure.kind == FailureKind::Other && app.messages.kept.iter().all(|message| message.text != text) {
                let now = app.now;
                app.messages.add(&text, true, now);
            }
            return;
        }
    };
    let first = app.messages.losses.is_none();
    if app.messages.losses.as_ref() == Some(&losses) {
        return;
    }
    // That nothing was lost is no news, nor is it at the start.
    if losses.records() != Some(0) || !first {
        let now = app.now;
        for line in losses.lines(range) {
            app.messages.add(&line, false, now);
        }
    }
    app.messages.losses = Some(losses);
}

/// Tells what frames cost, as the newest message.
pub fn performance(app: &mut App, memory: Option<u64>, apart: Duration) {
    let Traffic { frames, bytes: written, largest, drawing, writing, slowest } = app.traffic;
    let size = |count: u64| bytes(usize::try_from(count).unwrap_or(usize::MAX));
    let each = |total: Duration| total.as_secs_f64() * 1_000.0 / frames.max(1) as f64;
    let text = format!(
        "performance: {} of {}, {} each, largest change {}; a frame takes {:.1} ms to draw and {:.1} ms to write, \
         {:.0} ms at the most; news are drawn every {:.1} s at the most; {} loaded, {}",
        plural(frames, "frame"),
        size(written),
        size(written / frames.max(1)),
        bytes(largest),
        each(drawing),
        each(writing),
        slowest.as_secs_f64() * 1_000.0,
        apart.as_secs_f64(),
        plural(app.invocations.rows().len() as u64, "row"),
        memory.map_or_else(|| "memory is not told here".to_owned(), |memory| format!("{} of memory", size(memory))),
    );
    let now = app.now;
    app.messages.add(&text, false, now);
    open(app);
}

/// Rows of the list, and of the whole text of the selected message below it.
#[must_use]
pub fn heights(app: &App) -> (usize, usize) {
    let body = app.body_rows().saturating_sub(1);
    let whole = if body >= WHOLE * 2 { WHOLE } else { 2 };
    (usize::from(body.saturating_sub(whole + 1)).max(1), usize::from(whole))
}

/// Opens the list at the newest message.
pub(super) fn open(app: &mut App) {
    let mut cursor = Cursor::default();
    cursor.go(usize::MAX, app.messages.kept.len(), heights(app).0);
    app.overlay = Some(Overlay::Messages(cursor));
}

/// What a key does while the list is open.
pub(super) fn act(app: &mut App, mut cursor: Cursor, action: Action) -> Vec<Cmd> {
    match action {
        Action::CopyValue => {
            let text = app.messages.kept.get(cursor.at).map(|message| message.text.clone());
            return text.map_or_else(Vec::new, |text| vec![Cmd::Copy(Copied::new(Form::Value, &text, "message"))]);
        }
        _ => cursor.act(action, app.messages.kept.len(), heights(app).0),
    };
    app.overlay = Some(Overlay::Messages(cursor));
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogError;
    use crate::model::invocation::Page;
    use crate::tui::app::Connection;
    use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
    use crate::tui::msg::{Failure, Msg};
    use crate::tui::update::{start, update};
    use chrono::TimeDelta;

    fn texts(app: &App) -> Vec<(&str, u32)> {
        app.messages.kept.iter().map(|message| (message.text.as_str(), message.times)).collect()
    }

    /// A list that lost its database for two attempts and has it again.
    fn lived() -> App {
        let mut app = fixture::app((80, 24));
        let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
        update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
        for second in 1..=2 {
            update(&mut app, Msg::Tick(fixture::now() + TimeDelta::seconds(2 * second)));
            if let Connection::Offline { .. } = app.connection {
                press(&mut app, "r");
            }
            let request = app.invocations.rows.request.unwrap();
            let gone = Failure::unreachable("cannot reach db:5432: connection refused. Is the server running there?");
            update(&mut app, Msg::Changes(request, Err(gone)));
        }
        press(&mut app, "r");
        let request = app.invocations.rows.request.unwrap();
        update(&mut app, Msg::Changes(request, Ok(Page::default())));
        update(&mut app, Msg::Tick(fixture::now() + TimeDelta::seconds(70)));
        update(&mut app, Msg::Told(Err("nothing written to /srv: no space left on device".to_owned())));
        app
    }

    #[test]
    fn what_was_said_is_kept_and_counted() {
        let mut app = lived();
        let gone = ("cannot reach db:5432: connection refused. Is the server running there?", 2);
        let said = [gone, ("connected again", 1), ("nothing written to /srv: no space left on device", 1)];
        assert_eq!(texts(&app), said);
        press(&mut app, "L");
        let request = app.logs.loki.request.unwrap();
        update(&mut app, Msg::Logs(request, Err(LogError::NotConfigured)));
        assert!(texts(&app).last().unwrap().0.contains("GRAFANA_URL"), "{:?}", texts(&app));
    }

    #[test]
    fn slow_requests_and_bytes_are_told() {
        let mut app = fixture::app((80, 24));
        update(&mut app, Msg::Slow("older rows", Duration::from_millis(2_340)));
        assert!(texts(&app)[0].0.starts_with("slow: older rows took 2.34s; "), "{:?}", texts(&app));
        assert_eq!(app.note, None, "it does not disturb");
        let mut traffic = Traffic::default();
        for bytes in [6_800, 0, 283, 2_500] {
            traffic.add(bytes, Duration::from_millis(1), Duration::from_millis(bytes as u64 / 100));
        }
        let (drawing, writing) = (Duration::from_millis(3), Duration::from_millis(68 + 2 + 25));
        let slowest = Duration::from_millis(68);
        assert_eq!(traffic, Traffic { frames: 3, bytes: 9_583, largest: 2_500, drawing, writing, slowest });
        app.traffic = traffic;
        assert_eq!(press(&mut app, ":perf<Enter>"), [Cmd::Performance]);
        update(&mut app, Msg::Performance(Some(14_200_000), Duration::from_millis(100)));
        assert_screen_at("messages__performance", &app, &fixture::THEME, (80, 24));
    }

    #[test]
    fn there_is_an_end_to_them() {
        let mut messages = Messages::default();
        for n in 0..MOST + 7 {
            messages.add(&format!("message {n}"), n % 2 == 0, fixture::now());
        }
        assert_eq!((messages.kept.len(), messages.dropped, messages.errors()), (MOST, 7, MOST / 2));
        assert_eq!(messages.kept.back().unwrap().text, format!("message {}", MOST + 6));
    }

    #[test]
    fn keys_move_copy_and_close() {
        // (keys after !, selected, open)
        for (keys, at, open) in [
            ("", 2, true),
            ("k", 1, true),
            ("gg", 0, true),
            ("ggjjjj", 2, true),
            ("kL", 1, true),
            ("q", 0, false),
            ("<Esc>", 0, false),
            ("!", 0, false),
            ("<Enter>", 0, false),
        ] {
            let mut app = lived();
            press(&mut app, "!");
            press(&mut app, keys);
            let found = match app.overlay {
                Some(Overlay::Messages(cursor)) => Some(cursor.at),
                _ => None,
            };
            assert_eq!(found, open.then_some(at), "{keys}");
            assert!(app.back.is_empty() && !app.quit, "{keys}");
        }
        let mut app = lived();
        let copied = press(&mut app, "!ky");
        assert_eq!(copied, [Cmd::Copy(Copied::new(Form::Value, "connected again", "message"))]);
        let mut empty = fixture::app((80, 24));
        assert_eq!(press(&mut empty, "!y"), []);
    }

    #[test]
    fn screens() {
        let mut app = lived();
        for (n, text) in
            ["following the newest row", "local time", "wrote 3.1 MB to /home/ada/obs-tui-invocations.json"]
                .into_iter()
                .enumerate()
        {
            app.now += TimeDelta::seconds(5 * n as i64);
            app.say(text);
        }
        app.complain("evil \u{1b}[2J\u{202e} text \u{0} of a database that says far more than fits into one line of the list, so that the rest of it stands below");
        press(&mut app, "!");
        assert_screen("messages__normal", &app);
        assert_screen_at("messages__small", &app, &PLAIN, (40, 12));
        assert_screen_at(
            "messages__empty",
            &{
                let mut app = fixture::app((80, 24));
                press(&mut app, "!");
                app
            },
            &fixture::THEME,
            (80, 24),
        );
    }
}

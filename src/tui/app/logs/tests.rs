//! Keys, answers and screens of the log lines.

mod screens;

use serde_json::json;

use super::*;
use crate::tui::fixture::{self, ago, id, press};
use crate::tui::msg::Msg;
use crate::tui::update::update;

/// The failed job of the sample cascade.
fn subject() -> Subject {
    Subject {
        name: "job sendNotification".to_owned(),
        correlation_id: Some(format!("moves.{}", id(3))),
        job: Some(id(41)),
        jobs: vec![id(41)],
        cascade_jobs: vec![id(40), id(41), id(42)],
        window: (ago(3_480), ago(2_568)),
        cascade_window: (ago(3_560), ago(1_000)),
    }
}

fn line(milliseconds: i64, level: Level, service: &str, message: &str, fields: serde_json::Value) -> LogLine {
    let at_ns = ago(3_480).timestamp_nanos_opt().unwrap() + milliseconds * 1_000_000;
    let (service, message) = (service.to_owned(), message.to_owned());
    LogLine { at_ns, level, message, service, fields, origin: Origin::Loki }
}

fn of_table(milliseconds: i64, level: Level, message: &str) -> LogLine {
    LogLine { origin: Origin::Table, ..line(milliseconds, level, "", message, json!(null)) }
}

fn page(lines: Vec<LogLine>) -> LogPage {
    LogPage { lines, ..fixture::log_page() }
}

fn table_page(lines: Vec<LogLine>) -> LogPage {
    LogPage { lines, complete: true, query: "job_logs".to_owned(), took_ms: 3 }
}

/// The sample lines, with a stack in the fields of one and a line after the end of the job.
fn sample() -> LogPage {
    let mut page = fixture::log_page();
    page.lines[6].fields = json!({
        "stack": "TwilioError: 21610\n    at RestException (twilio/lib/base/RestException.js:23)\n    at post (client.js:9)",
        "headers": {"authorization": "Bearer 1234"},
    });
    page.lines.push(line(
        1_802,
        Level::Info,
        "event-detector-moves",
        "invocation completed total=1800ms failed=1",
        json!(null),
    ));
    page
}

fn ask_for(app: &mut App, subject: Subject) -> u64 {
    match open(app, subject).as_slice() {
        [Cmd::Logs { request, .. }] => *request,
        other => panic!("one request for lines, not {other:?}"),
    }
}

fn answered(app: &mut App, request: u64, loki: Result<LogPage, LogError>, table: Vec<LogLine>) {
    update(app, Msg::Logs(request, loki));
    update(app, Msg::TableLogs(request, Ok(table_page(table))));
}

pub(in crate::tui) fn loaded_app() -> App {
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, subject());
    answered(&mut app, request, Ok(sample()), Vec::new());
    app
}

#[test]
fn a_node_is_asked_for_by_its_ids_and_its_time() {
    let mut app = fixture::app((80, 24));
    let asked = open(&mut app, subject());
    let [Cmd::Logs { query: Some(query), jobs, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((query.job_id, jobs.as_slice()), (Some(id(41)), [id(41)].as_slice()));
    assert_eq!((query.from, query.to), (ago(8_480), ago(-2_432)));
    assert_eq!(app.view, View::Logs);
    let asked = press(&mut app, "A");
    let [Cmd::Logs { query: Some(query), jobs, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((query.job_id, jobs.len()), (None, 3));
    assert_eq!((query.from, query.to), (ago(8_560), ago(-4_000)));
}

#[test]
fn a_node_without_correlation_id_is_asked_for_by_its_job_or_not_at_all() {
    let mut app = fixture::app((80, 24));
    let asked = open(&mut app, Subject { correlation_id: None, ..subject() });
    assert!(matches!(asked.as_slice(), [Cmd::Logs { query: Some(query), .. }] if query.correlation_id.is_empty()));
    let nothing = Subject { correlation_id: Some(" ".to_owned()), job: None, jobs: Vec::new(), ..subject() };
    assert!(open(&mut app, nothing.clone()).is_empty() && !app.logs.is_loading());
    let asked = open(&mut app, Subject { jobs: vec![id(41)], ..nothing });
    assert!(matches!(asked.as_slice(), [Cmd::Logs { query: None, jobs, .. }] if jobs.len() == 1));
    assert!(app.logs.table.is_loading() && !app.logs.loki.is_loading());
}

#[test]
fn keys_move_what_they_say() {
    // Keys, the selected line, lines shown, open lines.
    let cases = [
        ("", 0, 9, 0),
        ("j", 1, 9, 0),
        ("jjk", 1, 9, 0),
        ("k", 0, 9, 0),
        ("G", 8, 9, 0),
        ("Gj", 8, 9, 0),
        ("Ggg", 0, 9, 0),
        ("C-f", 8, 9, 0),
        ("C-fC-b", 0, 9, 0),
        ("e", 5, 9, 0),
        ("ee", 6, 9, 0),
        ("eee", 6, 9, 0),
        ("GE", 6, 9, 0),
        ("GEE", 5, 9, 0),
        ("e<Enter>", 5, 9, 1),
        ("e<Enter><Enter>", 5, 9, 0),
        ("el", 5, 9, 1),
        ("elh", 5, 9, 0),
        ("elel", 6, 9, 2),
        ("l", 0, 9, 0),
        ("V", 0, 8, 0),
        ("eVV", 1, 3, 0),
        ("eVVV", 0, 2, 0),
        ("eVVVV", 5, 9, 0),
        ("GVVV", 1, 2, 0),
    ];
    for (keys, selected, shown, open) in cases {
        let mut app = loaded_app();
        let asked = press(&mut app, keys);
        let state = &app.logs;
        assert_eq!((state.selected, state.shown.len(), state.open.len()), (selected, shown, open), "{keys}");
        assert!(asked.is_empty(), "{keys} asked {asked:?}");
    }
}

#[test]
fn times_go_round() {
    let mut app = loaded_app();
    let mut time = |keys: &str| {
        press(&mut app, keys);
        rows::time(&app, &app.logs.lines[5])
    };
    let times = [time(""), time("T"), time("T"), time("T")];
    assert_eq!(times, ["+0.904", "12:04:30.424", "13:04:30.424", "+0.904"]);
    let early = line(-12, Level::Info, "", "", json!(null));
    assert_eq!(rows::time(&app, &early), "-0.012");
}

#[test]
fn a_line_taller_than_the_screen_is_read_row_by_row() {
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, subject());
    let stack: Vec<_> = (0..60).map(|n| format!("frame {n}")).collect();
    let tall = line(1, Level::Error, "a", "failed", json!({ "stack": stack.join("\n") }));
    answered(&mut app, request, Ok(page(vec![tall, line(2, Level::Info, "a", "after", json!(null))])), Vec::new());
    press(&mut app, "l");
    let page = rows::height(&app);
    assert_eq!(rows::of(&app, 0, 80).len(), 62);
    press(&mut app, "jjj");
    assert_eq!((app.logs.selected, app.logs.top), (0, (0, 3)));
    press(&mut app, "C-fC-fC-f");
    assert_eq!((app.logs.selected, app.logs.top), (0, (0, 62 - page)));
    press(&mut app, "j");
    assert_eq!(app.logs.selected, 1);
    press(&mut app, "k");
    assert_eq!((app.logs.selected, app.logs.top), (0, (0, 62 - page)), "from below its end is seen first");
    press(&mut app, "k");
    assert_eq!(app.logs.top, (0, 61 - page));
}

#[test]
fn the_selection_survives_a_reload() {
    let mut app = loaded_app();
    press(&mut app, "el");
    let before = app.logs.line().map(|(key, line)| (key, line.message.clone()));
    let [Cmd::Logs { request, .. }] = press(&mut app, "r")[..] else { panic!("r asks again") };
    let mut more = sample();
    more.lines.insert(0, line(-3, Level::Info, "a", "earlier", json!(null)));
    answered(&mut app, request, Ok(more), vec![of_table(100, Level::Info, "from the table")]);
    assert_eq!(app.logs.line().map(|(key, line)| (key, line.message.clone())), before);
    assert_eq!((app.logs.selected, app.logs.open.len()), (7, 1));
}

#[test]
fn an_old_answer_is_ignored() {
    let mut app = fixture::app((80, 24));
    let first = ask_for(&mut app, subject());
    let second = ask_for(&mut app, Subject { job: Some(id(40)), ..subject() });
    update(&mut app, Msg::Logs(first, Ok(sample())));
    assert!(app.logs.lines.is_empty() && app.logs.loki.is_loading());
    update(&mut app, Msg::Logs(second, Ok(sample())));
    assert_eq!(app.logs.lines.len(), 9);
}

#[test]
fn only_what_may_change_is_asked_for_again() {
    let polls = |app: &mut App, seconds: i64| {
        app.poll_at = Some(app.now);
        let times = 0..seconds / 2;
        times
            .filter(|_| {
                let now = app.now + TimeDelta::seconds(2);
                !update(app, Msg::Tick(now)).is_empty()
            })
            .count()
    };
    let mut app = loaded_app();
    assert_eq!(polls(&mut app, 60), 0, "the node has ended");
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, subject());
    answered(&mut app, request, Err(LogError::Offline("no route".to_owned())), Vec::new());
    assert_eq!(polls(&mut app, 8), 0);
    assert_eq!(polls(&mut app, 2), 1, "offline: every ten seconds");
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, subject());
    answered(&mut app, request, Err(LogError::Refused("401".to_owned())), Vec::new());
    assert_eq!(polls(&mut app, 60), 0, "a refused token is not tried again");
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, Subject { window: (ago(3_480), fixture::now()), ..subject() });
    answered(&mut app, request, Ok(sample()), Vec::new());
    app.poll_at = Some(app.now);
    let later = app.now + TimeDelta::seconds(10);
    let asked = update(&mut app, Msg::Tick(later));
    let [Cmd::Logs { query: Some(query), .. }] = asked.as_slice() else {
        panic!("a running node has new lines: {asked:?}")
    };
    assert_eq!(query.to, later + TimeDelta::seconds(5));
}

#[test]
fn the_end_is_followed_while_the_node_runs() {
    let mut app = fixture::app((80, 24));
    let request = ask_for(&mut app, Subject { window: (ago(3_480), fixture::now()), ..subject() });
    answered(&mut app, request, Ok(sample()), Vec::new());
    press(&mut app, "G");
    let [Cmd::Logs { request, .. }] = press(&mut app, "r")[..] else { panic!("r asks again") };
    let mut more = sample();
    more.lines.push(line(3_000, Level::Info, "a", "newest", json!(null)));
    answered(&mut app, request, Ok(more), Vec::new());
    assert_eq!(app.logs.line().unwrap().1.message, "newest");
}

#[test]
fn lines_are_copied_without_secrets() {
    let mut app = loaded_app();
    let commands = press(&mut app, "eeyYI");
    let texts: Vec<_> = commands
        .iter()
        .map(|cmd| match cmd {
            Cmd::Copy(copied) => copied.text(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(texts[0].starts_with("2026-11-20T12:04:30.430Z ERROR event-detector-moves Failed to send"), "{}", texts[0]);
    let json: serde_json::Value = serde_json::from_str(texts[1]).unwrap();
    assert_eq!((&json["level"], &json["source"]), (&json!("ERROR"), &json!("Loki")));
    assert!(!texts[1].contains("1234"));
    assert_eq!(texts[2], format!("moves.{}", id(3)));
    let Some(Cmd::Copy(copied)) = press(&mut app, "XY").pop() else { panic!("Y copies") };
    assert!(copied.text().contains("Bearer 1234"), "{copied:?}");
}

#[test]
fn a_move_changes_few_cells() {
    let mut app = loaded_app();
    app.size = (120, 36);
    let area = ratatui::layout::Rect::new(0, 0, 120, 36);
    let draw = |app: &App| {
        let mut buf = ratatui::buffer::Buffer::empty(area);
        crate::tui::view::draw(app, &fixture::THEME, &mut buf);
        buf
    };
    let before = draw(&app);
    press(&mut app, "j");
    let changed = before.diff(&draw(&app)).len();
    assert!((2..=240).contains(&changed), "{changed} cells");
}

proptest::proptest! {
    #[test]
    fn the_selected_line_is_always_on_the_screen(keys in "[jkhlwVeEgG]{0,40}", height in 12u16..40, long in 0usize..400) {
        let mut app = fixture::app((60, height));
        let request = ask_for(&mut app, subject());
        let lines = (0..30).map(|n| {
            let level = if n % 3 == 0 { Level::Error } else { Level::Debug };
            line(n * 100, level, "a", &"word ".repeat(long * n as usize % 90), json!({"n": n, "s": "a\nb\nc"}))
        });
        answered(&mut app, request, Ok(page(lines.collect())), Vec::new());
        press(&mut app, &keys);
        let state = &app.logs;
        let page = rows::height(&app);
        let (top, skip) = rows::window(&app, 60, page);
        proptest::prop_assert_eq!((top, skip), state.top);
        proptest::prop_assert!(top <= state.selected);
        let before: usize = (top..state.selected).map(|index| rows::of(&app, index, 60).len()).sum();
        let tall = rows::of(&app, state.selected, 60).len();
        proptest::prop_assert!(before.saturating_sub(skip) < page, "its first row is on the screen");
        proptest::prop_assert!(before + tall <= skip + page || top == state.selected, "all of it, or it fills the screen");
    }
}

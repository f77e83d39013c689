//! Screens of the node.

use serde_json::json;

use crate::model::flow::Kind;
use crate::tui::app::detail::open;
use crate::tui::app::detail::tests::{invocation_row, job_row, shown};
use crate::tui::fixture::{PLAIN, THEME, app, assert_screen, assert_screen_at, id, press, screen};
use crate::tui::msg::{Failure, Msg};
use crate::tui::update::update;

#[test]
fn an_invocation() {
    let mut app = shown(Kind::Invocation, 3, invocation_row());
    assert_screen("detail__summary", &app);
    press(&mut app, "]jjjjhj");
    assert_screen("detail__payload", &app);
    assert_screen_at("detail__payload_ascii", &app, &PLAIN, (80, 24));
    press(&mut app, "]j");
    assert_screen("detail__diff", &app);
    assert_screen_at("detail__diff_small", &app, &PLAIN, (40, 12));
    press(&mut app, "uG");
    assert_screen("detail__diff_all", &app);
    press(&mut app, "ugg");
    press(&mut app, "]jj");
    assert_screen("detail__masked", &app);
    press(&mut app, "X");
    assert_screen("detail__revealed", &app);
    press(&mut app, "]");
    assert_screen("detail__no_error", &app);
    press(&mut app, "]");
    assert_screen("detail__raw", &app);
}

#[test]
fn a_job() {
    let mut app = shown(Kind::Job, 41, job_row());
    assert_screen("detail__job", &app);
    press(&mut app, "]");
    assert_screen("detail__job_options", &app);
    press(&mut app, "]]jjj");
    assert_screen("detail__job_error", &app);
}

#[test]
fn an_event() {
    let row = json!({
        "id": id(21), "invocation_id": id(3), "event_name": "move.pickup.successful", "detected": true,
        "created_at": "2026-11-20T12:04:29.455+00:00", "updated_at": "2026-11-20T12:04:30.700+00:00",
        "detection_duration_ms": 9, "handler_duration_ms": 1200, "handler_error": "TypeError: x is not a function",
        "handler_error_stack": "TypeError: x is not a function\n    at handler (pickup.js:9)", "status": "handler_failed",
        "jobs_count": 3, "correlation_id": null, "event_module_path": "/var/task/events/move.pickup.successful.js",
    });
    let mut app = shown(Kind::Event, 21, row);
    assert_screen("detail__event", &app);
    press(&mut app, "]");
    assert_screen("detail__event_error", &app);
}

#[test]
fn changed_texts() {
    let mut row = invocation_row();
    let note = "Please call the gate before arrival, then wait at the north entrance until the lot opens";
    let data = &mut row["source_event_payload"]["event"]["data"];
    data["old"] = json!({"id": 1, "note": note, "eta": "2026-11-20T12:31:00Z", "stops": ["a", "b", "c"], "n": 1});
    let changed = note.replace("north", "south").replace("lot", "yard");
    data["new"] = json!({"id": 1, "note": changed, "eta": "2026-11-20T11:01:00Z", "stops": ["b", "c"], "n": 2});
    let mut app = shown(Kind::Invocation, 3, row);
    press(&mut app, "d");
    assert_screen("detail__diff_words", &app);
    update(&mut app, Msg::Resize(120, 36));
    let mut buf = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 120, 36));
    crate::tui::view::draw(&app, &PLAIN, &mut buf);
    let underlined: String = (buf.content.iter())
        .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::UNDERLINED))
        .map(|cell| cell.symbol())
        .collect();
    assert_eq!(
        underlined, "northsouth20T123120T1101northlotsouthyard",
        "in the list as far as it is seen, then in full"
    );
}

#[test]
fn changes_of_other_kinds() {
    let mut insert = invocation_row();
    insert["source_event_payload"]["event"]["op"] = json!("INSERT");
    insert["source_event_payload"]["event"]["data"]["old"] = json!(null);
    let mut app = shown(Kind::Invocation, 3, insert);
    press(&mut app, "d");
    assert_screen("detail__insert", &app);
    let mut cron = invocation_row();
    cron["source_event_payload"] = json!({"name": "nightly", "scheduled_time": "2026-11-20T12:00:00Z", "payload": {}});
    let mut app = shown(Kind::Invocation, 3, cron);
    press(&mut app, "d");
    assert_screen("detail__no_row_change", &app);
}

#[test]
fn hostile() {
    let mut row = invocation_row();
    let deep = (0..100).fold(json!("bottom"), |inner, n| json!({format!("level {n}\u{1b}[2J"): inner}));
    row["source_event_payload"] = json!({
        "\u{1b}]0;title\u{7}": "\u{1b}[31mred\u{1b}[0m\u{202e}olleh",
        "": "no key",
        "長いキー".repeat(20): "語".repeat(500),
        "text": "one\ntwo\tthree ".repeat(100),
        "long": "x".repeat(1_000_000),
        "deep": deep,
        "numbers": [1e300, -0.0, u64::MAX],
    });
    row["source_function"] = json!("evil\u{1b}[2J\u{7}");
    row["error_message"] = json!(format!("boom\u{1b}[31m\r\n{}", "y".repeat(100_000)));
    let mut app = shown(Kind::Invocation, 3, row);
    assert_screen("detail__hostile_summary", &app);
    press(&mut app, "]zRjjj");
    assert_screen("detail__hostile", &app);
    press(&mut app, "w");
    assert_screen("detail__wrapped", &app);
    press(&mut app, "G");
    assert_screen("detail__deep", &app);
    for section in 0..6 {
        for size in [(40, 12), (41, 13), (60, 19), (79, 23), (200, 60), (500, 200)] {
            for theme in [THEME, PLAIN] {
                let drawn = screen(&app, &theme, size);
                assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{section} {size:?}");
            }
        }
        press(&mut app, "]");
    }
}

#[test]
fn nothing_to_show() {
    let mut app = app((120, 36));
    open(&mut app, Kind::Job, id(41), false);
    assert_screen("detail__loading", &app);
    update(&mut app, Msg::Row(1, Ok(None)));
    assert_screen("detail__gone", &app);
    let mut app = shown(Kind::Job, 41, job_row());
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Row(request, Err(Failure::unreachable("connection refused"))));
    assert_screen("detail__offline", &app);
}

//! Screens of the log lines.

use serde_json::json;

use super::super::*;
use super::{answered, ask_for, line, loaded_app, of_table, page, sample, subject, table_page};
use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
use crate::tui::msg::Msg;
use crate::tui::update::update;

#[test]
fn screens_of_lines() {
    let mut app = loaded_app();
    assert_screen("logs__normal", &app);
    press(&mut app, "elel");
    assert_screen("logs__fields", &app);
    press(&mut app, "hEhwVT");
    app.note = None;
    assert_screen("logs__wrapped", &app);
    let mut app = loaded_app();
    press(&mut app, "el");
    for size in [(80, 24), (120, 36)] {
        assert_screen_at("logs__ascii", &app, &PLAIN, size);
        assert!(fixture::screen(&app, &PLAIN, size).is_ascii());
    }
    assert_screen_at("logs__small", &app, &PLAIN, (40, 12));
    let mut app = fixture::app((120, 36));
    let request = ask_for(&mut app, subject());
    assert_screen("logs__loading", &app);
    let table = vec![
        of_table(11, Level::Info, "Sending pickup notification for move 123"),
        of_table(300, Level::Warn, "retrying once"),
    ];
    answered(&mut app, request, Ok(sample()), table);
    assert_screen("logs__both_sources", &app);
}

#[test]
fn screens_without_grafana() {
    let table = || {
        vec![
            of_table(11, Level::Info, "Sending pickup notification for move 123"),
            of_table(910, Level::Error, "Failed to send notification: 21610"),
        ]
    };
    let offline = LogError::Offline("cannot connect to https://grafana.internal: connection refused".to_owned());
    let refused = LogError::Refused("https://grafana.internal answered 401 Unauthorized".to_owned());
    let failed = |status, answer: &str| LogError::Failed {
        status,
        text: format!("Grafana https://grafana.internal answered {answer}"),
    };
    let untrusted =
        LogError::Untrusted("Grafana https://grafana.internal: invalid peer certificate: UnknownIssuer".to_owned());
    for (name, error, lines) in [
        ("logs__offline", offline.clone(), Vec::new()),
        ("logs__offline_with_table", offline, table()),
        ("logs__not_configured", LogError::NotConfigured, Vec::new()),
        ("logs__table_only", LogError::NotConfigured, table()),
        ("logs__refused", refused, Vec::new()),
        ("logs__gateway_timeout", failed(504, "504 Gateway Timeout"), Vec::new()),
        ("logs__server_error", failed(500, "500 Internal Server Error: rpc error"), table()),
        ("logs__untrusted", untrusted, Vec::new()),
    ] {
        let mut app = fixture::app((120, 36));
        let request = ask_for(&mut app, subject());
        answered(&mut app, request, Err(error), lines);
        assert_screen(name, &app);
        assert_eq!(
            name.starts_with("logs__offline"),
            fixture::screen(&app, &PLAIN, (80, 24)).contains("Grafana Offline")
        );
    }
    let mut app = loaded_app();
    let [Cmd::Logs { request, .. }] = press(&mut app, "r")[..] else { panic!("r asks again") };
    answered(&mut app, request, Err(LogError::Offline("timed out after 10 s".to_owned())), Vec::new());
    assert_screen("logs__offline_later", &app);
}

#[test]
fn screens_of_nothing_and_of_too_much() {
    let mut app = fixture::app((120, 36));
    let request = ask_for(&mut app, subject());
    answered(&mut app, request, Ok(page(Vec::new())), Vec::new());
    assert_screen("logs__empty", &app);
    let many = (0..1_000).map(|n| line(n, Level::Debug, "worker", &format!("step {n}"), json!(null))).collect();
    let request = ask_for(&mut app, subject());
    answered(&mut app, request, Ok(LogPage { complete: false, ..page(many) }), Vec::new());
    press(&mut app, "G");
    assert_screen("logs__truncated", &app);
    press(&mut app, "V");
    assert_screen("logs__all_hidden", &app);
    let mut app = loaded_app();
    let [Cmd::Logs { request, .. }] = press(&mut app, "r")[..] else { panic!("r asks again") };
    update(&mut app, Msg::Logs(request, Ok(sample())));
    update(&mut app, Msg::TableLogs(request, Err(Failure::other("permission denied for table job_logs"))));
    assert_screen("logs__table_refused", &app);
}

#[test]
fn screens_of_hostile_lines() {
    let mut app = fixture::app((120, 36));
    let request = ask_for(&mut app, Subject { name: "\u{1b}[2J".to_owned(), ..subject() });
    let lines = vec![
        line(
            0,
            Level::Info,
            "\u{1b}]0;x\u{7}",
            "\u{1b}[2J\u{1b}[31mred\u{9b}0m\0 and \u{202e}desrever\u{202c}",
            json!({"\u{1b}[1m": "\u{7}\u{200b}"}),
        ),
        line(
            1,
            Level::Error,
            "日本語のサービスの名前です",
            "日本語のとても長いログ行。".repeat(20).as_str(),
            json!(null),
        ),
        line(2, Level::Other, "", "", json!({"deep": {"deeper": {"deepest": ["x".repeat(500), {"y": "z"}]}}})),
        line(3, Level::Warn, "many", "first\nsecond\r\n\tthird\n\n\nlast", json!(null)),
        line(4, Level::Info, "big", &"x".repeat(5_000_000), json!(null)),
        line(i64::from(u32::MAX), Level::Info, "late", "much later", json!([1, 2])),
    ];
    answered(&mut app, request, Ok(LogPage { query: "{a=\"\u{1b}[2J\"}".to_owned(), ..page(lines) }), Vec::new());
    assert_screen("logs__hostile", &app);
    press(&mut app, "ljljljl");
    assert_screen("logs__hostile_open", &app);
    press(&mut app, "wjl");
    for size in [(40, 12), (80, 24), (300, 100)] {
        let drawn = fixture::screen(&app, &fixture::THEME, size);
        assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(drawn.contains('x'));
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut app = loaded_app();
    press(&mut app, "ewl");
    for width in [40, 41, 57, 79, 100, 200, 500] {
        for height in [12, 13, 17, 23, 29, 30, 31, 60, 200] {
            assert_eq!(fixture::screen(&app, &PLAIN, (width, height)).lines().count(), usize::from(height));
        }
    }
}

#[test]
fn screens_without_correlation_id() {
    let mut app = fixture::app((120, 36));
    let request = ask_for(&mut app, Subject { correlation_id: None, job: None, ..subject() });
    update(&mut app, Msg::TableLogs(request, Ok(table_page(vec![of_table(11, Level::Info, "of the table")]))));
    assert_screen("logs__no_correlation", &app);
}

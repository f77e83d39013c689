//! Screens of failures and jobs.

use crate::model::failures::{Failures, JobStats};
use crate::tui::app::groups::tests::{failed, jobs};
use crate::tui::fixture::{PLAIN, THEME, ago, app, assert_screen, assert_screen_at, failures, looked, press, screen};
use crate::tui::msg::{Failure, Msg};
use crate::tui::update::update;

#[test]
fn normal() {
    let mut app = failed();
    assert_screen("failures__normal", &app);
    assert_screen_at("failures__small", &app, &PLAIN, (40, 12));
    press(&mut app, "lj");
    assert_screen("failures__runs", &app);
    let mut app = jobs();
    assert_screen("jobs__normal", &app);
    assert_screen_at("jobs__small", &app, &PLAIN, (40, 12));
    press(&mut app, "ljj");
    assert_screen_at("jobs__runs", &app, &PLAIN, (80, 24));
}

#[test]
fn nothing_to_show() {
    let mut app = app((120, 36));
    press(&mut app, "6");
    assert_screen_at("failures__loading", &app, &THEME, (80, 24));
    let request = app.requests;
    update(&mut app, Msg::Failures(request, Err(Failure::other("the query took more than 5 s"))));
    assert_screen_at("failures__failed", &app, &THEME, (80, 24));
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Failures(request, Ok(Failures { looked: looked(), ..Failures::default() })));
    assert_screen_at("failures__empty", &app, &THEME, (80, 24));
    press(&mut app, "5");
    let request = app.requests;
    update(&mut app, Msg::JobStats(request, Ok(JobStats { looked: looked(), ..JobStats::default() })));
    assert_screen_at("jobs__empty", &app, &THEME, (80, 24));
}

#[test]
fn not_all_was_looked_at() {
    let mut app = failed();
    let mut answer = failures();
    (answer.more, answer.looked.invocations, answer.looked.only_since) = (true, 10_000, Some(ago(7_000_000)));
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Failures(request, Ok(answer)));
    assert_screen("failures__partial", &app);
    press(&mut app, "<");
    let request = app.requests;
    update(&mut app, Msg::Failures(request, Err(Failure::unreachable("connection refused"))));
    assert_screen("failures__offline", &app);
}

#[test]
fn hostile() {
    let mut answer = failures();
    answer.rows[0].name = "evil\u{1b}[2J\u{7}\u{202e}name".to_owned();
    answer.rows[0].error = format!("\u{1b}]0;title\u{7} {}", "語".repeat(3_000));
    answer.rows[13].error = "a\u{9b}31m\n\n\0b".to_owned();
    let mut app = failed();
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Failures(request, Ok(answer)));
    for keys in ["", "j", "j", "j", "j", "l"] {
        press(&mut app, keys);
        for size in [(40, 12), (41, 13), (60, 19), (79, 23), (200, 60), (500, 200)] {
            for theme in [THEME, PLAIN] {
                let drawn = screen(&app, &theme, size);
                assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{size:?}");
            }
        }
    }
}

//! Screens of the comparison.

use crate::tui::app::compare::tests::compared;
use crate::tui::fixture::{PLAIN, THEME, app, assert_screen, assert_screen_at, id, press, rows, screen};
use crate::tui::msg::{Failure, Msg, View};
use crate::tui::update::update;

#[test]
fn normal() {
    let mut app = compared();
    press(&mut app, "ee");
    assert_screen("compare__normal", &app);
    assert_screen_at("compare__ascii", &app, &PLAIN, (80, 24));
    assert_screen_at("compare__small", &app, &PLAIN, (40, 12));
}

#[test]
fn nothing_to_show() {
    let mut empty = app((80, 24));
    empty.view = View::Compare;
    assert_screen_at("compare__empty", &empty, &THEME, (80, 24));
    let mut app = app((80, 24));
    app.marks = vec![id(3), id(3)];
    press(&mut app, "=");
    assert_screen_at("compare__loading", &app, &THEME, (80, 24));
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Err(Failure::other("the query took more than 5 s"))));
    assert_screen_at("compare__failed", &app, &THEME, (80, 24));
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Ok((rows(), rows()))));
    assert_screen_at("compare__same", &app, &THEME, (80, 24));
}

#[test]
fn hostile() {
    let mut app = app((120, 36));
    app.marks = vec![id(3), id(3)];
    press(&mut app, "=");
    let mut evil = rows();
    evil.invocations[0].source_function = "evil\u{1b}[2J\u{7}\u{202e}name".into();
    evil.jobs[1].name = "長い関数名".repeat(40).into();
    evil.jobs[2].duration_ms = Some(i64::MIN);
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Ok((evil, rows()))));
    for size in [(40, 12), (41, 13), (60, 19), (79, 23), (200, 60), (500, 200)] {
        for theme in [THEME, PLAIN] {
            let drawn = screen(&app, &theme, size);
            assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{size:?}");
        }
    }
}

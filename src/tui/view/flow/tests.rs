//! Screens of the tree.

use chrono::TimeDelta;

use crate::model::flow::Rows;
use crate::model::invocation::{Link, Parent};
use crate::tui::app::flow;
use crate::tui::app::flow::tests::opened;
use crate::tui::fixture::{
    PLAIN, THEME, app, assert_screen, assert_screen_at, id, invocation, job, press, rows, screen,
};
use crate::tui::msg::{Failure, Msg};
use crate::tui::update::update;

#[test]
fn normal() {
    let app = opened(rows());
    assert_screen("flow__normal", &app);
    assert_screen_at("flow__ascii", &app, &PLAIN, (80, 24));
    assert_screen_at("flow__ascii", &app, &PLAIN, (120, 36));
    assert_screen_at("flow__small", &app, &PLAIN, (40, 12));
}

#[test]
fn moved_through() {
    let mut app = opened(rows());
    press(&mut app, "e");
    assert_screen("flow__failure", &app);
    press(&mut app, "0jjhG");
    assert_screen("flow__folded", &app);
    press(&mut app, "u");
    assert_screen("flow__undetected", &app);
    press(&mut app, "wgg");
    assert_screen("flow__without_bars", &app);
}

#[test]
fn critical_path_and_zoom() {
    let mut app = opened(rows());
    press(&mut app, "C");
    assert_screen("flow__critical", &app);
    assert_screen_at("flow__critical", &app, &PLAIN, (40, 12));
    press(&mut app, "jjjjj}}}");
    assert_screen("flow__zoomed", &app);
    assert_screen_at("flow__zoomed_ascii", &app, &PLAIN, (80, 24));
    press(&mut app, "CzF");
    assert_screen("flow__failures_open", &app);
}

#[test]
fn replayed() {
    let mut app = opened(rows());
    press(&mut app, "R");
    let request = app.requests;
    update(&mut app, Msg::Cascade(request, Ok(Some(rows()))));
    press(&mut app, "...........");
    assert_screen("flow__replay", &app);
    assert_screen_at("flow__replay", &app, &PLAIN, (40, 12));
}

#[test]
fn a_loop_and_a_parent_that_is_gone() {
    let mut looping = rows();
    looping.invocations[0].parent = Some(Parent { job: id(46), link: Link::Recorded });
    let mut app = opened(looping);
    press(&mut app, "Gkk");
    assert_screen("flow__loop", &app);
    let mut lost = rows();
    lost.invocations[2].parent = Some(Parent { job: id(99), link: Link::Inferred });
    lost.truncated = true;
    let mut app = opened(lost);
    press(&mut app, "G");
    assert_screen("flow__parent_not_found", &app);
}

#[test]
fn running_and_stuck() {
    let mut app = opened(rows());
    press(&mut app, "Gkk");
    assert_screen("flow__running", &app);
    press(&mut app, "kkkkk");
    assert_screen("flow__stuck", &app);
}

#[test]
fn hostile() {
    let mut rows = rows();
    rows.invocations[0].source_function = "evil\u{1b}[2J\u{7}\u{202e}name".into();
    rows.invocations[0].correlation_id = Some("chain\u{1b}]0;title\u{7}".into());
    rows.invocations[1].source_function = "長い関数名".repeat(40).into();
    rows.invocations[2].total_duration_ms = Some(i64::MAX);
    rows.invocations[3].source_table = Some("public.\u{0}tab\nle".into());
    rows.jobs[1].name = "job\u{9b}31m \u{200b}зелёный ✓ 🚚".into();
    rows.jobs[1].error = Some(format!("line one\u{1b}[31m\r\n{}", "語".repeat(3_000)).into());
    rows.jobs[2].status = "paus\u{1b}ed".into();
    let mut app = opened(rows);
    press(&mut app, "e");
    assert_screen("flow__hostile", &app);
    for size in [(40, 12), (41, 13), (60, 19), (79, 23), (200, 60), (500, 200)] {
        for theme in [THEME, PLAIN] {
            let drawn = screen(&app, &theme, size);
            assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{size:?}");
        }
    }
}

#[test]
fn deep() {
    let mut rows = Rows::default();
    for n in 0..40 {
        let parent = (n > 0).then(|| Parent { job: id(1_000 + n - 1), link: Link::Recorded });
        let at = 40_000 - i64::try_from(n).unwrap() * 900;
        rows.invocations.push(crate::model::invocation::Invocation {
            parent,
            ..invocation(3 + n, at, &format!("step-{n}"), ("UPDATE", "moves"))
        });
        rows.jobs.push(job(1_000 + n, (3 + n, 0), at - 10, &format!("next-{n}"), Some(800)));
    }
    let mut app = opened(rows);
    press(&mut app, "GC-u");
    assert_screen("flow__deep", &app);
}

#[test]
fn nothing_to_show() {
    let mut app = app((120, 36));
    app.view = crate::tui::msg::View::Flow;
    assert_screen("flow__empty", &app);
    flow::open(&mut app, id(3));
    assert_screen("flow__loading", &app);
    let request = app.requests;
    let failure = Failure::unreachable("the database does not answer: connection refused (localhost:5432)");
    update(&mut app, Msg::Cascade(request, Err(failure)));
    assert_screen("flow__failed", &app);
    flow::refresh(&mut app);
    let request = app.requests;
    update(&mut app, Msg::Cascade(request, Ok(None)));
    assert_screen("flow__gone", &app);
}

#[test]
fn offline() {
    let mut app = opened(rows());
    app.now += TimeDelta::seconds(42);
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Cascade(request, Err(Failure::unreachable("connection refused"))));
    assert_screen("flow__offline", &app);
}

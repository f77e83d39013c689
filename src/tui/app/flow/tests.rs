//! Tests of the tree: keys, refreshes, what is asked for.

use chrono::TimeDelta;

use crate::model::flow::{LineId, Rows};
use crate::tui::app::{App, flow};
use crate::tui::fixture::{PLAIN, app, event, id, invocation, job, press, rows, screen};
use crate::tui::msg::{Cmd, Failure, Msg, View};
use crate::tui::update::update;

/// The cascade of these rows, opened at its root.
pub(in crate::tui) fn opened(rows: Rows) -> App {
    opened_at(rows, 3)
}

fn opened_at(rows: Rows, invocation: u128) -> App {
    let mut app = app((80, 24));
    let commands = flow::open(&mut app, id(invocation));
    assert_eq!(commands, [Cmd::Cascade { request: 1, invocation: id(invocation) }]);
    update(&mut app, Msg::Cascade(1, Ok(Some(rows))));
    app
}

/// The selected line, short: the last two digits of its id, or what it stands for.
fn selected(app: &App) -> String {
    let short = |id: uuid::Uuid| (id.as_u128() & 0xFFFF).to_string();
    match app.flow.line().map(|line| line.id) {
        Some(LineId::Node(id)) => short(id),
        Some(LineId::BackReference { job, .. }) => format!("back from {}", short(job)),
        Some(LineId::Undetected(id)) => format!("undetected of {}", short(id)),
        None => "nothing".to_owned(),
    }
}

#[test]
fn keys_go_through_the_tree() {
    // Line by line: 3 inv, 21 evt, 40 job, 101 inv, 22 evt, 43 job, 44 job, 102 inv, 45 job, 41 job (failed), 42 job,
    // 103 inv, 23 evt, 46 job, 24 evt, undetected.
    let table = [
        ("", "3", 16),
        ("jj", "40", 16),
        ("G", "undetected of 3", 16),
        ("Gk", "24", 16),
        ("h", "3", 1),
        ("hl", "3", 16),
        ("ll", "40", 16),
        ("jjh", "40", 10),
        ("jjhh", "21", 10),
        ("jjza", "40", 10),
        ("jjzaza", "40", 16),
        ("zM", "3", 1),
        ("jjjjzM", "3", 1),
        ("jjjzMzR", "3", 16),
        ("zF", "3", 12),
        ("jjjjzF", "22", 12),
        ("GkkzF", "42", 12),
        ("jj]", "41", 16),
        ("jj]]", "42", 16),
        ("jj]]]", "42", 16),
        ("jj]][", "41", 16),
        ("jj[", "40", 16),
        ("jjjjjj0", "3", 16),
        ("e", "41", 16),
        ("ee", "41", 16),
        ("GE", "41", 16),
        ("zMe", "41", 7),
        ("Gu", "60", 27),
        ("Guu", "undetected of 3", 16),
        ("Gl", "60", 27),
        ("G<Enter>", "60", 27),
        ("GuGu", "undetected of 3", 16),
        ("C-d", "43", 16),
        ("<PgDn>gg", "3", 16),
    ];
    for (keys, expected, lines) in table {
        let mut app = opened(rows());
        press(&mut app, keys);
        assert_eq!((selected(&app).as_str(), app.flow.lines.len()), (expected, lines), "{keys}");
    }
}

#[test]
fn failures_are_stepped_through_and_counted() {
    let mut rows = rows();
    rows.jobs[3].status = "failed".into();
    let table = [
        ("e", "43", "failure 1 of 2"),
        ("ee", "41", "failure 2 of 2"),
        ("eee", "43", "failure 1 of 2, from the top again"),
        ("E", "41", "failure 2 of 2, from the end again"),
        ("GE", "41", "failure 2 of 2"),
    ];
    for (keys, expected, note) in table {
        let mut app = opened(rows.clone());
        press(&mut app, keys);
        assert_eq!((selected(&app).as_str(), app.note.unwrap().text.as_str()), (expected, note), "{keys}");
    }
    let well = Rows { invocations: vec![invocation(3, 100, "moves", ("UPDATE", "moves"))], ..Rows::default() };
    let mut app = opened(well);
    press(&mut app, "e");
    assert_eq!(app.note.unwrap().text, "nothing failed in this cascade");
}

#[test]
fn the_opened_invocation_is_selected() {
    assert_eq!(selected(&opened_at(rows(), 102)), "102");
    let mut app = opened(rows());
    press(&mut app, "zM");
    let commands = flow::open(&mut app, id(103));
    assert_eq!(selected(&app), "103", "it belongs to the cascade on the screen, which stays");
    assert_eq!(commands, [Cmd::Cascade { request: 2, invocation: id(103) }]);
    flow::open(&mut app, id(7));
    assert!(app.flow.flow.value.is_none() && app.flow.lines.is_empty());
}

#[test]
fn a_refresh_keeps_selection_folds_and_place() {
    let mut app = opened(rows());
    app.size = (60, 16);
    press(&mut app, "jjzaGkk");
    assert_eq!(selected(&app), "46");
    let mut more = rows();
    more.events.push(event(25, 3, 3_559, "move.early", "completed"));
    more.jobs.push(job(47, (3, 25), 3_558, "early", Some(1)));
    let row = app.flow.cursor.at - app.flow.cursor.top;
    app.now += TimeDelta::seconds(2);
    assert_eq!(press(&mut app, "r"), [Cmd::Cascade { request: 2, invocation: id(3) }]);
    update(&mut app, Msg::Cascade(2, Ok(Some(more))));
    assert_eq!((selected(&app).as_str(), app.flow.lines.len()), ("46", 12), "40 stays folded, two lines came");
    assert_eq!(app.flow.cursor.at - app.flow.cursor.top, row);
    update(&mut app, Msg::Cascade(2, Ok(None)));
    assert_eq!(app.flow.lines.len(), 12, "an old answer is ignored");
}

#[test]
fn what_vanishes_hands_the_selection_to_what_is_above_it() {
    let mut app = opened(rows());
    press(&mut app, "GkkE");
    assert_eq!(selected(&app), "41");
    let mut less = rows();
    less.jobs.retain(|job| job.id != id(41));
    press(&mut app, "r");
    update(&mut app, Msg::Cascade(2, Ok(Some(less))));
    assert_eq!(selected(&app), "21");
}

#[test]
fn polls_never_overlap_and_leave_alone_what_has_ended() {
    let mut running = opened(rows());
    assert_eq!(flow::refresh(&mut running).len(), 1);
    assert_eq!(flow::refresh(&mut running), [], "one is on its way");
    let well = Rows { invocations: vec![invocation(3, 100, "moves", ("UPDATE", "moves"))], ..Rows::default() };
    let mut ended = opened(well);
    assert_eq!(flow::refresh(&mut ended), []);
    ended.now += TimeDelta::seconds(10);
    assert_eq!(flow::refresh(&mut ended).len(), 1, "a late child may still appear");
    let mut asked = opened(rows());
    assert_eq!(press(&mut asked, "r").len(), 1);
}

#[test]
fn failed_and_gone_keep_what_was_there() {
    let mut app = opened(rows());
    press(&mut app, "r");
    update(&mut app, Msg::Cascade(2, Err(Failure::unreachable("connection refused"))));
    assert_eq!((app.flow.lines.len(), app.flow.flow.error.as_deref()), (16, Some("connection refused")));
    flow::refresh(&mut app);
    update(&mut app, Msg::Cascade(3, Ok(None)));
    assert!(app.flow.flow.error.as_deref().unwrap().contains("no longer in the database"));
    assert_eq!(app.flow.lines.len(), 16);
    flow::refresh(&mut app);
    update(&mut app, Msg::Cascade(4, Ok(Some(rows()))));
    assert_eq!(app.flow.flow.error, None);
}

#[test]
fn a_back_reference_leads_to_its_invocation() {
    let mut rows = rows();
    rows.invocations[0].parent =
        Some(crate::model::invocation::Parent { job: id(46), link: crate::model::invocation::Link::Recorded });
    let mut app = opened(rows);
    press(&mut app, "Gkk");
    assert_eq!(selected(&app), "back from 46");
    press(&mut app, "l");
    assert_eq!(selected(&app), "3");
}

#[test]
fn copies_are_those_of_the_selected_line() {
    let table = [
        ("ey", "TwilioError: 21610", "the error of job sendNotification"),
        ("y", "event-detector-moves", "the name"),
        ("eI", "moves.550e8403-0000-7000-8000-000000000003", "the correlation id"),
        ("eD", "obs-tui show 550e8429-0000-7000-8000-000000000029", "the command"),
        ("eY", "{\n  \"kind\": \"job\",", "job sendNotification as JSON"),
        ("Gy", "move.other.00\nmove.other.01", "the names"),
    ];
    for (keys, beginning, named) in table {
        let mut app = opened(rows());
        let commands = press(&mut app, keys);
        let [Cmd::Copy(copied)] = commands.as_slice() else { panic!("{keys}: {commands:?}") };
        assert!(copied.text().starts_with(beginning), "{keys}: {copied:?}");
        assert_eq!(copied.what(), named);
    }
    let mut app = opened(rows());
    assert_eq!(press(&mut app, "GY"), []);
}

#[test]
fn enter_opens_the_node_and_d_the_row_of_its_invocation() {
    let mut app = opened(rows());
    press(&mut app, "e<Enter>");
    assert_eq!((app.view, app.detail.of), (View::Detail, Some((crate::model::flow::Kind::Job, id(41)))));
    let mut app = opened(rows());
    press(&mut app, "ed");
    assert_eq!(app.detail.of, Some((crate::model::flow::Kind::Invocation, id(3))));
    assert_eq!(app.detail.section, crate::tui::app::detail::Section::Diff);
}

#[test]
fn the_question_for_the_logs_is_that_of_the_node() {
    let app = opened(rows());
    let flow = app.flow.flow.value.as_ref().unwrap();
    let job = flow::subject(&app, flow.find(id(41))).unwrap();
    assert_eq!((job.name.as_str(), job.job, job.jobs), ("job sendNotification", Some(id(41)), vec![id(41)]));
    assert_eq!(job.correlation_id.as_deref(), Some("moves.550e8403-0000-7000-8000-000000000003"));
    assert_eq!((job.window.1 - job.window.0).num_milliseconds(), 912);
    assert_eq!(job.cascade_window.1, app.now, "something runs");
    assert_eq!(job.cascade_jobs.len(), 7);
    let invocation = flow::subject(&app, flow.find(id(101))).unwrap();
    assert_eq!((invocation.job, invocation.jobs), (None, vec![id(43), id(44), id(45)]));
    let stuck = flow::subject(&app, flow.find(id(45))).unwrap();
    assert_eq!(stuck.window.1, app.now);
    assert_eq!(flow::subject(&app, None), None);
}

#[test]
fn a_hundred_thousand_nodes_are_walked_quickly() {
    let mut rows = Rows { invocations: vec![invocation(3, 100_000, "moves", ("UPDATE", "moves"))], ..Rows::default() };
    rows.events = (0..25_000).map(|n| event(1_000_000 + n, 3, 90_000, "e", "completed")).collect();
    rows.jobs = (0..75_000).map(|n| job(2_000_000 + n, (3, 1_000_000 + n / 3), 80_000, "j", Some(5))).collect();
    rows.jobs[74_999].status = "failed".into();
    let mut app = opened(rows);
    assert_eq!(app.flow.lines.len(), 25_004, "only the way to the failure is open");
    assert!(app.note.as_ref().unwrap().text.starts_with("100001 nodes: what went well is folded"));
    press(&mut app, "zR");
    assert_eq!(app.flow.lines.len(), 100_001);
    press(&mut app, "e");
    let (flow, node) = app.flow.node().unwrap();
    assert_eq!(flow.nodes[node].id, id(2_074_999));
    press(&mut app, "ggG[]jjkkC-uC-dhhh");
    assert_eq!(selected(&app), "3");
}

#[test]
fn the_time_axis_is_zoomed_around_the_selected_node() {
    let table = [
        ("}", Some((0, 1_780))),
        ("e}", Some((0, 1_780))),
        ("e}}", Some((0, 890))),
        ("e}}{", Some((0, 1_780))),
        ("e}}{{", None),
        ("{", None),
        ("Gkk}}}", Some((1_416, 445))),
    ];
    for (keys, expected) in table {
        let mut app = opened(rows());
        press(&mut app, keys);
        assert_eq!(app.flow.zoom.map(|zoom| (zoom.from_ms, zoom.span_ms)), expected, "{keys}");
    }
    let mut app = opened(rows());
    press(&mut app, "{");
    assert_eq!(app.note.unwrap().text, "the whole time is shown");
}

#[test]
fn bars_of_what_runs_grow_at_polls() {
    let mut app = opened(rows());
    app.size = (120, 36);
    press(&mut app, "Gkk");
    let cells = |app: &App| screen(app, &PLAIN, (120, 36)).matches('>').count();
    let total = |app: &App| {
        let (_, node) = app.flow.node().unwrap();
        app.flow.times.get(node).total_ms(app.flow.overview.offset_ms(app.now))
    };
    let before = (total(&app), cells(&app));
    app.now += TimeDelta::seconds(60);
    press(&mut app, "r");
    update(&mut app, Msg::Cascade(2, Ok(Some(rows()))));
    assert_eq!((before.0, total(&app)), (Some(2_100), Some(62_100)));
    assert!(cells(&app) > before.1, "of a longer axis the running node covers more");
    assert_eq!(app.flow.path.took_ms, 63_560, "the critical path ends now");
}

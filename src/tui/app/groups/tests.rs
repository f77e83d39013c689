//! Tests of failures and jobs: keys, ranges, fingerprints, what comes late.

use super::*;
use crate::tui::app::detail::tests::{job_row, shown};
use crate::tui::app::flow::tests::opened;
use crate::tui::fixture::{ago, app, failures, id, job_stats, press, rows};
use crate::tui::update::update;

/// The failures of a day.
pub(in crate::tui) fn failed() -> App {
    let mut app = app((120, 36));
    let commands = press(&mut app, "6");
    let [Cmd::Failures { request, from, to }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!((to - app.now, app.now - from), (TimeDelta::minutes(1), TimeDelta::hours(24)));
    update(&mut app, crate::tui::msg::Msg::Failures(request, Ok(failures())));
    app
}

/// The jobs of an hour.
pub(in crate::tui) fn jobs() -> App {
    let mut app = app((120, 36));
    let commands = press(&mut app, "5");
    let [Cmd::JobStats { request, from, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!(app.now - from, TimeDelta::hours(1));
    update(&mut app, crate::tui::msg::Msg::JobStats(request, Ok(job_stats())));
    app
}

fn at(app: &App) -> (usize, usize, bool) {
    let state = of(app, app.view).unwrap();
    (state.cursor.at, state.run.at, state.in_runs)
}

#[test]
fn keys_move_among_groups_and_their_runs() {
    let table = [
        ("", (0, 0, false)),
        ("j", (1, 0, false)),
        ("G", (3, 0, false)),
        ("<Tab>jj", (0, 2, true)),
        ("<Tab>jj<Tab>", (0, 2, false)),
        ("<Tab>jj<Tab>j", (1, 0, false)),
        ("ljjh", (0, 2, false)),
        ("0", (0, 10, true)),
        ("lG", (0, 10, true)),
    ];
    for (keys, expected) in table {
        let mut app = failed();
        press(&mut app, keys);
        assert_eq!(at(&app), expected, "{keys}");
    }
}

#[test]
fn a_run_opens_its_cascade_and_escape_comes_back() {
    for (keys, invocation) in [("<Enter>", 3), ("j<Enter>", 1_220), ("ljj<Enter>", 1_201), ("0<Enter>", 1_209)] {
        let mut app = failed();
        let commands = press(&mut app, keys);
        assert!(
            matches!(commands[..], [Cmd::Cascade { invocation: asked, .. }] if asked == id(invocation)),
            "{keys} {commands:?}"
        );
        assert_eq!(app.view, View::Flow);
        press(&mut app, "<Esc>");
        assert_eq!((app.view, app.back.as_slice()), (View::Failures, &[View::Invocations][..]));
    }
    let mut app = jobs();
    let commands = press(&mut app, "j<Enter>");
    assert!(matches!(commands[..], [Cmd::Cascade { invocation, .. }] if invocation == id(3)), "{commands:?}");
    let request = app.requests;
    update(&mut app, crate::tui::msg::Msg::Cascade(request, Ok(Some(rows()))));
    assert_eq!(app.flow.node().map(|(flow, node)| flow.nodes[node].id), Some(id(41)), "the job itself is selected");
}

#[test]
fn ranges_are_asked_for() {
    let table = [
        ("t", 168, None),
        ("tt", 1, None),
        ("<", 24, Some(24)),
        ("<<", 24, Some(48)),
        ("<>", 24, None),
        ("t<", 168, Some(168)),
        ("r", 24, None),
    ];
    for (keys, length, end) in table {
        let mut app = failed();
        let commands = press(&mut app, keys);
        let Some(&Cmd::Failures { request, from, to }) = commands.last() else { panic!("{keys} {commands:?}") };
        let ends = end.map_or(app.now, |hours| app.now - TimeDelta::hours(hours));
        assert_eq!((app.failures.end.is_some(), ends - from), (end.is_some(), TimeDelta::hours(length)), "{keys}");
        assert_eq!(to - ends, if end.is_some() { TimeDelta::zero() } else { TimeDelta::minutes(1) });
        assert_eq!(app.failures.told.request, Some(request));
    }
    let mut app = failed();
    assert_eq!(press(&mut app, ">"), []);
    assert_eq!(app.note.unwrap().text, "the range already ends now");
}

#[test]
fn what_is_new_is_read_at_rest_and_the_selection_stays() {
    let mut app = failed();
    press(&mut app, "jlj");
    let selected = app.failures.row().cloned().unwrap();
    assert_eq!(refresh(&mut app), [], "read a moment ago");
    app.now += RELOAD_AFTER;
    assert_eq!(refresh(&mut app).len(), 1);
    assert_eq!(refresh(&mut app), [], "one is on its way");
    let mut answer = failures();
    let mut newest = answer.rows[11].clone();
    (newest.id, newest.at) = (id(999), ago(0));
    answer.rows.insert(0, newest.clone());
    let mut other = newest;
    (other.name, other.id) = ("other".to_owned(), id(998));
    answer.rows.extend(std::iter::repeat_n(other, 5));
    let request = app.requests;
    update(&mut app, crate::tui::msg::Msg::Failures(request, Ok(answer)));
    assert_eq!((at(&app), app.failures.row().map(|row| row.count)), ((2, 2, true), Some(3)));
    assert_eq!(app.failures.row().unwrap().runs[2].id, selected.runs[1].id);
    press(&mut app, "<");
    let (request, lost) = (app.requests, crate::tui::msg::Failure::other("the query took more than 5 s"));
    update(&mut app, crate::tui::msg::Msg::Failures(request, Err(lost)));
    assert!(app.failures.told.error.is_some() && app.failures.told.value.is_some());
    assert_eq!(refresh(&mut app), [], "what is too slow now is so at the next look, too");
    app.now += RELOAD_AFTER;
    assert_eq!(refresh(&mut app).len(), 1);
    let (request, gone) = (app.requests, crate::tui::msg::Failure::unreachable("gone"));
    update(&mut app, crate::tui::msg::Msg::Failures(request, Err(gone)));
    assert_eq!(refresh(&mut app).len(), 1, "asked whenever the database is tried again");
}

#[test]
fn a_failure_leads_to_those_like_it() {
    let detail = shown(Kind::Job, 41, job_row());
    for (mut app, keys) in [(opened(rows()), "e#"), (opened(rows()), "#"), (detail, "#")] {
        let commands = press(&mut app, keys);
        assert!(matches!(commands.last(), Some(Cmd::Failures { .. })), "{keys} {commands:?}");
        let request = app.requests;
        update(&mut app, crate::tui::msg::Msg::Failures(request, Ok(failures())));
        let row = app.failures.row().unwrap();
        assert_eq!((app.view, row.name.name.as_str(), row.count), (View::Failures, "sendNotification", 11), "{keys}");
        assert_eq!(app.note, None);
        press(&mut app, "j");
        let node = app.flow.flow.value.as_ref().and_then(|flow| flow.find(id(41))).unwrap();
        assert_eq!(like(&app, node), Some((11, "24h")));
        press(&mut app, "<Esc>");
        press(&mut app, "#");
        assert_eq!(app.failures.cursor.at, 0, "known already");
    }
    let mut app = opened(rows());
    assert_eq!(press(&mut app, "G#"), []);
    assert_eq!(app.note.unwrap().text, "nothing failed here: e goes to the next failure");
    let mut old = rows();
    old.jobs[1].created_at -= TimeDelta::days(3);
    let mut app = opened(old);
    let commands = press(&mut app, "e#");
    let failed_at = ago(3_480) - TimeDelta::days(3);
    assert!(
        matches!(commands[..], [Cmd::Failures { from, to, .. }] if from < failed_at && failed_at < to && to < app.now),
        "{commands:?}"
    );
    let request = app.requests;
    update(&mut app, crate::tui::msg::Msg::Failures(request, Ok(Failures::default())));
    assert!(app.note.unwrap().text.contains("not among those of this range"));
}

#[test]
fn copies_are_those_of_the_group() {
    let table = [
        (failed(), "y", "sendNotification: TwilioError: <n> Attempt"),
        (failed(), "Y", "{\n  \"kind\": \"job\""),
        (jobs(), "y", "sendNotification"),
        (jobs(), "Y", "{\n  \"job\": \"sendNotification\""),
    ];
    for (mut app, keys, beginning) in table {
        let commands = press(&mut app, keys);
        let [Cmd::Copy(copied)] = &commands[..] else { panic!("{commands:?}") };
        assert!(copied.text().starts_with(beginning), "{copied:?}");
    }
}

#[test]
fn leaving_gives_up_what_is_on_its_way() {
    let mut app = app((80, 24));
    press(&mut app, "6");
    let commands = press(&mut app, "5");
    assert!(matches!(commands[..], [Cmd::Leave(View::Failures), Cmd::JobStats { .. }]), "{commands:?}");
    let commands = press(&mut app, "6");
    assert!(matches!(commands[..], [Cmd::Leave(View::Jobs), Cmd::Failures { .. }]), "asked for again: {commands:?}");
}

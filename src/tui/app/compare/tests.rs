//! Tests of the comparison: marks, differences, ways out.

use crate::model::flow::Rows;
use crate::tui::app::App;
use crate::tui::fixture::{id, listed, press, rows};
use crate::tui::msg::{Cmd, Failure, Msg, View};
use crate::tui::update::update;

/// The sample cascade, half of which went otherwise.
pub(in crate::tui) fn other_rows() -> Rows {
    let mut other = rows();
    other.jobs.retain(|job| *job.name != *"rebuildLane" && *job.name != *"updateAnalytics");
    other.invocations.truncate(2);
    other.events.retain(|event| *event.name != *"fact.added");
    let mut archived = other.jobs[0].clone();
    (archived.id, archived.name) = (id(49), "archiveDriver".into());
    other.jobs.push(archived);
    (other.jobs[0].duration_ms, other.jobs[1].status) = (Some(2_450), "completed".into());
    other.jobs[1].error = None;
    other.invocations[0].id = id(1_000);
    for event in &mut other.events {
        if event.invocation_id == id(3) {
            event.invocation_id = id(1_000);
        }
    }
    for job in &mut other.jobs {
        if job.invocation_id == id(3) {
            job.invocation_id = id(1_000);
        }
    }
    other
}

/// Two marked rows, compared.
pub(in crate::tui) fn compared() -> App {
    let mut app = crate::tui::fixture::app((120, 36));
    app.marks = vec![id(3), id(1_000)];
    let commands = press(&mut app, "=");
    let [Cmd::Compare { request, left, right }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!((left, right, app.view), (id(3), id(1_000), View::Compare));
    update(&mut app, Msg::Compared(request, Ok((rows(), other_rows()))));
    app
}

#[test]
fn two_marked_rows_are_compared() {
    let mut app = crate::tui::fixture::app((120, 36));
    for marks in [0, 1, 3] {
        app.marks = listed().iter().take(marks).map(|row| row.invocation.id).collect();
        assert_eq!(press(&mut app, "="), []);
        assert!(app.note.as_ref().unwrap().text.contains(&format!("{marks} marked")), "{:?}", app.note);
    }
    let mut app = compared();
    assert_eq!(press(&mut app, "r").len(), 1);
    press(&mut app, "<Esc>");
    assert_eq!(app.view, View::Invocations);
}

#[test]
fn keys_go_from_difference_to_difference() {
    for (keys, at) in [("", 0), ("j", 1), ("e", 1), ("ee", 2), ("eeE", 1), ("G", 15), ("Ge", 15), ("GE", 14)] {
        let mut app = compared();
        press(&mut app, keys);
        assert_eq!(app.compare.cursor.at, at, "{keys}: {:#?}", app.compare.pairs());
    }
}

#[test]
fn a_line_opens_its_cascade() {
    let mut app = compared();
    let commands = press(&mut app, "<Enter>");
    assert!(matches!(commands[..], [Cmd::Cascade { invocation, .. }] if invocation == id(1_000)), "{commands:?}");
    let mut app = compared();
    let missing = app.compare.pairs().iter().position(|pair| pair.right.is_none()).unwrap();
    app.compare.cursor.at = missing;
    let commands = press(&mut app, "<Enter>");
    assert!(matches!(commands[..], [Cmd::Cascade { invocation, .. }] if invocation == id(3)), "{commands:?}");
    press(&mut app, "<Esc>");
    assert_eq!(app.view, View::Compare);
}

#[test]
fn another_trigger_is_told_and_all_is_taken_away() {
    let mut app = compared();
    let other_trigger = |app: &App| app.compare.compared.value.as_ref().unwrap().other_trigger();
    assert_eq!(other_trigger(&app), [""; 0]);
    let documents = press(&mut app, "xo");
    let [Cmd::Export(json), Cmd::Open(text, _)] = &documents[..] else { panic!("{documents:?}") };
    let value: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!(value["summary"], app.compare.compared.value.as_ref().unwrap().sum());
    assert_eq!(value["pairs"].as_array().unwrap().len(), app.compare.pairs().len());
    assert_eq!((value["left"].as_str(), json.extension), (Some(id(3).to_string().as_str()), "json"));
    assert_eq!(text.text.lines().count(), 4 + app.compare.pairs().len());
    assert!(text.text.contains("job archiveDriver") && text.text.contains("only in B"), "{}", text.text);
    press(&mut app, "r");
    let mut other = other_rows();
    other.invocations[0].source_operation = Some("INSERT".into());
    other.invocations[0].source_table = Some("public.rides".into());
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Ok((rows(), other))));
    assert_eq!(other_trigger(&app), ["operation", "table"]);
    crate::tui::fixture::assert_screen("compare__other_trigger", &app);
}

#[test]
fn what_is_gone_or_fails_is_told() {
    let mut app = compared();
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Err(Failure::other("too slow"))));
    assert!(app.compare.compared.value.is_some());
    assert_eq!(super::refresh(&mut app), [], "what is too slow now is so at the next look, too");
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Ok((rows(), Rows::default()))));
    assert!(app.compare.compared.error.as_deref().unwrap().contains("no longer in the database"));
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Compared(request, Err(Failure::unreachable("gone"))));
    assert_eq!(super::refresh(&mut app).len(), 1, "asked when the database is tried again");
}

#[test]
fn copies_are_those_of_the_line() {
    let mut app = compared();
    for (keys, beginning) in [("y", "event-detector-moves"), ("Y", "{\n  \"name\": \"event-detector-moves\"")] {
        let commands = press(&mut app, keys);
        let [Cmd::Copy(copied)] = &commands[..] else { panic!("{commands:?}") };
        assert!(copied.text().starts_with(beginning), "{copied:?}");
    }
}

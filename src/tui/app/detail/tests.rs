//! Tests of the node: sections, folds, copies, secrets.

use serde_json::{Value, json};

use super::{Content, Section, fields, open};
use crate::model::flow::Kind;
use crate::tui::app::App;
use crate::tui::app::flow::tests::opened;
use crate::tui::fixture::{app, id, press, rows};
use crate::tui::msg::{Cmd, Failure, Msg, View};
use crate::tui::update::update;

/// The raw row of the invocation that the sample cascade begins with.
pub(in crate::tui) fn invocation_row() -> Value {
    let old = json!({
        "id": 123, "status": "pickup started", "lane_id": 9, "driver_note": "call gate", "config": {"sla": null, "k": 1},
        "updated_at": "2026-11-20T12:01:10.551Z", "updated_by": "driver7@hopdrive.com", "api_key": "k-old-s3cret",
        "stops": [{"type": "pickup"}, {"type": "fuel"}],
    });
    let new = json!({
        "id": 123, "status": "pickup successful", "lane_id": 9, "config": {"sla": {"minutes": 45}, "k": 1},
        "updated_at": "2026-11-20T12:04:28.902Z", "updated_by": "driver7@hopdrive.com", "api_key": "k-new-s3cret",
        "stops": [{"type": "pickup"}, {"type": "fuel"}, {"type": "drop"}],
    });
    json!({
        "id": id(3), "created_at": "2026-11-20T12:04:29.440+00:00", "updated_at": "2026-11-20T12:04:31.240+00:00",
        "correlation_id": format!("moves.{}", id(3)), "source_function": "event-detector-moves",
        "source_table": "public.moves", "source_operation": "UPDATE", "source_system": "event-handlers",
        "source_job_id": null,
        "source_event_payload": {
            "event": {
                "op": "UPDATE", "data": {"old": old, "new": new},
                "session_variables": {"x-hasura-role": "driver", "x-hasura-user-id": "7"},
                "trace_context": {"trace_id": "2da00667a56b207240c703f72ec5360a", "span_id": "b7ad6b7169203331"},
            },
            "table": {"schema": "public", "name": "moves"}, "trigger": {"name": "moves_update"},
            "id": "0c9a7a52-75e3-4f0c-9c39-3a0d5b1f8e11", "created_at": "2026-11-20T12:04:28.9Z",
        },
        "source_user_email": "driver7@hopdrive.com", "source_user_role": "driver", "total_duration_ms": 1800,
        "events_detected_count": 2, "total_jobs_run": 3, "total_jobs_succeeded": 2, "total_jobs_failed": 1,
        "status": "completed", "error_message": null, "error_stack": null,
        "context_data": {
            "headers": {"authorization": "Bearer s3cret", "cookie": "sid=s3cret", "accept": "*/*"},
            "raw": {"_raw_string": "{\"note\": \"stored as text\"}"},
            "body": {"_truncated": true, "original_size": 5_242_880},
            "self": "[Circular]",
        },
    })
}

/// The raw row of its failed job.
pub(in crate::tui) fn job_row() -> Value {
    let stack = "TwilioError: 21610 Attempt to send to unsubscribed recipient\n    \
                 at RestException (twilio/lib/base/RestException.js:23)\n    \
                 at Version.create (twilio/lib/base/Version.js:112)";
    json!({
        "id": id(41), "invocation_id": id(3), "event_execution_id": id(21), "correlation_id": format!("moves.{}", id(3)),
        "created_at": "2026-11-20T12:04:29.520+00:00", "updated_at": "2026-11-20T12:04:30.432+00:00",
        "job_name": "sendNotification", "job_function_name": "sendNotification", "duration_ms": 912,
        "status": "failed", "job_options": {"moveId": 123, "type": "pickup_complete"}, "result": null,
        "error_message": "TwilioError: 21610 Attempt to send to unsubscribed recipient",
        "error_stack": json!({"_raw_string": stack}).to_string(),
    })
}

/// A node of the sample cascade with its row.
pub(in crate::tui) fn shown(kind: Kind, n: u128, row: Value) -> App {
    let mut app = opened(rows());
    open(&mut app, kind, id(n), false);
    let request = app.requests;
    update(&mut app, Msg::Row(request, Ok(Some(row))));
    app
}

pub(in crate::tui) fn invocation() -> App {
    shown(Kind::Invocation, 3, invocation_row())
}

fn line(app: &App) -> String {
    let Some(Content::Outline { outline, lines }) = app.detail.content() else { return String::new() };
    outline.path(lines[app.detail.pane().unwrap().cursor.at])
}

#[test]
fn sections_are_those_of_the_kind() {
    use Section::{Context, Diff, Error, Options, Payload, Raw, Result, Summary};
    let table = [
        (Kind::Invocation, 3, invocation_row(), vec![Summary, Payload, Diff, Context, Error, Raw]),
        (Kind::Job, 41, job_row(), vec![Summary, Options, Result, Error, Raw]),
    ];
    for (kind, n, row, sections) in table {
        let mut app = shown(kind, n, row);
        let mut seen = Vec::new();
        for _ in &sections {
            seen.push(app.detail.section);
            press(&mut app, "<Tab>");
        }
        assert_eq!(seen, sections);
        assert_eq!(app.detail.section, Summary, "round");
        press(&mut app, "<S-Tab>");
        assert_eq!(app.detail.section, Raw);
        press(&mut app, "[");
        assert_eq!(app.detail.section, Error);
    }
}

#[test]
fn keys_go_through_the_outline() {
    let table = [
        ("", "."),
        ("j", ".event"),
        ("jjjj", ".event.data.old"),
        ("jjjjh", ".event.data.old"),
        ("jjjjhj", ".event.data.new"),
        ("jjjjhjl", ".event.data.new.id"),
        ("jjjjhhh", ".event.data"),
        ("jjjjhhhh", ".event"),
        ("jjjj<Enter>j", ".event.data.new"),
        ("jjjjzM", ".event"),
        ("jjjjzMzR", ".event"),
        ("jjjzaj", ".event.session_variables"),
        ("G", ".created_at"),
        ("jjjjjl", ".event.data.old.id"),
    ];
    for (keys, path) in table {
        let mut app = invocation();
        press(&mut app, "]");
        press(&mut app, keys);
        assert_eq!(line(&app), path, "{keys}");
    }
}

#[test]
fn a_refresh_keeps_section_folds_and_selection() {
    let mut app = invocation();
    press(&mut app, "]jjjjhj");
    assert_eq!(press(&mut app, "r").len(), 1);
    let mut row = invocation_row();
    let payload = row["source_event_payload"].as_object_mut().unwrap();
    payload.shift_insert(0, "first".to_owned(), json!([1, 2, 3]));
    let request = app.requests;
    update(&mut app, Msg::Row(request, Ok(Some(row))));
    assert_eq!((app.detail.section, line(&app).as_str()), (Section::Payload, ".event.data.new"));
    press(&mut app, "k");
    assert_eq!(line(&app), ".event.data.old", "still folded");
}

#[test]
fn what_has_ended_is_read_once() {
    let mut app = invocation();
    assert_eq!(super::refresh(&mut app), []);
    assert_eq!(press(&mut app, "r").len(), 1);
    let mut running = invocation_row();
    running["status"] = json!("running");
    let mut app = shown(Kind::Invocation, 3, running);
    assert_eq!(super::refresh(&mut app).len(), 1);
    assert_eq!(super::refresh(&mut app), [], "one is on its way");
}

#[test]
fn secrets_are_masked_until_asked_for() {
    for section in ["]", "]]", "]]]", "]]]]]"] {
        let mut app = invocation();
        press(&mut app, section);
        press(&mut app, "zR");
        let content = app.detail.content().unwrap();
        assert!(content.secrets() > 0, "{section}");
        assert!(!format!("{content:?}").contains("s3cret"), "{section}");
        let copied = press(&mut app, "Y");
        assert!(!format!("{copied:?}").contains("s3cret"), "{section}");
        press(&mut app, "X");
        assert!(format!("{:?}", app.detail.content()).contains("s3cret"), "{section}");
        press(&mut app, "<Esc>");
        open(&mut app, Kind::Invocation, id(3), false);
        press(&mut app, section);
        assert!(!format!("{:?}", app.detail.content()).contains("s3cret"), "masked again when it is opened again");
    }
}

#[test]
fn leaving_the_screen_masks_again() {
    for keys in ["']]'", "<Esc><Enter>]]]"] {
        let mut app = invocation();
        press(&mut app, "]]]X");
        assert!(app.detail.revealed);
        press(&mut app, keys);
        assert_eq!((app.view, app.detail.revealed), (View::Detail, false), "{keys}");
        assert!(!format!("{:?}", app.detail.panes).contains("s3cret"), "{keys}");
    }
}

#[test]
fn copies_are_those_of_the_line() {
    let table = [
        ("y", "event-detector-moves", "the value"),
        ("]jjy", "UPDATE", "the value"),
        ("]jjJ", ".event.op", "the path"),
        ("]]J", "status", "the path"),
        ("]jjjjY", "{\n", "the JSON below the cursor"),
        ("]]y", "pickup successful", "the value"),
        ("]]Y", "{\n  \"path\": \"status\"", "the change as JSON"),
        ("I", "moves.550e8403", "the correlation id"),
        ("D", "obs-tui show 550e8403", "the command"),
        ("Y", "{\n  \"id\"", "inv"),
    ];
    for (keys, beginning, named) in table {
        let mut app = invocation();
        let commands = press(&mut app, keys);
        let [Cmd::Copy(copied)] = commands.as_slice() else { panic!("{keys}: {commands:?}") };
        assert!(copied.text().starts_with(beginning), "{keys}: {copied:?}");
        assert_eq!(copied.what(), named);
    }
    let mut app = shown(Kind::Job, 41, job_row());
    let commands = press(&mut app, "]]]y");
    assert!(
        matches!(&commands[..], [Cmd::Copy(copied)] if copied.text().starts_with("TwilioError") && !copied.text().contains('\n'))
    );
    let commands = press(&mut app, "Y");
    assert!(matches!(&commands[..], [Cmd::Copy(copied)] if copied.text().contains("\n    at RestException")));
}

#[test]
fn a_job_shows_the_row_of_its_invocation() {
    let mut app = shown(Kind::Job, 41, job_row());
    let commands = press(&mut app, "d");
    assert_eq!((app.detail.of, app.detail.section), (Some((Kind::Invocation, id(3))), Section::Diff));
    assert!(matches!(commands[..], [Cmd::Row { kind: Kind::Invocation, .. }]));
}

#[test]
fn the_summary_tells_the_effective_status() {
    let value = |app: &App, label: &str| {
        fields(app).into_iter().find(|field| field.label == label).map(|field| field.value).unwrap_or_default()
    };
    let app = invocation();
    assert_eq!(value(&app, "status"), "failed");
    assert_eq!(value(&app, "because"), "recorded completed, but 1 job failed");
    let mut alone = invocation();
    alone.flow = crate::tui::app::flow::State::default();
    assert_eq!(value(&alone, "status"), "failed", "by the row's own counter where the tree is not known");
    let job = shown(Kind::Job, 41, job_row());
    assert_eq!((value(&job, "status").as_str(), value(&job, "recorded").as_str()), ("failed", "failed"));
    assert_eq!(value(&job, "error"), "TwilioError: 21610 Attempt to send to unsubscribed recipient");
}

#[test]
fn unchanged_columns_unfold() {
    let table = [
        ("d", 7, 0),
        ("dG<Enter>", 10, 6),
        ("dGlj", 10, 7),
        ("dGljh", 7, 6),
        ("dzRG", 10, 9),
        ("dzRGzM", 7, 6),
        ("du", 10, 0),
        ("duu", 7, 0),
        ("d/lane<Enter>", 10, 8),
    ];
    for (keys, lines, at) in table {
        let mut app = invocation();
        press(&mut app, keys);
        let content = app.detail.content().unwrap();
        assert_eq!((content.len(), app.detail.pane().unwrap().cursor.at), (lines, at), "{keys}");
        assert_eq!(content.secrets(), 2, "{keys}");
    }
    let mut app = invocation();
    press(&mut app, "dur");
    let mut row = invocation_row();
    row["status"] = json!("failed");
    let request = app.requests;
    update(&mut app, Msg::Row(request, Ok(Some(row))));
    assert_eq!(app.detail.content().map(Content::len), Some(10), "still open after it was read again");
}

#[test]
fn gone_and_failed_are_told() {
    let mut app = app((80, 24));
    open(&mut app, Kind::Job, id(41), false);
    update(&mut app, Msg::Row(1, Ok(None)));
    assert!(app.detail.row.error.as_deref().unwrap().contains("no longer in the database"));
    let mut app = invocation();
    press(&mut app, "r");
    let request = app.requests;
    update(&mut app, Msg::Row(request, Err(Failure::unreachable("connection refused"))));
    assert!(app.detail.row.value.is_some() && app.detail.row.error.is_some());
}

#[test]
fn a_large_payload_opens_folded() {
    let mut row = invocation_row();
    row["source_event_payload"] = (0..100_000).map(|n| json!({"n": n, "text": "x".repeat(40)})).collect();
    let mut app = shown(Kind::Invocation, 3, row);
    press(&mut app, "]");
    assert_eq!(app.detail.content().map(Content::len), Some(300_001));
    press(&mut app, "Gkkgg");
    assert_eq!(line(&app), ".");
}

//! What is taken over from the caller, and what is left out when the options say so.

use obs_tui::Recorder;
use obs_tui::model::correlation::Token;
use obs_tui::model::trace::TraceParent;
use obs_tui::recorder::{Level, Masker, Options};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{LONG, options, rows};
use crate::common;

#[derive(Debug, thiserror::Error)]
#[error("sending failed")]
struct Sending(#[source] std::io::Error);

#[tokio::test]
async fn chains_are_taken_over_from_whatever_names_them() {
    let db = common::database("recorder_chains").await;
    let recorder = Recorder::new(options(&db.app));
    let job: Uuid = "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11".parse().unwrap();
    let other: Uuid = "229386b2-e8e4-4ed9-859d-040cf4897310".parse().unwrap();
    let hasura = |by: &str| json!({ "event": { "data": { "old": null, "new": { "updated_by": by } } } });
    let token = format!("driver@company.com|moves.{other}|{job}|2");

    recorder.invocation("token in the payload").payload(&hasura(&token)).start().finish();
    recorder.invocation("token given").from_token(&token).start().finish();
    recorder
        .invocation("an e-mail is no token")
        .system("hasura")
        .payload(&hasura("driver@company.com"))
        .start()
        .finish();
    recorder.invocation("job in the payload").payload(&json!({ "__sourceJobId": job })).start().finish();
    let explicit = recorder.invocation("explicit").correlation_id("mine").source_job(other).payload(&hasura(&token));
    explicit.start().finish();
    let invocation = recorder.invocation("hands on").from_token(&token).start();
    let handler = invocation.event("event").detected();
    let next = handler.job("job").start();
    let expected = Token {
        source: "driver@company.com".into(),
        correlation: format!("moves.{other}"),
        job: next.id(),
        hop: Some(3),
    };
    assert_eq!(next.token(), expected);
    assert_eq!((next.correlation_id(), invocation.correlation_id()), (&*expected.correlation, &*expected.correlation));
    next.complete(&());
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let connection = &mut common::session(&db.readonly).await;
    let row = |function: &str, correlation: &str, job: Option<Uuid>| json!({ "source_function": function, "correlation": correlation, "source_job_id": job });
    let chain = format!("moves.{other}");
    assert_eq!(
        rows(connection, "SELECT source_function, replace(correlation_id, id::text, '{id}') AS correlation, source_job_id FROM invocations ORDER BY id").await,
        [
            row("token in the payload", &chain, Some(job)),
            row("token given", &chain, Some(job)),
            row("an e-mail is no token", "hasura.{id}", None),
            row("job in the payload", "job in the payload.{id}", Some(job)),
            row("explicit", "mine", Some(other)),
            row("hands on", &chain, Some(job)),
        ]
    );
}

#[tokio::test]
async fn what_is_not_to_be_captured_is_not_stored() {
    let db = common::database("recorder_capture").await;
    let connection = &mut common::session(&db.readonly).await;
    for on in [true, false] {
        let recorder = Recorder::new(Options {
            capture_payload: on,
            capture_job_options: on,
            capture_error_stacks: on,
            max_json_bytes: 100,
            ..options(&db.app)
        });
        let invocation = recorder.invocation("capture").payload(&json!({ "n": 1 })).context(&"x".repeat(200)).start();
        let handler = invocation.event("event").detected();
        handler.job("job").options(&json!({ "n": 2 })).start().fail(&Sending(std::io::Error::other("refused")));
        handler.finish();
        invocation.finish();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    }
    let row = |payload, options, stack: Option<&str>| {
        json!({
            "source_event_payload": payload, "context_data": { "_truncated": true, "bytes": 202 }, "job_options": options,
            "error_message": "sending failed: refused", "error_stack": stack,
        })
    };
    assert_eq!(
        rows(
            connection,
            "SELECT source_event_payload, context_data, job_options, j.error_message, j.error_stack \
             FROM invocations i JOIN job_executions j ON j.invocation_id = i.id ORDER BY i.id"
        )
        .await,
        [
            row(json!({ "n": 1 }), json!({ "n": 2 }), Some("sending failed\ncaused by: refused")),
            row(json!({}), json!(null), None),
        ]
    );
}

#[tokio::test]
async fn secrets_are_masked_before_they_are_sent() {
    let db = common::database("recorder_redact").await;
    let connection = &mut common::session(&db.readonly).await;
    let value = json!({ "headers": { "Authorization": "Bearer x", "accept": "*" }, "smsTan": "1", "acceptToken": 2, "n": 12345678901234567_u64 });
    for redact in [Masker::new(["tan"], ["accept_token"]), Masker::off()] {
        let recorder = Recorder::new(Options { redact, ..options(&db.app) });
        let invocation = recorder.invocation("redact").payload(&value).context(&value).start();
        let handler = invocation.event("event").detected();
        let job = handler.job("job").options(&value).start();
        job.log(Level::INFO, "sent token=abc", &value);
        job.complete(&value);
        handler.finish();
        invocation.finish();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    }
    let masked = json!({ "headers": { "Authorization": "******", "accept": "*" }, "smsTan": "******", "acceptToken": 2, "n": 12345678901234567_u64 });
    let stored = rows(
        connection,
        "SELECT source_event_payload AS payload, context_data AS context, job_options AS options, result, data, l.message \
         FROM invocations i JOIN job_executions j ON j.invocation_id = i.id JOIN job_logs l ON l.job_execution_id = j.id ORDER BY i.id",
    )
    .await;
    let row = |value: &Value, message: &str| json!({ "payload": value, "context": value, "options": value, "result": value, "data": value, "message": message });
    assert_eq!(stored, [row(&masked, "sent token=******"), row(&value, "sent token=abc")]);
}

#[tokio::test]
async fn chains_go_on_through_headers_and_session_variables() {
    let db = common::database("recorder_headers").await;
    let recorder = Recorder::new(options(&db.app));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let parent = recorder.invocation("parent").headers([("Traceparent", traceparent)]).start();
    let handler = parent.event("event").detected();
    let job = handler.job("job").start();
    let headers = job.headers();
    let passed = TraceParent::parse(&headers.iter().find(|(name, _)| *name == "traceparent").unwrap().1).unwrap();
    assert_eq!(
        (format!("{:032x}", passed.trace).as_str(), passed.sampled),
        ("4bf92f3577b34da6a3ce929d0e0e4736", false)
    );

    recorder.invocation("by headers").headers(headers).start().finish();
    let variables: serde_json::Map<_, _> =
        job.session_variables().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let payload = json!({ "event": { "op": "UPDATE", "session_variables": variables, "data": { "new": { "updated_by": "driver@company.com" } } } });
    let child = recorder.invocation("by session").payload(&payload).start();
    let child_handler = child.event("event").detected();
    let child_job = child_handler.job("job").start();
    assert_eq!(child_job.token().source, "driver@company.com");
    child_job.complete(&());
    child_handler.finish();
    child.finish();
    recorder
        .invocation("by token")
        .payload(&json!({ "event": { "data": { "new": { "updated_by": job.token().to_string() } } } }))
        .start()
        .finish();
    let own = recorder.invocation("no header holds it").correlation_id("Zürich").start();
    let own_handler = own.event("event").detected();
    let names: Vec<&str> = own_handler.job("job").start().headers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-source-job-id", "traceparent"]);
    own_handler.finish();
    own.finish();
    let id = job.id();
    job.complete(&());
    handler.finish();
    parent.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let connection = &mut common::session(&db.readonly).await;
    let children = rows(
        connection,
        "SELECT source_function, source_operation, correlation_id, source_job_id FROM invocations WHERE source_job_id IS NOT NULL ORDER BY id",
    )
    .await;
    let row = |function: &str, operation: Option<&str>| json!({ "source_function": function, "source_operation": operation, "correlation_id": "4bf92f3577b34da6a3ce929d0e0e4736", "source_job_id": id });
    assert_eq!(children, [row("by headers", None), row("by session", Some("UPDATE")), row("by token", None)]);
}

#[test]
fn a_disabled_recorder_records_nothing_and_chains_go_on() {
    let recorder = Recorder::disabled();
    let invocation = recorder.invocation("disabled").correlation_id("mine").payload(&json!({ "a": 1 })).start();
    let handler = invocation.event("event").detected();
    let job = handler.job("job").options(&1).start();
    assert_eq!((job.token().job, job.correlation_id()), (job.id(), "mine"));
    job.complete(&1);
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG));
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.dropped, stats.buffered, stats.last_error), (0, 0, 0, None));
}

//! A move is picked up: three detectors, three jobs of which one fails, and a child invocation.

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::Recorder;
use obs_tui::clock::{Clock, Ids};
use obs_tui::recorder::Options;
use serde_json::json;

use super::{LONG, options, rows};
use crate::common;

fn id(n: u8) -> String {
    format!("00000000-0000-7000-8000-0000000000{n:02x}")
}

#[tokio::test]
async fn the_walkthrough_gives_exactly_these_rows() {
    let db = common::database("recorder_walkthrough").await;
    let start: DateTime<Utc> = "2025-01-15T10:00:00Z".parse().unwrap();
    let clock = Clock::manual(start);
    let recorder = Recorder::new(Options { clock: clock.clone(), ids: Ids::sequence(), ..options(&db.app) });
    let pass = |ms| clock.advance(TimeDelta::milliseconds(ms));

    let payload = json!({ "event": { "data": { "new": { "status": "pickup successful" } } } });
    let invocation = recorder
        .invocation("event-detector-moves")
        .system("hasura")
        .source_type("database")
        .table("public.moves")
        .operation("UPDATE")
        .user_email("driver@company.com")
        .user_role("driver")
        .source_event_id("b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11".parse().unwrap())
        .source_event_time(start - TimeDelta::seconds(1))
        .payload(&payload)
        .context(&json!({ "region": "us-east-1" }))
        .modules_directory("events")
        .start();
    let event = invocation.event("move.pickup.successful");
    pass(15);
    let handler = event.detected();
    for (name, ms) in [("move.cancel.pending", 8), ("user.status.change", 12)] {
        let event = invocation.event(name);
        pass(ms);
        event.not_detected();
    }
    let sla = handler.job("reapplySlaDuration").options(&json!({ "updateEarliestAvailableTime": false })).start();
    let notification = handler.job("sendNotification").options(&json!({ "moveId": 123 })).start();
    let analytics = handler.job("updateAnalytics").function_name("updatePickupAnalytics").start();
    let token = analytics.token().to_string();
    pass(120);
    sla.complete(&json!({ "duration": 90 }));
    pass(330);
    notification.fail("the notification service refused the connection");
    analytics.complete(&());
    pass(730);
    handler.finish();
    pass(585);
    invocation.finish();
    let child = recorder.invocation("event-detector-analytics").from_token(&token).start();
    pass(5);
    child.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let connection = &mut common::session(&db.readonly).await;
    let at = |ms| {
        let time = (start + TimeDelta::milliseconds(ms)).format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
        format!("{}+00:00", time.trim_end_matches('0').trim_end_matches('.'))
    };
    let chain = format!("hasura.{}", id(1));
    assert_eq!(
        rows(connection, "SELECT * FROM invocations ORDER BY id").await,
        [
            json!({
                "id": id(1), "created_at": at(0), "updated_at": at(1800), "correlation_id": chain,
                "source_function": "event-detector-moves", "source_table": "public.moves", "source_operation": "UPDATE",
                "source_system": "hasura", "source_type": "database", "source_job_id": null,
                "source_event_id": "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11", "source_event_payload": payload,
                "source_event_time": at(-1000), "source_user_email": "driver@company.com", "source_user_role": "driver",
                "total_duration_ms": 1800, "events_detected_count": 1, "total_jobs_run": 3, "total_jobs_succeeded": 2,
                "total_jobs_failed": 1, "auto_load_modules": true, "event_modules_directory": "events",
                "status": "completed", "error_message": null, "error_stack": null,
                "context_data": { "region": "us-east-1" },
            }),
            json!({
                "id": id(8), "created_at": at(1800), "updated_at": at(1805), "correlation_id": chain,
                "source_function": "event-detector-analytics", "source_table": null, "source_operation": null,
                "source_system": null, "source_type": null, "source_job_id": id(7), "source_event_id": null,
                "source_event_payload": {}, "source_event_time": null, "source_user_email": null,
                "source_user_role": null, "total_duration_ms": 5, "events_detected_count": 0, "total_jobs_run": 0,
                "total_jobs_succeeded": 0, "total_jobs_failed": 0, "auto_load_modules": null,
                "event_modules_directory": null, "status": "completed", "error_message": null, "error_stack": null,
                "context_data": null,
            }),
        ]
    );
    let event = |n, name, created, updated, status, detection: i32, handler: Option<i32>, jobs: [i32; 3]| {
        json!({
            "id": id(n), "invocation_id": id(1), "created_at": at(created), "updated_at": at(updated),
            "correlation_id": chain, "event_name": name, "event_module_path": null, "detected": handler.is_some(),
            "detection_duration_ms": detection, "detection_error": null, "detection_error_stack": null,
            "handler_duration_ms": handler, "handler_error": null, "handler_error_stack": null, "jobs_count": jobs[0],
            "jobs_succeeded": jobs[1], "jobs_failed": jobs[2], "status": status,
        })
    };
    assert_eq!(
        rows(connection, "SELECT * FROM event_executions ORDER BY id").await,
        [
            event(2, "move.pickup.successful", 0, 1215, "completed", 15, Some(1200), [3, 2, 1]),
            event(3, "move.cancel.pending", 15, 23, "not_detected", 8, None, [0, 0, 0]),
            event(4, "user.status.change", 23, 35, "not_detected", 12, None, [0, 0, 0]),
        ]
    );
    let job = |n, name, function: Option<&str>, options, ms: i64, status, result, error: Option<&str>| {
        json!({
            "id": id(n), "invocation_id": id(1), "event_execution_id": id(2), "created_at": at(35),
            "updated_at": at(35 + ms), "correlation_id": chain, "job_name": name, "job_function_name": function,
            "job_options": options, "duration_ms": ms, "status": status, "result": result, "console_logs": null, "error_message": error,
            "error_stack": null,
        })
    };
    let refused = Some("the notification service refused the connection");
    let (sla, moved) = (json!({ "updateEarliestAvailableTime": false }), json!({ "moveId": 123 }));
    assert_eq!(
        rows(connection, "SELECT * FROM job_executions ORDER BY id").await,
        [
            job(5, "reapplySlaDuration", None, sla, 120, "completed", json!({ "duration": 90 }), None),
            job(6, "sendNotification", None, moved, 450, "failed", json!(null), refused),
            job(7, "updateAnalytics", Some("updatePickupAnalytics"), json!(null), 450, "completed", json!(null), None),
        ]
    );
}

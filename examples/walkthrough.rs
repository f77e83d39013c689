//! A complete writer: a move is picked up, one event of three is detected, its handler runs three jobs, one of them
//! fails, and another one changes a row whose database event is handled as a child of that job.
//!
//! ```sh
//! OBSERVABILITY_DB_URL=postgresql://observability_app:…@localhost/event_detector_observability \
//!     cargo run --no-default-features --features recorder --example walkthrough
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use obs_tui::recorder::{Handler, Options, Recorder};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let recorder = Recorder::new(Options::from_env(|name| std::env::var(name).ok()));

    let (invocation, token) = move_changed(&recorder, &pickup()).await;
    analytics_changed(&recorder, &analytics_row(&token));

    // Writes what is waiting; call it once, before the process ends.
    let outcome = recorder.shutdown(Duration::from_secs(5));
    println!("invocation {invocation}");
    println!("{:#?}", recorder.stats());
    if outcome.dropped + outcome.held == 0 && outcome.written > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The function that the database calls when a row of `public.moves` has changed.
async fn move_changed(recorder: &Recorder, body: &Value) -> (Uuid, String) {
    let invocation = recorder
        .invocation("event-detector-moves")
        .system("hasura")
        .source_type("database")
        .table("public.moves")
        .operation("UPDATE")
        .user_email("driver@company.com")
        .user_role("driver")
        .payload(body)
        .context(&json!({ "region": "us-east-1" }))
        .modules_directory("events")
        .start();

    // Every event module is asked whether its event took place; both answers are recorded.
    let (old, new) = (&body["event"]["data"]["old"], &body["event"]["data"]["new"]);
    let mut token = String::new();
    for name in ["move.pickup.successful", "move.cancel.pending", "user.status.change"] {
        let event = invocation.event(name);
        if name == "move.pickup.successful" && old["status"] != new["status"] && new["status"] == "pickup successful" {
            let handler = event.detected();
            token = handle_pickup(&handler, new).await;
            handler.finish();
        } else {
            event.not_detected();
        }
    }
    let id = invocation.id();
    invocation.finish();
    (id, token)
}

/// Runs the three jobs side by side; one that fails does not stop the others. Returns the token of the last one.
async fn handle_pickup(handler: &Handler, row: &Value) -> String {
    let sla = handler
        .job("reapplySlaDuration")
        .options(&json!({ "move": row, "updateEarliestAvailableTime": false }))
        .run(reapply_sla_duration());
    let notification = handler
        .job("sendNotification")
        .options(&json!({ "moveId": row["id"], "type": "pickup_complete" }))
        .run(send_notification());
    // A job that is started by hand knows its token while it works.
    let analytics = handler
        .job("updateAnalytics")
        .function_name("updatePickupAnalytics")
        .options(&json!({ "event": "pickup_successful", "moveId": row["id"] }))
        .start();
    let token = analytics.token().to_string();
    let analytics = analytics.run(update_analytics());

    // Each result is recorded already; what else to do with it is up to the writer.
    let _ = tokio::join!(sla, notification, analytics);
    token
}

/// The function that is called because `updateAnalytics` has written a row.
fn analytics_changed(recorder: &Recorder, body: &Value) {
    // The payload holds the token in `updated_by`: chain and parent are taken from there.
    let invocation = recorder
        .invocation("event-detector-analytics")
        .system("hasura")
        .table("public.analytics")
        .operation("INSERT")
        .payload(body)
        .start();
    let handler = invocation.event("analytics.pickup.counted").detected();
    let refreshed = handler.job("refreshDashboard").run_sync(|| Ok::<_, io::Error>(json!({ "refreshed": 1 })));
    handler.finish();
    match refreshed {
        Ok(_) => invocation.finish(),
        Err(error) => invocation.fail(&error),
    }
}

async fn reapply_sla_duration() -> io::Result<Value> {
    tokio::task::yield_now().await;
    Ok(json!({ "duration": 90 }))
}

async fn send_notification() -> io::Result<()> {
    tokio::task::yield_now().await;
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the notification service refused the connection"))
}

async fn update_analytics() -> io::Result<Value> {
    tokio::task::yield_now().await;
    Ok(json!({ "counted": true }))
}

fn pickup() -> Value {
    json!({ "event": { "op": "UPDATE", "data": {
        "old": { "id": 123, "status": "pickup started" },
        "new": { "id": 123, "status": "pickup successful", "updated_by": "driver@company.com" },
    } } })
}

fn analytics_row(token: &str) -> Value {
    json!({ "event": { "op": "INSERT", "data": {
        "old": null,
        "new": { "id": 9001, "moveId": 123, "updated_by": token },
    } } })
}

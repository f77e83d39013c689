//! A complete writer with event modules: one detector and one handler for each kind of event, log lines by `tracing`.
//!
//! ```sh
//! OBSERVABILITY_DB_URL=postgresql://observability_app:…@localhost/event_detector_observability \
//!     cargo run --no-default-features --features recorder --example modules
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use obs_tui::recorder::{JobContext, Module, Options, Recorder, Work, log_layer};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let subscriber = tracing_subscriber::registry().with(log_layer(LevelFilter::INFO));
    // Fails only if there is a subscriber already.
    let _ = tracing::subscriber::set_global_default(subscriber);
    let recorder = Recorder::new(Options::from_env(|name| std::env::var(name).ok()));
    let modules = [pickup_successful(), cancel_pending()];

    // What a web server would hand over: the headers and the body of a request.
    let (headers, body) = request();
    let invocation =
        recorder.invocation("event-detector-moves").system("hasura").source_type("database").headers(headers);
    let outcome = invocation.payload(&body).modules_directory("events").run(&modules, body).await;
    println!("{}", serde_json::to_string_pretty(&outcome).unwrap_or_default());

    let end = recorder.shutdown(Duration::from_secs(5));
    println!("{} records written, {} dropped", end.written, end.dropped);
    if end.dropped + end.held == 0 && end.written > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Detects that a move was picked up, and then runs three jobs side by side, of which one fails.
fn pickup_successful() -> Module<Value> {
    let detector = async |body: Arc<Value>| {
        let (old, new) = (&body["event"]["data"]["old"], &body["event"]["data"]["new"]);
        Ok::<_, Infallible>(old["status"] != new["status"] && new["status"] == "pickup successful")
    };
    let handler = async |body: Arc<Value>| {
        let row = &body["event"]["data"]["new"];
        let id = row["id"].as_i64().ok_or_else(|| io::Error::other("the row has no id"))?;
        Ok::<_, io::Error>(vec![
            Work::new("reapplySlaDuration", async |_| Ok::<_, io::Error>(json!({ "duration": 90 })))
                .options(json!({ "move": row })),
            Work::new("sendNotification", send_notification).options(json!({ "moveId": id })),
            Work::new("updateAnalytics", update_analytics).function_name("updatePickupAnalytics"),
        ])
    };
    Module::new("move.pickup.successful", detector, handler).path("events/pickup_successful.rs")
}

fn cancel_pending() -> Module<Value> {
    let detector =
        async |body: Arc<Value>| Ok::<_, Infallible>(body["event"]["data"]["new"]["status"] == "cancel pending");
    Module::new("move.cancel.pending", detector, async |_| Ok::<_, Infallible>(Vec::new()))
        .path("events/cancel_pending.rs")
}

async fn send_notification(_: JobContext) -> io::Result<()> {
    tracing::info!(channel = "sms", "sending a notification");
    tokio::task::yield_now().await;
    tracing::error!("the notification service refused the connection");
    Err(io::ErrorKind::ConnectionRefused.into())
}

async fn update_analytics(job: JobContext) -> io::Result<Value> {
    // Whoever handles the event of this row knows that it is the work of this job.
    let row = json!({ "moveId": 123, "updated_by": job.token().to_string() });
    tracing::info!(table = "analytics", "row written");
    Ok(row)
}

fn request() -> ([(&'static str, &'static str); 2], Value) {
    let headers = [("content-type", "application/json"), ("X-Correlation-Id", "checkout-17")];
    let body = json!({
        "table": { "schema": "public", "name": "moves" },
        "event": { "op": "UPDATE", "data": {
            "old": { "id": 123, "status": "pickup started" },
            "new": { "id": 123, "status": "pickup successful", "updated_by": "driver@company.com" },
        } },
    });
    (headers, body)
}

//! Log lines pushed to a server that answers as Loki does.

use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Class, Level, LogSink, Loki, Loss, Options, Reason};
use obs_tui::store::config::Config;
use serde_json::json;

use super::{LONG, nowhere, number, options, records, until};
use crate::common;
use crate::push_server::{PushServer, Reply};

fn recorder(config: &Config, loki: Loki) -> Recorder {
    Recorder::new(Options { logs: LogSink::Loki(loki), ..options(config) })
}

/// An invocation with one job that logs these lines.
fn log(recorder: &Recorder, lines: &[&str]) {
    let invocation = recorder.invocation("moves").correlation_id("chain").start();
    let handler = invocation.event("event").detected();
    let job = handler.job("job").start();
    lines.iter().for_each(|line| job.log(Level::INFO, line, &()));
    job.complete(&());
    handler.finish();
    invocation.finish();
}

fn messages(server: &PushServer) -> Vec<String> {
    server.lines().into_iter().map(|(_, _, line)| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_have_few_labels_and_carry_the_ids() {
    let db = common::database("recorder_loki").await;
    let server = PushServer::start([]).await;
    let loki =
        Loki::new(&format!("{}/", server.url())).label("environment", "test").login("writer", "p").tenant("moves");
    let clock = Clock::manual("2025-01-15T10:00:00.000001Z".parse().unwrap());
    let recorder = Recorder::new(Options { logs: LogSink::Loki(loki), clock, ..options(&db.app) });
    let invocation = recorder.invocation("event-detector-moves").correlation_id("chain").start();
    let handler = invocation.event("event").detected();
    let job = handler.job("sendNotification").start();
    job.log(Level::INFO, "sending", &json!({ "to": "driver", "api_key": "k", "n": 12345678901234567_u64 }));
    job.log(Level::ERROR, "refused \0 \"x\"", &());
    let (id, invocation_id) = (job.id(), invocation.id());
    job.complete(&());
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped, stats.buffered), (records(1) + 2, records(1) + 2, 0, 0));

    let labels = |level: &str| json!({ "environment": "test", "function": "event-detector-moves", "level": level });
    let line = |level: &str, message: &str| {
        json!({
            "level": level, "message": message, "service": "event-detector-moves", "correlationId": "chain",
            "scopeId": id, "invocationId": invocation_id, "jobName": "sendNotification", "source": "sendNotification",
        })
    };
    let mut info = line("info", "sending");
    info["fields"] = json!({ "to": "driver", "api_key": "******", "n": 12345678901234567_u64 });
    let at = 1_736_935_200_000_001_000;
    let mut lines = server.lines();
    lines.sort_by_key(|(labels, _, _)| labels["level"].to_string());
    assert_eq!(lines, [(labels("error"), at, line("error", "refused \0 \"x\"")), (labels("info"), at, info)]);
    let request = &server.requests()[0];
    assert_eq!((request["x-scope-orgid"].as_str(), request["content-type"].as_str()), ("moves", "application/json"));
    assert_eq!(request["authorization"], "Basic d3JpdGVyOnA=");
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM job_logs").await, 0);
}

#[tokio::test]
async fn what_passes_is_sent_again_and_only_bad_lines_are_dropped() {
    let busy = Reply::Status("429 Too Many Requests", "Retry-After: 0\r\n");
    let server = PushServer::start([
        busy,
        Reply::Status("500 Internal Server Error", ""),
        Reply::Status("401 Unauthorized", ""),
    ])
    .await;
    let recorder = recorder(&nowhere(), Loki::new(server.url()));
    log(&recorder, &["one", "too old", "two", "three"]);
    recorder.flush(Duration::ZERO);
    until(async || recorder.stats().written == 3 && recorder.stats().dropped == 1).await;
    let mut taken = messages(&server);
    taken.sort();
    assert_eq!(taken, ["one", "three", "two"]);
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Log, reason: Reason::Refused, records: 1 }]);
    assert_eq!((stats.recorded, stats.written, stats.buffered), (records(1) + 4, 3, records(1)));
    assert_eq!(server.lines()[0].0, json!({ "environment": "production", "function": "moves", "level": "info" }));
    let _ = recorder.shutdown(Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_neither_rows_nor_the_end() {
    let db = common::database("recorder_loki_slow").await;
    let server = PushServer::start([Reply::Silence; 9]).await;
    let recorder = recorder(&db.app, Loki::new(server.url()));
    log(&recorder, &["one", "two"]);
    // The rows are written, the lines are not.
    until(async || !recorder.flush(Duration::from_millis(20)) && recorder.stats().buffered == 2).await;
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await, 1);
    let end = recorder.shutdown(Duration::from_millis(100));
    assert_eq!((end.written, end.dropped), (records(1), 2));
    assert_eq!(recorder.stats().losses, [Loss { class: Class::Log, reason: Reason::ShutDown, records: 2 }]);
}

/// The server is well again, and the next attempt would be in a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_and_a_shutdown_try_at_once_whatever_the_delay() {
    for ends in [false, true] {
        let server = PushServer::start([Reply::Status("500 Internal Server Error", "")]).await;
        let logs = LogSink::Loki(Loki::new(server.url()));
        let recorder = Recorder::new(Options { logs, retry_delay: LONG, ..options(&nowhere()) });
        log(&recorder, &["one"]);
        recorder.flush(Duration::ZERO);
        until(async || recorder.stats().last_error.is_some_and(|error| error.contains("500"))).await;
        if !ends {
            recorder.flush(Duration::from_secs(1));
            assert_eq!(recorder.stats().written, 1);
        }
        let end = recorder.shutdown(Duration::from_secs(2));
        assert_eq!((end.written, end.dropped), (1, records(1)));
    }
}

#[tokio::test]
async fn lines_wait_within_their_limit_while_the_server_is_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = Options { memory_limit: 1 << 20, logs: LogSink::Loki(Loki::new(&url)), ..options(&nowhere()) };
    let recorder = Recorder::new(options);
    let long = "x".repeat(10_000);
    log(&recorder, &vec![long.as_str(); 100]);
    let stats = recorder.stats();
    let lines = stats.buffered - records(1);
    assert!((20..=26).contains(&lines) && stats.buffered_bytes < (1 << 18) + 8192, "{stats:?}");
    assert_eq!(stats.losses, [Loss { class: Class::Log, reason: Reason::BufferFull, records: 100 - lines }]);
    recorder.flush(Duration::ZERO);
    until(async || recorder.stats().last_error.is_some_and(|error| error.contains("Loki"))).await;
    let _ = recorder.shutdown(Duration::ZERO);
    let wrong = super::loki::recorder(&nowhere(), Loki::new("ftp://user:hunter2@loki"));
    log(&wrong, &["one"]);
    wrong.flush(Duration::ZERO);
    until(async || wrong.stats().dropped == 1).await;
    assert_eq!(wrong.stats().losses, [Loss { class: Class::Log, reason: Reason::NotConfigured, records: 1 }]);
    assert!(!format!("{wrong:?}").contains("hunter2"));
    let _ = wrong.shutdown(Duration::ZERO);
}

#[tokio::test]
async fn a_password_is_not_sent_over_http_to_another_machine() {
    let recorder = recorder(&nowhere(), Loki::new("http://loki.invalid:3100").login("u", "hunter2"));
    log(&recorder, &["one"]);
    recorder.flush(Duration::ZERO);
    until(async || recorder.stats().dropped == 1).await;
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Log, reason: Reason::NotConfigured, records: 1 }]);
    let error = stats.last_error.unwrap();
    assert!(error.contains("LOKI_ALLOW_HTTP=1") && !error.contains("hunter2"), "{error}");
    let _ = recorder.shutdown(Duration::ZERO);
}

//! A server that dies, a server that is away, and one that never was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::{Class, Loss, Options, Reason};
use obs_tui::store::admin;
use obs_tui::store::config::Config;
use serde_json::json;
use sqlx::Executor;

use super::{LONG, chain, failing, number, options, records, rows};
use crate::common;

const COUNTS: &str = "SELECT (SELECT count(*) FROM invocations WHERE status = 'completed') AS invocations, \
    (SELECT count(*) FROM event_executions WHERE status = 'completed' AND jobs_succeeded = 5) AS events, \
    (SELECT count(*) FROM job_executions WHERE status = 'completed') AS jobs, \
    (SELECT count(*) FROM job_executions) AS all_jobs";

#[tokio::test]
async fn killed_backends_lose_nothing_and_double_nothing() {
    let db = common::database("recorder_killed").await;
    let recorder = Recorder::new(Options { batch_size: 20, ..options(&db.app) });
    let done = AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..300 {
                chain(&recorder, 5);
            }
            assert!(recorder.flush(LONG), "{:?}", recorder.stats());
            done.store(true, Ordering::Release);
        });
        // The same role may end its sessions.
        let killer = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let connection = &mut common::session(&db.app).await;
                let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                            WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()";
                let mut killed = 0;
                let clock = Clock::system();
                while !done.load(Ordering::Acquire) && clock.elapsed() < LONG {
                    if killed < 8 {
                        killed += number(connection, kill).await;
                    }
                    tokio::task::yield_now().await;
                }
                killed
            })
        });
        writer.join().unwrap();
        killer.join().unwrap()
    });
    assert!(killed > 0);
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (300 * records(5), 0, 0));
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(connection, COUNTS).await,
        [json!({ "invocations": 300, "events": 300, "jobs": 1500, "all_jobs": 1500 })]
    );
}

#[tokio::test]
async fn what_is_recorded_while_the_server_is_away_is_written_when_it_is_back() {
    let mut cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let superuser = cluster.superuser();
    let roles = admin::create_database(&superuser, "recorder_away", &admin::Passwords::default()).await.unwrap();
    admin::migrate(&roles.admin).await.unwrap();

    let recorder = Recorder::new(options(&roles.app));
    (0..20).for_each(|_| chain(&recorder, 5));
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    (0..200).for_each(|_| chain(&recorder, 5));
    let stats = failing(&recorder, "");
    assert_eq!((stats.buffered, stats.dropped), (200 * records(5), 0));
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (220 * records(5), 0, 0));
    let connection = &mut common::session(&roles.readonly).await;
    assert_eq!(
        rows(connection, COUNTS).await,
        [json!({ "invocations": 220, "events": 220, "jobs": 1100, "all_jobs": 1100 })]
    );
}

#[test]
fn memory_is_bounded_and_ends_go_before_starts() {
    let nobody = Config::from_url("postgresql://app:hush@127.0.0.1:1/nowhere?sslmode=disable").unwrap();
    let limit = 64 << 10;
    let recorder = Recorder::new(Options { memory_limit: limit, ..options(&nobody) });
    let first = recorder.invocation("first").start();
    for _ in 0..1000 {
        if recorder.stats().dropped > 0 {
            break;
        }
        let invocation = recorder.invocation("filler").payload(&"x".repeat(500)).start();
        std::mem::forget(invocation);
    }
    let before = recorder.stats();
    assert_eq!(before.losses, [Loss { class: Class::Invocation, reason: Reason::BufferFull, records: 1 }]);
    // There is room for the end of what began.
    first.finish();
    let stats = recorder.stats();
    assert_eq!((stats.dropped, stats.buffered), (1, before.buffered + 1));
    for _ in 0..1000 {
        chain(&recorder, 3);
    }
    let stats = recorder.stats();
    assert!(stats.buffered_bytes <= limit, "{stats:?}");
    assert_eq!(stats.recorded, stats.written + stats.dropped + stats.buffered);
    assert_eq!((stats.written, stats.dropped > 1000), (0, true));
    let held = failing(&recorder, "");
    let end = recorder.shutdown(Duration::ZERO);
    let stats = recorder.stats();
    assert_eq!((end.written, end.dropped, stats.buffered, stats.buffered_bytes), (0, stats.recorded, 0, 0));
    assert!(stats.last_error.is_some_and(|error| !error.contains("hush")));
    // What comes later is counted too.
    chain(&recorder, 0);
    assert_eq!(recorder.stats().dropped, stats.dropped + records(0));
    let lost =
        |reason| recorder.stats().losses.iter().filter(|loss| loss.reason == reason).map(|loss| loss.records).sum();
    // What was waiting and what came after the end, and what had found no room before.
    let all: u64 = lost(Reason::ShutDown) + lost(Reason::BufferFull);
    assert_eq!((lost(Reason::ShutDown), all), (held.buffered + records(0), recorder.stats().dropped));
}

#[tokio::test]
async fn a_gap_is_told_to_the_database() {
    let db = common::database("recorder_gap").await;
    let recorder = Recorder::new(Options { memory_limit: 8 << 10, ..options(&db.app) });
    let invocation = recorder.invocation("too large a payload").payload(&"x".repeat(10_000)).start();
    // Its children refer to it all the same: a short record takes its place.
    let handler = invocation.event("event").detected();
    handler.job("job").options(&"x".repeat(10_000)).start().complete(&1);
    handler.finish();
    invocation.finish();
    let end = recorder.shutdown(LONG);
    assert_eq!(end.dropped, 2);
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(connection, "SELECT i.status AS i, e.status AS e, j.status AS j, source_event_payload AS payload, job_options \
            FROM invocations i JOIN event_executions e ON invocation_id = i.id JOIN job_executions j ON event_execution_id = e.id").await,
        [json!({ "i": "completed", "e": "completed", "j": "completed", "payload": {}, "job_options": null })]
    );
    assert_eq!(
        rows(
            connection,
            "SELECT class, reason, count, recorder LIKE '%[%]' AS named FROM recorder_losses ORDER BY class"
        )
        .await,
        [
            json!({ "class": "invocation", "reason": "buffer_full", "count": 1, "named": true }),
            json!({ "class": "job", "reason": "buffer_full", "count": 1, "named": true }),
        ]
    );
}

#[tokio::test]
async fn an_end_that_finds_no_room_is_kept_with_short_texts() {
    let db = common::database("recorder_short").await;
    let recorder = Recorder::new(Options { memory_limit: 64 << 10, ..options(&db.app) });
    let long = "é".repeat(50_000);
    let invocation = recorder.invocation("function").start();
    let handler = invocation.event("event").detected();
    handler.job("result").start().complete(&long);
    handler.job("error").start().fail(&long);
    handler.handler_failed(&long);
    invocation.event("detection").detection_failed(&long);
    invocation.fail(&long);
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (records(2) + 2, 0));
    let connection = &mut common::session(&db.readonly).await;
    let found = "SELECT i.status AS i, i.error_message AS ie, e.status AS e, coalesce(detection_error, handler_error) AS ee, \
        j.status AS j, j.error_message AS je, j.result FROM invocations i JOIN event_executions e ON e.invocation_id = i.id \
        LEFT JOIN job_executions j ON j.event_execution_id = e.id ORDER BY e.id, j.id";
    let cut = format!("{}… (99488 bytes more)", "é".repeat(256));
    let row = |e: &str, j: Option<&str>, je: Option<&str>, result| json!({ "i": "failed", "ie": cut, "e": e, "ee": cut, "j": j, "je": je, "result": result });
    assert_eq!(
        rows(connection, found).await,
        [
            row("handler_failed", Some("completed"), None, json!({ "_truncated": true, "bytes": 100_002 })),
            row("handler_failed", Some("failed"), Some(&cut), json!(null)),
            row("detection_failed", None, None, json!(null)),
        ]
    );
}

#[test]
fn a_wrong_url_is_told_and_counted() {
    let recorder = Recorder::new(Options::from_url("postgresql://app:hush@db:port/observability"));
    chain(&recorder, 1);
    assert!(recorder.flush(LONG));
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.dropped, stats.written, stats.buffered), (records(1), records(1), 0, 0));
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::NotConfigured));
    let error = stats.last_error.unwrap();
    assert!(error.contains("port") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn a_shutdown_keeps_its_time_while_the_server_does_not_answer() {
    let db = common::database("recorder_blocked").await;
    let recorder = Recorder::new(options(&db.app));
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let admin = &mut common::session(&db.admin).await;
    admin.execute("BEGIN; LOCK TABLE invocations IN ACCESS EXCLUSIVE MODE").await.unwrap();
    chain(&recorder, 1);
    assert!(!recorder.flush(Duration::from_millis(100)));
    // It ends while the table is locked, because its time is over.
    let end = recorder.shutdown(Duration::from_millis(100));
    assert_eq!((end.written, end.dropped), (records(1), records(1)));
    assert_eq!(recorder.stats().losses.iter().map(|loss| loss.reason).max(), Some(Reason::ShutDown));
}

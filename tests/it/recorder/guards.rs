//! Guards, however they end; and where they may be used.

use std::future::pending;
use std::io;
use std::task::{Context, Waker};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::Options;
use serde_json::json;

use super::{LONG, chain, number, options, records, rows, until};
use crate::common;

#[tokio::test]
async fn what_is_dropped_has_failed() {
    let db = common::database("recorder_dropped").await;
    let recorder = Recorder::new(options(&db.app));
    {
        let invocation = recorder.invocation("leaves early").start();
        let _detecting = invocation.event("detecting");
        let handler = invocation.event_of_module("handling", "events/handling.rs").detected();
        let _job = handler.job("dropped").start();
        let mut future = Box::pin(handler.job("future").run(pending::<io::Result<()>>()));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let invocation = recorder.invocation("panics").start();
    let handler = invocation.event("panicking").detected();
    let job = handler.job("panics").start();
    let panicking = recorder.clone();
    let work = async move {
        let _held = (invocation, handler);
        job.run(async { if panicking.is_enabled() { panic!("on purpose") } else { Ok::<_, io::Error>(()) } }).await
    };
    assert!(tokio::spawn(work).await.unwrap_err().is_panic());
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(
            connection,
            "SELECT source_function, status, error_message, total_jobs_failed FROM invocations ORDER BY id"
        )
        .await,
        [
            json!({ "source_function": "leaves early", "status": "failed", "error_message": "cancelled", "total_jobs_failed": 2 }),
            json!({ "source_function": "panics", "status": "failed", "error_message": "panicked", "total_jobs_failed": 1 }),
        ]
    );
    assert_eq!(
        rows(
            connection,
            "SELECT status, coalesce(detection_error, handler_error) AS error, event_module_path AS module \
             FROM event_executions ORDER BY id"
        )
        .await,
        [
            json!({ "status": "detection_failed", "error": "cancelled", "module": null }),
            json!({ "status": "handler_failed", "error": "cancelled", "module": "events/handling.rs" }),
            json!({ "status": "handler_failed", "error": "panicked", "module": null }),
        ]
    );
    assert_eq!(
        rows(connection, "SELECT job_name, status, error_message FROM job_executions ORDER BY id").await,
        [
            json!({ "job_name": "dropped", "status": "failed", "error_message": "cancelled" }),
            json!({ "job_name": "future", "status": "failed", "error_message": "cancelled" }),
            json!({ "job_name": "panics", "status": "failed", "error_message": "panicked: on purpose" }),
        ]
    );
}

#[tokio::test]
async fn jobs_of_one_name_are_rows_of_their_own_also_after_the_end() {
    let db = common::database("recorder_jobs").await;
    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("jobs").start();
    let handler = invocation.event("event").detected();
    let late = handler.job("same").start();
    assert_eq!(handler.job("same").run(async { Ok::<_, io::Error>(1) }).await.unwrap(), 1);
    handler.job("same").run_sync(|| Err::<(), _>(io::Error::other("no"))).unwrap_err();
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let connection = &mut common::session(&db.readonly).await;
    let jobs = "SELECT status, result, error_message FROM job_executions ORDER BY id";
    let expected = |first: &str, result| {
        [
            json!({ "status": first, "result": result, "error_message": null }),
            json!({ "status": "completed", "result": 1, "error_message": null }),
            json!({ "status": "failed", "result": null, "error_message": "no" }),
        ]
    };
    assert_eq!(rows(connection, jobs).await, expected("running", json!(null)));
    // The job goes on after its event and its invocation: both take it into account.
    late.complete("late");
    assert!(recorder.flush(LONG));
    assert_eq!(rows(connection, jobs).await, expected("completed", json!("late")));
    let counted = json!({ "status": "completed", "run": 3, "ok": 2, "failed": 1 });
    for counts in [
        "SELECT status, total_jobs_run AS run, total_jobs_succeeded AS ok, total_jobs_failed AS failed FROM invocations",
        "SELECT status, jobs_count AS run, jobs_succeeded AS ok, jobs_failed AS failed FROM event_executions",
    ] {
        assert_eq!(rows(connection, counts).await, std::slice::from_ref(&counted));
    }
}

#[test]
fn no_runtime_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(common::database("recorder_no_runtime"));
    let recorder = Recorder::new(options(&db.app));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let recorder = recorder.clone();
            std::thread::spawn(move || (0..25).for_each(|_| chain(&recorder, 2)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Begun in a runtime, ended after it.
    let invocation = runtime.block_on(async { recorder.invocation("outlives").start() });
    let count = async {
        let connection = &mut common::session(&db.readonly).await;
        number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await
    };
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!(runtime.block_on(count), 200);
    drop(runtime);
    invocation.finish();
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (100 * records(2) + 2, 0));
}

#[tokio::test]
async fn nothing_is_connected_before_the_first_record_nor_after_the_end() {
    let db = common::database("recorder_lifetime").await;
    let connection = &mut common::session(&db.app).await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND usename = current_user AND pid <> pg_backend_pid()";
    let recorder = Recorder::new(options(&db.app));
    let builder = recorder.invocation("not started");
    assert!(recorder.flush(LONG));
    assert_eq!(number(connection, sessions).await, 0);
    let invocation = builder.start();
    // A flush that blocks the only thread of this runtime cannot lock it up.
    assert!(recorder.flush(LONG));
    assert_eq!(number(connection, sessions).await, 1);
    // The last handle is gone, but a guard still counts.
    drop(recorder);
    invocation.finish();
    let completed = "SELECT count(*) FROM invocations WHERE status = 'completed'";
    assert_eq!(number(connection, completed).await, 1);
    until(async || number(connection, sessions).await == 0).await;
}

#[tokio::test]
async fn records_are_written_when_they_are_old_or_many() {
    let db = common::database("recorder_when").await;
    let old = Recorder::new(Options { flush_interval: Duration::from_millis(20), ..options(&db.app) });
    chain(&old, 0);
    until(async || old.stats().written == records(0)).await;
    let many = Recorder::new(Options { batch_size: 10, ..options(&db.app) });
    chain(&many, 10);
    until(async || many.stats().written >= 20).await;
    let stats = many.stats();
    assert_eq!((stats.recorded, stats.written, stats.buffered, stats.dropped), (records(10), 20, 5, 0));
}

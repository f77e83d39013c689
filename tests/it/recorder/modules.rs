//! Event modules run for one incoming event; jobs in tasks of their own; rows before side effects.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::{JobContext, Module, Options, Work, current};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::{LONG, nowhere, number, options, rows};
use crate::common;

type Nothing = Result<Vec<Work>, Infallible>;

fn undetected(name: &str) -> Module<Value> {
    Module::new(name, async |_| Ok::<_, Infallible>(false), async |_| Nothing::Ok(Vec::new()))
}

fn detected(name: &str, work: impl Fn() -> Vec<Work> + Send + Sync + 'static) -> Module<Value> {
    Module::new(name, async |_| Ok::<_, Infallible>(true), move |_| std::future::ready(Nothing::Ok(work())))
}

fn panics(really: bool) -> io::Result<bool> {
    if really { panic!("on purpose") } else { Ok(false) }
}

/// An error that cannot be shown.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for Unspeakable {}

#[tokio::test]
async fn no_failure_stops_a_sibling_and_every_step_is_recorded() {
    let db = common::database("recorder_modules").await;
    let recorder = Recorder::new(options(&db.app));
    // Both jobs must be under way for either to end.
    let together = Arc::new(Barrier::new(2));
    let meet = move || {
        let together = Arc::clone(&together);
        Work::new("meets", async move |job: JobContext| {
            together.wait().await;
            assert_eq!(current().unwrap().id(), job.id());
            Ok::<_, Infallible>(json!({ "token": job.token().to_string() }))
        })
        .options(json!({ "n": 1 }))
    };
    let another = meet.clone();
    let modules = [
        undetected("not.this").path("events/not_this.rs"),
        Module::new("detector.fails", async |_| Err(io::Error::other("no rows")), async |_| Nothing::Ok(Vec::new())),
        Module::new("detector.panics", async |_| panics(true), async |_| Nothing::Ok(Vec::new())),
        Module::new("detector.panics.early", |_| std::future::ready(panics(true)), async |_| Nothing::Ok(Vec::new())),
        Module::new(
            "handler.fails",
            async |_| Ok::<_, Infallible>(true),
            async |_| Err(Box::<dyn std::error::Error + Send + Sync>::from("no")),
        ),
        Module::new("handler.panics", async |_| Ok::<_, Infallible>(true), async |_| panics(true).map(|_| Vec::new())),
        detected("jobs", move || {
            vec![
                Work::new("fails", async |_| Err::<(), _>(io::Error::other("refused"))),
                Work::new("panics", async |_| panics(true)),
                Work::new("panics early", |_| std::future::ready(panics(true))),
                Work::new("unspeakable", async |_| Err::<(), _>(Unspeakable)),
                meet(),
            ]
        }),
        detected("beside", move || vec![another().function_name("meet")]).path("events/beside.rs"),
    ];
    let event = json!({ "event": { "op": "UPDATE" } });
    let outcome = recorder.invocation("runner").system("test").payload(&event).run(&modules, event.clone()).await;
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert!(!outcome.is_ok());
    assert_eq!(outcome.events.len(), modules.len());
    assert_eq!(outcome.events[6].jobs[1].error.as_deref(), Some("panicked: on purpose"));
    assert_eq!((&outcome.events[7].error, &outcome.events[7].jobs[0].error), (&None, &None));

    let connection = &mut common::session(&db.readonly).await;
    let failures = "the detector of detector.fails failed: no rows; the detector of detector.panics failed: panicked: on purpose; \
                    the detector of detector.panics.early failed: panicked: on purpose; the handler of handler.fails failed: no; \
                    the handler of handler.panics failed: panicked: on purpose";
    assert_eq!(
        rows(connection, "SELECT id, status, error_message, events_detected_count AS detected, total_jobs_run AS run, total_jobs_succeeded AS ok, total_jobs_failed AS failed FROM invocations").await,
        [json!({ "id": outcome.invocation, "status": "failed", "error_message": failures, "detected": 4, "run": 6, "ok": 2, "failed": 4 })]
    );
    let event = |name: &str, path: Option<&str>, status: &str, error: Option<&str>, jobs: [i32; 3]| json!({ "event_name": name, "event_module_path": path, "status": status, "error": error, "jobs": jobs });
    let panicked = Some("panicked: on purpose");
    assert_eq!(
        rows(
            connection,
            "SELECT event_name, event_module_path, status, coalesce(detection_error, handler_error) AS error, \
             ARRAY[jobs_count, jobs_succeeded, jobs_failed] AS jobs FROM event_executions ORDER BY id"
        )
        .await,
        [
            event("not.this", Some("events/not_this.rs"), "not_detected", None, [0; 3]),
            event("detector.fails", None, "detection_failed", Some("no rows"), [0; 3]),
            event("detector.panics", None, "detection_failed", panicked, [0; 3]),
            event("detector.panics.early", None, "detection_failed", panicked, [0; 3]),
            event("handler.fails", None, "handler_failed", Some("no"), [0; 3]),
            event("handler.panics", None, "handler_failed", panicked, [0; 3]),
            event("jobs", None, "completed", None, [5, 1, 4]),
            event("beside", Some("events/beside.rs"), "completed", None, [1, 1, 0]),
        ]
    );
    let job = |name: &str, function: Option<&str>, options: Value, status: &str, error: Option<&str>| json!({ "job_name": name, "job_function_name": function, "job_options": options, "status": status, "error_message": error });
    assert_eq!(
        rows(
            connection,
            "SELECT job_name, job_function_name, job_options, status, error_message FROM job_executions ORDER BY id"
        )
        .await,
        [
            job("fails", None, Value::Null, "failed", Some("refused")),
            job("panics", None, Value::Null, "failed", panicked),
            job("panics early", None, Value::Null, "failed", panicked),
            job("unspeakable", None, Value::Null, "failed", Some("the error panicked while it was put into words")),
            job("meets", None, json!({ "n": 1 }), "completed", None),
            job("meets", Some("meet"), json!({ "n": 1 }), "completed", None),
        ]
    );
}

#[tokio::test]
async fn a_run_without_failures_completes_and_a_dropped_one_is_cancelled() {
    let db = common::database("recorder_modules_end").await;
    let recorder = Recorder::new(options(&db.app));
    let good = [undetected("a"), detected("b", || vec![Work::new("job", async |_| Ok::<_, Infallible>(1))])];
    let outcome = recorder.invocation("good").run(&good, Value::Null).await;
    assert!(outcome.is_ok() && outcome.events[1].detected && !outcome.events[0].detected);
    let never = [detected("b", || vec![Work::new("job", |_| std::future::pending::<io::Result<()>>())])];
    {
        let mut run = std::pin::pin!(recorder.invocation("dropped").run(&never, Value::Null));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // Work that is in no runtime at all.
    let outcome = futures_util::future::FutureExt::now_or_never(recorder.invocation("now").run(&good, Value::Null));
    assert!(outcome.unwrap().is_ok());
    assert!(recorder.flush(LONG));
    let connection = &mut common::session(&db.readonly).await;
    let row = |status: &str, invocation: Option<&str>, job: Option<&str>| json!({ "status": status, "invocation": invocation, "job": job });
    assert_eq!(
        rows(connection, "SELECT i.status, i.error_message AS invocation, j.error_message AS job FROM invocations i JOIN job_executions j ON j.invocation_id = i.id ORDER BY i.id").await,
        [row("completed", None, None), row("failed", Some("cancelled"), Some("cancelled")), row("completed", None, None)]
    );
}

#[tokio::test]
async fn spawned_jobs_are_recorded_however_their_task_ends() {
    let db = common::database("recorder_spawn").await;
    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("spawn").start();
    let handler = invocation.event("event").detected();
    let good = handler.job("good").spawn(async { Ok::<_, io::Error>(current().unwrap().name().to_owned()) });
    assert_eq!(good.await.unwrap().unwrap(), "good");
    let nested = handler.job("nested").spawn(async {
        let task = obs_tui::recorder::spawn(async { current().map(|job| job.name().to_owned()) });
        task.await.map_err(io::Error::other)
    });
    assert_eq!(nested.await.unwrap().unwrap().as_deref(), Some("nested"));
    let bad = handler.job("bad").spawn(async { panics(true) });
    assert!(bad.await.unwrap_err().is_panic());
    let aborted = handler.job("aborted").spawn(std::future::pending::<io::Result<()>>());
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
    assert!(current().is_none());
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG));
    let connection = &mut common::session(&db.readonly).await;
    let row = |name: &str, status: &str, error: Option<&str>| json!({ "job_name": name, "status": status, "error_message": error });
    assert_eq!(
        rows(connection, "SELECT job_name, status, error_message FROM job_executions ORDER BY id").await,
        [
            row("good", "completed", None),
            row("nested", "completed", None),
            row("bad", "failed", Some("panicked: on purpose")),
            row("aborted", "failed", Some("cancelled")),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_there_before_its_job_has_effects_if_that_is_asked_for() {
    let db = common::database("recorder_persist").await;
    let recorder = Recorder::new(Options { persist_before_run: Some(LONG), ..options(&db.app) });
    let invocation = recorder.invocation("persist").start();
    let handler = invocation.event("event").detected();
    let running = "SELECT count(*) FROM job_executions WHERE status = 'running'";
    let count = async || {
        let connection = &mut common::session(&db.readonly).await;
        Ok::<_, io::Error>(number(connection, running).await)
    };
    assert_eq!(handler.job("async").run(count()).await.unwrap(), 1);
    let runtime = tokio::runtime::Handle::current();
    let waits = std::thread::scope(|scope| {
        let job = handler.job("sync");
        let (count, runtime) = (&count, &runtime);
        let thread = scope.spawn(move || job.run_sync(|| runtime.block_on(count())));
        thread.join().unwrap()
    });
    assert_eq!(waits.unwrap(), 1);

    // Nobody answers there: the work is done all the same, after the time that was given.
    let time = Some(Duration::from_millis(50));
    let recorder = Recorder::new(Options { persist_before_run: time, ..options(&nowhere()) });
    let invocation = recorder.invocation("nowhere").start();
    let handler = invocation.event("event").detected();
    assert_eq!(handler.job("job").run(async { Ok::<_, io::Error>(7) }).await.unwrap(), 7);
    let job = handler.job("job").start();
    assert!(!job.persist(Duration::from_millis(10)).await);
    assert!(!Recorder::disabled().invocation("off").start().event("e").detected().job("j").start().persist(LONG).await);
    let _ = recorder.shutdown(Duration::ZERO);
}

//! Events of tracing as log lines of jobs, in the table.

use std::fmt;
use std::io;
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::{Class, Level, LogSink, Loss, Options, Reason, current, log_layer};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Instrument as _, debug, error, info, trace, warn};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{LONG, nowhere, number, options, rows};
use crate::common;

const LINES: &str = "SELECT job_name, level, message, data, source FROM job_logs l JOIN job_executions j ON j.id = l.job_execution_id ORDER BY l.id";

fn dispatch(level: LevelFilter) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(log_layer(level)))
}

fn line(job: &str, level: &str, message: &str, data: &Value) -> Value {
    json!({ "job_name": job, "level": level, "message": message, "data": data, "source": module_path!() })
}

/// Fails, and logs, when it is formatted.
struct Hostile(bool);

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!("logged while it is formatted");
        if self.0 { panic!("on purpose") } else { f.write_str("hostile") }
    }
}

#[tokio::test]
async fn events_inside_a_job_are_its_lines() {
    let db = common::database("recorder_layer").await;
    let recorder = Recorder::new(options(&db.app));
    let _default = tracing::dispatcher::set_default(&dispatch(LevelFilter::DEBUG));
    info!("outside");
    let invocation = recorder.invocation("layer").start();
    let handler = invocation.event("event").detected();
    info!("between");
    let work = async {
        info!(n = 7, big = 1.5, ok = true, name = "Zoë", text = ?[1, 2], "a {} message", "formatted");
        debug!(error = &io::Error::other("refused") as &dyn std::error::Error, "fails");
        trace!("too fine");
        info!(target: "sqlx::query", "select 1");
        info!(target: "obs_tui::recorder", "own");
        warn!(value = ?Hostile(false), "hostile");
        warn!(value = ?Hostile(true), "panics");
        // Time passes: others are polled on this thread.
        tokio::task::yield_now().await;
        let inner = handler.job("inner").run(async {
            error!(nul = "a\0b", "in\0ner");
            Ok::<_, io::Error>(())
        });
        inner.await.unwrap();
        info!("back");
        Ok::<_, io::Error>(())
    };
    let other = async {
        info!("not in a job");
        tokio::task::yield_now().await;
        info!("nor now");
    };
    let (done, ()) = tokio::join!(handler.job("outer").run(work), other);
    done.unwrap();
    let sync = || {
        info!("sync");
        Ok::<_, io::Error>(())
    };
    handler.job("sync").run_sync(sync).unwrap();
    let job = handler.job("entered").start();
    {
        let _entered = job.enter();
        info!("entered");
    }
    info!("left");
    job.log(Level::WARN, "direct", &json!({ "a": 1 }));
    job.log(Level::TRACE, "bare", &());
    job.complete(&());
    handler.finish();
    invocation.finish();
    assert!(current().is_none());
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let connection = &mut common::session(&db.readonly).await;
    let direct = |level: &str, message: &str, data: Value| json!({ "job_name": "entered", "level": level, "message": message, "data": data, "source": "entered" });
    assert_eq!(
        rows(connection, LINES).await,
        [
            line(
                "outer",
                "info",
                "a formatted message",
                &json!({ "n": 7, "big": 1.5, "ok": true, "name": "Zoë", "text": "[1, 2]" })
            ),
            line("outer", "debug", "fails", &json!({ "error": "refused" })),
            line("outer", "warn", "hostile", &json!({ "value": "hostile" })),
            line("inner", "error", "in\u{fffd}ner", &json!({ "nul": "a\u{fffd}b" })),
            line("outer", "info", "back", &Value::Null),
            line("sync", "info", "sync", &Value::Null),
            line("entered", "info", "entered", &Value::Null),
            direct("warn", "direct", json!({ "a": 1 })),
            direct("trace", "bare", Value::Null),
        ]
    );
}

#[test]
fn tasks_of_many_threads_keep_their_job_and_nothing_recurs_at_trace() {
    // For all threads of this program, also those of the recorders: their events and sqlx's are no lines.
    tracing::dispatcher::set_global_default(dispatch(LevelFilter::TRACE)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let db = common::database("recorder_layer_threads").await;
        let recorder = Recorder::new(Options { flush_interval: Duration::from_millis(1), ..options(&db.app) });
        let invocation = recorder.invocation("threads").start();
        let handler = invocation.event("event").detected();
        let jobs: Vec<_> = (0..8)
            .map(|n| {
                let config = db.app.clone();
                handler.job(&n.to_string()).spawn(async move {
                    let tasks = (0..20).map(|step| async move {
                        tokio::task::yield_now().await;
                        info!(n, step, "step");
                    });
                    // By our spawn, and by a span.
                    let own: Vec<_> = tasks.clone().map(obs_tui::recorder::spawn).collect();
                    let spans = tasks.map(|task| tokio::spawn(task.instrument(tracing::debug_span!("task"))));
                    let current: Vec<_> = own.into_iter().chain(spans).collect();
                    let session = &mut common::session(&config).await;
                    assert_eq!(number(session, "SELECT 1::int8").await, 1);
                    for task in current {
                        task.await.map_err(io::Error::other)?;
                    }
                    Ok::<_, io::Error>(())
                })
            })
            .collect();
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        handler.finish();
        invocation.finish();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let connection = &mut common::session(&db.readonly).await;
        let own = "SELECT count(*) FROM job_logs l JOIN job_executions j ON j.id = job_execution_id WHERE message = 'step' AND job_name = data->>'n'";
        assert_eq!(number(connection, own).await, 8 * 40);
        let foreign = "SELECT count(*) FROM job_logs WHERE source LIKE 'sqlx%' OR source LIKE 'obs_tui%'";
        assert_eq!(number(connection, foreign).await, 0);
        let wrong = "SELECT count(*) FROM job_logs l JOIN job_executions j ON j.id = job_execution_id WHERE message = 'step' AND job_name <> data->>'n'";
        assert_eq!(number(connection, wrong).await, 0);
    });
}

#[tokio::test]
async fn a_span_that_others_filter_out_takes_no_line_away() {
    let db = common::database("recorder_layer_filter").await;
    let recorder = Recorder::new(options(&db.app));
    // Global, as `RUST_LOG=it=info` would be: the span of the job itself is hidden.
    let targets = tracing_subscriber::filter::Targets::new().with_target(module_path!(), LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry().with(log_layer(LevelFilter::INFO)).with(targets);
    let _default = tracing::dispatcher::set_default(&Dispatch::new(subscriber));
    let invocation = recorder.invocation("filter").start();
    let handler = invocation.event("event").detected();
    let work = async {
        info!("kept");
        let task = obs_tui::recorder::spawn(async { info!("kept in a task") });
        task.await.map_err(io::Error::other)
    };
    handler.job("job").run(work).await.unwrap();
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG));
    let connection = &mut common::session(&db.readonly).await;
    let expected = ["kept", "kept in a task"].map(|text| line("job", "info", text, &Value::Null));
    assert_eq!(rows(connection, LINES).await, expected);
}

#[tokio::test]
async fn lines_are_bounded_cut_and_dropped_first() {
    let db = common::database("recorder_layer_bounds").await;
    let recorder = Recorder::new(Options { memory_limit: 1 << 20, ..options(&nowhere()) });
    let invocation = recorder.invocation("bounds").start();
    let handler = invocation.event("event").detected();
    let job = handler.job("job").start();
    let long = "é".repeat(100_000);
    for _ in 0..100 {
        job.log(Level::INFO, &long, &());
    }
    let stats = recorder.stats();
    assert!(stats.buffered_bytes < 1 << 19, "{stats:?}");
    let kept = stats.buffered - 4;
    assert!((5..100).contains(&kept), "{stats:?}");
    assert_eq!(stats.losses, [Loss { class: Class::Log, reason: Reason::BufferFull, records: 100 - kept }]);
    // Rows still have room.
    job.complete(&());
    handler.finish();
    invocation.finish();
    assert_eq!(recorder.stats().dropped, 100 - kept);
    let _ = recorder.shutdown(Duration::ZERO);

    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("cut").start();
    let handler = invocation.event("event").detected();
    let job = handler.job("job").start();
    job.log(Level::INFO, &long, &());
    job.complete(&());
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG));
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(
            connection,
            "SELECT octet_length(message) < 66000 AS cut, message LIKE '%… (134464 bytes more)' AS said FROM job_logs"
        )
        .await,
        [json!({ "cut": true, "said": true })]
    );
}

#[tokio::test]
async fn lines_that_are_not_wanted_or_have_no_table_are_left_out() {
    let db = common::database("recorder_layer_off").await;
    let off = |change: fn(&mut Options)| {
        let mut options = options(&db.app);
        change(&mut options);
        Recorder::new(options)
    };
    let connection = &mut common::session(&db.admin).await;
    let log = |recorder: &Recorder| {
        let invocation = recorder.invocation("off").start();
        let handler = invocation.event("event").detected();
        let job = handler.job("job").start();
        job.log(Level::INFO, "line", &());
        job.complete(&());
        handler.finish();
        invocation.finish();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    };
    for recorder in [off(|options| options.logs = LogSink::Off), off(|options| options.capture_console_log = false)] {
        log(&recorder);
        assert_eq!((recorder.stats().recorded, recorder.stats().dropped), (super::records(1), 0));
    }
    assert_eq!(number(connection, "SELECT count(*) FROM job_logs").await, 0);
    sqlx::Executor::execute(&mut *connection, "DROP TABLE job_logs").await.unwrap();
    let recorder = off(|_| ());
    log(&recorder);
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Log, reason: Reason::Refused, records: 1 }]);
    assert_eq!((stats.written, stats.buffered), (super::records(1), 0));
    assert!(stats.last_error.unwrap().contains("job_logs"));
    assert_eq!(number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await, 3);
}

//! Servers that are killed, stopped, cut off in the middle of an answer, or that change their mind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::Options;
use obs_tui::store::config::Config;
use serde_json::json;
use sqlx::Executor;

use super::{LONG, chain, cluster, failing, number, options, records, rows, until};
use crate::common;

const JOBS: &str = "SELECT count(*) FROM job_executions WHERE status = 'completed'";
/// The sessions of the writer in this database.
const WRITERS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'observability_app' AND datname = current_database()";

fn signal(name: &str, pid: i64) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn a_backend_killed_in_mid_statement_loses_nothing() {
    let (cluster, roles) = cluster("recorder_backend").await;
    let recorder = Recorder::new(options(&roles.app));
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let admin = &mut common::session(&roles.admin).await;
    admin.execute("BEGIN; LOCK TABLE job_executions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    chain(&recorder, 5);
    assert!(!recorder.flush(Duration::from_millis(50)));
    let superuser = &mut common::session(&cluster.superuser()).await;
    let waiting = "SELECT coalesce(min(pid), 0)::int8 FROM pg_stat_activity WHERE usename = 'observability_app' AND wait_event_type = 'Lock'";
    until(async || number(superuser, waiting).await != 0).await;
    // The server ends all other sessions too, and recovers.
    signal("-9", number(superuser, waiting).await);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (2 * records(5), 0, 0));
    let connection = &mut common::session(&roles.readonly).await;
    assert_eq!(number(connection, JOBS).await, 10);
}

#[tokio::test]
async fn a_server_killed_while_it_writes_loses_and_doubles_nothing() {
    let (mut cluster, roles) = cluster("recorder_server").await;
    let recorder = Recorder::new(Options { batch_size: 50, ..options(&roles.app) });
    for _ in 0..3 {
        (0..200).for_each(|_| chain(&recorder, 5));
        // Batches are on their way.
        assert!(recorder.stats().recorded > 0);
        signal("-9", cluster.pid().unwrap().into());
        (0..100).for_each(|_| chain(&recorder, 5));
        cluster.restart().unwrap();
    }
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (900 * records(5), 0, 0));
    let connection = &mut common::session(&roles.readonly).await;
    let counts = "SELECT (SELECT count(*) FROM job_executions) AS jobs, (SELECT count(*) FROM job_executions WHERE status = 'completed') AS done";
    assert_eq!(rows(connection, counts).await, [json!({ "jobs": 4500, "done": 4500 })]);
}

/// Passes bytes on in both directions. While `cut` is set, the next answer of the server is swallowed and the
/// connection closed instead.
fn proxy(port: u16, cut: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut server, mut client, cut) = (server, client, Arc::clone(&cut));
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                let (mut swallowing, mut swallowed) = (false, Vec::new());
                while let Ok(length @ 1..) = server.read(&mut buffer) {
                    swallowing |= cut.load(Ordering::Acquire);
                    if !swallowing {
                        client.write_all(&buffer[..length]).unwrap();
                        continue;
                    }
                    swallowed.extend_from_slice(&buffer[..length]);
                    // The completed command, after which the server is ready outside a transaction: it has committed.
                    let ready = swallowed.ends_with(b"Z\0\0\0\x05I");
                    if ready && swallowed.windows(6).any(|bytes| bytes == b"SELECT") {
                        cut.store(false, Ordering::Release);
                        break;
                    }
                    // Ready, but with nothing done: a statement was prepared.
                    if ready {
                        client.write_all(&swallowed).unwrap();
                        swallowed.clear();
                    }
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
                let _ = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    own
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_commit_doubles_nothing() {
    let db = common::database("recorder_unanswered").await;
    let cut = Arc::new(AtomicBool::new(false));
    let mut through = db.app.clone();
    through.port = proxy(db.app.port, Arc::clone(&cut));
    let recorder = Recorder::new(options(&through));
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    for _ in 0..3 {
        cut.store(true, Ordering::Release);
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        assert!(!cut.load(Ordering::Acquire), "an answer was swallowed");
    }
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (4 * records(5), 0, 0));
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM job_executions").await, 20);
    assert_eq!(number(connection, JOBS).await, 20);
}

#[tokio::test]
async fn a_stopped_server_delays_nobody_and_then_gets_everything() {
    let (cluster, roles) = cluster("recorder_stopped").await;
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(options(&roles.app));
    let spooling =
        Recorder::new(Options { spool: Some(dir.path().to_owned()), memory_limit: 256 << 10, ..options(&roles.app) });
    for recorder in [&recorder, &spooling] {
        chain(recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    }
    let superuser = &mut common::session(&cluster.superuser()).await;
    let mut pids: Vec<i64> =
        sqlx::query_scalar("SELECT pid::int8 FROM pg_stat_activity WHERE usename = 'observability_app'")
            .fetch_all(superuser)
            .await
            .unwrap();
    assert_eq!(pids.len(), 2);
    pids.push(cluster.pid().unwrap().into());
    pids.iter().for_each(|pid| signal("-STOP", *pid));
    // Whoever waited for the server here would wait for ever.
    (0..300).for_each(|_| chain(&recorder, 5));
    assert!(!recorder.flush(Duration::from_millis(100)));
    // More than the memory holds: it goes to the spool although the statement has not failed.
    for _ in 0..600 {
        chain(&spooling, 5);
        let mut patience = 2000;
        while spooling.stats().buffered_bytes > 192 << 10 && patience > 0 {
            spooling.flush(Duration::from_millis(1));
            patience -= 1;
        }
    }
    let stats = spooling.stats();
    pids.iter().for_each(|pid| signal("-CONT", *pid));
    assert!(stats.spooled > 0 && stats.dropped == 0, "{stats:?}");
    for (recorder, chains) in [(&recorder, 301), (&spooling, 601)] {
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let stats = recorder.stats();
        assert_eq!((stats.written, stats.dropped, stats.spooled), (chains * records(5), 0, 0), "{stats:?}");
    }
    let connection = &mut common::session(&roles.readonly).await;
    assert_eq!(number(connection, JOBS).await, 902 * 5);
}

#[tokio::test]
async fn a_clock_that_jumps_changes_no_outcome() {
    let db = common::database("recorder_clock").await;
    let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let ids = obs_tui::clock::Ids::random(clock.clone());
    let recorder = Recorder::new(Options { clock: clock.clone(), ids, ..options(&db.app) });
    for hours in [-1, 1, -2, 2] {
        let invocation = recorder.invocation("jumps").start();
        let handler = invocation.event("event").detected();
        let job = handler.job("job").start();
        assert!(recorder.flush(LONG));
        clock.advance(TimeDelta::hours(hours));
        job.complete(&hours);
        handler.finish();
        invocation.finish();
    }
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!((recorder.stats().written, recorder.stats().dropped), (4 * records(1), 0));
    let connection = &mut common::session(&db.readonly).await;
    let hour = 3_600_000;
    assert_eq!(
        rows(connection, "SELECT result, duration_ms AS ms, status FROM job_executions ORDER BY id").await,
        [(-1, 0), (1, hour), (-2, 0), (2, 2 * hour)]
            .map(|(result, ms)| json!({ "result": result, "ms": ms, "status": "completed" }))
    );
    assert_eq!(number(connection, "SELECT count(*) FROM invocations WHERE status = 'completed'").await, 4);
}

#[tokio::test]
async fn a_right_that_is_taken_away_and_given_back_loses_nothing() {
    let db = common::database("recorder_revoked").await;
    let recorder = Recorder::new(options(&db.app));
    chain(&recorder, 2);
    assert!(recorder.flush(LONG));
    let admin = &mut common::session(&db.admin).await;
    admin.execute("REVOKE INSERT ON job_executions FROM observability_app").await.unwrap();
    chain(&recorder, 2);
    let stats = failing(&recorder, "permission denied");
    assert_eq!((stats.buffered, stats.dropped), (records(2), 0));
    // A column that is new to this recorder disturbs nobody.
    admin
        .execute("GRANT INSERT ON job_executions TO observability_app; ALTER TABLE job_executions ADD newer text")
        .await
        .unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!(recorder.stats().written, 2 * records(2));
}

#[tokio::test]
async fn a_value_that_panics_costs_nothing_but_itself() {
    struct Panics;
    impl serde::Serialize for Panics {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("on purpose")
        }
    }
    let db = common::database("recorder_serialize").await;
    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("panics").payload(&Panics).start();
    let handler = invocation.event("event").detected();
    handler.job("job").options(&Panics).start().complete(&Panics);
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG));
    assert_eq!((recorder.stats().written, recorder.stats().dropped), (records(1), 0));
    let connection = &mut common::session(&db.readonly).await;
    let told = json!({ "serialization_error": "the value panicked while it was serialized" });
    assert_eq!(
        rows(connection, "SELECT source_event_payload AS p, job_options AS o, result AS r FROM invocations i JOIN job_executions ON invocation_id = i.id").await,
        [json!({ "p": told, "o": told, "r": told })]
    );
}

/// Starts one test of this file as another process, which finds the database in a variable.
fn host(test: &str, variable: &str, config: &Config) -> Child {
    let password = config.password.as_ref().unwrap().reveal();
    let url = format!("postgres://{}:{password}@{}:{}/{}", config.user, config.host, config.port, config.database);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("recorder::outage::{test}"), "--nocapture"])
        .env(variable, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The test starts itself as a host, so that there is no other recorder in the process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_recorder_is_never_woken() {
    const HOST: &str = "OBS_TUI_TEST_IDLE";
    /// How often the flusher has gone to sleep; none before there is one.
    fn switches() -> Option<u64> {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let status = threads.map(read).find(|status| status.starts_with("Name:\tobs-recorder"))?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some(count.trim().parse().unwrap())
    }
    if let Some(url) = std::env::var_os(HOST) {
        let options = Options::from_url(url.to_str().unwrap());
        let recorder = Recorder::new(Options { flush_interval: Duration::from_millis(10), ..options });
        assert_eq!(switches(), None, "nothing has been recorded");
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        // That nothing happens can only be seen by waiting.
        let (_never, nothing) = std::sync::mpsc::channel::<()>();
        let pause = |millis| nothing.recv_timeout(Duration::from_millis(millis)).is_err();
        let mut before = switches();
        while pause(100) && switches() != before {
            before = switches();
        }
        assert!(pause(1000) && before.is_some());
        assert_eq!(switches(), before);
        chain(&recorder, 5);
        super::comes_to_pass(|| pause(1) && recorder.stats().written == 2 * records(5));
        return;
    }
    let db = common::database("recorder_idle").await;
    let mut host = host("an_idle_recorder_is_never_woken", HOST, &db.app);
    BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok).for_each(drop);
    assert!(host.wait().unwrap().success());
}

/// The test starts itself as a host that shuts down when it is told to end.
#[tokio::test]
async fn a_host_that_is_told_to_end_writes_what_is_waiting() {
    const HOST: &str = "OBS_TUI_TEST_TERMINATED";
    if let Some(url) = std::env::var_os(HOST) {
        let recorder = Recorder::new(Options { flush_interval: LONG, ..Options::from_url(url.to_str().unwrap()) });
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        (0..40).for_each(|_| chain(&recorder, 5));
        println!("\nready");
        terminated.recv().await;
        let end = recorder.shutdown(LONG);
        assert_eq!((end.written, end.dropped), (40 * records(5), 0));
        return;
    }
    let db = common::database("recorder_terminated").await;
    let mut host = host("a_host_that_is_told_to_end_writes_what_is_waiting", HOST, &db.app);
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "ready"));
    signal("-TERM", host.id().into());
    lines.for_each(drop);
    assert!(host.wait().unwrap().success());
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, JOBS).await, 200);
    // The session of a process that has ended.
    until(async || number(connection, WRITERS).await == 0).await;
}

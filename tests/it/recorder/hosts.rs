//! What happens to the process that records: it forks, is frozen, runs out of its runtime; and how much memory it needs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fork::Fork;
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Handler, Options};
use obs_tui::store::config::Config;
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::json;
use sqlx::Executor;

use super::{LONG, chain, nowhere, number, options, records, rows, until};
use crate::common;

/// Tells the program that it is the host of a test, and which database it has.
const HOST: &str = "OBS_TUI_TEST_HOST";
const COUNTS: &str = "SELECT (SELECT count(*) FROM job_executions WHERE status = 'completed') AS done, (SELECT count(*) FROM job_executions) AS jobs";

/// The database, in the process that is the host.
fn given() -> Option<Config> {
    Some(Config::from_url(std::env::var_os(HOST)?.to_str().unwrap()).unwrap())
}

/// Starts one test of this file as another process.
fn host(test: &str, config: &Config, variables: &[(&str, &str)]) -> Child {
    let password = config.password.as_ref().unwrap().reveal();
    let url = format!("postgres://{}:{password}@{}:{}/{}", config.user, config.host, config.port, config.database);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("recorder::hosts::{test}"), "--nocapture"]).env(HOST, url);
    command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn lines(host: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok)
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// Runs `work` in a fork of this process, and waits until it ends. True if it went through.
fn in_fork(work: impl FnOnce()) -> bool {
    match fork::fork().unwrap() {
        Fork::Child => {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            std::process::exit(i32::from(outcome.is_err()));
        }
        Fork::Parent(pid) => {
            let clock = Clock::system();
            loop {
                if let Some(status) = fork::waitpid_nohang(pid).unwrap() {
                    return status == 0;
                }
                assert!(clock.elapsed() < LONG, "the fork hangs");
                std::thread::yield_now();
            }
        }
    }
}

/// The host forks while its recorder is at work: at any moment, with whatever locks are held.
#[tokio::test]
async fn a_fork_neither_hangs_nor_sends_what_its_parent_sends() {
    const FORKS: u64 = 20;
    if let Some(config) = given() {
        let recorder = Recorder::new(Options { batch_size: 50, ..options(&config) });
        for _ in 0..FORKS {
            (0..20).for_each(|_| chain(&recorder, 5));
            let forked = in_fork(|| {
                (0..200).for_each(|_| chain(&recorder, 5));
                assert!(!recorder.flush(LONG), "its flusher is not here");
                let stats = recorder.stats();
                assert!(stats.written == 0 && stats.last_error.unwrap().contains("fork"));
                let end = recorder.shutdown(LONG);
                assert_eq!((end.written, end.dropped), (0, 0));
            });
            assert!(forked);
        }
        // One that is made in the fork, or that nothing was recorded with before, works as ever.
        let unused = Recorder::new(options(&config));
        let forked = in_fork(|| {
            for recorder in [&unused, &Recorder::new(options(&config))] {
                chain(recorder, 5);
                assert!(recorder.flush(LONG), "{:?}", recorder.stats());
            }
        });
        assert!(forked);
        let end = recorder.shutdown(LONG);
        assert_eq!((end.written, end.dropped), (FORKS * 20 * records(5), 0));
        return;
    }
    let db = common::database("recorder_fork").await;
    let mut host = host("a_fork_neither_hangs_nor_sends_what_its_parent_sends", &db.app, &[]);
    lines(&mut host).for_each(drop);
    assert!(host.wait().unwrap().success());
    let connection = &mut common::session(&db.readonly).await;
    let jobs = (FORKS * 20 + 2) * 5;
    assert_eq!(rows(connection, COUNTS).await, [json!({ "done": jobs, "jobs": jobs })]);
}

/// The host is frozen in mid-statement, as a function between two calls; meanwhile the server ends its session.
#[tokio::test]
async fn a_host_that_was_frozen_goes_on_where_it_was() {
    if let Some(config) = given() {
        let recorder = Recorder::new(options(&config));
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        println!("\nready");
        std::io::stdin().lock().read_line(&mut String::new()).unwrap();
        (0..40).for_each(|_| chain(&recorder, 5));
        println!("recorded");
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let end = recorder.shutdown(LONG);
        assert_eq!((end.written, end.dropped), (41 * records(5), 0));
        return;
    }
    let db = common::database("recorder_frozen").await;
    let mut host = host("a_host_that_was_frozen_goes_on_where_it_was", &db.app, &[]);
    let mut lines = lines(&mut host);
    assert!(lines.any(|line| line == "ready"));
    let admin = &mut common::session(&db.admin).await;
    admin.execute("BEGIN; LOCK TABLE job_executions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    host.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(lines.any(|line| line == "recorded"));
    let superuser = &mut common::session(&db.superuser).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'observability_app' AND wait_event_type = 'Lock'";
    until(async || number(superuser, waiting).await == 1).await;
    signal("-STOP", host.id());
    let state = || std::fs::read_to_string(format!("/proc/{}/status", host.id())).unwrap();
    until(async || state().contains("State:\tT")).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'observability_app'";
    assert_eq!(number(superuser, end).await, 1);
    admin.execute("ROLLBACK").await.unwrap();
    signal("-CONT", host.id());
    lines.for_each(drop);
    assert!(host.wait().unwrap().success());
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(rows(connection, COUNTS).await, [json!({ "done": 205, "jobs": 205 })]);
}

/// The host and its session at the server are frozen for longer than an attempt may take: after the thaw the host gives
/// up the statement, which goes on all the same when the server thaws too.
#[tokio::test]
async fn a_host_that_was_frozen_for_longer_than_an_attempt_may_take_writes_once() {
    const TIME: Duration = Duration::from_secs(1);
    if let Some(config) = given() {
        let recorder = Recorder::new(Options { write_timeout: TIME, retry_attempts: u32::MAX, ..options(&config) });
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        println!("\nready");
        std::io::stdin().lock().read_line(&mut String::new()).unwrap();
        (0..40).for_each(|_| chain(&recorder, 5));
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        assert!(recorder.stats().last_error.unwrap().contains("took too long"));
        let end = recorder.shutdown(LONG);
        assert_eq!((end.written, end.dropped), (41 * records(5), 0));
        return;
    }
    let db = common::database("recorder_frozen_long").await;
    let mut host = host("a_host_that_was_frozen_for_longer_than_an_attempt_may_take_writes_once", &db.app, &[]);
    let mut lines = lines(&mut host);
    assert!(lines.any(|line| line == "ready"));
    let admin = &mut common::session(&db.admin).await;
    admin.execute("BEGIN; LOCK TABLE job_executions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    host.stdin.take().unwrap().write_all(b"\n").unwrap();
    let superuser = &mut common::session(&db.superuser).await;
    let waiting = "SELECT coalesce(min(pid), 0)::int8 FROM pg_stat_activity WHERE datname = current_database() \
        AND usename = 'observability_app' AND wait_event_type = 'Lock'";
    // The server may end the statement at any time, until its session is stopped.
    let session = loop {
        until(async || number(superuser, waiting).await != 0).await;
        let Ok(session @ 1..) = u32::try_from(number(superuser, waiting).await) else { continue };
        signal("-STOP", session);
        if number(superuser, waiting).await == i64::from(session) {
            break session;
        }
        signal("-CONT", session);
    };
    signal("-STOP", host.id());
    // That time passes can only be seen by waiting.
    tokio::time::sleep(TIME * 2).await;
    admin.execute("ROLLBACK").await.unwrap();
    signal("-CONT", host.id());
    lines.for_each(drop);
    assert!(host.wait().unwrap().success());
    signal("-CONT", session);
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'observability_app'";
    until(async || number(superuser, sessions).await == 0).await;
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(rows(connection, COUNTS).await, [json!({ "done": 205, "jobs": 205 })]);
}

#[test]
fn runtimes_that_end_or_have_one_thread_are_no_obstacle() {
    let single = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = single();
    let db = runtime.block_on(common::database("recorder_runtimes"));
    let recorder = Recorder::new(options(&db.app));
    let handler: Handler = runtime.block_on(async {
        let handler = recorder.invocation("one thread").start().event("event").detected();
        let done = handler.job("done").start();
        let task = handler.job("task of a runtime that ends").start();
        // Never polled again: the runtime drops it.
        drop(task.spawn(std::future::pending::<Result<(), std::io::Error>>()));
        assert!(done.persist(LONG).await, "blocks no runtime of one thread");
        done.complete(&1);
        assert!(recorder.flush(LONG));
        handler
    });
    runtime.shutdown_background();
    handler.job("after the runtime").start().complete(&2);
    handler.finish();
    // The last handle is dropped inside a runtime of one thread, which it blocks but needs not.
    single().block_on(async move { drop(recorder) });
    let jobs = single().block_on(async {
        let connection = &mut common::session(&db.readonly).await;
        rows(connection, "SELECT job_name AS name, status, error_message AS error FROM job_executions ORDER BY id")
            .await
    });
    let row = |name: &str, status: &str, error: Option<&str>| json!({ "name": name, "status": status, "error": error });
    assert_eq!(
        jobs,
        [
            row("done", "completed", None),
            row("task of a runtime that ends", "failed", Some("cancelled")),
            row("after the runtime", "completed", None),
        ]
    );
}

/// JSON of so many mebibytes, which is never in memory as a whole.
struct Huge(usize);

impl Serialize for Huge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let text = "x".repeat(1024);
        (0..self.0 * 1024).try_for_each(|_| list.serialize_element(&text))?;
        list.end()
    }
}

/// KiB.
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// What it takes more than before, at its peak, KiB; the rest of the work is not counted.
fn grown(config: &Config, fault: &str, spool: &Path) -> u64 {
    // Code and threads are there before it is measured.
    let first = Recorder::new(options(config));
    chain(&first, 5);
    assert!(first.flush(LONG), "{:?}", first.stats());
    drop(first);
    let before = resident("VmHWM:");
    let spool = spool.to_owned();
    let options = match fault {
        "away" => options(&nowhere()),
        "away, spool" => Options { spool: Some(spool), ..options(&nowhere()) },
        "slow, spool" => Options { spool: Some(spool), batch_size: 100, ..options(config) },
        _ => options(config),
    };
    let recorder = Recorder::new(Options { memory_limit: usize::try_from(LIMIT * 1024).unwrap(), ..options });
    let text = "x".repeat(1000);
    if fault == "huge" {
        let handler = recorder.invocation("huge").payload(&Huge(200)).start().event("event").detected();
        let text = "x".repeat(100_000);
        (0..100).for_each(|_| handler.job("large").options(&Huge(1)).start().complete(&text));
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        handler.job("huge").start().complete(&Huge(200));
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    } else {
        for _ in 0..4000 {
            let handler = recorder.invocation("many").payload(&text).start().event("event").detected();
            (0..5).for_each(|n| handler.job("job").start().complete(&n));
        }
    }
    recorder.flush(Duration::from_millis(500));
    let grown = resident("VmHWM:") - before;
    let stats = recorder.stats();
    let known = stats.written + stats.spooled + stats.quarantined + stats.dropped + stats.buffered;
    assert_eq!(stats.recorded, known, "{stats:?}");
    std::mem::forget(recorder);
    grown
}

/// KiB.
const LIMIT: u64 = 8 << 10;

#[tokio::test]
async fn memory_stays_within_the_limit_and_four_mebibytes() {
    const FAULT: &str = "OBS_TUI_TEST_FAULT";
    const SPOOL: &str = "OBS_TUI_TEST_SPOOL_DIR";
    if let Some(config) = given() {
        let grown = grown(&config, &std::env::var(FAULT).unwrap(), Path::new(&std::env::var_os(SPOOL).unwrap()));
        println!("\ngrown {grown}");
        return;
    }
    let db = common::database("recorder_memory").await;
    let test = "memory_stays_within_the_limit_and_four_mebibytes";
    for fault in ["away", "away, spool", "huge", "slow, spool"] {
        if fault.starts_with("slow") {
            let admin = &mut common::session(&db.admin).await;
            admin.execute(super::SLOW).await.unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let mut host = host(test, &db.app, &[(FAULT, fault), (SPOOL, dir.path().to_str().unwrap())]);
        let told: Vec<String> = lines(&mut host).collect();
        let grown: u64 = told.iter().find_map(|line| line.strip_prefix("grown ")?.parse().ok()).unwrap();
        assert!(host.wait().unwrap().success());
        assert!(grown <= LIMIT + (4 << 10), "{fault}: {grown} KiB");
        println!("{fault}: {grown} KiB of {LIMIT}");
    }
    let connection = &mut common::session(&db.readonly).await;
    let truncated = "SELECT count(*) FROM job_executions j JOIN invocations i ON i.id = invocation_id \
        WHERE j.result ->> '_truncated' = 'true' AND source_event_payload ->> '_truncated' = 'true'";
    assert_eq!(number(connection, truncated).await, 1);
}

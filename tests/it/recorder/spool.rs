//! What is kept in files: while the server is away, when the host is killed, when the disk is full, and what is refused.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Class, Level, Loss, Options, Reason, Stats};
use obs_tui::store::config::Config;
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::Executor;

use super::{LONG, chain, cluster, comes_to_pass, failing, nowhere, number, options, records, rows, until};
use crate::common;

/// Tells the program that it is the host of the test, and where the spool is.
const HOST: &str = "OBS_TUI_TEST_SPOOL";

fn spooling(config: &Config, dir: &Path) -> Options {
    Options { spool: Some(dir.to_owned()), ..options(config) }
}

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let folders = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect()
}

fn adds_up(stats: &Stats) {
    let known = stats.written + stats.spooled + stats.quarantined + stats.dropped + stats.buffered;
    assert_eq!(stats.recorded, known, "{stats:?}");
}

/// Starts one test of this file as another process, which sees the spool's folder.
fn host(test: &str, dir: &Path, before: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let shell = format!("{before} exec \"$0\" --exact \"recorder::spool::{test}\" --nocapture");
    Command::new("sh").args(["-c", &shell]).arg(program).env(HOST, dir).stdout(Stdio::piped()).spawn().unwrap()
}

/// How much a host says it has spooled, and what it prints later.
fn told(host: &mut Child) -> (u64, impl Iterator<Item = String> + use<>) {
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = lines.find_map(|line| line.strip_prefix("spooled ")?.parse().ok()).unwrap();
    (number, lines)
}

#[tokio::test]
async fn while_the_server_is_away_records_are_in_the_spool_and_memory_is_free() {
    let (mut cluster, roles) = cluster("recorder_spooled").await;
    let dir = tempfile::tempdir().unwrap();
    // All of it would not fit into memory.
    let recorder = Recorder::new(Options { memory_limit: 256 << 10, ..spooling(&roles.app, dir.path()) });
    (0..20).for_each(|_| chain(&recorder, 5));
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    let mut total = 20 * records(5);
    for _ in 0..40 {
        (0..20).for_each(|_| chain(&recorder, 5));
        total += 20 * records(5);
        until(async || !recorder.flush(Duration::from_millis(20)) && recorder.stats().buffered == 0).await;
    }
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!((stats.recorded, stats.spooled, stats.buffered, stats.dropped), (total, total - 20 * records(5), 0, 0));
    assert_eq!(stats.buffered_bytes, 0);
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.spooled, stats.quarantined, stats.dropped), (total, 0, 0, 0));
    assert!(segments(dir.path()).is_empty());
    let connection = &mut common::session(&roles.readonly).await;
    let jobs = "SELECT count(*) FROM job_executions WHERE status = 'completed'";
    assert_eq!(number(connection, jobs).await, 820 * 5);
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.spooled, end.dropped), (total, 0, 0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_shutdown_without_a_server_spools_and_the_next_process_writes_even_twice() {
    let db = common::database("recorder_replay").await;
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recorder = Recorder::new(spooling(&nowhere(), dir.path()));
    (0..30).for_each(|_| chain(&recorder, 5));
    let clock = Clock::system();
    let end = recorder.shutdown(20 * LONG);
    assert!(clock.elapsed() < LONG, "with a spool there is nothing to wait for");
    assert_eq!((end.written, end.spooled, end.dropped), (0, 30 * records(5), 0));
    adds_up(&recorder.stats());
    // The same segments in two spools, written at once by two recorders.
    assert!(Command::new("cp").arg("-r").arg(dir.path().join(".")).arg(copy.path()).status().unwrap().success());
    let dirs = [dir.path(), copy.path()];
    let replays = dirs.map(|dir| Recorder::new(spooling(&db.app, dir)));
    std::thread::scope(|scope| {
        for recorder in &replays {
            scope.spawn(|| {
                comes_to_pass(|| {
                    assert!(recorder.flush(LONG));
                    assert_eq!(recorder.stats().dropped, 0);
                    recorder.stats().replayed >= 30 * records(5)
                });
            });
        }
    });
    for recorder in &replays {
        let stats = recorder.stats();
        assert_eq!((stats.recorded, stats.written, stats.replayed, stats.spooled), (0, 0, 30 * records(5), 0));
        let _ = recorder.shutdown(LONG);
    }
    assert!(dirs.iter().all(|dir| std::fs::read_dir(dir).unwrap().count() == 0));
    let connection = &mut common::session(&db.readonly).await;
    let counts = "SELECT (SELECT count(*) FROM invocations WHERE status = 'completed' AND total_jobs_succeeded = 5) AS i, \
        (SELECT count(*) FROM event_executions WHERE status = 'completed') AS e, \
        (SELECT count(*) FROM job_executions WHERE status = 'completed') AS j, (SELECT count(*) FROM job_executions) AS jobs";
    assert_eq!(rows(connection, counts).await, [json!({ "i": 30, "e": 30, "j": 150, "jobs": 150 })]);
}

/// The test starts itself as the host, kills it, and replays what it left, with a torn end.
#[tokio::test]
async fn a_killed_host_leaves_its_spool() {
    if let Some(dir) = std::env::var_os(HOST) {
        let recorder = Recorder::new(spooling(&nowhere(), Path::new(&dir)));
        (0..50).for_each(|_| chain(&recorder, 5));
        comes_to_pass(|| {
            recorder.flush(Duration::from_millis(20));
            recorder.stats().buffered == 0
        });
        println!("\nspooled {}", recorder.stats().spooled);
        loop {
            std::thread::park();
        }
    }
    let db = common::database("recorder_host_killed").await;
    let dir = tempfile::tempdir().unwrap();
    let mut host = host("a_killed_host_leaves_its_spool", dir.path(), "");
    let (spooled, _lines) = told(&mut host);
    assert_eq!(spooled, 50 * records(5));
    let recorder = Recorder::new(spooling(&db.app, dir.path()));
    assert!(recorder.flush(LONG));
    assert_eq!(recorder.stats().replayed, 0, "its owner lives");
    let _ = recorder.shutdown(LONG);
    host.kill().unwrap();
    host.wait().unwrap();

    let last = segments(dir.path()).into_iter().max().unwrap();
    let mut torn = std::fs::OpenOptions::new().append(true).open(&last).unwrap();
    std::io::Write::write_all(&mut torn, &[200, 0, 0, 0, 1, 2, 3, 4, 5]).unwrap();
    let recorder = Recorder::new(spooling(&db.app, dir.path()));
    comes_to_pass(|| {
        assert!(recorder.flush(LONG));
        recorder.stats().replayed >= spooled
    });
    let _ = recorder.shutdown(LONG);
    // The record that was cut off is nowhere else: its file is kept, and named.
    let kept = format!("{}.damaged", last.display());
    let stats = recorder.stats();
    let told = stats.last_error.unwrap();
    assert!(told.contains(&kept) && told.contains("9 bytes of it were not read"), "{told}");
    assert_eq!((stats.replayed, stats.damaged_bytes, stats.dropped), (spooled, 9, 0));
    assert!(Path::new(&kept).exists() && segments(dir.path()).is_empty());
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await, 250);
}

/// The host may write files of 128 KiB: the system refuses what goes beyond, as a full disk does. It does nothing about
/// SIGXFSZ, which the system would send, and lives.
#[test]
fn a_full_disk_costs_what_does_not_fit_into_memory_and_is_counted() {
    if let Some(dir) = std::env::var_os(HOST) {
        let limit = 128 << 10;
        let recorder = Recorder::new(Options { memory_limit: limit, ..spooling(&nowhere(), Path::new(&dir)) });
        let (mut stats, mut chains) = (recorder.stats(), 0);
        while chains < 500 || ((stats.spooled == 0 || stats.dropped == 0) && chains < 100_000) {
            chain(&recorder, 5);
            assert!(!recorder.flush(Duration::from_millis(1)));
            (stats, chains) = (recorder.stats(), chains + 1);
        }
        adds_up(&stats);
        assert!(stats.spooled > 0 && stats.dropped > 0 && stats.buffered_bytes <= limit, "{stats:?}");
        let end = recorder.shutdown(Duration::from_millis(100));
        let stats = recorder.stats();
        assert_eq!((end.spooled, end.dropped, stats.buffered), (stats.spooled, stats.recorded - stats.spooled, 0));
        // Which of the two is told last, the spool's error or the server's, is a matter of time.
        assert!(stats.last_error.is_some());
        println!("\nspooled {}", end.spooled);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_full_disk_costs_what_does_not_fit_into_memory_and_is_counted";
    let mut host = host(test, dir.path(), "ulimit -f 256;");
    let (spooled, lines) = told(&mut host);
    lines.for_each(drop);
    assert!(host.wait().unwrap().success());
    // What is there is whole.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(common::database("recorder_disk_full"));
    let recorder = Recorder::new(spooling(&db.app, dir.path()));
    comes_to_pass(|| {
        assert!(recorder.flush(LONG));
        recorder.stats().replayed >= spooled
    });
    let end = recorder.shutdown(LONG);
    assert_eq!((recorder.stats().replayed, end.quarantined, end.spooled), (spooled, 0, 0));
}

#[test]
fn a_spool_that_cannot_be_made_is_told_and_memory_is_the_bound() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let recorder = Recorder::new(spooling(&nowhere(), &file.path().join("spool")));
    chain(&recorder, 5);
    let stats = failing(&recorder, "");
    assert_eq!((stats.buffered, stats.spooled, stats.dropped), (records(5), 0, 0));
    let end = recorder.shutdown(Duration::from_millis(50));
    assert_eq!((end.spooled, end.dropped), (0, records(5)));
    assert!(recorder.stats().last_error.unwrap().contains("the spool cannot be used"));
}

#[tokio::test]
async fn a_spool_that_somebody_removes_costs_what_was_in_it_and_no_more() {
    let (mut cluster, roles) = cluster("recorder_spool_removed").await;
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(spooling(&roles.app, dir.path()));
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    (0..30).for_each(|_| chain(&recorder, 5));
    until(async || !recorder.flush(Duration::from_millis(20)) && recorder.stats().buffered == 0).await;
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(recorder.flush(LONG), "nothing is left to write");
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!((stats.written, stats.dropped), (records(5), 30 * records(5)));
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::Spool));
    assert!(stats.last_error.unwrap().contains("the spool cannot be used"));
    // Records go to a new one, and to the database.
    chain(&recorder, 5);
    until(async || !recorder.flush(Duration::from_millis(20)) && recorder.stats().spooled > 0).await;
    assert_eq!(segments(dir.path()).len(), 1);
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.spooled, end.dropped), (2 * records(5), 0, 30 * records(5)));
}

/// Batches wait in memory, in their order, and others come after them; one is narrowed down to its bad row.
#[tokio::test]
async fn without_room_in_the_spool_memory_keeps_all_until_the_server_is_back() {
    let (mut cluster, roles) = cluster("recorder_no_room").await;
    let dir = tempfile::tempdir().unwrap();
    let options = Options { spool_limit: 1, batch_size: 20, ..spooling(&roles.app, dir.path()) };
    let recorder = Recorder::new(options);
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    for _ in 0..4 {
        (0..10).for_each(|_| chain(&recorder, 5));
        failing(&recorder, "");
    }
    let invocation = recorder.invocation("host").start();
    let handler = invocation.event("event").detected();
    handler.job("poison").start().complete(&RawValue::from_string("1e400000".to_owned()).unwrap());
    handler.finish();
    invocation.finish();
    (0..10).for_each(|_| chain(&recorder, 5));
    let stats = failing(&recorder, "");
    adds_up(&stats);
    assert_eq!((stats.written, stats.spooled, stats.dropped), (records(5), 0, 0));
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!(stats.losses, [Loss { class: Class::Job, reason: Reason::Refused, records: 2 }]);
    assert_eq!((stats.written, stats.spooled, stats.buffered), (51 * records(5) + records(0), 0, 0));
    let connection = &mut common::session(&roles.readonly).await;
    let counts = "SELECT (SELECT count(*) FROM invocations WHERE status = 'completed') AS invocations, \
        (SELECT count(*) FROM job_executions WHERE status = 'completed') AS done, (SELECT count(*) FROM job_executions) AS jobs";
    assert_eq!(rows(connection, counts).await, [json!({ "invocations": 52, "done": 255, "jobs": 255 })]);
}

#[tokio::test]
async fn refused_rows_are_kept_with_their_reason() {
    let db = common::database("recorder_quarantine").await;
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(spooling(&db.app, dir.path()));
    let invocation = recorder.invocation("host").start();
    let handler = invocation.event("event").detected();
    handler.job("good").start().complete(&1);
    handler.job("poison").start().complete(&RawValue::from_string("1e400000".to_owned()).unwrap());
    handler.finish();
    invocation.finish();
    let refused = recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start();
    refused.event("orphan").not_detected();
    refused.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!((stats.quarantined, stats.dropped, stats.written), (6, 0, records(1)));
    let file = std::fs::read_to_string(dir.path().join("quarantine.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut tables: Vec<&str> = lines.iter().map(|line| line["table"].as_str().unwrap()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["event_executions", "invocations", "job_executions"]);
    let poison = lines.iter().find(|line| line["row"]["job_name"] == "poison").unwrap();
    assert_eq!((&poison["row"]["result"], &poison["row"]["status"]), (&json!("1e400000"), &json!("completed")));
    assert!(lines.iter().all(|line| line["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.quarantined, end.dropped), (records(1), 6, 0));
}

#[tokio::test]
async fn a_full_quarantine_is_counted() {
    let db = common::database("recorder_quarantine_full").await;
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Options { spool_limit: 100, ..spooling(&db.app, dir.path()) });
    recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start().finish();
    assert!(recorder.flush(LONG));
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Invocation, reason: Reason::Refused, records: 2 }]);
    adds_up(&stats);
}

#[tokio::test]
async fn a_server_that_is_too_slow_costs_nothing_but_disk() {
    let db = common::database("recorder_slow").await;
    let admin = &mut common::session(&db.admin).await;
    admin.execute(super::SLOW).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let limit = 512 << 10;
    let recorder = Recorder::new(Options { memory_limit: limit, batch_size: 100, ..spooling(&db.app, dir.path()) });
    // More than memory holds, and two minutes of work for the server.
    for _ in 0..800 {
        let invocation =
            recorder.invocation("slow").payload(&json!({ "password": "hunter2", "kept": "in clear" })).start();
        let handler = invocation.event("event").detected();
        for _ in 0..5 {
            let job = handler.job("job").options(&json!({ "Authorization": "hunter2" })).start();
            job.log(Level::INFO, "line", &json!({ "api_key": "hunter2" }));
            job.complete(&json!({ "nested": "{\"secret\": \"hunter2\"}" }));
        }
        handler.finish();
        invocation.finish();
        until(async || recorder.stats().buffered_bytes < limit * 7 / 16).await;
    }
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!((stats.recorded, stats.dropped, stats.quarantined), (800 * (records(5) + 5), 0, 0), "{stats:?}");
    assert!(stats.spooled > stats.recorded / 2, "{stats:?}");
    let files: Vec<Vec<u8>> = segments(dir.path()).iter().map(|path| std::fs::read(path).unwrap()).collect();
    let found = |text: &str| files.iter().any(|file| file.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(found("in clear") && !found("hunter2"), "secrets are masked before they are spooled");

    admin.execute("DROP TRIGGER slow ON job_executions").await.unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.spooled, end.dropped), (stats.recorded, 0, 0));
    let connection = &mut common::session(&db.readonly).await;
    let counts = "SELECT (SELECT count(*) FROM job_executions WHERE status = 'completed') AS done, (SELECT count(*) FROM job_executions) AS jobs, \
        (SELECT count(*) FROM job_logs) AS lines, (SELECT count(*) FROM invocations WHERE status = 'completed') AS invocations";
    assert_eq!(
        rows(connection, counts).await,
        [json!({ "done": 4000, "jobs": 4000, "lines": 4000, "invocations": 800 })]
    );
}

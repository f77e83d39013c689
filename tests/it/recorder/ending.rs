//! What a recorder does that is asked to end while it waits before its next attempt, or while it cannot end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Class, Loss, Options, Reason};
use obs_tui::store::config::Config;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

use super::{LONG, chain, cluster, failing, nowhere, number, options, records, rows};
use crate::common;

const RECORDERS: i64 = 20;
const COUNTS: &str = "SELECT (SELECT count(*) FROM invocations WHERE status = 'completed') AS invocations, \
    (SELECT count(*) FROM job_executions WHERE status = 'completed') AS jobs";

/// After a failure they wait for up to half a minute, unless they are asked for something.
fn patient(config: &Config) -> Vec<Recorder> {
    let patient = || Options { retry_delay: LONG, retry_attempts: u32::MAX, ..options(config) };
    (0..RECORDERS).map(|_| Recorder::new(patient())).collect()
}

/// Each has records that could not be written, for this reason.
fn fail(recorders: &[Recorder], reason: &str) {
    for recorder in recorders {
        chain(recorder, 5);
        let stats = failing(recorder, reason);
        assert_eq!((stats.recorded - stats.written, stats.dropped), (records(5), 0));
    }
}

/// Ends them with two seconds each, when nothing stands in the way any more.
fn end(recorders: &[Recorder], before: u64) {
    for (number, recorder) in recorders.iter().enumerate() {
        let end = recorder.shutdown(Duration::from_secs(2));
        let outcome = (end.written, end.dropped, end.held);
        assert_eq!(outcome, (before + records(5), 0, 0), "recorder {number}: {:?}", recorder.stats());
    }
}

async fn stored(config: &Config, chains: i64) {
    let connection = &mut common::session(config).await;
    assert_eq!(rows(connection, COUNTS).await, [json!({ "invocations": chains, "jobs": 5 * chains })]);
}

#[tokio::test]
async fn a_server_that_is_back_gets_everything_at_a_shutdown_and_at_a_drop() {
    let (mut cluster, roles) = cluster("recorder_ending_away").await;
    let (ended, dropped) = (patient(&roles.app), patient(&roles.app));
    cluster.halt();
    fail(&ended, "");
    fail(&dropped, "");
    cluster.restart().unwrap();
    end(&ended, 0);
    dropped.into_iter().for_each(drop);
    stored(&roles.readonly, 2 * RECORDERS).await;
}

#[tokio::test]
async fn a_password_that_is_mended_is_used_at_a_shutdown() {
    let (cluster, roles) = cluster("recorder_ending_password").await;
    let superuser = &mut common::session(&cluster.superuser()).await;
    let password = roles.app.password.as_ref().unwrap().reveal();
    let set = |password: &str| AssertSqlSafe(format!("ALTER ROLE observability_app PASSWORD '{password}'"));
    superuser.execute(set("another")).await.unwrap();
    let recorders = patient(&roles.app);
    fail(&recorders, "password authentication failed");
    superuser.execute(set(password)).await.unwrap();
    end(&recorders, 0);
    stored(&roles.readonly, RECORDERS).await;
}

#[tokio::test]
async fn a_lock_that_is_released_holds_nothing_up_at_a_shutdown() {
    let db = common::database("recorder_ending_lock").await;
    let admin = &mut common::session(&db.admin).await;
    admin.execute("BEGIN; LOCK TABLE job_executions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut recorders = patient(&db.app);
    for recorder in &mut recorders {
        let write_timeout = Duration::from_millis(200);
        *recorder =
            Recorder::new(Options { write_timeout, retry_delay: LONG, retry_attempts: u32::MAX, ..options(&db.app) });
    }
    fail(&recorders, "statement timeout");
    admin.execute("ROLLBACK").await.unwrap();
    end(&recorders, 0);
    stored(&db.readonly, RECORDERS).await;
}

/// The server that answers in the place of the one that is gone takes no rows at first.
#[tokio::test]
async fn a_server_that_takes_over_gets_everything_at_a_shutdown() {
    let (mut cluster, roles) = cluster("recorder_ending_failover").await;
    let recorders = patient(&roles.app);
    for recorder in &recorders {
        chain(recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    }
    let superuser = &mut common::session(&cluster.superuser()).await;
    superuser.execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    cluster.halt();
    cluster.restart().unwrap();
    fail(&recorders, "read-only");
    let superuser = &mut common::session(&cluster.superuser()).await;
    superuser.execute("ALTER SYSTEM SET default_transaction_read_only = off").await.unwrap();
    superuser.execute("SELECT pg_reload_conf()").await.unwrap();
    let setting = "SELECT count(*) FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'off'";
    super::until(async || number(superuser, setting).await == 1).await;
    end(&recorders, records(5));
    stored(&roles.readonly, 2 * RECORDERS).await;
}

#[tokio::test]
async fn a_flush_tries_at_once_whatever_the_delay() {
    let (mut cluster, roles) = cluster("recorder_ending_flush").await;
    let recorders = patient(&roles.app);
    cluster.halt();
    fail(&recorders, "");
    cluster.restart().unwrap();
    for recorder in &recorders {
        // Nothing was recorded since the last one.
        assert!(recorder.flush(Duration::from_secs(10)), "{:?}", recorder.stats());
    }
    stored(&roles.readonly, RECORDERS).await;
}

/// A folder for the spool that cannot be made is no worse than none.
#[tokio::test]
async fn without_a_usable_spool_a_shutdown_waits_for_the_server() {
    let (mut cluster, roles) = cluster("recorder_ending_spool").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let recorder = Recorder::new(Options { spool: Some(file.path().join("spool")), ..options(&roles.app) });
    cluster.halt();
    (0..30).for_each(|_| chain(&recorder, 5));
    failing(&recorder, "spool cannot be used");
    (0..30).for_each(|_| chain(&recorder, 5));
    let end = std::thread::scope(|scope| {
        let ending = scope.spawn(|| recorder.shutdown(LONG));
        // It has tried in vain since it is to end.
        let asked = Clock::system();
        while recorder.stats().buffered > 0 && asked.elapsed() < Duration::from_secs(1) {
            std::thread::yield_now();
        }
        cluster.restart().unwrap();
        ending.join().unwrap()
    });
    assert_eq!((end.written, end.spooled, end.dropped, end.held), (60 * records(5), 0, 0, 0));
    stored(&roles.readonly, 60).await;
}

fn config(port: u16) -> Config {
    Config::from_url(&format!("postgresql://app:hush@127.0.0.1:{port}/nowhere?sslmode=disable")).unwrap()
}

/// A server that answers every client with the same bytes, once or without end.
fn answering(bytes: Vec<u8>, endless: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |mut client: TcpStream| {
        let _ = client.read(&mut [0; 8192]);
        while client.write_all(&bytes).is_ok() && endless {}
        // Until it hangs up.
        let _ = std::io::copy(&mut client, &mut std::io::sink());
    };
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn({
                let answer = answer.clone();
                move || answer(client)
            });
        }
    });
    port
}

#[test]
fn a_server_that_floods_or_says_nothing_hides_no_loss() {
    let notice = b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0";
    let length = u32::try_from(notice.len() + 4).unwrap().to_be_bytes();
    let notices = [&b"N"[..], &length, notice].concat().repeat(1000);
    for port in [answering(notices, true), answering(Vec::new(), false)] {
        let recorder = Recorder::new(options(&config(port)));
        (0..10).for_each(|_| chain(&recorder, 5));
        assert!(!recorder.flush(Duration::from_millis(50)));
        let clock = Clock::system();
        let end = recorder.shutdown(Duration::from_millis(300));
        assert!(clock.elapsed() < Duration::from_secs(60));
        assert_eq!((end.written, end.dropped + end.held), (0, 10 * records(5)), "{end:?}");
        let stats = recorder.stats();
        assert!(stats.losses.iter().all(|loss| loss.reason == Reason::ShutDown), "{stats:?}");
    }
}

/// An answer that the driver panics at, while the batch is on its way.
#[test]
fn a_batch_whose_writing_panics_is_counted_and_the_next_one_is_tried() {
    let recorder = Recorder::new(options(&config(answering(b"R\0\0\0\x04".to_vec(), false))));
    for chains in 1..=3 {
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let stats = recorder.stats();
        let loss = |class, records| Loss { class, reason: Reason::Internal, records: records * chains };
        let expected = [loss(Class::Invocation, 2), loss(Class::Event, 3), loss(Class::Job, 10)];
        assert_eq!(stats.losses, expected);
        assert_eq!((stats.recorded, stats.dropped, stats.buffered), (15 * chains, 15 * chains, 0));
        assert!(stats.last_error.unwrap().contains("panicked"));
    }
    let end = recorder.shutdown(LONG);
    assert_eq!((end.dropped, end.held), (45, 0));
}

#[test]
fn what_comes_after_the_end_is_lost_for_that_reason() {
    let recorder = Recorder::new(options(&nowhere()));
    let invocation = recorder.invocation("before").start();
    let handler = invocation.event("event").detected();
    let job = handler.job("job").start();
    let _ = recorder.shutdown(Duration::ZERO);
    // Its parents were accepted, then not: the second asks for a row that cannot be there.
    job.complete(&1);
    recorder.invocation("after").start().event("event").detected().job("job").start().complete(&1);
    let stats = recorder.stats();
    assert_eq!((stats.recorded, stats.dropped, stats.buffered), (stats.dropped, stats.recorded, 0));
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::ShutDown), "{stats:?}");
}

/// A million jobs, as it were, in as little memory: the ends of those above them find room.
#[tokio::test]
async fn however_many_jobs_there_are_the_ends_of_their_parents_are_kept() {
    let (mut cluster, roles) = cluster("recorder_ending_overload").await;
    let recorder = Recorder::new(Options { memory_limit: 256 << 10, ..options(&roles.app) });
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    let invocation = recorder.invocation("crowded").start();
    let handlers = ["in time", "late"].map(|name| invocation.event(name).detected());
    let jobs: Vec<_> = (0..2000).map(|n| handlers[n % 2].job("job").start()).collect();
    let [in_time, late] = handlers;
    late.finish();
    for (n, job) in jobs.into_iter().enumerate() {
        job.log(obs_tui::recorder::Level::INFO, "a line", &n);
        // Every other one counts itself anew at an event that has ended.
        job.complete(&n);
    }
    (0..20_000).for_each(|n| in_time.job("more").start().complete(&n));
    in_time.finish();
    invocation.finish();
    let stats = recorder.stats();
    assert!(stats.dropped > 10_000 && stats.buffered_bytes <= 256 << 10, "{stats:?}");
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::BufferFull), "{stats:?}");
    assert!(stats.losses.iter().all(|loss| loss.class != Class::Invocation), "{stats:?}");
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!(stats.recorded, stats.written + stats.dropped, "{stats:?}");
    let connection = &mut common::session(&roles.readonly).await;
    let parents = "SELECT source_function AS name, i.status AS i, event_name AS event, e.status AS e FROM invocations i \
        JOIN event_executions e ON e.invocation_id = i.id WHERE source_function = 'crowded' ORDER BY event";
    let row = |event| json!({ "name": "crowded", "i": "completed", "event": event, "e": "completed" });
    assert_eq!(rows(connection, parents).await, [row("in time"), row("late")]);
}

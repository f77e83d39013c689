//! Recorders in a `static`, in processes of their own: `main` returns, `exit` is called, SIGTERM comes; and threads that
//! cannot be started. The tests start themselves as hosts.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::Reason;
use obs_tui::store::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{LONG, chain, comes_to_pass, number, options, records};
use crate::common;

/// Tells the program that it is the host of a test, and which database it has.
const HOST: &str = "OBS_TUI_TEST_EXIT";
/// What the host does.
const HOW: &str = "OBS_TUI_TEST_EXIT_HOW";
const CHAINS: i64 = 22;

static RECORDER: OnceLock<Recorder> = OnceLock::new();

fn host(test: &str, config: &Config, how: &str) -> Child {
    let password = config.password.as_ref().unwrap().reveal();
    let url = format!("postgres://{}:{password}@{}:{}/{}", config.user, config.host, config.port, config.database);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("recorder::exit::{test}"), "--nocapture"])
        .env(HOST, url)
        .env(HOW, how)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Records, says so, and ends as it is told to.
fn work(url: &str, how: &str) {
    let (main, is) = (how.replace(", not installed", ""), |text: &str| how.starts_with(text));
    let recorder = RECORDER.get_or_init(|| Recorder::new(options(&Config::from_url(url).unwrap())));
    let handled = std::sync::Arc::new(AtomicBool::new(false));
    if is("handles") {
        signal_hook::flag::register(signal_hook::consts::SIGTERM, handled.clone()).unwrap();
    }
    if main == how {
        assert_eq!(recorder.install_exit_flush(LONG).unwrap(), !is("handles"));
        // Twice is once.
        assert_eq!(recorder.install_exit_flush(LONG).unwrap(), !is("handles"));
    }
    (0..CHAINS).for_each(|_| chain(recorder, 5));
    std::io::stdout().write_all(b"\nrecorded\n").unwrap();
    match main.as_str() {
        "returns" => {}
        "exits" => std::thread::spawn(|| std::process::exit(7)).join().unwrap(),
        "is terminated" => loop {
            std::thread::park();
        },
        _ => {
            comes_to_pass(|| handled.load(Ordering::Acquire));
            assert_eq!(recorder.stats().written, 0, "the host decides");
        }
    }
}

async fn run(test: &str, how: &str) -> (ExitStatus, i64) {
    let name = format!("recorder_exit_{}", how.replace([' ', ','], "_"));
    let db = common::database(&name).await;
    let mut host = host(test, &db.app, how);
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "recorded"));
    if how.starts_with("is terminated") || how.starts_with("handles") {
        let pid = host.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
    lines.for_each(drop);
    let status = host.wait().unwrap();
    let connection = &mut common::session(&db.readonly).await;
    (status, number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await)
}

#[tokio::test]
async fn a_static_recorder_writes_at_the_end_of_its_process_if_it_is_asked_to() {
    if let (Some(url), Ok(how)) = (std::env::var_os(HOST), std::env::var(HOW)) {
        return work(url.to_str().unwrap(), &how);
    }
    let test = "a_static_recorder_writes_at_the_end_of_its_process_if_it_is_asked_to";
    for (how, code, signal, jobs) in [
        ("returns", Some(0), None, 5 * CHAINS),
        ("exits", Some(7), None, 5 * CHAINS),
        ("is terminated", None, Some(15), 5 * CHAINS),
        ("handles", Some(0), None, 5 * CHAINS),
        ("returns, not installed", Some(0), None, 0),
        ("is terminated, not installed", None, Some(15), 0),
    ] {
        let (status, found) = run(test, how).await;
        assert_eq!((status.code(), status.signal(), found), (code, signal, jobs), "{how}");
    }
}

/// The host has no file handles left, which its recorder's thread needs.
#[tokio::test]
async fn a_thread_that_cannot_be_started_is_tried_again_and_hides_no_loss() {
    let test = "a_thread_that_cannot_be_started_is_tried_again_and_hides_no_loss";
    if let Some(url) = std::env::var_os(HOST) {
        let config = Config::from_url(url.to_str().unwrap()).unwrap();
        let rlimit = getrlimit(Resource::Nofile);
        let exhaust = || {
            setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..rlimit }).unwrap();
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect::<Vec<_>>()
        };
        let recorders: [Recorder; 4] = std::array::from_fn(|_| Recorder::new(options(&config)));
        let files = exhaust();
        recorders.iter().for_each(|recorder| chain(recorder, 5));
        for recorder in &recorders {
            let stats = recorder.stats();
            assert_eq!((stats.buffered, stats.dropped), (records(5), 0));
            assert!(stats.last_error.unwrap().contains("thread did not start"));
        }
        assert!(!recorders[0].flush(Duration::from_millis(10)));
        let end = recorders[0].shutdown(Duration::from_millis(10));
        let stats = recorders[0].stats();
        assert_eq!((end.written, end.dropped, end.held, stats.buffered), (0, records(5), 0, 0));
        assert!(stats.losses.iter().all(|loss| loss.reason == Reason::ShutDown));
        drop(files);
        // Each in its way: a flush, a shutdown, the drop of the last handle.
        assert!(recorders[1].flush(LONG), "{:?}", recorders[1].stats());
        assert_eq!(recorders[2].shutdown(LONG).written, records(5));
        return;
    }
    let db = common::database("recorder_exit_handles").await;
    let mut host = host(test, &db.app, "");
    BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok).for_each(drop);
    assert!(host.wait().unwrap().success());
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM job_executions WHERE status = 'completed'").await, 15);
}

//! Every way out of the explorer, and out of it for a while: the terminal is as it was before.

use std::process::Command;

use clap::Parser;
use obs_tui::cli::{self, args::Args};
use sqlx::{Connection, Executor};
use tokio::signal::unix::{Signal, SignalKind, signal as listen};

use super::{FUNCTION, LARGE, SMALL, explorer, signal};
use crate::cli::binary;
use crate::common;
use crate::pty::Terminal;

/// The state of the program in the words of ps: `T` is stopped.
fn state(terminal: &Terminal) -> String {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &terminal.pid().to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_way_out_restores_the_terminal() {
    let db = common::database("terminal_exits").await;
    common::load_foreign(&db).await;
    for (way, code) in [("qq", 0), ("\u{3}\u{3}", 0), ("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let mut terminal = explorer(&db.readonly, LARGE);
        terminal.wait_for(FUNCTION);
        // Away from the first screen: whatever is open must be left as well.
        terminal.press("\r");
        terminal.wait_for("evt");
        match way {
            "qq" => terminal.press("qqq"),
            keys if keys.starts_with('\u{3}') => terminal.press(keys),
            name => signal(&terminal, name),
        }
        let (status, left, terminal) = terminal.end();
        assert_eq!((status.exit_code(), left), (code, vec![]), "{way}: {status:?}\n{}", terminal.screen());
    }
}

/// What each signal of Linux does. Nobody is left with a raw terminal, but by those that no program can handle.
#[test]
fn every_signal_that_ends_it_restores_the_terminal() {
    let mut ended = Vec::new();
    for number in 1..=64_u8 {
        let mut terminal =
            Terminal::start(&binary(), &[], &[("OBSERVABILITY_DB_URL", "postgres://someone@127.0.0.1:1/none")], SMALL);
        terminal.wait_for("OFFLINE");
        match number {
            // SIGKILL and SIGSTOP cannot be handled. The faults SIGILL, SIGBUS, SIGFPE and SIGSEGV cannot be survived:
            // what raised them would raise them again. 32 and 33 are the C library's, which lets nobody have them.
            9 | 19 | 4 | 7 | 8 | 11 | 32 | 33 => {}
            // Left alone: SIGPIPE, SIGCHLD, SIGURG; SIGTTIN and SIGTTOU stop it only where a shell controls jobs. Its
            // own: SIGCONT and SIGWINCH. It goes on.
            13 | 17 | 23 | 21 | 22 | 18 | 28 => {
                signal(&terminal, &number.to_string());
                terminal.press("?");
                terminal.wait_for("Help");
                terminal.press("\u{3}\u{3}");
                let (status, left, _) = terminal.end();
                assert_eq!((status.exit_code(), left), (0, vec![]), "signal {number}");
            }
            // SIGTSTP stops it, and SIGCONT has it draw everything again.
            20 => {
                signal(&terminal, &number.to_string());
                while !state(&terminal).starts_with('T') {
                    std::thread::yield_now();
                }
                signal(&terminal, "CONT");
                terminal.press("?");
                terminal.wait_for("Help");
                terminal.press("\u{3}\u{3}");
                let (status, left, _) = terminal.end();
                assert_eq!((status.exit_code(), left), (0, vec![]), "signal {number}");
            }
            _ => {
                signal(&terminal, &number.to_string());
                let (status, left, _) = terminal.end();
                assert_eq!((status.exit_code(), left), (128 + u32::from(number), vec![]), "signal {number}");
                ended.push(number);
            }
        }
    }
    assert_eq!(ended.len(), 48, "{ended:?}");
}

#[test]
fn a_terminal_that_claims_any_size_is_drawn() {
    let nobody = [("OBSERVABILITY_DB_URL", "postgres://someone@127.0.0.1:1/none")];
    for (columns, rows) in [(65_535, 65_535), (65_535, 1), (1, 65_535), (0, 0), (1, 1)] {
        let mut terminal = Terminal::start(&binary(), &[], &nobody, SMALL);
        terminal.wait_for("OFFLINE");
        // The screen of the test stays small: it could not hold that either.
        terminal.claim(columns, rows);
        terminal.wait_for_bytes_again("\u{1b}[2J", 2);
        terminal.claim(SMALL.0, SMALL.1);
        terminal.wait_for_bytes_again("\u{1b}[2J", 3);
        terminal.press("?");
        terminal.wait_for("Help");
        let peak = peak_memory(&terminal);
        assert!(peak < 200 << 20, "{columns}x{rows}: {} MiB", peak >> 20);
        terminal.press("\u{3}\u{3}");
        let (status, left, _) = terminal.end();
        assert_eq!((status.exit_code(), left), (0, vec![]), "{columns}x{rows}");
    }
}

/// The most memory that the program ever had, bytes.
fn peak_memory(terminal: &Terminal) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", terminal.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn suspended_it_gives_the_terminal_back_and_takes_it_again() {
    let db = common::database("terminal_suspend").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, SMALL);
    terminal.wait_for(FUNCTION);
    terminal.press("\u{1a}");
    terminal.wait_until("the shell's screen", |screen| !screen.contains(FUNCTION));
    assert!(!terminal.parser.screen().alternate_screen() && !terminal.parser.screen().hide_cursor());
    while !state(&terminal).starts_with('T') {
        std::thread::yield_now();
    }
    signal(&terminal, "CONT");
    terminal.wait_for(FUNCTION);
    terminal.press("j\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

#[tokio::test]
async fn a_terminal_that_goes_away_ends_it() {
    let db = common::database("terminal_gone").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, SMALL);
    terminal.wait_for(FUNCTION);
    assert_eq!(terminal.hang_up().exit_code(), 129, "as after SIGHUP");
}

#[tokio::test]
async fn killed_sessions_are_opened_again() {
    let db = common::database("terminal_killed").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for(FUNCTION);
    let mut superuser = common::session(&db.superuser).await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                where application_name = 'obs-tui' and datname = current_database()";
    let (killed,): (i64,) = sqlx::query_as(kill).fetch_one(&mut superuser).await.unwrap();
    assert!(killed >= 1);
    let row = "insert into invocations (id, source_function, status, source_event_payload) \
               values ('7f5e58e4-6ce2-4321-84f4-db38524942d2', 'after-the-kill', 'completed', '{}')";
    superuser.execute(row).await.unwrap();
    superuser.close().await.unwrap();
    terminal.wait_for("after-the-kill");
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

/// SIGURG.
const URG: i32 = 23;
/// Where the host of [`a_panic_anywhere_restores_the_terminal`] is to panic.
const PLACE: &str = "OBS_TUI_TEST_PANICS_IN";

/// Runs the explorer as the program does, until SIGURG, which it leaves alone, makes this place of it panic.
async fn host(place: &str) -> u8 {
    let mut told = listen(SignalKind::from_raw(URG)).unwrap();
    let panic = async move |told: &mut Signal| {
        told.recv().await;
        panic!("on purpose")
    };
    let args = Args::parse_from(["obs-tui"]);
    match place {
        "a task" => drop(tokio::spawn(async move { panic(&mut told).await })),
        "a thread" => {
            let runtime = tokio::runtime::Handle::current();
            std::thread::spawn(move || runtime.block_on(async { panic(&mut told).await }));
        }
        // The loop itself: it is dropped while it waits.
        _ => tokio::select! {
            exit = cli::run(args) => return exit.code(),
            () = async { panic(&mut told).await } => return 0,
        },
    }
    cli::run(args).await.code()
}

/// The test starts itself as a host, since the program has nothing that panics when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_anywhere_restores_the_terminal() {
    if let Ok(place) = std::env::var(PLACE) {
        let code = host(&place).await;
        std::process::exit(code.into());
    }
    let db = common::database("terminal_panic").await;
    common::load_foreign(&db).await;
    let program = std::env::current_exe().unwrap().display().to_string();
    let test = ["--exact", "terminal::exits::a_panic_anywhere_restores_the_terminal", "--nocapture"];
    let url = db.readonly.url();
    for (place, code) in [("a task", 2), ("a thread", 2), ("the loop", 101)] {
        let environment = [("OBSERVABILITY_DB_URL", &url[..]), (PLACE, place), ("RUST_BACKTRACE", "0")];
        let mut terminal = Terminal::start(&program, &test, &environment, LARGE);
        terminal.wait_for(FUNCTION);
        signal(&terminal, "URG");
        let (status, left, terminal) = terminal.end();
        assert_eq!((status.exit_code(), left), (code, vec![]), "{place}:\n{}", terminal.screen());
        // It is told on the screen that is left.
        assert!(terminal.screen().contains("on purpose"), "{place}:\n{}", terminal.screen());
    }
}

#[tokio::test]
async fn a_broken_pipe_instead_of_a_screen_leaves_the_terminal_alone() {
    let nobody = "postgres://someone@127.0.0.1:1/none";
    let line = format!("{} | true; echo \"ended ${{PIPESTATUS[0]}}\"", binary());
    let mut terminal = Terminal::start("bash", &["-c", &line], &[("OBSERVABILITY_DB_URL", nobody)], SMALL);
    terminal.wait_for("ended 2");
    let (_, left, terminal) = terminal.end();
    assert_eq!(left, Vec::<&str>::new());
    assert!(terminal.screen().contains("needs a terminal") && !terminal.written.contains(&0x1b));
}

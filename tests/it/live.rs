//! The server tells that something was written: rows are there before it is asked for them the next time.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::logs::{LogsConfig, LokiClient};
use obs_tui::recorder::Options;
use obs_tui::store::config::Config;
use obs_tui::store::read::Reader;
use obs_tui::tui::app::live::Hint;
use obs_tui::tui::effects::Effects;
use obs_tui::tui::msg::{Cmd, Msg};
use sqlx::Executor;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::{binary, command};
use crate::common;
use crate::pty::{PATIENCE, Terminal};

/// Rows are looked for so rarely that only what the server tells can bring them.
const RARELY: &str = "poll_seconds = 3600\n";

/// Waits until so many sessions of this database listen.
async fn listening(superuser: &mut PgConnection, wanted: i64) {
    let count = "select count(*) from pg_stat_activity \
                 where datname = current_database() and state = 'idle' and query = 'LISTEN \"obs_tui\"'";
    let clock = Clock::system();
    while sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *superuser).await.unwrap() != wanted {
        assert!(clock.elapsed() < PATIENCE, "never {wanted} listening");
        tokio::task::yield_now().await;
    }
}

fn write(recorder: &Recorder, function: &str) {
    recorder.invocation(function).start().finish();
    assert!(recorder.flush(PATIENCE), "{:?}", recorder.stats());
}

fn recorder(config: &Config) -> Recorder {
    Recorder::new(Options { flush_interval: Duration::from_secs(3600), ..Options::new(config.clone()) })
}

fn effects(config: &Config) -> (Effects, UnboundedReceiver<Msg>) {
    let (sender, answers) = unbounded_channel();
    let logs = Ok(LokiClient::new(LogsConfig::default()));
    (Effects::new(Reader::new(config.clone()), logs, TimeDelta::minutes(15), Clock::system(), sender), answers)
}

#[tokio::test]
async fn what_a_recorder_writes_is_shown_without_asking() {
    let db = common::database("live_shown").await;
    let mut superuser = common::session(&db.superuser).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, RARELY).unwrap();
    let arguments = ["--config", file.to_str().unwrap()];
    let url = db.readonly.url();
    let mut terminal = Terminal::start(&binary(), &arguments, &[("OBSERVABILITY_DB_URL", &url)], (120, 36));
    terminal.wait_for("LIVE 1h");
    listening(&mut superuser, 1).await;
    let recorder = recorder(&db.app);
    write(&recorder, "told-of");
    terminal.wait_for("told-of");
    terminal.wait_until("that it is told", |screen| !screen.lines().next().is_some_and(|line| line.contains("1h")));
    // Never more than two sessions, also while both are at work.
    let sessions =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'obs-tui'";
    assert!(sqlx::query_scalar::<_, i64>(sessions).fetch_one(&mut superuser).await.unwrap() <= 2);
    // Who pauses is not woken; who goes on is told again.
    terminal.press("p");
    terminal.wait_for("PAUSED");
    listening(&mut superuser, 0).await;
    terminal.press("p");
    listening(&mut superuser, 1).await;
    write(&recorder, "told-again");
    terminal.wait_for("told-again");
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

#[tokio::test]
async fn a_batch_is_one_hint_and_a_lost_connection_is_told() {
    let db = common::database("live_hints").await;
    let mut superuser = common::session(&db.superuser).await;
    let (mut effects, mut answers) = effects(&db.readonly);
    effects.run(Cmd::Listen);
    listening(&mut superuser, 1).await;
    let recorder = recorder(&db.app);
    for _ in 0..500 {
        recorder.invocation("many").start().finish();
    }
    assert!(recorder.flush(PATIENCE), "{:?}", recorder.stats());
    let hint = answers.recv().await.unwrap();
    assert!(matches!(hint, Msg::Hint(Hint::Written(_))), "{hint:?}");
    superuser
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'LISTEN \"obs_tui\"'")
        .await
        .unwrap();
    let hint = answers.recv().await.unwrap();
    assert!(matches!(hint, Msg::Hint(Hint::Lost)), "{hint:?}");
    // Another one can be had, and two at once: queries still find their connection.
    effects.run(Cmd::Listen);
    listening(&mut superuser, 1).await;
    effects.run(Cmd::Known { request: 1, since: Clock::system().now() - TimeDelta::hours(1) });
    assert!(matches!(answers.recv().await.unwrap(), Msg::Known(1, Ok(_))));
    effects.run(Cmd::Unlisten);
    listening(&mut superuser, 0).await;
}

#[tokio::test]
async fn a_writer_that_may_not_tell_writes_all_the_same() {
    let db = common::database("live_untold").await;
    let mut superuser = common::session(&db.superuser).await;
    // Known before it connects, and taken away while it is connected.
    let asked_before = recorder(&db.app);
    write(&asked_before, "told");
    superuser.execute("revoke execute on function pg_notify(text, text) from public").await.unwrap();
    write(&asked_before, "untold");
    let asked_after = recorder(&db.app);
    write(&asked_after, "untold");
    for recorder in [asked_before, asked_after] {
        let stats = recorder.stats();
        assert_eq!((stats.written, stats.dropped, stats.quarantined), (stats.recorded, 0, 0), "{stats:?}");
        assert_eq!(stats.last_error, None, "it is no failed attempt");
    }
    let count = "select count(*) from invocations where source_function like '%told'";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut superuser).await.unwrap(), 3);
}

#[tokio::test]
async fn tail_prints_what_it_is_told_of() {
    let db = common::database("live_tail").await;
    let mut superuser = common::session(&db.superuser).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, RARELY).unwrap();
    let arguments = ["tail", "--json", "--config", file.to_str().unwrap()];
    let mut child = command(&db.readonly.url(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    listening(&mut superuser, 1).await;
    let recorder = recorder(&db.app);
    for function in ["first", "second"] {
        write(&recorder, function);
        assert!(lines.next().unwrap().unwrap().contains(function));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

//! The real binary in a real terminal on a real server: how it starts, what it shows, what it does when things go away.

mod exits;
mod tour;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::Config;
use sqlx::Executor;

use crate::cli::binary;
use crate::common;
use crate::pty::Terminal;

const LARGE: (u16, u16) = (120, 36);
const SMALL: (u16, u16) = (80, 24);
/// A function of the foreign rows: on the screen as soon as the list is.
const FUNCTION: &str = "event-handlers";

fn explorer(config: &Config, size: (u16, u16)) -> Terminal {
    Terminal::start(&binary(), &[], &[("OBSERVABILITY_DB_URL", &config.url())], size)
}

fn signal(terminal: &Terminal, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), terminal.pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn the_error_of_the_last_failed_job_is_four_keys_away() {
    let db = common::database("terminal_task").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for(FUNCTION);
    terminal.press("e");
    terminal.wait_until("a selected failure", |screen| {
        screen.lines().any(|line| line.starts_with('>') && line.contains("FAIL"))
    });
    terminal.press("\r");
    terminal.wait_for("NODE");
    terminal.press("e");
    terminal.press("y");
    terminal.wait_for("copied");
    // The text goes to the clipboard of the terminal: OSC 52, base64.
    terminal.wait_for_bytes("\u{1b}]52;c;");
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().0.exit_code(), 0);
}

#[tokio::test]
async fn a_filter_is_typed_and_an_id_is_pasted() {
    let db = common::database("terminal_filter").await;
    common::load_foreign(&db).await;
    let mut session = common::session(&db.readonly).await;
    let oldest = "select j.id::text, i.source_function from job_executions j join invocations i on i.id = j.invocation_id \
                  order by i.created_at limit 1";
    let (job, function): (String, String) = sqlx::query_as(oldest).fetch_one(&mut session).await.unwrap();
    let mut terminal = explorer(&db.readonly, SMALL);
    terminal.wait_for(FUNCTION);
    terminal.press("/st:fai\t\r at:all\r");
    terminal.wait_until("failed rows only", |screen| {
        screen.contains("> st:failed") && screen.contains("FAIL") && !screen.contains(" OK ")
    });
    // In the terminal's marks for pasted text, and with a line break, as it comes out of a log.
    terminal.press(&format!("\u{1b}[200~{job}\n\u{1b}[201~\r"));
    terminal.wait_for("1 match");
    let shown = function.trim_start_matches("event-detector-").to_owned();
    terminal.wait_until("its row", |screen| screen.lines().any(|line| line.starts_with('>') && line.contains(&shown)));
    terminal.press("\u{1b}");
    terminal.wait_for("all rows are shown");
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

#[tokio::test]
async fn it_outlives_its_database_and_a_restart() {
    // A server of its own: the others share one.
    let (mut cluster, readonly) = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start(&Options::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let roles = runtime.block_on(async {
            let roles = admin::create_database(&cluster.superuser(), "lost", &Passwords::default()).await.unwrap();
            admin::migrate(&roles.admin).await.unwrap();
            roles
        });
        (cluster, roles.readonly)
    })
    .await
    .unwrap();
    let mut terminal = explorer(&readonly, SMALL);
    terminal.wait_for("no invocations");
    cluster.halt();
    terminal.wait_for("OFFLINE");
    terminal.press("?");
    terminal.wait_for("Help");
    terminal.press("\u{1b}");
    cluster.restart().unwrap();
    terminal.press("r");
    terminal.wait_until("the connection again", |screen| !screen.contains("OFFLINE"));
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap();
}

#[tokio::test]
async fn without_a_server_it_starts_and_says_so() {
    let nobody = Config::from_url("postgres://someone:pa55word@127.0.0.1:1/none").unwrap();
    let mut terminal = explorer(&nobody, SMALL);
    terminal.wait_for("OFFLINE");
    terminal.wait_for("127.0.0.1:1");
    assert!(!String::from_utf8_lossy(&terminal.written).contains("pa55word"));
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

#[tokio::test]
async fn any_size_is_drawn_and_the_last_one_stays() {
    let db = common::database("terminal_sizes").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for(FUNCTION);
    for n in 0..100 {
        terminal.resize(30 + n, 8 + n / 4);
    }
    terminal.resize(39, 11);
    terminal.wait_for("too small");
    terminal.resize(40, 12);
    terminal.wait_until("the list", |screen| !screen.contains("too small") && screen.contains("OK"));
    terminal.resize(200, 50);
    terminal.wait_until("all of it", |screen| screen.contains(FUNCTION) && screen.lines().count() >= 45);
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().1, Vec::<&str>::new());
}

#[tokio::test]
async fn no_control_byte_of_a_row_reaches_the_terminal() {
    let db = common::database("terminal_hostile").await;
    let mut session = common::session(&db.app).await;
    let evil = r"\x1b]0;pwned\x07\x1b[?1049l\u009b31m\u202e\u0007\x08\r\nXX";
    let insert =
        |table: &str, columns: &str, values: &str| format!("insert into {table} ({columns}) values ({values})");
    let id = "7f5e58e4-6ce2-4321-84f4-db38524942d2";
    for statement in [
        insert(
            "invocations",
            "id, source_function, correlation_id, source_table, source_operation, source_user_email, status, error_message, source_event_payload",
            &format!(
                "'{id}', E'fn{evil}', E'co{evil}', E'ta{evil}', E'op{evil}', E'us{evil}', 'failed', E'er{evil}', jsonb_build_object(E'key{evil}', E'va{evil}')"
            ),
        ),
        insert(
            "event_executions",
            "id, invocation_id, event_name, detected, status",
            &format!("'{id}', '{id}', E'ev{evil}', true, 'handling'"),
        ),
        insert(
            "job_executions",
            "id, invocation_id, event_execution_id, job_name, status, error_message, error_stack",
            &format!("'{id}', '{id}', '{id}', E'jo{evil}', 'failed', E'je{evil}', E'st{evil}'"),
        ),
    ] {
        session.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for("FAIL");
    for keys in ["\r", "e", "\r", "\t", "\t", "\t", "\t", "\u{1b}", "\u{1b}", "4", "1", "?"] {
        terminal.press(keys);
        terminal.settle(Duration::from_millis(200));
    }
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    for sequence in ["\u{1b}]0;", "\u{7}", "\u{8}", "\u{9b}", "\u{202e}"] {
        assert!(!written.contains(sequence), "{sequence:?} was written");
    }
    assert!(terminal.parser.screen().alternate_screen());
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().1, Vec::<&str>::new());
}

/// A program that shows where its file is, its modes and its beginning, and ends after a line of input.
fn guest(folder: &Path) -> PathBuf {
    let path = folder.join("guest");
    let script = "#!/bin/sh\nprintf '\\033[2J\\033[HGUEST %s\\n' \"$1\"\nstat -c 'MODE %a' \"$1\"\nhead -c 300 \"$1\"\nread answer\n\
                  echo \"$answer\" > \"$(dirname \"$0\")/answer\"\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The file that it shows, once its beginning is there, which comes last.
fn guests_file(screen: &str) -> Option<String> {
    let file = screen.lines().find_map(|line| line.strip_prefix("GUEST "));
    file.filter(|_| screen.contains("CREATED")).map(|file| file.trim().to_owned())
}

#[tokio::test]
async fn pager_and_editor_get_the_terminal_and_give_it_back() {
    let db = common::database("terminal_guest").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let program = guest(folder.path()).display().to_string();
    let environment = [
        ("OBSERVABILITY_DB_URL", &db.readonly.url()[..]),
        ("PAGER", &program),
        ("EDITOR", &program),
        ("TMPDIR", folder.path().to_str().unwrap()),
    ];
    let mut terminal = Terminal::start(&binary(), &[], &environment, LARGE);
    terminal.wait_for(FUNCTION);
    terminal.press("o");
    terminal.wait_for("MODE 600");
    terminal.wait_for("CREATED");
    assert!(!terminal.parser.screen().alternate_screen() && !terminal.parser.screen().hide_cursor());
    let mut file = guests_file(&terminal.screen()).unwrap();
    // Keys of the explorer, typed into the program: they are the program's.
    terminal.press("qq\r");
    terminal.wait_until("the explorer again", |screen| !screen.contains("GUEST") && screen.contains(FUNCTION));
    assert_eq!(std::fs::read_to_string(folder.path().join("answer")).unwrap(), "qq\n");
    assert!(!Path::new(&file).exists(), "{file}");
    for _ in 0..10 {
        terminal.press("i");
        // What the one before it wrote is there still.
        terminal.wait_until("the program", |screen| guests_file(screen).is_some_and(|other| other != file));
        file = guests_file(&terminal.screen()).unwrap();
        // Ctrl-C is the program's, too. It ends it before we have seen the signal, or after.
        terminal.press("\u{3}");
        terminal.wait_until("the explorer again", |screen| !screen.contains("GUEST") && screen.contains(FUNCTION));
    }
    terminal.press("o");
    terminal.wait_until("the program", |screen| guests_file(screen).is_some_and(|other| other != file));
    signal(&terminal, "TERM");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (143, vec![]));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[tokio::test]
async fn the_screen_is_written_into_a_file_of_the_working_directory() {
    let db = common::database("terminal_export").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let url = db.readonly.url();
    let mut terminal = Terminal::start_in(folder.path(), &binary(), &[], &[("OBSERVABILITY_DB_URL", &url)], LARGE);
    terminal.wait_for(FUNCTION);
    terminal.press("x");
    terminal.wait_for("wrote ");
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let rows: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    assert!(rows[0]["effective_status"].is_string() && files.len() == 1);
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().1, Vec::<&str>::new());
}

#[tokio::test]
async fn the_background_of_the_terminal_chooses_the_theme() {
    let db = common::database("terminal_background").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for(FUNCTION);
    let asked = |terminal: &Terminal| String::from_utf8_lossy(&terminal.written).into_owned();
    assert!(asked(&terminal).contains("\u{1b}]11;?\u{1b}\\\u{1b}[c"));
    assert!(!asked(&terminal).contains("\u{1b}[38;5;"), "the terminal's own colours");
    // The answer in two pieces, as over a slow line; none of it is a key.
    terminal.press("\u{1b}]11;rgb:ffff/ff");
    terminal.press("ff/ffff\u{1b}\\\u{1b}[?62;22c");
    terminal.wait_for_bytes("\u{1b}[38;5;");
    assert!(terminal.screen().contains(FUNCTION), "{}", terminal.screen());
    terminal.press("qq");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

#[tokio::test]
async fn without_colours_the_same_is_told() {
    let db = common::database("terminal_colours").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    for (arguments, variable) in [
        (&[][..], ("NO_COLOR", "1")),
        (&["--color", "never"], ("LANG", "C.UTF-8")),
        (&["--theme", "mono"], ("LANG", "C.UTF-8")),
        (&[], ("TERM", "dumb")),
    ] {
        let mut terminal = Terminal::start(&binary(), arguments, &[("OBSERVABILITY_DB_URL", &url), variable], LARGE);
        terminal.wait_for("FAIL");
        terminal.press("\u{3}\u{3}");
        let (_, left, terminal) = terminal.end();
        assert_eq!(left, Vec::<&str>::new());
        let written = String::from_utf8_lossy(&terminal.written).into_owned();
        let coloured = written.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m')).any(|(codes, _)| {
            codes.split(';').any(|code| matches!(code.parse(), Ok(30..=37 | 38 | 40..=48 | 90..=107)))
        });
        assert!(!coloured, "{arguments:?} {variable:?}");
        assert!(variable.1 != "dumb" || written.is_ascii());
    }
}

#[tokio::test]
async fn the_mouse_is_used_only_when_asked_for() {
    let db = common::database("terminal_mouse").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let mut terminal = Terminal::start(&binary(), &["--mouse"], &[("OBSERVABILITY_DB_URL", &url)], LARGE);
    terminal.wait_for(FUNCTION);
    terminal.press("\u{1b}[<0;20;9M\u{1b}[<0;20;9m");
    terminal.wait_until("the row under the click", |screen| {
        screen.lines().nth(8).is_some_and(|line| line.starts_with('>'))
    });
    terminal.press("\u{1b}[<65;20;9M");
    terminal
        .wait_until("three rows further", |screen| screen.lines().nth(11).is_some_and(|line| line.starts_with('>')));
    signal(&terminal, "TERM");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (143, vec![]));

    let mut terminal = explorer(&db.readonly, LARGE);
    terminal.wait_for(FUNCTION);
    terminal.press("\u{3}\u{3}");
    let (_, _, terminal) = terminal.end();
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    assert!(!written.contains("\u{1b}[?100"), "no mode that is off is touched");
}

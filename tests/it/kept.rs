//! Saved views and the last session, in the real binary with folders of their own.

use std::fs;
use std::path::Path;

use obs_tui::store::config::Config;

use crate::cli::binary;
use crate::common;
use crate::pty::Terminal;

fn explorer(config: &Config, folder: &Path) -> Terminal {
    let folder = folder.to_str().unwrap();
    let environment =
        [("OBSERVABILITY_DB_URL", &*config.url()), ("XDG_CONFIG_HOME", folder), ("XDG_STATE_HOME", folder)];
    Terminal::start(&binary(), &[], &environment, (120, 36))
}

fn leave(mut terminal: Terminal) {
    terminal.press("\u{3}\u{3}");
    let (status, left, terminal) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]), "{}", terminal.screen());
}

#[tokio::test]
async fn a_view_is_saved_and_the_next_session_begins_with_it() {
    let db = common::database("kept_views").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let views = folder.path().join("obs-tui/views.toml");
    let mut terminal = explorer(&db.readonly, folder.path());
    terminal.wait_for("event-handlers");
    terminal.press(":st:failed at:all\r");
    terminal.wait_for("filter> st:failed");
    terminal.press("\u{13}failures\r");
    terminal.wait_for("saved the view `failures`");
    assert!(fs::read_to_string(&views).unwrap().contains("name = \"failures\"\nfilter = \"st:failed at:all\"\n"));
    terminal.press("T");
    terminal.wait_for("local time");
    leave(terminal);
    let session = fs::read_to_string(folder.path().join("obs-tui/session.toml")).unwrap();
    let session = session.split_once('\n').unwrap();
    assert!(session.0.starts_with("database = ") && session.0.ends_with("/kept_views\""), "{}", session.0);
    assert_eq!(session.1, "filter = \"st:failed at:all\"\nview = \"failures\"\nlocal_time = true\n");

    let mut terminal = explorer(&db.readonly, folder.path());
    terminal.wait_for("view: failures");
    terminal.wait_for("filter> st:failed");
    terminal.press("F");
    terminal.wait_for("st:failed at:all");
    terminal.press("\u{1b}");
    // What somebody else broke is told and stays.
    fs::write(&views, "<<<<<<< HEAD\n").unwrap();
    terminal.press("\u{13}\r");
    terminal.wait_for("line 1");
    leave(terminal);
    assert_eq!(fs::read_to_string(&views).unwrap(), "<<<<<<< HEAD\n");
}

#[tokio::test]
async fn keys_are_edited_from_within() {
    let db = common::database("kept_keys").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let (editor, seen) = (folder.path().join("editor"), folder.path().join("seen"));
    let script = format!("cp \"$1\" '{}'; printf '[keys]\\nnext_failure = [\"Q\"]\\n' > \"$1\"\n", seen.display());
    fs::write(&editor, script).unwrap();
    let (editor, home) = (format!("sh {}", editor.display()), folder.path().to_str().unwrap());
    let environment = [
        ("OBSERVABILITY_DB_URL", &*db.readonly.url()),
        ("XDG_CONFIG_HOME", home),
        ("XDG_STATE_HOME", home),
        ("VISUAL", &editor),
    ];
    let mut terminal = Terminal::start(&binary(), &[], &environment, (120, 36));
    terminal.wait_for("event-handlers");
    terminal.press(":keys edit\r");
    terminal.wait_for("the keys of 1 action are in force");
    terminal.press("Q");
    terminal.wait_until("a selected failure", |screen| {
        screen.lines().any(|line| line.starts_with('>') && line.contains("FAIL"))
    });
    leave(terminal);
    let offered = fs::read_to_string(seen).unwrap();
    assert!(offered.starts_with("[keys]\n") && offered.contains("# next_failure = [\"e\"]"), "{offered}");
}

#[tokio::test]
async fn a_damaged_session_is_no_obstacle() {
    let db = common::database("kept_damaged").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("obs-tui/session.toml");
    fs::create_dir(folder.path().join("obs-tui")).unwrap();
    fs::write(&session, [0xff, 0xfe, 0x00, b'[']).unwrap();
    let mut terminal = explorer(&db.readonly, folder.path());
    terminal.wait_for("event-handlers");
    leave(terminal);
    assert!(fs::read_to_string(&session).unwrap().ends_with("/kept_damaged\"\nlocal_time = false\n"));
}

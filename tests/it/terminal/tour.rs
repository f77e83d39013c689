//! All screens of the real binary at small sizes, keys while the size changes, and keys while the server is away for long.

use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords};
use obs_tui::store::config::Config;

use super::{FUNCTION, SMALL, explorer};
use crate::common;
use crate::pty::Terminal;

fn leave(mut terminal: Terminal) {
    terminal.press("\u{3}\u{3}");
    let (status, left, terminal) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]), "{}", terminal.screen());
}

/// Opens one screen after the other; each is known by the end of the path in its first row.
fn tour(config: &Config, size: (u16, u16)) {
    let mut terminal = explorer(config, size);
    terminal.wait_for("event-ha");
    terminal.press("e");
    terminal.wait_for("FAIL");
    for (keys, name) in [
        ("\r", "Flow"),
        ("\r", "Detail"),
        ("\u{1b}", "Flow"),
        ("L", "Logs"),
        ("\u{1b}", "Flow"),
        ("4", "Charts"),
        ("1", "Invocations"),
        ("?", "Help"),
        ("\u{1b}", "Invocations"),
    ] {
        terminal.press(keys);
        terminal.wait_until(&format!("{name} after {keys:?}"), |screen| {
            let first = screen.lines().next().unwrap_or_default();
            first.rsplit(" > ").next().is_some_and(|end| end.contains(name))
        });
        let screen = terminal.parser.screen();
        assert_eq!(screen.size(), (size.1, size.0));
        let rows: Vec<String> = screen.rows(0, size.0).collect();
        assert!(
            !rows[0].trim().is_empty() && !rows[usize::from(size.1) - 1].trim().is_empty(),
            "{}",
            terminal.screen()
        );
    }
    leave(terminal);
}

#[tokio::test]
async fn every_screen_at_80_columns() {
    let db = common::database("terminal_tour_80").await;
    common::load_foreign(&db).await;
    tour(&db.readonly, SMALL);
}

#[tokio::test]
async fn every_screen_at_40_columns() {
    let db = common::database("terminal_tour_40").await;
    common::load_foreign(&db).await;
    tour(&db.readonly, (40, 12));
}

#[tokio::test]
async fn a_storm_of_sizes_loses_no_key() {
    let db = common::database("terminal_storm").await;
    common::load_foreign(&db).await;
    let mut terminal = explorer(&db.readonly, SMALL);
    terminal.wait_for(FUNCTION);
    terminal.press("\r");
    terminal.wait_for("NODE");
    terminal.press("/");
    let typed = "the quick brown fox jumps over it";
    for (n, key) in (0..).zip(typed.chars()) {
        terminal.press(&key.to_string());
        for _ in 0..5 {
            terminal.resize(30 + n * 7 % 120, 8 + n * 5 % 40);
        }
    }
    terminal.resize(SMALL.0, SMALL.1);
    terminal.wait_for(typed);
    terminal.press("\u{1b}");
    terminal.wait_until("no prompt", |screen| !screen.contains(typed) && screen.contains("NODE"));
    leave(terminal);
}

#[tokio::test]
async fn keys_work_while_the_server_is_away_and_the_rows_stay() {
    let (mut cluster, readonly) = tokio::task::spawn_blocking(|| {
        let cluster = Cluster::start(&Options::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let roles = runtime.block_on(async {
            let roles = admin::create_database(&cluster.superuser(), "away", &Passwords::default()).await.unwrap();
            admin::migrate(&roles.admin).await.unwrap();
            roles
        });
        let superuser = cluster.superuser().with_database("away");
        runtime.block_on(common::load_foreign_into(&superuser));
        (cluster, roles.readonly)
    })
    .await
    .unwrap();
    let mut terminal = explorer(&readonly, SMALL);
    terminal.wait_for(FUNCTION);
    terminal.press("\r");
    terminal.wait_for("NODE");
    cluster.halt();
    terminal.wait_for("OFFLINE");
    // What is loaded can be used; what is not says so; again and again.
    for _ in 0..3 {
        terminal.press("r");
        terminal.press("jjkzMzR?");
        terminal.wait_for("Help");
        terminal.press("\u{1b}");
        terminal.wait_until("the cascade", |screen| screen.contains("NODE") && screen.contains("OFFLINE"));
        terminal.press("1");
        terminal.wait_until("the list", |screen| screen.contains(FUNCTION) && screen.contains("OFFLINE"));
        terminal.press("4");
        terminal.wait_for("Charts");
        terminal.press("2");
        terminal.wait_for("NODE");
    }
    cluster.restart().unwrap();
    terminal.wait_until("the connection again", |screen| !screen.contains("OFFLINE"));
    terminal.press("1");
    terminal.wait_for(FUNCTION);
    leave(terminal);
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap();
}

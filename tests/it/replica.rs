//! A standby of a real server: everything can be read there, and the header says what it is.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::flow::Kind;
use obs_tui::model::hourly::Step;
use obs_tui::model::invocation::Key;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::admin::{self, Passwords, Roles};
use obs_tui::store::config::Config;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use obs_tui::store::time::Timestamp;
use sqlx::{Connection, Executor, PgConnection};

use crate::cli::{binary, run};
use crate::pty::Terminal;

const DATABASE: &str = "standby_pair";

/// The time of the rows.
fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap()
}

fn start(folder: &Path) -> Cluster {
    Cluster::start(&Options { data_dir: Some(folder.to_owned()), ..Options::default() }).unwrap()
}

/// A server with its migrated database, and another one that replays what the first writes. Kept folders, because only
/// these write all that a standby needs.
fn pair(folder: &Path) -> (Cluster, Roles, Cluster) {
    let (first, second) = (folder.join("primary"), folder.join("standby"));
    let mut primary = start(&first);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roles = runtime.block_on(async {
        let roles = admin::create_database(&primary.superuser(), DATABASE, &Passwords::default()).await.unwrap();
        admin::migrate(&roles.admin).await.unwrap();
        roles
    });
    primary.halt();
    assert!(Command::new("cp").arg("-a").args([&first, &second]).status().unwrap().success());
    primary.restart().unwrap();
    let superuser = primary.superuser();
    let password = superuser.password.as_ref().unwrap().reveal();
    let conninfo = format!("host=127.0.0.1 port={} user={} password={password}", superuser.port, superuser.user);
    let settings = second.join("data/postgresql.auto.conf");
    let mut settings = OpenOptions::new().append(true).open(settings).unwrap();
    writeln!(settings, "primary_conninfo = '{conninfo}'").unwrap();
    std::fs::write(second.join("data/standby.signal"), "").unwrap();
    let standby = start(&second);
    (primary, roles, standby)
}

/// The same role on another server.
fn beside(role: &Config, server: &Cluster) -> Config {
    let mut config = role.clone();
    config.port = server.superuser().port;
    config
}

async fn insert(config: &Config, name: &str) {
    let mut session =
        PgConnection::connect_with(&config.writer_options("test").options([("search_path", "public")])).await.unwrap();
    let sql = "with i as (insert into invocations (created_at, source_function, source_event_payload, status, correlation_id) \
               values ($1, $2, '{}', 'completed', 'a@b.c') returning id), \
               e as (insert into event_executions (invocation_id, event_name, detected, status) \
                     select id, 'e', true, 'completed' from i returning id, invocation_id) \
               insert into job_executions (invocation_id, event_execution_id, job_name, status) \
               select invocation_id, id, 'j', 'failed' from e";
    sqlx::query(sql).bind(Timestamp(now())).bind(name).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_standby_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (primary, roles, standby) = tokio::task::spawn_blocking(move || pair(&path)).await.unwrap();
    insert(&roles.app, "written-before").await;
    let config = beside(&roles.readonly, &standby);
    let reader = Reader::new(config.clone());
    let query = PageQuery { limit: 10, ..PageQuery::default() };
    // What was written is there as soon as it was replayed.
    let page = loop {
        match reader.page(&query, now(), STALE_AFTER).await {
            Ok(page) if page.rows.len() == 1 => break page,
            // The database itself comes with what is replayed.
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    };
    let server = reader.server();
    assert!(server.replica && server.read_only, "{server:?}");
    assert!(server.lag.is_some_and(|lag| lag >= TimeDelta::zero()), "{server:?}");
    let id = page.rows[0].invocation.id;
    let newest = Key::from(&page.rows[0].invocation);
    assert_eq!(reader.changes(&query, Some(newest), &[id], now(), STALE_AFTER).await.unwrap().rows.len(), 1);
    assert_eq!(reader.count(&query, now(), STALE_AFTER).await.unwrap().at_least, 1);
    assert_eq!(reader.cascade(Seed::invocation(id)).await.unwrap().jobs.len(), 1);
    assert!(reader.find("a@b.c", now()).await.unwrap().is_some());
    assert!(reader.row(Kind::Invocation, id).await.unwrap().is_some());
    assert_eq!(reader.job_logs(&[id]).await.unwrap(), (Vec::new(), true));
    assert!(reader.known(now() - TimeDelta::days(1)).await.is_ok());
    for step in [Step::Minute, Step::Quarter, Step::Hour] {
        let from = now() - step.length() * 10;
        assert_eq!(reader.hourly(from, now(), step, now()).await.unwrap().total().failed, 1);
    }
    let url = config.url();
    let (code, _, error) = run(&url, &["ls", "--all"]);
    assert_eq!(code, 0, "{error}");
    // What writes says that it cannot.
    let admin = beside(&roles.admin, &standby).url();
    let (code, _, error) = run(&admin, &["db", "refresh"]);
    assert!(code == 2 && error.contains("read-only"), "{error}");

    let mut terminal = Terminal::start(&binary(), &[], &[("OBSERVABILITY_DB_URL", &url)], (120, 36));
    terminal.wait_for("written-before");
    terminal.wait_until("a replica that only reads", |screen| {
        screen.lines().next().is_some_and(|line| line.contains(" replica ") && line.contains(" ro "))
    });
    insert(&roles.app, "written-later").await;
    terminal.wait_for("written-later");
    // It cannot be told of rows, so it asks; both stand among the messages and in the header.
    terminal.press("!");
    terminal.wait_for("cannot execute LISTEN during recovery");
    terminal.press("!");
    terminal.wait_until("that it asks", |screen| screen.lines().next().is_some_and(|line| line.contains("LIVE 2s")));
    // The primary is lost, and the standby takes over.
    drop(primary);
    let mut superuser = PgConnection::connect_with(&standby.superuser().writer_options("test")).await.unwrap();
    superuser.execute("select pg_promote()").await.unwrap();
    terminal.wait_until("no replica any more", |screen| {
        screen.lines().next().is_some_and(|line| !line.contains(" replica ") && line.contains(" ro "))
    });
    insert(&beside(&roles.app, &standby), "written-after").await;
    terminal.wait_for("written-after");
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

//! One resolver of ids: what `/`, `show`, `logs` and `tail` find by an id, wherever it stands, and what they say they
//! searched; and two deliveries of one event.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use chrono::TimeDelta;
use obs_tui::clock::Clock;
use obs_tui::store::read::Reader;
use serde_json::Value;
use sqlx::Executor;
use uuid::Uuid;

use crate::cli::{command, run};
use crate::common::{self, TestDb};
use crate::extremes::screens::Explorer;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + n)
}

async fn write(db: &TestDb, statements: &[String]) {
    let mut session = common::session(&db.app).await;
    for statement in statements {
        session
            .execute(sqlx::AssertSqlSafe(statement.as_str()))
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// An invocation so long ago, with this column.
fn invocation(n: u128, ago: TimeDelta, (column, value): (&str, &str)) -> String {
    let at = Clock::system().now() - ago;
    format!(
        "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status, {column}) \
         values ('{}', '{at}', '{at}', 'f{n}', '{{}}', 'completed', '{value}')",
        id(n)
    )
}

/// The rows of `ls`, newest first.
fn listed(url: &str, filter: &str) -> Vec<Uuid> {
    let (code, out, error) = run(url, &["ls", "--json", "--filter", filter]);
    assert!(code == 0 || code == 3, "{filter}: {error}");
    let rows: Value = serde_json::from_str(&out).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_found_wherever_it_stands_and_what_was_searched_is_told() {
    let db = common::database("ids").await;
    let (hour, old) = (TimeDelta::hours(1), TimeDelta::days(300));
    let (gone, event, old_event, within, whole) = (id(50), id(60), id(61), id(70), id(71));
    write(
        &db,
        &[
            invocation(1, old, ("correlation_id", &format!("moves.notify.{whole}"))),
            format!(
                "insert into event_executions (id, invocation_id, event_name, detected, status) \
                 values ('{}', '{}', 'e', true, 'completed')",
                id(11),
                id(1)
            ),
            format!(
                "insert into job_executions (id, invocation_id, event_execution_id, job_name, status) \
                 values ('{}', '{}', '{}', 'j', 'completed')",
                id(12),
                id(1),
                id(11)
            ),
        ],
    )
    .await;
    let mut owner = common::session(&db.superuser).await;
    owner.execute("set session_replication_role = replica").await.unwrap();
    for statement in [
        invocation(2, old, ("source_job_id", &gone.to_string())),
        invocation(3, hour, ("source_event_id", &event.to_string())),
        invocation(4, old, ("source_event_id", &old_event.to_string())),
        invocation(5, hour, ("correlation_id", &format!("a@b.c|{within}|{gone}|2"))),
        invocation(6, old, ("correlation_id", &whole.simple().to_string())),
    ] {
        owner.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    let url = db.readonly.url();
    let token = format!("driver@company.com|moves.notify.{whole}|{gone}");
    for (text, found) in [
        (id(1).to_string(), vec![id(1)]),
        (id(11).to_string(), vec![id(1)]),
        (id(12).simple().to_string(), vec![id(1)]),
        (gone.to_string(), vec![id(2)]),
        (event.to_string(), vec![id(3)]),
        (within.to_string(), vec![id(5)]),
        (whole.to_string(), vec![id(6)]),
        (format!("moves.notify.{whole}"), vec![id(1)]),
        (token, vec![id(1)]),
        (old_event.to_string(), vec![]),
        (format!("{old_event} at:all"), vec![id(4)]),
    ] {
        assert_eq!(listed(&url, &text), found, "{text}");
        if text.contains("at:all") {
            continue;
        }
        let (code, out, error) = run(&url, &["show", "--json", &text]);
        assert_eq!(code, if found.is_empty() { 3 } else { 0 }, "{text}: {error}");
        let (logs, _, told) = run(&url, &["logs", &text]);
        assert_eq!((logs, told.contains("is in the database")), (3, found.is_empty()), "{text}: {told}");
        match found.first() {
            // A token leads to the job first.
            Some(_) if text.contains("driver") => assert!(out.contains(&id(2).to_string()), "{out}"),
            Some(first) => assert!(out.contains(&first.to_string()), "{text}: {out}"),
            None => {
                assert!(error.contains("nor in the last 7d as a source event or within a correlation id"), "{error}")
            }
        }
    }
    let mut tail =
        command(&url, &["tail", "--json", "--since", "1d", &event.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(tail.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(line.contains(&id(3).to_string()), "{line}");
    let (_, _, error) = run(&url, &["show", "nobody@company.com"]);
    assert!(
        error.contains("is in the database") && !error.contains("the last 7d"),
        "nothing else is searched: {error}"
    );

    let reader = Reader::new(db.readonly.clone());
    let mut explorer = Explorer::start(&reader).await;
    explorer.press("/").await;
    explorer.press(&old_event.to_string()).await;
    explorer.press("<Enter>").await;
    let screen = explorer.text();
    assert!(screen.contains("looked for: all time"), "{screen}");
    assert!(screen.contains("as a source event or within a correlation id: last 7d"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_one_event_are_marked() {
    let db = common::database("deliveries").await;
    let chain = format!("moves.{}", id(90));
    let minute = TimeDelta::minutes(1);
    let mut statements: Vec<_> =
        (1..=3).map(|n| invocation(n, minute * i32::try_from(n).unwrap(), ("correlation_id", &chain))).collect();
    for (n, event) in [(1, 80), (2, 80), (3, 81)] {
        statements.push(format!("update invocations set source_event_id = '{}' where id = '{}'", id(event), id(n)));
    }
    write(&db, &statements).await;
    let url = db.readonly.url();
    let (_, out, _) = run(&url, &["ls", "--json"]);
    let rows: Value = serde_json::from_str(&out).unwrap();
    let told =
        |n: usize| (rows[n]["deliveries"].clone(), rows[n]["source_event_id"].clone(), rows[n]["reason"].clone());
    let note = "one of 2 deliveries of the same event";
    let twice = (Value::from(2), Value::from(id(80).to_string()), Value::from(note));
    assert_eq!((told(0), told(1)), (twice.clone(), twice));
    assert_eq!(told(2), (Value::from(1), Value::from(id(81).to_string()), Value::Null));
    let (_, out, _) = run(&url, &["ls"]);
    assert_eq!(out.matches(note).count(), 2, "{out}");
    for arguments in [&["show", &chain][..], &["show", "--json", &id(1).to_string()]] {
        let (code, out, _) = run(&url, arguments);
        assert_eq!((code, out.matches(note).count()), (0, 2), "{out}");
    }
    let reader = Reader::new(db.readonly.clone());
    let mut explorer = Explorer::start(&reader).await;
    assert_eq!(explorer.text().matches("2x ").count(), 2, "{}", explorer.text());
    assert!(explorer.text().contains(note), "{}", explorer.text());
    explorer.open(id(1)).await;
    assert!(explorer.text().contains(note), "{}", explorer.text());
}

//! Secrets planted in every text column of every table, in every form: no command prints one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use obs_tui::model::redact::MASK;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::cli::{command, run};
use crate::common::{self, TestDb};

#[path = "../../src/model/redact/tests/planted.rs"]
mod planted;
use planted::{FORMS, seen};

const TABLES: [&str; 4] = ["invocations", "event_executions", "job_executions", "job_logs"];

fn id(table: usize, n: usize) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + (table * 1000 + n) as u128)
}

/// A chain of one invocation with one event, one job and one log line for each form, which stands in all of their texts.
async fn plant(db: &TestDb) {
    let session = &mut common::session(&db.superuser).await;
    let columns: Vec<Vec<(String, String)>> = {
        let mut all = Vec::new();
        for table in TABLES {
            all.push(texts(session, table).await);
        }
        all
    };
    for (n, form) in FORMS.iter().enumerate() {
        let [invocation, event, job, log] = [0, 1, 2, 3].map(|table| id(table, n));
        let cause = n.checked_sub(1).map_or("null".to_owned(), |before| format!("'{}'", id(2, before)));
        let sql = format!(
            "insert into invocations (id, source_function, status, source_job_id, total_duration_ms) \
                 values ('{invocation}', 'f', 'completed', {cause}, 5); \
             insert into event_executions (id, invocation_id, event_name, detected, status) \
                 values ('{event}', '{invocation}', 'e', true, 'failed'); \
             insert into job_executions (id, invocation_id, event_execution_id, job_name, status, duration_ms) \
                 values ('{job}', '{invocation}', '{event}', 'j', 'failed', 3); \
             insert into job_logs (id, job_execution_id) values ('{log}', '{job}')"
        );
        session.execute(AssertSqlSafe(sql)).await.unwrap();
        for (table, columns) in TABLES.iter().zip(&columns) {
            let json = "jsonb_build_object('note', $1::text, 'list', jsonb_build_array($1::text), $1::text, 1, 'event', \
                        jsonb_build_object('op', $1::text, 'data', jsonb_build_object('old', jsonb_build_object('a', 1), \
                        'new', jsonb_build_object('a', $1::text))))";
            let set =
                |(name, kind): &(String, String)| format!("{name} = {}", if kind == "jsonb" { json } else { "$1" });
            let set: Vec<String> = columns.iter().map(set).collect();
            let place = TABLES.iter().position(|other| other == table).unwrap();
            let sql = format!("update {table} set {} where id = '{}'", set.join(", "), id(place, n));
            sqlx::query(AssertSqlSafe(sql)).bind(form.with_secret()).execute(&mut *session).await.unwrap();
        }
    }
}

/// The columns of a table that hold texts or JSON; the status is one of a few words.
async fn texts(session: &mut PgConnection, table: &str) -> Vec<(String, String)> {
    sqlx::query_as(
        "select column_name::text, data_type::text from information_schema.columns \
         where table_name = $1 and data_type in ('text', 'character varying', 'jsonb') and column_name <> 'status'",
    )
    .bind(table)
    .fetch_all(session)
    .await
    .unwrap()
}

#[tokio::test]
async fn no_command_prints_a_planted_secret() {
    let db = common::database("cli_secrets").await;
    plant(&db).await;
    let columns = texts(&mut common::session(&db.readonly).await, "invocations").await;
    assert!(columns.len() >= 12, "{columns:?}");
    let url = db.readonly.url();
    let (root, last) = (id(0, 0).to_string(), id(2, FORMS.len() - 1).to_string());
    let outputs = [
        "ls --all".to_owned(),
        "ls --all --json".to_owned(),
        format!("show {root}"),
        format!("show {root} --json"),
        format!("show {last}"),
        format!("logs {root} --cascade"),
        format!("logs {root} --cascade --json"),
    ];
    for arguments in outputs {
        let (_, output, error) = run(&url, &arguments.split(' ').collect::<Vec<_>>());
        assert!(output.matches(MASK).count() >= 5, "{arguments:?}: {output}{error}");
        assert_eq!(seen(&(output + &error)), None, "{arguments:?}");
    }
    // Lists, cascades, rows, failures, jobs and hours as plain lines.
    let mut typed = "failures\n1\n1\nd\nb\nb\nb\njobs\n1\nb\nhours\nn\n".to_owned();
    for page in 0..FORMS.len() / 20 {
        typed.push_str("r\n");
        typed.push_str(&"n\n".repeat(page));
        for line in 1..=20 {
            typed.push_str(&format!("{line}\nd\n1\nd\n2\nd\n3\nd\nb\n"));
        }
    }
    let mut child = command(&url, &["--plain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(typed.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.matches(MASK).count() > 1000, "{told}");
    assert_eq!(seen(&told), None);

    let mut tail = command(&url, &["tail", "--since", "1h", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines().take(FORMS.len()).map(Result::unwrap);
    let told: String = lines.collect();
    assert_eq!((seen(&told), told.matches(MASK).count() > FORMS.len()), (None, true));
    assert!(Command::new("kill").args(["-INT", &tail.id().to_string()]).status().unwrap().success());
    tail.wait().unwrap();
}

#[tokio::test]
async fn a_configuration_file_adds_keys_and_takes_some_away() {
    let db = common::database("cli_redact").await;
    let session = &mut common::session(&db.app).await;
    let (invocation, log) = (id(0, 1), "{\"smsTan\": \"one\", \"access_token\": \"two\", \"token\": \"three\"}");
    let sql = format!(
        "insert into invocations (id, source_function, status) values ('{invocation}', 'f', 'completed'); \
         insert into event_executions (id, invocation_id, event_name) values ('{0}', '{invocation}', 'e'); \
         insert into job_executions (id, invocation_id, event_execution_id, job_name) values ('{1}', '{invocation}', '{0}', 'j'); \
         insert into job_logs (job_execution_id, message, data) values ('{1}', 'sent', '{log}')",
        id(1, 1),
        id(2, 1)
    );
    session.execute(AssertSqlSafe(sql)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[redact]\nkeys = [\"tan\"]\nallow = [\"accessToken\"]\n").unwrap();
    let asked = invocation.to_string();
    let (_, output, error) = run(&db.readonly.url(), &["--config", file.to_str().unwrap(), "logs", &asked]);
    assert!(output.contains(r#"{"token":"******","smsTan":"******","access_token":"two"}"#), "{output}{error}");
}

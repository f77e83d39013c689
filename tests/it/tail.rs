//! `obs-tui tail` and `obs-tui logs` as scripts use them.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;
use sqlx::Executor;
use uuid::Uuid;

use crate::cli::{command, run};
use crate::common::{self, TestDb};

async fn execute(db: &TestDb, sql: String) {
    common::session(&db.app).await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + u128::from(n))
}

async fn insert(db: &TestDb, n: u32, function: &str, status: &str) {
    let sql = format!(
        "insert into invocations (id, source_function, source_event_payload, status, correlation_id) \
         values ('{}', '{function}', '{{}}', '{status}', 'tail.{}')",
        id(n),
        id(1)
    );
    execute(db, sql).await;
}

/// A `tail` whose lines are read one by one.
struct Tail {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Tail {
    fn start(db: &TestDb, arguments: &[&str]) -> Self {
        let mut child = command(&db.readonly.url(), arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.as_mut().unwrap().next().unwrap().unwrap()
    }

    fn row(&mut self) -> (String, String) {
        let row: Value = serde_json::from_str(&self.line()).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["effective_status"].as_str().unwrap().to_owned())
    }

    /// Sends SIGINT; gives how it ended and what it printed until then.
    fn interrupt(mut self) -> (ExitStatus, Vec<String>) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        let rest = self.lines.take().unwrap().map(Result::unwrap).collect();
        (self.child.wait().unwrap(), rest)
    }
}

#[tokio::test]
async fn rows_are_printed_as_they_come_and_as_they_change() {
    let db = common::database("tail_rows").await;
    insert(&db, 1, "before", "completed").await;
    insert(&db, 2, "runs", "running").await;
    let mut tail = Tail::start(&db, &["tail", "--json", "--since", "1h"]);
    assert_eq!(tail.row(), (id(1).to_string(), "ok".to_owned()));
    assert_eq!(tail.row(), (id(2).to_string(), "running".to_owned()));
    insert(&db, 3, "later", "completed").await;
    assert_eq!(tail.row(), (id(3).to_string(), "ok".to_owned()));
    execute(&db, format!("update invocations set status = 'failed' where id = '{}'", id(2))).await;
    assert_eq!(tail.row(), (id(2).to_string(), "failed".to_owned()), "again, because it has ended");
    insert(&db, 4, "last", "completed").await;
    assert_eq!(tail.row().0, id(4).to_string(), "and nothing twice");
    let (status, rest) = tail.interrupt();
    assert_eq!((status.code(), rest), (Some(0), Vec::new()));
}

/// As a writer does it that sends an invocation, its events and its jobs in three requests, ended as they will be.
#[tokio::test]
async fn what_is_written_in_three_requests_is_never_announced_as_stuck() {
    let db = common::database("tail_three").await;
    let mut tail = Tail::start(&db, &["tail", "--json", "--since", "1h"]);
    insert(&db, 1, "parts", "completed").await;
    assert_eq!(tail.row(), (id(1).to_string(), "ok".to_owned()));
    let below = |status: &str, age: &str| {
        let of_event = if status == "running" { "handling" } else { status };
        format!(
            "insert into event_executions (id, invocation_id, event_name, detected, status, updated_at) \
                 values ('{0}', '{1}', 'e', true, '{of_event}', now() - interval '{age}') \
                 on conflict (id) do update set status = excluded.status, updated_at = excluded.updated_at; \
             insert into job_executions (id, invocation_id, event_execution_id, job_name, status, updated_at) \
                 values ('{2}', '{1}', '{0}', 'j', '{status}', now() - interval '{age}') \
                 on conflict (id) do update set status = excluded.status, updated_at = excluded.updated_at; \
             update invocations set updated_at = now() - interval '{age}' where id = '{1}'",
            id(11),
            id(1),
            id(12)
        )
    };
    execute(&db, below("running", "0 s")).await;
    assert_eq!(tail.row(), (id(1).to_string(), "running".to_owned()), "its jobs are to end yet");
    execute(&db, below("completed", "0 s")).await;
    assert_eq!(tail.row(), (id(1).to_string(), "ok".to_owned()));
    // What nobody touched for longer is stuck after all.
    insert(&db, 2, "left", "completed").await;
    assert_eq!(tail.row().0, id(2).to_string());
    let job = format!(
        "insert into event_executions (id, invocation_id, event_name, detected, status, updated_at) \
             values ('{0}', '{1}', 'e', true, 'handling', now() - interval '2 minutes'); \
         update invocations set updated_at = now() - interval '2 minutes' where id = '{1}'",
        id(21),
        id(2)
    );
    execute(&db, job).await;
    assert_eq!(tail.row(), (id(2).to_string(), "stuck".to_owned()));
    let (status, rest) = tail.interrupt();
    assert_eq!((status.code(), rest), (Some(0), Vec::new()));
}

#[tokio::test]
async fn a_burst_is_printed_whole_and_only_what_passes() {
    let db = common::database("tail_burst").await;
    insert(&db, 1, "seen", "completed").await;
    let mut tail = Tail::start(&db, &["tail", "fn:seen", "--since", "1h"]);
    assert!(tail.line().contains("FUNCTION"));
    assert!(tail.line().contains(&id(1).to_string()));
    execute(
        &db,
        "insert into invocations (created_at, source_function, source_event_payload, status) \
         select now() + n * interval '1 microsecond', case when n % 2 = 0 then 'seen' else 'other' end, '{}', 'completed' \
         from generate_series(1, 2600) n"
            .to_owned(),
    )
    .await;
    let lines: Vec<String> = (0..1_300).map(|_| tail.line()).collect();
    assert!(lines.iter().all(|line| line.contains("seen")));
    let mut ids: Vec<_> = lines.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_300);
    let (status, rest) = tail.interrupt();
    assert_eq!((status.code(), rest), (Some(0), Vec::new()));
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_it() {
    let db = common::database("tail_pipe").await;
    let mut tail = Tail::start(&db, &["tail"]);
    assert!(tail.line().contains("FUNCTION"));
    // There is nothing to print: only the closed pipe tells.
    tail.lines = None;
    assert_eq!(tail.child.wait().unwrap().code(), Some(0));
    assert_eq!(run(&db.readonly.url(), &["tail", "st:nonsense"]).0, 2);
    assert_eq!(run("postgres://nobody@127.0.0.1:1/none", &["tail"]).0, 4);
}

#[tokio::test]
async fn log_lines_are_printed_for_a_job_and_for_a_chain() {
    let db = common::database("tail_logs").await;
    insert(&db, 1, "f", "completed").await;
    let (event, jobs) = (id(10), [id(11), id(12)]);
    execute(
        &db,
        format!(
            "insert into event_executions (id, invocation_id, event_name, detected, status) values ('{event}', '{}', 'e', true, 'completed'); \
             insert into job_executions (id, invocation_id, event_execution_id, job_name, status) \
             values ('{}', '{}', '{event}', 'a', 'completed'), ('{}', '{}', '{event}', 'b', 'completed'); \
             insert into job_logs (job_execution_id, level, message, data, source, created_at) \
             values ('{}', 'info', 'begins', null, 'svc', now()), \
                    ('{}', 'error', E'fails \\x1b[2J', '{{\"password\": \"hunter2\", \"code\": 7}}', 'svc', now() + interval '1 s'), \
                    ('{}', 'warn', 'other job', null, 'svc', now() + interval '2 s')",
            id(1), jobs[0], id(1), jobs[1], id(1), jobs[0], jobs[0], jobs[1]
        ),
    )
    .await;
    let url = db.readonly.url();
    let (code, output, error) = run(&url, &["logs", &jobs[0].to_string()]);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((code, lines.len(), error.as_str()), (0, 2, ""), "{output}");
    assert!(lines[0].ends_with("INFO  svc begins") && lines[1].contains("ERROR svc fails "), "{output}");
    assert!(!output.contains('\u{1b}') && !output.contains("hunter2") && lines[1].contains("\"code\":7"), "{output}");
    // An invocation has the lines of its jobs, a correlation id those of its chain.
    for chain in [id(1).to_string(), format!("tail.{}", id(1))] {
        let (code, output, _) = run(&url, &["logs", &chain, "--json"]);
        let rows: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((code, rows.len()), (0, 3), "{chain}");
        assert_eq!((&rows[1]["level"], &rows[1]["source"]), (&"ERROR".into(), &"job_logs".into()));
        assert_ne!(rows[1]["fields"]["password"], "hunter2");
    }
    let (code, output, _) = run(&url, &["logs", &jobs[1].to_string(), "--cascade"]);
    assert_eq!((code, output.lines().count()), (0, 3));
    // Nothing there, nothing configured, and a log server that is away while the table answers.
    let (code, _, error) = run(&url, &["logs", &id(99).to_string()]);
    assert!(code == 3 && error.contains("is in the database"), "{error}");
    execute(&db, "delete from job_logs".to_owned()).await;
    let (code, _, error) = run(&url, &["logs", &jobs[0].to_string()]);
    assert!(code == 3 && error.contains("not configured"), "{error}");
    let away = command(&url, &["logs", &jobs[0].to_string()]).env("LOKI_URL", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(away.status.code(), Some(2));
    assert!(String::from_utf8(away.stderr).unwrap().contains("Offline"));
}

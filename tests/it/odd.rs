//! Databases that other programs shaped: an enum for the status, ids that are texts, times without a zone, NULL in names,
//! bytes that are no UTF-8, tables in another schema. Each is a cell or a value, never the end of a list.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use chrono::TimeDelta;
use obs_tui::cli::plain;
use obs_tui::model::flow::Kind;
use obs_tui::model::hourly::Step;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{Reader, Seed};
use serde_json::Value;
use sqlx::Executor;
use uuid::Uuid;

use crate::cli::{command, run};
use crate::common::{self, TestDb};
use crate::extremes::now;
use crate::extremes::screens::Explorer;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + n)
}

fn json(url: &str, arguments: &[&str]) -> Value {
    let (code, out, error) = run(url, arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    serde_json::from_str(&out).unwrap()
}

/// The first rows of `tail`, oldest first.
fn tailed(url: &str, most: usize) -> Vec<Value> {
    let mut tail = command(url, &["tail", "--json", "--since", "1000w"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let rows = lines.take(most).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    tail.kill().unwrap();
    tail.wait().unwrap();
    rows
}

async fn plainly(reader: &Reader, input: &str) -> String {
    let mut out = Vec::new();
    plain::run(reader, STALE_AFTER, input.as_bytes(), &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Tables with other types, as another program made them, and three invocations.
async fn other_types(db: &TestDb) {
    let mut session = common::session(&db.superuser).await;
    session
        .execute(
            "create type run_status as enum ('running', 'done', 'error', 'cancelled', 'paused'); \
         create table invocations (id text primary key, created_at timestamp, updated_at timestamp, correlation_id uuid, \
           source_function varchar(100), source_table text, source_operation text, source_system text, source_job_id text, \
           source_event_payload json, source_user_email text, total_duration_ms bigint, status run_status, \
           error_message text, error_stack text, context_data json, events_detected_count int, total_jobs_run int); \
         create table event_executions (id text primary key, invocation_id text, created_at timestamp, updated_at timestamp, \
           event_name text, detected boolean, status run_status, detection_duration_ms numeric, handler_duration_ms smallint, \
           detection_error text, handler_error text, detection_error_stack text, handler_error_stack text); \
         create table job_executions (id text primary key, invocation_id text, event_execution_id text, \
           created_at timestamp, updated_at timestamp, job_name text, duration_ms int, status run_status, result json, \
           error_message text, error_stack text); \
         create table job_logs (id bigint primary key, job_execution_id text, level text, message text, data json, \
           source text, created_at timestamp); \
         grant usage on schema public to observability_readonly; \
         grant select on all tables in schema public to observability_readonly",
        )
        .await
        .unwrap();
    let rows = format!(
        "insert into invocations values \
           ('{root}', '2026-11-20 12:00:00.5', '2026-11-20 12:00:01', '{correlation}', null, 'public.moves', 'UPDATE', null, null, \
            '{{\"data\": {{\"n\": 123456789012345678901}}}}', null, 1000, 'done', null, null, '{{\"a\": 1}}'), \
           ('inv-2', '2026-11-20 12:10:00', null, null, 'named', null, null, null, 'job-1', 'null', null, null, null, null, null, null), \
           ('{third}', '2026-11-20 12:20:00', '2026-11-20 12:20:00', null, 'third', null, null, null, null, '{{}}', null, 7, \
            'cancelled', null, null, null), \
           ('{fourth}', null, '2026-11-20 12:42:00', null, 'fourth', null, null, null, null, null, null, null, 'paused', null, null, null); \
         insert into event_executions values ('{event}', '{root}', '2026-11-20 12:00:00.5', null, null, true, 'done', 1.5, 2, \
            null, null, null, null); \
         insert into job_executions values ('job-1', '{root}', '{event}', '2026-11-20 12:00:00.6', null, 'send', 7, 'error', \
            '{{\"x\": 1e400}}', null, null), \
           ('job-2', '{root}', null, '2026-11-20 12:00:00.7', null, null, 8, 'done', null, null, null); \
         insert into job_logs values (1, 'job-1', 'info', 'a line', '{{}}', null, '2026-11-20 12:00:00.61')",
        root = id(1),
        third = id(3),
        fourth = id(4),
        event = id(5),
        correlation = id(9),
    );
    session.execute(sqlx::AssertSqlSafe(rows)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_other_types_are_read_as_what_they_mean() {
    let db = common::empty_database("odd_types").await;
    other_types(&db).await;
    let (reader, url) = (Reader::new(db.readonly.clone()), db.readonly.url());
    let mut session = common::session(&db.superuser).await;
    let derived = |text: &'static str| sqlx::query_scalar::<_, Uuid>("select md5($1)::uuid").bind(text);
    let second = derived("inv-2").fetch_one(&mut session).await.unwrap();
    let job = derived("job-1").fetch_one(&mut session).await.unwrap();

    let list = json(&url, &["ls", "--json", "--filter", "at:all"]);
    let told = |row: &Value| {
        ["id", "source_function", "status", "effective_status", "created_at"]
            .map(|field| row[field].as_str().unwrap().to_owned())
    };
    let rows: Vec<_> = list.as_array().unwrap().iter().map(told).collect();
    // A row without a time is older than all others; PostgreSQL sorts it to the top.
    let expected = [
        [&id(4).to_string(), "fourth", "paused", "stuck", "-infinity"],
        [&id(3).to_string(), "third", "cancelled", "failed", "2026-11-20T12:20:00.000000Z"],
        [&second.to_string(), "named", "", "stuck", "2026-11-20T12:10:00.000000Z"],
        [&id(1).to_string(), "", "done", "failed", "2026-11-20T12:00:00.500000Z"],
    ];
    assert_eq!(rows, expected);
    assert_eq!(list[3]["reason"], "recorded done, but 1 job failed");
    assert!(list[0]["reason"].as_str().unwrap().contains("paused (unknown status)"), "{list}");
    assert_eq!(list[3]["correlation_id"], id(9).to_string());
    assert_eq!(
        (&list[2]["parent_job_id"], &list[2]["link"]),
        (&Value::from(job.to_string()), &Value::from("recorded"))
    );
    let filtered = |filter: &str| {
        let rows = json(&url, &["ls", "--json", "--filter", filter]);
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(filtered("st:failed at:2026-11-20"), [id(3).to_string(), id(1).to_string()]);
    assert_eq!(filtered("payload.data.n:123456789012345678901 at:all"), [id(1).to_string()]);
    assert_eq!(filtered(&format!("corr:{}", id(9))), [id(1).to_string()]);
    assert_eq!(filtered("at:2026-11-20T12:10Z"), [second.to_string()], "the time is that of UTC");
    // The fourth was never recorded within any range of time.
    let tail: Vec<_> = tailed(&url, 3).iter().rev().map(told).collect();
    assert_eq!(tail, rows[1..]);

    for named in [id(1), second, job, id(5)] {
        let (code, out, error) = run(&url, &["show", &named.to_string()]);
        assert_eq!(code, 0, "{error}");
        assert!(out.contains("2 invocations") && out.contains("1 event") && out.contains("2 jobs, 1 failed"), "{out}");
        assert!(out.contains("send") && out.contains("named"), "{out}");
    }
    let (code, out, error) = run(&url, &["logs", &id(1).to_string()]);
    assert!(code == 0 && out.contains("a line"), "{out}{error}");

    let row = reader.row(Kind::Invocation, second).await.unwrap().unwrap();
    assert_eq!((&row["id"], &row["status"], &row["source_job_id"]), (&"inv-2".into(), &Value::Null, &"job-1".into()));
    let row = reader.row(Kind::Job, job).await.unwrap().unwrap();
    assert_eq!(row["result"].to_string(), r#"{"x":1e400}"#.replace("1e400", &row["result"]["x"].to_string()));
    assert_eq!(reader.row(Kind::Invocation, id(1)).await.unwrap().unwrap()["status"], "done");
    let (from, to) = (now() - TimeDelta::days(1), now());
    let hourly = reader.hourly(from, to, Step::Hour, now()).await.unwrap();
    assert_eq!(
        hourly.buckets.iter().map(|bucket| (bucket.total, bucket.failed)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (3, 2)
    );
    assert_eq!(reader.failures(from, to).await.unwrap().rows.len(), 2);
    assert_eq!(reader.job_stats(from, to).await.unwrap().jobs.len(), 2);
    assert_eq!(reader.known(from).await.unwrap().jobs, ["send"]);
    assert_eq!(reader.inside(id(1)).await.unwrap().jobs.len(), 2);
    let values = reader.payload_values(&[id(1)], &["data".to_owned(), "n".to_owned()]).await.unwrap();
    assert_eq!(values, [(id(1), Some("123456789012345678901".to_owned()))]);
    assert_eq!(reader.cascade(Seed::invocation(id(1))).await.unwrap().invocations.len(), 2);

    let plain = plainly(&reader, "4\n1\nd\nb\n").await;
    assert!(plain.contains("send") && !plain.contains("could not be read"), "{plain}");
    let mut explorer = Explorer::start(&reader).await;
    for text in ["named", "third", "fourth", "UPDATE moves", "-infinity"] {
        assert!(explorer.text().contains(text), "{text}: {}", explorer.text());
    }
    explorer.open(id(1)).await;
    assert!(explorer.text().contains("send"), "{}", explorer.text());
    explorer.press("j<Enter>").await;
    assert!(explorer.text().contains("recorded done"), "{}", explorer.text());
    explorer.press("<Esc>4").await;
    assert!(explorer.text().contains("3 invocations"), "{}", explorer.text());
    let converted = reader.server().converted;
    assert!(converted.contains(&("invocations.status".to_owned(), "public.run_status".to_owned())), "{converted:?}");
    assert!(!converted.iter().any(|(column, _)| column.ends_with("created_at")), "{converted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_utf_8_are_characters_of_a_cell() {
    let db = common::ascii_database("odd_bytes").await;
    let mut session = common::session(&db.superuser).await;
    let bytes = |hex: &str| format!("convert_from('\\x{hex}', 'SQL_ASCII')");
    // Müller in Latin-1, in UTF-8, and a name whose 1001st byte is in the middle of a character.
    let rows = format!(
        "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status, error_message) values \
           ('{}', '2026-11-20 12:00Z', '2026-11-20 12:00Z', {latin}, jsonb_build_object('name', {latin}), 'failed', {latin}), \
           ('{}', '2026-11-20 12:01Z', '2026-11-20 12:01Z', {utf8}, '{{}}', 'completed', null), \
           ('{}', '2026-11-20 12:02Z', '2026-11-20 12:02Z', repeat({two}, 600), '{{}}', 'completed', null); \
         insert into event_executions (id, invocation_id, created_at, updated_at, event_name, detected, status) \
           values ('{}', '{}', '2026-11-20 12:00Z', '2026-11-20 12:00Z', {latin}, true, 'completed'); \
         insert into job_executions (id, invocation_id, event_execution_id, created_at, updated_at, job_name, status, error_message) \
           values ('{}', '{}', '{}', '2026-11-20 12:00Z', '2026-11-20 12:00Z', {latin}, 'failed', {latin}); \
         insert into job_logs (job_execution_id, level, message, created_at) values ('{}', 'info', {latin}, '2026-11-20 12:00Z')",
        id(1),
        id(2),
        id(3),
        id(4),
        id(1),
        id(5),
        id(1),
        id(4),
        id(5),
        latin = bytes("4dfc6c6c6572"),
        utf8 = bytes("4dc3bc6c6c6572"),
        two = bytes("c3bc"),
    );
    session.execute(sqlx::AssertSqlSafe(rows)).await.unwrap();
    let (reader, url) = (Reader::new(db.readonly.clone()), db.readonly.url());
    let list = json(&url, &["ls", "--json", "--filter", "at:all"]);
    let names: Vec<_> = list.as_array().unwrap().iter().map(|row| row["source_function"].as_str().unwrap()).collect();
    assert!(names[0].starts_with("üüü") && names[0].ends_with("ü\u{fffd}"), "{}", names[0]);
    assert_eq!(names[1..], ["Müller", "M\u{fffd}ller"]);
    let found = json(&url, &["ls", "--json", "--filter", "fn:Müller at:all"]);
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &Value::from(id(2).to_string())));
    assert_eq!(tailed(&url, 3).len(), 3);
    let (code, out, error) = run(&url, &["show", &id(5).to_string()]);
    assert!(code == 0 && out.matches("M\u{fffd}ller").count() >= 3, "{out}{error}");
    let (code, out, error) = run(&url, &["logs", &id(1).to_string()]);
    assert!(code == 0 && out.contains("M\u{fffd}ller"), "{out}{error}");
    let row = reader.row(Kind::Invocation, id(1)).await.unwrap().unwrap();
    assert_eq!(
        (&row["source_function"], &row["source_event_payload"]["name"]),
        (&"M\u{fffd}ller".into(), &"M\u{fffd}ller".into())
    );
    let (from, to) = (now() - TimeDelta::days(1), now());
    // Twice: a session that was set back is as it was.
    for _ in 0..2 {
        assert_eq!(reader.failures(from, to).await.unwrap().rows.len(), 2);
        assert_eq!(reader.job_stats(from, to).await.unwrap().jobs[0].name, "M\u{fffd}ller");
        let hourly = reader.hourly(from, to, Step::Hour, now()).await.unwrap();
        assert_eq!(hourly.buckets.iter().map(|bucket| bucket.total).sum::<u64>(), 3);
        assert!(reader.known(from).await.unwrap().functions.contains(&"M\u{fffd}ller".to_owned()));
        assert_eq!(&*reader.inside(id(1)).await.unwrap().jobs[0].name, "M\u{fffd}ller");
    }
    let plain = plainly(&reader, "3\n1\nd\n").await;
    assert!(plain.contains("M\u{fffd}ller") && !plain.contains("could not be read"), "{plain}");
    let mut explorer = Explorer::start(&reader).await;
    assert!(explorer.text().contains("M\u{fffd}ller") && explorer.text().contains("Müller"), "{}", explorer.text());
    explorer.open(id(1)).await;
    explorer.press("j<Enter>").await;
    assert!(explorer.text().contains("M\u{fffd}ller"), "{}", explorer.text());
}

#[tokio::test]
async fn the_schema_of_the_tables_is_named() {
    let db = common::empty_database("odd_schema").await;
    let mut session = common::session(&db.superuser).await;
    let error = Reader::new(db.readonly.clone()).capabilities().await.unwrap_err().to_string();
    assert!(error.contains("there is no table invocations in schema public") && !error.contains("--schema"), "{error}");
    session
        .execute(
            "create schema \"Their App\"; grant usage on schema \"Their App\" to observability_readonly; \
         alter database odd_schema set search_path = \"Their App\"",
        )
        .await
        .unwrap();
    for table in ["invocations", "event_executions", "job_executions"] {
        let sql = format!(
            "create table \"Their App\".{table} (id uuid); grant select on \"Their App\".{table} to observability_readonly"
        );
        session.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    let error = Reader::new(db.readonly.clone()).capabilities().await.unwrap_err();
    assert!(matches!(error, StoreError::MissingTable { .. }));
    let text = error.to_string();
    assert!(text.contains("the tables stand in schema 'Their App': add --schema 'Their App'"), "{text}");
    let (code, _, error) = run(&db.readonly.url(), &["ls"]);
    assert!(code == 2 && error.contains("add --schema 'Their App'"), "{code} {error}");
}

//! The extremes of every type in every column that is read: no command and no screen fails on one of them, and none hides
//! the other rows.

pub(crate) mod screens;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use obs_tui::cli::args::{Args, Logs, Show};
use obs_tui::cli::config::Settings;
use obs_tui::cli::{logs, plain, show};
use obs_tui::clock::Clock;
use obs_tui::logs::{LogsConfig, LokiClient};
use obs_tui::model::flow::Kind;
use obs_tui::model::hourly::Step;
use obs_tui::model::invocation::Key;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::cli::{command, run};
use crate::common::{self, TestDb};

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap()
}

/// Values as SQL, by the type of the column.
fn extremes(of_type: &str) -> Vec<String> {
    let deep = |levels: usize| format!("(repeat('[', {levels}) || repeat(']', {levels}))::jsonb");
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    match of_type {
        "timestamp with time zone" => texts(&[
            "'infinity'",
            "'-infinity'",
            "'294276-12-31 23:59:59.999999+00'",
            "'262143-01-01'",
            "'260000-01-01'",
            "'259999-12-31'",
            "'9999-12-31'",
            "'2262-04-12'",
            "'1677-01-01'",
            "'0001-01-01'",
            "'4713-01-01 BC'",
            "null",
        ]),
        "text" => texts(&[
            "''",
            r"E'\x01\x1b[2J\x1b]0;x\x07\x7f\n\r\t'",
            r"U&'\202Eabc\200B\0085\FEFF\+01F600'",
            "repeat('x', 20000000)",
            "repeat('é', 1001)",
            "'{\"_raw_string\": ' || repeat('[', 5000)",
            "null",
        ]),
        "integer" => texts(&["-2147483648", "2147483647", "-1", "0", "null"]),
        "bigint" => texts(&["-9223372036854775808", "9223372036854775807", "null"]),
        "numeric" => texts(&["'NaN'", "99999999.99", "-99999999.99", "0", "null"]),
        "boolean" => texts(&["true", "false", "null"]),
        "uuid" => texts(&["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "null"]),
        "jsonb" => [
            deep(126),
            deep(128),
            deep(5_000),
            format!("jsonb_build_object('event', {})", deep(200)),
            "'{\"n\": 1e4000, \"m\": -1e4000, \"z\": -0.0, \"big\": 123456789012345678901234567890}'".to_owned(),
            "'1e4000'".to_owned(),
            "'null'".to_owned(),
            "'\"text\"'".to_owned(),
            "'[null, {}, []]'".to_owned(),
            "jsonb_build_object('event', jsonb_build_object('data', jsonb_build_object('old', 7, 'new', '[]'::jsonb)))"
                .to_owned(),
            "jsonb_build_object('x', repeat('p', 20000000))".to_owned(),
            r#"'{"__sourceJobId": "no id", "event": {"data": {"new": {"updated_by": "a|b|c"}}}}'"#.to_owned(),
            "'[{\"name\": \"a\", \"count\": 1e300}, {\"name\": null}, 18446744073709551615]'".to_owned(),
            "'{\"a\": 18446744073709551615, \"b\": -1}'".to_owned(),
            "null".to_owned(),
        ]
        .into(),
        "ARRAY" => texts(&["'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'", "'{2147483647,-2147483648}'", "null"]),
        other => panic!("no extremes of {other}"),
    }
}

/// One changed value, and whether the tables take it.
struct Case {
    what: String,
    n: u128,
}

fn id(case: u128, kind: u128) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + case * 8 + kind)
}

async fn execute(session: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    session.execute(AssertSqlSafe(sql)).await.map(|_| ())
}

/// An ordinary invocation with an event, a job, a line of it, and an hour of metrics.
async fn ordinary(session: &mut PgConnection, n: u128) {
    let at = now() - TimeDelta::seconds(i64::try_from(n).unwrap() * 10);
    let hour = now() - TimeDelta::hours(1 + i64::try_from(n % 300).unwrap());
    let (invocation, event, job, line) = (id(n, 0), id(n, 1), id(n, 2), id(n, 3));
    for sql in [
        format!(
            "insert into invocations (id, created_at, updated_at, source_function, source_table, source_operation, \
             source_event_payload, total_duration_ms, status, correlation_id) values ('{invocation}', '{at}', '{at}', \
             'f{n}', 'public.moves', 'UPDATE', '{{\"a\": 1}}', 20, 'completed', 'app.{invocation}')"
        ),
        format!(
            "insert into event_executions (id, invocation_id, created_at, updated_at, event_name, detected, status, \
             detection_duration_ms, handler_duration_ms) \
             values ('{event}', '{invocation}', '{at}', '{at}', 'e{n}', true, 'completed', 1, 10)"
        ),
        format!(
            "insert into job_executions (id, invocation_id, event_execution_id, created_at, updated_at, job_name, status, \
             duration_ms, error_message) \
             values ('{job}', '{invocation}', '{event}', '{at}', '{at}', 'j{n}', 'failed', 7, 'no')"
        ),
        format!(
            "insert into job_logs (id, job_execution_id, level, message, data, created_at) \
             values ('{line}', '{job}', 'info', 'line {n}', '{{}}', '{at}')"
        ),
        format!(
            "insert into metrics_hourly (hour_bucket, source_function, total_invocations, duration_counts) \
             values (date_trunc('hour', timestamptz '{hour}'), 'f{n}', 3, array_fill(0, array[30]))"
        ),
    ] {
        execute(session, sql).await.unwrap();
    }
}

/// A row for every extreme of every column: what was taken and what the tables refuse.
async fn fill(db: &TestDb) -> (Vec<Case>, Vec<String>) {
    let mut session = common::session(&db.superuser).await;
    // As other writers have it: no foreign keys, any word for a status, no index that limits how long a name is.
    session.execute("set session_replication_role = replica").await.unwrap();
    for sql in [
        "do $$ declare r record; begin for r in select conrelid::regclass as t, conname from pg_constraint \
         where contype = 'c' and connamespace = 'public'::regnamespace loop \
         execute format('alter table %s drop constraint %I', r.t, r.conname); end loop; end $$",
        "do $$ declare r record; begin for r in select i.indexrelid::regclass as name from pg_index i \
         where i.indrelid::regclass::text in ('invocations', 'event_executions') and not i.indisprimary \
         and pg_get_indexdef(i.indexrelid) ~ '(source_function|correlation_id|email|event_name)' loop \
         execute format('drop index %s', r.name); end loop; end $$",
    ] {
        session.execute(sql).await.unwrap();
    }
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text, data_type::text from information_schema.columns \
         where table_schema = 'public' and table_name in ('invocations', 'event_executions', 'job_executions', 'job_logs', 'metrics_hourly') \
         order by table_name, ordinal_position",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let (mut cases, mut refused, mut n) = (Vec::new(), Vec::new(), 10);
    for (table, column, of_type) in columns {
        for value in extremes(&of_type) {
            ordinary(&mut session, n).await;
            let place = match table.as_str() {
                "invocations" => format!("id = '{}'", id(n, 0)),
                "event_executions" => format!("id = '{}'", id(n, 1)),
                "job_executions" => format!("id = '{}'", id(n, 2)),
                "job_logs" => format!("id = '{}'", id(n, 3)),
                _ => format!("source_function = 'f{n}'"),
            };
            let what = format!("{table}.{column} = {}", value.chars().take(60).collect::<String>());
            match execute(&mut session, format!("update {table} set {column} = {value} where {place}")).await {
                Ok(()) => cases.push(Case { what, n }),
                Err(error) => refused.push(format!("{what}: {error}")),
            }
            n += 1;
        }
    }
    session.execute("analyze").await.unwrap();
    (cases, refused)
}

/// The ids of all invocations in the order of the list, as the server has them.
async fn order(db: &TestDb) -> Vec<Uuid> {
    let mut session = common::session(&db.superuser).await;
    let sql = "select id from invocations order by created_at desc, id desc";
    sqlx::query_scalar(sql).fetch_all(&mut session).await.unwrap()
}

async fn pages(reader: &Reader, limit: usize) -> Vec<Uuid> {
    let (mut found, mut older_than) = (Vec::new(), None);
    loop {
        let query = PageQuery { older_than, limit, ..PageQuery::default() };
        let page = reader.page(&query, now(), STALE_AFTER).await.unwrap();
        found.extend(page.rows.iter().map(|row| row.invocation.id));
        older_than = page.rows.last().map(|row| Key::from(&row.invocation));
        if !page.more {
            return found;
        }
    }
}

fn listed(url: &str, arguments: &[&str]) -> Vec<Uuid> {
    let (code, out, error) = run(url, arguments);
    assert_eq!(code, 0, "{error}");
    let list: Value = serde_json::from_str(&out).unwrap();
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn rows_without_a_date_are_paged_exactly_and_hide_no_other() {
    let db = common::database("extreme_pages").await;
    let mut session = common::session(&db.superuser).await;
    for (n, at) in ["infinity", "280000-02-29 01:02:03.000004", "2026-11-20 12:00:00", "4000-01-01 BC", "-infinity"]
        .iter()
        .enumerate()
    {
        for row in 0..5_u128 {
            // Within a group some differ by a microsecond, and the order of times is not that of the ids.
            let differs = if at.contains("infinity") { String::new() } else { format!(" - interval '{} us'", row % 3) };
            let sql = format!(
                "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status) \
                 values ('{}', timestamptz '{at}'{differs}, now(), 'f', '{{}}', 'completed')",
                id(n as u128 * 10 + (row * 7) % 5, 0)
            );
            execute(&mut session, sql).await.unwrap();
        }
    }
    let reader = Reader::new(db.readonly.clone());
    let wanted = order(&db).await;
    assert_eq!(wanted.len(), 25);
    for limit in [1, 3, 7, 100] {
        assert_eq!(pages(&reader, limit).await, wanted, "pages of {limit}");
    }
    let url = db.readonly.url();
    assert_eq!(listed(&url, &["ls", "--json", "--filter", "at:all"]), wanted);
    let (_, out, _) = run(&url, &["ls", "--json", "--filter", "at:all"]);
    for time in
        ["\"infinity\"", "\"-infinity\"", "\"+280000-02-29T01:02:03.000004Z\"", "\"-3999-01-01T00:00:00.000000Z\""]
    {
        assert!(out.contains(time), "{time}: {out}");
    }
    // A search goes in steps, whose ends are times of rows.
    assert_eq!(listed(&url, &["ls", "--json", "--filter", "fn:f* at:all"]), wanted);
    // What is new is seen though other rows stand above it for ever.
    let known = reader.page(&PageQuery { limit: 30, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap().rows;
    let newest = known.iter().map(|row| Key::from(&row.invocation)).find(|key| key.created_at <= now());
    let new = format!(
        "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status) \
         values ('{}', '{}', now(), 'new', '{{}}', 'completed')",
        id(999, 0),
        now()
    );
    execute(&mut session, new).await.unwrap();
    let query = PageQuery { limit: 30, ..PageQuery::default() };
    let changes = reader.changes(&query, newest, &[], now(), STALE_AFTER).await.unwrap();
    assert!(changes.rows.iter().any(|row| row.invocation.id == id(999, 0)));
    for key in [&known[0], &known[24]].map(|row| Key::from(&row.invocation)) {
        assert!(reader.changes(&query, Some(key), &[], now(), STALE_AFTER).await.is_ok(), "{key:?}");
    }
    let refreshed = run(&db.admin.url(), &["db", "refresh", "--all"]);
    assert_eq!(refreshed.0, 0, "{refreshed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_any_column_stops_a_command_or_a_screen() {
    let db = common::database("extreme_values").await;
    let (cases, refused) = fill(&db).await;
    // Not null, a key that is taken, a number that is too large for its column.
    assert!(cases.len() > 5 * refused.len(), "{refused:#?}");
    let (reader, url) = (Reader::new(db.readonly.clone()), db.readonly.url());
    let wanted = order(&db).await;
    assert_eq!(pages(&reader, 100).await, wanted);
    assert_eq!(listed(&url, &["ls", "--json", "--filter", "at:all", "--limit", "100000"]), wanted);
    let (code, out, error) = run(&url, &["ls", "--filter", "at:all", "--limit", "100000"]);
    assert_eq!((code, out.lines().count()), (0, wanted.len() + 1), "{error}");
    for filter in
        ["st:failed", "st:stuck", "st:ok", "dur:>1s", "jobs:>0", "fails:>0", "x", "evt:e*", "payload.a:1", "~x+"]
    {
        let (code, _, error) = run(&url, &["ls", "--filter", &format!("{filter} at:all")]);
        assert!(code == 0 || code == 3, "{filter}: {error}");
    }
    let mut session = common::session(&db.superuser).await;
    let recent = "select count(*) from invocations where created_at >= now() - interval '10000 weeks'";
    let recent: i64 = sqlx::query_scalar(recent).fetch_one(&mut session).await.unwrap();
    let recent = usize::try_from(recent).unwrap();
    assert_eq!(tailed(&url, recent), recent);

    let args = Args::parse_from(["obs-tui"]);
    let settings = Settings::load(&args, |_| None).unwrap();
    let loki = || Ok(LokiClient::new(LogsConfig::default()));
    let clock = Clock::manual(now());
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for case in &cases {
        let Case { what, n } = case;
        let (invocation, event, job) = (id(*n, 0), id(*n, 1), id(*n, 2));
        // Whatever its own id became, what hangs below it is found by the other ones.
        for json in [false, true] {
            for named in [invocation, job] {
                let show = Show { id: named.to_string(), json, undetected: true, at: None };
                let mut out = Vec::new();
                match show::run(&reader, &show, &settings, now(), &mut out).await {
                    Ok(()) if json => {
                        drop(serde_json::from_slice::<Value>(&out).unwrap_or_else(|e| panic!("{what}: {e}")))
                    }
                    Ok(()) => assert!(out.len() < 3_000_000, "{what}: {} bytes", out.len()),
                    Err(error) => assert!(error.to_string().contains("is in the database"), "{what}: {error}"),
                }
                let logs_of = Logs { id: named.to_string(), json, cascade: true };
                match logs::run(&reader, loki(), &logs_of, STALE_AFTER, &clock, &mut Vec::new()).await {
                    Ok(()) => *outcomes.entry("logs").or_default() += 1,
                    Err(error) => assert!(
                        ["no lines in job_logs", "is in the database"]
                            .iter()
                            .any(|text| error.to_string().contains(text)),
                        "{what}: {error}"
                    ),
                }
            }
        }
        for (kind, of) in [(Kind::Invocation, invocation), (Kind::Event, event), (Kind::Job, job)] {
            let row = reader.row(kind, of).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            *outcomes.entry("rows").or_default() += usize::from(row.is_some());
        }
        reader.inside(invocation).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        reader.job_logs(&[job]).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let path = ["a".to_owned()];
        reader.payload_values(&[invocation], &path).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        reader.cascade(Seed::invocation(invocation)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let text = "nested deeper than 127 levels";
    let deep = cases.iter().find(|case| case.what.contains("context_data") && case.what.contains("5000")).unwrap();
    let row = reader.row(Kind::Invocation, id(deep.n, 0)).await.unwrap().unwrap();
    assert!(row["context_data"]["_not_json"].as_str().unwrap().contains(text), "{row}");
    assert_eq!(row["source_function"], format!("f{}", deep.n));
    // All but those whose own or parent's id is the changed value.
    assert!(outcomes["logs"] > cases.len() * 4 - 100 && outcomes["rows"] > cases.len() * 3 - 20, "{outcomes:?}");

    let (from, to) = (now() - TimeDelta::days(14), now());
    for step in [Step::Hour, Step::Quarter] {
        let hourly = reader.hourly(from, to, step, now()).await.unwrap();
        assert!(hourly.buckets.len() > 100 && hourly.as_of <= now() + TimeDelta::hours(1), "{}", hourly.buckets.len());
        assert!(hourly.buckets.iter().all(|bucket| bucket.avg_ms.is_none_or(f64::is_finite)));
    }
    assert!(reader.failures(from, to).await.unwrap().rows.len() > 100);
    assert!(reader.job_stats(from, to).await.unwrap().jobs.len() > 100);
    assert!(reader.known(from).await.unwrap().functions.len() > 100);

    // Each row of each page: its cascade, and what is recorded of invocation, event and job.
    let row = |n: usize| format!("{n}\n1\nd\n2\nd\n3\nd\nb\n");
    let page = (1..=20).map(row).collect::<String>() + "n\n";
    let input = "hours\njobs\nfailures\nb\n".to_owned() + &page.repeat(cases.len() / 20 + 2);
    let mut out = Vec::new();
    plain::run(&reader, STALE_AFTER, input.as_bytes(), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("There are no older rows.") && out.contains("started infinity"), "{out:.3000}");
    assert!(!out.contains("could not be read") && !out.contains("unexpected data"));

    screens::draw_all(&reader, &cases.iter().map(|case| (case.what.as_str(), id(case.n, 0))).collect::<Vec<_>>()).await;
    println!("{} values, {} refused by the tables, {outcomes:?}", cases.len(), refused.len());
}

/// How many rows one look of `tail` prints.
fn tailed(url: &str, most: usize) -> usize {
    let mut tail = command(url, &["tail", "--json", "--since", "10000w"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut ids: Vec<String> = Vec::new();
    for line in lines.take(most) {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        ids.push(row["id"].as_str().unwrap().to_owned());
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}

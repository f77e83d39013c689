//! Hourly numbers against a naive evaluation in SQL, hour by hour and function by function: what is covered, what came late,
//! what was deleted, what is not known.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::hourly::{Bucket, Hourly, Source, Step};
use obs_tui::store::prune;
use obs_tui::store::read::Reader;
use obs_tui::store::refresh::{Report, Since, refresh};
use obs_tui::store::time::Timestamp;
use obs_tui::store::write;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::cli::command;
use crate::common::{self, TestDb};

/// Two ways to the same numbers; the table holds two digits of a mean.
pub(crate) fn assert_same_buckets(a: &[Bucket], b: &[Bucket]) {
    let rounded = |buckets: &[Bucket]| -> Vec<Bucket> {
        let round =
            |bucket: &Bucket| Bucket { avg_ms: bucket.avg_ms.map(|ms| (ms * 100.0).round() / 100.0), ..bucket.clone() };
        buckets.iter().map(round).collect()
    };
    let (a, b) = (rounded(a), rounded(b));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a, b);
    }
    assert_eq!(a.len(), b.len());
}

/// What the rows say, evaluated without any of our SQL: total, ok, failed, durations in order.
type Naive = BTreeMap<(DateTime<Utc>, String), ([u64; 3], Vec<i64>)>;

async fn naive(db: &TestDb) -> Naive {
    type Row = (Timestamp, String, Option<i64>, bool, bool);
    let mut session = common::session(&db.superuser).await;
    let rows: Vec<Row> = sqlx::query_as(
        "with text as (
           select id, coalesce(error_message, '') || coalesce(error_stack, '') <> '' as error, coalesce(status, '') as status from invocations
         ), below as (
           select invocation_id, coalesce(status, '') as status,
                  coalesce(detection_error, '') || coalesce(detection_error_stack, '')
                  || coalesce(handler_error, '') || coalesce(handler_error_stack, '') <> '' as error from event_executions
           union all
           select invocation_id, coalesce(status, ''), coalesce(error_message, '') || coalesce(error_stack, '') <> '' from job_executions
         ), all_rows as (
           select id, status, error from text union all select invocation_id, status, error from below
         ), judged as (
           select id, bool_or(error or status in ('failed', 'detection_failed', 'handler_failed')) as failed,
                  bool_and(status in ('completed', 'not_detected') and not error) as ok
           from all_rows group by id
         )
         select i.created_at, i.source_function, i.total_duration_ms::bigint, j.failed, j.ok
         from invocations i join judged j using (id)",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let mut naive = Naive::new();
    for (at, function, ms, failed, ok) in rows {
        let hour = DateTime::from_timestamp(at.0.timestamp().div_euclid(3_600) * 3_600, 0).unwrap();
        let (counts, durations) = naive.entry((hour, function)).or_default();
        counts[0] += 1;
        counts[1] += u64::from(ok);
        counts[2] += u64::from(failed);
        durations.extend(ms);
    }
    naive.values_mut().for_each(|(_, durations)| durations.sort_unstable());
    naive
}

/// The shortest duration that at least so many of a hundred do not exceed.
fn within(sorted: &[i64], percent: usize) -> Option<f64> {
    let enough = |limit: i64| sorted.iter().filter(|&&ms| ms <= limit).count() * 100 >= percent * sorted.len();
    sorted.iter().find(|&&ms| enough(ms)).map(|&ms| ms as f64)
}

fn assert_naive(hourly: &Hourly, naive: &Naive) {
    let in_range: Vec<_> = naive.iter().filter(|((at, _), _)| (hourly.from..=hourly.to).contains(at)).collect();
    assert_eq!(hourly.buckets.len(), in_range.len());
    for (bucket, ((at, function), (counts, durations))) in hourly.buckets.iter().zip(in_range) {
        assert_eq!((bucket.at, &bucket.function), (*at, function));
        assert_eq!([bucket.total, bucket.ok, bucket.failed], *counts, "{at} {function}");
        assert_eq!((bucket.p50_ms, bucket.p95_ms), (within(durations, 50), within(durations, 95)), "{at} {function}");
        assert_eq!((bucket.avg_ms.is_some(), bucket.max_ms), (!durations.is_empty(), durations.last().copied()));
    }
}

async fn run(db: &TestDb, sql: &str) {
    common::session(&db.app)
        .await
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn one(db: &TestDb, sql: &str) -> String {
    let mut session = common::session(&db.readonly).await;
    let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut session).await.unwrap();
    text.unwrap_or_else(|| "NULL".to_owned())
}

/// An invocation that ends after so many milliseconds, or not at all, with an event and a job of this status.
async fn insert(db: &TestDb, at: DateTime<Utc>, function: &str, ms: Option<i64>, job: &str) -> uuid::Uuid {
    let (id, sql) = inserting(at, function, ms, job);
    run(db, &sql).await;
    id
}

fn inserting(at: DateTime<Utc>, function: &str, ms: Option<i64>, job: &str) -> (uuid::Uuid, String) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let id = uuid::Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into());
    let at = at.to_rfc3339();
    let (status, ms) = ms.map_or(("running", "null".to_owned()), |ms| ("completed", ms.to_string()));
    let sql = format!(
        "insert into invocations (id, created_at, source_function, status, total_duration_ms) values ('{id}', '{at}', '{function}', '{status}', {ms});
         insert into event_executions (id, invocation_id, created_at, event_name, detected, status) values ('{id}', '{id}', '{at}', 'e', true, 'completed');
         insert into job_executions (id, invocation_id, event_execution_id, created_at, job_name, status) values ('{id}', '{id}', '{id}', '{at}', 'j', '{job}');"
    );
    (id, sql)
}

/// A week of two functions: hours with nothing, with one row, at their very edges, with nothing that ended.
async fn week(db: &TestDb, now: DateTime<Utc>) {
    let start = Step::Hour.start(now);
    let mut sql = String::new();
    for hour in (0..168).step_by(5) {
        let at = start - TimeDelta::hours(hour);
        let job = if hour % 3 == 0 { "failed" } else { "completed" };
        sql += &inserting(at, "edge", Some(hour * 7), "completed").1;
        sql += &inserting(at - TimeDelta::microseconds(1), "edge", None, "running").1;
        sql += &inserting(at + TimeDelta::minutes(30), "half", Some(17_970), job).1;
        sql += &inserting(at + TimeDelta::minutes(31), "half", Some(0), "completed").1;
    }
    run(db, &sql).await;
}

async fn filled(db: &TestDb, since: Since, now: DateTime<Utc>) -> Report {
    refresh(&db.app, since, now, |_| ()).await.unwrap().expect("nobody else is at it")
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap()
}

async fn chart(db: &TestDb, now: DateTime<Utc>) -> Hourly {
    Reader::new(db.readonly.clone()).hourly(now - TimeDelta::days(8), now, Step::Hour, now).await.unwrap()
}

#[tokio::test]
async fn what_is_not_covered_is_counted_from_rows_in_every_zone() {
    for (name, zone) in [("hours_utc", "UTC"), ("hours_kolkata", "Asia/Kolkata"), ("hours_york", "America/New_York")] {
        let db = common::database(name).await;
        let zone = format!("alter database {name} set timezone = '{zone}'");
        common::session(&db.superuser).await.execute(AssertSqlSafe(zone)).await.unwrap();
        week(&db, now()).await;
        let expected = naive(&db).await;
        let rows = chart(&db, now()).await;
        assert_eq!((rows.source, rows.total().total), (Source::Rows, 136));
        assert_naive(&rows, &expected);
        // Two hours of a table that was empty: the week is as it was.
        filled(&db, Since::Moment(now() - TimeDelta::hours(2)), now()).await;
        let part = chart(&db, now()).await;
        assert_eq!((part.source, part.from_rows.len(), part.back_to), (Source::MetricsHourly, 2, None));
        assert_naive(&part, &expected);
        assert_same_buckets(&part.buckets, &rows.buckets);
        // The rest, then nothing but the hour that goes on.
        assert!(filled(&db, Since::LastTime, now()).await.hours > 30);
        let whole = chart(&db, now()).await;
        assert_eq!(whole.from_rows, [Step::Hour.start(now())..Step::Hour.start(now()) + TimeDelta::hours(1)]);
        assert_same_buckets(&whole.buckets, &rows.buckets);
        let ranges =
            "select string_agg(covered_from || ' ' || (covered_to at time zone 'UTC'), ', ') from metrics_coverage";
        assert_eq!(one(&db, ranges).await, "-infinity 2026-11-20 12:00:00");
    }
}

#[tokio::test]
async fn an_hour_in_which_nothing_ended_has_no_durations() {
    let db = common::database("hours_null").await;
    let at = now() - TimeDelta::hours(2);
    insert(&db, at, "open", None, "running").await;
    insert(&db, at - TimeDelta::hours(1), "long", Some(2_147_483_647), "completed").await;
    filled(&db, Since::LastTime, now()).await;
    let nulls = "select string_agg(source_function || ' ' || num_nulls(avg_duration_ms, min_duration_ms, max_duration_ms, \
                 p50_duration_ms, p95_duration_ms), ', ' order by source_function) from metrics_hourly";
    assert_eq!(one(&db, nulls).await, "long 0, open 5");
    // Columns of eight digits hold what they can.
    assert_eq!(one(&db, "select max(p95_duration_ms)::text from metrics_hourly").await, "99999999.00");
    let hourly = chart(&db, now()).await;
    let open = hourly.buckets.iter().find(|bucket| bucket.function == "open").unwrap();
    assert_eq!((open.total, open.avg_ms, open.p50_ms, open.p95_ms, open.max_ms), (1, None, None, None, None));
}

#[tokio::test]
async fn only_hours_of_changed_rows_are_counted_again() {
    let db = common::database("hours_changed").await;
    week(&db, now()).await;
    // As if all had been written half a day ago: beyond the margin.
    let age = async |minutes: i32| {
        for table in ["invocations", "event_executions", "job_executions"] {
            run(&db, &format!("update {table} set updated_at = now() - interval '{minutes} minutes' where updated_at > now() - interval '2 hours'")).await;
        }
    };
    age(720).await;
    filled(&db, Since::LastTime, now()).await;
    assert_eq!(filled(&db, Since::LastTime, now()).await.hours, 1, "the hour of now only");
    let check = async |hours: u64, what: &str| {
        let report = filled(&db, Since::LastTime, now()).await;
        assert_eq!(report.hours, hours + 1, "{what}");
        assert_naive(&chart(&db, now()).await, &naive(&db).await);
        age(720).await;
        assert_eq!(filled(&db, Since::LastTime, now()).await.hours, 1, "{what}, again");
    };
    let late = insert(&db, now() - TimeDelta::days(5), "late", Some(40), "completed").await;
    check(1, "a row that came late").await;
    run(&db, &format!("update job_executions set status = 'failed' where id = '{late}'")).await;
    check(1, "a job that failed without its invocation").await;
    run(&db, &format!("update event_executions set handler_error = 'x' where id = '{late}'")).await;
    check(1, "an event that failed without its invocation").await;
    run(&db, &format!("update invocations set source_function = 'other' where id = '{late}'")).await;
    check(1, "a function that is no more in its hour").await;
    insert(&db, now() - TimeDelta::days(400), "old", None, "completed").await;
    check(1, "long before the first row").await;

    // Written long after it changed: only the note that the recorder's statement leaves tells.
    let spooled = insert(&db, now() - TimeDelta::days(3), "spooled", Some(40), "failed").await;
    for table in ["invocations", "event_executions", "job_executions"] {
        run(&db, &format!("update {table} set updated_at = now() - interval '9 hours' where id = '{spooled}'")).await;
    }
    assert_eq!(filled(&db, Since::LastTime, now()).await.hours, 1);
    let mut session = common::session(&db.app).await;
    let target = write::Target::probe(&mut session, "public").await.unwrap();
    for (minutes, notes) in [(29, "0"), (9 * 60, "1")] {
        let mut batch = write::Batch::default();
        let (server_now,): (Timestamp,) = sqlx::query_as("select now()").fetch_one(&mut session).await.unwrap();
        let updated_at = server_now.0 - TimeDelta::minutes(minutes);
        batch.invocations.push(write::InvocationRow {
            id: spooled,
            created_at: updated_at,
            updated_at,
            correlation_id: "c",
            source_function: "spooled",
            source: None,
            status: "completed",
            total_duration_ms: None,
            events_detected: 0,
            jobs_run: 0,
            jobs_succeeded: 0,
            jobs_failed: 0,
            error: None,
            records: 1,
        });
        write::write(&mut session, &target, &batch).await.unwrap();
        assert_eq!(one(&db, "select count(*)::text from metrics_late").await, notes);
        run(&db, &format!("update invocations set updated_at = now() - interval '9 hours' where id = '{spooled}'"))
            .await;
    }
    check_spooled(&db).await;
}

async fn check_spooled(db: &TestDb) {
    assert_eq!(filled(db, Since::LastTime, now()).await.hours, 2);
    assert_naive(&chart(db, now()).await, &naive(db).await);
    // The note goes when no later look needs it.
    run(db, "update metrics_late set written_at = now() - interval '2 hours'").await;
    filled(db, Since::LastTime, now()).await;
    assert_eq!(one(db, "select count(*)::text from metrics_late").await, "0");
}

#[tokio::test]
async fn a_row_that_is_committed_late_is_counted() {
    let db = common::database("hours_open").await;
    insert(&db, now() - TimeDelta::days(2), "f", Some(1), "completed").await;
    let mut writer = common::session(&db.app).await;
    let mut transaction = writer.begin().await.unwrap();
    let sql = "insert into invocations (created_at, source_function, status) values ('2026-11-19T05:00Z', 'open', 'completed')";
    transaction.execute(sql).await.unwrap();
    filled(&db, Since::LastTime, now()).await;
    assert_eq!(chart(&db, now()).await.total().total, 1);
    // Counted up to when the transaction began, not up to now.
    let mut session = common::session(&db.app).await;
    let (before,): (bool,) = sqlx::query_as(
        "select max(counted_at) <= (select min(xact_start) from pg_stat_activity where state = 'idle in transaction' \
         and datname = current_database()) from metrics_coverage",
    )
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert!(before);
    transaction.commit().await.unwrap();
    filled(&db, Since::LastTime, now()).await;
    assert_naive(&chart(&db, now()).await, &naive(&db).await);
    assert_eq!(chart(&db, now()).await.total().total, 2);
}

#[tokio::test]
async fn what_was_pruned_stays_and_the_rest_is_counted_exactly() {
    let db = common::database("hours_pruned").await;
    let hour: DateTime<Utc> = "2026-11-15T03:00:00Z".parse().unwrap();
    let minute = |minutes| hour + TimeDelta::minutes(minutes);
    insert(&db, minute(1), "f", Some(0), "failed").await;
    insert(&db, minute(2), "f", None, "running").await;
    let kept = insert(&db, minute(30), "f", Some(17_970), "completed").await;
    insert(&db, minute(31), "f", Some(50), "completed").await;
    filled(&db, Since::LastTime, now()).await;
    let before = chart(&db, now()).await;
    assert_naive(&before, &naive(&db).await);
    assert_eq!(prune::prune(&db.admin, minute(10), |_| ()).await.unwrap().deleted, 2);
    // Counted again or not, and by the app: the hour is as it was.
    for since in [Since::LastTime, Since::FirstRow] {
        filled(&db, since, now()).await;
        assert_same_buckets(&chart(&db, now()).await.buckets, &before.buckets);
    }
    // Also where nothing is covered.
    run(&db, "delete from metrics_coverage").await;
    let rows = chart(&db, now()).await;
    assert_eq!(rows.source, Source::Rows);
    assert_same_buckets(&rows.buckets, &before.buckets);
    filled(&db, Since::LastTime, now()).await;
    // What is there still changes, and what comes still counts.
    run(&db, &format!("update job_executions set status = 'failed' where id = '{kept}'")).await;
    insert(&db, minute(40), "f", Some(60), "completed").await;
    filled(&db, Since::LastTime, now()).await;
    let bucket = chart(&db, now()).await.buckets[0].clone();
    assert_eq!((bucket.total, bucket.ok, bucket.failed), (5, 2, 2));
    assert_eq!((bucket.p50_ms, bucket.p95_ms, bucket.avg_ms), (Some(50.0), Some(17_970.0), Some(4_520.0)));
    assert_eq!(bucket.failed_jobs, [("j".to_owned(), 2)]);
    let events = "select top_detected_events::text from metrics_hourly";
    assert_eq!(one(&db, events).await, r#"[{"name": "e", "count": 5}]"#);
    // All of it goes: the hour stays, also where everything is counted again.
    assert_eq!(prune::prune(&db.admin, minute(59), |_| ()).await.unwrap().deleted, 3);
    filled(&db, Since::FirstRow, now()).await;
    assert_eq!(chart(&db, now()).await.buckets, [bucket]);
}

/// `db refresh --every` goes on after an error, and each time tells it.
#[tokio::test]
async fn every_error_of_a_repeated_refresh_is_told() {
    let db = common::database("hours_every").await;
    let mut refresh = command(&db.readonly.url(), &["db", "refresh", "--every", "1s"]);
    let mut refresh = refresh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let stderr = BufReader::new(refresh.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    for _ in 0..2 {
        let line = lines.recv_timeout(std::time::Duration::from_secs(60)).expect("an error each time");
        assert!(line.starts_with("obs-tui: ") && line.contains("not allowed"), "{line}");
    }
    assert_eq!(refresh.try_wait().unwrap(), None, "it goes on");
    refresh.kill().unwrap();
    let output = refresh.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[tokio::test]
async fn dashboard_stats_and_metrics_hourly_agree() {
    let db = common::database("hours_view").await;
    let mut session = common::session(&db.admin).await;
    let (server_now,): (Timestamp,) = sqlx::query_as("select now()").fetch_one(&mut session).await.unwrap();
    week(&db, server_now.0).await;
    // Everything that speaks against a status, each alone.
    let at = (server_now.0 - TimeDelta::hours(20)).to_rfc3339();
    for (table, change) in [
        ("invocations", "status = null"),
        ("invocations", "error_stack = 'at x'"),
        ("invocations", "error_message = ''"),
        ("invocations", "total_duration_ms = null, events_detected_count = null, total_jobs_run = 3"),
        ("event_executions", "status = null"),
        ("event_executions", "detection_error_stack = 'at x'"),
        ("event_executions", "status = 'handler_failed'"),
        ("event_executions", "status = 'not_detected', detected = false"),
        ("job_executions", "status = null"),
        ("job_executions", "error_stack = 'at x'"),
        ("job_executions", "status = 'running'"),
    ] {
        let id =
            insert(&db, at.parse().unwrap(), &format!("{table} {}", change.replace('\'', "")), Some(5), "completed")
                .await;
        run(&db, &format!("update {table} set {change} where id = '{id}'")).await;
    }
    filled(&db, Since::LastTime, server_now.0).await;
    session.execute("select refresh_dashboard_stats()").await.unwrap();
    let differences = "with a as (
          select hour_bucket, source_function, total_invocations, successful_invocations, failed_invocations, total_events_detected,
                 total_jobs_run, round(avg_duration_ms, 2) as avg, min_duration_ms, max_duration_ms, p95_duration_ms::float8 as p95
          from metrics_hourly where hour_bucket > now() - interval '7 days'
        ), b as (
          select hour_bucket, source_function, total_invocations, successful_invocations, failed_invocations, total_events_detected,
                 total_jobs_run, round(avg_duration_ms, 2), min_duration_ms, max_duration_ms, p95_duration_ms
          from dashboard_stats where hour_bucket > now() - interval '7 days'
        )
        select string_agg(d::text, '; ') from ((table a except table b) union all (table b except table a)) d";
    assert_eq!(one(&db, differences).await, "NULL");
    assert_eq!(one(&db, "select count(distinct source_function)::text from dashboard_stats").await, "13");
    assert_eq!(
        one(&db, "select min(p95_duration_ms)::text from dashboard_stats where source_function = 'half'").await,
        "17970"
    );
    assert_naive(&chart(&db, server_now.0).await, &naive(&db).await);
}

//! What is to be done from time to time: `metrics_hourly` is filled with what a naive evaluation of the rows gives, old rows
//! are deleted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::hourly::{Source, Step, start_of_hour};
use obs_tui::model::spread::Spread;
use obs_tui::model::status::{Effective, STALE_AFTER};
use obs_tui::store::error::StoreError;
use obs_tui::store::prune::{self, Pruned};
use obs_tui::store::read::{PageQuery, Reader};
use obs_tui::store::refresh::{Report, Since, View, refresh};
use obs_tui::store::time::Timestamp;
use serde_json::Value;
use sqlx::Executor;

use crate::cli::run;
use crate::common::{self, TestDb};
use crate::hours;

/// Numbers of an hour and function: total, ok, failed, events, jobs, least and greatest duration, and the durations.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    counts: [i64; 5],
    ends: [Option<i64>; 2],
    spread: Spread,
    /// Mean, median, 95th percentile.
    averages: [Option<f64>; 3],
}

/// Tells the first difference only: there may be hundreds.
fn assert_same(stored: &Numbers, expected: &Numbers) {
    assert_eq!(stored.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, counted) in stored {
        let expected = &expected[key];
        let exact = |counted: &Counted| (counted.counts, counted.ends, counted.spread);
        assert_eq!(exact(counted), exact(expected), "{key:?}");
        // The table holds two digits.
        let near = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 0.006,
            (a, b) => a.is_none() && b.is_none(),
        };
        assert!(
            counted.averages.iter().zip(&expected.averages).all(near),
            "{key:?}: {:?} {:?}",
            counted.averages,
            expected.averages
        );
    }
}

type Numbers = BTreeMap<(DateTime<Utc>, String), Counted>;

/// The shortest duration that at least so many of a hundred do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> Option<f64> {
    let within = |limit: i64| sorted.iter().filter(|&&ms| ms <= limit).count() * 100 >= percent * sorted.len();
    sorted.iter().find(|&&ms| within(ms)).map(|&ms| ms as f64)
}

/// From the rows of the list and their verdicts, which have tests of their own.
async fn naive(db: &TestDb, now: DateTime<Utc>) -> Numbers {
    let page = PageQuery { limit: 100_000, ..PageQuery::default() };
    let page = Reader::new(db.readonly.clone()).page(&page, now, STALE_AFTER).await.unwrap();
    let mut session = common::session(&db.readonly).await;
    let claims: Vec<(uuid::Uuid, i64, i64)> = sqlx::query_as(
        "select id, coalesce(events_detected_count, 0)::bigint, coalesce(total_jobs_run, 0)::bigint from invocations",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let claims: BTreeMap<_, _> = claims.into_iter().map(|(id, events, jobs)| (id, (events, jobs))).collect();
    let (mut numbers, mut durations) = (Numbers::new(), BTreeMap::<_, Vec<i64>>::new());
    for row in &page.rows {
        let invocation = &row.invocation;
        let key = (start_of_hour(invocation.created_at), invocation.source_function.to_string());
        let counted = numbers.entry(key.clone()).or_default();
        let effective = row.verdict(now, STALE_AFTER).effective;
        counted.counts[0] += 1;
        counted.counts[1] += i64::from(matches!(effective, Effective::Ok | Effective::NotDetected));
        counted.counts[2] += i64::from(effective == Effective::Failed);
        counted.counts[3] += claims[&invocation.id].0;
        counted.counts[4] += claims[&invocation.id].1;
        if let Some(ms) = invocation.total_duration_ms {
            counted.spread.add(ms as f64);
            durations.entry(key).or_default().push(ms);
        }
    }
    for (key, mut durations) in durations {
        durations.sort_unstable();
        let mean = durations.iter().sum::<i64>() as f64 / durations.len() as f64;
        let counted = numbers.get_mut(&key).unwrap();
        counted.ends = [durations.first().copied(), durations.last().copied()];
        counted.averages = [Some(mean), percentile(&durations, 50), percentile(&durations, 95)];
    }
    numbers
}

/// What stands in the table.
async fn stored(db: &TestDb) -> Numbers {
    type Row = (Timestamp, String, Vec<i64>, Vec<Option<i64>>, Vec<i32>, Vec<Option<f64>>);
    let mut session = common::session(&db.readonly).await;
    let rows: Vec<Row> = sqlx::query_as(
        "select hour_bucket, source_function, \
                array[total_invocations, successful_invocations, failed_invocations, total_events_detected, total_jobs_run]::bigint[], \
                array[min_duration_ms, max_duration_ms]::bigint[], duration_counts, \
                array[avg_duration_ms, p50_duration_ms, p95_duration_ms]::float8[] \
         from metrics_hourly",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let counted = |(hour, function, counts, ends, spread, averages): Row| {
        let counted = Counted {
            counts: counts.try_into().unwrap(),
            ends: ends.try_into().unwrap(),
            spread: Spread::from_counts(&spread).unwrap(),
            averages: averages.try_into().unwrap(),
        };
        ((hour.0, function), counted)
    };
    rows.into_iter().map(counted).collect()
}

async fn filled(db: &TestDb, since: Since, now: DateTime<Utc>) -> Report {
    refresh(&db.app, since, now, |_| ()).await.unwrap().expect("nobody else is at it")
}

/// A moment after the last row of `tests/data/foreign`.
async fn after_all(db: &TestDb) -> DateTime<Utc> {
    let mut session = common::session(&db.readonly).await;
    let (newest,): (Timestamp,) =
        sqlx::query_as("select max(created_at) from invocations").fetch_one(&mut session).await.unwrap();
    newest.0 + TimeDelta::minutes(1)
}

async fn foreign(name: &str) -> (TestDb, DateTime<Utc>) {
    let db = common::database(name).await;
    common::load_foreign(&db).await;
    let now = after_all(&db).await;
    (db, now)
}

#[tokio::test]
async fn hours_are_filled_with_what_the_rows_say() {
    let (db, now) = foreign("upkeep_naive").await;
    let report = filled(&db, Since::LastTime, now).await;
    let expected = naive(&db, now).await;
    assert!(expected.len() > 10 && report.rows == expected.len() as u64, "{report:?}");
    assert_eq!(report.view, View::NotOwned);
    assert_same(&stored(&db).await, &expected);
    // Again, as the owner: the same numbers, and the view with them.
    let again = refresh(&db.admin, Since::FirstRow, now, |_| ()).await.unwrap().unwrap();
    assert_eq!((again.rows, again.hours, again.view), (report.rows, report.hours, View::Refreshed));
    assert_same(&stored(&db).await, &expected);

    let mut session = common::session(&db.readonly).await;
    let (jobs, events): (i64, i64) = sqlx::query_as(
        "select (select sum((job->>'count')::int) from metrics_hourly, jsonb_array_elements(most_failed_jobs) job), \
                (select sum((event->>'count')::int) from metrics_hourly, jsonb_array_elements(top_detected_events) event)",
    )
    .fetch_one(&mut session)
    .await
    .unwrap();
    let (failed, detected): (i64, i64) = sqlx::query_as(
        "select (select count(*) from job_executions where status = 'failed' or coalesce(error_message, '') <> ''), \
                (select count(*) from event_executions where detected)",
    )
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert_eq!((jobs, events), (failed, detected));

    // The charts read them, and agree with what they count themselves.
    let reader = Reader::new(db.readonly.clone());
    let from = report.first.unwrap();
    let hourly = reader.hourly(from, now, Step::Hour, now).await.unwrap();
    assert_eq!(hourly.source, Source::MetricsHourly);
    let mut admin = common::session(&db.admin).await;
    admin.execute("delete from metrics_hourly").await.unwrap();
    admin.execute("delete from metrics_coverage").await.unwrap();
    let counted = reader.hourly(from, now, Step::Hour, now).await.unwrap();
    assert_eq!((counted.source, hourly.from_rows.len(), counted.from_rows.len()), (Source::Rows, 1, 1));
    hours::assert_same_buckets(&hourly.buckets, &counted.buckets);
    let sums = [&hourly, &counted].map(|hourly| {
        let sum = hourly.total();
        (sum.total, sum.ok, sum.failed, sum.spread, sum.max_ms)
    });
    assert_eq!(sums[0], sums[1]);
    assert_eq!(hourly.failed_jobs(None), counted.failed_jobs(None));
}

#[tokio::test]
async fn late_rows_are_counted_however_late_they_are() {
    let db = common::database("upkeep_late").await;
    let now: DateTime<Utc> = "2026-11-20T12:43:00Z".parse().unwrap();
    let insert = async |at: &str| {
        let mut session = common::session(&db.app).await;
        let sql = "insert into invocations (created_at, source_function, source_event_payload, status, total_duration_ms) \
                   values ($1::timestamptz, 'f', '{}', 'completed', 7)";
        sqlx::query(sql).bind(Timestamp(at.parse().unwrap())).execute(&mut session).await.unwrap();
    };
    let totals = async || {
        stored(&db)
            .await
            .into_iter()
            .map(|((hour, _), counted)| (hour.format("%H").to_string(), counted.counts[0]))
            .collect::<Vec<_>>()
    };
    let table = |pairs: &[(&str, i64)]| pairs.iter().map(|&(hour, count)| (hour.to_owned(), count)).collect::<Vec<_>>();
    insert("2026-11-20T05:10:00Z").await;
    insert("2026-11-20T12:10:00Z").await;
    assert_eq!(filled(&db, Since::LastTime, now).await.hours, 2, "an hour without rows is passed over");
    // One an hour late, one much too late, and one that lies in the future.
    for at in ["2026-11-20T11:59:00Z", "2026-11-20T05:20:00Z", "2026-11-20T12:50:00Z"] {
        insert(at).await;
    }
    assert_eq!(filled(&db, Since::LastTime, now).await.first, Some("2026-11-20T05:00:00Z".parse().unwrap()));
    assert_eq!(totals().await, table(&[("05", 2), ("11", 1), ("12", 2)]));
    assert_same(&stored(&db).await, &naive(&db, now).await);
    // A row that had not ended when it was counted.
    let mut session = common::session(&db.app).await;
    session.execute("update invocations set status = 'failed' where created_at >= '2026-11-20T12:00Z'").await.unwrap();
    filled(&db, Since::LastTime, now).await;
    assert_same(&stored(&db).await, &naive(&db, now).await);
}

#[tokio::test]
async fn two_at_once_do_it_once() {
    let (db, now) = foreign("upkeep_twice").await;
    let held = tokio::sync::Notify::new();
    let second = async {
        held.notified().await;
        refresh(&db.admin, Since::FirstRow, now, |_| ()).await.unwrap()
    };
    // The first is stopped in the middle of its work, with its lock.
    {
        let mut begun = std::pin::pin!(refresh(&db.app, Since::FirstRow, now, |_| held.notify_one()));
        let mut second = std::pin::pin!(second);
        let busy = tokio::select! {
            biased;
            busy = &mut second => busy,
            _ = &mut begun => panic!("the second ends first"),
        };
        assert_eq!(busy, None);
    }
    // The server gives the lock free when it sees that the session is gone.
    let done = loop {
        if let Some(report) = refresh(&db.app, Since::FirstRow, now, |_| ()).await.unwrap() {
            break report;
        }
    };
    assert!(done.rows > 10);
    assert_same(&stored(&db).await, &naive(&db, now).await);
}

#[tokio::test]
async fn what_was_done_before_an_interruption_stays() {
    let (db, now) = foreign("upkeep_interrupted").await;
    let enough = tokio::sync::Notify::new();
    let mut hours = 0;
    {
        let begun = refresh(&db.app, Since::FirstRow, now, |_| {
            hours += 1;
            if hours == 3 {
                enough.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = enough.notified() => {}
            _ = begun => panic!("interrupted before it ends"),
        }
    }
    let expected = naive(&db, now).await;
    let before = stored(&db).await;
    assert!((3..expected.len()).contains(&before.len()), "{} of {}", before.len(), expected.len());
    let done = before.keys().map(|(hour, _)| *hour).min();
    let whole = expected.keys().filter(|(hour, _)| Some(*hour) >= done).count();
    assert_eq!(before.len(), whole, "whole hours only");
    // Charts count what is not covered.
    let reader = Reader::new(db.readonly.clone());
    let from = expected.keys().next().unwrap().0;
    let hourly = reader.hourly(from, now, Step::Hour, now).await.unwrap();
    assert_eq!((hourly.source, hourly.total().total), (Source::MetricsHourly, 1_500));
    while refresh(&db.app, Since::LastTime, now, |_| ()).await.unwrap().is_none() {}
    assert_same(&stored(&db).await, &expected);
}

#[tokio::test]
async fn old_rows_are_deleted_with_all_below_them() {
    let (db, now) = foreign("upkeep_prune").await;
    filled(&db, Since::FirstRow, now).await;
    let numbers = stored(&db).await;
    let count = async |sql: &'static str, before: DateTime<Utc>| {
        let mut session = common::session(&db.readonly).await;
        let (count,): (i64,) = sqlx::query_as(sql).bind(Timestamp(before)).fetch_one(&mut session).await.unwrap();
        u64::try_from(count).unwrap()
    };
    let mut session = common::session(&db.readonly).await;
    // In the middle of an hour, in the middle of the rows.
    let (Timestamp(before),): (Timestamp,) =
        sqlx::query_as("select created_at from invocations order by created_at, id offset 700 limit 1")
            .fetch_one(&mut session)
            .await
            .unwrap();
    // A parent stays while a child does: the children of those that stay, upwards.
    let old = "with recursive kept as (select id, source_job_id from invocations where created_at >= $1 \
               union select p.id, p.source_job_id from kept k join job_executions j on j.id = k.source_job_id \
                     join invocations p on p.id = j.invocation_id) \
               select count(*) from invocations where id not in (select id from kept)";
    let kept =
        "select count(*) from job_executions j join invocations i on i.id = j.invocation_id where i.created_at >= $1";
    let (doomed, jobs) = (count(old, before).await, count(kept, before).await);
    let planned = prune::count(&db.admin, before).await.unwrap();
    let all_old = count("select count(*) from invocations where created_at < $1", before).await;
    assert_eq!(planned, Pruned { deleted: doomed, kept: all_old - doomed });
    assert!(matches!(prune::prune(&db.readonly, before, |_| ()).await, Err(StoreError::Denied { .. })));

    // A row that another session holds is passed over.
    let mut held = common::session(&db.app).await;
    held.execute("begin; select from invocations order by created_at limit 1 for update").await.unwrap();
    let mut told = Vec::new();
    let deleted = prune::prune(&db.admin, before, |deleted| told.push(deleted)).await.unwrap().deleted;
    assert_eq!((deleted, told.last().copied(), told.len()), (doomed - 1, Some(doomed - 1), 2));
    held.execute("rollback").await.unwrap();
    assert_eq!(prune::prune(&db.admin, before, |_| ()).await.unwrap().deleted, 1, "the next run goes on");
    assert_eq!((count(old, before).await, count(kept, before).await), (0, jobs));
    let orphans = "select count(*) from job_executions where $1 is not null \
                   and invocation_id not in (select id from invocations)";
    assert_eq!(count(orphans, before).await, 0);
    // The numbers of hours that are gone, also of one that is gone in part, stay as they were.
    filled(&db, Since::FirstRow, now).await;
    assert_same(&stored(&db).await, &numbers);
}

#[tokio::test]
async fn the_commands_tell_what_they_did() {
    let (db, _) = foreign("upkeep_cli").await;
    let (admin, readonly) = (db.admin.url(), db.readonly.url());
    let (code, output, _) = run(&admin, &["db", "refresh"]);
    assert!(
        code == 0 && output.starts_with("metrics_hourly: ") && output.contains("dashboard_stats was refreshed"),
        "{output}"
    );
    let (code, output, error) = run(&readonly, &["db", "refresh"]);
    assert!(code == 2 && output.is_empty() && error.contains("not allowed"), "{error}");
    let (code, output, _) = run(&admin, &["db", "prune", "--older-than", "1s", "--dry-run"]);
    assert!(code == 0 && output.starts_with("1500 invocations ") && output.contains("would be deleted"), "{output}");
    let (code, output, error) = run(&admin, &["db", "prune", "--older-than", "1s"]);
    assert!(
        code == 0 && output.starts_with("1500 invocations ") && error.contains("500 of 1500 deleted"),
        "{output}{error}"
    );
    let (_, list, _) = run(&readonly, &["ls", "--all", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap(), serde_json::json!([]));
    assert_eq!(run("", &["db", "prune"]).0, 2);
    let (code, help, _) = run("", &["db", "refresh", "--help"]);
    assert!(code == 0 && help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
}

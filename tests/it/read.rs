//! The reader on a real server, as the readonly role: pages, cascades, counts, hourly numbers, and databases that
//! another program made.

mod failed;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::flow::{Flow, Kind};
use obs_tui::model::hourly::{Known, Source, Step};
use obs_tui::model::invocation::{Key, Link};
use obs_tui::model::status::{Effective, STALE_AFTER};
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::common::{self, TestDb};

fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap()
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + u128::from(n))
}

async fn write(db: &TestDb, statements: &[String]) {
    let mut session = common::session(&db.app).await;
    for statement in statements {
        session.execute(AssertSqlSafe(statement.clone())).await.unwrap();
    }
    session.close().await.unwrap();
}

fn invocation(n: u32, columns: &str, values: &str) -> String {
    let (comma, minute) = (if columns.is_empty() { "" } else { ", " }, n % 60);
    format!(
        "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status{comma}{columns}) \
         values ('{}', '2026-11-20T12:{minute:02}:00Z', '2026-11-20T12:{minute:02}:00Z', 'f', '{{}}', 'completed'{comma}{values})",
        id(n)
    )
}

fn event(n: u32, invocation: u32, status: &str) -> String {
    format!(
        "insert into event_executions (id, invocation_id, event_name, detected, status) \
         values ('{}', '{}', 'e{n}', {}, '{status}')",
        id(n),
        id(invocation),
        status != "not_detected"
    )
}

fn job(n: u32, invocation: u32, event: u32, status: &str) -> String {
    format!(
        "insert into job_executions (id, invocation_id, event_execution_id, job_name, status) \
         values ('{}', '{}', '{}', 'j{n}', '{status}')",
        id(n),
        id(invocation),
        id(event)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_tells_about_how_many_invocations_there_are() {
    let db = common::database("estimate").await;
    let rows: Vec<String> = (1..=40).map(|n| invocation(n, "", "")).collect();
    write(&db, &rows).await;
    let look = async || {
        let reader = Reader::new(db.readonly.clone());
        reader.page(&PageQuery { limit: 2, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
        reader.server().invocations
    };
    assert_eq!(look().await, None, "never analyzed");
    let mut owner = common::session(&db.admin).await;
    owner.execute("analyze invocations").await.unwrap();
    assert_eq!(look().await, Some(40));
}

#[tokio::test]
async fn pages_by_key_lose_and_repeat_nothing() {
    let db = common::database("read_pages").await;
    // Many rows of one moment: only the id tells them apart.
    write(&db, &(0..25).map(|n| invocation(n * 60, "", "")).collect::<Vec<_>>()).await;
    let reader = Reader::new(db.readonly.clone());
    let mut seen: Vec<Key> = Vec::new();
    let mut older_than = None;
    loop {
        let query = PageQuery { older_than, limit: 10, ..PageQuery::default() };
        let page = reader.page(&query, now(), STALE_AFTER).await.unwrap();
        seen.extend(page.rows.iter().map(|row| Key::from(&row.invocation)));
        older_than = seen.last().copied();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
}

/// The list counts in SQL what the tree judges in Rust: on 1,500 invocations of another writer both must agree.
#[tokio::test]
async fn list_tree_and_sql_tell_the_same_of_foreign_rows() {
    let db = common::database("read_foreign").await;
    common::load_foreign(&db).await;
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 2_000, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    assert_eq!(page.rows.len(), 1_500);
    let ids = page.rows.iter().map(|row| row.invocation.id).collect();
    let rows = reader.cascade(Seed { invocations: ids, ..Seed::default() }).await.unwrap();
    let flow = Flow::build(rows, now(), STALE_AFTER);
    assert_eq!((flow.counts.invocations, flow.counts.events.checked, flow.counts.jobs.run), (1_500, 20_971, 5_953));
    let (mut sums, mut well) = ((0, 0, 0, 0), 0);
    for row in &page.rows {
        let node = &flow.nodes[flow.find(row.invocation.id).unwrap()];
        let verdict = row.verdict(now(), STALE_AFTER);
        assert_eq!((node.effective, &node.reason), (verdict.effective, &verdict.reason), "{}", node.id);
        let jobs = row.jobs(now(), STALE_AFTER);
        assert_eq!(jobs.ok + jobs.failed + jobs.running + jobs.stuck, jobs.run);
        sums = (
            sums.0 + row.children.events_failed,
            sums.1 + jobs.failed,
            sums.2 + jobs.stuck,
            sums.3 + u64::from(verdict.effective == Effective::Failed),
        );
        well += u64::from(matches!(verdict.effective, Effective::Ok | Effective::NotDetected));
    }
    assert_eq!((sums.0, sums.1, sums.2), (flow.counts.events.failed, flow.counts.jobs.failed, flow.counts.jobs.stuck));
    assert_eq!(sums.3, flow.counts.invocations_failed);

    let hourly = reader.hourly(now() - TimeDelta::days(40), now(), Step::Hour, now()).await.unwrap();
    assert_eq!(hourly.source, Source::Rows);
    let total = hourly.total();
    assert_eq!((total.total, total.failed, total.ok), (1_500, sums.3, well));
    let timed = page.rows.iter().filter(|row| row.invocation.total_duration_ms.is_some()).count() as u64;
    assert_eq!((total.spread.total(), total.is_spread()), (timed, true));
    // What is counted by minutes is what is counted by hours.
    let newest = page.rows[0].invocation.created_at;
    let of = async |step, hours| {
        let from = Step::Hour.start(newest) - TimeDelta::hours(hours);
        let to = Step::Hour.start(newest) + TimeDelta::minutes(59);
        reader.hourly(from, to, step, newest).await.unwrap()
    };
    let [minutes, quarters, hours] = [of(Step::Minute, 5).await, of(Step::Quarter, 5).await, of(Step::Hour, 5).await];
    let sums = [&minutes, &quarters, &hours].map(|counted| {
        let sum = counted.total();
        (sum.total, sum.failed, sum.ok, sum.spread)
    });
    assert!(sums[0].0 > 0 && sums[0] == sums[1] && sums[1] == sums[2], "{sums:?}");
    assert_eq!(minutes.failed_jobs(None), hours.failed_jobs(None));
    assert!(minutes.buckets.len() > quarters.buckets.len());

    let mut session = common::session(&db.readonly).await;
    let (linked,): (i64,) = sqlx::query_as("select count(*) from invocations where source_job_id is not null")
        .fetch_one(&mut session)
        .await
        .unwrap();
    let recorded =
        page.rows.iter().filter_map(|row| row.invocation.parent).filter(|parent| parent.link == Link::Recorded);
    assert_eq!(recorded.count(), usize::try_from(linked).unwrap());
}

#[tokio::test]
async fn a_preview_holds_what_the_tree_shows_below_a_row() {
    let db = common::database("read_inside").await;
    common::load_foreign(&db).await;
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 100, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    for row in &page.rows {
        let inside = reader.inside(row.invocation.id).await.unwrap();
        let rows = reader.cascade(Seed::invocation(row.invocation.id)).await.unwrap();
        let sorted = |ids: &mut dyn Iterator<Item = Uuid>| {
            let mut ids: Vec<Uuid> = ids.collect();
            ids.sort_unstable();
            ids
        };
        let own = rows.events.iter().filter(|event| event.invocation_id == row.invocation.id);
        let telling = own.filter(|event| event.detected || *event.status != *"not_detected");
        assert_eq!(sorted(&mut inside.events.iter().map(|event| event.id)), sorted(&mut telling.map(|event| event.id)));
        let own = rows.jobs.iter().filter(|job| job.invocation_id == row.invocation.id);
        assert_eq!(sorted(&mut inside.jobs.iter().map(|job| job.id)), sorted(&mut own.map(|job| job.id)));
        assert!(inside.payload.is_some());
    }
}

#[tokio::test]
async fn a_cascade_is_found_from_every_id_in_it() {
    let db = common::database("read_cascade").await;
    let chain = "moves.550e8400-e29b-41d4-a716-446655440000";
    let (recorded, token) = (id(12), format!("driver@company.com|{chain}|{}", id(22)));
    let payload = format!(r#"{{"event":{{"data":{{"new":{{"updated_by":"{token}"}}}}}}}}"#);
    write(
        &db,
        &[
            invocation(1, "correlation_id", "'driver@company.com'"),
            event(11, 1, "completed"),
            job(12, 1, 11, "completed"),
            // Linked, with another correlation id.
            invocation(2, "correlation_id, source_job_id", &format!("'{chain}', '{recorded}'")),
            event(21, 2, "completed"),
            job(22, 2, 21, "failed"),
            // Linked only by the token that its payload carries.
            invocation(3, "correlation_id", &format!("'{chain}'")),
            format!(
                "update invocations set source_event_payload = '{payload}', created_at = \
                 (select created_at from job_executions where id = '{}') + interval '1 second' where id = '{}'",
                id(22),
                id(3)
            ),
            // The same person, another chain: must stay out.
            invocation(4, "correlation_id", "'driver@company.com'"),
        ],
    )
    .await;
    let reader = Reader::new(db.readonly.clone());
    for text in
        [id(1), id(2), id(3), id(12), id(21), id(22)].map(|id| id.to_string()).iter().map(String::as_str).chain([chain])
    {
        let seed = reader.find(text, now()).await.unwrap().unwrap();
        let flow = Flow::build(reader.cascade(seed).await.unwrap(), now(), STALE_AFTER);
        assert_eq!(flow.counts.invocations, 3, "from {text}");
        assert_eq!(flow.roots.len(), 1, "from {text}");
        let third = &flow.nodes[flow.find(id(3)).unwrap()];
        assert_eq!((third.link, flow.nodes[third.parent.unwrap()].id), (Some(Link::Inferred), id(22)));
        assert_eq!(flow.nodes[flow.find(id(2)).unwrap()].link, Some(Link::Recorded));
    }
    let person = reader.find("driver@company.com", now()).await.unwrap().unwrap();
    assert_eq!(reader.cascade(person).await.unwrap().invocations.len(), 4);
    assert_eq!(reader.find("nobody@company.com", now()).await.unwrap(), None);
    assert_eq!(reader.find(&id(99).to_string(), now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_loop_of_links_ends() {
    let db = common::database("read_loop").await;
    let jobs = [id(12), id(22)];
    write(
        &db,
        &[
            invocation(1, "source_job_id", &format!("'{}'", jobs[1])),
            event(11, 1, "completed"),
            job(12, 1, 11, "completed"),
            invocation(2, "source_job_id", &format!("'{}'", jobs[0])),
            event(21, 2, "completed"),
            job(22, 2, 21, "completed"),
        ],
    )
    .await;
    let rows = Reader::new(db.readonly.clone()).cascade(Seed::invocation(id(2))).await.unwrap();
    let flow = Flow::build(rows, now(), STALE_AFTER);
    assert_eq!((flow.counts.invocations, flow.roots.len()), (2, 1));
    assert_eq!(flow.nodes.iter().filter(|node| node.back_reference).count(), 1);
}

#[tokio::test]
async fn changes_bring_late_rows_and_those_that_ended() {
    let db = common::database("read_changes").await;
    write(&db, &[invocation(10, "", ""), invocation(40, "", "")]).await;
    let reader = Reader::new(db.readonly.clone());
    let query = PageQuery { limit: 100, ..PageQuery::default() };
    let first = reader.changes(&query, None, &[], now(), STALE_AFTER).await.unwrap();
    let since = Some(Key::from(&first.rows[0].invocation));
    // Written now, but by a writer whose clock, or whose flush, is half a minute behind.
    let late = "'2026-11-20T12:39:30Z'";
    write(
        &db,
        &[
            invocation(50, "", ""),
            invocation(39, "", ""),
            format!("update invocations set created_at = {late} where id = '{}'", id(39)),
        ],
    )
    .await;
    let page = reader.changes(&query, since, &[id(10)], now(), STALE_AFTER).await.unwrap();
    let ids: Vec<_> = page.rows.iter().map(|row| row.invocation.id).collect();
    assert_eq!(ids, [id(50), id(40), id(39), id(10)]);
}

#[tokio::test]
async fn hourly_numbers_come_from_the_best_source() {
    let db = common::database("read_hourly").await;
    write(
        &db,
        &[
            invocation(1, "total_duration_ms", "100"),
            event(2, 1, "completed"),
            job(3, 1, 2, "failed"),
            invocation(4, "total_duration_ms", "300"),
        ],
    )
    .await;
    let reader = Reader::new(db.readonly.clone());
    let read = || reader.hourly(now() - TimeDelta::hours(3), now(), Step::Hour, now());
    let rows = read().await.unwrap();
    assert_eq!(rows.source, Source::Rows);
    let sum = rows.total();
    assert_eq!((sum.total, sum.failed, sum.ok, sum.avg_ms, sum.max_ms), (2, 1, 1, Some(200.0), Some(300)));
    assert_eq!((sum.p50(), rows.failed_jobs(None)), (Some((100.0, Known::Exactly)), vec![("j3", 1)]));

    // Rows of the table that nothing says to be covered are not read, nor is the view.
    let mut admin = common::session(&db.admin).await;
    admin.execute("select refresh_dashboard_stats()").await.unwrap();
    write(
        &db,
        &["insert into metrics_hourly (hour_bucket, source_function, total_invocations, successful_invocations, \
               failed_invocations, most_failed_jobs, created_at) \
           values ('2026-11-20T10:00Z', 'f', 7, 4, 2, '[{\"name\": \"send\", \"count\": 2}]', '2026-11-20T11:00Z')"
            .to_owned()],
    )
    .await;
    assert_eq!(read().await.unwrap(), rows);

    // Ten is covered: eleven, twelve, and nine before it are counted from rows.
    let covers = "insert into metrics_coverage values ('2026-11-20T10:00Z', '2026-11-20T11:00Z', '2026-11-20T11:00Z')";
    write(&db, &[covers.to_owned()]).await;
    let hour = |hour: u32| format!("2026-11-20T{hour:02}:00:00Z").parse::<DateTime<Utc>>().unwrap();
    let metrics = read().await.unwrap();
    let sum = metrics.total();
    assert_eq!((metrics.source, sum.total, sum.failed, sum.ok, sum.open()), (Source::MetricsHourly, 9, 3, 5, 1));
    assert_eq!((metrics.as_of, &metrics.from_rows[..]), (hour(11), &[hour(11)..hour(13), hour(9)..hour(10)][..]));
    assert_eq!(metrics.failed_jobs(None), [("send", 2), ("j3", 1)]);
    // Days behind are counted, too.
    let later = now() + TimeDelta::days(2);
    let behind = reader.hourly(now() - TimeDelta::hours(3), later, Step::Hour, later).await.unwrap();
    assert_eq!((behind.total().total, behind.from_rows.len(), behind.back_to), (9, 2, None));
    // A range in the past is as it was aggregated.
    let past =
        reader.hourly(now() - TimeDelta::hours(2), now() - TimeDelta::hours(2), Step::Hour, now()).await.unwrap();
    assert_eq!((past.total().total, past.from_rows), (7, vec![]));
}

#[tokio::test]
async fn a_database_without_our_additions_is_read() {
    let db = common::database("read_adopted").await;
    let mut admin = common::session(&db.admin).await;
    for statement in [
        "drop materialized view dashboard_stats cascade",
        "drop table job_logs, metrics_hourly, metrics_coverage, metrics_pruned, recorder_losses",
        "alter table invocations drop column source_job_id, drop column source_type",
    ] {
        admin.execute(statement).await.unwrap();
    }
    write(
        &db,
        &[invocation(1, "", ""), event(2, 1, "not_detected"), event(3, 1, "completed"), job(4, 1, 3, "running")],
    )
    .await;
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 10, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    let jobs = |days| {
        let jobs = page.rows[0].jobs(now() + TimeDelta::days(days), STALE_AFTER);
        (jobs.running, jobs.stuck)
    };
    assert_eq!(page.rows[0].children.events_checked, 2);
    assert_eq!((jobs(0), jobs(9_999)), ((1, 0), (0, 1)), "it may end for a while after its parent did");
    assert_eq!(reader.cascade(Seed::invocation(id(1))).await.unwrap().jobs.len(), 1);
    assert_eq!(reader.hourly(now(), now(), Step::Hour, now()).await.unwrap().source, Source::Rows);
    assert_eq!(reader.job_logs(&[id(4)]).await.unwrap(), (Vec::new(), true));
    let row = reader.row(Kind::Job, id(4)).await.unwrap().unwrap();
    assert_eq!((row["job_name"].as_str(), row["status"].as_str()), (Some("j4"), Some("running")));
    assert_eq!(reader.row(Kind::Event, id(4)).await.unwrap(), None);
}

#[tokio::test]
async fn a_large_payload_and_a_hostile_name_are_read() {
    let db = common::database("read_large").await;
    let five_megabytes = format!(
        "update invocations set source_event_payload = jsonb_build_object('text', repeat('x', 5000000)) where id = '{}'",
        id(1)
    );
    write(&db, &[invocation(1, "", ""), five_megabytes, event(2, 1, "completed"), job(3, 1, 2, "failed"),
        format!("update job_executions set job_name = E'evil\\x1b[2J', error_message = repeat('e', 1000000) where id = '{}'", id(3))]).await;
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 10, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    let failed = page.rows[0].children.first_failure.as_deref().unwrap();
    assert_eq!(&*failed.name, "evil\u{1b}[2J");
    assert_eq!(failed.error.as_deref().unwrap().len(), 500);
    let row = reader.row(Kind::Invocation, id(1)).await.unwrap().unwrap();
    assert_eq!(row["source_event_payload"]["text"].as_str().unwrap().len(), 5_000_000);
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let db = common::database("read_errors").await;
    let query = PageQuery { limit: 1, ..PageQuery::default() };
    let reader = Reader::new(db.readonly.clone());
    reader.page(&query, now(), STALE_AFTER).await.unwrap();

    let mut migrating = common::session(&db.admin).await;
    migrating.execute("begin; lock table invocations in access exclusive mode").await.unwrap();
    let error = reader.page(&query, now(), STALE_AFTER).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    migrating.execute("rollback").await.unwrap();
    reader.page(&query, now(), STALE_AFTER).await.unwrap();

    let mut superuser = common::session(&db.superuser).await;
    superuser
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'observability_readonly' and datname = current_database()")
        .await
        .unwrap();
    let error = reader.page(&query, now(), STALE_AFTER).await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    reader.page(&query, now(), STALE_AFTER).await.expect("a new connection is made by itself");

    let wrong = Reader::new(db.readonly.with_schema("elsewhere"));
    let error = wrong.page(&query, now(), STALE_AFTER).await.unwrap_err();
    assert!(matches!(error, StoreError::MissingTable { .. }), "{error}");
    assert!(error.to_string().contains("obs-tui db migrate"), "{error}");

    let stopped =
        Reader::new(obs_tui::store::config::Config::from_url("postgres://someone:word@127.0.0.1:1/none").unwrap());
    let error = stopped.page(&query, now(), STALE_AFTER).await.unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(!format!("{error:?}").contains("word"), "{error:?}");
}

#[tokio::test]
async fn the_readers_own_session_cannot_write() {
    let db = common::database("read_only").await;
    // Even a role that may write cannot through the reader's settings.
    let mut session =
        sqlx::PgConnection::connect_with(&db.app.reader_options().options([("search_path", "public")])).await.unwrap();
    let (read_only, timeout): (String, String) =
        sqlx::query_as("select current_setting('default_transaction_read_only'), current_setting('statement_timeout')")
            .fetch_one(&mut session)
            .await
            .unwrap();
    assert_eq!((read_only.as_str(), timeout.as_str()), ("on", "5s"));
    let error = session.execute("delete from invocations").await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("25006"));
}

#[tokio::test]
async fn failures_and_jobs_are_told_with_examples() {
    let db = common::database("read_failures").await;
    let mut statements = vec![
        invocation(1, "", ""),
        event(11, 1, "completed"),
        event(12, 1, "not_detected"),
        job(21, 1, 11, "failed"),
        job(22, 1, 11, "completed"),
        job(23, 1, 11, "running"),
        invocation(2, "error_message", "'{\"note\": \"late\", \"password\": \"s3cret\"}'"),
        event(13, 2, "handler_failed"),
        invocation(3, "", ""),
    ];
    let same = "update job_executions set job_name = 'send', duration_ms = 5, created_at = '2026-11-20T12:01:01Z'";
    statements.push(same.to_owned());
    statements
        .push(format!("update job_executions set error_message = 'code 7', duration_ms = 900 where id = '{}'", id(21)));
    statements.push(format!(
        "update job_executions set duration_ms = null, created_at = '2026-11-20T12:01:09Z' where id = '{}'",
        id(23)
    ));
    write(&db, &statements).await;
    let reader = Reader::new(db.readonly.clone());
    let from = now() - TimeDelta::hours(1);
    let failures = reader.failures(from, now()).await.unwrap();
    assert_eq!((failures.looked.invocations, failures.looked.only_since, failures.more), (3, None, false));
    let mut shown: Vec<_> = (failures.rows.iter())
        .map(|row| (row.kind, row.id, row.invocation, row.event, row.name.as_str(), row.error.as_str()))
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            (Kind::Invocation, id(2), id(2), None, "f", r#"{"note": "late", "password": "******"}"#),
            (Kind::Event, id(13), id(2), None, "e13", ""),
            (Kind::Job, id(21), id(1), Some(id(11)), "send", "code 7"),
        ]
    );
    let stats = reader.job_stats(from, now()).await.unwrap();
    let [job] = &stats.jobs[..] else { panic!("{stats:?}") };
    assert_eq!((job.name.as_str(), job.runs, job.failed, job.p50_ms, job.p95_ms), ("send", 3, 1, Some(5), Some(900)));
    let ids = [job.slowest, job.last_failed, job.last].map(|run| run.map(|run| (run.job, run.invocation, run.ms)));
    assert_eq!(ids, [(id(21), id(1), Some(900)), (id(21), id(1), Some(900)), (id(23), id(1), None)].map(Some));
    let earlier = reader.job_stats(from - TimeDelta::days(1), from).await.unwrap();
    assert_eq!((earlier.jobs.len(), earlier.looked.invocations), (0, 0));
}

#[tokio::test]
async fn values_of_payloads_are_read_by_their_path() {
    let db = common::database("read_values").await;
    common::load_foreign(&db).await;
    let reader = Reader::new(db.readonly.clone());
    let mut session = common::session(&db.readonly).await;
    let rows: Vec<(uuid::Uuid, Option<String>)> = sqlx::query_as(
        "select id, coalesce(source_event_payload #>> '{op}', source_event_payload #>> '{event,op}') from invocations",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let ids: Vec<uuid::Uuid> = rows.iter().map(|(id, _)| *id).collect();
    let sorted = |mut rows: Vec<(uuid::Uuid, Option<String>)>| {
        rows.sort();
        rows
    };
    let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    assert!(rows.iter().any(|(_, value)| value.is_some()), "{rows:?}");
    let found = reader.payload_values(&ids, &path("op")).await.unwrap();
    assert_eq!(sorted(found), sorted(rows.clone()), "also below event");
    let found = reader.payload_values(&ids[..1], &path("nowhere.at.all")).await.unwrap();
    assert_eq!(found, [(ids[0], None)]);
    let objects = reader.payload_values(&ids, &path("event")).await.unwrap();
    assert!(objects.iter().any(|(_, value)| value.as_deref() == Some("{…}")), "{objects:?}");
}

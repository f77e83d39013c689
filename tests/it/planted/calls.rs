//! All that this program asks a server, by who asks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::Recorder;
use obs_tui::model::filter::Filter;
use obs_tui::model::flow::Kind;
use obs_tui::model::hourly::Step;
use obs_tui::model::invocation::Key;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::recorder::Options;
use obs_tui::store::admin;
use obs_tui::store::config::Config;
use obs_tui::store::prune;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use obs_tui::store::refresh::{Since, refresh};
use obs_tui::store::write::{self, Batch, ErrorText, EventRow, InvocationRow, JobRow, LogRow, Source, Target};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// One of each kind.
const FILTERS: [&str; 22] = [
    "st:failed",
    "st:stuck,running",
    "-st:ok",
    "fn:writes",
    "fn:~w.*s",
    "evt:moved",
    "job:notify*",
    "jobs:>0",
    "fails:0",
    "fails:>=1",
    "user:a@b.c",
    "sys:hasura",
    "op:INSERT",
    "corr:chain*",
    "table:moves",
    "dur:>9ms",
    "payload.a:1",
    "payload.a.b:1",
    "word",
    "550e8400-e29b-41d4-a716-446655440000",
    "-550e8400-e29b-41d4-a716-446655440000",
    "a@b.c",
];

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A migrated database, filled, counted, read in every way, and pruned.
pub(super) async fn everything(admin: &Config, app: &Config, readonly: &Config) {
    admin::migrate(admin).await.unwrap();
    admin::migrate(admin).await.unwrap();
    admin::status(admin).await.unwrap();
    admin::status(readonly).await.unwrap();
    admin::grant(admin).await.unwrap();
    write_rows(app).await;
    for config in [app, admin] {
        refresh(config, Since::FirstRow, now(), |_| ()).await.unwrap().unwrap();
        refresh(config, Since::LastTime, now(), |_| ()).await.unwrap().unwrap();
    }
    // A role that may write has the most to lose.
    for config in [readonly, app] {
        read(config).await;
    }
    prune::count(admin, now()).await.unwrap();
    assert!(prune::prune(admin, now() - TimeDelta::days(10), |_| ()).await.unwrap().deleted >= 1);
}

async fn write_rows(app: &Config) {
    let mut session = PgConnection::connect_with(&app.writer_options("test")).await.unwrap();
    let target = Target::probe(&mut session, &app.schema).await.unwrap();
    assert!(target.is_complete() && target.has_logs());
    let error = Some(ErrorText { message: "word".into(), stack: Some("stack".into()) });
    let mut batch = Batch::default();
    for n in 0..3_u128 {
        let at = if n == 2 { now() - TimeDelta::days(20) } else { now() - TimeDelta::minutes(20) };
        let source = Source {
            table: Some("public.moves".into()),
            operation: Some("INSERT".into()),
            system: Some("hasura".into()),
            job_id: (n == 1).then(|| id(300)),
            payload: Some(r#"{"a": {"b": 1}, "event": {"data": {"new": {"updated_by": "x"}}}}"#.into()),
            user_email: Some("a@b.c".into()),
            ..Source::default()
        };
        batch.invocations.push(InvocationRow {
            id: id(100 + n),
            created_at: at,
            updated_at: at,
            correlation_id: "chain",
            source_function: "writes",
            source: Some(Box::new(source)),
            status: if n == 0 { "failed" } else { "running" },
            total_duration_ms: (n == 0).then_some(9),
            events_detected: 1,
            jobs_run: 1,
            jobs_succeeded: 0,
            jobs_failed: 1,
            error: error.clone().filter(|_| n == 0),
            records: 1,
        });
        batch.events.push(EventRow {
            id: id(200 + n),
            invocation_id: id(100 + n),
            created_at: at,
            updated_at: at,
            correlation_id: "chain",
            event_name: "moved",
            module_path: Some("events/moved.rs"),
            detected: true,
            status: "handler_failed",
            detection_duration_ms: Some(1),
            detection_error: None,
            handler_duration_ms: Some(2),
            handler_error: error.clone(),
            jobs_count: 1,
            jobs_succeeded: 0,
            jobs_failed: 1,
            records: 1,
        });
        batch.jobs.push(JobRow {
            id: id(300 + n),
            invocation_id: id(100 + n),
            event_execution_id: id(200 + n),
            created_at: at,
            updated_at: at,
            correlation_id: "chain",
            job_name: "notify",
            function_name: None,
            options: Some("{}".into()),
            status: "failed",
            duration_ms: Some(5),
            result: Some("[]".into()),
            error: error.clone(),
            records: 1,
        });
        batch.logs.push(LogRow {
            id: id(400 + n),
            job_execution_id: id(300 + n),
            created_at: at,
            level: "info",
            message: "line".into(),
            data: Some("{}".into()),
            source: Some("test"),
            records: 1,
        });
    }
    for _ in 0..2 {
        write::write(&mut session, &target, &batch).await.unwrap();
        write::tell(&mut session, &target).await.unwrap();
    }
    session.close().await.unwrap();
    let recorder = Recorder::new(Options::new(app.clone()));
    let patience = Duration::from_secs(60);
    tokio::task::spawn_blocking(move || {
        recorder.invocation("recorded").start().finish();
        assert!(recorder.flush(patience), "{:?}", recorder.stats());
    })
    .await
    .unwrap();
}

async fn read(config: &Config) {
    let reader = Reader::new(config.clone());
    let query = |text: &str| PageQuery { filter: Filter::parse(text).unwrap(), limit: 50, ..PageQuery::default() };
    let first = reader.page(&query(""), now(), STALE_AFTER).await.unwrap();
    assert!(first.rows.len() >= 3);
    for text in FILTERS {
        reader.search(&query(text), now(), STALE_AFTER, |_| ()).await.unwrap();
        reader.count(&query(text), now(), STALE_AFTER).await.unwrap();
        let newest = Key { created_at: now() - TimeDelta::hours(1), id: id(100) };
        reader.changes(&query(text), Some(newest), &[id(100)], now(), STALE_AFTER).await.unwrap();
    }
    let older = PageQuery { older_than: Some(Key::from(&first.rows[0].invocation)), ..query("") };
    reader.page(&older, now(), STALE_AFTER).await.unwrap();
    for text in [id(100), id(200), id(300), id(7)].map(|id| id.to_string()).iter().map(String::as_str).chain(["chain"])
    {
        let Some(seed) = reader.find(text).await.unwrap() else { continue };
        assert!(!reader.cascade(seed).await.unwrap().invocations.is_empty());
    }
    reader.cascade(Seed { jobs: vec![id(300)], ..Seed::default() }).await.unwrap();
    assert_eq!(reader.inside(id(100)).await.unwrap().jobs.len(), 1);
    let day = now() - TimeDelta::days(1);
    assert!(!reader.failures(day, now()).await.unwrap().rows.is_empty());
    assert!(!reader.job_stats(day, now()).await.unwrap().jobs.is_empty());
    for step in [Step::Minute, Step::Quarter, Step::Hour] {
        reader.hourly(day, now(), step, now()).await.unwrap();
    }
    reader.known(day).await.unwrap();
    reader.losses(day, now()).await.unwrap();
    assert_eq!(reader.payload_values(&[id(100)], &["a".to_owned()]).await.unwrap().len(), 1);
    for (kind, id) in [(Kind::Invocation, id(100)), (Kind::Event, id(200)), (Kind::Job, id(300))] {
        assert!(reader.row(kind, id).await.unwrap().is_some());
    }
    assert_eq!(reader.job_logs(&[id(300)]).await.unwrap().0.len(), 1);
    drop(reader.listen().await.unwrap());
    reader.close().await;
}

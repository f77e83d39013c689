//! Migrations beside running writers: no writer loses a row, and what others made stays.
use std::sync::atomic::{AtomicBool, Ordering};

use obs_tui::store::admin;
use sqlx::{AssertSqlSafe, Executor};

use crate::common::{self, TestDb, session};

const LEGACY: &str = include_str!("../data/foreign/legacy.sql");
const SUCCESSOR: &str = include_str!("../data/foreign/successor.sql");
/// One invocation with its event and job in one transaction, which takes its locks one by one.
const CHAIN: &str = "begin; \
    insert into invocations (id, source_function, source_event_payload) values (gen_random_uuid(), 'w', '{}'); \
    select pg_sleep(0.005); \
    insert into event_executions (invocation_id, event_name, detected) \
        select id, 'w', true from invocations where source_function = 'w' and xmin = pg_current_xact_id()::xid; \
    select pg_sleep(0.005); \
    insert into job_executions (invocation_id, event_execution_id, job_name) \
        select invocation_id, id, 'w' from event_executions where event_name = 'w' and xmin = pg_current_xact_id()::xid; \
    commit";

/// Writes until the migration has ended, and 150 rows at least.
async fn write(db: &TestDb, begun: &tokio::sync::Notify, ended: &AtomicBool) -> Result<i64, sqlx::Error> {
    let mut writer = session(&db.admin).await;
    let mut rows = 0;
    while rows < 150 || !ended.load(Ordering::Relaxed) {
        writer.execute(CHAIN).await?;
        rows += 1;
        if rows == 10 {
            begun.notify_one();
        }
    }
    Ok(rows)
}

async fn count(db: &TestDb, sql: &str) -> i64 {
    let mut session = session(&db.superuser).await;
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut session).await.unwrap()
}

/// Migrates while two write; gives how many migrations were applied.
async fn migrate_beside_writers(db: &TestDb) -> usize {
    let (begun, ended) = ([tokio::sync::Notify::new(), tokio::sync::Notify::new()], AtomicBool::new(false));
    let migration = async {
        for begun in &begun {
            begun.notified().await;
        }
        let report = admin::migrate(&db.admin).await;
        ended.store(true, Ordering::Relaxed);
        report
    };
    let (first, second, report) = tokio::join!(write(db, &begun[0], &ended), write(db, &begun[1], &ended), migration);
    let (first, second, report) = (first.unwrap(), second.unwrap(), report.unwrap());
    assert!(first >= 150 && second >= 150);
    for sql in [
        "select count(*) from invocations where source_function = 'w'",
        "select count(*) from event_executions where event_name = 'w'",
        "select count(*) from job_executions where job_name = 'w'",
    ] {
        assert_eq!(count(db, sql).await, first + second, "{sql}");
    }
    assert_eq!(count(db, "select count(*) from pg_index where not indisvalid").await, 0);
    assert_eq!(count(db, "select deadlocks from pg_stat_database where datname = current_database()").await, 0);
    report.applied.len()
}

#[tokio::test]
async fn adoption_costs_running_writers_no_row() {
    let db = common::empty_database("beside_adopted").await;
    session(&db.admin).await.execute(LEGACY).await.unwrap();
    session(&db.admin).await.execute(SUCCESSOR).await.unwrap();
    let all = admin::status(&db.admin).await.unwrap().migrations.len();
    assert_eq!(migrate_beside_writers(&db).await, all);
}

#[tokio::test]
async fn update_of_our_database_costs_running_writers_no_row() {
    let db = common::database("beside_own").await;
    let expected = "select count(*) from pg_indexes where schemaname = 'public'";
    let indexes = count(&db, expected).await;
    let mut superuser = session(&db.superuser).await;
    // One version back, and then all that came after the tables; one index was left by an interrupted attempt.
    for (version, dropped) in [
        (15, "drop index event_executions_detected_name_idx, invocations_source_user_email_idx"),
        (
            8,
            "drop trigger obs_tui_touch on invocations; drop trigger obs_tui_touch on job_executions; \
             drop index invocations_correlation_id_idx, event_executions_not_ok_idx, job_executions_failed_idx; \
             update pg_index set indisvalid = false where indexrelid = 'event_executions_invocation_id_idx'::regclass; \
             delete from invocations",
        ),
    ] {
        superuser.execute(dropped).await.unwrap();
        let undone = format!("delete from obs_tui_migrations where version >= {version}");
        let undone = superuser.execute(AssertSqlSafe(undone)).await.unwrap().rows_affected();
        assert_eq!(migrate_beside_writers(&db).await as u64, undone);
        assert_eq!(count(&db, expected).await, indexes);
    }
    assert_eq!(count(&db, "select count(*) from pg_trigger where tgname = 'obs_tui_touch'").await, 3);
}

#[tokio::test]
async fn comments_rights_and_keys_of_another_program_stay() {
    let db = common::empty_database("beside_theirs").await;
    let mut admin = session(&db.admin).await;
    admin.execute(LEGACY).await.unwrap();
    admin.execute(SUCCESSOR).await.unwrap();
    admin
        .execute(
            "comment on table invocations is 'theirs'; comment on column job_executions.status is 'theirs, too'; \
             comment on column metrics_hourly.hour_bucket is 'their hour'; \
             grant insert, update, delete on dashboard_stats to observability_app",
        )
        .await
        .unwrap();
    let keys = "select count(*) from pg_constraint where contype = 'f' and conrelid::regclass::text <> 'job_logs'";
    let before = count(&db, keys).await;
    admin::migrate(&db.admin).await.unwrap();
    for (sql, found) in [
        ("select (obj_description('invocations'::regclass) = 'theirs')::int::bigint", 1),
        ("select count(*) from pg_description where description in ('theirs', 'theirs, too', 'their hour')", 3),
        ("select has_table_privilege('observability_app', 'dashboard_stats', 'insert')::int::bigint", 1),
        ("select has_table_privilege('observability_app', 'obs_tui_migrations', 'insert')::int::bigint", 0),
        ("select count(*) from pg_description where description like '%No foreign key%'", 0),
        (
            "select count(*) from pg_description where objoid = 'event_executions'::regclass and description = 'Name of the event, often dotted.'",
            1,
        ),
        (keys, before),
    ] {
        assert_eq!(count(&db, sql).await, found, "{sql}");
    }
    admin.execute("create table later (n serial)").await.unwrap();
    session(&db.app).await.execute("insert into later default values").await.unwrap();
}

//! Migrations on new and on foreign databases, what each role may do, and the words of the errors.
use obs_tui::cli;
use obs_tui::store::admin::{self, MigrationReport, Passwords};
use obs_tui::store::config::{Config, Secret};
use obs_tui::store::error::StoreError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::common::{self, TestDb, session};

const LEGACY: &str = include_str!("../data/foreign/legacy.sql");
const SUCCESSOR: &str = include_str!("../data/foreign/successor.sql");

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), StoreError> {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.map(drop).map_err(StoreError::from)
}

async fn text(connection: &mut PgConnection, sql: &str) -> String {
    let row = connection.fetch_one(AssertSqlSafe(format!("SELECT ({sql})::text"))).await.unwrap();
    row.get::<Option<String>, _>(0).unwrap_or_else(|| "NULL".to_owned())
}

/// Everything that must not change: columns, rows, constraints, triggers, functions, views, of what exists.
async fn inventory(connection: &mut PgConnection) -> Vec<String> {
    let rows = connection
        .fetch_all(
            "SELECT format('column %s.%s %s(%s,%s) %s %s', table_name, column_name, data_type, character_maximum_length,
                    numeric_precision, is_nullable, column_default)
             FROM information_schema.columns WHERE table_schema = current_schema()
             UNION ALL
             SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
             FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conname <> 'their_status'
             UNION ALL
             SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
             UNION ALL
             SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
             UNION ALL
             SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index
             WHERE indrelid::regclass::text IN ('invocations', 'event_executions', 'job_executions')
             UNION ALL
             SELECT 'view ' || pg_get_viewdef(oid) FROM pg_class WHERE relname = 'dashboard_stats'
             UNION ALL SELECT 'row ' || (to_jsonb(i) - 'source_type' - 'source_job_id')::text FROM invocations i
             UNION ALL SELECT 'row ' || to_jsonb(e)::text FROM event_executions e
             UNION ALL SELECT 'row ' || (to_jsonb(j) - 'console_logs')::text FROM job_executions j
             ORDER BY 1",
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn adopt(name: &str, made: &[&str]) -> (TestDb, MigrationReport) {
    let db = common::empty_database(name).await;
    let mut admin = session(&db.admin).await;
    for sql in made {
        run(&mut admin, sql).await.unwrap();
    }
    let before = inventory(&mut admin).await;
    assert!(before.len() > 60, "{before:#?}");
    let report = admin::migrate(&db.admin).await.unwrap();
    let after = inventory(&mut admin).await;
    let lost: Vec<&String> = before.iter().filter(|thing| !after.contains(thing)).collect();
    assert!(lost.is_empty(), "lost or changed: {lost:#?}");
    (db, report)
}

#[tokio::test]
async fn readonly_only_reads() {
    let db = common::database("readonly_only_reads").await;
    let mut reader = session(&db.readonly).await;
    assert_eq!(text(&mut reader, "current_setting('default_transaction_read_only')").await, "on");
    assert_eq!(text(&mut reader, "current_setting('statement_timeout')").await, "5s");
    assert_eq!(text(&mut reader, "SELECT count(*) FROM invocations").await, "0");
    assert_eq!(text(&mut reader, "SELECT count(*) FROM dashboard_stats").await, "0");
    // The role itself, also in a session that asks to write.
    run(&mut reader, "SET default_transaction_read_only = off").await.unwrap();
    for sql in [
        "INSERT INTO invocations (source_function) VALUES ('x')",
        "UPDATE invocations SET status = 'failed'",
        "DELETE FROM invocations",
        "TRUNCATE invocations CASCADE",
        "CREATE TABLE mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "REFRESH MATERIALIZED VIEW dashboard_stats",
        "SELECT refresh_dashboard_stats()",
        "INSERT INTO recorder_losses (recorder, class, reason, count) VALUES ('r', 'c', 'r', 1)",
        "UPDATE obs_tui_migrations SET version = 0",
    ] {
        let refused = run(&mut reader, sql).await.unwrap_err();
        assert!(matches!(refused, StoreError::Denied { .. }), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn app_writes_rows_and_nothing_else() {
    let db = common::database("app_writes_rows").await;
    let mut app = session(&db.app).await;
    for sql in [
        "INSERT INTO invocations (source_function) VALUES ('x')",
        "UPDATE invocations SET status = 'failed'",
        "INSERT INTO recorder_losses (recorder, class, reason, count) VALUES ('r', 'log', 'full', 1)",
        "DELETE FROM invocations",
    ] {
        run(&mut app, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for sql in [
        "TRUNCATE invocations CASCADE",
        "CREATE TABLE mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "DROP TABLE job_logs",
        "ALTER TABLE invocations ADD COLUMN mine int",
        "REFRESH MATERIALIZED VIEW dashboard_stats",
        "SELECT refresh_dashboard_stats()",
        "DELETE FROM obs_tui_migrations",
    ] {
        let refused = run(&mut app, sql).await.unwrap_err();
        assert!(matches!(refused, StoreError::Denied { .. }), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn later_tables_of_the_admin_are_covered() {
    let db = common::database("later_tables").await;
    let mut admin = session(&db.admin).await;
    run(&mut admin, "CREATE TABLE later (n int)").await.unwrap();
    run(&mut admin, "SELECT refresh_dashboard_stats()").await.unwrap();
    run(&mut session(&db.app).await, "INSERT INTO later VALUES (1)").await.unwrap();
    let mut reader = session(&db.readonly).await;
    assert_eq!(text(&mut reader, "SELECT n FROM later").await, "1");
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let db = common::empty_database("migrating_twice").await;
    let status = admin::status(&db.readonly).await.unwrap();
    assert!(!status.tracked && !status.has_tables && status.migrations.iter().all(|m| m.applied_at.is_none()));
    let first = admin::migrate(&db.admin).await.unwrap();
    assert_eq!((first.applied.len(), first.already, first.adopted), (status.migrations.len(), 0, false));
    let mut session = session(&db.admin).await;
    let before = inventory(&mut session).await;
    let second = admin::migrate(&db.admin).await.unwrap();
    assert_eq!((second.applied.len(), second.already), (0, first.applied.len()));
    assert_eq!(inventory(&mut session).await, before);
    let status = admin::status(&db.readonly).await.unwrap();
    assert!(status.tracked && status.migrations.iter().all(|m| m.applied_at.is_some() && !m.differs));
}

#[tokio::test]
async fn every_column_is_described_and_no_index_is_on_status_alone() {
    let db = common::database("columns_described").await;
    let mut session = session(&db.readonly).await;
    let undescribed = text(
        &mut session,
        "SELECT string_agg(a.attrelid::regclass || '.' || a.attname, ' ') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm') AND a.attnum > 0
             AND c.relname <> 'obs_tui_migrations' AND col_description(c.oid, a.attnum) IS NULL",
    )
    .await;
    assert_eq!(undescribed, "NULL");
    let on_status = text(
        &mut session,
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%btree (status%'",
    )
    .await;
    assert_eq!(on_status, "0");
}

#[tokio::test]
async fn a_legacy_database_is_adopted_without_loss() {
    let (db, report) = adopt("legacy_adopted", &[LEGACY]).await;
    assert!(report.adopted && !report.applied.is_empty());
    let mut admin = session(&db.admin).await;
    // What was missing is there, what was theirs still is.
    assert_eq!(
        text(&mut admin, "SELECT count(*) FROM invocations WHERE source_job_id IS NULL AND source_type IS NULL").await,
        "1"
    );
    assert_eq!(text(&mut admin, "SELECT count(*) FROM job_logs").await, "0");
    assert_eq!(text(&mut admin, "SELECT invocation_success_rate(i) FROM invocations i").await, "12.5");
    assert_eq!(text(&mut admin, "SELECT refresh_dashboard_stats()").await, "1");
    assert_eq!(
        text(
            &mut admin,
            "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%invocations USING btree (correlation_id)'"
        )
        .await,
        "1"
    );
    assert_eq!(
        text(
            &mut admin,
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'invocations'::regclass AND NOT tgisinternal"
        )
        .await,
        "1"
    );
    // The status check is wider by two words and by nothing else.
    for (status, accepted) in
        [("detection_failed", true), ("handler_failed", true), ("postponed", true), ("nonsense", false)]
    {
        let result = run(&mut admin, &format!("UPDATE event_executions SET status = '{status}'")).await;
        assert_eq!(result.is_ok(), accepted, "{status}");
    }
    let mut reader = session(&db.readonly).await;
    assert_eq!(text(&mut reader, "SELECT n FROM dashboard_stats").await, "1");
    assert_eq!(text(&mut reader, "SELECT duration_ms FROM job_executions").await, "5000000000");
}

#[tokio::test]
async fn a_successor_database_is_adopted_without_loss() {
    let (db, report) = adopt("successor_adopted", &[LEGACY, SUCCESSOR]).await;
    assert!(report.adopted);
    let mut admin = session(&db.admin).await;
    assert_eq!(text(&mut admin, "SELECT source_job_id FROM invocations").await, "00000000-0000-0000-0000-000000000003");
    run(&mut admin, "DELETE FROM job_executions").await.unwrap();
    assert_eq!(text(&mut admin, "SELECT count(*) FROM invocations WHERE source_job_id IS NULL").await, "1");
    assert!(admin::migrate(&db.admin).await.unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_foreign_writer_inserts_and_upserts_unchanged() {
    let db = common::database("foreign_writer").await;
    let mut app = session(&db.app).await;
    for (table, columns, values) in [
        (
            "invocations",
            "id, correlation_id, source_function, source_table, source_operation, source_system, source_event_id, \
             source_event_payload, source_event_time, source_user_email, source_user_role, auto_load_modules, \
             event_modules_directory, context_data, status, total_duration_ms, events_detected_count, total_jobs_run, \
             total_jobs_succeeded, total_jobs_failed, error_message, error_stack, created_at, updated_at",
            "'00000000-0000-0000-0000-00000000000a', 'driver@company.com', 'f', 'public.moves', 'UPDATE', 'hasura', NULL, \
             '{\"id\": 1}', now(), 'driver@company.com', 'driver', true, './events', '{}', 'running', NULL, 1, 1, 1, 0, \
             NULL, NULL, now(), now()",
        ),
        (
            "event_executions",
            "id, invocation_id, correlation_id, event_name, event_module_path, detected, detection_duration_ms, \
             detection_error, detection_error_stack, handler_duration_ms, handler_error, handler_error_stack, jobs_count, \
             jobs_succeeded, jobs_failed, status, created_at, updated_at",
            "'00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-00000000000a', NULL, 'e', NULL, true, NULL, \
             NULL, NULL, NULL, NULL, NULL, 1, 1, 0, 'detection_failed', now(), now()",
        ),
        (
            "job_executions",
            "id, invocation_id, event_execution_id, correlation_id, job_name, job_function_name, job_options, duration_ms, \
             status, result, error_message, error_stack, created_at, updated_at",
            "'00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000a', \
             '00000000-0000-0000-0000-00000000000b', NULL, 'j', 'j', '{}', 5, 'completed', '{}', NULL, NULL, now(), now()",
        ),
    ] {
        let upsert = format!(
            "INSERT INTO {table} ({columns}) VALUES ({values})
             ON CONFLICT (id) DO UPDATE SET status = 'completed', updated_at = now() + interval '1 hour'"
        );
        run(&mut app, &upsert).await.unwrap_or_else(|error| panic!("{table}: {error}"));
        run(&mut app, &upsert).await.unwrap_or_else(|error| panic!("{table}: {error}"));
        let explicit =
            format!("SELECT status = 'completed' AND updated_at > now() + interval '59 minutes' FROM {table}");
        assert_eq!(text(&mut app, &explicit).await, "true", "{table} keeps the time that the writer gives");
        run(&mut app, &format!("UPDATE {table} SET status = 'failed'")).await.unwrap();
        let touched = format!("SELECT updated_at < now() + interval '1 minute' FROM {table}");
        assert_eq!(text(&mut app, &touched).await, "true", "{table} is touched when the writer gives no time");
    }
    let orphan = "UPDATE invocations SET source_job_id = gen_random_uuid()";
    run(&mut app, orphan).await.expect("a child may be written before the job that caused it");
    run(&mut app, "DELETE FROM invocations").await.unwrap();
    assert_eq!(text(&mut app, "SELECT count(*) FROM job_executions").await, "0");
}

#[tokio::test]
async fn rows_of_another_writer_load_and_add_up() {
    let db = common::database("foreign_rows").await;
    common::load_foreign(&db).await;
    let mut admin = session(&db.admin).await;
    for (table, rows) in [("invocations", "1500"), ("event_executions", "20971"), ("job_executions", "5953")] {
        assert_eq!(text(&mut admin, &format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
    }
    run(&mut admin, "SELECT refresh_dashboard_stats()").await.unwrap();
    let off = "SELECT count(*) FROM dashboard_stats
               WHERE failed_invocations + successful_invocations > total_invocations OR date_part('minute', hour_bucket) <> 0";
    assert_eq!(text(&mut admin, off).await, "0");
}

#[tokio::test]
async fn rates_are_of_jobs_and_full_when_none_ran() {
    let db = common::database("rates").await;
    let mut admin = session(&db.admin).await;
    let fill = "INSERT INTO invocations (id, source_function, total_jobs_run, total_jobs_succeeded) VALUES
                    ('00000000-0000-0000-0000-000000000001', 'none', 0, 0), ('00000000-0000-0000-0000-000000000002', 'some', 3, 2);
                INSERT INTO event_executions (id, invocation_id, event_name, detected, jobs_count, jobs_succeeded) VALUES
                    ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 'e', true, 4, 1);
                INSERT INTO job_executions (invocation_id, event_execution_id, job_name, duration_ms)
                SELECT '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003', 'j', n
                FROM (VALUES (10), (20), (NULL)) AS v (n)";
    run(&mut admin, fill).await.unwrap();
    // From another schema, as a GraphQL server calls them.
    run(&mut admin, "SET search_path = pg_catalog").await.unwrap();
    for (sql, expected) in [
        ("SELECT public.invocation_success_rate(i) FROM public.invocations i WHERE source_function = 'none'", "100.0"),
        ("SELECT public.invocation_success_rate(i) FROM public.invocations i WHERE source_function = 'some'", "66.67"),
        (
            "SELECT public.invocation_avg_job_duration(i) FROM public.invocations i WHERE source_function = 'some'",
            "15.00",
        ),
        (
            "SELECT public.invocation_avg_job_duration(i) FROM public.invocations i WHERE source_function = 'none'",
            "NULL",
        ),
        ("SELECT public.event_job_success_rate(e) FROM public.event_executions e", "25.00"),
    ] {
        assert_eq!(text(&mut admin, sql).await, expected, "{sql}");
    }
    run(&mut admin, "SELECT public.refresh_dashboard_stats()").await.unwrap();
    assert_eq!(text(&mut admin, "SELECT sum(total_jobs_run) FROM public.dashboard_stats").await, "3");
}

#[tokio::test]
async fn the_tables_may_stand_in_another_schema() {
    let db = common::database("another_schema").await;
    let named = |config: &Config| config.with_schema("event_detector_observability");
    let report = admin::migrate(&named(&db.admin)).await.unwrap();
    assert!(!report.adopted && report.already == 0);
    let mut app = session(&named(&db.app)).await;
    run(&mut app, "INSERT INTO invocations (source_function) VALUES ('x')").await.unwrap();
    let mut reader = session(&named(&db.readonly)).await;
    assert_eq!(text(&mut reader, "SELECT count(*) FROM event_detector_observability.invocations").await, "1");
    assert_eq!(text(&mut reader, "SELECT count(*) FROM public.invocations").await, "0");
    let mut admin = session(&db.admin).await;
    run(&mut admin, "SELECT event_detector_observability.refresh_dashboard_stats()").await.unwrap();
    assert_eq!(
        text(&mut admin, "SELECT sum(total_invocations) FROM event_detector_observability.dashboard_stats").await,
        "1"
    );
}

#[tokio::test]
async fn a_locked_table_stops_the_migration_before_anything_is_done() {
    let db = common::empty_database("locked").await;
    let mut holder = session(&db.admin).await;
    run(&mut holder, LEGACY).await.unwrap();
    let before = inventory(&mut holder).await;
    let mut transaction = holder.begin().await.unwrap();
    run(&mut transaction, "LOCK TABLE invocations IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let refused = admin::migrate(&db.admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains("migration 1 waited 5s for a table"), "{refused}");
    transaction.rollback().await.unwrap();
    assert_eq!(text(&mut holder, "SELECT count(*) FROM obs_tui_migrations").await, "0");
    let columns = |things: &[String]| -> Vec<String> {
        things.iter().filter(|thing| !thing.contains("obs_tui_migrations")).cloned().collect()
    };
    assert_eq!(columns(&inventory(&mut holder).await), columns(&before));
    assert!(admin::migrate(&db.admin).await.unwrap().already == 0);
}

#[tokio::test]
async fn two_migrations_at_once_do_not_collide() {
    let db = common::empty_database("two_migrations").await;
    let (first, second) = tokio::join!(admin::migrate(&db.admin), admin::migrate(&db.admin));
    first.unwrap();
    second.unwrap();
    assert!(admin::status(&db.admin).await.unwrap().migrations.iter().all(|m| m.applied_at.is_some()));
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let db = common::database("newer").await;
    let mut admin = session(&db.admin).await;
    run(&mut admin, "INSERT INTO obs_tui_migrations VALUES (9999, 'later', now(), true, '', 0)").await.unwrap();
    let refused = admin::migrate(&db.admin).await.unwrap_err().to_string();
    assert!(refused.contains("newer obs-tui"), "{refused}");
}

#[tokio::test]
async fn a_role_that_does_not_own_the_tables_is_told_so() {
    let db = common::empty_database("not_owner").await;
    run(&mut session(&db.superuser).await, LEGACY).await.unwrap();
    let refused = admin::migrate(&db.admin).await.unwrap_err();
    assert!(matches!(refused, StoreError::Denied { .. }), "{refused}");
    assert!(refused.to_string().contains("needs the owner of the tables"), "{refused}");
}

#[tokio::test]
async fn creating_again_keeps_passwords_unless_they_are_given() {
    let cluster = obs_tui::postgres::Cluster::start(&obs_tui::postgres::Options::default()).unwrap();
    let first = admin::create_database(&cluster.superuser(), "it's \"new\"", &Passwords::default()).await.unwrap();
    let password = first.readonly.password.clone().unwrap();
    assert_eq!(password.reveal().len(), 32);
    assert!(!format!("{first:?}").contains(password.reveal()));
    admin::migrate(&first.admin).await.unwrap();
    let given = Passwords { app: Some(Secret::new("it's \\ given".to_owned())), ..Passwords::default() };
    let second = admin::create_database(&cluster.superuser(), "it's \"new\"", &given).await.unwrap();
    assert_eq!((second.admin.password, second.readonly.password), (None, None));
    assert!(admin::status(&second.app).await.unwrap().tracked);
    assert!(admin::status(&first.readonly).await.unwrap().tracked);
    assert!(matches!(admin::status(&first.app).await.unwrap_err(), StoreError::Refused { .. }));
    let mut superuser = session(&cluster.superuser()).await;
    let hashes =
        text(&mut superuser, "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256%') FROM pg_authid WHERE rolcanlogin")
            .await;
    assert_eq!(hashes, "true");
    let log = std::fs::read_to_string(cluster.dir().join("log")).unwrap();
    assert!(!log.contains(password.reveal()) && !log.contains("given"), "{log}");
}

#[tokio::test]
async fn an_adopted_database_stays_open_to_its_other_users() {
    let db = common::empty_database("stays_open").await;
    let mut superuser = session(&db.superuser).await;
    let theirs = "CREATE ROLE somebody_else; GRANT CREATE ON SCHEMA public TO PUBLIC; \
                  CREATE DATABASE theirs_stays_open OWNER somebody_else";
    for sql in theirs.split(';') {
        run(&mut superuser, sql).await.unwrap();
    }
    admin::create_database(common::superuser(), "theirs_stays_open", &Passwords::default()).await.unwrap();
    let mut inside = session(&db.superuser.with_database("theirs_stays_open")).await;
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    assert_eq!(text(&mut inside, owner).await, "somebody_else");
    assert_eq!(
        text(&mut inside, "SELECT has_database_privilege('somebody_else', current_database(), 'TEMP')").await,
        "true"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_said() {
    let db = common::empty_database("wrong_connections").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut nobody = db.readonly.clone();
    nobody.port = closed;
    let error = admin::status(&nobody).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }) && error.is_unreachable(), "{error}");
    assert!(
        error.to_string().contains(&format!("observability_readonly@127.0.0.1:{closed}/wrong_connections")),
        "{error}"
    );

    let error = admin::status(&db.readonly.with_user("observability_app", Some(Secret::new("wrong".into()))))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }) && error.is_unreachable(), "{error}");
    assert!(!error.to_string().contains("\"wrong\""), "{error}");

    let error = admin::status(&db.readonly.with_user("stranger", Some(Secret::new("x".into())))).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");

    let error = admin::status(&db.superuser.with_database("nowhere")).await.unwrap_err();
    assert!(matches!(error, StoreError::MissingDatabase { .. }) && error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("obs-tui db create"), "{error}");

    let error = run(&mut session(&db.readonly).await, "SELECT * FROM invocations").await.unwrap_err();
    assert!(matches!(error, StoreError::MissingTable { .. }) && !error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("obs-tui db migrate"), "{error}");
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_stopped() {
    let db = common::empty_database("too_long").await;
    let mut reader = session(&db.readonly).await;
    run(&mut reader, "SET statement_timeout = '20ms'").await.unwrap();
    let error = run(&mut reader, "SELECT count(*) FROM generate_series(1, 100000000)").await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn the_commands_say_what_they_did_and_what_is_next() {
    let db = common::empty_database("commands").await;
    let text = cli::db::status(&db.readonly).await.unwrap();
    assert!(text.contains("there are no tables") && text.contains("missing"), "{text}");
    let text = cli::db::migrate(&db.admin).await.unwrap();
    let count = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert!(text.contains(&format!("Applied {count} of {count}")) && text.contains("recorder losses"), "{text}");
    let text = cli::db::migrate(&db.admin).await.unwrap();
    assert!(text.starts_with("Nothing to do: observability_admin@127.0.0.1:"), "{text}");
    let text = cli::db::status(&db.readonly).await.unwrap();
    assert!(text.contains("up to date") && !text.contains("missing"), "{text}");
    let passwords = Passwords { readonly: db.readonly.password.clone(), ..Passwords::default() };
    let text = cli::db::create(common::superuser(), "commands", &passwords).await.unwrap();
    assert!(text.contains(&db.readonly.url()) && text.contains("password as before"), "{text}");
    assert!(!text.contains(db.admin.password.as_ref().unwrap().reveal()), "{text}");
}

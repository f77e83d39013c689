//! What an earlier version left behind, and schemas whose names would end a quotation.

use obs_tui::store::admin;
use obs_tui::store::read::Reader;
use sqlx::{AssertSqlSafe, Executor};

use super::calls::everything;
use crate::common::{self, session};

/// As they were made before statements named the schema; the last one is another's, by the same name.
const EARLIER: &str = "
    create or replace function obs_tui_touch() returns trigger language plpgsql as $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
    alter function obs_tui_touch() reset all;
    create or replace function invocation_avg_job_duration(invocation invocations) returns numeric
        language sql stable parallel safe set search_path from current as $$
            SELECT round(avg(j.duration_ms), 2) FROM job_executions j WHERE j.invocation_id = invocation.id
        $$;
    create or replace function event_job_success_rate(event event_executions) returns numeric language sql as $$ SELECT 1.0 $$;
    alter function event_job_success_rate(event_executions) reset all;
    delete from obs_tui_migrations where version = 16";

#[tokio::test]
async fn functions_of_an_earlier_version_are_repaired_and_those_of_others_are_not() {
    let db = common::database("earlier").await;
    let mut admin = session(&db.admin).await;
    admin.execute(EARLIER).await.unwrap();
    let applied = admin::migrate(&db.admin).await.unwrap().applied;
    assert_eq!(applied, [(16, "search paths".to_owned())]);
    let status = admin::status(&db.readonly).await.unwrap();
    assert!(status.migrations.iter().all(|migration| migration.applied_at.is_some() && !migration.differs));
    let functions: Vec<(String, Option<String>, bool)> = sqlx::query_as(
        "select proname::text, array_to_string(proconfig, ' '), prosrc like '%\"public\".%' from pg_proc \
         where pronamespace = 'public'::regnamespace order by 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let ours = || Some("search_path=pg_catalog, pg_temp".to_owned());
    assert_eq!(
        functions,
        [
            ("event_job_success_rate".to_owned(), None, false),
            ("invocation_avg_job_duration".to_owned(), ours(), true),
            ("invocation_success_rate".to_owned(), ours(), false),
            ("obs_tui_touch".to_owned(), ours(), false),
            ("refresh_dashboard_stats".to_owned(), ours(), true),
        ]
    );
}

#[tokio::test]
async fn a_schema_may_have_any_name() {
    for (number, schema) in ["o'x \"y\"", "a$$b$function$;\\", "@schema.\u{fc}"].into_iter().enumerate() {
        let db = common::empty_database(&format!("any_schema_{number}")).await;
        let named = |config: &obs_tui::store::config::Config| config.with_schema(schema);
        everything(&named(&db.admin), &named(&db.app), &named(&db.readonly)).await;
        let mut admin = session(&db.admin).await;
        let call = format!("select \"{}\".refresh_dashboard_stats()", schema.replace('"', "\"\""));
        admin.execute(AssertSqlSafe(call)).await.unwrap();
        assert!(!Reader::new(named(&db.readonly)).capabilities().await.unwrap().server.may_write);
    }
}

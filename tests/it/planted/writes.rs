//! Code that a reader runs because the owner of a table put it there: it reads, and no more, in this statement and in all
//! after it.

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::clock::Clock;
use obs_tui::model::flow::Kind;
use obs_tui::model::hourly::Step;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::common::{self, session};
use crate::pty::PATIENCE;

/// A view that tries whatever would let it write, when it is planned and for each row, and then writes.
const TRAP: &str = "
    create function try(sql text) returns void language plpgsql as $$
    begin execute sql; exception when others then end $$;
    create function trap() returns boolean language plpgsql as $$
    begin
        raise log 'TRAP in %', current_database();
        perform public.try('set transaction_read_only = off');
        perform public.try('set transaction read write');
        perform public.try('set session characteristics as transaction read write');
        perform public.try('set default_transaction_read_only = off');
        perform public.try('set search_path = public');
        perform public.try('rollback');
        perform public.try('commit');
        perform public.try('insert into public.recorder_losses (recorder, class, reason, count) values (''trap'', ''c'', ''r'', 1)');
        return true;
    end $$;
    create function trap_of_the_planner(int) returns boolean immutable language plpgsql as $$ begin return public.trap(); end $$;
    alter table job_executions rename to jobs_below;
    create view job_executions as select * from jobs_below where trap() and trap_of_the_planner(1);
    grant select on job_executions to observability_app, observability_readonly;
    insert into invocations (id, created_at, source_function, source_event_payload, status, correlation_id)
        values ('00000000-0000-0000-0000-000000000001', '2026-11-20T11:00Z', 'f', '{}', 'completed', 'chain');
    insert into event_executions (id, invocation_id, event_name, detected)
        values ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'e', true);
    insert into jobs_below (id, invocation_id, event_execution_id, job_name, status)
        values ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
            '00000000-0000-0000-0000-000000000002', 'j', 'failed')";

fn trapped(database: &str) -> usize {
    let log = std::fs::read(common::server_log()).unwrap();
    String::from_utf8_lossy(&log).matches(&format!("TRAP in {database}")).count()
}

#[tokio::test]
async fn a_session_of_the_reader_cannot_be_made_to_write() {
    let db = common::database("trapped").await;
    session(&db.admin).await.execute(TRAP).await.unwrap();
    let mut owner = session(&db.admin).await;
    let written = async |owner: &mut PgConnection| {
        sqlx::query_scalar::<_, i64>("select count(*) from recorder_losses").fetch_one(owner).await.unwrap()
    };
    let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
    let day = now - TimeDelta::days(1);
    let (invocation, job) = (Uuid::from_u128(1), Uuid::from_u128(3));
    // One that may write everything, and one that may not.
    for (config, may_write) in [(&db.app, true), (&db.readonly, false), (&db.superuser, true)] {
        let reader = Reader::new(config.clone());
        let before = trapped("trapped");
        for _ in 0..3 {
            let query = PageQuery { limit: 10, ..PageQuery::default() };
            assert_eq!(reader.page(&query, now, STALE_AFTER).await.unwrap().rows.len(), 1);
            assert!(reader.row(Kind::Job, job).await.unwrap().is_some());
            assert_eq!(reader.inside(invocation).await.unwrap().jobs.len(), 1);
            assert_eq!(reader.find(&job.to_string(), now).await.unwrap(), Some(Seed::invocation(invocation)));
            assert_eq!(reader.cascade(Seed::invocation(invocation)).await.unwrap().jobs.len(), 1);
            assert_eq!(reader.failures(day, now).await.unwrap().rows.len(), 1);
            assert_eq!(reader.job_stats(day, now).await.unwrap().jobs.len(), 1);
            reader.hourly(day, now, Step::Hour, now).await.unwrap();
            reader.known(day).await.unwrap();
        }
        assert!(trapped("trapped") > before + 20);
        assert_eq!(written(&mut owner).await, 0, "{}", config.user);
        let server = reader.server();
        assert_eq!((server.read_only, server.may_write), (true, may_write), "{}", config.user);
        // No transaction stays open when nobody reads.
        let mut superuser = session(&db.superuser).await;
        let open = "select count(*) from pg_stat_activity where datname = current_database() and usename = $1 \
             and application_name = 'obs-tui' and state <> 'idle'";
        let clock = Clock::system();
        while sqlx::query_scalar::<_, i64>(open).bind(&config.user).fetch_one(&mut superuser).await.unwrap() > 0 {
            assert!(clock.elapsed() < PATIENCE, "a session stays in its transaction");
            tokio::task::yield_now().await;
        }
    }
    // What it would have come to, with nothing but the settings of the session.
    let settings = db.app.reader_options().options([("search_path", "public")]);
    let mut alone = PgConnection::connect_with(&settings).await.unwrap();
    alone.execute("select from job_executions").await.unwrap();
    assert_eq!(written(&mut owner).await, 0);
    alone.execute("select from job_executions").await.unwrap();
    assert!(written(&mut owner).await > 0);
}

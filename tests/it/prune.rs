//! `prune` changes no row that it keeps.
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::clock::Clock;
use obs_tui::store::admin;
use obs_tui::store::prune::{Pruned, count, prune};
use sqlx::{Executor, PgConnection};

use crate::cli::run;
use crate::common::{self, TestDb, session};

const LEGACY: &str = include_str!("../data/foreign/legacy.sql");
const SUCCESSOR: &str = include_str!("../data/foreign/successor.sql");

/// Invocations by number, how many days old they are, and by which other one's job they were caused. What is older than
/// 30 days goes, unless it caused something that stays.
const CHAINS: [(i32, i32, Option<i32>); 14] = [
    // A cascade across the border: all of it stays.
    (1, 33, None),
    (2, 32, Some(1)),
    (3, 29, Some(2)),
    // A side branch of it goes.
    (4, 32, Some(1)),
    // A cascade that is old as a whole goes; likewise the parent that is newer than its child, and far from it.
    (5, 60, None),
    (6, 31, Some(5)),
    (7, 31, None),
    (8, 60, Some(7)),
    // A circle goes, one with a way out stays.
    (9, 50, Some(10)),
    (10, 50, Some(9)),
    // A child that is new, of a parent that is.
    (11, 1, None),
    (12, 1, Some(11)),
    // A circle whose ends are far from each other.
    (13, 50, Some(14)),
    (14, 35, Some(13)),
];
const KEPT: [i32; 5] = [1, 2, 3, 11, 12];
/// Between the oldest and the newest, so that they are deleted in several batches.
const OTHERS: u64 = 1_100;

async fn fill(connection: &mut PgConnection) {
    connection.execute("delete from invocations").await.unwrap();
    for (number, days, _) in CHAINS {
        sqlx::query(
            "with i as (insert into invocations (id, created_at, updated_at, source_function, source_event_payload) \
                 values (md5('i' || $1)::uuid, now() - make_interval(days => $2), now() - make_interval(days => $2), $1::text, '{}')), \
             e as (insert into event_executions (id, invocation_id, event_name, detected) \
                 values (md5('e' || $1)::uuid, md5('i' || $1)::uuid, 'e', true)) \
             insert into job_executions (id, invocation_id, event_execution_id, job_name) \
                 values (md5('j' || $1)::uuid, md5('i' || $1)::uuid, md5('e' || $1)::uuid, 'j')",
        )
        .bind(number)
        .bind(days)
        .execute(&mut *connection)
        .await
        .unwrap();
    }
    for (number, _, parent) in CHAINS {
        let sql = "update invocations set source_job_id = md5('j' || $2)::uuid where id = md5('i' || $1)::uuid and $2 is not null";
        sqlx::query(sql).bind(number).bind(parent).execute(&mut *connection).await.unwrap();
    }
    let others = "insert into invocations (created_at, source_function, source_event_payload) \
                  select now() - interval '40 days' - make_interval(secs => n), 'other', '{}' from generate_series(1, $1::bigint) n";
    sqlx::query(others).bind(i64::try_from(OTHERS).unwrap()).execute(connection).await.unwrap();
}

/// Every row of the three tables with its whole text.
async fn rows(connection: &mut PgConnection) -> BTreeMap<uuid::Uuid, String> {
    let sql = "select id, md5(i::text) || xmin::text || i.source_function from invocations i \
               union all select id, md5(e::text) || xmin::text from event_executions e \
               union all select id, md5(j::text) || xmin::text from job_executions j";
    sqlx::query_as::<_, (uuid::Uuid, String)>(sql).fetch_all(connection).await.unwrap().into_iter().collect()
}

async fn keeps_what_it_keeps(db: &TestDb, now: DateTime<Utc>) {
    let mut admin = session(&db.admin).await;
    fill(&mut admin).await;
    let (before, limit) = (rows(&mut admin).await, now - TimeDelta::days(30));
    let expected = Pruned { deleted: OTHERS + 9, kept: 2 };
    assert_eq!(count(&db.app, limit).await.unwrap(), expected);
    // The role of the recorder may do it, as the help says.
    let mut most = 0;
    let mut last = 0;
    let done = prune(&db.app, limit, |deleted| (most, last) = (most.max(deleted - last), deleted)).await.unwrap();
    assert_eq!((done, last), (expected, expected.deleted));
    assert!(most <= 500, "{most} at once");
    let after = rows(&mut admin).await;
    let changed: Vec<_> = after.iter().filter(|(id, text)| before.get(id) != Some(text)).collect();
    assert!(changed.is_empty(), "{changed:?}");
    let mut kept: Vec<i32> =
        sqlx::query_scalar("select source_function::int from invocations").fetch_all(&mut admin).await.unwrap();
    kept.sort_unstable();
    assert_eq!(kept, KEPT);
    assert_eq!(after.len(), 3 * KEPT.len());
    assert_eq!(prune(&db.admin, limit, |_| ()).await.unwrap(), Pruned { deleted: 0, kept: 2 });
}

#[tokio::test]
async fn no_kept_row_changes_in_our_database() {
    let db = common::database("prune_own").await;
    keeps_what_it_keeps(&db, Clock::system().now()).await;
    let (code, output, _) = run(&db.app.url(), &["db", "prune", "--older-than", "30d", "--dry-run"]);
    assert!(code == 0 && output.starts_with("0 invocations from before "), "{output}");
    assert!(output.contains("2 invocations from before ") && output.contains(" kept: "), "{output}");
}

#[tokio::test]
async fn no_kept_row_changes_in_an_adopted_database() {
    let db = common::empty_database("prune_adopted").await;
    let mut admin = session(&db.admin).await;
    admin.execute(LEGACY).await.unwrap();
    admin.execute(SUCCESSOR).await.unwrap();
    admin.execute("grant all on all tables in schema public to observability_app").await.unwrap();
    // As it is, and migrated.
    keeps_what_it_keeps(&db, Clock::system().now()).await;
    admin::migrate(&db.admin).await.unwrap();
    keeps_what_it_keeps(&db, Clock::system().now()).await;
}

#[tokio::test]
async fn a_database_without_recorded_links_is_pruned() {
    let db = common::empty_database("prune_legacy").await;
    session(&db.admin).await.execute(LEGACY).await.unwrap();
    let tomorrow = Clock::system().now() + TimeDelta::days(1);
    assert_eq!(count(&db.admin, tomorrow).await.unwrap(), Pruned { deleted: 1, kept: 0 });
    assert_eq!(prune(&db.admin, tomorrow, |_| ()).await.unwrap(), Pruned { deleted: 1, kept: 0 });
}

/// Chains in which each caused the next one, by their first and last number: 1,200 of one moment, 1,200 each older than
/// its parent, one whose second has no time, and 250 of which the last is new.
const LONG: &str = "
    alter table invocations alter created_at drop not null;
    delete from invocations;
    insert into invocations (id, created_at, updated_at, source_function, source_event_payload)
        select md5('i' || n)::uuid, case when n = 4002 then null when n = 5250 then now() when n > 5000 then now() - interval '50 days' + make_interval(secs => n)
            else now() - interval '40 days' - case when n between 2001 and 3200 then make_interval(secs => n) else '0' end end, now() - interval '40 days', n::text, '{}'
        from generate_series(1, 5250) n
        where n between 1 and 1200 or n between 2001 and 3200 or n between 4001 and 4003 or n between 5001 and 5250;
    insert into event_executions (id, invocation_id, event_name, detected)
        select md5('e' || source_function)::uuid, id, 'e', true from invocations;
    insert into job_executions (id, invocation_id, event_execution_id, job_name)
        select md5('j' || source_function)::uuid, id, md5('e' || source_function)::uuid, 'j' from invocations;
    update invocations i set source_job_id = j.id from job_executions j
        where j.id = md5('j' || (i.source_function::int - 1))::uuid;
    analyze";

#[tokio::test]
async fn long_chains_go_whole_even_when_interrupted() {
    let db = common::empty_database("prune_long").await;
    let mut admin = session(&db.admin).await;
    admin.execute(LEGACY).await.unwrap();
    admin.execute(SUCCESSOR).await.unwrap();
    admin.execute(LONG).await.unwrap();
    let (before, limit) = (rows(&mut admin).await, Clock::system().now() - TimeDelta::days(30));
    let expected = Pruned { deleted: 2_401, kept: 250 };
    assert_eq!(count(&db.admin, limit).await.unwrap(), expected);

    // Given up as soon as it has deleted something.
    let begun = tokio::sync::Notify::new();
    tokio::select! {
        biased;
        () = begun.notified() => {}
        done = prune(&db.admin, limit, |_| begun.notify_one()) => panic!("not interrupted: {done:?}"),
    }
    // The session that was left ends its statement, and is waited for.
    let others = "select count(*) from pg_stat_activity where application_name = 'obs-tui prune' and datname = current_database()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut admin).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    let same = |after: &BTreeMap<uuid::Uuid, String>| {
        let changed: Vec<_> = after.iter().filter(|(id, text)| before.get(id) != Some(text)).collect();
        assert!(changed.is_empty(), "{changed:?}");
    };
    let half = rows(&mut admin).await;
    assert!(half.len() < before.len() && half.len() > 3 * 252, "{}", half.len());
    same(&half);
    let gone = (before.len() - half.len()) as u64 / 3;
    let done = prune(&db.admin, limit, |_| ()).await.unwrap();
    assert_eq!(done, Pruned { deleted: expected.deleted - gone, kept: expected.kept });
    let after = rows(&mut admin).await;
    same(&after);
    assert_eq!(after.len(), 3 * 252);
}

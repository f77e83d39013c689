//! What a failure counts as, in the list and in the tree.

use chrono::TimeDelta;
use obs_tui::model::flow::Flow;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::read::{PageQuery, Reader, Seed};

use super::{event, id, invocation, job, now, write};
use crate::common;

#[tokio::test]
async fn what_failed_is_not_unfinished_too_and_fails_what_it_is_below() {
    let db = common::database("read_failed").await;
    let error = |table: &str, column: &str, n| format!("update {table} set {column} = 'broken' where id = '{}'", id(n));
    write(
        &db,
        &[
            invocation(1, "", ""),
            event(2, 1, "completed"),
            job(3, 1, 2, "running"),
            job(4, 1, 2, "completed"),
            error("job_executions", "error_message", 3),
            event(5, 1, "handling"),
            error("event_executions", "handler_error", 5),
            event(6, 1, "completed"),
        ],
    )
    .await;
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 10, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    let children = &page.rows[0].children;
    assert_eq!((children.events_failed_themselves, children.events_unfinished, children.events_failed), (1, 0, 2));
    let jobs = page.rows[0].jobs(now() + TimeDelta::days(9_999), STALE_AFTER);
    assert_eq!((jobs.run, jobs.ok, jobs.failed, jobs.running, jobs.stuck), (2, 1, 1, 0, 0));
    let flow = Flow::build(reader.cascade(Seed::invocation(id(1))).await.unwrap(), now(), STALE_AFTER);
    let jobs = flow.counts.jobs;
    assert_eq!((jobs.run, jobs.ok, jobs.failed, jobs.running, jobs.stuck), (2, 1, 1, 0, 0));
    assert_eq!((flow.counts.events.failed, flow.counts.events.checked), (2, 3));
    let reason = flow.nodes[flow.find(id(1)).unwrap()].reason.clone();
    assert_eq!(reason.as_deref(), Some("recorded completed, but 1 event failed, 1 job failed"));
}

/// Neither of jobs nor of events is all loaded without end, and the cascade says so.
#[tokio::test]
async fn more_than_is_loaded_of_a_cascade_is_said() {
    const MOST: usize = 200_000;
    let db = common::database("read_more").await;
    write(&db, &[invocation(1, "", ""), event(2, 1, "completed")]).await;
    let reader = Reader::new(db.readonly.clone());
    let loaded = async || {
        let rows = reader.cascade(Seed::invocation(id(1))).await.unwrap();
        (rows.events.len(), rows.jobs.len(), rows.truncated)
    };
    assert_eq!(loaded().await, (1, 0, false));
    let jobs = |from: usize, to: usize| {
        format!(
            "insert into job_executions (id, invocation_id, event_execution_id, job_name, status) \
             select gen_random_uuid(), '{}', '{}', 'j', 'completed' from generate_series({from}, {to})",
            id(1),
            id(2)
        )
    };
    write(&db, &[jobs(1, MOST)]).await;
    assert_eq!(loaded().await, (1, MOST, false));
    write(&db, &[jobs(1, 1)]).await;
    let rows = reader.cascade(Seed::invocation(id(1))).await.unwrap();
    assert_eq!((rows.jobs.len(), rows.truncated), (MOST, true));
    assert!(Flow::build(rows, now(), STALE_AFTER).truncated);
}

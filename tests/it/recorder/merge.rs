//! Any order, repetition and splitting of the same records gives the same rows in the database too.

use chrono::{DateTime, TimeDelta};
use obs_tui::store::write::{self, Batch, ErrorText, EventRow, InvocationRow, JobRow, Source, Target};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::rows;
use crate::common;

#[derive(Clone)]
enum Record {
    Invocation(InvocationRow<'static>),
    Event(EventRow<'static>),
    Job(JobRow<'static>),
}

/// What the guards of one chain hand over, as chain number `n`.
fn history(n: u128) -> Vec<Record> {
    let id = |part: u128| Uuid::from_u128((n << 64) | part);
    let at = |seconds| DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds);
    let chain = "chain";
    let error = Some(ErrorText { message: "no".into(), stack: Some("no\ncaused by: nothing".into()) });
    let source = Source {
        table: Some("public.moves".into()),
        job_id: Some(Uuid::from_u128(7)),
        payload: Some(r#"{"a": [1, 2]}"#.into()),
        auto_load_modules: Some(true),
        context: Some("[]".into()),
        ..Source::default()
    };
    let invocation = InvocationRow {
        id: id(1),
        created_at: at(0),
        updated_at: at(0),
        correlation_id: chain,
        source_function: "function",
        source: Some(Box::new(source)),
        status: "running",
        total_duration_ms: None,
        events_detected: 0,
        jobs_run: 0,
        jobs_succeeded: 0,
        jobs_failed: 0,
        error: None,
        records: 1,
    };
    let invocation_end = InvocationRow {
        updated_at: at(9),
        source: None,
        status: "failed",
        total_duration_ms: Some(9000),
        events_detected: 1,
        jobs_run: 1,
        jobs_failed: 1,
        error: error.clone(),
        ..invocation.clone()
    };
    let event = EventRow {
        id: id(2),
        invocation_id: id(1),
        created_at: at(1),
        updated_at: at(1),
        correlation_id: chain,
        event_name: "event",
        module_path: Some("events/event.rs"),
        detected: false,
        status: "detecting",
        detection_duration_ms: None,
        detection_error: None,
        handler_duration_ms: None,
        handler_error: None,
        jobs_count: 0,
        jobs_succeeded: 0,
        jobs_failed: 0,
        records: 1,
    };
    let detected = EventRow {
        updated_at: at(2),
        detected: true,
        status: "handling",
        detection_duration_ms: Some(1000),
        ..event.clone()
    };
    let event_end = EventRow {
        updated_at: at(8),
        status: "completed",
        handler_duration_ms: Some(6000),
        jobs_count: 1,
        jobs_failed: 1,
        ..detected.clone()
    };
    let job = JobRow {
        id: id(3),
        invocation_id: id(1),
        event_execution_id: id(2),
        created_at: at(3),
        updated_at: at(3),
        correlation_id: chain,
        job_name: "job",
        function_name: Some("function"),
        options: Some(r#"{"b": null}"#.into()),
        status: "running",
        duration_ms: None,
        result: None,
        error: None,
        records: 1,
    };
    let job_end = JobRow {
        updated_at: at(7),
        function_name: None,
        options: None,
        status: "failed",
        duration_ms: Some(4000),
        result: Some("0".into()),
        error,
        ..job.clone()
    };
    vec![
        Record::Invocation(invocation),
        Record::Event(event),
        Record::Event(detected),
        Record::Job(job),
        Record::Job(job_end),
        Record::Event(event_end),
        Record::Invocation(invocation_end),
    ]
}

async fn store(connection: &mut PgConnection, target: &Target, record: Record) {
    let mut batch = Batch::default();
    match record {
        Record::Invocation(row) => batch.invocations.push(row),
        Record::Event(row) => batch.events.push(row),
        Record::Job(row) => batch.jobs.push(row),
    }
    write::write(connection, target, &batch).await.unwrap();
}

/// The rows of a chain, but for its number and the time of the last touch.
async fn stored(connection: &mut PgConnection, n: u128) -> Vec<Value> {
    let mut found = Vec::new();
    for (table, part) in [("invocations", 1), ("event_executions", 2), ("job_executions", 3)] {
        let query = format!("SELECT * FROM {table} WHERE id = '{}'", Uuid::from_u128((n << 64) | part));
        let mut row = rows(connection, &query).await.remove(0);
        for column in ["id", "invocation_id", "event_execution_id", "updated_at"] {
            row.as_object_mut().unwrap().remove(column);
        }
        found.push(row);
    }
    found
}

#[tokio::test]
async fn order_repetition_and_batches_do_not_matter_to_the_database() {
    let db = common::database("recorder_merge").await;
    let connection = &mut common::session(&db.app).await;
    let target = Target::probe(connection, "public").await.unwrap();
    for record in history(1) {
        store(connection, &target, record).await;
    }
    let expected = stored(connection, 1).await;
    assert_eq!((&expected[0]["status"], &expected[0]["source_event_payload"]["a"][1]), (&"failed".into(), &2.into()));
    assert_eq!((&expected[1]["status"], &expected[1]["detected"]), (&"completed".into(), &true.into()));
    assert_eq!(
        (&expected[2]["status"], &expected[2]["job_options"]),
        (&"failed".into(), &serde_json::json!({ "b": null }))
    );

    let mut random = fastrand::Rng::with_seed(11);
    for n in 2..60 {
        let mut records = history(n);
        records.extend((0..3).map(|_| history(n)[random.usize(..7)].clone()));
        random.shuffle(&mut records);
        // Parents first, as the batches of one recorder have them; each table in any order.
        let table = |record: &Record| match record {
            Record::Invocation(_) => 0,
            Record::Event(_) => 1,
            Record::Job(_) => 2,
        };
        let mut parents = [false; 2];
        while let Some(at) = records.iter().position(|record| parents[..table(record)].iter().all(|there| *there)) {
            let record = records.remove(at);
            if let Some(there) = parents.get_mut(table(&record)) {
                *there = true;
            }
            store(connection, &target, record).await;
        }
        assert_eq!(stored(connection, n).await, expected, "chain {n}");
    }
}

//! Any order, repetition and splitting of the same records gives the same rows in the database too.

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::store::write::{self, Batch, ErrorText, EventRow, InvocationRow, JobRow, Source, Target};
use serde_json::{Value, json};
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

/// The texts of chain number `n`, which no other has.
fn text(what: &str, n: u128) -> &'static str {
    format!("{what} {n}").leak()
}

fn error(what: &str, n: u128) -> Option<ErrorText<'static>> {
    Some(ErrorText { message: text(what, n).into(), stack: Some(text(&format!("{what}\ncaused by"), n).into()) })
}

fn id(n: u128, part: u128) -> Uuid {
    Uuid::from_u128((n << 64) | part)
}

fn at(n: u128, seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + 1000 * i64::try_from(n).unwrap(), 0).unwrap() + TimeDelta::seconds(seconds)
}

/// What the guards of one chain hand over, as chain number `n`: no two columns of a row have the same value, nor do two
/// chains in one column.
fn history(n: u128) -> Vec<Record> {
    let k = i32::try_from(n).unwrap() * 100;
    let chain = text("chain", n);
    let source = Source {
        table: Some(text("public.moves", n).into()),
        operation: Some(text("UPDATE", n).into()),
        system: Some(text("hasura", n).into()),
        kind: Some("webhook".into()),
        job_id: Some(id(n, 70)),
        event_id: Some(id(n, 71)),
        event_time: Some(at(n, -1)),
        payload: Some(format!(r#"{{"a": [1, {n}]}}"#).into()),
        user_email: Some(text("somebody", n).into()),
        user_role: Some(text("role", n).into()),
        auto_load_modules: Some(true),
        modules_directory: Some(text("modules", n).into()),
        context: Some(format!("[{n}]").into()),
    };
    let invocation = InvocationRow {
        id: id(n, 1),
        created_at: at(n, 0),
        updated_at: at(n, 0),
        correlation_id: chain,
        source_function: text("function", n),
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
        updated_at: at(n, 9),
        source: None,
        status: "failed",
        total_duration_ms: Some(9000 + k),
        events_detected: 2 + k,
        jobs_run: 11 + k,
        jobs_succeeded: 7 + k,
        jobs_failed: 3 + k,
        error: error("invocation", n),
        ..invocation.clone()
    };
    // A job that went on after the end.
    let invocation_late =
        InvocationRow { updated_at: at(n, 12), jobs_run: 13 + k, jobs_succeeded: 8 + k, ..invocation_end.clone() };
    let event = EventRow {
        id: id(n, 2),
        invocation_id: id(n, 1),
        created_at: at(n, 1),
        updated_at: at(n, 1),
        correlation_id: chain,
        event_name: text("event", n),
        module_path: Some(text("events/event.rs", n)),
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
        updated_at: at(n, 2),
        detected: true,
        status: "handling",
        detection_duration_ms: Some(1000 + k),
        detection_error: error("detection", n),
        ..event.clone()
    };
    let event_end = EventRow {
        updated_at: at(n, 8),
        status: "handler_failed",
        handler_duration_ms: Some(6000 + k),
        handler_error: error("handler", n),
        jobs_count: 10 + k,
        jobs_succeeded: 5 + k,
        jobs_failed: 4 + k,
        ..detected.clone()
    };
    let event_late = EventRow { updated_at: at(n, 11), jobs_count: 12 + k, jobs_failed: 6 + k, ..event_end.clone() };
    let job = JobRow {
        id: id(n, 3),
        invocation_id: id(n, 1),
        event_execution_id: id(n, 2),
        created_at: at(n, 3),
        updated_at: at(n, 3),
        correlation_id: chain,
        job_name: text("job", n),
        function_name: Some(text("job function", n)),
        options: Some(format!(r#"{{"b": {n}}}"#).into()),
        status: "running",
        duration_ms: None,
        result: None,
        error: None,
        records: 1,
    };
    let job_end = JobRow {
        updated_at: at(n, 7),
        function_name: None,
        options: None,
        status: "failed",
        duration_ms: Some(4000 + k),
        result: Some(format!(r#"{{"c": {n}}}"#).into()),
        error: error("job", n),
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
        Record::Event(event_late),
        Record::Invocation(invocation_late),
    ]
}

/// The rows that they make, but for the time of the last touch: a repetition touches a row too.
fn expected(n: u128) -> [Value; 3] {
    let k = u64::try_from(n).unwrap() * 100;
    let text = |what: &str| format!("{what} {n}");
    let stack = |what: &str| format!("{what}\ncaused by {n}");
    let (invocation, event, job) = (id(n, 1), id(n, 2), id(n, 3));
    let time = |seconds| at(n, seconds).format("%Y-%m-%dT%H:%M:%S").to_string();
    [
        json!({
            "id": invocation, "created_at": time(0), "correlation_id": text("chain"),
            "source_function": text("function"), "source_table": text("public.moves"), "source_operation": text("UPDATE"),
            "source_system": text("hasura"), "source_type": "webhook", "source_job_id": id(n, 70), "source_event_id": id(n, 71),
            "source_event_time": time(-1), "source_event_payload": { "a": [1, n as u64] }, "source_user_email": text("somebody"),
            "source_user_role": text("role"), "auto_load_modules": true, "event_modules_directory": text("modules"),
            "context_data": [n as u64], "status": "failed", "total_duration_ms": 9000 + k, "events_detected_count": 2 + k,
            "total_jobs_run": 13 + k, "total_jobs_succeeded": 8 + k, "total_jobs_failed": 3 + k,
            "error_message": text("invocation"), "error_stack": stack("invocation"),
        }),
        json!({
            "id": event, "invocation_id": invocation, "created_at": time(1),
            "correlation_id": text("chain"), "event_name": text("event"), "event_module_path": text("events/event.rs"),
            "detected": true, "status": "handler_failed", "detection_duration_ms": 1000 + k,
            "detection_error": text("detection"), "detection_error_stack": stack("detection"),
            "handler_duration_ms": 6000 + k, "handler_error": text("handler"), "handler_error_stack": stack("handler"),
            "jobs_count": 12 + k, "jobs_succeeded": 5 + k, "jobs_failed": 6 + k,
        }),
        json!({
            "id": job, "invocation_id": invocation, "event_execution_id": event, "created_at": time(3),
            "correlation_id": text("chain"), "job_name": text("job"), "job_function_name": text("job function"),
            "job_options": { "b": n as u64 }, "status": "failed", "duration_ms": 4000 + k, "result": { "c": n as u64 },
            "error_message": text("job"), "error_stack": stack("job"),
        }),
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

/// The rows of a chain in these columns, with times of this form.
async fn stored(connection: &mut PgConnection, n: u128, like: &[Value; 3]) -> Vec<Value> {
    let mut found = Vec::new();
    for ((table, part), like) in
        [("invocations", 1), ("event_executions", 2), ("job_executions", 3)].into_iter().zip(like)
    {
        let column = |name: &String| match name.as_str() {
            "created_at" | "source_event_time" => {
                format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') AS {name}")
            }
            _ => name.clone(),
        };
        let columns: Vec<String> = like.as_object().unwrap().keys().map(column).collect();
        let query = format!("SELECT {} FROM {table} WHERE id = '{}'", columns.join(", "), id(n, part));
        found.push(rows(connection, &query).await.remove(0));
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
    assert_eq!(stored(connection, 1, &expected(1)).await, expected(1));

    let mut random = fastrand::Rng::with_seed(11);
    for n in 2..60 {
        let mut records = history(n);
        records.extend((0..3).map(|_| history(n)[random.usize(..9)].clone()));
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
        assert_eq!(stored(connection, n, &expected(n)).await, expected(n), "chain {n}");
    }
}

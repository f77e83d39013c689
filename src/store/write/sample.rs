//! A row with which nothing is wrong, to find out whether a table takes any.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::row::{Batch, EventRow, InvocationRow, JobRow, LogRow};

const NAME: &str = "obs-tui probe";

impl Batch<'_> {
    /// One row of the lowest table of this batch and one of each table above it, of the time of the first row there: tables
    /// may be divided by time, or by ids that hold the time. They hold only what no row can be without.
    pub(super) fn sample(&self) -> Batch<'static> {
        let first = None
            .or(self.logs.first().map(|row| (3, row.id, row.created_at)))
            .or(self.jobs.first().map(|row| (2, row.id, row.created_at)))
            .or(self.events.first().map(|row| (1, row.id, row.created_at)))
            .or(self.invocations.first().map(|row| (0, row.id, row.created_at)));
        let mut sample = Batch::default();
        let Some((depth, id, at)) = first else { return sample };
        let id = Uuid::from_u128(id.as_u128() ^ 1);
        sample.invocations.push(invocation(id, at));
        if depth >= 1 {
            sample.events.push(event(id, at));
        }
        if depth >= 2 {
            sample.jobs.push(job(id, at));
        }
        if depth >= 3 {
            sample.logs.push(log(id, at));
        }
        sample
    }
}

fn invocation(id: Uuid, at: DateTime<Utc>) -> InvocationRow<'static> {
    InvocationRow {
        id,
        created_at: at,
        updated_at: at,
        correlation_id: NAME,
        source_function: NAME,
        source: None,
        status: "running",
        total_duration_ms: None,
        events_detected: 0,
        jobs_run: 0,
        jobs_succeeded: 0,
        jobs_failed: 0,
        error: None,
        records: 0,
    }
}

fn event(id: Uuid, at: DateTime<Utc>) -> EventRow<'static> {
    EventRow {
        id,
        invocation_id: id,
        created_at: at,
        updated_at: at,
        correlation_id: NAME,
        event_name: NAME,
        module_path: None,
        detected: false,
        status: "detecting",
        detection_duration_ms: None,
        detection_error: None,
        handler_duration_ms: None,
        handler_error: None,
        jobs_count: 0,
        jobs_succeeded: 0,
        jobs_failed: 0,
        records: 0,
    }
}

fn job(id: Uuid, at: DateTime<Utc>) -> JobRow<'static> {
    JobRow {
        id,
        invocation_id: id,
        event_execution_id: id,
        created_at: at,
        updated_at: at,
        correlation_id: NAME,
        job_name: NAME,
        function_name: None,
        options: None,
        status: "running",
        duration_ms: None,
        result: None,
        error: None,
        records: 0,
    }
}

fn log(id: Uuid, at: DateTime<Utc>) -> LogRow<'static> {
    LogRow {
        id,
        job_execution_id: id,
        created_at: at,
        level: "info",
        message: NAME.into(),
        data: None,
        source: None,
        records: 0,
    }
}

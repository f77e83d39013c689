//! The rows of one batch, and how two records of one row become one.
//!
//! A row is recorded at least twice, when it starts and when it ends, and the two may arrive in any order, in one batch
//! or in two, once or repeatedly. `merge` and the `ON CONFLICT` clause of [`super`] follow the same rule, so that the
//! row in the database is the same in every case: a status only moves forward, a value once known stays, counts grow.
//!
//! Rows borrow their texts from wherever they wait: a batch is made of a few thousand of them, and thrown away.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// The statuses of invocations and jobs, in the order in which they may follow each other.
pub const STATUSES: &[&str] = &["running", "completed", "failed"];

/// The statuses of events, in the order in which they may follow each other.
pub const EVENT_STATUSES: &[&str] =
    &["detecting", "handling", "not_detected", "completed", "failed", "detection_failed", "handler_failed"];

/// The levels of log lines.
pub const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error"];

/// An error as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorText<'a> {
    /// The message of the error and of its causes.
    pub message: Cow<'a, str>,
    /// One cause per line, when they are captured.
    pub stack: Option<Cow<'a, str>>,
}

impl ErrorText<'_> {
    /// The same without copies.
    #[must_use]
    pub fn borrowed(&self) -> ErrorText<'_> {
        ErrorText { message: Cow::Borrowed(&self.message), stack: self.stack.as_deref().map(Cow::Borrowed) }
    }
}

/// What caused an invocation: the columns that only its start knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Source<'a> {
    /// `schema.table`.
    pub table: Option<Cow<'a, str>>,
    /// INSERT, UPDATE, DELETE, MANUAL or anything else.
    pub operation: Option<Cow<'a, str>>,
    /// The system that sent the event.
    pub system: Option<Cow<'a, str>>,
    /// database, webhook, cron, action, application, queue, manual.
    pub kind: Option<Cow<'a, str>>,
    /// The job whose write caused the event.
    pub job_id: Option<Uuid>,
    /// The id of the event in its source.
    pub event_id: Option<Uuid>,
    /// The time of the event in its source.
    pub event_time: Option<DateTime<Utc>>,
    /// The event itself, JSON text; `{}` is stored when it is absent.
    pub payload: Option<Cow<'a, str>>,
    /// Who caused the event.
    pub user_email: Option<Cow<'a, str>>,
    /// In which role.
    pub user_role: Option<Cow<'a, str>>,
    /// Whether event modules were loaded from a directory.
    pub auto_load_modules: Option<bool>,
    /// Which directory.
    pub modules_directory: Option<Cow<'a, str>>,
    /// Free context, JSON text.
    pub context: Option<Cow<'a, str>>,
}

/// A row of `invocations`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InvocationRow<'a> {
    /// Primary key.
    pub id: Uuid,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When this was recorded.
    pub updated_at: DateTime<Utc>,
    /// The chain it belongs to.
    pub correlation_id: &'a str,
    /// The function that ran.
    pub source_function: &'a str,
    /// What caused it; only in the record of the start.
    pub source: Option<Box<Source<'a>>>,
    /// One of [`STATUSES`].
    pub status: &'static str,
    /// From start to end, ms.
    pub total_duration_ms: Option<i32>,
    /// Events detected so far.
    pub events_detected: i32,
    /// Jobs started so far.
    pub jobs_run: i32,
    /// Jobs completed so far.
    pub jobs_succeeded: i32,
    /// Jobs failed so far.
    pub jobs_failed: i32,
    /// Why it failed.
    pub error: Option<ErrorText<'a>>,
    /// How many records became this row.
    pub records: u64,
}

/// A row of `event_executions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventRow<'a> {
    /// Primary key.
    pub id: Uuid,
    /// Its invocation.
    pub invocation_id: Uuid,
    /// When its detection started.
    pub created_at: DateTime<Utc>,
    /// When this was recorded.
    pub updated_at: DateTime<Utc>,
    /// The chain it belongs to.
    pub correlation_id: &'a str,
    /// The name of the event.
    pub event_name: &'a str,
    /// Where its module is.
    pub module_path: Option<&'a str>,
    /// Whether the event took place.
    pub detected: bool,
    /// One of [`EVENT_STATUSES`].
    pub status: &'static str,
    /// How long the detector ran, ms.
    pub detection_duration_ms: Option<i32>,
    /// Why the detector failed.
    pub detection_error: Option<ErrorText<'a>>,
    /// How long the handler ran, ms.
    pub handler_duration_ms: Option<i32>,
    /// Why the handler failed.
    pub handler_error: Option<ErrorText<'a>>,
    /// Jobs started so far.
    pub jobs_count: i32,
    /// Jobs completed so far.
    pub jobs_succeeded: i32,
    /// Jobs failed so far.
    pub jobs_failed: i32,
    /// How many records became this row.
    pub records: u64,
}

/// A row of `job_executions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobRow<'a> {
    /// Primary key.
    pub id: Uuid,
    /// Its invocation.
    pub invocation_id: Uuid,
    /// Its event.
    pub event_execution_id: Uuid,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When this was recorded.
    pub updated_at: DateTime<Utc>,
    /// The chain it belongs to.
    pub correlation_id: &'a str,
    /// The name of the job.
    pub job_name: &'a str,
    /// The name of the function, when it differs.
    pub function_name: Option<&'a str>,
    /// What it was given, JSON text.
    pub options: Option<Cow<'a, str>>,
    /// One of [`STATUSES`].
    pub status: &'static str,
    /// From start to end, ms.
    pub duration_ms: Option<i32>,
    /// What it returned, JSON text.
    pub result: Option<Cow<'a, str>>,
    /// Why it failed.
    pub error: Option<ErrorText<'a>>,
    /// How many records became this row.
    pub records: u64,
}

/// A row of `job_logs`: one line that a job logged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogRow<'a> {
    /// Primary key.
    pub id: Uuid,
    /// Its job.
    pub job_execution_id: Uuid,
    /// When it was logged.
    pub created_at: DateTime<Utc>,
    /// One of [`LEVELS`].
    pub level: &'static str,
    /// The line.
    pub message: Cow<'a, str>,
    /// Its fields, JSON text.
    pub data: Option<Cow<'a, str>>,
    /// Where it was logged: the target of an event, or the name of the job.
    pub source: Option<&'a str>,
    /// How many records became this row.
    pub records: u64,
}

/// Rows to be written together. No id occurs twice in one table; [`Batch::default`] is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch<'a> {
    /// Written first.
    pub invocations: Vec<InvocationRow<'a>>,
    /// Refer to invocations.
    pub events: Vec<EventRow<'a>>,
    /// Refer to invocations and events.
    pub jobs: Vec<JobRow<'a>>,
    /// Refer to jobs.
    pub logs: Vec<LogRow<'a>>,
}

impl Batch<'_> {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.invocations.len() + self.events.len() + self.jobs.len() + self.logs.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of records that became these rows.
    #[must_use]
    pub fn records(&self) -> u64 {
        let invocations = self.invocations.iter().map(|row| row.records);
        let events = self.events.iter().map(|row| row.records);
        let jobs = self.jobs.iter().map(|row| row.records);
        invocations.chain(events).chain(jobs).sum::<u64>() + self.log_records()
    }

    /// The number of records that became log lines.
    #[must_use]
    pub fn log_records(&self) -> u64 {
        self.logs.iter().map(|row| row.records).sum()
    }
}

/// A row that can take up another record of itself.
pub trait Merge {
    /// The row's primary key.
    fn id(&self) -> Uuid;
    /// Takes up another record of the same row.
    fn merge(&mut self, other: Self);
}

impl Merge for InvocationRow<'_> {
    fn id(&self) -> Uuid {
        self.id
    }

    fn merge(&mut self, other: Self) {
        forward(STATUSES, &mut self.status, other.status);
        most(&mut self.updated_at, other.updated_at);
        once(&mut self.source, other.source);
        most(&mut self.total_duration_ms, other.total_duration_ms);
        most(&mut self.events_detected, other.events_detected);
        most(&mut self.jobs_run, other.jobs_run);
        most(&mut self.jobs_succeeded, other.jobs_succeeded);
        most(&mut self.jobs_failed, other.jobs_failed);
        once(&mut self.error, other.error);
        self.records += other.records;
    }
}

impl Merge for EventRow<'_> {
    fn id(&self) -> Uuid {
        self.id
    }

    fn merge(&mut self, other: Self) {
        forward(EVENT_STATUSES, &mut self.status, other.status);
        most(&mut self.updated_at, other.updated_at);
        most(&mut self.detected, other.detected);
        once(&mut self.module_path, other.module_path);
        most(&mut self.detection_duration_ms, other.detection_duration_ms);
        once(&mut self.detection_error, other.detection_error);
        most(&mut self.handler_duration_ms, other.handler_duration_ms);
        once(&mut self.handler_error, other.handler_error);
        most(&mut self.jobs_count, other.jobs_count);
        most(&mut self.jobs_succeeded, other.jobs_succeeded);
        most(&mut self.jobs_failed, other.jobs_failed);
        self.records += other.records;
    }
}

impl Merge for JobRow<'_> {
    fn id(&self) -> Uuid {
        self.id
    }

    fn merge(&mut self, other: Self) {
        forward(STATUSES, &mut self.status, other.status);
        most(&mut self.updated_at, other.updated_at);
        once(&mut self.function_name, other.function_name);
        once(&mut self.options, other.options);
        most(&mut self.duration_ms, other.duration_ms);
        once(&mut self.result, other.result);
        once(&mut self.error, other.error);
        self.records += other.records;
    }
}

impl Merge for LogRow<'_> {
    fn id(&self) -> Uuid {
        self.id
    }

    /// A line never changes.
    fn merge(&mut self, other: Self) {
        self.records += other.records;
    }
}

fn forward(order: &[&str], status: &mut &'static str, other: &'static str) {
    let rank = |status| order.iter().position(|known| *known == status);
    if rank(other) > rank(status) {
        *status = other;
    }
}

fn once<T>(value: &mut Option<T>, other: Option<T>) {
    if value.is_none() {
        *value = other;
    }
}

fn most<T: PartialOrd>(value: &mut T, other: T) {
    if other > *value {
        *value = other;
    }
}

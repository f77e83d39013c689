//! One record: the state of one row at one moment.

use uuid::Uuid;

use crate::recorder::arena::Rank;
use crate::recorder::capture;
use crate::recorder::loss::Class;
use crate::store::write::{ErrorText, EventRow, InvocationRow, JobRow, LogRow};

/// What a guard hands over. Every record holds all columns that must not be null, so any one of them can make the row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record<'a> {
    Invocation(InvocationRow<'a>),
    Event(EventRow<'a>),
    Job(JobRow<'a>),
    Log(LogRow<'a>),
}

impl Record<'_> {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Invocation(_) => Class::Invocation,
            Self::Event(_) => Class::Event,
            Self::Job(_) => Class::Job,
            Self::Log(_) => Class::Log,
        }
    }

    /// How much of the buffer it may use.
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::Invocation(row) if row.status != "running" => Rank::InvocationEnd,
            Self::Event(row) if !matches!(row.status, "detecting" | "handling") => Rank::EventEnd,
            Self::Job(row) if row.status != "running" => Rank::JobEnd,
            Self::Invocation(_) | Self::Event(_) | Self::Job(_) => Rank::Start,
            Self::Log(_) => Rank::Line,
        }
    }
}

impl Record<'_> {
    /// The same with short texts only; none if no text is long.
    #[cold]
    pub(super) fn shortened(&self) -> Option<Record<'_>> {
        Some(match self {
            Self::Invocation(row) => {
                let error = row.error.as_ref().and_then(short)?;
                Record::Invocation(InvocationRow { error: Some(error), ..row.clone() })
            }
            Self::Event(row) => {
                let [detection, handler] = [&row.detection_error, &row.handler_error].map(|error| error.as_ref());
                let (shorter, other) = (detection.and_then(short), handler.and_then(short));
                if shorter.is_none() && other.is_none() {
                    return None;
                }
                Record::Event(EventRow {
                    detection_error: shorter.or_else(|| row.detection_error.clone()),
                    handler_error: other.or_else(|| row.handler_error.clone()),
                    ..row.clone()
                })
            }
            Self::Job(_) | Self::Log(_) => return None,
        })
    }
}

/// The longest text of an end that finds no room, bytes.
const SHORT: usize = 512;

/// What is left of a long error.
fn short(error: &ErrorText<'_>) -> Option<ErrorText<'static>> {
    let cut = |text: &str, max| capture::text(text.to_owned(), max).into_string().into();
    let length = error.message.len() + error.stack.as_ref().map_or(0, |stack| stack.len());
    (length > SHORT).then(|| ErrorText {
        message: cut(&error.message, SHORT),
        stack: error.stack.as_deref().map(|stack| cut(stack, 0)),
    })
}

/// What is left of the long texts of a job's end.
pub(super) struct Shortened {
    pub(super) result: Option<String>,
    pub(super) error: Option<ErrorText<'static>>,
}

/// The place of a job's status in [`STATUSES`](crate::store::write::STATUSES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobStatus {
    Running = 0,
    Completed = 1,
    Failed = 2,
}

/// A record of a job whose texts are still where the guard has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobRef<'a> {
    pub(super) id: Uuid,
    pub(super) invocation_id: Uuid,
    pub(super) event_execution_id: Uuid,
    /// Microseconds since the epoch.
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) correlation_id: &'a str,
    // UTF-8 as all texts, but not checked again at the call.
    pub(super) job_name: &'a [u8],
    pub(super) function_name: Option<&'a [u8]>,
    pub(super) options: Option<&'a [u8]>,
    pub(super) status: JobStatus,
    pub(super) duration_ms: Option<i32>,
    pub(super) result: Option<&'a [u8]>,
    pub(super) error: Option<&'a ErrorText<'a>>,
    pub(super) records: u64,
}

impl JobRef<'_> {
    /// Its result and its error, shortened; none if neither is long.
    #[cold]
    pub(super) fn shortened(&self) -> Option<Shortened> {
        let result = self.result.map(<[u8]>::len).filter(|bytes| *bytes > SHORT).map(capture::truncated);
        let error = self.error.and_then(short);
        (result.is_some() || error.is_some()).then_some(Shortened { result, error })
    }
}

impl<'a> From<&'a JobRow<'a>> for JobRef<'a> {
    fn from(row: &'a JobRow<'a>) -> Self {
        Self {
            id: row.id,
            invocation_id: row.invocation_id,
            event_execution_id: row.event_execution_id,
            created_at: row.created_at.timestamp_micros(),
            updated_at: row.updated_at.timestamp_micros(),
            correlation_id: row.correlation_id,
            job_name: row.job_name.as_bytes(),
            function_name: row.function_name.map(str::as_bytes),
            options: row.options.as_deref().map(str::as_bytes),
            status: match row.status {
                "completed" => JobStatus::Completed,
                "failed" => JobStatus::Failed,
                _ => JobStatus::Running,
            },
            duration_ms: row.duration_ms,
            result: row.result.as_deref().map(str::as_bytes),
            error: row.error.as_ref(),
            records: row.records,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::store::write::Source;

    /// What the guards of one invocation, its events and their jobs hand over, in order.
    pub(in crate::recorder) fn history(number: u128, status: &'static str, jobs: u128) -> Vec<Record<'static>> {
        let at = |seconds| DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds);
        let id = |n: u128| Uuid::from_u128(number * 100 + n);
        let error = |status| (status == "failed").then(|| ErrorText { message: "no".into(), stack: None });
        let source = Source { payload: Some("{\"a\":1}".into()), ..Source::default() };
        let start = InvocationRow {
            id: id(0),
            created_at: at(0),
            updated_at: at(0),
            correlation_id: "chain",
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
        let event = EventRow {
            id: id(1),
            invocation_id: id(0),
            created_at: at(1),
            updated_at: at(1),
            correlation_id: "chain",
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
            detected: true,
            status: "handling",
            detection_duration_ms: Some(3),
            updated_at: at(2),
            ..event.clone()
        };
        let mut records =
            vec![Record::Invocation(start.clone()), Record::Event(event), Record::Event(detected.clone())];
        for n in 0..jobs {
            let job = JobRow {
                id: id(10 + n),
                invocation_id: id(0),
                event_execution_id: id(1),
                created_at: at(3),
                updated_at: at(3),
                correlation_id: "chain",
                job_name: "job",
                function_name: None,
                options: Some("[1]".into()),
                status: "running",
                duration_ms: None,
                result: None,
                error: None,
                records: 1,
            };
            records.push(Record::Job(job.clone()));
            let end =
                JobRow { options: None, status, duration_ms: Some(7), error: error(status), updated_at: at(4), ..job };
            records.push(Record::Job(end));
            records.push(Record::Log(LogRow {
                id: id(50 + n),
                job_execution_id: id(10 + n),
                created_at: at(3),
                level: "info",
                message: "line".into(),
                data: Some("{}".into()),
                source: None,
                records: 1,
            }));
        }
        let run = i32::try_from(jobs).unwrap();
        records.push(Record::Event(EventRow {
            status: "completed",
            handler_duration_ms: Some(9),
            jobs_count: run,
            updated_at: at(5),
            ..detected.clone()
        }));
        let end = InvocationRow {
            source: None,
            status,
            total_duration_ms: Some(11),
            jobs_run: run,
            error: error(status),
            updated_at: at(6),
            ..start
        };
        records.push(Record::Invocation(end.clone()));
        // A job that went on after the end.
        records.push(Record::Invocation(InvocationRow { jobs_run: run + 1, updated_at: at(7), ..end }));
        records
    }

    #[test]
    fn ends_are_told_from_starts() {
        use Rank::{EventEnd, InvocationEnd, JobEnd, Line, Start};
        let ranks: Vec<Rank> = history(1, "failed", 1).iter().map(Record::rank).collect();
        assert_eq!(ranks, [Start, Start, Start, Start, JobEnd, Line, EventEnd, InvocationEnd, InvocationEnd]);
    }
}

//! One record: the state of one row at one moment, and how many become a batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use uuid::Uuid;

use crate::recorder::loss::Class;
use crate::store::write::{Batch, ErrorText, EventRow, InvocationRow, JobRow, LogRow, Merge};

/// What a guard hands over. Every record holds all columns that must not be null, so any one of them can make the row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    Invocation(InvocationRow),
    Event(EventRow),
    Job(JobRow),
    Log(LogRow),
}

impl Record {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Invocation(_) => Class::Invocation,
            Self::Event(_) => Class::Event,
            Self::Job(_) => Class::Job,
            Self::Log(_) => Class::Log,
        }
    }

    /// Whether this is the end of something: it may use the reserve of the buffer.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Invocation(row) => row.status != "running",
            Self::Event(row) => !matches!(row.status, "detecting" | "handling"),
            Self::Job(row) => row.status != "running",
            Self::Log(_) => false,
        }
    }
}

/// The place of a job's status in [`STATUSES`](crate::store::write::STATUSES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobStatus {
    Running = 0,
    Completed = 1,
    Failed = 2,
}

/// A record of a job whose texts are still where the guard has them.
#[derive(Debug)]
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
    pub(super) error: Option<&'a ErrorText>,
    pub(super) records: u64,
}

impl<'a> From<&'a JobRow> for JobRef<'a> {
    fn from(row: &'a JobRow) -> Self {
        Self {
            id: row.id,
            invocation_id: row.invocation_id,
            event_execution_id: row.event_execution_id,
            created_at: row.created_at.timestamp_micros(),
            updated_at: row.updated_at.timestamp_micros(),
            correlation_id: &row.correlation_id,
            job_name: row.job_name.as_bytes(),
            function_name: row.function_name.as_deref().map(str::as_bytes),
            options: row.options.as_deref().map(str::as_bytes),
            status: match row.status {
                "completed" => JobStatus::Completed,
                "failed" => JobStatus::Failed,
                _ => JobStatus::Running,
            },
            duration_ms: row.duration_ms,
            result: row.result.as_deref().map(str::as_bytes),
            error: row.error.as_deref(),
            records: row.records,
        }
    }
}

/// One row per id, in the order of the ids, so that two writers lock rows in the same order.
pub(super) fn coalesce(records: Vec<Record>) -> Batch {
    let (mut invocations, mut events, mut jobs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut logs = BTreeMap::new();
    for record in records {
        match record {
            Record::Invocation(row) => add(&mut invocations, row),
            Record::Event(row) => add(&mut events, row),
            Record::Job(row) => add(&mut jobs, row),
            Record::Log(row) => add(&mut logs, row),
        }
    }
    Batch {
        invocations: invocations.into_values().collect(),
        events: events.into_values().collect(),
        jobs: jobs.into_values().collect(),
        logs: logs.into_values().collect(),
    }
}

fn add<R: Merge>(rows: &mut BTreeMap<Uuid, R>, row: R) {
    match rows.entry(row.id()) {
        Entry::Vacant(entry) => {
            entry.insert(row);
        }
        Entry::Occupied(mut entry) => entry.get_mut().merge(row),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;
    use crate::store::write::Source;

    /// What the guards of one invocation, its events and their jobs hand over, in order.
    pub(in crate::recorder) fn history(number: u128, status: &'static str, jobs: u128) -> Vec<Record> {
        let at = |seconds| DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds);
        let id = |n: u128| Uuid::from_u128(number * 100 + n);
        let error = |status| (status == "failed").then(|| Box::new(ErrorText { message: "no".into(), stack: None }));
        let source = Source { payload: Some("{\"a\":1}".into()), ..Source::default() };
        let start = InvocationRow {
            id: id(0),
            created_at: at(0),
            updated_at: at(0),
            correlation_id: "chain".into(),
            source_function: "function".into(),
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
            correlation_id: "chain".into(),
            event_name: "event".into(),
            module_path: Some("events/event.rs".into()),
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
                correlation_id: "chain".into(),
                job_name: "job".into(),
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

    /// What a database holds after these batches.
    fn apply(batches: Vec<Batch>) -> Batch {
        let records = batches.into_iter().flat_map(|batch| {
            let invocations = batch.invocations.into_iter().map(Record::Invocation);
            let events = batch.events.into_iter().map(Record::Event);
            invocations
                .chain(events)
                .chain(batch.jobs.into_iter().map(Record::Job))
                .chain(batch.logs.into_iter().map(Record::Log))
                .collect::<Vec<_>>()
        });
        let mut rows = coalesce(records.collect());
        rows.invocations.iter_mut().for_each(|row| row.records = 0);
        rows.events.iter_mut().for_each(|row| row.records = 0);
        rows.jobs.iter_mut().for_each(|row| row.records = 0);
        rows.logs.iter_mut().for_each(|row| row.records = 0);
        rows
    }

    proptest! {
        #[test]
        fn order_repetition_and_batches_do_not_matter(
            histories in prop::collection::vec((prop::sample::select(vec!["completed", "failed"]), 0..3_u128), 1..4),
            seed: u64,
            repeats in 0..8_usize,
        ) {
            let numbered = histories.iter().zip(1..);
            let records: Vec<Record> = numbered.flat_map(|((status, jobs), number)| history(number, status, *jobs)).collect();
            let expected = apply(vec![coalesce(records.clone())]);

            let mut random = fastrand::Rng::with_seed(seed);
            let mut shuffled = records.clone();
            shuffled.extend((0..repeats).map(|_| records[random.usize(..records.len())].clone()));
            random.shuffle(&mut shuffled);
            let total = shuffled.len() as u64;
            let mut batches = Vec::new();
            while !shuffled.is_empty() {
                let rest = shuffled.split_off(random.usize(1..=shuffled.len()));
                batches.push(coalesce(std::mem::replace(&mut shuffled, rest)));
            }
            prop_assert_eq!(batches.iter().map(Batch::records).sum::<u64>(), total);
            prop_assert_eq!(apply(batches), expected);
        }

        #[test]
        fn halves_hold_every_row_and_parents_come_first(jobs in 0..40_u128) {
            let batch = coalesce(history(1, "completed", jobs));
            let (first, second) = batch.clone().split();
            prop_assert_eq!(first.len(), batch.len() / 2);
            prop_assert!(first.logs.is_empty() || second.jobs.is_empty());
            prop_assert!(first.jobs.is_empty() || second.events.is_empty());
            prop_assert!(first.events.is_empty() || second.invocations.is_empty());
            prop_assert_eq!(apply(vec![second, first]), apply(vec![batch]));
        }
    }

    #[test]
    fn rows_are_sorted_and_what_is_known_stays() {
        let mut records = history(2, "failed", 2);
        records.extend(history(1, "completed", 1));
        let batch = coalesce(records);
        assert!(batch.invocations.is_sorted_by_key(|row| row.id));
        assert_eq!(batch.jobs.len(), 3);
        let row = &batch.invocations[1];
        assert_eq!((row.status, row.jobs_run, row.total_duration_ms, row.records), ("failed", 3, Some(11), 3));
        assert!(row.source.is_some() && row.error.is_some());
    }

    #[test]
    fn ends_are_told_from_starts() {
        let ends: Vec<bool> = history(1, "failed", 1).iter().map(Record::is_end).collect();
        assert_eq!(ends, [false, false, false, false, true, false, true, true, true]);
    }
}

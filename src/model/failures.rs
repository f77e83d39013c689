//! What failed in a range of time, and how the jobs of each name went.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fingerprint::fingerprint;
use super::flow::Kind;

/// Whether an error is that of something below, copied upward by its writer, with or without words before it.
#[must_use]
pub fn is_copy(error: &str, of: &str) -> bool {
    !of.is_empty() && error.strip_suffix(of).is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

/// What a question about a range of time looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The range that was asked for: from here.
    pub from: DateTime<Utc>,
    /// To here.
    pub to: DateTime<Utc>,
    /// How many invocations of it were looked at, the newest ones.
    pub invocations: u64,
    /// The oldest of these, when there are more in the range.
    pub only_since: Option<DateTime<Utc>>,
}

/// A row that failed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// The invocation that it belongs to.
    pub invocation: Uuid,
    /// Jobs only: the event that it belongs to.
    pub event: Option<Uuid>,
    /// Function, event or job name.
    pub name: String,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// Its error, without secrets; empty where none is recorded.
    pub error: String,
}

/// What failed in a range of time, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// The rows.
    pub rows: Vec<Failed>,
    /// Whether there are more that were not read.
    pub more: bool,
    /// What was looked at.
    pub looked: Looked,
}

/// Failures of one name with one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What failed.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What their errors have in common.
    pub fingerprint: String,
    /// The rows, newest first; never empty.
    pub rows: Vec<Failed>,
}

impl Failures {
    /// Groups them, the largest first. What failed only because of something below it, which is a row here by itself,
    /// is left out: a row without an error, or with a copy of the one below, with or without words before it.
    #[must_use]
    pub fn groups(self) -> Vec<Group> {
        let mut below: HashMap<Uuid, Vec<String>> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.kind != Kind::Invocation) {
            for above in [row.event, Some(row.invocation)].into_iter().flatten() {
                let errors = below.entry(above).or_default();
                if !row.error.is_empty() || errors.is_empty() {
                    errors.push(row.error.clone());
                }
            }
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut places = HashMap::new();
        for row in self.rows {
            let errors = below.get(&row.id).filter(|_| row.kind != Kind::Job);
            if errors.is_some_and(|all| row.error.is_empty() || all.iter().any(|of| is_copy(&row.error, of))) {
                continue;
            }
            let fingerprint = fingerprint(&row.error);
            let at = *places.entry((row.kind, row.name.clone(), fingerprint.clone())).or_insert_with(|| {
                groups.push(Group { kind: row.kind, name: row.name.clone(), fingerprint, rows: Vec::new() });
                groups.len() - 1
            });
            groups[at].rows.push(row);
        }
        // Of equally large ones the one with the newest row, which is their order already.
        groups.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
        groups
    }
}

/// One run of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The job's id.
    pub job: Uuid,
    /// The invocation that it belongs to.
    pub invocation: Uuid,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// Its duration, milliseconds.
    pub ms: Option<i64>,
}

/// How the jobs of one name went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStat {
    /// The job's name.
    pub name: String,
    /// How many ran.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Half of them took no longer, milliseconds.
    pub p50_ms: Option<i64>,
    /// 95 of 100 took no longer, milliseconds.
    pub p95_ms: Option<i64>,
    /// The slowest.
    pub slowest: Option<Run>,
    /// The last that failed.
    pub last_failed: Option<Run>,
    /// The last.
    pub last: Option<Run>,
}

/// How the jobs went in a range of time, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStats {
    /// By name.
    pub jobs: Vec<JobStat>,
    /// What was looked at.
    pub looked: Looked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(n: u128, kind: Kind, invocation: u128, event: Option<u128>, name: &str, error: &str) -> Failed {
        let id = Uuid::from_u128;
        let at = DateTime::from_timestamp(1_000 - i64::try_from(n).unwrap(), 0).unwrap();
        let (name, error) = (name.to_owned(), error.to_owned());
        Failed { kind, id: id(n), invocation: id(invocation), event: event.map(id), name, at, error }
    }

    #[test]
    fn failures_are_grouped_by_what_they_have_in_common() {
        let rows = vec![
            failed(1, Kind::Job, 10, Some(11), "send", "code 1"),
            failed(2, Kind::Job, 20, Some(21), "pay", "card refused"),
            failed(3, Kind::Job, 30, Some(31), "send", "code 2"),
            failed(4, Kind::Job, 40, Some(41), "send", "other"),
            failed(11, Kind::Event, 10, None, "picked", ""),
            failed(51, Kind::Event, 50, None, "moved", ""),
            failed(31, Kind::Event, 30, None, "picked", "handler broke"),
            failed(10, Kind::Invocation, 10, None, "moves", ""),
            failed(60, Kind::Invocation, 60, None, "moves", "late"),
            failed(70, Kind::Invocation, 70, None, "rides", ""),
            // Of the writer that copies the error upward.
            failed(81, Kind::Job, 80, Some(82), "slow", "Job exceeded 200ms"),
            failed(82, Kind::Event, 80, None, "lane.a", "Job exceeded 200ms"),
            failed(80, Kind::Invocation, 80, None, "lanes", "handler failed: Job exceeded 200ms"),
            failed(91, Kind::Job, 90, Some(92), "slow", "Job exceeded 200ms"),
            failed(90, Kind::Invocation, 90, None, "lanes", "no Job exceeded 200ms"),
        ];
        let groups = Failures { rows, ..Failures::default() }.groups();
        let shown: Vec<_> = groups
            .iter()
            .map(|group| format!("{} {} {}: {}", group.rows.len(), group.kind.short(), group.name, group.fingerprint))
            .collect();
        assert_eq!(
            shown,
            [
                "2 job send: code <n>",
                "2 job slow: Job exceeded <n>ms",
                "1 job pay: card refused",
                "1 job send: other",
                "1 evt moved: no error text",
                "1 evt picked: handler broke",
                "1 inv moves: late",
                "1 inv rides: no error text",
                "1 inv lanes: no Job exceeded <n>ms",
            ]
        );
        assert_eq!(groups[0].rows.iter().map(|row| row.error.as_str()).collect::<Vec<_>>(), ["code 1", "code 2"]);
    }
}

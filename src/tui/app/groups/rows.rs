//! Answers of the store as rows of the two screens.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Name, Told};
use crate::model::failures::{Failures, Group, JobStat, JobStats};
use crate::model::flow::Kind;

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: Name,
    /// How many there are.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Half took no longer, 95 of 100 took no longer, the longest; milliseconds, of jobs only.
    pub times: [Option<i64>; 3],
    /// When the last was recorded.
    pub last: Option<DateTime<Utc>>,
    /// Failures: all, newest first. Jobs: the slowest, the last that failed, the last.
    pub runs: Vec<Run>,
}

/// One of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its row.
    pub id: Uuid,
    /// The invocation that it belongs to.
    pub invocation: Uuid,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// What is told of it: its error, or why it is listed.
    pub text: String,
    /// Its duration, milliseconds, of jobs only.
    pub ms: Option<i64>,
}

impl Row {
    /// What is copied of it.
    pub(super) fn value(&self) -> String {
        match self.name.fingerprint.as_str() {
            "" => self.name.name.clone(),
            fingerprint => format!("{}: {fingerprint}", self.name.name),
        }
    }

    /// All that is known of it, as JSON; of its runs the first and the last.
    pub(super) fn json(&self) -> String {
        let run = |run: &Run| json!({"id": run.id, "invocation": run.invocation, "at": run.at, "what": run.text, "duration_ms": run.ms});
        let Name { kind, name, fingerprint } = &self.name;
        let value = if fingerprint.is_empty() {
            let [p50, p95, max] = self.times;
            let runs: Vec<_> = self.runs.iter().map(run).collect();
            json!({
                "job": name, "runs": self.count, "failed": self.failed, "p50_ms": p50, "p95_ms": p95, "max_ms": max,
                "examples": runs,
            })
        } else {
            json!({
                "kind": kind, "name": name, "fingerprint": fingerprint, "count": self.count,
                "newest": self.runs.first().map(run), "oldest": self.runs.last().map(run),
            })
        };
        format!("{value:#}")
    }
}

impl From<Failures> for Told {
    fn from(failures: Failures) -> Self {
        let (looked, more) = (failures.looked, failures.more);
        let row = |group: Group| {
            let count = group.rows.len() as u64;
            let last = group.rows.first().map(|row| row.at);
            let runs = group.rows.into_iter().map(|row| {
                let text = if row.error.is_empty() { group.fingerprint.clone() } else { row.error };
                Run { id: row.id, invocation: row.invocation, at: row.at, text, ms: None }
            });
            let runs = runs.collect();
            let name = Name { kind: group.kind, name: group.name, fingerprint: group.fingerprint.clone() };
            Row { name, count, failed: count, times: [None; 3], last, runs }
        };
        Self { rows: failures.groups().into_iter().map(row).collect(), looked, more }
    }
}

impl From<JobStats> for Told {
    fn from(stats: JobStats) -> Self {
        let row = |stat: JobStat| {
            let runs = [("slowest", stat.slowest), ("last failed", stat.last_failed), ("last", stat.last)];
            let run = |(text, run): (&str, Option<crate::model::failures::Run>)| {
                let run = run?;
                let text = text.to_owned();
                Some(Run { id: run.job, invocation: run.invocation, at: run.at, text, ms: run.ms })
            };
            Row {
                name: Name { kind: Kind::Job, name: stat.name, fingerprint: String::new() },
                count: stat.runs,
                failed: stat.failed,
                times: [stat.p50_ms, stat.p95_ms, stat.slowest.and_then(|run| run.ms)],
                last: stat.last.map(|run| run.at),
                runs: runs.into_iter().filter_map(run).collect(),
            }
        };
        Self { rows: stats.jobs.into_iter().map(row).collect(), looked: stats.looked, more: false }
    }
}

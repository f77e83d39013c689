//! What `--plain` tells of a range of time, failures, jobs and hours, and of a recorded row, as lines.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::model::failures::{Failures, JobStats, Looked, Run};
use crate::model::flow::Kind;
use crate::model::hourly::{Hourly, Source, Step, Sum};
use crate::model::redact::mask;
use crate::model::text::{clean, duration, plural};
use crate::model::time;
use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::tui::app::charts::words::percentile;

/// How far back failures, jobs and hours are told.
const RANGE: TimeDelta = TimeDelta::hours(24);
/// Lines of one column of a row that are read out.
const MOST_LINES: usize = 60;

/// What can be told of a range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Failures,
    Jobs,
    Hours,
}

impl Topic {
    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "failures" => Self::Failures,
            "jobs" => Self::Jobs,
            "hours" => Self::Hours,
            _ => return None,
        })
    }

    /// Reads it.
    pub(super) async fn read(self, reader: &Reader, now: DateTime<Utc>) -> Result<Told, StoreError> {
        let from = now - RANGE;
        Ok(match self {
            Self::Failures => failures(reader.failures(from, now).await?),
            Self::Jobs => jobs(reader.job_stats(from, now).await?),
            Self::Hours => hours(&reader.hourly(from, now, Step::Hour, now).await?),
        })
    }
}

/// Lines, and the invocation that the number of each opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    pub(super) opens: Vec<Uuid>,
}

impl Told {
    fn numbered(&mut self, text: &str, opens: Uuid) {
        self.opens.push(opens);
        self.lines.push(format!("{}. {text}", self.opens.len()));
    }
}

fn failures(failures: Failures) -> Told {
    let (looked, more) = (failures.looked, failures.more);
    let groups = failures.groups();
    let mut told = Told::default();
    told.lines.push(match groups.len() {
        0 => "Nothing failed in the last 24 hours.".to_owned(),
        count => format!("{} of failure in the last 24 hours, most frequent first.", plural(count as u64, "kind")),
    });
    for group in groups {
        let Some(newest) = group.rows.first() else { continue };
        let times = plural(group.rows.len() as u64, "time");
        let text = format!("{} {}, {times}, last {}", kind(group.kind), clean(&group.name), moment(newest.at));
        told.numbered(&format!("{text}, {}", first_line(&newest.error, &group.fingerprint)), newest.invocation);
    }
    if more {
        told.lines.push("There are more failures than were read.".to_owned());
    }
    told.lines.extend(partly(&looked));
    told
}

fn jobs(stats: JobStats) -> Told {
    let mut told = Told::default();
    told.lines.push(match stats.jobs.len() {
        0 => "No job ran in the last 24 hours.".to_owned(),
        count => format!("Jobs of {} in the last 24 hours.", plural(count as u64, "name")),
    });
    for job in stats.jobs {
        let mut parts = vec![clean(&job.name).into_owned(), plural(job.runs, "run"), format!("{} failed", job.failed)];
        let ms = |run: Option<Run>| run.and_then(|run| run.ms);
        for (words, ms) in [("half within", job.p50_ms), ("95 of 100 within", job.p95_ms), ("slowest", ms(job.slowest))]
        {
            parts.extend(ms.map(|ms| format!("{words} {}", duration(ms))));
        }
        parts.extend(job.last_failed.map(|run| format!("last failed {}", moment(run.at))));
        let Some(run) = job.last_failed.or(job.last).or(job.slowest) else { continue };
        told.numbered(&parts.join(", "), run.invocation);
    }
    told.lines.extend(partly(&stats.looked));
    told
}

fn hours(hourly: &Hourly) -> Told {
    let mut lines = vec!["The last 24 hours by function.".to_owned()];
    let functions = hourly.functions();
    lines.extend(functions.iter().map(|(name, sum, _)| format!("{}, {}", clean(name), counted(sum))));
    lines.extend(mixed(hourly));
    lines.push("By hour, newest first; hours without invocations are left out.".to_owned());
    let hours = hourly.steps_of(None).into_iter().rev().filter(|(_, sum)| sum.total > 0);
    lines.extend(hours.map(|(at, sum)| format!("{}, {}", time::utc(at, "%Y-%m-%d %H:%M UTC"), counted(&sum))));
    if functions.is_empty() {
        lines = vec!["No invocation was recorded in the last 24 hours.".to_owned()];
    }
    Told { lines, opens: Vec::new() }
}

/// Where the numbers come from, unless all were counted from rows.
fn mixed(hourly: &Hourly) -> Option<String> {
    let from_rows: i64 = hourly.from_rows.iter().map(|range| (range.end - range.start).num_hours()).sum();
    let (name, hours) = (hourly.source.name(), plural(from_rows.unsigned_abs(), "hour"));
    (hourly.source != Source::Rows).then(|| {
        format!("From {name} as of {}; {hours} that it does not cover counted from rows.", moment(hourly.as_of))
    })
}

fn counted(sum: &Sum) -> String {
    let mut parts = vec![plural(sum.total, "invocation"), format!("{} failed", sum.failed)];
    if sum.open() > 0 {
        parts.push(format!("{} not finished", sum.open()));
    }
    parts.push(match sum.p95() {
        None => "no durations".to_owned(),
        p95 => format!("95 of 100 within {}", percentile(p95, "at most ")),
    });
    parts.join(", ")
}

fn partly(looked: &Looked) -> Option<String> {
    let since = looked.only_since?;
    Some(format!(
        "Only the newest {} were looked at, since {}.",
        plural(looked.invocations, "invocation"),
        moment(since)
    ))
}

/// What a node is.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Invocation => "invocation",
        Kind::Event => "event",
        Kind::Job => "job",
    }
}

fn moment(at: DateTime<Utc>) -> String {
    time::utc(at, "%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn first_line(error: &str, otherwise: &str) -> String {
    let text = if error.trim().is_empty() { otherwise } else { error };
    clean(text.trim().lines().next().unwrap_or_default()).into_owned()
}

/// Everything that is recorded in a row, a line for each column that holds something, its secrets masked.
pub(super) fn row(mut row: Value) -> Vec<String> {
    mask(&mut row);
    let mut lines = Vec::new();
    for (name, value) in row.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => text.clone(),
            Value::Object(_) | Value::Array(_) => format!("{value:#}"),
            other => other.to_string(),
        };
        let mut of_value = text.lines();
        let first = of_value.next().unwrap_or_default();
        lines.push(format!("  {}: {}", clean(name), clean(first)));
        let count = text.lines().count();
        lines.extend(of_value.take(MOST_LINES - 1).map(|line| format!("    {}", clean(line))));
        if count > MOST_LINES {
            lines.push(format!("    and {}", plural((count - MOST_LINES) as u64, "more line")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn failures_and_jobs_are_told_one_a_line_and_open_a_cascade() {
        let told = failures(fixture::failures());
        assert!(told.lines[0].ends_with(" of failure in the last 24 hours, most frequent first."), "{told:?}");
        assert!(told.lines[1].starts_with("1. job ") && told.lines[1].contains(" times, last 2026-11-20 "), "{told:?}");
        assert_eq!(told.lines.len(), told.opens.len() + 1);
        let told = jobs(fixture::job_stats());
        assert!(told.lines[1].contains(" runs, ") && told.lines[1].contains("95 of 100 within "), "{told:?}");
        assert_eq!(told.lines.len(), told.opens.len() + 1);
        assert_eq!(failures(Failures::default()).lines, ["Nothing failed in the last 24 hours."]);
        assert_eq!(jobs(JobStats::default()).lines, ["No job ran in the last 24 hours."]);
    }

    #[test]
    fn hours_are_told_with_words() {
        let told = hours(&fixture::hourly());
        assert!(told.lines.iter().any(|line| line.contains(" invocations, ") && line.contains(" failed")), "{told:?}");
        assert!(told.lines.iter().any(|line| line.starts_with("2026-11-20 12:00 UTC, ")), "{told:?}");
        // Of several hours a percentile is an estimate, and where the numbers come from is said.
        assert!(told.lines[1].contains(", 95 of 100 within ~"), "{told:?}");
        assert!(told.lines.iter().any(|line| line.starts_with("From metrics_hourly as of ")), "{told:?}");
        let open = Sum { total: 3, ..Sum::default() };
        assert_eq!(counted(&open), "3 invocations, 0 failed, 3 not finished, no durations");
    }

    #[test]
    fn a_row_is_told_without_secrets_and_control_characters_and_not_without_end() {
        let long: Vec<u32> = (0..100).collect();
        let told = row(serde_json::json!({
            "id": 7, "gone": null, "empty": "", "password": "hunter2", "payload": {"token": "abc", "n": 1},
            "error_stack": "first\u{1b}[2J\nsecond", "long": long,
        }));
        let text = told.join("\n");
        assert!(!text.contains("hunter2") && !text.contains("abc") && !text.contains('\u{1b}'), "{text}");
        assert!(!text.contains("gone") && !text.contains("empty") && text.contains("\n    second"), "{text}");
        assert!(text.contains("  id: 7") && text.contains("    and 42 more lines"), "{text}");
    }
}

//! The rows a reader meets, as the explorer and the command line need them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::status::{Facts, Recorded, Verdict, judge, settled_before};
use super::time::plus;

/// How a child invocation's link to its parent job is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Stands in `source_job_id`.
    Recorded,
    /// Read out of the payload, where a writer left `source_job_id` empty.
    Inferred,
    /// Read out of the payload and not followed: the row that was changed carried it before, or the job began later.
    Doubtful,
}

/// The job that caused an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The job's id; the job itself may be gone.
    pub job: Uuid,
    /// How it is known.
    pub link: Link,
}

/// The event that an invocation was made for. Sources deliver at least once: a second delivery is an invocation of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// `source_event_id`.
    pub event: Option<Uuid>,
    /// Other invocations of the same event, among those that were read together.
    pub others: u16,
}

impl Delivery {
    /// In words, where it is one of several.
    #[must_use]
    pub fn note(self) -> Option<String> {
        (self.others > 0).then(|| format!("one of {} deliveries of the same event", u32::from(self.others) + 1))
    }

    /// A reason, and this beside it.
    pub(super) fn add_to(self, reason: Option<String>) -> Option<String> {
        match (reason, self.note()) {
            (Some(reason), Some(note)) => Some(format!("{reason}; {note}")),
            (reason, note) => reason.or(note),
        }
    }
}

/// Counts how often each event was delivered.
pub fn count_deliveries<'r>(rows: impl Iterator<Item = &'r mut Invocation>) {
    let mut rows: Vec<&mut Invocation> = rows.filter(|row| row.delivery.event.is_some()).collect();
    let mut counts = HashMap::<Uuid, u16>::with_capacity(rows.len());
    for event in rows.iter().filter_map(|row| row.delivery.event) {
        let count = counts.entry(event).or_default();
        *count = count.saturating_add(1);
    }
    for row in &mut rows {
        let count = row.delivery.event.and_then(|event| counts.get(&event)).copied();
        row.delivery.others = count.unwrap_or(1).saturating_sub(1);
    }
}

/// An invocation without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Row id.
    pub id: Uuid,
    /// When it was recorded; the order of all lists.
    pub created_at: DateTime<Utc>,
    /// When the row was last written.
    pub updated_at: DateTime<Utc>,
    /// The chain that it belongs to, free text.
    pub correlation_id: Option<Arc<str>>,
    /// The function that was called.
    pub source_function: Arc<str>,
    /// Table of the database event, with schema.
    pub source_table: Option<Arc<str>>,
    /// INSERT, UPDATE, DELETE, MANUAL or another word.
    pub source_operation: Option<Arc<str>>,
    /// The system that sent the event.
    pub source_system: Option<Arc<str>>,
    /// Who changed the row.
    pub source_user_email: Option<Arc<str>>,
    /// The job that caused it.
    pub parent: Option<Parent>,
    /// The writer's claim of the time from start to end, milliseconds.
    pub total_duration_ms: Option<i64>,
    /// The status column.
    pub status: Arc<str>,
    /// The event that it was made for.
    pub delivery: Delivery,
    /// Whether its payload is too large to look for the job that caused it, where no column names one.
    pub link_unread: bool,
    /// The error of the invocation itself.
    pub error_message: Option<Arc<str>>,
    /// Whether there is a stack trace (which alone counts as an error, too).
    pub has_error_stack: bool,
}

/// An event module that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Row id.
    pub id: Uuid,
    /// The invocation that it belongs to.
    pub invocation_id: Uuid,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When the row was last written.
    pub updated_at: DateTime<Utc>,
    /// For example `move.pickup.successful`.
    pub name: Arc<str>,
    /// Whether the event applied.
    pub detected: bool,
    /// Time of the detector, milliseconds.
    pub detection_duration_ms: Option<i64>,
    /// Time of the handler, milliseconds.
    pub handler_duration_ms: Option<i64>,
    /// The status column.
    pub status: Arc<str>,
    /// The error of the detector or of the handler.
    pub error: Option<Arc<str>>,
}

/// A job that a handler ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Row id.
    pub id: Uuid,
    /// The invocation that it belongs to.
    pub invocation_id: Uuid,
    /// The event that it belongs to.
    pub event_execution_id: Uuid,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When the row was last written.
    pub updated_at: DateTime<Utc>,
    /// The job's name.
    pub name: Arc<str>,
    /// Its duration, milliseconds.
    pub duration_ms: Option<i64>,
    /// The status column.
    pub status: Arc<str>,
    /// Its error.
    pub error: Option<Arc<str>>,
}

/// What is counted of the events and jobs below one invocation. The counts are taken from the rows themselves, never
/// from the writer's own counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Children {
    /// Event rows.
    pub events_checked: u64,
    /// Events with `detected`.
    pub events_detected: u64,
    /// Events effectively failed: by themselves or by a job of theirs.
    pub events_failed: u64,
    /// Events whose own row tells a failure.
    pub events_failed_themselves: u64,
    /// Events recorded as unfinished.
    pub events_unfinished: u64,
    /// Job rows.
    pub jobs_run: u64,
    /// Jobs that failed.
    pub jobs_failed: u64,
    /// Jobs recorded as unfinished without an error.
    pub jobs_unfinished: u64,
    /// Of these, the ones that are stuck whatever the invocation says: untouched for too long, or of an ended event.
    pub jobs_stuck_themselves: u64,
    /// The last time any of the rows was written.
    pub touched_at: Option<DateTime<Utc>>,
    /// Whether there are more events than were counted; all counts of events are "at least" then.
    pub more_events: bool,
    /// Whether there are more jobs than were counted.
    pub more_jobs: bool,
    /// The first failed job, for a preview; most rows have none.
    pub first_failure: Option<Box<FailedJob>>,
}

/// What is told of a failed job in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    /// Its name.
    pub name: Arc<str>,
    /// The beginning of its error.
    pub error: Option<Arc<str>>,
}

/// What is directly below one invocation, as far as a preview shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// Events that were detected or failed.
    pub events: Vec<Event>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// `table` and `event` of the payload, unless it is large.
    pub payload: Option<serde_json::Value>,
}

/// Jobs of one invocation by effective status. The four last add up to `run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    /// All.
    pub run: u64,
    /// Ended well.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Not ended yet.
    pub running: u64,
    /// Will never end.
    pub stuck: u64,
    /// Whether there are more than were counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// A row of the invocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The invocation.
    pub invocation: Invocation,
    /// What is counted below it.
    pub children: Children,
}

impl Listed {
    /// The effective status at `now`.
    #[must_use]
    pub fn verdict(&self, now: DateTime<Utc>, stale_after: TimeDelta) -> Verdict {
        let Self { invocation, children } = self;
        let mut verdict = judge(
            &Facts {
                status: &invocation.status,
                has_error: invocation.has_error(),
                touched_at: self.touched_at(),
                parent_ended: None,
                failed_events: children.events_failed_themselves,
                failed_jobs: children.jobs_failed,
                unfinished_children: children.events_unfinished + children.jobs_unfinished,
            },
            now,
            stale_after,
        );
        if children.more_events || children.more_jobs {
            verdict.reason.iter_mut().for_each(|reason| reason.push_str(" at least"));
        }
        verdict.reason = invocation.delivery.add_to(verdict.reason);
        verdict
    }

    fn touched_at(&self) -> DateTime<Utc> {
        let own = self.invocation.updated_at;
        self.children.touched_at.map_or(own, |at| at.max(own))
    }

    /// Its jobs by effective status.
    #[must_use]
    pub fn jobs(&self, now: DateTime<Utc>, stale_after: TimeDelta) -> JobCounts {
        let Children { jobs_run, jobs_failed, jobs_unfinished, jobs_stuck_themselves, more_jobs, .. } = self.children;
        let ended = Recorded::parse(&self.invocation.status).is_finished();
        let is_settled = self.touched_at() < settled_before(now, stale_after);
        let stuck = if ended && is_settled { jobs_unfinished } else { jobs_stuck_themselves };
        JobCounts {
            run: jobs_run,
            ok: jobs_run.saturating_sub(jobs_failed + jobs_unfinished),
            failed: jobs_failed,
            running: jobs_unfinished.saturating_sub(stuck),
            stuck,
            at_least: more_jobs,
        }
    }

    /// Its duration: recorded, or for an unfinished one the time since it began.
    #[must_use]
    pub fn duration_ms(&self, now: DateTime<Utc>) -> Option<i64> {
        let running = !Recorded::parse(&self.invocation.status).is_finished();
        self.invocation
            .total_duration_ms
            .or_else(|| running.then(|| (now - self.invocation.created_at).num_milliseconds().max(0)))
    }
}

/// Whether an invocation that began at this moment can have been caused by a job that began at that one.
#[must_use]
pub fn is_child_of(began: DateTime<Utc>, job_began: DateTime<Utc>) -> bool {
    job_began - began <= Invocation::CLOCKS_DIFFER
}

impl Invocation {
    /// How far the clocks of two writers may differ where it matters which row came first.
    pub const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(1);

    /// Whether any error column holds text.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.has_error_stack || self.error_message.as_deref().is_some_and(|text| !text.is_empty())
    }

    /// What caused it, short: `UPDATE moves`.
    #[must_use]
    pub fn trigger(&self) -> String {
        let operation = self.source_operation.as_deref().unwrap_or_default();
        let table = self.source_table.as_deref().unwrap_or_default();
        let table = table.strip_prefix("public.").unwrap_or(table);
        match (operation, table) {
            ("", "") => self.source_system.as_deref().unwrap_or_default().to_owned(),
            (_, "") => operation.to_owned(),
            ("", _) => table.to_owned(),
            _ => format!("{operation} {table}"),
        }
    }
}

/// A page position: rows strictly before or after it in the order `created_at desc, id desc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// `created_at` of the row.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

impl From<&Invocation> for Key {
    fn from(invocation: &Invocation) -> Self {
        Self { created_at: invocation.created_at, id: invocation.id }
    }
}

/// Some rows of the invocation list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Listed>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
}

/// What a session knows of itself and of its server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Whether the server refuses to write in this session.
    pub read_only: bool,
    /// Whether it is a standby, which replays what another server writes.
    pub replica: bool,
    /// How far a standby is behind; `None` where it cannot know.
    pub lag: Option<TimeDelta>,
    /// How far its clock is ahead of ours, where they differ by more than it took to ask.
    pub ahead: TimeDelta,
    /// About how many invocations it holds, as it estimated when it was connected to.
    pub invocations: Option<u64>,
    /// Whether the role may write, even though this session cannot.
    pub may_write: bool,
    /// Roles that may create in the schema of the tables besides its owner, superusers and `observability_admin`; `PUBLIC`
    /// is everybody.
    pub may_create: Vec<String>,
    /// Relations with the name of one of ours that are not read, with their owner, whose code could run.
    pub not_read: Vec<(String, String)>,
    /// Columns that have another type than ours and are converted, with that type.
    pub converted: Vec<(String, String)>,
    /// Whether the connection is encrypted; `None` where it does not leave this machine, or that is not known.
    pub tls: Option<bool>,
}

impl Server {
    /// The time that its rows tell of, when our clock shows `now`: by its own clock, and what a standby has not replayed has
    /// not come yet.
    #[must_use]
    pub fn data_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        plus(plus(now, self.ahead), -self.lag.unwrap_or_default())
    }
}

/// What one step of a search for rows of the list brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The rows that pass, newest first.
    pub rows: Vec<Listed>,
    /// All rows of the search's range since this moment have been looked through.
    pub back_to: DateTime<Utc>,
}

/// A number of rows that may be larger than it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As many were seen.
    pub at_least: u64,
    /// Whether that is all.
    pub exact: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at_least, if self.exact { "" } else { "+" })
    }
}

/// A row of the table `job_logs`.
#[derive(Clone, Debug, PartialEq)]
pub struct JobLog {
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// The job that wrote it.
    pub job_execution_id: Uuid,
    /// The word for its level.
    pub level: String,
    /// The text.
    pub message: String,
    /// Structured data beside it.
    pub data: serde_json::Value,
    /// Where in the writer it came from.
    pub source: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::Node;

    #[test]
    fn what_is_kept_by_the_hundred_thousand_is_small() {
        assert!(size_of::<Listed>() <= 320, "{}", size_of::<Listed>());
        assert!(size_of::<Node>() <= 232, "{}", size_of::<Node>());
        assert!(size_of::<Event>().max(size_of::<Job>()) <= 144, "{} {}", size_of::<Event>(), size_of::<Job>());
    }
}

//! The recorded status and the **effective** one.
//!
//! What a writer leaves in the `status` column is its claim: a crashed handler is recorded as `completed`, a killed one
//! as `running` for ever. The effective status is derived from the row, its error texts, its age and its children, by
//! [`judge`]. This file is the only place that knows the rule: lists, trees, charts, filters and exit codes call it, and
//! where the database has to count, it is given the same rule as SQL ([`sql`]).

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::text::{age, plural};
use super::time::plus;

/// Words of other writers, as a list of Rust and as one of SQL.
macro_rules! words {
    ($(#[$doc:meta])* $list:ident, $sql:ident: $first:literal $(, $word:literal)* $(,)?) => {
        $(#[$doc])*
        const $list: &[&str] = &[$first $(, $word)*];
        macro_rules! $sql {
            () => { concat!("'", $first, "'" $(, ", '", $word, "'")*) };
        }
    };
}

words! {
    /// Ended, and did what it was to do, or had nothing to do.
    OTHER_COMPLETED, other_completed: "complete", "success", "successful", "succeeded", "ok", "done", "finished",
    "processed", "passed", "skipped", "ignored",
}
words! {
    /// Ended without having done it. Who cancels work leaves it undone, so that is a failure and no success.
    OTHER_FAILED, other_failed: "fail", "failure", "error", "errored", "timeout", "timed_out", "timedout", "cancelled",
    "canceled", "aborted", "crashed", "killed", "terminated", "rejected", "expired", "exception", "dead",
}
/// Has not ended, or not begun.
const OTHER_UNFINISHED: &[&str] = &[
    "pending",
    "queued",
    "waiting",
    "scheduled",
    "created",
    "started",
    "starting",
    "processing",
    "in_progress",
    "active",
    "retrying",
];

/// What a `status` column says, by meaning. Our own words are read as they are, those of other writers whatever their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// `running`, `detecting`, `handling`, or `pending`, `in_progress` and the like.
    Unfinished,
    /// `completed`, or `success`, `skipped` and the like.
    Completed,
    /// `failed`, `detection_failed`, `handler_failed`, or `error`, `timeout`, `cancelled` and the like.
    Failed,
    /// `not_detected`.
    NotDetected,
    /// Absent, or a word that no known writer uses. Treated like unfinished, since nothing says that it ended; that it is
    /// unknown is part of the reason.
    Unknown,
}

impl Recorded {
    /// Reads a `status` column.
    #[must_use]
    pub fn parse(status: &str) -> Self {
        match status {
            "running" | "detecting" | "handling" => Self::Unfinished,
            "completed" => Self::Completed,
            "failed" | "detection_failed" | "handler_failed" => Self::Failed,
            "not_detected" => Self::NotDetected,
            other => Self::of_another_writer(other),
        }
    }

    fn of_another_writer(status: &str) -> Self {
        let is_any = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(status));
        let own: [(Self, &[&str]); 4] = [
            (Self::Unfinished, &["running", "detecting", "handling"]),
            (Self::Completed, &["completed"]),
            (Self::Failed, &["failed", "detection_failed", "handler_failed"]),
            (Self::NotDetected, &["not_detected"]),
        ];
        let others =
            [(Self::Completed, OTHER_COMPLETED), (Self::Failed, OTHER_FAILED), (Self::Unfinished, OTHER_UNFINISHED)];
        let meaning = own.into_iter().chain(others).find(|(_, words)| is_any(words));
        meaning.map_or(Self::Unknown, |(meaning, _)| meaning)
    }

    /// Whether the writer says that the work is over.
    #[must_use]
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Unfinished | Self::Unknown)
    }
}

/// The derived status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effective {
    /// Ended without any failure in it.
    Ok,
    /// Recorded as failed, or it holds an error text, or something below it failed.
    Failed,
    /// Will never end: untouched for longer than `stale_after`, or unfinished below a parent that has ended.
    Stuck,
    /// Not ended yet.
    Running,
    /// An event that was checked and did not apply.
    NotDetected,
}

impl Effective {
    /// The name in JSON and in filters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
            Self::Running => "running",
            Self::NotDetected => "not_detected",
        }
    }
}

/// Unfinished and untouched for longer than this is stuck, unless configured otherwise.
pub const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);

/// How long after its last touch an ended row may wait for the ends of what is below it: some writers send them one after
/// the other, each in a request of its own.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// What was last touched before this moment waits for nothing that others write.
#[must_use]
pub fn settled_before(now: DateTime<Utc>, stale_after: TimeDelta) -> DateTime<Utc> {
    plus(now, -SETTLED_AFTER.min(stale_after))
}

/// What [`judge`] has to know of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The `status` column as it is.
    pub status: &'a str,
    /// Whether any error column of the row holds text.
    pub has_error: bool,
    /// When the row, or anything below it, was last written.
    pub touched_at: DateTime<Utc>,
    /// When the row's parent was last written, where it has ended.
    pub parent_ended: Option<DateTime<Utc>>,
    /// Events below it whose own row tells a failure.
    pub failed_events: u64,
    /// Jobs below it whose own row tells a failure.
    pub failed_jobs: u64,
    /// Events and jobs below it that are recorded as unfinished.
    pub unfinished_children: u64,
}

/// An effective status, and why it differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The derived status.
    pub effective: Effective,
    /// In words; absent where the recorded status already tells it.
    pub reason: Option<String>,
}

/// The rule. Failure is told before anything else, then being stuck.
#[must_use]
pub fn judge(facts: &Facts<'_>, now: DateTime<Utc>, stale_after: TimeDelta) -> Verdict {
    let recorded = Recorded::parse(facts.status);
    let verdict = |effective, reason: Option<String>| Verdict { effective, reason };
    let said = match (recorded, facts.status) {
        (_, "") => "no status".to_owned(),
        (Recorded::Unknown, word) => format!("{word} (unknown status)"),
        (_, word) => word.to_owned(),
    };
    if recorded == Recorded::Failed {
        return verdict(Effective::Failed, None);
    }
    let mut causes = Vec::new();
    if facts.has_error {
        causes.push("it holds an error".to_owned());
    }
    if facts.failed_events > 0 {
        causes.push(format!("{} failed", plural(facts.failed_events, "event")));
    }
    if facts.failed_jobs > 0 {
        causes.push(format!("{} failed", plural(facts.failed_jobs, "job")));
    }
    if !causes.is_empty() {
        return verdict(Effective::Failed, Some(format!("recorded {said}, but {}", causes.join(", "))));
    }
    let touched_at = facts.parent_ended.map_or(facts.touched_at, |at| at.max(facts.touched_at));
    let is_settled = touched_at < settled_before(now, stale_after);
    if recorded.is_finished() {
        return match facts.unfinished_children {
            0 if recorded == Recorded::NotDetected => verdict(Effective::NotDetected, None),
            0 => verdict(Effective::Ok, None),
            n if !is_settled => verdict(Effective::Running, Some(format!("recorded {said}, {n} below to end"))),
            n => verdict(Effective::Stuck, Some(format!("recorded {said}, but {n} below never finished"))),
        };
    }
    if facts.parent_ended.is_some() && is_settled {
        return verdict(Effective::Stuck, Some(format!("recorded {said}, but its parent has ended")));
    }
    let untouched = now - facts.touched_at;
    if untouched > stale_after {
        return verdict(Effective::Stuck, Some(format!("recorded {said}, untouched for {}", age(untouched))));
    }
    let reason = (recorded == Recorded::Unknown).then(|| format!("recorded {said}, read as unfinished"));
    verdict(Effective::Running, reason)
}

/// The same rule as SQL text, for what only the database can count. Each condition names the table alias it expects:
/// `i` an invocation, `e` an event, `j` a job. A server test holds them against [`judge`].
pub mod sql {
    use super::Effective;

    /// An alias's status is one of these words of other writers, which have none of ours. An index holds all rows with
    /// none of our words of an end, so a condition on other words names that first. Only ASCII letters are folded.
    macro_rules! is_other {
        ($alias:literal, $words:expr) => {
            concat!(
                "(coalesce(",
                $alias,
                ".status, '') not in \
                ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') \
                and coalesce(lower(",
                $alias,
                ".status collate \"C\"), '') in (",
                $words,
                "))"
            )
        };
    }
    /// An alias's status is a word for failure.
    macro_rules! status_failed {
        ($alias:literal) => {
            concat!(
                "coalesce(",
                $alias,
                ".status, '') in ('failed', 'detection_failed', 'handler_failed') or ",
                is_other!($alias, concat!("'failed', 'detection_failed', 'handler_failed', ", other_failed!()))
            )
        };
    }

    /// An invocation's own row tells a failure.
    pub const INVOCATION_FAILED: &str = concat!(
        "(",
        status_failed!("i"),
        " or coalesce(i.error_message, '') <> '' or coalesce(i.error_stack, '') <> '')"
    );
    /// An event's own row tells a failure. An index serves it as long as each part of it implies its condition.
    pub const EVENT_FAILED: &str = concat!(
        "(",
        status_failed!("e"),
        " or coalesce(e.detection_error, '') <> '' or coalesce(e.handler_error, '') <> '' \
        or coalesce(e.detection_error_stack, '') <> '' or coalesce(e.handler_error_stack, '') <> '')"
    );
    /// A job's own row tells a failure. An index serves it as long as each part of it implies its condition.
    pub const JOB_FAILED: &str = concat!(
        "(",
        status_failed!("j"),
        " or coalesce(j.error_message, '') <> '' or coalesce(j.error_stack, '') <> '')"
    );
    /// Words of an end besides ours, whatever their case.
    const ENDED: &str = concat!(
        "'completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected', ",
        other_completed!(),
        ", ",
        other_failed!()
    );
    /// A row has ended.
    #[must_use]
    pub fn finished(alias: char) -> String {
        format!(
            "(coalesce({alias}.status, '') in \
             ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') \
             or coalesce(lower({alias}.status collate \"C\"), '') in ({ENDED}))"
        )
    }
    /// An invocation is effectively failed: its own row, or any event or job of it.
    #[must_use]
    pub fn effectively_failed() -> String {
        format!("({INVOCATION_FAILED} or {})", any_below(EVENT_FAILED, JOB_FAILED))
    }

    /// An invocation has this effective status. `stale_before` is SQL for the moment before which an unfinished row that
    /// nobody touched is stale, `settled_before` for [`settled_before`](super::settled_before). Looks at the events and jobs of one invocation after another, never at a whole table.
    #[must_use]
    pub fn effectively(status: Effective, stale_before: &str, settled_before: &str) -> String {
        let (failed, ended) = (effectively_failed(), finished('i'));
        let (event_ended, job_ended) = (finished('e'), finished('j'));
        let ended_well = |words: &str| {
            let (event, job) =
                (format!("({EVENT_FAILED} or not {event_ended})"), format!("({JOB_FAILED} or not {job_ended})"));
            let below = any_below(&event, &job);
            format!(
                "(coalesce(lower(i.status collate \"C\"), '') in ({words}) and not {INVOCATION_FAILED} and not {below})"
            )
        };
        let untouched_since = |moment: &str| {
            let touched = |alias| format!("{alias}.updated_at >= {moment}");
            let below = any_below(&touched('e'), &touched('j'));
            format!("(coalesce(i.updated_at, i.created_at) < {moment} and not {below})")
        };
        let unfinished_below = || {
            let (event, job) =
                (format!("not {EVENT_FAILED} and not {event_ended}"), format!("not {JOB_FAILED} and not {job_ended}"));
            any_below(&event, &job)
        };
        match status {
            Effective::Failed => failed,
            Effective::Ok => ended_well(concat!("'completed', ", other_completed!())),
            Effective::NotDetected => ended_well("'not_detected'"),
            // A case keeps its order: what rarely holds is looked at first.
            Effective::Running => format!(
                "(case when case when {ended} then {} and not {} \
                 else not {} end then not {failed} else false end)",
                unfinished_below(),
                untouched_since(settled_before),
                untouched_since(stale_before)
            ),
            Effective::Stuck => format!(
                "(case when case when {ended} then {} and {} else {} end then not {failed} else false end)",
                unfinished_below(),
                untouched_since(settled_before),
                untouched_since(stale_before)
            ),
        }
    }

    /// What counting many invocations needs: each one's events and jobs are looked at once. The joins also give the names
    /// of its failed jobs, `below_j.names`. See [`outcome`].
    #[derive(Clone, Debug)]
    pub struct Outcome {
        /// Joins to `from invocations i`.
        pub joins: String,
        /// The condition that the invocation failed.
        pub failed: String,
        /// The condition that it ended well. What neither failed nor ended well is running or stuck.
        pub ok: String,
    }

    /// The same rule for counting: how many failed, and how many ended well.
    #[must_use]
    pub fn outcome() -> Outcome {
        let below = |table, alias, failed, ended: &str, names: &str| {
            format!(
                " cross join lateral (select coalesce(bool_or({failed}), false) as failed, count(*) > 0 as unwell{names} \
                  from @schema.{table} {alias} where {alias}.invocation_id = i.id and ({failed} or not {ended})) below_{alias}"
            )
        };
        let names = format!(
            ", array_agg(left(j.job_name, {})) filter (where {JOB_FAILED}) as names",
            super::super::text::LONGEST_NAME + 1
        );
        let joins = below("event_executions", 'e', EVENT_FAILED, &finished('e'), "")
            + &below("job_executions", 'j', JOB_FAILED, &finished('j'), &names);
        let failed = format!("({INVOCATION_FAILED} or below_e.failed or below_j.failed)");
        let ok =
            format!("({} and not {INVOCATION_FAILED} and not below_e.unwell and not below_j.unwell)", finished('i'));
        Outcome { joins, failed, ok }
    }

    /// Keeps the planner from making a join over whole tables of a look at the few rows of one invocation.
    pub const PROBE: &str = " offset 0";

    fn any_below(event: &str, job: &str) -> String {
        format!(
            "(exists (select 1 from @schema.event_executions e where e.invocation_id = i.id and {event}{PROBE}) \
             or exists (select 1 from @schema.job_executions j where j.invocation_id = i.id and {job}{PROBE}))"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(status: &str) -> Facts<'_> {
        Facts {
            status,
            has_error: false,
            touched_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            parent_ended: None,
            failed_events: 0,
            failed_jobs: 0,
            unfinished_children: 0,
        }
    }

    fn judged(facts: &Facts<'_>, minutes_later: i64) -> (Effective, String) {
        let verdict = judge(facts, facts.touched_at + TimeDelta::minutes(minutes_later), STALE_AFTER);
        (verdict.effective, verdict.reason.unwrap_or_default())
    }

    #[test]
    fn the_recorded_status_stands_where_nothing_speaks_against_it() {
        assert_eq!(judged(&facts("completed"), 99).0, Effective::Ok);
        assert_eq!(judged(&facts("not_detected"), 99).0, Effective::NotDetected);
        assert_eq!(judged(&facts("handling"), 15).0, Effective::Running);
        for failed in ["failed", "detection_failed", "handler_failed"] {
            assert_eq!(judged(&facts(failed), 0), (Effective::Failed, String::new()));
        }
    }

    #[test]
    fn a_completed_row_with_a_failure_below_it_is_failed() {
        let row = Facts { failed_jobs: 2, failed_events: 1, ..facts("completed") };
        assert_eq!(
            judged(&row, 0),
            (Effective::Failed, "recorded completed, but 1 event failed, 2 jobs failed".to_owned())
        );
        let row = Facts { has_error: true, ..facts("running") };
        assert_eq!(judged(&row, 0).0, Effective::Failed);
    }

    #[test]
    fn what_is_left_behind_is_stuck() {
        assert_eq!(judged(&facts("running"), 16), (Effective::Stuck, "recorded running, untouched for 16m".to_owned()));
        let child = Facts { parent_ended: Some(facts("").touched_at), ..facts("running") };
        assert_eq!(judged(&child, 2), (Effective::Stuck, "recorded running, but its parent has ended".to_owned()));
        let parent = Facts { unfinished_children: 1, ..facts("completed") };
        assert_eq!(judged(&parent, 2), (Effective::Stuck, "recorded completed, but 1 below never finished".to_owned()));
    }

    #[test]
    fn what_ended_a_moment_ago_may_wait_for_what_is_below_it() {
        let parent = Facts { unfinished_children: 2, ..facts("completed") };
        let at = |facts: &Facts<'_>, seconds, stale_after| {
            judge(facts, facts.touched_at + TimeDelta::seconds(seconds), stale_after).effective
        };
        assert_eq!(judged(&parent, 0), (Effective::Running, "recorded completed, 2 below to end".to_owned()));
        assert_eq!([60, 61].map(|later| at(&parent, later, STALE_AFTER)), [Effective::Running, Effective::Stuck]);
        let soon = TimeDelta::seconds(5);
        assert_eq!([5, 6].map(|later| at(&parent, later, soon)), [Effective::Running, Effective::Stuck]);
        // Whichever was touched last: the parent, or what is below it.
        let child =
            |ended| Facts { parent_ended: Some(facts("").touched_at + TimeDelta::seconds(ended)), ..facts("handling") };
        assert_eq!(
            [-90, -1, 30, 40].map(|ended| at(&child(ended), 95, STALE_AFTER)),
            [Effective::Stuck, Effective::Stuck, Effective::Stuck, Effective::Running]
        );
        assert_eq!(at(&child(-90), 50, STALE_AFTER), Effective::Running);
    }

    #[test]
    fn words_of_other_writers_are_read_whatever_their_case() {
        for status in ["error", "FAILED", "Timeout", "timed_out", "cancelled", "CANCELED", "Handler_Failed"] {
            assert_eq!(judged(&facts(status), 99), (Effective::Failed, String::new()), "{status}");
        }
        for status in ["success", "SUCCEEDED", "Completed", "done", "skipped", "OK"] {
            assert_eq!(judged(&facts(status), 99), (Effective::Ok, String::new()), "{status}");
        }
        assert_eq!(judged(&facts("NOT_DETECTED"), 0).0, Effective::NotDetected);
        assert_eq!(judged(&facts("Pending"), 3), (Effective::Running, String::new()));
        assert_eq!(judged(&facts("IN_PROGRESS"), 16).1, "recorded IN_PROGRESS, untouched for 16m");
    }

    #[test]
    fn an_unknown_status_is_told() {
        let unknown = |minutes| judged(&facts("paused"), minutes);
        assert_eq!(unknown(0), (Effective::Running, "recorded paused (unknown status), read as unfinished".to_owned()));
        assert_eq!(unknown(16), (Effective::Stuck, "recorded paused (unknown status), untouched for 16m".to_owned()));
        assert_eq!(judged(&facts("ſkipped"), 0).0, Effective::Running, "only ASCII is folded");
        assert_eq!(judged(&facts(""), 60), (Effective::Stuck, "recorded no status, untouched for 1h".to_owned()));
    }
}

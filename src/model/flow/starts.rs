//! When events began.
//!
//! Two known writers stamp `created_at` of an event at the end of its detection, ours at its start. Which it was is seen
//! in the rows: a job of the event that begins before `created_at` + detection, or an event that would then end after its
//! invocation, which has ended. What one event of an invocation shows holds for all events of it, as one writer wrote them.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::invocation::{Event, Invocation};
use super::super::status::Recorded;
use super::ids::{IdMap, IdSet};
use super::{Rows, event_ms};

impl Rows {
    /// The same rows with `created_at` of every event at the start of its detection; done once, further calls change
    /// nothing. No event is moved before its invocation: rows that were all stamped with one moment keep it.
    #[must_use]
    pub fn with_starts(mut self) -> Self {
        if std::mem::replace(&mut self.has_starts, true) {
            return self;
        }
        let invocations: IdMap<&Invocation> = self.invocations.iter().map(|row| (row.id, row)).collect();
        let mut first_jobs = IdMap::<DateTime<Utc>>::default();
        for job in &self.jobs {
            let first = first_jobs.entry(job.event_execution_id).or_insert(job.created_at);
            *first = job.created_at.min(*first);
        }
        let stamped_at_end: IdSet = (self.events.iter())
            .filter(|event| {
                let invocation = invocations.get(&event.invocation_id).copied();
                is_stamped_at_end(event, first_jobs.get(&event.id).copied(), invocation)
            })
            .map(|event| event.invocation_id)
            .collect();
        for event in self.events.iter_mut().filter(|event| stamped_at_end.contains(&event.invocation_id)) {
            let start = event.created_at.checked_sub_signed(detection(event)).unwrap_or(event.created_at);
            let earliest = invocations.get(&event.invocation_id).map(|row| row.created_at.min(event.created_at));
            event.created_at = earliest.map_or(start, |earliest| start.max(earliest));
        }
        self
    }
}

/// Whether the rows contradict that `created_at` of the event is its start. Durations are whole milliseconds, so less than
/// one is none.
fn is_stamped_at_end(event: &Event, first_job: Option<DateTime<Utc>>, invocation: Option<&Invocation>) -> bool {
    const LEAST: TimeDelta = TimeDelta::milliseconds(1);
    if detection(event) <= TimeDelta::zero() {
        return false;
    }
    let end = |from: DateTime<Utc>, ms: i64| TimeDelta::try_milliseconds(ms).map(|length| (from, length));
    let is_over = |(from, length): (DateTime<Utc>, TimeDelta), moment: DateTime<Utc>| {
        (from - moment).checked_add(&length).is_none_or(|over| over >= LEAST)
    };
    let job_before = first_job.is_some_and(|first| is_over((event.created_at, detection(event)), first));
    let ended = invocation.filter(|row| Recorded::parse(&row.status).is_finished());
    let invocation_end = ended.and_then(|row| {
        let length = TimeDelta::try_milliseconds(row.total_duration_ms?.max(0))?;
        row.created_at.checked_add_signed(length)
    });
    let event_end = event_ms(event).and_then(|ms| end(event.created_at, ms));
    job_before || event_end.zip(invocation_end).is_some_and(|(event, invocation)| is_over(event, invocation))
}

fn detection(event: &Event) -> TimeDelta {
    TimeDelta::try_milliseconds(event.detection_duration_ms.unwrap_or(0).max(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::super::status::STALE_AFTER;
    use super::super::tests::{event, id, invocation, job};
    use super::super::{Critical, Flow, Overview, Rows, Times};

    fn ms(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
    }

    /// What an unmodified writer left of an invocation that took 1,105 ms, of which two detectors took 401 and 801, beside
    /// each other, and a job 302.
    fn live() -> Rows {
        let mut root = invocation(1, None);
        (root.created_at, root.updated_at, root.total_duration_ms) = (ms(0), ms(1_104), Some(1_105));
        let mut no = event(2, 1, "not_detected");
        (no.created_at, no.updated_at, no.detection_duration_ms) = (ms(401), ms(401), Some(401));
        let mut slow = event(3, 1, "completed");
        (slow.created_at, slow.updated_at) = (ms(801), ms(1_104));
        (slow.detection_duration_ms, slow.handler_duration_ms) = (Some(801), Some(303));
        let mut only = job(4, 1, 3, "completed");
        (only.created_at, only.updated_at, only.duration_ms) = (ms(801), ms(1_104), Some(302));
        Rows { invocations: vec![root], events: vec![no, slow], jobs: vec![only], ..Rows::default() }
    }

    fn starts(rows: &Rows) -> Vec<i64> {
        rows.clone().with_starts().events.iter().map(|event| (event.created_at - ms(0)).num_milliseconds()).collect()
    }

    #[test]
    fn events_stamped_after_their_detection_begin_before_it() {
        let rows = live();
        assert_eq!(starts(&rows), [0, 0]);
        assert_eq!(rows.clone().with_starts().with_starts(), rows.clone().with_starts(), "once");
        let flow = Flow::build(rows.clone(), ms(9_000), STALE_AFTER);
        let overview = Overview::of(&flow);
        let times = Times::of(&flow, &overview, ms(9_000));
        assert_eq!(overview.end_ms, 1_105, "not 1,905");
        let slow = times.get(flow.find(id(3)).unwrap());
        assert_eq!((slow.from_ms, slow.work_ms, slow.own_end_ms), (0, 801, Some(1_104)));
        let critical = Critical::of(&flow, &overview, &times, ms(9_000));
        assert_eq!(critical.took_ms, 1_105);
        assert!(critical.contains(flow.find(id(4)).unwrap()));
        // In the past, too: at 500 ms one detector has ended and the other goes on.
        let past = rows.as_of(ms(500));
        assert_eq!(past.events.iter().map(|event| &*event.status).collect::<Vec<_>>(), ["not_detected", "detecting"]);
        assert_eq!(past.jobs.len(), 0);
        assert_eq!(starts(&past), [0, 0], "what was cut off in the past does not move them again");
    }

    #[test]
    fn either_sign_is_enough_and_none_leaves_the_times_alone() {
        let mut by_job = live();
        (by_job.invocations[0].status, by_job.invocations[0].total_duration_ms) = ("running".into(), None);
        assert_eq!(starts(&by_job), [0, 0]);
        let mut by_end = live();
        by_end.jobs.clear();
        assert_eq!(starts(&by_end), [0, 0]);
        let mut neither = by_job;
        neither.jobs.clear();
        assert_eq!(starts(&neither), [401, 801], "nothing contradicts it");
        let mut at_start = live();
        at_start.jobs[0].created_at = ms(1_602);
        at_start.invocations[0].total_duration_ms = Some(1_905);
        assert_eq!(starts(&at_start), [401, 801], "ended with its invocation, jobs after the detection");
        at_start.invocations[0].total_duration_ms = Some(1_904);
        assert_eq!(starts(&at_start), [0, 0]);
        let mut rounded = live();
        rounded.jobs[0].created_at = ms(1_602);
        rounded.invocations[0].total_duration_ms = Some(1_904);
        rounded.events[1].created_at -= chrono::TimeDelta::microseconds(600);
        assert_eq!(rounded.clone().with_starts().events, rounded.events, "parts of a millisecond are not recorded");
    }

    #[test]
    fn rows_of_one_moment_keep_it() {
        let mut seeded = live();
        for event in &mut seeded.events {
            event.created_at = ms(0);
        }
        seeded.jobs[0].created_at = ms(0);
        assert_eq!(starts(&seeded), [0, 0]);
        for event in &mut seeded.events {
            (event.detection_duration_ms, event.handler_duration_ms) = (None, None);
        }
        assert_eq!(starts(&seeded), [0, 0]);
    }
}

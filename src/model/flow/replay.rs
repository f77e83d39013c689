//! A cascade as it was at a moment of its past.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Rows, event_ms};

impl Rows {
    /// The rows as they stood at a moment, as far as starts and durations tell: what began later is not there, what ended
    /// later runs. What ended, nobody wrote how long after its start, is there as it ended.
    #[must_use]
    pub fn as_of(&self, at: DateTime<Utc>) -> Self {
        let whole = self.clone().with_starts();
        let mut rows = Self { invocations: Vec::new(), events: Vec::new(), jobs: Vec::new(), ..whole };
        for mut row in whole.invocations.into_iter().filter(|row| row.created_at <= at) {
            if end(row.created_at, row.total_duration_ms).is_some_and(|end| end > at) {
                (row.status, row.total_duration_ms) = ("running".into(), None);
                (row.error_message, row.has_error_stack) = (None, false);
            }
            row.updated_at = row.updated_at.min(at);
            rows.invocations.push(row);
        }
        for mut row in whole.events.into_iter().filter(|row| row.created_at <= at) {
            let detected_at = later(row.created_at, row.detection_duration_ms.unwrap_or(0));
            if end(row.created_at, event_ms(&row)).is_some_and(|end| end > at) {
                let is_detecting = detected_at > at;
                row.status = if is_detecting { "detecting" } else { "handling" }.into();
                row.detection_duration_ms = row.detection_duration_ms.filter(|_| !is_detecting);
                (row.handler_duration_ms, row.error) = (None, None);
                row.detected &= !is_detecting;
            }
            row.updated_at = row.updated_at.min(at);
            rows.events.push(row);
        }
        for mut row in whole.jobs.into_iter().filter(|row| row.created_at <= at) {
            if end(row.created_at, row.duration_ms).is_some_and(|end| end > at) {
                (row.status, row.duration_ms, row.error) = ("running".into(), None, None);
            }
            row.updated_at = row.updated_at.min(at);
            rows.jobs.push(row);
        }
        rows
    }

    /// When anything began or ended, oldest first, each moment once.
    #[must_use]
    pub fn moments(&self) -> Vec<DateTime<Utc>> {
        let rows = self.clone().with_starts();
        let invocations =
            rows.invocations.iter().map(|row| (row.created_at, end(row.created_at, row.total_duration_ms)));
        let events = rows.events.iter().map(|row| (row.created_at, end(row.created_at, event_ms(row))));
        let jobs = rows.jobs.iter().map(|row| (row.created_at, end(row.created_at, row.duration_ms)));
        let all = invocations.chain(events).chain(jobs);
        let mut moments: Vec<_> = all.flat_map(|(start, end)| [Some(start), end]).flatten().collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

/// When a row ended: its duration after its start. Without one nobody knows, nor that it went on at any moment: when the
/// row was last written may be when it was copied here.
fn end(created_at: DateTime<Utc>, duration_ms: Option<i64>) -> Option<DateTime<Utc>> {
    duration_ms.map(|ms| later(created_at, ms))
}

fn later(at: DateTime<Utc>, milliseconds: i64) -> DateTime<Utc> {
    TimeDelta::try_milliseconds(milliseconds.max(0)).and_then(|delta| at.checked_add_signed(delta)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::super::super::status::{Effective, STALE_AFTER};
    use super::super::tests::{any_rows, at, event, id, invocation, job};
    use super::super::{Flow, Rows};

    /// 1 inv 0..10 s, its event 2 at 1..5 s with job 3 at 2..4 s, which fails.
    fn rows() -> Rows {
        let mut root = invocation(1, None);
        (root.created_at, root.total_duration_ms, root.updated_at) = (at(0), Some(10_000), at(10));
        let mut handled = event(2, 1, "completed");
        (handled.created_at, handled.detection_duration_ms, handled.handler_duration_ms) =
            (at(1), Some(1_000), Some(3_000));
        let mut failing = job(3, 1, 2, "failed");
        (failing.created_at, failing.duration_ms, failing.error) = (at(2), Some(2_000), Some("broken".into()));
        Rows { invocations: vec![root], events: vec![handled], jobs: vec![failing], ..Rows::default() }
    }

    fn seen(rows: &Rows, seconds: i64) -> Vec<(u128, Effective, Option<i64>)> {
        let flow = Flow::build(rows.as_of(at(seconds)), at(seconds), STALE_AFTER);
        let known = |n| flow.find(id(n)).map(|node| (n, flow.nodes[node].effective, flow.nodes[node].duration_ms));
        [1, 2, 3].into_iter().filter_map(known).collect()
    }

    #[test]
    fn what_was_not_yet_is_not_there_and_what_went_on_runs() {
        use Effective::{Failed, Running};
        let rows = rows();
        assert_eq!(rows.moments(), [0, 1, 2, 4, 5, 10].map(at));
        assert_eq!(seen(&rows, -1), []);
        assert_eq!(seen(&rows, 0), [(1, Running, None)]);
        assert_eq!(seen(&rows, 1), [(1, Running, None), (2, Running, None)]);
        assert_eq!(seen(&rows, 3), [(1, Running, None), (2, Running, None), (3, Running, None)]);
        assert_eq!(seen(&rows, 4), [(1, Failed, None), (2, Failed, None), (3, Failed, Some(2_000))]);
        assert_eq!(seen(&rows, 10), [(1, Failed, Some(10_000)), (2, Failed, Some(4_000)), (3, Failed, Some(2_000))]);
    }

    #[test]
    fn rows_without_durations_are_never_running_or_stuck_in_the_past() {
        // As seeds have them: one moment for all, no durations, written again when they were loaded, days later.
        let mut rows = rows();
        let loaded = at(400_000);
        rows.events[0].created_at = at(0);
        rows.jobs[0].created_at = at(0);
        (rows.invocations[0].total_duration_ms, rows.invocations[0].updated_at) = (None, loaded);
        (rows.events[0].detection_duration_ms, rows.events[0].handler_duration_ms) = (None, None);
        (rows.jobs[0].duration_ms, rows.events[0].updated_at, rows.jobs[0].updated_at) = (None, loaded, loaded);
        let failed = [1, 2, 3].map(|n| (n, Effective::Failed, None));
        rows.jobs[0].error = Some("broken".into());
        assert_eq!(
            (rows.moments(), seen(&rows, 0), seen(&rows, 5_000)),
            (vec![at(0)], failed.to_vec(), failed.to_vec())
        );
        (rows.jobs[0].status, rows.jobs[0].error) = ("completed".into(), None);
        let ok = [1, 2, 3].map(|n| (n, Effective::Ok, None));
        assert_eq!((seen(&rows, 0), seen(&rows, 5_000)), (ok.to_vec(), ok.to_vec()));
    }

    proptest::proptest! {
        #[test]
        fn the_end_is_the_cascade_itself(rows in any_rows()) {
            let moments = rows.moments();
            proptest::prop_assert!(moments.windows(2).all(|pair| pair[0] < pair[1]));
            if let Some(&last) = moments.last() {
                let rows = rows.with_starts();
                let mut end = rows.as_of(last);
                // When a row was last written is capped: it tells of nothing after its end.
                for (row, whole) in end.invocations.iter_mut().zip(&rows.invocations) { row.updated_at = whole.updated_at; }
                for (row, whole) in end.events.iter_mut().zip(&rows.events) { row.updated_at = whole.updated_at; }
                for (row, whole) in end.jobs.iter_mut().zip(&rows.jobs) { row.updated_at = whole.updated_at; }
                proptest::prop_assert_eq!(&end, &rows);
                let mut before = 0;
                for moment in moments {
                    let rows = rows.as_of(moment);
                    let now = rows.invocations.len() + rows.events.len() + rows.jobs.len();
                    proptest::prop_assert!(now >= before, "rows never go again");
                    before = now;
                    proptest::prop_assert_eq!(rows.as_of(moment), rows);
                }
            }
        }
    }
}

//! Tests of the tree: known shapes, and any links at all.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::super::invocation::{Event, Invocation, Job, Link, Parent};
use super::super::status::{Effective, STALE_AFTER};
use super::{Flow, Fold, Glyphs, Kind, LineId, Rows};

pub(super) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub(super) fn invocation(n: u128, parent_job: Option<u128>) -> Invocation {
    Invocation {
        id: id(n),
        created_at: at(n as i64),
        updated_at: at(n as i64),
        correlation_id: Some("moves".into()),
        source_function: format!("function-{n}").into(),
        source_table: Some("public.moves".into()),
        source_operation: Some("UPDATE".into()),
        source_system: None,
        source_user_email: None,
        parent: parent_job.map(|job| Parent { job: id(job), link: Link::Recorded }),
        total_duration_ms: Some(10),
        status: "completed".into(),
        error_message: None,
        delivery: Default::default(),
        link_unread: false,
        has_error_stack: false,
    }
}

pub(super) fn event(n: u128, invocation: u128, status: &str) -> Event {
    Event {
        id: id(n),
        invocation_id: id(invocation),
        created_at: at(n as i64),
        updated_at: at(n as i64),
        name: format!("event-{n}").into(),
        detected: status != "not_detected",
        detection_duration_ms: Some(1),
        handler_duration_ms: None,
        status: status.into(),
        error: None,
    }
}

pub(super) fn job(n: u128, invocation: u128, event: u128, status: &str) -> Job {
    Job {
        id: id(n),
        invocation_id: id(invocation),
        event_execution_id: id(event),
        created_at: at(n as i64),
        updated_at: at(n as i64),
        name: format!("job-{n}").into(),
        duration_ms: Some(5),
        status: status.into(),
        error: None,
    }
}

fn text(rows: Rows, fold: &Fold) -> String {
    let flow = Flow::build(rows, at(100), STALE_AFTER);
    let lines = flow.lines(fold);
    let glyphs = Glyphs::ASCII;
    lines.iter().map(|line| line.guides(&lines, &glyphs) + &line.label(&flow, &glyphs) + "\n").collect()
}

#[test]
fn a_cascade_is_drawn_across_invocations() {
    let rows = Rows {
        invocations: vec![invocation(20, Some(12)), invocation(1, None)],
        events: vec![
            event(4, 1, "not_detected"),
            event(2, 1, "completed"),
            event(3, 1, "not_detected"),
            event(21, 20, "completed"),
        ],
        jobs: vec![job(11, 1, 2, "failed"), job(12, 1, 2, "completed")],
        ..Rows::default()
    };
    let expected = "\
v x inv function-1  UPDATE moves
|-v x evt event-2
| |-- x job job-11
| \\-v + job job-12
|   \\-v + inv function-20  UPDATE moves
|     \\-- + evt event-21
\\-> . 2 events not detected
";
    assert_eq!(text(rows.clone(), &Fold::default()), expected);
    let fold = Fold { closed: [id(2)].into_iter().collect(), show_undetected: true };
    let expected = "\
v x inv function-1  UPDATE moves
|-> x evt event-2
|-- . evt event-3
\\-- . evt event-4
";
    assert_eq!(text(rows, &fold), expected);
}

#[test]
fn errors_are_kept_without_their_secrets() {
    let error = r#"{"error":"refused","headers":{"authorization":"Bearer s3cret"}}"#;
    let mut rows = Rows {
        invocations: vec![invocation(1, None)],
        events: vec![event(2, 1, "failed")],
        jobs: vec![job(3, 1, 2, "failed")],
        ..Rows::default()
    };
    rows.invocations[0].error_message = Some(error.into());
    (rows.events[0].error, rows.jobs[0].error) =
        (Some(error.into()), Some(format!("{{\"_raw_string\":{error:?}}}").into()));
    let flow = Flow::build(rows, at(100), STALE_AFTER);
    let masked = r#"{"error":"refused","headers":{"authorization":"******"}}"#;
    assert!(flow.nodes.iter().all(|node| node.error.as_deref() == Some(masked)), "{:?}", flow.nodes);
}

#[test]
fn a_loop_is_shown_once_with_a_back_reference() {
    let rows = Rows {
        invocations: vec![invocation(1, Some(12)), invocation(2, Some(11))],
        events: vec![event(5, 1, "completed"), event(6, 2, "completed")],
        jobs: vec![job(11, 1, 5, "completed"), job(12, 2, 6, "completed")],
        ..Rows::default()
    };
    let shown = text(rows, &Fold::default());
    assert!(shown.ends_with("          \\-- + inv function-1  UPDATE moves  ^ loops back\n"), "{shown}");
    assert_eq!(shown.lines().count(), 7);
}

#[test]
fn what_has_no_parent_among_the_rows_is_a_root() {
    let rows = Rows {
        invocations: vec![invocation(1, Some(99))],
        events: vec![event(2, 77, "completed")],
        jobs: vec![job(3, 1, 88, "completed"), job(4, 55, 66, "completed")],
        ..Rows::default()
    };
    let expected = "\
v + inv function-1  UPDATE moves  (parent job not found)
\\-- + job job-3
  + evt event-2
  + job job-4
";
    assert_eq!(text(rows, &Fold::default()), expected);
}

#[test]
fn counts_and_statuses_are_those_of_the_rows() {
    let mut unfinished = job(12, 1, 2, "running");
    unfinished.updated_at = at(39);
    let rows = Rows {
        invocations: vec![invocation(1, None)],
        events: vec![event(2, 1, "completed"), event(3, 1, "not_detected")],
        jobs: vec![job(11, 1, 2, "failed"), unfinished, job(13, 1, 2, "completed")],
        ..Rows::default()
    };
    let flow = Flow::build(rows, at(100), STALE_AFTER);
    let root = &flow.nodes[flow.roots[0]];
    assert_eq!(root.effective, Effective::Failed);
    assert_eq!(root.reason.as_deref(), Some("recorded completed, but 1 job failed"));
    let jobs = flow.counts.jobs;
    assert_eq!((jobs.run, jobs.ok, jobs.failed, jobs.running, jobs.stuck), (3, 1, 1, 0, 1));
    assert_eq!((flow.counts.events.checked, flow.counts.events.detected, flow.counts.events.failed), (2, 1, 1));
}

#[test]
fn a_chain_of_any_depth_is_built_without_recursion() {
    let deep = 30_000_u128;
    let rows = Rows {
        invocations: (0..deep).map(|n| invocation(n * 3, (n > 0).then(|| n * 3 - 1))).collect(),
        events: (0..deep).map(|n| event(n * 3 + 1, n * 3, "completed")).collect(),
        jobs: (0..deep).map(|n| job(n * 3 + 2, n * 3, n * 3 + 1, "completed")).collect(),
        ..Rows::default()
    };
    let flow = Flow::build(rows, at(100), STALE_AFTER);
    let lines = flow.lines(&Fold::default());
    assert_eq!(lines.len(), 90_000);
    assert!(lines[89_999].guides(&lines, &Glyphs::ASCII).len() < 50);
}

/// Rows with any links, times and durations.
pub(super) fn any_rows() -> impl Strategy<Value = Rows> {
    let status = prop::sample::select(vec!["completed", "running", "failed", "not_detected", "?"]);
    let time = (0_i64..1_000, prop::option::of(prop_oneof![0_i64..600_000, Just(-5), Just(i64::MAX)]), status);
    let invocations = prop::collection::vec((prop::option::of(0..12_u128), time.clone()), 0..8);
    let events = prop::collection::vec((0..8_u128, time.clone()), 0..10);
    let jobs = prop::collection::vec((0..8_u128, 0..12_u128, time), 0..12);
    (invocations, events, jobs).prop_map(|(invocations, events, jobs)| {
        let mut rows = Rows::default();
        for (n, (parent, (from, took, status))) in (0..).zip(invocations) {
            let row = invocation(100 + n, parent.map(|job| 300 + job));
            let (created_at, status) = (at(from), status.to_owned());
            rows.invocations.push(Invocation { created_at, total_duration_ms: took, status: status.into(), ..row });
        }
        for (n, (of, (from, took, status))) in (0..).zip(events) {
            let row = event(200 + n, 100 + of, status);
            rows.events.push(Event { created_at: at(from), detection_duration_ms: took, ..row });
        }
        for (n, (of, event, (from, took, status))) in (0..).zip(jobs) {
            let row = job(300 + n, 100 + of, 200 + event, status);
            rows.jobs.push(Job { created_at: at(from), duration_ms: took, ..row });
        }
        rows
    })
}

proptest! {
    #[test]
    fn no_row_is_lost_under_any_links(
        parents in prop::collection::vec(prop::option::of(0..12_u128), 0..8),
        events in prop::collection::vec((0..8_u128, any::<bool>()), 0..10),
        jobs in prop::collection::vec((0..8_u128, 0..12_u128), 0..12),
    ) {
        let rows = Rows {
            invocations: parents.iter().enumerate()
                .map(|(n, parent)| invocation(100 + n as u128, parent.map(|job| 300 + job))).collect(),
            events: events.iter().enumerate().map(|(n, (invocation, detected))| {
                event(200 + n as u128, 100 + invocation, if *detected { "completed" } else { "not_detected" })
            }).collect(),
            jobs: jobs.iter().enumerate()
                .map(|(n, (invocation, event))| job(300 + n as u128, 100 + invocation, 200 + event, "completed")).collect(),
            ..Rows::default()
        };
        let total = rows.invocations.len() + rows.events.len() + rows.jobs.len();
        let flow = Flow::build(rows, at(1000), TimeDelta::minutes(15));
        let lines = flow.lines(&Fold { show_undetected: true, ..Fold::default() });
        let mut shown: Vec<_> = lines.iter().filter_map(|line| match line.id {
            LineId::Node(id) => Some(id),
            _ => None,
        }).collect();
        shown.sort();
        shown.dedup();
        prop_assert_eq!(shown.len(), total);
        let references = lines.iter().filter(|line| matches!(line.id, LineId::BackReference { .. })).count();
        prop_assert_eq!(lines.len(), total + references);
        prop_assert_eq!(flow.nodes.iter().filter(|node| node.kind == Kind::Invocation).count(), parents.len() + references);
        for line in &lines {
            let _ = (line.guides(&lines, &Glyphs::UNICODE), line.label(&flow, &Glyphs::UNICODE));
        }
    }
}

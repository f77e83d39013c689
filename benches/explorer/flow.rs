//! Cascades of 100,000 nodes: one deep chain with branches, and thousands of short ones side by side, as of a person.

use chrono::{DateTime, TimeDelta, Utc};
use divan::{Bencher, black_box};
use obs_tui::model::flow::{Critical, Flow, Fold, Glyphs, Line, Overview, Rows, Times};
use obs_tui::model::invocation::{Event, Invocation, Job, Link, Parent};
use obs_tui::model::report;
use obs_tui::model::status::STALE_AFTER;

use super::rows::{self, Outcome, Plan};
use super::words::{FUNCTIONS, HAPPENINGS, JOBS, email};

const NODES: u64 = 100_000;
/// Lines of a screen.
const SCREEN: usize = 60;
const SHAPES: [Shape; 2] = [Shape::Deep, Shape::Wide];

#[derive(Clone, Copy, Debug)]
enum Shape {
    Deep,
    Wide,
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap_or_default()
}

/// As the reader would give them.
fn cascade(shape: Shape) -> Rows {
    let plan = Plan { rows: 0, cascade: 0, seed: 7, now: now(), random_ids: true };
    let plan = match shape {
        Shape::Deep => Plan { cascade: NODES, ..plan },
        Shape::Wide => Plan { rows: NODES / 19, ..plan },
    };
    let mut rows = Rows::default();
    for row in plan.cascades().flat_map(|cascade| cascade.invocations) {
        add(&mut rows, &row);
    }
    rows
}

fn time(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap_or_default()
}

fn add(rows: &mut Rows, row: &rows::Invocation) {
    let function = FUNCTIONS[row.function];
    let (running, failed) = (row.outcome == Outcome::Running, row.outcome == Outcome::Failed);
    let ended = time(row.at) + TimeDelta::milliseconds(row.took_ms.into());
    rows.invocations.push(Invocation {
        id: row.id,
        created_at: time(row.at),
        updated_at: ended,
        correlation_id: row.correlation.clone(),
        source_function: function.name.to_owned(),
        source_table: Some(function.table.to_owned()),
        source_operation: Some(row.operation.to_owned()),
        source_system: None,
        source_user_email: Some(email(row.user)),
        parent: row.parent.map(|(job, _)| Parent { job, link: Link::Recorded }),
        total_duration_ms: Some(row.took_ms.into()),
        status: if running { "running" } else { "completed" }.to_owned(),
        error_message: None,
        has_error_stack: false,
    });
    rows.events.extend(row.events.iter().zip(HAPPENINGS).map(|(event, happening)| Event {
        id: event.id,
        invocation_id: row.id,
        created_at: time(row.at),
        updated_at: ended,
        name: format!("{}.{happening}", function.entity),
        detected: event.detected,
        detection_duration_ms: Some(3),
        handler_duration_ms: event.detected.then_some(row.took_ms.into()),
        status: if event.detected { "completed" } else { "not_detected" }.to_owned(),
        error: None,
    }));
    rows.jobs.extend(row.jobs.iter().enumerate().map(|(nth, job)| Job {
        id: job.id,
        invocation_id: row.id,
        event_execution_id: row.events[job.event].id,
        created_at: time(job.at),
        updated_at: ended,
        name: JOBS[job.name].to_owned(),
        duration_ms: Some(job.took_ms.into()),
        status: if failed && nth == 1 { "failed" } else { "completed" }.to_owned(),
        error: (failed && nth == 1).then(|| "timeout of 10000 ms exceeded".to_owned()),
    }));
}

fn tree(shape: Shape) -> Flow {
    Flow::build(cascade(shape), now(), STALE_AFTER)
}

/// Everything open, the most that can be shown.
fn open() -> Fold {
    Fold { show_undetected: true, ..Fold::default() }
}

/// Rows → tree.
#[divan::bench(args = SHAPES)]
fn build(bencher: Bencher<'_, '_>, shape: Shape) {
    let rows = cascade(shape);
    bencher.with_inputs(|| rows.clone()).bench_values(|rows| Flow::build(rows, now(), STALE_AFTER));
}

/// Tree → all lines, undetected events folded as they are at first.
#[divan::bench(args = SHAPES)]
fn lines(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| flow.lines(black_box(&Fold::default())));
}

/// Tree → all lines, everything shown.
#[divan::bench(args = SHAPES)]
fn lines_all_open(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| flow.lines(black_box(&open())));
}

/// The texts of the lines on one screen, at the far end of the tree.
#[divan::bench(args = SHAPES)]
fn screen_of_labels(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let lines = flow.lines(&open());
    let text = |line: &Line| line.guides(&lines, &Glyphs::UNICODE) + &line.label(&flow, &Glyphs::UNICODE);
    bencher.bench(|| lines.iter().rev().take(SCREEN).map(text).collect::<Vec<_>>());
}

/// A row → its node.
#[divan::bench(args = SHAPES)]
fn find(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let last = flow.nodes.last().map(|node| node.id).unwrap_or_default();
    bencher.bench(|| flow.find(black_box(last)));
}

/// Tree → self and total times and the critical path.
#[divan::bench(args = SHAPES)]
fn times_and_path(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    let overview = Overview::of(&flow);
    bencher.bench(|| {
        let times = Times::of(&flow, &overview, now());
        Critical::of(&flow, &overview, &times, now())
    });
}

/// Tree → the JSON of `obs-tui show --json`.
#[divan::bench(args = SHAPES)]
fn report_json(bencher: Bencher<'_, '_>, shape: Shape) {
    let flow = tree(shape);
    bencher.bench(|| report::cascade(&flow));
}

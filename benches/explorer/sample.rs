//! States of the explorer as the made-up rows of the generator would give them.

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::flow::{Kind, Rows};
use obs_tui::model::hourly::{Bucket, Hourly, Source};
use obs_tui::model::invocation::{Children, Event, FailedJob, Invocation, Job, Link, Listed, Page, Parent};
use obs_tui::model::spread::Spread;
use obs_tui::model::zone::Zone;
use obs_tui::tui::app::{App, Connection, Settings, flow};
use obs_tui::tui::keymap::{Keymap, parse};
use obs_tui::tui::msg::{Cmd, Msg};
use obs_tui::tui::theme::{Depth, Palette, Theme};
use obs_tui::tui::update::{start, update};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::json;
use uuid::Uuid;

use super::rows::{self, Outcome, Plan};
use super::words::{ERRORS, FUNCTIONS, HAPPENINGS, JOBS, email};

/// Nodes of the largest cascades.
pub(crate) const NODES: u64 = 100_000;
/// Rows that the list keeps.
pub(crate) const LOADED: u64 = 50_000;
/// The terminal.
pub(crate) const SIZE: (u16, u16) = (120, 36);
pub(crate) const THEME: Theme = Theme { palette: Palette::Default, depth: Depth::True, unicode: true };

/// How 100,000 nodes hang together: in one deep chain with branches, or in thousands of short ones side by side, as of
/// a person.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Deep,
    Wide,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::Deep, Self::Wide];
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap_or_default()
}

fn plan() -> Plan {
    Plan { rows: 0, cascade: 0, seed: 7, now: now(), random_ids: true }
}

/// A cascade as the reader would give it.
pub(crate) fn cascade(shape: Shape) -> Rows {
    let plan = match shape {
        Shape::Deep => Plan { cascade: NODES, ..plan() },
        Shape::Wide => Plan { rows: NODES / 19, ..plan() },
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

fn ended(row: &rows::Invocation) -> DateTime<Utc> {
    time(row.at) + TimeDelta::milliseconds(row.took_ms.into())
}

fn failed(row: &rows::Invocation) -> bool {
    row.outcome == Outcome::Failed
}

fn invocation(row: &rows::Invocation) -> Invocation {
    let function = FUNCTIONS[row.function];
    let running = row.outcome == Outcome::Running;
    Invocation {
        id: row.id,
        created_at: time(row.at),
        updated_at: ended(row),
        correlation_id: row.correlation.as_deref().map(Into::into),
        source_function: function.name.into(),
        source_table: Some(function.table.into()),
        source_operation: Some(row.operation.into()),
        source_system: None,
        source_user_email: Some(email(row.user).into()),
        parent: row.parent.map(|(job, _)| Parent { job, link: Link::Recorded }),
        total_duration_ms: Some(row.took_ms.into()),
        status: if running { "running" } else { "completed" }.into(),
        error_message: None,
        delivery: Default::default(),
        link_unread: false,
        has_error_stack: false,
    }
}

fn add(rows: &mut Rows, row: &rows::Invocation) {
    let (entity, ended, failed) = (FUNCTIONS[row.function].entity, ended(row), failed(row));
    rows.invocations.push(invocation(row));
    rows.events.extend(row.events.iter().zip(HAPPENINGS).map(|(event, happening)| Event {
        id: event.id,
        invocation_id: row.id,
        created_at: time(row.at),
        updated_at: ended,
        name: format!("{entity}.{happening}").into(),
        detected: event.detected,
        detection_duration_ms: Some(3),
        handler_duration_ms: event.detected.then_some(row.took_ms.into()),
        status: if event.detected { "completed" } else { "not_detected" }.into(),
        error: None,
    }));
    rows.jobs.extend(row.jobs.iter().enumerate().map(|(nth, job)| Job {
        id: job.id,
        invocation_id: row.id,
        event_execution_id: row.events[job.event].id,
        created_at: time(job.at),
        updated_at: ended,
        name: JOBS[job.name].into(),
        duration_ms: Some(job.took_ms.into()),
        status: if failed && nth == 1 { "failed" } else { "completed" }.into(),
        error: (failed && nth == 1).then(|| ERRORS[1].into()),
    }));
}

/// So many rows of the list, newest first.
pub(crate) fn listed(count: u64) -> Vec<Listed> {
    let plan = Plan { rows: count, ..plan() };
    let row = |row: rows::Invocation| {
        let failed = failed(&row);
        let children = Children {
            events_checked: row.events.len() as u64,
            events_detected: row.events.iter().filter(|event| event.detected).count() as u64,
            jobs_run: row.jobs.len() as u64,
            jobs_failed: failed.into(),
            touched_at: Some(ended(&row)),
            first_failure: failed
                .then(|| Box::new(FailedJob { name: JOBS[row.jobs[1].name].into(), error: Some(ERRORS[1].into()) })),
            ..Children::default()
        };
        Listed { invocation: invocation(&row), children }
    };
    let mut rows: Vec<Listed> = plan.cascades().flat_map(|cascade| cascade.invocations).map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.invocation.created_at, row.invocation.id)));
    rows
}

/// The list with so many rows, all that there are.
pub(crate) fn list(count: u64) -> App {
    let settings = Settings {
        database: "observability_readonly@db:5432/event_detector_observability".to_owned(),
        stale_after: obs_tui::model::status::STALE_AFTER,
        poll_every: TimeDelta::seconds(2),
        zone: Zone::UTC,
        command: "obs-tui".to_owned(),
        keys: Keymap::default(),
        files: obs_tui::tui::app::Files::default(),
        warnings: Vec::new(),
    };
    let mut app = App { connection: Connection::Online, ..App::new(settings, now(), SIZE) };
    for command in start(&mut app) {
        if let Cmd::Page { request, .. } = command {
            let page = Page { rows: listed(count), more: false };
            update(&mut app, Msg::Page(request, Ok(page)));
        }
    }
    app
}

/// The tree of a cascade.
pub(crate) fn tree(shape: Shape) -> App {
    let mut app = list(100);
    let rows = cascade(shape);
    let first = rows.invocations.first().map(|row| row.id).unwrap_or_default();
    for command in flow::open(&mut app, first) {
        if let Cmd::Cascade { request, .. } = command {
            update(&mut app, Msg::Cascade(request, Ok(Some(rows.clone()))));
        }
    }
    app
}

/// A job, or an invocation with a payload of about so many bytes.
pub(crate) fn detail(bytes: usize) -> App {
    let mut app = list(100);
    let id = Uuid::from_u128(7);
    let stops: Vec<_> = (0..bytes / 100)
        .map(|n| json!({"id": n, "lane_id": n % 977, "note": "gate code 4711, call before arrival", "active": true}))
        .collect();
    let row = json!({
        "id": id, "created_at": now(), "updated_at": now(), "source_function": "event-detector-moves",
        "status": "completed", "total_duration_ms": 812,
        "source_event_payload": {"event": {"op": "UPDATE", "data": {"old": {"id": 1}, "new": {"id": 1, "stops": stops}}}},
    });
    for command in obs_tui::tui::app::detail::open(&mut app, Kind::Invocation, id, false) {
        if let Cmd::Row { request, .. } = command {
            update(&mut app, Msg::Row(request, Ok(Some(row.clone()))));
        }
    }
    app
}

/// The charts of thirty days of ten functions.
pub(crate) fn charts() -> App {
    let mut app = list(100);
    let hour = TimeDelta::hours(1);
    let bucket = |n: u64, name: &str| Bucket {
        at: now() - hour * i32::try_from(719 - n).unwrap_or(0),
        function: name.to_owned(),
        total: 40 + n % 24 * 7,
        ok: 40 + n % 24 * 7 - n % 5,
        failed: n % 5,
        events_detected: 60,
        jobs_run: 160,
        avg_ms: Some(312.5),
        max_ms: Some(11_200),
        p50_ms: Some(290.0),
        p95_ms: Some(1_840.0),
        spread: Spread::from_counts(&[3; 30]),
        failed_jobs: vec![("sendNotification".to_owned(), n % 5)],
    };
    let buckets = (0..720).flat_map(|n| FUNCTIONS.iter().map(move |function| bucket(n, function.name))).collect();
    for command in press(&mut app, "4") {
        if let Cmd::Hourly { request, from, to, step } = command {
            let (source, as_of, from_rows) = (Source::MetricsHourly, now(), Vec::new());
            let hourly = Hourly { source, as_of, from_rows, back_to: None, step, from, to, buckets };
            update(&mut app, Msg::Hourly(request, Ok(hourly)));
            break;
        }
    }
    app
}

/// Presses keys, and gives what was asked for.
pub(crate) fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
    parse(keys).into_iter().flat_map(|press| update(app, Msg::Key(press.event()))).collect()
}

/// A frame to draw into.
pub(crate) fn frame() -> Buffer {
    Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1))
}

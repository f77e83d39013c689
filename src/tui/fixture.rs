//! Sample states for tests of screens: a fixed clock, fixed ids, and the cascade of the design's pictures.

pub mod server;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::json;
use uuid::Uuid;

use super::app::live::Listening;
use super::app::{App, Connection, Files, Settings};
use super::keymap;
use super::msg::{Cmd, Msg};
use super::theme::{Depth, Palette, Theme};
use super::update::update;
use super::view;
use crate::logs::{Level, LogLine, LogPage, Origin};
use crate::model::failures::{Failed, Failures, JobStat, JobStats, Looked, Run};
use crate::model::flow::{Kind, Rows};
use crate::model::hourly::{Bucket, Hourly, Source, Step};
use crate::model::invocation::{Children, Event, FailedJob, Invocation, Job, Link, Listed, Parent};
use crate::model::spread::Spread;
use crate::model::zone::Zone;

/// Colours and Unicode.
pub const THEME: Theme = Theme { palette: Palette::Default, depth: Depth::Sixteen, unicode: true };
/// Neither.
pub const PLAIN: Theme = Theme { palette: Palette::Mono, depth: Depth::Sixteen, unicode: false };

/// The error of the failed job.
const TWILIO: &str = "TwilioError: 21610 Attempt to send to unsubscribed recipient\n    \
                      at RestException (twilio/lib/base/RestException.js:23)";

/// 2026-11-20T12:04:33Z.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_176_273, 0).unwrap()
}

/// A moment so many milliseconds before [`now`].
pub fn ago(milliseconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::milliseconds(milliseconds)
}

/// A fixed id.
pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x550e_8400_0000_7000_8000_0000_0000_0000 | n | (n << 96))
}

/// An empty state that is online, at a server that does not tell of new rows.
pub fn app(size: (u16, u16)) -> App {
    let settings = Settings {
        database: "observability_readonly@db:5432/event_detector_observability".to_owned(),
        stale_after: TimeDelta::minutes(15),
        poll_every: TimeDelta::seconds(2),
        zone: Zone::fixed(FixedOffset::east_opt(3600).unwrap()),
        command: "obs-tui".to_owned(),
        keys: keymap::Keymap::default(),
        files: Files::default(),
        warnings: Vec::new(),
    };
    App { connection: Connection::Online, listening: Listening::Refused, ..App::new(settings, now(), size) }
}

/// Draws a state at a size.
pub fn screen(app: &App, theme: &Theme, size: (u16, u16)) -> String {
    let mut app = app.clone();
    if app.size != size {
        update(&mut app, Msg::Resize(size.0, size.1));
    }
    let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    view::draw(&app, theme, &mut buf);
    text(&buf)
}

/// The characters of a buffer, a line a row.
pub fn text(buf: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in buf.area.top()..buf.area.bottom() {
        let (mut line, mut covered) = (String::new(), 0);
        for x in buf.area.left()..buf.area.right() {
            if covered > 0 {
                covered -= 1;
                continue;
            }
            let symbol = buf[(x, y)].symbol();
            covered = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Compares a state, drawn at 80x24 and at 120x36, with `snapshots/{name}__80x24.snap` and `…__120x36.snap`. The name
/// has the form `screen__state`.
pub fn assert_screen(name: &str, app: &App) {
    for size in [(80, 24), (120, 36)] {
        assert_screen_at(name, app, &THEME, size);
    }
}

/// Compares a state, drawn at one size, with `snapshots/{name}__{size}.snap`.
pub fn assert_screen_at(name: &str, app: &App, theme: &Theme, size: (u16, u16)) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let drawn = screen(app, theme, size);
    settings.bind(|| insta::assert_snapshot!(format!("{name}__{}x{}", size.0, size.1), drawn));
}

/// Presses keys, in the notation of the key table (`jj<Down>gg`), and gives what was asked for.
pub fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
    keymap::parse(keys).into_iter().flat_map(|press| update(app, Msg::Key(press.event()))).collect()
}

/// An event from its key's notation.
pub fn key(notation: &str) -> KeyEvent {
    keymap::parse(notation)[0].event()
}

/// A finished invocation without events or jobs.
pub fn invocation(n: u128, milliseconds_ago: i64, function: &str, trigger: (&str, &str)) -> Invocation {
    Invocation {
        id: id(n),
        created_at: ago(milliseconds_ago),
        updated_at: ago(milliseconds_ago),
        correlation_id: Some(format!("{}.{}", trigger.1, id(n)).into()),
        source_function: format!("event-detector-{function}").into(),
        source_table: Some(format!("public.{}", trigger.1).into()),
        source_operation: Some(trigger.0.into()),
        source_system: Some("event-handlers".into()),
        source_user_email: Some("admin@hopdrive.com".into()),
        parent: None,
        total_duration_ms: Some(96),
        status: "completed".into(),
        error_message: None,
        delivery: Default::default(),
        link_unread: false,
        has_error_stack: false,
    }
}

/// Twelve rows of the list, newest first: running, ok, failed, stuck, a child.
pub fn listed() -> Vec<Listed> {
    // Age, function, trigger, user, detected/checked, jobs ok, jobs failed, duration.
    type Sample = (i64, &'static str, &'static str, &'static str, (u64, u64), (u64, u64), i64);
    let samples: [Sample; 12] = [
        (1_792, "moves", "UPDATE", "driver7@hopdrive.com", (2, 14), (3, 0), 0),
        (2_089, "rides", "INSERT", "system:sla", (1, 14), (2, 0), 812),
        (3_560, "moves", "UPDATE", "admin@hopdrive.com", (2, 14), (2, 1), 1_800),
        (3_998, "moves", "UPDATE", "event-detector.sendNotification.41aa", (0, 14), (0, 0), 96),
        (4_270, "users", "UPDATE", "admin@hopdrive.com", (1, 6), (1, 0), 140),
        (5_882, "lanes", "INSERT", "import-bot", (1, 9), (4, 0), 2_310),
        (7_336, "moves", "UPDATE", "driver2@hopdrive.com", (1, 14), (3, 0), 640),
        (8_990, "moves", "UPDATE", "driver9@hopdrive.com", (0, 14), (0, 0), 88),
        (9_623, "rides", "UPDATE", "system:sla", (1, 14), (0, 2), 10_020),
        (11_095, "moves", "DELETE", "admin@hopdrive.com", (1, 14), (1, 0), 203),
        (960_449, "users", "INSERT", "signup", (2, 6), (0, 0), 0),
        (86_500_796, "moves", "UPDATE", "driver1@hopdrive.com", (1, 14), (3, 0), 588),
    ];
    let row = |(n, (age, function, operation, user, events, jobs, duration)): (usize, Sample)| {
        let mut invocation = invocation(n as u128 + 1, age, function, (operation, function));
        invocation.source_user_email = Some(user.into());
        invocation.total_duration_ms = (duration > 0).then_some(duration);
        let unfinished = u64::from(duration == 0);
        if unfinished > 0 {
            invocation.status = "running".into();
        }
        if n == 3 {
            invocation.correlation_id = Some(format!("moves.{}", id(3)).into());
            invocation.parent = Some(Parent { job: id(42), link: Link::Inferred });
        }
        let children = Children {
            events_checked: events.1,
            events_detected: events.0,
            events_failed: jobs.1,
            jobs_run: jobs.0 + jobs.1 + unfinished,
            jobs_failed: jobs.1,
            jobs_unfinished: unfinished,
            jobs_stuck_themselves: u64::from(age > 900_000 && unfinished > 0),
            touched_at: Some(invocation.created_at),
            first_failure: (jobs.1 > 0).then(|| {
                let error = "TwilioError: 21610 Attempt to send to unsubscribed recipient";
                Box::new(FailedJob { name: "sendNotification".into(), error: Some(error.into()) })
            }),
            ..Children::default()
        };
        Listed { invocation, children }
    };
    samples.into_iter().enumerate().map(row).collect()
}

/// An event of the cascade.
pub fn event(n: u128, of: u128, milliseconds_ago: i64, name: &str, status: &str) -> Event {
    let detected = status != "not_detected";
    Event {
        id: id(n),
        invocation_id: id(of),
        created_at: ago(milliseconds_ago),
        updated_at: ago(milliseconds_ago),
        name: name.into(),
        detected,
        detection_duration_ms: Some(9),
        handler_duration_ms: (detected && status != "handling").then_some(1_200),
        status: status.into(),
        error: None,
    }
}

/// A job of the cascade.
pub fn job(n: u128, of: (u128, u128), milliseconds_ago: i64, name: &str, duration: Option<i64>) -> Job {
    Job {
        id: id(n),
        invocation_id: id(of.0),
        event_execution_id: id(of.1),
        created_at: ago(milliseconds_ago),
        updated_at: ago(milliseconds_ago),
        name: name.into(),
        duration_ms: duration,
        status: if duration.is_some() { "completed" } else { "running" }.into(),
        error: None,
    }
}

/// A cascade of four invocations: `moves UPDATE` detects `move.pickup.successful`, whose three jobs change further rows.
/// One job fails, one is running, one is stuck below an ended event, one link is inferred, 12 events are not detected.
pub fn rows() -> Rows {
    let chain = Some(format!("moves.{}", id(3)).into());
    let child = |n, ago, function, trigger, job: u128, link| Invocation {
        parent: Some(Parent { job: id(job), link }),
        correlation_id: chain.clone(),
        ..invocation(n, ago, function, trigger)
    };
    let root = Invocation { total_duration_ms: Some(1_800), ..invocation(3, 3_560, "moves", ("UPDATE", "moves")) };
    let mut running = child(103, 2_900, "analytics", ("INSERT", "facts"), 42, Link::Inferred);
    running.status = "running".into();
    running.total_duration_ms = None;
    let mut failed = job(41, (3, 21), 3_480, "sendNotification", Some(912));
    failed.status = "failed".into();
    failed.error = Some(TWILIO.into());
    let mut events = vec![
        event(21, 3, 3_545, "move.pickup.successful", "completed"),
        event(22, 101, 3_100, "move.sla.changed", "completed"),
        event(23, 103, 2_890, "fact.added", "handling"),
        event(24, 3, 3_540, "move.sla.recalculated", "completed"),
    ];
    events.extend((0..12).map(|n| event(60 + n, 3, 3_550, &format!("move.other.{n:02}"), "not_detected")));
    let mut rows = Rows {
        invocations: vec![
            root,
            child(101, 3_110, "moves", ("UPDATE", "moves"), 40, Link::Recorded),
            child(102, 2_600, "lanes", ("UPSERT", "lanes"), 44, Link::Recorded),
            running,
        ],
        events,
        jobs: vec![
            job(40, (3, 21), 3_500, "reapplySlaDuration", Some(450)),
            failed,
            job(42, (3, 21), 3_470, "updateAnalytics", Some(120)),
            job(43, (101, 22), 3_050, "notifyDispatch", Some(300)),
            job(44, (101, 22), 3_040, "rebuildLane", Some(880)),
            job(45, (101, 22), 3_030, "archiveMove", None),
            job(46, (103, 23), 2_100, "aggregateHour", None),
        ],
        ..Rows::default()
    };
    // Nothing below the ended invocation 101 was touched for so long that it waits for nothing any more.
    let touched = ago(120_000);
    rows.invocations.iter_mut().filter(|row| row.id == id(101)).for_each(|row| row.updated_at = touched);
    rows.events.iter_mut().filter(|row| row.invocation_id == id(101)).for_each(|row| row.updated_at = touched);
    rows.jobs.iter_mut().filter(|row| row.invocation_id == id(101)).for_each(|row| row.updated_at = touched);
    rows
}

/// A day of four functions.
pub fn hourly() -> Hourly {
    let last = DateTime::from_timestamp(1_795_176_000, 0).unwrap();
    let first = last - TimeDelta::hours(23);
    let functions = [
        ("moves", 612, 310.0, "sendNotification"),
        ("rides", 401, 420.0, "chargeCard"),
        ("users", 120, 90.0, "geocode"),
        ("lanes", 71, 610.0, "rebuildLane"),
    ];
    let mut buckets = Vec::new();
    for hour in 0..24_i32 {
        for (i, (name, most, median, job)) in (0_i32..).zip(functions) {
            // A bell over the day, no randomness.
            let total = u64::try_from(most * (24 - (hour - 15).abs()) / 24).unwrap();
            let failed = if (hour + i) % 5 == 0 { total / 16 } else { total / 100 };
            let mut spread = Spread::default();
            for n in 0..total {
                let part = (n as f64 + 0.5) / total as f64;
                spread.add(median * (0.4 + 1.2 * part + 8.0 * part.powi(12)) + f64::from(hour) * 6.0);
            }
            buckets.push(Bucket {
                at: first + TimeDelta::hours(hour.into()),
                function: format!("event-detector-{name}"),
                total,
                ok: total - failed - if hour == 23 { total / 9 } else { 0 },
                failed,
                events_detected: total * 2,
                jobs_run: total * 3,
                avg_ms: Some(median * 1.4),
                max_ms: Some(11_200 - i64::from(hour) * 100),
                p50_ms: Some(median),
                p95_ms: Some(median * 6.0 + f64::from(hour) * 10.0),
                spread: Some(spread),
                failed_jobs: if failed > 0 { vec![(job.to_owned(), failed)] } else { Vec::new() },
            });
        }
    }
    let (source, as_of) = (Source::MetricsHourly, ago(240_000));
    let from_rows = vec![last..last + Step::Hour.length()];
    Hourly { source, as_of, from_rows, back_to: None, step: Step::Hour, from: first, to: last, buckets }
}

/// What failed in a day: 15 rows of 4 kinds.
pub fn failures() -> Failures {
    let failed = |n: u128, ago_ms: i64, kind: Kind, name: &str, error: String| Failed {
        kind,
        id: id(n),
        invocation: id(if n == 41 { 3 } else { 500 + n }),
        event: None,
        name: name.into(),
        at: ago(ago_ms),
        error,
    };
    let mut rows = vec![failed(41, 3_480, Kind::Job, "sendNotification", TWILIO.to_owned())];
    rows.extend((0..10_u128).map(|n| {
        let at = 60_000 + 1_800_000 * i64::try_from(n).unwrap();
        let error = format!("TwilioError: {} Attempt to send to unsubscribed recipient", 21_611 + n);
        failed(700 + n, at, Kind::Job, "sendNotification", error)
    }));
    let timeout = |n: u128| format!("timeout after {}ms: \"https://pay.example/charge/{n}\"", 30_000 + n);
    rows.extend((0..2_u128).map(|n| failed(720 + n, 30_000_000, Kind::Job, "chargeCard", timeout(n))));
    rows.push(failed(730, 40_000_000, Kind::Event, "move.cancel.pending", "x is not a function".to_owned()));
    rows.push(failed(731, 86_000_000, Kind::Invocation, "event-detector-rides", String::new()));
    Failures { rows, more: false, looked: looked() }
}

/// All of a day was looked at.
pub fn looked() -> Looked {
    Looked { from: ago(86_400_000), to: now(), invocations: 1_204, only_since: None }
}

/// How the jobs of five names went.
pub fn job_stats() -> JobStats {
    type Sample = (&'static str, u64, u64, [i64; 3]);
    let samples: [Sample; 5] = [
        ("sendNotification", 3_612, 311, [310, 1_910, 11_200]),
        ("reapplySlaDuration", 2_401, 0, [420, 2_400, 10_000]),
        ("updateAnalytics", 1_120, 4, [90, 310, 2_100]),
        ("a job with a very long name that is cut off where there is no room for it", 7, 7, [5, 9, 9]),
        ("aggregateHour", 1, 0, [0, 0, 0]),
    ];
    let stat = |(n, (name, runs, failed, [p50, p95, max])): (u128, Sample)| {
        let run = |job: u128, ms| Some(Run { job: id(job), invocation: id(3), at: ago(3_480), ms });
        let known = name != "aggregateHour";
        JobStat {
            name: name.into(),
            runs,
            failed,
            p50_ms: known.then_some(p50),
            p95_ms: known.then_some(p95),
            slowest: run(40 + n, Some(max)).filter(|_| known),
            last_failed: run(41, Some(912)).filter(|_| failed > 0),
            last: run(42, None),
        }
    };
    JobStats { jobs: (0..).zip(samples).map(stat).collect(), looked: looked() }
}

/// Log lines of the failed job.
pub fn log_page() -> LogPage {
    let samples = [
        (0, Level::Info, "event-detector-moves", "job start sendNotification moveId=123"),
        (11, Level::Info, "event-detector-moves", "Sending pickup notification for move 123"),
        (12, Level::Debug, "event-detector-moves", "template pickup_complete loaded"),
        (204, Level::Info, "notify-svc", "POST /v1/sms to=+1555*****12 template=pickup_complete"),
        (655, Level::Warn, "notify-svc", "upstream slow: [twilio] 431ms"),
        (904, Level::Error, "notify-svc", "[Twilio] 21610 Attempt to send to unsubscribed recipient"),
        (
            910,
            Level::Error,
            "event-detector-moves",
            "Failed to send notification: 21610 Attempt to send to unsubscribed recipient",
        ),
        (912, Level::Info, "event-detector-moves", "job end sendNotification status=failed 912ms"),
    ];
    let start = ago(3_480).timestamp_nanos_opt().unwrap();
    let lines = samples.map(|(at, level, service, message)| LogLine {
        at_ns: start + at * 1_000_000,
        level,
        message: message.to_owned(),
        service: service.to_owned(),
        fields: if at == 904 { json!({"code": 21610, "status": 400, "to": "+1555*****12"}) } else { json!(null) },
        origin: Origin::Loki,
    });
    LogPage {
        lines: lines.into(),
        complete: true,
        query: format!("{{app=~\".+\"}} | json | correlationId=`moves.{}`", id(3)),
        took_ms: 42,
    }
}

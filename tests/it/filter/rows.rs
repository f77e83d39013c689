//! Random rows that hold what real ones do not, and random filters that ask for it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use obs_tui::model::invocation::{Event, Job, Listed};
use obs_tui::store::time::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use uuid::Uuid;

use crate::common::{self, TestDb};

const NAMES: [&str; 20] = [
    "event-detector-moves",
    "Event-Detector-Moves",
    "move.pickup.successful",
    "move.pickup",
    "sendNotification",
    "send_notification",
    "sendNotificati%n",
    "100%",
    "100x",
    "a_b",
    "axb",
    "c\\d",
    "it's",
    "say \"hi\" ,twice",
    "x*y",
    "größer 日本",
    "line\nbreak",
    "-st:ok",
    "~x",
    "driver@company.com",
];
const STATUSES: [Option<&str>; 19] = [
    Some("completed"),
    Some("completed"),
    Some("completed"),
    Some("running"),
    Some("failed"),
    Some("not_detected"),
    Some("handling"),
    Some("postponed"),
    Some("Completed"),
    Some("success"),
    Some("skipped"),
    Some("ERROR"),
    Some("timeout"),
    Some("Cancelled"),
    Some("canceled"),
    Some("NOT_DETECTED"),
    Some("Pending"),
    Some(""),
    None,
];

fn name(rng: &mut Rng) -> &'static str {
    NAMES[rng.usize(..NAMES.len())]
}

fn often_absent(rng: &mut Rng) -> Option<&'static str> {
    match rng.u8(..10) {
        0..4 => None,
        4 => Some(""),
        _ => Some(name(rng)),
    }
}

fn status(rng: &mut Rng, odd: bool) -> Option<&'static str> {
    if odd { STATUSES[rng.usize(..STATUSES.len())] } else { Some("completed") }
}

fn payload(rng: &mut Rng) -> Value {
    let number = |text: &str| serde_json::from_str(text).unwrap();
    let leaf = |rng: &mut Rng| match rng.u8(..10) {
        8 => number(["123456789012345678901", "123456789012345678902", "1e400", "-1e400"][rng.usize(..4)]),
        9 => number(["1.0", "1e0", "10e-1", "1.00"][rng.usize(..4)]),
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i32(-3..4)),
        3 => json!(f64::from(rng.i32(-3..4)) / 2.0),
        4 => json!(rng.i32(0..3).to_string()),
        5 => json!([rng.i32(0..3), {"n": rng.i32(0..3)}, [1], "x"]),
        6 => json!({"n": rng.i32(0..3)}),
        _ => json!(name(rng)),
    };
    let new = json!({"id": leaf(rng), "a.b": leaf(rng), "status": leaf(rng)});
    match rng.u8(..6) {
        0 => json!({}),
        1 => json!({"data": {"new": new}, "id": leaf(rng)}),
        2 => json!([new, leaf(rng)]),
        3 => leaf(rng),
        _ => json!({"event": {"op": "UPDATE", "data": {"old": leaf(rng), "new": new}}, "id": leaf(rng)}),
    }
}

/// Writes rows without any of the checks that a database makes.
pub(super) async fn write(db: &TestDb, rng: &mut Rng, now: DateTime<Utc>, invocations: usize) {
    let mut session = common::session(&db.superuser).await;
    for statement in [
        "set session_replication_role = replica",
        "alter table invocations drop constraint invocations_status_check, alter updated_at drop not null",
        "alter table event_executions drop constraint event_executions_status_check, alter updated_at drop not null",
        "alter table job_executions drop constraint job_executions_status_check, alter updated_at drop not null",
    ] {
        session.execute(statement).await.unwrap();
    }
    let touched = |rng: &mut Rng, stale: bool| {
        let minutes = if stale { [16, 30, 3000] } else { [0, 14, 15] };
        (rng.u8(..8) > 0).then(|| now - TimeDelta::minutes(minutes[rng.usize(..3)]))
    };
    for _ in 0..invocations {
        let (id, odd, stale) = (Uuid::from_u128(rng.u128(..)), rng.u8(..3) == 0, rng.bool());
        let created_at = now - TimeDelta::microseconds(rng.i64(0..3 * 86_400_000_000));
        let correlation = match rng.u8(..4) {
            0 => Some(format!("moves.{}", Uuid::from_u128(rng.u128(..)))),
            _ => often_absent(rng).map(str::to_owned),
        };
        let table = often_absent(rng).map(|name| if rng.bool() { format!("public.{name}") } else { name.to_owned() });
        let insert = "insert into invocations (id, created_at, updated_at, correlation_id, source_function, source_table, \
             source_operation, source_system, source_user_email, source_event_payload, total_duration_ms, status, error_message, \
             error_stack) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let invocation = sqlx::query(insert)
            .bind(id)
            .bind(Timestamp(created_at))
            .bind(touched(rng, stale).map(Timestamp))
            .bind(correlation)
            .bind(name(rng))
            .bind(table)
            .bind([None, Some("UPDATE"), Some("INSERT"), Some("delete")][rng.usize(..4)])
            .bind(often_absent(rng))
            .bind(often_absent(rng))
            .bind(payload(rng))
            .bind((rng.u8(..4) > 0).then(|| [0, 1, 50, 999, 1000, 1001, 60_000, 7_200_000][rng.usize(..8)]))
            .bind(status(rng, odd))
            .bind(if odd { often_absent(rng).filter(|_| rng.u8(..3) == 0) } else { None })
            .bind(if odd { often_absent(rng).filter(|_| rng.u8(..6) == 0) } else { None });
        invocation.execute(&mut session).await.unwrap();
        for _ in 0..rng.usize(..4) {
            let event = Uuid::from_u128(rng.u128(..));
            let insert = "insert into event_executions (id, invocation_id, created_at, updated_at, event_name, detected, status, \
                 detection_error, handler_error, handler_error_stack) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
            let error = |rng: &mut Rng| if odd { often_absent(rng).filter(|_| rng.u8(..6) == 0) } else { None };
            let query = sqlx::query(insert)
                .bind(event)
                .bind(id)
                .bind(Timestamp(created_at))
                .bind(touched(rng, stale).map(Timestamp))
                .bind(name(rng))
                .bind(rng.bool())
                .bind(status(rng, odd))
                .bind(error(rng))
                .bind(error(rng))
                .bind(error(rng));
            query.execute(&mut session).await.unwrap();
            for _ in 0..rng.usize(..3) {
                let insert = "insert into job_executions (id, invocation_id, event_execution_id, created_at, updated_at, job_name, \
                     status, error_message, error_stack) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
                let query = sqlx::query(insert)
                    .bind(Uuid::from_u128(rng.u128(..)))
                    .bind(id)
                    .bind(event)
                    .bind(Timestamp(created_at))
                    .bind(touched(rng, stale).map(Timestamp))
                    .bind(name(rng))
                    .bind(status(rng, odd))
                    .bind(error(rng))
                    .bind(error(rng));
                query.execute(&mut session).await.unwrap();
            }
        }
    }
    session.close().await.unwrap();
}

/// A filter of one to three terms, most of them about something that the rows hold.
pub(super) fn filter(rng: &mut Rng, listed: &[Listed], events: &[Event], jobs: &[Job]) -> String {
    let terms: Vec<_> = (0..1 + rng.usize(..3))
        .map(|_| {
            let sign = if rng.u8(..4) == 0 { "-" } else { "" };
            format!("{sign}{}", term(rng, listed, events, jobs))
        })
        .collect();
    terms.join(" ")
}

fn term(rng: &mut Rng, listed: &[Listed], events: &[Event], jobs: &[Job]) -> String {
    let one = listed[rng.usize(..listed.len())].invocation.clone();
    let own = |text: Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    let (event, job) = (&events[rng.usize(..events.len())], &jobs[rng.usize(..jobs.len())]);
    match rng.u8(..18) {
        0 => format!("fn:{}", texts(rng, &one.source_function)),
        1 => format!("user:{}", texts(rng, &own(one.source_user_email))),
        2 => format!("op:{}", texts(rng, &own(one.source_operation))),
        3 => format!("table:{}", texts(rng, &own(one.source_table))),
        4 => format!("sys:{}", texts(rng, &own(one.source_system))),
        5 => format!("corr:{}", texts(rng, &own(one.correlation_id))),
        6 => format!("evt:{}", texts(rng, &event.name)),
        7 => format!("job:{}", texts(rng, &job.name)),
        8 | 9 => {
            let statuses = ["ok", "failed", "stuck", "running", "not_detected"];
            let other = if rng.bool() { format!(",{}", statuses[rng.usize(..5)]) } else { String::new() };
            format!("st:{}{other}", statuses[rng.usize(..5)])
        }
        10 => ["dur:>1s", "dur:1000", "dur:50..1s", "dur:<=999", "dur:>1h", "dur:..0,2h.."][rng.usize(..6)].to_owned(),
        11 => ["jobs:0", "jobs:>1", "jobs:2..3", "fails:0", "fails:>0", "fails:>=2,0"][rng.usize(..6)].to_owned(),
        12 => {
            let at = one.created_at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
            match rng.u8(..5) {
                0 => format!("at:{at}"),
                1 => format!("at:{at}..+10h"),
                2 => format!("at:..{at},1h"),
                _ => ["30h", "today", "yesterday", "8:00..20:00", "2d..1d", "at:all"][rng.usize(..6)].to_owned(),
            }
        }
        13 | 14 => payload_term(rng),
        15 => {
            own(one.source_user_email.filter(|text| text.contains('@')).or_else(|| Some("nobody@company.com".into())))
        }
        _ => {
            let texts = [
                own(one.correlation_id),
                own(one.error_message),
                own(event.error.clone()),
                own(job.error.clone()),
                job.name.to_string(),
            ];
            let text = texts[rng.usize(..texts.len())].clone();
            match rng.u8(..3) {
                0 => pattern(rng, &text),
                _ => {
                    let part = part(rng, &text);
                    quoted(&swapped(rng, &part))
                }
            }
        }
    }
}

/// One or two values, about this text.
fn texts(rng: &mut Rng, text: &str) -> String {
    let value = |rng: &mut Rng, text: &str| match rng.u8(..4) {
        0 | 1 => quoted(text),
        2 => {
            let plain: String =
                part(rng, text).chars().filter(|c| !c.is_whitespace() && !",\"<>~".contains(*c)).collect();
            let (before, after) = (if rng.bool() { "*" } else { "" }, if rng.bool() { "" } else { "*" });
            format!("{before}{}{after}*", swapped(rng, &plain))
        }
        _ => pattern(rng, text),
    };
    let first = value(rng, text);
    if rng.u8(..4) > 0 || first.starts_with('~') {
        return first;
    }
    let other = name(rng);
    format!("{first},{}", value(rng, other))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn part(rng: &mut Rng, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let from = rng.usize(..=chars.len());
    chars[from..rng.usize(from..=chars.len())].iter().collect()
}

/// Some ASCII letters in the other case: other letters follow the locale of the server.
fn swapped(rng: &mut Rng, text: &str) -> String {
    let swap = rng.bool();
    text.chars().map(|c| if swap { c.to_ascii_uppercase() } else { c }).collect()
}

fn pattern(rng: &mut Rng, text: &str) -> String {
    let mut pattern = String::new();
    for c in part(rng, text).chars() {
        match rng.u8(..12) {
            0 => pattern.push('.'),
            1 => pattern.push_str("\\w?"),
            2 if c.is_ascii_lowercase() => pattern.push_str("[a-m%_]"),
            3 if c.is_ascii_alphabetic() => pattern.push_str(&format!("(?:{c}|x)+")),
            4 => pattern.push_str("\\W*"),
            _ if c.is_ascii_punctuation() => pattern.extend(['\\', c]),
            _ => pattern.push(c),
        }
    }
    let (start, end) = (["", "^", "^.*"][rng.usize(..3)], ["", "$", "[^x]*$"][rng.usize(..3)]);
    let pattern = format!("{start}{pattern}{end}");
    if pattern.is_empty() { "~.".to_owned() } else { format!("~{}", quoted(&swapped_letters(rng, &pattern))) }
}

/// As [`swapped`], but classes such as `\w` keep their case.
fn swapped_letters(rng: &mut Rng, pattern: &str) -> String {
    if pattern.contains(['\\', '[']) { pattern.to_owned() } else { swapped(rng, pattern) }
}

fn payload_term(rng: &mut Rng) -> String {
    let paths = [
        "id",
        "data.new.id",
        "event.data.new.id",
        "data.new.\"a.b\"",
        "data.new.status",
        "data.new.id[]",
        "data.new.id[].n",
        "data.old.n",
        "data.old[][]",
        "op",
    ];
    let path = paths[rng.usize(..paths.len())];
    let roots = ["[].id", "[].status", "[]"];
    let path = if rng.u8(..6) == 0 { roots[rng.usize(..3)].to_owned() } else { format!(".{path}") };
    let value = |rng: &mut Rng| match rng.u8(..6) {
        0 => "null".to_owned(),
        1 => rng.bool().to_string(),
        2 => rng.i32(-3..4).to_string(),
        3 => match rng.u8(..7) {
            0 => "123456789012345678901".to_owned(),
            1 => format!("1{}", "0".repeat(400)),
            _ => ["0.5", "1.0", "-1.50", "UPDATE", "x"][rng.usize(..5)].to_owned(),
        },
        4 => quoted(&rng.i32(0..3).to_string()),
        _ => quoted(name(rng)),
    };
    let first = value(rng);
    if rng.bool() { format!("payload{path}:{first}") } else { format!("payload{path}:{first},{}", value(rng)) }
}

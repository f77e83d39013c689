//! Plays planned chains through the recorder: the past day in a moment, then live.

use std::io;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use serde_json::{Value, json};

use super::plan::{Call, Detected, End, Work, call};
use crate::clock::{Clock, Ids};
use crate::recorder::{Handler, Invocation, Level, Options, Recorder};
use crate::store::config::Config;

/// Chains of the past day that are written before the live ones.
const HISTORY: u32 = 500;

/// How time passes while a chain is played.
#[derive(Clone, Debug)]
enum Pace {
    /// As it does.
    Live,
    /// At once, by moving the hands of this clock.
    Past(Clock),
}

impl Pace {
    async fn pass(&self, ms: u32) {
        match self {
            Self::Live => tokio::time::sleep(Duration::from_millis(ms.into())).await,
            Self::Past(clock) => clock.advance(TimeDelta::milliseconds(ms.into())),
        }
    }
}

/// Writes the past day and returns what the recorder says of it. Takes a second or two.
pub(super) async fn history(app: &Config, rng: &mut Rng, now: DateTime<Utc>) -> crate::recorder::Shutdown {
    let day = TimeDelta::hours(24);
    let clock = Clock::manual(now - day);
    let options = Options { clock: clock.clone(), ids: Ids::random(clock.clone()), ..Options::new(app.clone()) };
    let recorder = Recorder::new(options);
    let pace = Pace::Past(clock.clone());
    for n in 0..HISTORY {
        // Work leans to the middle of the day, with a little noise.
        let share = f64::from(n) / f64::from(HISTORY);
        let bent = share + 0.08 * (share * std::f64::consts::TAU).sin() + rng.f64() / f64::from(HISTORY);
        #[expect(clippy::cast_possible_truncation, reason = "a day in milliseconds fits")]
        let offset = TimeDelta::milliseconds((bent.clamp(0.0, 0.998) * day.num_milliseconds() as f64) as i64);
        let wait = now - day + offset - clock.now();
        if wait > TimeDelta::zero() {
            clock.advance(wait);
        }
        play(recorder.clone(), call(rng, 0), None, pace.clone()).await;
    }
    let recorder_end = tokio::task::spawn_blocking(move || recorder.shutdown(Duration::from_secs(20)));
    recorder_end.await.unwrap_or_default()
}

/// Starts `rate` chains per second, until the future is dropped.
pub(super) async fn live(recorder: Recorder, mut rng: Rng, rate: f64) {
    let mut chains = tokio::task::JoinSet::new();
    loop {
        let recorder = recorder.clone();
        let chain = call(&mut rng, 0);
        chains.spawn(play(recorder, chain, None, Pace::Live));
        while chains.try_join_next().is_some() {}
        // Arrivals of independent events: exponential gaps.
        let gap = -(1.0 - rng.f64()).ln() / rate;
        tokio::time::sleep(Duration::from_secs_f64(gap.min(60.0))).await;
    }
}

/// Plays a call and what it causes; `updated_by` is what the causing job wrote into the row.
fn play(recorder: Recorder, call: Call, updated_by: Option<String>, pace: Pace) -> BoxFuture<'static, ()> {
    async move {
        let invocation = start(&recorder, &call, updated_by.as_deref());
        pace.pass(5).await;
        for module in &call.undetected {
            invocation.event(module).not_detected();
        }
        let mut later = Vec::new();
        for event in call.detected {
            later.extend(handle(&recorder, &invocation, event, call.killed, &pace).await);
        }
        if call.killed {
            // A killed writer never says how it ended.
            std::mem::forget(invocation);
        } else {
            invocation.finish();
        }
        for (call, token) in later {
            pace.pass(30).await;
            play(recorder.clone(), call, Some(token), pace.clone()).await;
        }
    }
    .boxed()
}

fn start(recorder: &Recorder, call: &Call, updated_by: Option<&str>) -> Invocation {
    let person = call.actor.contains('@');
    let builder = recorder
        .invocation(call.function)
        .system("hasura")
        .table(&format!("public.{}", call.table))
        .operation(call.operation)
        .user_role(if person { "user" } else { "system" })
        .payload(&payload(call, updated_by));
    let builder = if person { builder.user_email(call.actor) } else { builder };
    // Some sources know no better correlation id than the person who acted.
    let builder = if person && call.row.is_multiple_of(5) && updated_by.is_none() {
        builder.correlation_id(call.actor)
    } else {
        builder
    };
    builder.start()
}

/// Runs the jobs side by side; returns the calls that are caused but not played yet.
async fn handle(
    recorder: &Recorder,
    invocation: &Invocation,
    event: Detected,
    killed: bool,
    pace: &Pace,
) -> Vec<(Call, String)> {
    let detection = invocation.event(event.name);
    pace.pass(event.detection_ms).await;
    let handler = detection.detected();
    match event.handler {
        Err(message) => {
            handler.handler_failed(&io::Error::other(message));
            Vec::new()
        }
        Ok(jobs) => {
            let later = join_all(jobs.into_iter().map(|job| run(recorder, &handler, job, pace))).await;
            if killed {
                std::mem::forget(handler);
            } else {
                handler.finish();
            }
            later.into_iter().flatten().collect()
        }
    }
}

async fn run(recorder: &Recorder, handler: &Handler, work: Work, pace: &Pace) -> Option<(Call, String)> {
    let job = handler.job(work.name).options(&json!({ "retries": 2 })).start();
    let token = job.token().to_string();
    job.log(Level::INFO, &format!("{} started", work.name), &json!({ "retries": 2 }));
    pace.pass(work.ms).await;
    match work.end {
        End::Ok => {
            job.log(Level::INFO, &format!("{} done", work.name), &json!({ "ms": work.ms }));
            job.complete(&json!({ "ok": true, "ms": work.ms }));
        }
        End::Failed(message, cause) => {
            job.log(Level::WARN, "trying again", &json!({ "attempt": 2, "reason": cause }));
            job.log(Level::ERROR, message, &json!({ "cause": cause }));
            job.fail(&Failed { message, cause: io::Error::other(cause) });
        }
        End::Lost => std::mem::forget(job),
    }
    let call = *work.causes?;
    match pace {
        // The row is written: its event arrives whatever the siblings do.
        Pace::Live => {
            tokio::spawn(play(recorder.clone(), call, Some(token), Pace::Live));
            None
        }
        Pace::Past(_) => Some((call, token)),
    }
}

/// A database event as its source sends it.
fn payload(call: &Call, updated_by: Option<&str>) -> Value {
    let (before, after) = call.status;
    let row = |status: &str, by: &str| {
        json!({
            "id": call.row,
            "status": status,
            "updated_by": by,
            "config": { "sla": { "minutes": 45 }, "priority": call.row % 3 },
            "stops": [{ "type": "pick" }, { "type": "drop" }],
        })
    };
    let old = if call.operation == "INSERT" { Value::Null } else { row(before, "import-bot") };
    json!({
        "table": { "schema": "public", "name": call.table },
        "trigger": { "name": format!("event_detector_{}", call.table) },
        "event": {
            "op": call.operation,
            "data": { "old": old, "new": row(after, updated_by.unwrap_or(call.actor)) },
            "session_variables": { "x-hasura-role": "user", "x-hasura-user-email": call.actor },
        },
        "delivery_info": { "max_retries": 3, "current_retry": 0 },
    })
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Failed {
    message: &'static str,
    #[source]
    cause: io::Error,
}

//! What a call costs its caller: the end of a job with 270 bytes of JSON text, against the libraries that writers would
//! use otherwise, in one run.
//!
//! ```sh
//! cargo bench --bench recorder_caller
//! ```
//! The recorder writes into a real server on this machine while it is measured; the others hand over to something that
//! throws everything away. Each call is timed by itself; the cost of reading the time is shown and not subtracted.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

#[path = "recorder_caller/counting.rs"]
mod counting;
#[path = "recorder_caller/peers.rs"]
mod peers;

use std::hint::black_box;
use std::time::{Duration, Instant};

use obs_tui::Recorder;
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::{Handler, Job, Options};
use obs_tui::store::admin;
use serde_json::value::RawValue;

/// Calls in a row, then a pause in which the other side catches up.
const BURST: usize = 256;
const PAUSE: Duration = Duration::from_millis(10);
const BURSTS: usize = 800;
/// Bursts before the first that counts.
const WARM_UP: usize = 40;

fn main() {
    let json = json();
    println!("end of a job with {} bytes of JSON text, {} calls each, ns per call", json.len(), BURSTS * BURST);
    println!("{:34} {:>6} {:>6} {:>7} {:>8} {:>10} {:>8}", "", "p50", "p99", "p99.9", "mean", "allocated", "lost");
    show("reading the time", &mut measure(|| (), |()| (), pause), "");
    recorders(&json);
    if std::env::args().any(|argument| argument == "--only-recorder") {
        return;
    }
    peers::opentelemetry(&json);
    peers::fastrace(&json);
    peers::tracing_appender(&json);
}

/// What a typical job returns.
fn json() -> String {
    let head = r#"{"moveId":48213,"status":"pickup successful","recipients":["driver@company.com","office@company.com"],"note":""#;
    let tail = r#"","ok":true}"#;
    format!("{head}{}{tail}", "x".repeat(270 - head.len() - tail.len()))
}

pub(crate) fn pause() {
    std::thread::sleep(PAUSE);
}

/// The calls of one measurement.
struct Calls {
    nanos: Vec<u64>,
    allocations: u64,
}

/// Times `call` on what `prepare` makes; after each burst `rest` lets the other side catch up.
fn measure<T>(mut prepare: impl FnMut() -> T, mut call: impl FnMut(T), rest: impl Fn()) -> Calls {
    let mut calls = Calls { nanos: Vec::with_capacity(BURSTS * BURST), allocations: 0 };
    for burst in 0..WARM_UP + BURSTS {
        let prepared: Vec<T> = (0..BURST).map(|_| prepare()).collect();
        for value in prepared {
            let allocated = counting::allocations();
            let start = Instant::now();
            call(black_box(value));
            let time = start.elapsed();
            if burst >= WARM_UP {
                calls.allocations += counting::allocations() - allocated;
                calls.nanos.push(u64::try_from(time.as_nanos()).unwrap());
            }
        }
        rest();
    }
    calls
}

#[expect(clippy::cast_precision_loss, reason = "means of a few digits")]
fn show(name: &str, calls: &mut Calls, lost: &str) {
    calls.nanos.sort_unstable();
    let count = calls.nanos.len();
    let at = |share: f64| calls.nanos[((count as f64 * share) as usize).min(count - 1)];
    let mean = calls.nanos.iter().sum::<u64>() as f64 / count as f64;
    let allocated = calls.allocations as f64 / count as f64;
    println!("{name:34} {:6} {:6} {:7} {mean:8.0} {allocated:10.4} {lost:>8}", at(0.5), at(0.99), at(0.999));
}

/// A job that has started, of a handler that outlives it.
fn job(handler: &Handler) -> Job {
    handler.job("sendNotification").start()
}

fn recorders(json: &str) {
    let cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roles = runtime.block_on(async {
        let roles = admin::create_database(&cluster.superuser(), "bench", &admin::Passwords::default()).await.unwrap();
        admin::migrate(&roles.admin).await.unwrap();
        roles
    });
    let raw = RawValue::from_string(json.to_owned()).unwrap();

    let recorder = Recorder::new(Options::new(roles.app.clone()));
    let invocation = recorder.invocation("bench").start();
    let handler = invocation.event("event").detected();
    // However slow the server is: what is measured is not the loss of records.
    let rest = || {
        pause();
        while recorder.stats().buffered_bytes > 8 << 20 {
            pause();
        }
    };
    let mut calls = measure(|| job(&handler), |job| job.complete(&*raw), rest);
    show("recorder, finish", &mut calls, &recorder.stats().dropped.to_string());
    let mut jobs = Vec::with_capacity((WARM_UP + BURSTS) * BURST);
    let mut calls = measure(|| (), |()| jobs.push(job(&handler)), rest);
    show("recorder, start", &mut calls, &recorder.stats().dropped.to_string());
    drop(jobs);
    handler.finish();
    invocation.finish();
    let end = recorder.shutdown(Duration::from_secs(60));
    assert_eq!(end.written + end.dropped, recorder.stats().recorded);

    let recorder = Recorder::disabled();
    let invocation = recorder.invocation("bench").start();
    let handler = invocation.event("event").detected();
    let mut calls = measure(|| job(&handler), |job| job.complete(&*raw), pause);
    show("recorder, disabled: finish", &mut calls, "");
    let mut jobs = Vec::with_capacity((WARM_UP + BURSTS) * BURST);
    let mut calls = measure(|| (), |()| jobs.push(job(&handler)), pause);
    show("recorder, disabled: start", &mut calls, "");
}

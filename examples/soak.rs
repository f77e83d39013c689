//! A long run under load, with a server that is killed: what was recorded must be in the database, in the spool, or
//! counted as lost.
//!
//! ```sh
//! cargo run --release --example soak -- --rate 50000 --minutes 10 --kills 3
//! ```
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for its developers: it shows what it did and fails loudly"
)]

use std::time::Duration;

use clap::Parser;
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::Options;
use obs_tui::store::admin;
use sqlx::{Connection, PgConnection};

#[derive(Parser)]
struct Arguments {
    /// Records per second.
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// How long to record, minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How often the server is killed; it is back after five seconds.
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// Keep records in memory only.
    #[arg(long)]
    no_spool: bool,
}

/// Jobs of one invocation.
const JOBS: u64 = 50;
const RECORDS: u64 = 2 * JOBS + 5;
const AWAY: Duration = Duration::from_secs(5);

fn main() {
    let arguments = Arguments::parse();
    let mut cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roles = runtime.block_on(async {
        let roles = admin::create_database(&cluster.superuser(), "soak", &admin::Passwords::default()).await.unwrap();
        admin::migrate(&roles.admin).await.unwrap();
        roles
    });
    let dir = tempfile::tempdir().unwrap();
    let spool = (!arguments.no_spool).then(|| dir.path().to_owned());
    let options = Options { spool, spool_limit: 1 << 30, ..Options::new(roles.app.clone()) };
    println!("memory limit {} MiB, RSS before {} MiB", options.memory_limit >> 20, resident("VmRSS") >> 10);
    let recorder = Recorder::new(options);
    let clock = Clock::system();
    let time = Duration::from_secs_f64(arguments.minutes * 60.0);
    let pause = time / (arguments.kills + 1);
    let (mut recorded, mut kills, mut back, mut told, mut slowest) = (0_u64, 0, None, Duration::ZERO, Duration::ZERO);
    while clock.elapsed() < time {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let due = (clock.elapsed().as_secs_f64() * arguments.rate as f64) as u64;
        while recorded < due {
            let start = clock.elapsed();
            chain(&recorder);
            slowest = slowest.max(clock.elapsed() - start);
            recorded += RECORDS;
        }
        if kills < arguments.kills && clock.elapsed() > pause * (kills + 1) {
            kills += 1;
            let pid = cluster.pid().unwrap().to_string();
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            back = Some(clock.elapsed() + AWAY);
            println!("killed the server");
        }
        if back.is_some_and(|back| clock.elapsed() > back) {
            back = None;
            cluster.restart().unwrap();
        }
        if clock.elapsed() > told {
            told = clock.elapsed() + Duration::from_secs(30);
            let stats = recorder.stats();
            println!(
                "{:4} s: recorded {} written {} spooled {} dropped {} waiting {} ({} KiB), RSS {} MiB",
                clock.elapsed().as_secs(),
                stats.recorded,
                stats.written,
                stats.spooled,
                stats.dropped,
                stats.buffered,
                stats.buffered_bytes >> 10,
                resident("VmRSS") >> 10
            );
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if back.is_some() {
        cluster.restart().unwrap();
    }
    let flushed = recorder.flush(Duration::from_secs(600));
    let stats = recorder.stats();
    println!("flushed: {flushed}; {stats:#?}");
    let count = async {
        let connection = &mut PgConnection::connect_with(
            &roles.readonly.writer_options("soak").options([("search_path", "public")]),
        )
        .await
        .unwrap();
        let (jobs, others): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM job_executions WHERE status = 'completed'), \
                (SELECT count(*) FROM invocations WHERE status = 'completed') + (SELECT count(*) FROM event_executions WHERE status = 'completed')",
        )
        .fetch_one(connection)
        .await
        .unwrap();
        (jobs, others)
    };
    let (jobs, others) = runtime.block_on(count);
    let chains = i64::try_from(recorded / RECORDS).unwrap();
    println!("recorded {recorded} records: {} jobs, {} others", chains * JOBS.cast_signed(), chains * 2);
    println!("present  {jobs} finished jobs, {others} finished others");
    println!("slowest chain of {RECORDS} calls: {slowest:?}; RSS at most {} MiB", resident("VmHWM") >> 10);
}

fn chain(recorder: &Recorder) {
    let invocation = recorder.invocation("soak").start();
    let handler = invocation.event("event").detected();
    for n in 0..JOBS {
        handler.job("job").start().complete(&n);
    }
    handler.finish();
    invocation.finish();
}

/// KiB.
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

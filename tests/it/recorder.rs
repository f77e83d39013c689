//! The recorder against a real server, as role app; what it wrote is read back as role readonly.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capture;
mod damage;
mod ending;
#[cfg(target_os = "linux")]
mod exit;
mod faults;
mod fits;
mod guards;
#[cfg(target_os = "linux")]
mod hosts;
mod layer;
mod loki;
mod merge;
mod modules;
mod notices;
mod outage;
mod refusal;
mod server;
mod spool;
mod tables;
mod walkthrough;

use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::{Options, Stats};
use obs_tui::store::admin::{self, Roles};
use obs_tui::store::config::Config;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

/// Nothing takes this long: what waits for it has failed.
const LONG: Duration = Duration::from_secs(300);

/// Writes only when asked, and retries soon.
fn options(config: &Config) -> Options {
    let retry_delay = Duration::from_millis(20);
    Options { flush_interval: Duration::from_secs(3600), retry_delay, ..Options::new(config.clone()) }
}

/// The rows of a query, each as one JSON object.
async fn rows(connection: &mut PgConnection, query: &str) -> Vec<Value> {
    let sql = format!("SELECT to_jsonb(q) FROM ({query}) q");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap()
}

/// The number that a query returns.
async fn number(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(connection).await.unwrap()
}

/// Asks until it is so.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let clock = Clock::system();
    while !condition().await {
        assert!(clock.elapsed() < LONG, "it did not come to pass");
        tokio::task::yield_now().await;
    }
}

/// Like `until`, where nothing is awaited.
fn comes_to_pass(mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    while !condition() {
        assert!(clock.elapsed() < LONG, "it did not come to pass");
        std::thread::yield_now();
    }
}

/// Flushes in vain until an attempt to write has failed, for this reason among others.
fn failing(recorder: &Recorder, reason: &str) -> Stats {
    let clock = Clock::system();
    loop {
        assert!(!recorder.flush(Duration::from_millis(20)), "{:?}", recorder.stats());
        let stats = recorder.stats();
        if stats.last_error.as_ref().is_some_and(|error| error.contains(reason)) {
            return stats;
        }
        assert!(clock.elapsed() < LONG, "{stats:?}");
    }
}

/// One invocation with one event and so many completed jobs.
fn chain(recorder: &Recorder, jobs: usize) {
    let invocation = recorder.invocation("chain").start();
    let handler = invocation.event("event").detected();
    for _ in 0..jobs {
        handler.job("job").start().complete(&1);
    }
    handler.finish();
    invocation.finish();
}

/// The records of such a chain.
fn records(jobs: u64) -> u64 {
    2 * jobs + 5
}

/// A server of the test's own, which it may kill, and the roles of a migrated database there.
async fn cluster(name: &str) -> (Cluster, Roles) {
    let cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let roles = admin::create_database(&cluster.superuser(), name, &admin::Passwords::default()).await.unwrap();
    admin::migrate(&roles.admin).await.unwrap();
    (cluster, roles)
}

/// Sleeps in every statement, so that memory fills although no statement fails.
const SLOW: &str =
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT ON job_executions FOR EACH STATEMENT EXECUTE FUNCTION slow()";

/// A server that is not there.
fn nowhere() -> Config {
    Config::from_url("postgresql://app:hush@127.0.0.1:1/nowhere?sslmode=disable").unwrap()
}

//! What a row costs the server and the client: the recorder against COPY BINARY of the same rows, which is the limit, and
//! against one statement per step.
//!
//! ```sh
//! cargo bench --bench recorder_database
//! ```
//! An invocation has 2 kB of JSON, 5 events and 8 jobs: 14 rows, 28 changes of state. CPU time is what the kernel
//! accounted to the backend and to the threads of this process.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark measures and prints")]

use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::clock::{Clock, Ids};
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::Options;
use obs_tui::store::admin::{self, Passwords, Roles};
use obs_tui::store::config::Config;
use serde_json::value::RawValue;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::runtime::Runtime;

const EVENTS: usize = 5;
const JOBS: usize = 8;
const ROWS: usize = 1 + EVENTS + JOBS;
const INVOCATIONS: usize = 4000;
/// One statement per step takes so long that fewer must do.
const FEW: usize = 300;
const TABLES: [(&str, usize); 3] = [("invocations", 1), ("event_executions", EVENTS), ("job_executions", JOBS)];

fn main() {
    let cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{ROWS} rows and 2 kB of JSON per invocation; CPU microseconds per row");
    println!("{:42} {:>8} {:>8} {:>10}", "", "server", "client", "of COPY");
    let roles = runtime.block_on(admin::create_database(&cluster.superuser(), "roles", &Passwords::default())).unwrap();
    let database = |name: &str| database(&cluster, &runtime, &roles, name);
    let filled = database("filled");
    let recorded: Vec<(usize, Cost)> = [1000, 5000]
        .map(|batch| {
            (batch, recorder(&runtime, &if batch == 1000 { filled.clone() } else { database("large") }, batch))
        })
        .into();
    let copied: Vec<(usize, Cost)> =
        [1000, 5000].map(|batch| (batch, copy(&runtime, &filled, &database(&format!("copy{batch}")), batch))).into();
    let limit = |batch: usize| copied.iter().find(|(size, _)| *size == batch).map_or(1.0, |(_, cost)| cost.server);
    for (batch, cost) in &copied {
        show(&format!("COPY BINARY, {batch} rows (client: no encoding)"), cost, limit(*batch));
    }
    for (batch, cost) in &recorded {
        show(&format!("recorder, batches of {batch} records"), cost, limit(*batch));
    }
    let steps = steps(&runtime, &database("steps"));
    show("one statement per step", &steps, limit(1000));
}

/// CPU microseconds per row.
struct Cost {
    server: f64,
    client: f64,
}

fn show(name: &str, cost: &Cost, limit: f64) {
    println!("{name:42} {:8.1} {:8.2} {:9.0}%", cost.server, cost.client, 100.0 * limit / cost.server);
}

/// A database of its own, for the roles that the first one has made.
fn database(cluster: &Cluster, runtime: &Runtime, roles: &Roles, name: &str) -> Config {
    runtime.block_on(async {
        admin::create_database(&cluster.superuser(), name, &Passwords::default()).await.unwrap();
        admin::migrate(&roles.admin.with_database(name)).await.unwrap();
        roles.app.with_database(name)
    })
}

/// Nanoseconds that a process or thread was on a processor.
fn cpu(path: &str) -> u64 {
    std::fs::read_to_string(path).map_or(0, |text| text.split(' ').next().unwrap().parse().unwrap())
}

fn own_cpu() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok);
    threads.map(|thread| cpu(&format!("{}/schedstat", thread.path().display()))).sum()
}

#[expect(clippy::cast_precision_loss, reason = "times of a few digits")]
fn per_row(nanos: u64, invocations: usize) -> f64 {
    nanos as f64 / 1000.0 / (invocations * ROWS) as f64
}

fn payload() -> Box<RawValue> {
    let fields: Vec<String> =
        (0..40).map(|n| format!(r#""column_{n:02}":"value {n} of a row that changed""#)).collect();
    RawValue::from_string(format!(r#"{{"event":{{"data":{{"new":{{{}}}}}}}}}"#, fields.join(","))).unwrap()
}

fn recorder(runtime: &Runtime, config: &Config, batch: usize) -> Cost {
    let payload = payload();
    let result = RawValue::from_string(r#"{"ok":true,"count":3}"#.to_owned()).unwrap();
    let clock = Clock::system();
    let recorder = Recorder::new(Options {
        // Two records become a row.
        batch_size: 2 * batch,
        memory_limit: 256 << 20,
        flush_interval: Duration::from_secs(3600),
        ids: Ids::random(clock.clone()),
        clock,
        ..Options::new(config.clone())
    });
    let work = |count: usize| {
        for _ in 0..count {
            let invocation = recorder.invocation("event-detector").system("hasura").payload(&*payload).start();
            let mut handlers: Vec<_> =
                (0..EVENTS).map(|n| invocation.event(["a", "b", "c", "d", "e"][n]).detected()).collect();
            for n in 0..JOBS {
                handlers[n % EVENTS].job("sendNotification").start().complete(&*result);
            }
            handlers.drain(..).for_each(obs_tui::recorder::Handler::finish);
            invocation.finish();
        }
        assert!(recorder.flush(Duration::from_secs(120)), "{:?}", recorder.stats());
    };
    work(20);
    let mut session = runtime.block_on(connect(config));
    let pid = runtime.block_on(async {
        let others = "SELECT pid::int8 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user";
        sqlx::query_scalar::<_, i64>(others).fetch_one(&mut session).await.unwrap()
    });
    let path = format!("/proc/{pid}/schedstat");
    let (server, client) = (cpu(&path), own_cpu());
    work(INVOCATIONS);
    let cost =
        Cost { server: per_row(cpu(&path) - server, INVOCATIONS), client: per_row(own_cpu() - client, INVOCATIONS) };
    let end = recorder.shutdown(Duration::from_secs(10));
    assert_eq!(end.dropped, 0);
    cost
}

async fn connect(config: &Config) -> PgConnection {
    PgConnection::connect_with(&config.writer_options("bench").options([("search_path", "public")])).await.unwrap()
}

async fn backend(session: &mut PgConnection) -> String {
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(session).await.unwrap();
    format!("/proc/{pid}/schedstat")
}

/// The tuples of a binary COPY.
fn tuples(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut tuples = Vec::new();
    // Signature, flags, length of the extension.
    bytes = &bytes[19..];
    while bytes.len() > 2 && bytes[..2] != [0xFF, 0xFF] {
        let fields = u16::from_be_bytes([bytes[0], bytes[1]]);
        let mut at = 2;
        for _ in 0..fields {
            let length = i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            at += 4 + usize::try_from(length).unwrap_or(0);
        }
        tuples.push(bytes[..at].to_vec());
        bytes = &bytes[at..];
    }
    tuples
}

fn copy(runtime: &Runtime, from: &Config, to: &Config, batch: usize) -> Cost {
    runtime.block_on(async {
        let mut session = connect(from).await;
        let mut tables = Vec::new();
        for (table, each) in TABLES {
            let mut out = session
                .copy_out_raw(&format!("COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT (FORMAT binary)"))
                .await
                .unwrap();
            let mut bytes = Vec::new();
            while let Some(part) = futures_util::StreamExt::next(&mut out).await {
                bytes.extend_from_slice(&part.unwrap());
            }
            tables.push((table, each, tuples(&bytes)));
        }
        let mut session = connect(to).await;
        let path = backend(&mut session).await;
        let (server, client) = (cpu(&path), own_cpu());
        let invocations = tables[0].2.len();
        let step = batch / ROWS;
        for start in (0..invocations).step_by(step) {
            let end = (start + step).min(invocations);
            session.execute("BEGIN").await.unwrap();
            for (table, each, tuples) in &tables {
                let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
                tuples[start * each..end * each].iter().for_each(|tuple| bytes.extend_from_slice(tuple));
                bytes.extend_from_slice(&[0xFF, 0xFF]);
                let mut copy = session.copy_in_raw(&format!("COPY {table} FROM STDIN (FORMAT binary)")).await.unwrap();
                copy.send(bytes).await.unwrap();
                copy.finish().await.unwrap();
            }
            session.execute("COMMIT").await.unwrap();
        }
        Cost { server: per_row(cpu(&path) - server, invocations), client: per_row(own_cpu() - client, invocations) }
    })
}

/// Every change of a state is a statement and a transaction of its own.
fn steps(runtime: &Runtime, config: &Config) -> Cost {
    let payload = payload();
    let ids = Ids::default();
    runtime.block_on(async {
        let mut session = connect(config).await;
        let path = backend(&mut session).await;
        let (server, client) = (cpu(&path), own_cpu());
        for _ in 0..FEW {
            let invocation = ids.next();
            let mut run = async |sql: &'static str, id, parent| {
                let query = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(parent);
                query.execute(&mut session).await.unwrap();
            };
            let sql: &'static str = "INSERT INTO invocations (id, correlation_id, source_function, source_system, status, source_event_payload) \
                SELECT $1, $1::text, 'event-detector', 'hasura', 'running', $2::text::jsonb";
            run(sql, invocation, payload.get().to_owned()).await;
            let mut handlers = Vec::new();
            for _ in 0..EVENTS {
                let event = ids.next();
                handlers.push(event);
                let sql = "INSERT INTO event_executions (id, invocation_id, correlation_id, event_name, status) VALUES ($1, $2::uuid, $2, 'a', 'detecting')";
                run(sql, event, invocation.to_string()).await;
            }
            for n in 0..JOBS {
                let job = ids.next();
                let sql = "INSERT INTO job_executions (id, invocation_id, event_execution_id, correlation_id, job_name, status) \
                    SELECT $1, invocation_id, id, correlation_id, 'sendNotification', 'running' FROM event_executions WHERE id = $2::uuid";
                run(sql, job, handlers[n % EVENTS].to_string()).await;
                let sql = "UPDATE job_executions SET status = 'completed', duration_ms = 3, result = $2::text::jsonb WHERE id = $1";
                run(sql, job, r#"{"ok":true,"count":3}"#.to_owned()).await;
            }
            for event in handlers {
                run("UPDATE event_executions SET status = $2, detected = true, jobs_count = 2 WHERE id = $1", event, "completed".to_owned()).await;
            }
            run("UPDATE invocations SET status = $2, total_jobs_run = 8 WHERE id = $1", invocation, "completed".to_owned()).await;
        }
        Cost { server: per_row(cpu(&path) - server, FEW), client: per_row(own_cpu() - client, FEW) }
    })
}

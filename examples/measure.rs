//! How long the explorer's queries take, as a table: whole calls, from the call to the decoded rows, and the statements
//! that they are made of. A search is many statements, and shows its hits while it goes on.
//!
//! ```text
//! cargo run --release --example measure -- /tmp/ours /tmp/existing    # folders that `generate --private` made
//! cargo run --release --example measure -- "$READONLY_URL"            # or databases that are running
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the command line")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use obs_tui::clock::Clock;
use obs_tui::model::failures::{Failures, JobStats};
use obs_tui::model::filter::{Filter, Known};
use obs_tui::model::flow::{Kind, Rows};
use obs_tui::model::hourly::{Hourly, Step};
use obs_tui::model::invocation::{Count, Inside, Key, Page};
use obs_tui::model::status::STALE_AFTER;
use obs_tui::postgres::{Cluster, Options};
use obs_tui::store::config::Config;
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use uuid::Uuid;

/// Rows of a page.
const PAGE: usize = 200;
/// No call is repeated when all its repetitions together have taken so long.
const ENOUGH: Duration = Duration::from_millis(1_500);
/// The last row of the databases that `generate` makes is from the day when it was run.
const DEEP: TimeDelta = TimeDelta::days(25);

/// What people look for.
const FILTERS: [&str; 15] = [
    "24h",
    "fn:payments-webhook",
    "st:failed",
    "st:stuck",
    "-st:ok 24h",
    "evt:invoice.canceled",
    "job:chargeCard fails:>0",
    "user:ada.ada@company.com",
    "corr:nobody@company.com",
    "payload.table.name:refunds 24h",
    "dur:>30s",
    "card_declined",
    "nosuchword 24h",
    "nosuchword",
    "550e8400-e29b-41d4-a716-446655440000",
];

/// Measure the explorer's queries.
#[derive(Debug, Parser)]
struct Args {
    /// URLs of the readonly role, or folders of private clusters, which are started and stopped.
    #[arg(required = true)]
    databases: Vec<String>,
    /// Repetitions of each call, fewer of slow ones.
    #[arg(long, default_value_t = 20)]
    times: usize,
    /// Count the hours of 30 days, too: that takes a minute where no index helps.
    #[arg(long)]
    long: bool,
    /// An invocation whose cascade is measured too.
    #[arg(long, value_name = "ID")]
    cascade: Option<Uuid>,
    /// Only what has this in its name.
    #[arg(long, default_value = "")]
    only: String,
}

/// Notes how long each statement took, as the database client tells it.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<Duration>>>);

impl Statements {
    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Statements {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Duration::from_secs_f64(value));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Rows, statements, calls' middle and 95th percentile, statements' 95th percentile and the slowest.
type Cells = [String; 6];

/// Repeats calls on one database.
struct Meter<'a> {
    clock: Clock,
    statements: Statements,
    args: &'a Args,
    table: Table<'a>,
}

/// The lines, in the order of the first database, with the cells of each database.
struct Table<'a> {
    names: &'a mut Vec<String>,
    cells: BTreeMap<String, Cells>,
}

fn percentile(sorted: &[Duration], percent: usize) -> String {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64() * 1000.0))
}

impl Meter<'_> {
    async fn run<T: Rowed>(&mut self, what: &str, call: impl AsyncFn() -> Result<T, StoreError>) {
        if !what.contains(&self.args.only) {
            return;
        }
        let (mut calls, mut statements) = (Vec::new(), Vec::new());
        let (mut rows, mut spent) = (0, Duration::ZERO);
        for _ in 0..=self.args.times {
            self.statements.take();
            let start = self.clock.elapsed();
            match call().await {
                Ok(answer) => rows = answer.rows(),
                Err(error) => return eprintln!("{what}: {error}"),
            }
            calls.push(self.clock.elapsed() - start);
            statements.push(self.statements.take());
            spent += calls[calls.len() - 1];
            if spent > ENOUGH {
                break;
            }
        }
        // The first fills the caches.
        if calls.len() > 1 {
            calls.remove(0);
            statements.remove(0);
        }
        calls.sort();
        let each = statements[0].len();
        let mut statements = statements.concat();
        statements.sort();
        let [p50, p95] = [50, 95].map(|percent| percentile(&calls, percent));
        let [slow, slowest] = [95, 100].map(|percent| percentile(&statements, percent));
        eprintln!("{what}: {p50} ms, {each} statements, {slow} ms");
        self.table.cells.insert(what.to_owned(), [rows.to_string(), each.to_string(), p50, p95, slow, slowest]);
        if !self.table.names.iter().any(|name| name == what) {
            self.table.names.push(what.to_owned());
        }
    }
}

/// How many rows an answer has.
trait Rowed {
    fn rows(&self) -> usize;
}

macro_rules! rowed {
    ($($answer:ty: $self:ident => $rows:expr),* $(,)?) => {
        $(impl Rowed for $answer {
            fn rows(&self) -> usize {
                let $self = self;
                $rows
            }
        })*
    };
}

rowed! {
    Page: page => page.rows.len(),
    Count: count => usize::try_from(count.at_least).unwrap_or(0),
    Known: known => known.functions.len() + known.events.len() + known.jobs.len(),
    Rows: rows => rows.invocations.len() + rows.events.len() + rows.jobs.len(),
    Inside: inside => inside.events.len() + inside.jobs.len(),
    Failures: failures => failures.rows.len(),
    JobStats: stats => stats.jobs.len(),
    Hourly: hourly => hourly.buckets.len(),
    Option<Seed>: found => usize::from(found.is_some()),
    Option<serde_json::Value>: row => usize::from(row.is_some()),
    (Vec<obs_tui::model::invocation::JobLog>, bool): lines => lines.0.len(),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let statements = Statements::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(statements.clone()))?;
    let mut names = Vec::new();
    let mut tables = Vec::new();
    for database in &args.databases {
        eprintln!("measuring {}", if database.contains("://") { "a database" } else { database });
        let mut cluster = None;
        let config = if database.contains("://") {
            Config::from_url(database)?
        } else {
            let options = Options { data_dir: Some(database.into()), ..Options::default() };
            let cluster = cluster.insert(Cluster::start(&options)?);
            cluster.superuser().with_database("event_detector_observability")
        };
        let table = Table { names: &mut names, cells: BTreeMap::new() };
        let mut meter = Meter { clock: Clock::system(), statements: statements.clone(), args: &args, table };
        let reader = Reader::new(config);
        measure(&reader, &mut meter).await?;
        reader.close().await;
        tables.push(meter.table.cells);
        if let Some(cluster) = cluster {
            cluster.stop();
        }
    }
    print!("| query |");
    tables.iter().for_each(|_| print!(" rows | statements | p50 | p95 | statement p95 | slowest |"));
    print!("\n|---|{}\n", "---|".repeat(6 * tables.len()));
    for name in names {
        print!("| {name} |");
        for table in &tables {
            let none: Cells = std::array::from_fn(|_| "-".to_owned());
            table.get(&name).unwrap_or(&none).iter().for_each(|cell| print!(" {cell} |"));
        }
        println!();
    }
    Ok(())
}

async fn measure(reader: &Reader, meter: &mut Meter<'_>) -> Result<(), Box<dyn Error>> {
    // A database that was made some time ago is asked as of then.
    let newest = reader.page(&PageQuery { limit: 1, ..PageQuery::default() }, meter.clock.now(), STALE_AFTER).await?;
    let newest = newest.rows.first().map(|row| Key::from(&row.invocation)).ok_or("the database is empty")?;
    let now = newest.created_at + TimeDelta::seconds(1);
    let first_page = || PageQuery { limit: PAGE, ..PageQuery::default() };
    let page = async |older_than| reader.page(&PageQuery { older_than, ..first_page() }, now, STALE_AFTER).await;
    let deep = Some(Key { created_at: now - DEEP, id: Uuid::max() });
    meter.run("newest page", async || page(None).await).await;
    meter.run("page 25 days back", async || page(deep).await).await;

    let found = page(deep).await?.rows;
    let unfinished: Vec<Uuid> = found.iter().take(50).map(|row| row.invocation.id).collect();
    let changes = async |query: &PageQuery, known| reader.changes(query, known, &unfinished, now, STALE_AFTER).await;
    meter.run("look for changes, 50 unfinished", async || changes(&first_page(), Some(newest)).await).await;
    let filtered = PageQuery { filter: Filter::parse("st:failed")?, ..first_page() };
    meter.run("… `st:failed`", async || changes(&filtered, Some(newest)).await).await;
    meter.run("count", async || reader.count(&first_page(), now, STALE_AFTER).await).await;
    for text in FILTERS {
        let query = PageQuery { filter: Filter::parse(text)?, limit: PAGE, ..PageQuery::default() };
        meter.run(&format!("`{text}`"), async || reader.page(&query, now, STALE_AFTER).await).await;
        meter.run(&format!("… count, `{text}`"), async || reader.count(&query, now, STALE_AFTER).await).await;
    }
    let day = now - TimeDelta::days(1);
    meter.run("names for completion", async || reader.known(day).await).await;
    meter.run("failures of a day", async || reader.failures(day, now).await).await;
    meter.run("jobs of a day", async || reader.job_stats(day, now).await).await;

    let chained = found.iter().find(|row| row.invocation.parent.is_some()).ok_or("no chained row on the page")?;
    let chained = chained.invocation.id;
    meter.run("preview", async || reader.inside(chained).await).await;
    meter.run("cascade, a chain", async || reader.cascade(Seed::invocation(chained)).await).await;
    if let Some(person) = found.iter().find_map(|row| row.invocation.source_user_email.clone()) {
        let seed = Seed { correlations: vec![person.to_string()], ..Seed::default() };
        meter.run("cascade, a person", async || reader.cascade(seed.clone()).await).await;
        meter.run("find a person", async || reader.find(&person, now).await).await;
    }
    if let Some(id) = meter.args.cascade {
        meter.run("cascade, given", async || reader.cascade(Seed::invocation(id)).await).await;
    }
    ids(reader, meter, chained).await?;
    hours(reader, meter, now).await;
    Ok(())
}

async fn ids(reader: &Reader, meter: &mut Meter<'_>, invocation: Uuid) -> Result<(), StoreError> {
    let rows = reader.cascade(Seed::invocation(invocation)).await?;
    let ids = [
        ("an invocation", Kind::Invocation, invocation),
        ("an event", Kind::Event, rows.events.first().map_or(Uuid::nil(), |row| row.id)),
        ("a job", Kind::Job, rows.jobs.first().map_or(Uuid::nil(), |row| row.id)),
        ("nothing", Kind::Job, Uuid::nil()),
    ];
    for (what, kind, id) in ids {
        let text = id.to_string();
        let now = meter.clock.now();
        meter.run(&format!("find {what}"), async || reader.find(&text, now).await).await;
        meter.run(&format!("row of {what}"), async || reader.row(kind, id).await).await;
    }
    let jobs: Vec<Uuid> = rows.jobs.iter().map(|job| job.id).collect();
    meter.run("job logs", async || reader.job_logs(&jobs).await).await;
    Ok(())
}

async fn hours(reader: &Reader, meter: &mut Meter<'_>, now: DateTime<Utc>) {
    for (what, hours) in [("a day", 24), ("a week", 168), ("30 days", 720)] {
        if hours > 168 && !meter.args.long {
            continue;
        }
        let from = now - TimeDelta::hours(hours);
        meter.run(&format!("hours of {what}"), async || reader.hourly(from, now, Step::Hour, now).await).await;
    }
}

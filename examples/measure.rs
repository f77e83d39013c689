//! How long the explorer's queries take on a database, as a table: the middle and the slow ones of some repetitions,
//! from the call to the decoded rows.
//!
//! ```text
//! cargo run --release --example measure -- --url "$READONLY_URL"
//! ```
#![expect(clippy::print_stdout, reason = "a tool for the command line")]

use std::error::Error;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Parser;
use obs_tui::clock::Clock;
use obs_tui::model::filter::{Filter, Known};
use obs_tui::model::flow::Kind;
use obs_tui::model::invocation::{Count, Key, Page};
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::config::Config;
use obs_tui::store::error::StoreError;
use obs_tui::store::read::{PageQuery, Reader, Seed};
use uuid::Uuid;

/// Rows of a page.
const PAGE: usize = 200;

/// What people look for.
const FILTERS: [&str; 14] = [
    "",
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
];

/// Measure the explorer's queries.
#[derive(Debug, Parser)]
struct Args {
    /// URL of the readonly role.
    #[arg(long)]
    url: String,
    /// Repetitions of each query.
    #[arg(long, default_value_t = 20)]
    times: usize,
    /// An invocation whose cascade is measured too.
    #[arg(long, value_name = "ID")]
    cascade: Option<Uuid>,
    /// Only what has this in its name.
    #[arg(long, default_value = "")]
    only: String,
}

/// Repeats calls and prints a line for each.
struct Meter {
    clock: Clock,
    times: usize,
    only: String,
}

impl Meter {
    async fn run<T>(&self, what: &str, rows: impl Fn(&T) -> usize, call: impl AsyncFn() -> Result<T, StoreError>) {
        if !what.contains(&self.only) {
            return;
        }
        let mut took: Vec<Duration> = Vec::new();
        let mut count = 0;
        for _ in 0..=self.times {
            let start = self.clock.elapsed();
            match call().await {
                Ok(answer) => count = rows(&answer),
                Err(error) => return println!("| {what} | {error} | | | |"),
            }
            took.push(self.clock.elapsed() - start);
        }
        // The first fills the caches.
        let first = took.remove(0);
        took.sort();
        let at = |percent: usize| (took.len() * percent).div_ceil(100).max(1) - 1;
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        println!("| {what} | {count} | {:.1} | {:.1} | {:.1} |", ms(first), ms(took[at(50)]), ms(took[at(95)]));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reader = Reader::new(Config::from_url(&args.url)?);
    let clock = Clock::system();
    let now = clock.now();
    let meter = Meter { clock, times: args.times, only: args.only };
    let page =
        async |older_than, since| reader.page(&PageQuery { older_than, since, ..first_page() }, now, STALE_AFTER).await;
    let rows = |page: &Page| page.rows.len();
    let (deep, day) = (Key { created_at: now - TimeDelta::days(25), id: Uuid::max() }, now - TimeDelta::days(1));
    println!("| query | rows | first, ms | p50, ms | p95, ms |\n|---|---|---|---|---|");
    meter.run("page, newest", rows, async || page(None, None).await).await;
    meter.run("page, 25 days back", rows, async || page(Some(deep), None).await).await;
    meter.run("page, since 24 h", rows, async || page(None, Some(day)).await).await;

    for text in FILTERS {
        let query = PageQuery { filter: Filter::parse(text)?, limit: PAGE, ..PageQuery::default() };
        meter.run(&format!("page, `{text}`"), rows, async || reader.page(&query, now, STALE_AFTER).await).await;
        let counted = |count: &Count| usize::try_from(count.at_least).unwrap_or(0);
        meter.run(&format!("count, `{text}`"), counted, async || reader.count(&query, now, STALE_AFTER).await).await;
    }
    let names = |known: &Known| known.functions.len() + known.events.len() + known.jobs.len();
    meter.run("names for completion", names, async || reader.known(day).await).await;

    let found = page(Some(deep), None).await?.rows;
    let newest = page(None, None).await?.rows.first().map(|row| Key::from(&row.invocation));
    let unfinished: Vec<Uuid> = found.iter().take(50).map(|row| row.invocation.id).collect();
    meter
        .run("changes, 50 unfinished", rows, async || {
            reader.changes(&first_page(), newest, &unfinished, now, STALE_AFTER).await
        })
        .await;
    meter
        .run("changes, none known", rows, async || reader.changes(&first_page(), None, &[], now, STALE_AFTER).await)
        .await;

    let chained = found.iter().find(|row| row.invocation.parent.is_some()).ok_or("no chained row on the page")?;
    let nodes = |rows: &obs_tui::model::flow::Rows| rows.invocations.len() + rows.events.len() + rows.jobs.len();
    let chain = Seed::invocation(chained.invocation.id);
    meter.run("cascade, a chain", nodes, async || reader.cascade(chain.clone()).await).await;
    if let Some(person) = found.iter().find_map(|row| row.invocation.source_user_email.clone()) {
        let seed = Seed { correlations: vec![person.clone()], ..Seed::default() };
        meter.run("cascade, a person", nodes, async || reader.cascade(seed.clone()).await).await;
        meter
            .run("find a person", |seed| usize::from(Option::is_some(seed)), async || reader.find(&person).await)
            .await;
    }
    if let Some(id) = args.cascade {
        meter.run("cascade, given", nodes, async || reader.cascade(Seed::invocation(id)).await).await;
    }

    let rows = reader.cascade(chain.clone()).await?;
    let ids = [
        ("an invocation", Kind::Invocation, chained.invocation.id),
        ("an event", Kind::Event, rows.events.first().map_or(Uuid::nil(), |row| row.id)),
        ("a job", Kind::Job, rows.jobs.first().map_or(Uuid::nil(), |row| row.id)),
    ];
    for (what, kind, id) in ids {
        let text = id.to_string();
        meter
            .run(&format!("find {what}"), |seed| usize::from(Option::is_some(seed)), async || reader.find(&text).await)
            .await;
        meter
            .run(
                &format!("row of {what}"),
                |row| usize::from(Option::is_some(row)),
                async || reader.row(kind, id).await,
            )
            .await;
    }
    let nobody = Uuid::nil().to_string();
    meter.run("find nothing", |seed| usize::from(Option::is_some(seed)), async || reader.find(&nobody).await).await;
    let jobs: Vec<Uuid> = rows.jobs.iter().map(|job| job.id).collect();
    meter.run("job logs", |(lines, _)| Vec::len(lines), async || reader.job_logs(&jobs).await).await;

    for (what, hours) in [("24 h", 24), ("7 d", 168), ("30 d", 720)] {
        let from = now - TimeDelta::hours(hours);
        meter
            .run(
                &format!("hours of {what}"),
                |hourly: &obs_tui::model::hourly::Hourly| hourly.buckets.len(),
                async || reader.hourly(from, now, obs_tui::model::hourly::Step::Hour, now).await,
            )
            .await;
    }
    reader.close().await;
    Ok(())
}

fn first_page() -> PageQuery {
    PageQuery { limit: PAGE, ..PageQuery::default() }
}

//! What the server really does for the reader's queries, on 20,000 invocations with 14 events and 4 jobs each: no big
//! table is read from end to end, and no more rows are touched than the answer needs. Both with our indexes and with
//! those of a database that another program made.
//!
//! The plans are those of the real calls: `auto_explain`, loaded into the sessions of the readonly role in these
//! databases, writes each executed plan to the log of the server, from where it is read back.

#[path = "../../examples/generate/copy.rs"]
mod copy;
#[path = "../../examples/generate/load.rs"]
mod load;
#[path = "../../examples/generate/rows.rs"]
mod rows;
mod steps;
#[path = "../../examples/generate/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::clock::Clock;
use obs_tui::model::filter::Filter;
use obs_tui::model::flow::{Flow, Kind};
use obs_tui::model::hourly::{Source, Step};
use obs_tui::model::invocation::Key;
use obs_tui::model::status::{Effective, STALE_AFTER};
use obs_tui::store::read::{PageQuery, Reader, Seed};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use self::load::Indexes;
use self::rows::{Cascade, Invocation, Outcome, Plan};
use crate::common::{self, TestDb};

const ROWS: u64 = 20_000;
/// Rows of a page.
const PAGE: usize = 200;
/// Rows that hang on one invocation, and itself.
const EACH: f64 = 19.0;
/// Prepared statements are planned anew five times, then perhaps once for any argument.
const CALLS: usize = 7;
/// What people look for, within a day.
const FILTERS: [&str; 21] = [
    "",
    "st:failed",
    "st:stuck,running",
    "-st:ok",
    "fn:payments-webhook",
    "evt:move.none",
    "-evt:move.none",
    "job:none",
    "job:~none",
    "jobs:>3",
    "fails:0 fn:payments-webhook",
    "fn:payments-webhook job:none evt:none \"none\"",
    "fails:>3",
    "user:none@company.com",
    "corr:none@company.com",
    "table:none",
    "dur:>9h",
    "payload.none:1",
    "none",
    "550e8400-e29b-41d4-a716-446655440000",
    "driver@company.com",
];

fn now() -> DateTime<Utc> {
    "2026-11-20T12:43:00Z".parse().unwrap()
}

/// A filled database, its reader, and the rows that were meant to be in it.
struct Filled {
    db: TestDb,
    reader: Reader,
    cascades: Vec<Cascade>,
}

async fn filled(name: &str, indexes: Indexes) -> Filled {
    let db = common::database(name).await;
    let plan = Plan { rows: ROWS, cascade: 0, seed: 7, now: now(), random_ids: indexes == Indexes::Theirs };
    let mut admin = common::session(&db.admin).await;
    load::load(&mut admin, &plan, indexes, |_| ()).await.unwrap();
    let mut superuser = common::session(&db.superuser).await;
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = json",
    ] {
        let statement = format!("alter role observability_readonly in database \"{name}\" set {setting}");
        superuser.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    // Nothing takes time: the steps of a search are as long as they ever get.
    let reader = Reader::with_clock(db.readonly.clone(), Clock::manual(now()));
    Filled { reader, db, cascades: plan.cascades().collect() }
}

/// A table that was read by one node of a plan.
#[derive(Clone, Debug)]
struct Scan {
    node: String,
    table: String,
    index: Option<String>,
    /// Rows that were looked at, in all rounds together.
    rows: f64,
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} by {}: {} rows", self.node, self.table, self.index.as_deref().unwrap_or("none"), self.rows)
    }
}

/// An executed statement.
#[derive(Debug)]
struct Executed {
    sql: String,
    scans: Vec<Scan>,
}

impl Executed {
    fn new(entry: &Value) -> Self {
        let mut scans = Vec::new();
        collect(&entry["Plan"], &mut scans);
        Self { sql: entry["Query Text"].as_str().unwrap().to_owned(), scans }
    }

    fn uses(&self, index: &str) -> bool {
        self.scans.iter().any(|scan| scan.index.as_deref() == Some(index))
    }
}

fn collect(node: &Value, scans: &mut Vec<Scan>) {
    let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
    let text = |key: &str| node[key].as_str().map(str::to_owned);
    let name = text("Node Type").unwrap();
    if let Some(table) = text("Relation Name").or_else(|| text("Index Name").filter(|_| name == "Bitmap Index Scan")) {
        let looked_at =
            number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        scans.push(Scan { node: name, table, index: text("Index Name"), rows: looked_at * number("Actual Loops") });
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        collect(below, scans);
    }
}

impl Filled {
    /// What the sessions of the reader have executed since the log had this length.
    async fn executed(&self, since: usize) -> Vec<Executed> {
        let mut superuser = common::session(&self.db.superuser).await;
        let sessions: Vec<(i32,)> = sqlx::query_as(
            "select pid from pg_stat_activity \
             where datname = current_database() and usename = 'observability_readonly'",
        )
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        let marks: Vec<String> = sessions.iter().map(|(pid,)| format!("[{pid}]")).collect();
        let log = String::from_utf8_lossy(&log()[since..]).into_owned();
        let mut lines = log.lines().peekable();
        let mut executed = Vec::new();
        while let Some(line) = lines.next() {
            if line.ends_with("plan:") && marks.iter().any(|mark| line.contains(mark)) {
                let mut json = String::new();
                // Further lines of an entry begin with a tab.
                while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
                    json.push_str(more);
                }
                executed.push(Executed::new(&serde_json::from_str(&json.replace('\t', " ")).unwrap()));
            }
        }
        executed
    }

    /// What a call of the reader makes the server do, each time that it is made.
    async fn plans<T, E: std::fmt::Debug>(&self, call: impl AsyncFn(&Reader) -> Result<T, E>) -> (T, Vec<Executed>) {
        // The session exists, and has looked around.
        self.reader.capabilities().await.unwrap();
        let before = log().len();
        let mut answer = None;
        for _ in 0..CALLS {
            answer = Some(call(&self.reader).await.unwrap());
        }
        let executed = self.executed(before).await;
        assert!(executed.len() >= CALLS, "the server wrote no plans to its log");
        (answer.unwrap(), executed)
    }

    /// Checks that a call reads no table from end to end and looks at no more rows than `most` in one statement.
    async fn bounded<T, E: std::fmt::Debug>(
        &self,
        what: &str,
        most: f64,
        call: impl AsyncFn(&Reader) -> Result<T, E>,
    ) -> (T, Vec<Executed>) {
        let (answer, executed) = self.plans(call).await;
        for statement in &executed {
            let rows: f64 = statement.scans.iter().map(|scan| scan.rows).sum();
            let whole = statement.scans.iter().find(|scan| scan.node == "Seq Scan" && is_big(&scan.table));
            assert!(
                whole.is_none() && rows <= most,
                "{what} looks at {rows} rows, more than {most}, or at a whole table:\n{}\n{}",
                statement.scans.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
                statement.sql,
            );
        }
        (answer, executed)
    }

    fn invocations(&self) -> impl Iterator<Item = &Invocation> {
        self.cascades.iter().flat_map(|cascade| &cascade.invocations)
    }
}

fn log() -> Vec<u8> {
    std::fs::read(common::server_log()).unwrap()
}

fn is_big(table: &str) -> bool {
    ["invocations", "event_executions", "job_executions"].contains(&table)
}

/// Every query of the explorer.
async fn no_query_reads_a_whole_table(filled: &Filled) {
    let page = PAGE as f64;
    let query = |older_than, since| PageQuery { older_than, since, limit: PAGE, ..PageQuery::default() };
    let read_page = async |query: &PageQuery| {
        filled.bounded("page", 2.5 * page * EACH, async |reader| reader.page(query, now(), STALE_AFTER).await).await.0
    };
    let first = read_page(&query(None, None)).await;
    let middle = Key { created_at: now() - TimeDelta::days(15), id: Uuid::max() };
    let older = read_page(&query(Some(middle), None)).await;
    let day = now() - TimeDelta::days(1);
    read_page(&query(None, Some(day))).await;
    read_page(&query(Some(Key::from(&first.rows[PAGE - 1].invocation)), Some(day))).await;
    assert_eq!((first.rows.len(), older.rows.len(), older.more), (PAGE, PAGE, true));

    // The rows of a day, looked through for what few or none of them have.
    let in_range = filled.invocations().filter(|row| row.at >= (day - TimeDelta::hours(1)).timestamp_micros()).count();
    let in_range = in_range as f64 * EACH;
    for text in FILTERS {
        let filter = Filter::parse(&format!("{text} 24h")).unwrap();
        let query = PageQuery { filter, ..query(None, None) };
        let most = 4.0 * in_range;
        filled.bounded(text, most, async |reader| reader.page(&query, now(), STALE_AFTER).await).await;
        filled.bounded(text, most, async |reader| reader.count(&query, now(), STALE_AFTER).await).await;
    }
    filled.bounded("losses", EACH, async |reader| reader.losses(day, now()).await).await;
    filled.bounded("names", 2_000.0 * EACH, async |reader| reader.known(day).await).await;

    let unfinished: Vec<Uuid> = older.rows.iter().take(50).map(|row| row.invocation.id).collect();
    let newest = Key::from(&first.rows[0].invocation);
    filled
        .bounded("changes", 2.5 * 60.0 * EACH, async |reader| {
            reader.changes(&query(None, None), Some(newest), &unfinished, now(), STALE_AFTER).await
        })
        .await;
    filled
        .bounded("the first look for changes", 2.5 * page * EACH, async |reader| {
            reader.changes(&query(None, None), None, &[], now(), STALE_AFTER).await
        })
        .await;

    let deep = filled.cascades.iter().max_by_key(|cascade| cascade.invocations.len()).unwrap();
    let leaf = deep.invocations.last().unwrap();
    let size = deep.invocations.len();
    let (_, executed) = filled
        .bounded("cascade", 6.0 * size as f64 * EACH, async |reader| reader.cascade(Seed::invocation(leaf.id)).await)
        .await;
    assert!(executed.iter().any(|statement| statement.sql.contains("recursive")));
    let job = Seed { jobs: vec![deep.invocations[0].jobs[0].id], ..Seed::default() };
    filled
        .bounded("cascade of a job", 6.0 * size as f64 * EACH, async |reader| reader.cascade(job.clone()).await)
        .await;
    let person = Seed { correlations: vec![words::email(3)], ..Seed::default() };
    let (rows, _) = filled.plans(async |reader| reader.cascade(person.clone()).await).await;
    let most = 6.0 * rows.invocations.len() as f64 * EACH;
    filled.bounded("cascade of a person", most, async |reader| reader.cascade(person.clone()).await).await;

    for text in [leaf.id, leaf.events[5].id, leaf.jobs[2].id, Uuid::nil()].map(|id| id.to_string()) {
        filled.bounded("find", 5.0, async |reader| reader.find(&text).await).await;
    }
    filled.bounded("find a person", 5.0, async |reader| reader.find(&words::email(3)).await).await;
    for (kind, id) in [(Kind::Invocation, leaf.id), (Kind::Event, leaf.events[0].id), (Kind::Job, leaf.jobs[0].id)] {
        let (row, _) = filled.bounded("row", 1.0, async |reader| reader.row(kind, id).await).await;
        assert_eq!(row.unwrap()["id"].as_str(), Some(id.to_string().as_str()));
    }
    let (inside, _) = filled.bounded("preview", 3.0 * EACH, async |reader| reader.inside(leaf.id).await).await;
    assert_eq!(inside.jobs.len(), leaf.jobs.len());
    let (failures, _) =
        filled.bounded("failures", 3.0 * in_range, async |reader| reader.failures(day, now()).await).await;
    assert!(failures.rows.len() > 10 && failures.looked.invocations > 100, "{:?}", failures.looked);
    // Two statements, and three runs of each name.
    let (stats, _) =
        filled.bounded("jobs by name", 3.0 * in_range, async |reader| reader.job_stats(day, now()).await).await;
    assert!(stats.jobs.iter().map(|job| job.runs).sum::<u64>() >= 4 * stats.looked.invocations);
    let long = now() - TimeDelta::days(365);
    // A bitmap of another index counts each row twice.
    let most = 10_000.0 * EACH * 2.0;
    let (stats, _) = filled.bounded("jobs of a year", most, async |reader| reader.job_stats(long, now()).await).await;
    assert!(stats.looked.only_since.is_some_and(|since| since > long));
    filled.bounded("failures of a year", most, async |reader| reader.failures(long, now()).await).await;
    let jobs: Vec<Uuid> = leaf.jobs.iter().map(|job| job.id).collect();
    filled.bounded("job logs", 1.0, async |reader| reader.job_logs(&jobs).await).await;

    let (hourly, _) = filled
        .bounded("hours of a day", 1.5 * in_range, async |reader| reader.hourly(day, now(), Step::Hour, now()).await)
        .await;
    assert_eq!(hourly.source, Source::Rows);
    for (step, hours) in [(Step::Minute, 1), (Step::Quarter, 6)] {
        let from = now() - TimeDelta::hours(hours);
        let (counted, _) = filled
            .bounded("shorter steps", 1.0 * in_range, async |reader| reader.hourly(from, now(), step, now()).await)
            .await;
        assert!(counted.total().total > 0);
    }
}

#[tokio::test]
async fn our_indexes_bound_every_query() {
    let filled = filled("plans_ours", Indexes::Same).await;
    no_query_reads_a_whole_table(&filled).await;
    steps::searches_go_in_steps(&filled).await;
    steps::hours_are_counted_in_steps(&filled).await;
    steps::searches_find_everything(&filled).await;

    let first = PageQuery { limit: PAGE, ..PageQuery::default() };
    let (_, executed) = filled.plans(async |reader| reader.page(&first, now(), STALE_AFTER).await).await;
    assert!(executed.iter().all(|statement| statement.uses("invocations_created_at_id_idx")));
    let none = PageQuery { filter: Filter::parse("none 31d").unwrap(), ..PageQuery::default() };
    let (_, executed) = filled.plans(async |reader| reader.count(&none, now(), STALE_AFTER).await).await;
    assert!(executed.iter().all(|statement| statement.uses("invocations_created_at_id_idx")));
    let root = &filled.cascades.iter().find(|cascade| cascade.invocations.len() > 3).unwrap().invocations[0];
    let (_, executed) = filled.plans(async |reader| reader.cascade(Seed::invocation(root.id)).await).await;
    assert!(executed.iter().any(|statement| statement.uses("invocations_source_job_id_idx")));
    let not_ok = ["event_executions_not_ok_idx", "job_executions_not_ok_idx"];
    let unused =
        |executed: &[Executed]| not_ok.iter().filter(|index| !executed.iter().any(|one| one.uses(index))).count();
    let day = now() - TimeDelta::days(1);
    let (_, executed) = filled.plans(async |reader| reader.hourly(day, now(), Step::Hour, now()).await).await;
    assert_eq!(unused(&executed), 0);
    for text in ["st:failed", "st:ok", "st:stuck", "-st:ok"] {
        let query = PageQuery { filter: Filter::parse(text).unwrap(), limit: PAGE, ..PageQuery::default() };
        let (_, executed) = filled.plans(async |reader| reader.page(&query, now(), STALE_AFTER).await).await;
        assert_eq!(unused(&executed), 0, "{text}");
    }
    for (text, index) in [
        ("evt:move.none", "event_executions_detected_name_idx"),
        ("nosuchword", "event_executions_detected_name_idx"),
        ("nosuchword", "event_executions_not_ok_idx"),
        ("user:nobody@company.com", "invocations_source_user_email_idx"),
        ("corr:none@company.com", "invocations_correlation_id_idx"),
        ("fn:payments-webhook", "invocations_source_function_idx"),
    ] {
        let query = PageQuery { filter: Filter::parse(text).unwrap(), limit: PAGE, ..PageQuery::default() };
        let (_, executed) = filled.plans(async |reader| reader.page(&query, now(), STALE_AFTER).await).await;
        assert!(executed.iter().any(|statement| statement.uses(index)), "{text} does not use {index}");
    }
}

#[tokio::test]
async fn the_indexes_of_another_program_bound_every_query() {
    let filled = filled("plans_theirs", Indexes::Theirs).await;
    no_query_reads_a_whole_table(&filled).await;
    steps::searches_go_in_steps(&filled).await;
    steps::hours_are_counted_in_steps(&filled).await;
}

/// The rows are what the generator meant them to be, as the reader sees them.
#[tokio::test]
async fn made_up_rows_are_read_as_they_were_meant() {
    let db = common::database("plans_rows").await;
    let plan = Plan { rows: 2_000, cascade: 1_900, seed: 3, now: now(), random_ids: false };
    let mut admin = common::session(&db.admin).await;
    load::load(&mut admin, &plan, Indexes::Same, |_| ()).await.unwrap();
    let reader = Reader::new(db.readonly.clone());
    let page = reader.page(&PageQuery { limit: 5_000, ..PageQuery::default() }, now(), STALE_AFTER).await.unwrap();
    assert_eq!((page.rows.len() as u64, plan.invocations()), (2_100, 2_100));
    let cascades: Vec<Cascade> = plan.cascades().collect();
    let meant: BTreeMap<Uuid, &Invocation> =
        cascades.iter().flat_map(|cascade| &cascade.invocations).map(|row| (row.id, row)).collect();
    let mut outcomes = BTreeSet::new();
    for row in &page.rows {
        let invocation = meant[&row.invocation.id];
        let expected = match invocation.outcome {
            Outcome::Ok => Effective::Ok,
            Outcome::Failed | Outcome::HiddenFailure | Outcome::CrashedHandler => Effective::Failed,
            Outcome::Killed | Outcome::ForgottenJob => Effective::Stuck,
            Outcome::Running => Effective::Running,
        };
        assert_eq!(row.verdict(now(), STALE_AFTER).effective, expected, "{invocation:#?}");
        assert_eq!((row.children.events_checked, row.children.jobs_run), (14, 4));
        assert_eq!(row.invocation.parent.map(|parent| parent.job), invocation.parent.map(|(job, _)| job));
        outcomes.insert(invocation.outcome);
    }
    assert_eq!(outcomes.len(), 7, "{outcomes:?}");

    let huge = cascades.last().unwrap();
    let rows = reader.cascade(Seed::invocation(huge.invocations[50].id)).await.unwrap();
    let flow = Flow::build(rows, now(), STALE_AFTER);
    assert_eq!((flow.nodes.len(), flow.roots.len()), (1_900, 1));
}

/// A fifth has a recorded parent, chains are at most six deep, and the same seed gives the same rows.
#[test]
fn a_fifth_of_the_made_up_rows_is_chained() {
    let plan = Plan { rows: 100_000, cascade: 0, seed: 11, now: now(), random_ids: false };
    let (mut linked, mut deepest, mut branching) = (0, 0, false);
    let mut newest = 0;
    for cascade in plan.cascades() {
        let mut depth = BTreeMap::new();
        for row in &cascade.invocations {
            let above = row.parent.map_or(0, |(job, _)| depth[&job]);
            deepest = deepest.max(above + 1);
            branching |= above > 0 && depth.values().filter(|level| **level == above + 1).count() > 0;
            depth.extend(row.jobs.iter().map(|job| (job.id, above + 1)));
            linked += u64::from(row.parent.is_some_and(|(_, recorded)| recorded));
            newest = newest.max(row.at);
        }
    }
    assert!((19_000..=21_000).contains(&linked), "{linked}");
    assert_eq!((deepest, branching), (6, true));
    assert!(newest < now().timestamp_micros());
    let ids = |plan: &Plan| plan.cascades().take(50).map(|cascade| cascade.invocations[0].id).collect::<Vec<_>>();
    assert_eq!(ids(&plan), ids(&plan));
    assert_ne!(ids(&plan), ids(&Plan { seed: 12, ..plan.clone() }));
}

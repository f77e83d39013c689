//! Filters on a real server: what the SQL of a filter finds is what the evaluator finds, whatever the rows hold.

mod rows;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use obs_tui::model::filter::{Below, Candidate, Filter, Known, SEARCH_RANGE};
use obs_tui::model::invocation::{Event, Job, Key, Listed};
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::read::{MOST_COUNTED, PageQuery, Reader, Seed};
use obs_tui::store::time::Timestamp;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::common::{self, TestDb};

fn now() -> DateTime<Utc> {
    "2026-11-20T12:04:33.123456Z".parse().unwrap()
}

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn query(text: &str) -> PageQuery {
    PageQuery { filter: filter(text), limit: 1_000, ..PageQuery::default() }
}

/// What stands in a database, for the evaluator.
struct All {
    listed: Vec<Listed>,
    events: Vec<Event>,
    jobs: Vec<Job>,
    payloads: Vec<(Uuid, serde_json::Value)>,
}

impl All {
    async fn read(db: &TestDb, reader: &Reader) -> Self {
        let page = reader.page(&query(""), now(), STALE_AFTER).await.unwrap();
        let ids = page.rows.iter().map(|row| row.invocation.id).collect();
        let rows = reader.cascade(Seed { invocations: ids, ..Seed::default() }).await.unwrap();
        let mut session = common::session(&db.readonly).await;
        let payloads = sqlx::query_as("select id, source_event_payload from invocations").fetch_all(&mut session);
        Self { payloads: payloads.await.unwrap(), listed: page.rows, events: rows.events, jobs: rows.jobs }
    }

    /// The rows that pass, in the order of the list.
    fn passing(&self, filter: &Filter) -> Vec<Uuid> {
        let passes = |listed: &&Listed| {
            let id = listed.invocation.id;
            let events: Vec<_> = self.events.iter().filter(|event| event.invocation_id == id).cloned().collect();
            let jobs: Vec<_> = self.jobs.iter().filter(|job| job.invocation_id == id).cloned().collect();
            let payload = &self.payloads.iter().find(|(of, _)| *of == id).unwrap().1;
            let below = Some(Below { events: &events, jobs: &jobs, payload });
            filter.matches(&Candidate { listed, below }, now(), STALE_AFTER)
        };
        self.listed.iter().filter(passes).map(|listed| listed.invocation.id).collect()
    }
}

async fn found(reader: &Reader, query: &PageQuery) -> Vec<Uuid> {
    let page = reader.page(query, now(), STALE_AFTER).await;
    page.unwrap_or_else(|error| panic!("{}: {error}", query.filter)).rows.iter().map(|row| row.invocation.id).collect()
}

async fn paged(reader: &Reader, mut query: PageQuery, limit: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    query.limit = limit;
    loop {
        let page = reader.page(&query, now(), STALE_AFTER).await.unwrap();
        ids.extend(page.rows.iter().map(|row| row.invocation.id));
        query.older_than = page.rows.last().map(|row| Key::from(&row.invocation));
        if !page.more {
            return ids;
        }
    }
}

/// Compares many random filters; returns how many of them some but not all rows passed.
async fn compare(db: &TestDb, seed: u64, filters: usize) -> usize {
    let mut rng = Rng::with_seed(seed);
    rows::write(db, &mut rng, now(), 200).await;
    let reader = Reader::new(db.readonly.clone());
    let all = All::read(db, &reader).await;
    assert_eq!(all.listed.len(), 200);
    let mut telling = 0;
    for n in 0..filters {
        let text = rows::filter(&mut rng, &all.listed, &all.events, &all.jobs);
        let query = query(&text);
        let expected = all.passing(&query.filter);
        assert_eq!(found(&reader, &query).await, expected, "{text}");
        if n % 8 == 0 {
            assert_eq!(paged(&reader, query.clone(), 7).await, expected, "{text}");
            let count = reader.count(&query, now(), STALE_AFTER).await.unwrap();
            assert_eq!((count.at_least, count.exact), (expected.len() as u64, true), "{text}");
        }
        telling += usize::from(!expected.is_empty() && expected.len() < 200);
    }
    telling
}

#[tokio::test]
async fn sql_and_evaluator_agree_on_random_rows() {
    let db = common::database("filter_random").await;
    let telling = compare(&db, 7, 400).await;
    assert!(telling > 200, "only {telling} filters told rows apart");
}

#[tokio::test]
async fn sql_and_evaluator_agree_on_the_columns_of_another_writer() {
    let db = common::database("filter_adopted").await;
    let mut admin = common::session(&db.admin).await;
    for statement in [
        "drop materialized view dashboard_stats cascade",
        "alter table invocations drop column source_job_id, drop column source_type, \
         alter source_function type varchar(200), alter status type varchar(30), alter total_duration_ms type bigint",
        "alter table event_executions alter status type varchar(30)",
    ] {
        admin.execute(statement).await.unwrap();
    }
    let telling = compare(&db, 11, 120).await;
    assert!(telling > 60, "only {telling} filters told rows apart");
}

async fn write(db: &TestDb, statements: &[&str]) {
    let mut session = common::session(&db.app).await;
    for statement in statements {
        session.execute(AssertSqlSafe((*statement).to_owned())).await.unwrap();
    }
    session.close().await.unwrap();
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x7000_8000_0000_0000_0000 + u128::from(n))
}

/// One invocation, one event and one job for each name, a minute apart, newest last; ids 1, 2, 3 …, 101 …, 201 ….
async fn named(db: &TestDb, names: &[&str]) {
    let mut session = common::session(&db.app).await;
    for (n, name) in (1..).zip(names) {
        let at = now() - TimeDelta::hours(1) + TimeDelta::minutes(i64::from(n));
        let insert = "insert into invocations (id, created_at, updated_at, source_function, correlation_id, status, source_event_payload) \
                      values ($1, $2, $2, $3, $3, 'completed', jsonb_build_object('event', jsonb_build_object($3::text, $3::text)))";
        sqlx::query(insert).bind(id(n)).bind(Timestamp(at)).bind(name).execute(&mut session).await.unwrap();
        let insert = "insert into event_executions (id, invocation_id, created_at, updated_at, event_name, detected, status) \
                      values ($1, $2, $3, $3, $4, true, 'completed')";
        let event = sqlx::query(insert).bind(id(100 + n)).bind(id(n)).bind(Timestamp(at)).bind(name);
        event.execute(&mut session).await.unwrap();
        let insert = "insert into job_executions (id, invocation_id, event_execution_id, created_at, updated_at, job_name, status) \
                      values ($1, $2, $3, $4, $4, $5, 'completed')";
        let job = sqlx::query(insert).bind(id(200 + n)).bind(id(n)).bind(id(100 + n)).bind(Timestamp(at)).bind(name);
        job.execute(&mut session).await.unwrap();
    }
    session.close().await.unwrap();
}

#[tokio::test]
async fn signs_of_sql_mean_nothing() {
    let db = common::database("filter_signs").await;
    let names = [
        "100%",
        "100x",
        "a_b",
        "axb",
        "c\\d",
        "c\\\\d",
        "it's",
        "say \"hi\"",
        "x*y",
        "xzy",
        "$1",
        "'; drop table invocations; --",
    ];
    named(&db, &names).await;
    let reader = Reader::new(db.readonly.clone());
    let cases: &[(&str, &[u32])] = &[
        ("fn:100%", &[1]),
        ("fn:100%*", &[1]),
        ("job:a_b", &[3]),
        ("job:a_*", &[3]),
        ("evt:c\\d", &[5]),
        ("evt:\"c\\\\d\"", &[5]),
        ("evt:\"c\\\\\\\\d\"", &[6]),
        ("evt:c\\*", &[6, 5]),
        ("corr:it's", &[7]),
        ("fn:\"say \\\"hi\\\"\"", &[8]),
        ("\"say \\\"\"", &[8]),
        ("fn:\"x*y\"", &[9]),
        ("fn:x*y", &[10, 9]),
        ("\"*\"", &[9]),
        ("$1", &[11]),
        ("\"'; drop table invocations; --\"", &[12]),
        ("payload.\"it's\":\"it's\"", &[7]),
        ("payload.event.\"100%\":100%", &[1]),
        ("payload.\"say \\\"hi\\\"\":\"say \\\"hi\\\"\"", &[8]),
        ("fn:~\\$1", &[11]),
        ("fn:~^100.$", &[2, 1]),
        ("%", &[1]),
        ("_", &[3]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|n| id(*n)).collect();
        assert_eq!(found(&reader, &query(text)).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_pasted_id_finds_its_row_however_old_it_is() {
    let db = common::database("filter_ids").await;
    let chain = "550e8400-e29b-41d4-a716-446655440000";
    let dotted = format!("moves.{chain}");
    named(&db, &["a", &dotted, "driver@company.com", chain, "moves.2da00667a56b207240c703f72ec5360a"]).await;
    write(&db, &["update invocations set created_at = '2020-01-01T00:00:00Z' where source_function = 'a'"]).await;
    let reader = Reader::new(db.readonly.clone());
    for of in [1, 101, 201] {
        assert_eq!(found(&reader, &query(&id(of).to_string())).await, [id(1)]);
    }
    assert_eq!(found(&reader, &query(&format!("-{}", id(1)))).await, [id(5), id(4), id(3), id(2)]);
    assert_eq!(found(&reader, &query(&dotted)).await, [id(2)]);
    assert_eq!(found(&reader, &query(chain)).await, [id(4)], "equal, found by the index");
    write(&db, &["delete from invocations where correlation_id = '550e8400-e29b-41d4-a716-446655440000'"]).await;
    assert_eq!(found(&reader, &query(chain)).await, [id(2)], "held by another");
    assert_eq!(found(&reader, &query("2DA00667-A56B-2072-40C7-03F72EC5360A")).await, [id(5)]);
    assert_eq!(found(&reader, &query("driver@company.com")).await, [id(3)]);
    assert_eq!(found(&reader, &query(&id(99).to_string())).await, Vec::<Uuid>::new());
}

#[tokio::test]
async fn a_search_goes_back_as_far_as_it_says() {
    let db = common::database("filter_range").await;
    named(&db, &["new", "old"]).await;
    let statement =
        format!("update invocations set created_at = '{}' where source_function = 'old'", now() - SEARCH_RANGE * 2);
    write(&db, &[&statement]).await;
    let reader = Reader::new(db.readonly.clone());
    for (text, bounded) in
        [("job:*", true), ("st:ok", true), ("\"\"", true), ("fn:new,old", false), ("job:* 30d", false)]
    {
        let query = query(text);
        assert_eq!(query.searched_since(now()).is_some(), bounded, "{text}");
        assert_eq!(found(&reader, &query).await.len(), if bounded { 1 } else { 2 }, "{text}");
        let all = PageQuery { since: Some(DateTime::UNIX_EPOCH), ..query };
        assert_eq!(found(&reader, &all).await.len(), 2, "{text}");
    }
}

#[tokio::test]
async fn changes_stay_filtered() {
    let db = common::database("filter_changes").await;
    named(&db, &["a", "b", "a", "b", "a"]).await;
    let reader = Reader::new(db.readonly.clone());
    let query = PageQuery { limit: 2, ..query("fn:a st:ok") };
    let changes = async |known: Option<Key>, ids: &[Uuid]| {
        let page = reader.changes(&query, known, ids, now(), STALE_AFTER).await.unwrap();
        page.rows.iter().map(|row| row.invocation.id).collect::<Vec<_>>()
    };
    assert_eq!(changes(None, &[]).await, [id(5), id(3)], "the limit counts rows that pass");
    let known = Some(Key { created_at: now() - TimeDelta::minutes(55), id: id(5) });
    assert_eq!(changes(known, &[id(1), id(2)]).await, [id(5), id(1)]);
    write(&db, &["update invocations set status = 'failed' where source_function = 'a'"]).await;
    assert_eq!(changes(known, &[id(1)]).await, Vec::<Uuid>::new(), "rows that do not pass any more are left out");
}

#[tokio::test]
async fn counts_end_at_their_cap() {
    let db = common::database("filter_count").await;
    let insert = format!(
        "insert into invocations (created_at, source_function, status) \
         select '2026-11-20T12:00:00Z'::timestamptz - n * interval '1 second', 'f' || n % 4, 'completed' from generate_series(1, {}) n",
        MOST_COUNTED + 100
    );
    write(&db, &[&insert]).await;
    let reader = Reader::new(db.readonly.clone());
    let count = async |text: &str| reader.count(&query(text), now(), STALE_AFTER).await.unwrap().to_string();
    assert_eq!(count("").await, "10000+");
    assert_eq!(count("fn:f1").await, "2525");
    assert_eq!(count("fn:f1 1h").await, "832");
    assert_eq!(count("job:x").await, "0");
}

#[tokio::test]
async fn known_names_are_those_of_the_newest_rows() {
    let db = common::database("filter_known").await;
    named(&db, &["rare", "often", "often", "old"]).await;
    write(
        &db,
        &[
            "update invocations set created_at = '2026-01-01T00:00:00Z' where source_function = 'old'",
            "update invocations set source_table = 'public.moves', source_user_email = 'a@b.c' where source_function = 'rare'",
            "update event_executions set detected = false where event_name = 'rare'",
        ],
    )
    .await;
    let reader = Reader::new(db.readonly.clone());
    let known = reader.known(now() - TimeDelta::days(1)).await.unwrap();
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = Known {
        functions: list(&["often", "rare"]),
        events: list(&["often"]),
        jobs: list(&["often", "rare"]),
        users: list(&["a@b.c"]),
        tables: list(&["moves"]),
        systems: Vec::new(),
    };
    assert_eq!(known, expected);
}

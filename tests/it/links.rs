//! Cascades of rows that other writers left in live runs: the same from every entry, whatever way its links are known.

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::model::flow::{Critical, Flow, Kind, Overview, Times};
use obs_tui::model::invocation::Link;
use obs_tui::model::status::STALE_AFTER;
use obs_tui::store::read::{Reader, Seed};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::common::{self, TestDb};

const LIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/live");

fn now() -> DateTime<Utc> {
    "2026-12-02T00:00:00Z".parse().unwrap()
}

/// A database with the rows of one of these writers.
async fn live(name: &str, writer: &str) -> (TestDb, Reader) {
    let db = common::database(name).await;
    let mut session = common::session(&db.superuser).await;
    session.execute("SET session_replication_role = replica").await.unwrap();
    for table in ["invocations", "job_executions", "event_executions"] {
        let file = std::fs::File::open(format!("{LIVE}/{writer}/{table}.csv.gz")).unwrap();
        let mut rows = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut rows).unwrap();
        let header = String::from_utf8_lossy(rows.split(|byte| *byte == b'\n').next().unwrap()).into_owned();
        let sql = format!("COPY {table} ({header}) FROM STDIN (FORMAT csv, HEADER true)");
        let mut copy = session.copy_in_raw(&sql).await.unwrap();
        copy.send(rows).await.unwrap();
        copy.finish().await.unwrap();
    }
    session.execute("ANALYZE").await.unwrap();
    session.close().await.unwrap();
    let reader = Reader::new(db.readonly.clone());
    (db, reader)
}

async fn change(db: &TestDb, sql: &str) {
    let mut session = common::session(&db.superuser).await;
    session.execute("SET session_replication_role = replica").await.unwrap();
    session.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

async fn ids(db: &TestDb, condition: &str) -> Vec<Uuid> {
    let mut session = common::session(&db.superuser).await;
    let sql = format!("select id from invocations where {condition} order by created_at, id");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut session).await.unwrap()
}

async fn tree(reader: &Reader, seed: Seed) -> Flow {
    Flow::build(reader.cascade(seed).await.unwrap(), now(), STALE_AFTER)
}

/// The cascade of these invocations, and nothing else, from each invocation, event and job in it: one root, one tree.
async fn assert_same_from_everywhere(reader: &Reader, members: &[Uuid], what: &str) -> Flow {
    let whole = tree(reader, Seed::invocation(members[0])).await;
    let mut invocations: Vec<Uuid> =
        whole.nodes.iter().filter(|node| node.kind == Kind::Invocation).map(|node| node.id).collect();
    invocations.sort_unstable();
    let mut expected = members.to_vec();
    expected.sort_unstable();
    assert_eq!(invocations, expected, "{what}: from the root");
    assert_eq!((whole.roots.len(), whole.truncated, whole.unsearched_since), (1, false, None), "{what}");
    for id in whole.nodes.iter().map(|node| node.id) {
        let seed = reader.find(&id.to_string(), now()).await.unwrap().unwrap();
        assert_eq!(tree(reader, seed).await, whole, "{what}: from {id}");
    }
    whole
}

#[tokio::test]
async fn a_cascade_is_the_same_from_every_entry_however_it_is_linked() {
    let (db, reader) = live("links_legacy", "legacy").await;
    let chain = ids(&db, "source_function like 's-chain-r%'").await;
    let chain_id = "3900d609-4168-4894-9bc8-a630551d0328";
    assert_eq!(chain.len(), 14);
    let by_id = assert_same_from_everywhere(&reader, &chain, "payload and correlation id").await;
    let named = tree(&reader, reader.find(chain_id, now()).await.unwrap().unwrap()).await;
    assert_eq!(named, by_id, "from the correlation id");
    assert_eq!((by_id.counts.invocations_failed, Overview::of(&by_id).failures.len()), (4, 4));
    assert_eq!(by_id.nodes.iter().filter(|node| node.link == Some(Link::Inferred)).count(), 13);

    // What a person did: no correlation id holds it together any more.
    change(&db, "update invocations set correlation_id = source_user_email where source_function like 's-chain-r%'")
        .await;
    let payload = assert_same_from_everywhere(&reader, &chain, "payload only").await;
    assert_eq!(payload.counts, by_id.counts);

    let link = |condition: &str| {
        format!(
            "update invocations set source_job_id = (source_event_payload ->> '__sourceJobId')::uuid \
             where source_function like 's-chain-r.%' and {condition}"
        )
    };
    change(&db, &link("source_function like '%.0'")).await;
    let mixed = assert_same_from_everywhere(&reader, &chain, "mixed").await;
    assert_eq!(mixed.counts, by_id.counts);
    let recorded = mixed.nodes.iter().filter(|node| node.link == Some(Link::Recorded)).count();
    assert!((1..13).contains(&recorded), "{recorded}");
    change(&db, &link("true")).await;
    let recorded = assert_same_from_everywhere(&reader, &chain, "recorded").await;
    assert_eq!(recorded.counts, by_id.counts);
    assert!(recorded.nodes.iter().all(|node| node.link != Some(Link::Inferred)));
}

#[tokio::test]
async fn chains_of_the_successor_are_followed_down() {
    let (db, reader) = live("links_successor", "successor").await;
    let chain = ids(&db, "created_at between '2026-11-30 22:45:55.1+00' and '2026-11-30 22:45:57.5+00'").await;
    assert_eq!(chain.len(), 7);
    let flow = assert_same_from_everywhere(&reader, &chain, "each with a correlation id of its own").await;
    assert_eq!(flow.nodes.iter().filter(|node| node.link == Some(Link::Inferred)).count(), 6);
}

#[tokio::test]
async fn false_links_are_marked_and_not_followed() {
    let (db, reader) = live("links_false", "successor").await;
    let chain = ids(&db, "created_at between '2026-11-30 22:45:55.1+00' and '2026-11-30 22:45:57.5+00'").await;
    let (first, second, rest) = (chain[0], chain[1], &chain[2..]);
    // An update that named no token: the row carried it before.
    change(
        &db,
        &format!(
            "update invocations set source_event_payload = jsonb_set(source_event_payload, '{{event,data,old}}', \
             source_event_payload #> '{{event,data,new}}') where id = '{second}'"
        ),
    )
    .await;
    let has = |flow: &Flow, id: Uuid| flow.find(id).is_some();
    let above = tree(&reader, Seed::invocation(first)).await;
    assert!(!has(&above, second) && has(&above, chain[4]), "not below its job");
    let below = tree(&reader, Seed::invocation(second)).await;
    assert!(!has(&below, first), "nor is the job above it");
    let node = &below.nodes[below.find(second).unwrap()];
    assert_eq!((node.link, node.parent), (Some(Link::Doubtful), None));
    assert!(node.label(&obs_tui::model::flow::Glyphs::ASCII).contains("doubtful"), "{node:?}");
    // Older than the job that its payload names.
    let third = rest[0];
    change(&db, &format!("update invocations set created_at = created_at - interval '1 hour' where id = '{third}'"))
        .await;
    assert!(!has(&tree(&reader, Seed::invocation(second)).await, third));
    let older = tree(&reader, Seed::invocation(third)).await;
    assert!(!has(&older, second));
    assert_eq!(older.nodes[older.find(third).unwrap()].link, Some(Link::Doubtful));
    // Gathered together for another reason, they are marked and stand apart.
    let both = tree(&reader, Seed { invocations: vec![second, third], ..Seed::default() }).await;
    assert_eq!(both.nodes[both.find(third).unwrap()].parent, None);
}

#[tokio::test]
async fn a_search_for_children_that_ends_early_says_so() {
    let (db, reader) = live("links_bound", "successor").await;
    let root = ids(&db, "created_at between '2026-11-30 22:45:55.1+00' and '2026-11-30 22:45:57.5+00'").await[0];
    change(
        &db,
        "insert into invocations (id, created_at, updated_at, source_function, source_event_payload, status) \
         select gen_random_uuid(), '2026-11-30 22:45:55.2+00'::timestamptz + n * interval '10 us', now(), 'f', '{}', 'completed' \
         from generate_series(1, 5000) n; analyze invocations",
    )
    .await;
    let flow = tree(&reader, Seed::invocation(root)).await;
    assert_eq!(flow.counts.invocations, 1);
    let since = flow.unsearched_since.unwrap();
    let began = flow.nodes[flow.find(root).unwrap()].started_at;
    assert!(since > began && since < began + TimeDelta::seconds(1), "{since}");
    assert!(flow.unsearched().unwrap().starts_with("children not searched: payloads since 2026-11-30T22:45:55Z"));
}

#[tokio::test]
async fn a_cascade_takes_as_long_as_its_rows_say() {
    let (db, reader) = live("links_times", "legacy").await;
    let slow = ids(&db, "source_function = 's-slowdet'").await[0];
    let flow = tree(&reader, Seed::invocation(slow)).await;
    let overview = Overview::of(&flow);
    let critical = Critical::of(&flow, &overview, &Times::of(&flow, &overview, now()), now());
    assert_eq!((overview.end_ms, critical.took_ms), (1_105, 1_105));
    for event in flow.nodes.iter().filter(|node| node.kind == Kind::Event) {
        assert_eq!(event.started_at, flow.nodes[flow.roots[0]].started_at, "both detectors began with it");
    }
    // No invocation of either writer ends later than it says.
    for id in ids(&db, "total_duration_ms is not null and status = 'completed'").await {
        let flow = tree(&reader, Seed::invocation(id)).await;
        for node in flow.nodes.iter().filter(|node| node.kind == Kind::Event) {
            let Some(above) = node.parent.map(|parent| &flow.nodes[parent]) else { continue };
            let end =
                |node: &obs_tui::model::flow::Node| Some(node.started_at + TimeDelta::milliseconds(node.duration_ms?));
            if let (Some(event), Some(invocation)) = (end(node), end(above)) {
                assert!(event <= invocation + TimeDelta::milliseconds(1), "{} of {}", node.name, above.name);
            }
        }
    }
}

/// The successor copies the error of a job or an event to the invocation above it.
#[tokio::test]
async fn a_failure_that_is_copied_upward_is_one_failure() {
    let (db, reader) = live("links_failures", "successor").await;
    let failed = ids(&db, "status = 'failed'").await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let failures = reader.failures(at("2026-11-29T00:00:00Z"), now()).await.unwrap();
    assert!(failures.rows.len() > failed.len(), "the rows themselves: {}", failures.rows.len());
    let groups: Vec<(String, String, usize)> = failures
        .groups()
        .into_iter()
        .map(|group| (format!("{} {}", group.kind.short(), group.name), group.fingerprint, group.rows.len()))
        .collect();
    assert_eq!(groups.iter().map(|(_, _, rows)| rows).sum::<usize>(), failed.len(), "{groups:#?}");
    assert_eq!(failed.len(), 7);
}

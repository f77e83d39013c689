//! Searches that no index answers: they go from the newest rows to the oldest in steps of bounded size, find everything
//! once, and say how far they have come.

use obs_tui::model::hourly::Hourly;
use obs_tui::model::invocation::{Found, Listed};

use super::*;

/// Invocations of the first step and of the longest one. A bitmap counts what it reads twice.
const STEPS: (f64, f64) = (500.0, 16_000.0);

fn query(text: &str, limit: usize) -> PageQuery {
    PageQuery { filter: Filter::parse(text).unwrap(), limit, ..PageQuery::default() }
}

/// All rows that pass, page by page.
async fn walk(reader: &Reader, query: &PageQuery) -> Vec<Listed> {
    let mut query = query.clone();
    let mut rows: Vec<Listed> = Vec::new();
    loop {
        let page = reader.page(&query, now(), STALE_AFTER).await.unwrap();
        assert!(page.rows.len() <= query.limit && (page.rows.len() == query.limit || !page.more));
        rows.extend(page.rows);
        if !page.more {
            return rows;
        }
        query.older_than = rows.last().map(|row| Key::from(&row.invocation));
    }
}

/// What few rows pass is found once and completely, whatever the size of the page.
pub(super) async fn searches_find_everything(filled: &Filled) {
    let stuck = |row: &&Invocation| matches!(row.outcome, Outcome::Killed | Outcome::ForgottenJob);
    let mut expected: Vec<&Invocation> = filled.invocations().filter(stuck).collect();
    expected.sort_by_key(|row| std::cmp::Reverse((row.at, row.id)));
    let expected: Vec<Uuid> = expected.iter().map(|row| row.id).collect();
    for limit in [7, 100, 1_000] {
        let rows = walk(&filled.reader, &query("st:stuck 31d", limit)).await;
        let found: Vec<Uuid> = rows.iter().map(|row| row.invocation.id).collect();
        assert_eq!(found, expected, "{limit} at once");
    }
    let count = filled.reader.count(&query("st:stuck 31d", 1), now(), STALE_AFTER).await.unwrap();
    assert_eq!((count.at_least, count.exact), (expected.len() as u64, true));

    let until = now() - TimeDelta::days(10);
    let older = walk(&filled.reader, &query("st:stuck at:31d..10d", 100)).await;
    let expected = filled.invocations().filter(stuck).filter(|row| row.at < until.timestamp_micros()).count();
    assert_eq!(older.len(), expected);
}

/// Hours are counted from the newest to the oldest; what is told before all are counted is what they will be.
pub(super) async fn hours_are_counted_in_steps(filled: &Filled) {
    let parts = std::sync::Mutex::new(Vec::<Hourly>::new());
    let from = now() - TimeDelta::days(31);
    let (hourly, executed) = filled
        .bounded("hours of a month", 2.0 * STEPS.1 * EACH, async |reader| {
            parts.lock().unwrap().clear();
            reader.count_hours(from, now(), Step::Hour, now(), |part| parts.lock().unwrap().push(part)).await
        })
        .await;
    assert_eq!((hourly.total().total, hourly.back_to), (ROWS, None));
    let counted = executed.iter().filter(|statement| statement.sql.contains("judged"));
    assert_eq!(counted.count(), 4 * CALLS);
    let parts = parts.into_inner().unwrap();
    assert!(parts.len() > 1 && parts.is_sorted_by(|a, b| a.back_to > b.back_to));
    for part in parts {
        let back_to = part.back_to.unwrap();
        let expected: Vec<_> = hourly.buckets.iter().filter(|bucket| bucket.at >= back_to).cloned().collect();
        assert!(part.buckets == expected && !expected.is_empty(), "since {back_to}");
    }
}

/// What nothing passes is looked for in steps; none of them reads much.
pub(super) async fn searches_go_in_steps(filled: &Filled) {
    let id = "550e8400-e29b-41d4-a716-446655440000 31d";
    for text in ["none 31d", "evt:none 31d", "job:none 31d", "st:stuck fails:>3 31d", id] {
        let query = query(text, PAGE);
        let steps = std::sync::Mutex::new(Vec::<Found>::new());
        let (page, executed) = filled
            .bounded(text, 4.0 * STEPS.1 * EACH, async |reader| {
                steps.lock().unwrap().clear();
                reader.search(&query, now(), STALE_AFTER, |step| steps.lock().unwrap().push(step)).await
            })
            .await;
        assert!(page.rows.is_empty() && !page.more);
        let steps = steps.into_inner().unwrap();
        let back: Vec<_> = steps.iter().map(|step| step.back_to).collect();
        // 20,000 rows: 500 and 2,000 and 8,000, and the rest.
        assert!(steps.len() == 3 && back.is_sorted_by(|a, b| a > b), "{back:?}");
        assert!(steps.iter().all(|step| step.rows.is_empty()));
        let first: f64 = executed[..2].iter().flat_map(|statement| &statement.scans).map(|scan| scan.rows).sum();
        assert!(first <= 4.0 * STEPS.0 * EACH, "{text}: the first step looks at {first} rows");
    }
    let (page, _) = filled.plans(async |reader| reader.page(&query("st:failed", 50), now(), STALE_AFTER).await).await;
    assert_eq!((page.rows.len(), page.more), (50, true));
}

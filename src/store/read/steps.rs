//! Searching in steps: what no index answers is looked for among the newest rows first, then among more and more older
//! ones, with a statement for each step. So the first hits are there at once, no statement takes long however rare the
//! hits are, and whoever waits can be told how far the search has come.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::page::{PageQuery, Values, page_conditions};
use super::{Reader, fetch_all};
use crate::model::invocation::{Count, Found, Key, Page};
use crate::store::error::StoreError;

/// Invocations that the first step looks through.
const FIRST: i64 = 2_000;
/// Invocations that a step looks through at the most; each step is twice as long as the one before.
const LONGEST: i64 = 16_000;
/// Invocations that are looked through for a count.
const MOST_LOOKED_THROUGH: i64 = 50_000;
/// Invocations that are counted at the most.
pub const MOST_COUNTED: u32 = 10_000;

impl Reader {
    /// A page, newest first. `now` and `stale_after` decide which unfinished rows are stuck.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn page(
        &self,
        query: &PageQuery,
        now: DateTime<Utc>,
        stale_after: TimeDelta,
    ) -> Result<Page, StoreError> {
        self.search(query, now, stale_after, |_| ()).await
    }

    /// The same page, and before it each step that brings it nearer; none where an index leads to the rows.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn search(
        &self,
        query: &PageQuery,
        now: DateTime<Utc>,
        stale_after: TimeDelta,
        mut told: impl FnMut(Found),
    ) -> Result<Page, StoreError> {
        if !query.filter.looks_through_rows() {
            let (conditions, values) = page_conditions(query, now, stale_after)?;
            return self.listed(&conditions, values, query.limit).await;
        }
        let mut rows = Vec::new();
        let mut steps = Steps::new(query, now);
        while let Some(part) = steps.next(self, query.limit - rows.len()).await? {
            let (conditions, values) = page_conditions(&part, now, stale_after)?;
            let page = self.listed(&conditions, values, part.limit).await?;
            let more = page.more || rows.len() + page.rows.len() >= query.limit && !steps.ended;
            rows.extend(page.rows.iter().cloned());
            if more {
                return Ok(Page { rows, more });
            }
            if let Some(back_to) = part.since.filter(|_| !steps.ended) {
                told(Found { rows: page.rows, back_to });
            }
        }
        Ok(Page { rows, more: false })
    }

    /// How many rows there are, wherever the list stands and whatever its limit is. Counts up to [`MOST_COUNTED`], and
    /// where no index answers only those among the newest 50,000 rows: the count is not exact then.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn count(
        &self,
        query: &PageQuery,
        now: DateTime<Utc>,
        stale_after: TimeDelta,
    ) -> Result<Count, StoreError> {
        let most = i64::from(MOST_COUNTED);
        let all = PageQuery { older_than: None, ..query.clone() };
        let mut found = 0;
        if all.filter.looks_through_rows() {
            let mut steps = Steps::new(&all, now);
            while found <= most && steps.looked_through < MOST_LOOKED_THROUGH {
                let Some(part) = steps.next(self, 0).await? else { break };
                found += self.counted(&part, most + 1 - found, now, stale_after).await?;
            }
            let exact = found <= most && steps.ended;
            return Ok(Count { at_least: u64::try_from(found.min(most)).unwrap_or(0), exact });
        }
        found += self.counted(&all, most + 1, now, stale_after).await?;
        Ok(Count { at_least: u64::try_from(found.min(most)).unwrap_or(0), exact: found <= most })
    }

    async fn counted(
        &self,
        query: &PageQuery,
        most: i64,
        now: DateTime<Utc>,
        stale_after: TimeDelta,
    ) -> Result<i64, StoreError> {
        let (conditions, mut values) = page_conditions(query, now, stale_after)?;
        let condition = super::page::all(&conditions);
        let sql = format!(
            "select count(*) from (select 1 from invocations i where {condition} limit {}) counted",
            values.add(most)?
        );
        let mut session = self.session().await?;
        let rows: Vec<(i64,)> = fetch_all(&mut session.connection, sql, values.inner).await?;
        session.done();
        Ok(rows.first().map_or(0, |(found,)| *found))
    }
}

/// Pieces of a range of time, newest first, by the number of rows in them.
struct Steps<'q> {
    query: &'q PageQuery,
    /// From where on rows are looked for.
    since: Option<DateTime<Utc>>,
    /// What is newer has been looked through.
    older_than: Option<Key>,
    length: i64,
    looked_through: i64,
    ended: bool,
}

impl<'q> Steps<'q> {
    fn new(query: &'q PageQuery, now: DateTime<Utc>) -> Self {
        let until = query.filter.until(now).map(|created_at| Key { created_at, id: Uuid::nil() });
        let older_than = query.older_than.into_iter().chain(until).min();
        let since = query.searched_since(now).max(query.filter.since(now));
        Self { query, since, older_than, length: FIRST, looked_through: 0, ended: false }
    }

    /// The query for the next piece.
    async fn next(&mut self, reader: &Reader, limit: usize) -> Result<Option<PageQuery>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let mut values = Values::default();
        let mut conditions = vec!["true".to_owned()];
        if let Some(since) = self.since {
            conditions.push(format!("created_at >= {}", values.add(since)?));
        }
        if let Some(key) = self.older_than {
            conditions.push(format!("(created_at, id) < ({}, {})", values.add(key.created_at)?, values.add(key.id)?));
        }
        let sql = format!(
            "select created_at from invocations where {} order by created_at desc offset {} limit 1",
            conditions.join(" and "),
            values.add(self.length)?
        );
        let mut session = reader.session().await?;
        let edge: Vec<(DateTime<Utc>,)> = fetch_all(&mut session.connection, sql, values.inner).await?;
        session.done();
        let edge = edge.first().map(|(at,)| *at);
        let part = PageQuery { older_than: self.older_than, since: edge.or(self.since), limit, ..self.query.clone() };
        self.ended = edge.is_none();
        self.older_than = edge.map(|created_at| Key { created_at, id: Uuid::nil() });
        self.looked_through += self.length;
        self.length = (self.length * 2).min(LONGEST);
        Ok(Some(part))
    }
}

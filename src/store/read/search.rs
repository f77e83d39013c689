//! Pages and counts of filters. What no index answers is looked for in steps.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::filter::Ids;
use super::page::{PageQuery, all, page_conditions};
use super::steps::{Part, Steps};
use super::{Reader, Session};
use crate::model::filter::SEARCH_RANGE;
use crate::model::invocation::{Count, Found, Key, Page};
use crate::store::error::StoreError;

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
            let session = self.session().await?;
            let (conditions, values) = page_conditions(query, Ids::Known, &session, now, stale_after)?;
            let page = self.listed(session, &conditions, values, query.limit).await?;
            if !page.rows.is_empty() || !query.filter.has_ids() {
                return Ok(page);
            }
        }
        let mut rows = Vec::new();
        let mut steps = self.steps_of(query, now, i64::MAX);
        while let Some(Part { since, older_than, session }) = steps.next().await? {
            let part = PageQuery { since, older_than, limit: query.limit - rows.len(), ..query.clone() };
            let (conditions, values) = page_conditions(&part, Ids::Any, &session, now, stale_after)?;
            let page = self.listed(session, &conditions, values, part.limit).await?;
            let more = page.more || rows.len() + page.rows.len() >= query.limit && !steps.ended;
            rows.extend(page.rows.iter().cloned());
            if more {
                return Ok(Page { rows, more });
            }
            if let Some(back_to) = steps.only_since() {
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
        let query = PageQuery { older_than: None, ..query.clone() };
        let (mut found, mut ended) = (0, true);
        if !query.filter.looks_through_rows() {
            found = counted(self.session().await?, &query, Ids::Known, most + 1, now, stale_after).await?;
        }
        if query.filter.looks_through_rows() || found == 0 && query.filter.has_ids() {
            let mut steps = self.steps_of(&query, now, MOST_LOOKED_THROUGH);
            while found <= most
                && let Some(Part { since, older_than, session }) = steps.next().await?
            {
                let part = PageQuery { since, older_than, ..query.clone() };
                found += counted(session, &part, Ids::Any, most + 1 - found, now, stale_after).await?;
            }
            ended = steps.ended;
        }
        Ok(Count { at_least: u64::try_from(found.min(most)).unwrap_or(0), exact: found <= most && ended })
    }

    fn steps_of(&self, query: &PageQuery, now: DateTime<Utc>, most: i64) -> Steps<'_> {
        let until = query.filter.until(now).map(|created_at| Key { created_at, id: Uuid::nil() });
        let older_than = query.older_than.into_iter().chain(until).min();
        let since = query.searched_since(now).max(query.filter.since(now));
        // Ids need no range where indexes know them. Where they do not, it is as with any other search.
        let far = || now.checked_sub_signed(SEARCH_RANGE).unwrap_or(DateTime::UNIX_EPOCH);
        let is_told = query.filter.looks_through_rows() || query.filter.is_of_all_time();
        let since = if is_told { since } else { since.or_else(|| Some(far())) };
        Steps::new(self, since, older_than, most)
    }
}

async fn counted(
    mut session: Session<'_>,
    query: &PageQuery,
    ids: Ids,
    most: i64,
    now: DateTime<Utc>,
    stale_after: TimeDelta,
) -> Result<i64, StoreError> {
    let (conditions, mut values) = page_conditions(query, ids, &session, now, stale_after)?;
    let sql = format!(
        "select count(*) from (select 1 from @schema.invocations i where {} limit {}) counted",
        all(&conditions),
        values.add(most)?
    );
    let rows: Vec<(i64,)> = session.fetch_all(&sql, values.inner).await?;
    session.done();
    Ok(rows.first().map_or(0, |(found,)| *found))
}

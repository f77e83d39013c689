//! What an id leads to: the one way from a text that somebody has to rows, for `show`, `logs`, and filters with an id.
//!
//! An id may be that of an invocation, an event or a job, name the job that caused an invocation, or be a correlation id as a
//! whole: indexes lead to all of these, however old they are. No index of every database knows the source event, nor an id
//! within a correlation id: those are looked for in steps, [`SEARCH_RANGE`] back unless a filter says `at:all`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cascade::Seed;
use super::{PageQuery, Reader, Values};
use crate::model::correlation::{self, Token};
use crate::model::filter::{Filter, SEARCH_RANGE, Test};
use crate::model::status::STALE_AFTER;
use crate::model::text::age;
use crate::store::capabilities::Capabilities;
use crate::store::error::StoreError;

/// The ids of the invocations that indexes know of an id: `id` and `forms` are arguments, itself and how it is written.
pub(super) fn known(capabilities: &Capabilities, id: &str, forms: &str) -> String {
    let source_job = capabilities.or_null("invocations", 'c', "source_job_id", "uuid");
    format!(
        "select c.id from @schema.invocations c where c.id = {id} \
         union all select e.invocation_id from @schema.event_executions e where e.id = {id} \
         union all select j.invocation_id from @schema.job_executions j where j.id = {id} \
         union all select c.id from @schema.invocations c where {source_job} = {id} \
         union all select c.id from @schema.invocations c where c.correlation_id = any({forms})"
    )
}

/// The condition that an invocation `i` holds the id where no index leads: see [`known`]. `patterns` is an argument.
pub(super) fn held(capabilities: &Capabilities, id: &str, patterns: &str) -> String {
    let source_event = capabilities.or_null("invocations", 'i', "source_event_id", "uuid");
    format!("(i.correlation_id ilike any({patterns}) or {source_event} = {id})")
}

/// What was looked for where nothing was found, and how far back.
#[must_use]
pub fn looked_for(text: &str) -> String {
    let everywhere = "is in the database as that of an invocation, event, job or source job, or as a correlation id";
    match ids(text).is_empty() {
        true => everywhere.to_owned(),
        false => {
            format!("{everywhere}, nor in the last {} as a source event or within a correlation id", age(SEARCH_RANGE))
        }
    }
}

/// The ids that a text holds, the one that leads furthest first.
fn ids(text: &str) -> Vec<Uuid> {
    let token = Token::parse(text);
    let own = Uuid::try_parse(text).ok();
    let of = |correlation: &str| correlation::split(correlation).1.and_then(|id| Uuid::try_parse(id).ok());
    let job = token.as_ref().map(|token| token.job);
    let chain = of(token.as_ref().map_or(text, |token| &token.correlation));
    let mut ids: Vec<Uuid> = own.into_iter().chain(job).chain(chain).collect();
    ids.dedup();
    ids
}

impl Reader {
    /// What a text names: an id, whatever it is the id of, a correlation id, whatever its form, or a token; `None` when
    /// nothing carries it, see [`looked_for`].
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn find(&self, text: &str, now: DateTime<Utc>) -> Result<Option<Seed>, StoreError> {
        let text = text.trim();
        if Uuid::try_parse(text).is_err() {
            let mut values = Values::default();
            values.add(text)?;
            let sql = "select 1 from @schema.invocations where correlation_id = $1 limit 1";
            let mut session = self.session().await?;
            let carried: Option<(i32,)> = session.fetch_first(sql, values.inner).await?;
            session.done();
            if carried.is_some() {
                return Ok(Some(Seed { correlations: vec![text.to_owned()], ..Seed::default() }));
            }
        }
        for id in ids(text) {
            let filter = Filter::default().with(Test::Id(id));
            let page = self.page(&PageQuery { filter, limit: 1, ..PageQuery::default() }, now, STALE_AFTER).await?;
            if let Some(row) = page.rows.first() {
                return Ok(Some(Seed::invocation(row.invocation.id)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_out_of_what_holds_them() {
        let (chain, job) = (Uuid::from_u128(7), Uuid::from_u128(8));
        for text in [chain.to_string(), chain.simple().to_string(), format!("moves.notify.{chain}")] {
            assert_eq!(ids(&text), [chain], "{text}");
        }
        for text in [
            format!("a@b.c|{chain}|{job}"),
            format!("moves|moves.notify.{chain}|{job}|2"),
            format!("a@b.c.{chain}.{job}"),
        ] {
            assert_eq!(ids(&text), [job, chain], "{text}");
        }
        assert_eq!(ids("driver@company.com"), Vec::<Uuid>::new());
        assert!(!looked_for("driver@company.com").contains("last"));
        assert!(
            looked_for(&chain.to_string()).ends_with("nor in the last 7d as a source event or within a correlation id")
        );
    }
}

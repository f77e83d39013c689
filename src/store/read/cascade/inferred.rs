//! Links that stand in payloads only.
//!
//! Upward a payload names its parent job, which is looked up by its id. Downward nothing is indexed: what is looked at are
//! the invocations without a recorded link that began while a job ran or shortly after, by the index on `created_at`, and
//! so many at the most. Both ways follow the same links, so that a cascade is the same wherever it is entered.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, FromRow};
use uuid::Uuid;

use super::super::page::hint_columns;
use super::super::{Session, bound};
use super::{MOST_BELOW, MOST_PAYLOAD, values};
use crate::model::invocation::{Invocation, Link, is_child_of};
use crate::model::payload;
use crate::model::time::plus;
use crate::store::error::StoreError;
use crate::store::text::Text;
use crate::store::time::Timestamp;

/// How long after the end of a job an invocation that it caused is looked for.
const SEARCHED_AFTER: TimeDelta = TimeDelta::minutes(10);
/// Jobs that ran for longer are taken for not having caused anything after that.
const LONGEST_JOB: TimeDelta = TimeDelta::hours(1);
/// Invocations whose payload is looked into for one cascade.
const MOST_SEARCHED: usize = 4_000;

/// The search for children of one cascade.
#[derive(Debug, Default)]
pub(super) struct ChildSearch {
    searched: usize,
    /// Where it ended before its time.
    pub(super) unsearched_since: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct JobTime {
    id: Uuid,
    created_at: Option<Timestamp>,
    duration_ms: Option<i64>,
}

#[derive(FromRow)]
struct Candidate {
    id: Uuid,
    created_at: Timestamp,
    link_unread: Option<bool>,
    own_hint: Option<Text>,
    row_hint: Option<Text>,
    old_hint: Option<Text>,
}

impl ChildSearch {
    /// The invocations that jobs of these invocations caused, as far as payloads tell.
    pub(super) async fn children(
        &mut self,
        session: &mut Session<'_>,
        invocations: &[Uuid],
    ) -> Result<Vec<Uuid>, StoreError> {
        let sql = format!(
            "select j.id, j.created_at, {} as duration_ms from @schema.job_executions j \
             where j.invocation_id = any($1) limit {MOST_BELOW}",
            bound::milliseconds("j.duration_ms")
        );
        let jobs: Vec<JobTime> = session.fetch_all(&sql, values(invocations)?).await?;
        let jobs: HashMap<Uuid, (DateTime<Utc>, Option<i64>)> =
            jobs.into_iter().filter_map(|job| Some((job.id, (job.created_at?.0, job.duration_ms)))).collect();
        let ranges = ranges(jobs.values().map(|&(from, ms)| {
            let length = TimeDelta::try_milliseconds(ms.unwrap_or(0).max(0)).unwrap_or(LONGEST_JOB).min(LONGEST_JOB);
            (plus(from, -Invocation::CLOCKS_DIFFER), plus(from, length + SEARCHED_AFTER))
        }));
        let Some(&(first, _)) = ranges.first() else { return Ok(Vec::new()) };
        let left = MOST_SEARCHED.saturating_sub(self.searched);
        if left == 0 {
            self.ended_at(first);
            return Ok(Vec::new());
        }
        let source_job = session.capabilities.or_null("invocations", 'i', "source_job_id", "uuid");
        let hints = hint_columns(&session.capabilities, MOST_PAYLOAD);
        let sql = format!(
            "select c.* from unnest($1::timestamptz[], $2::timestamptz[]) w (from_at, to_at) cross join lateral ( \
               select i.id, i.created_at, {hints} from @schema.invocations i \
               where i.created_at >= w.from_at and i.created_at <= w.to_at and {source_job} is null \
               order by i.created_at limit $3 offset 0) c limit $3"
        );
        let mut arguments = PgArguments::default();
        let (from, to): (Vec<_>, Vec<_>) =
            ranges.into_iter().map(|(from, to)| (Timestamp(from), Timestamp(to))).unzip();
        arguments
            .add(from)
            .and_then(|()| arguments.add(to))
            .and_then(|()| arguments.add(i64::try_from(left + 1).unwrap_or(i64::MAX)))
            .map_err(sqlx::Error::Encode)?;
        let mut found: Vec<Candidate> = session.fetch_all(&sql, arguments).await?;
        found.sort_by_key(|row| (row.created_at.0, row.id));
        if found.len() > left {
            found.truncate(left);
            self.ended_at(found.last().map_or(first, |row| row.created_at.0));
        }
        self.searched += found.len();
        if let Some(unread) = found.iter().find(|row| row.link_unread == Some(true)) {
            self.ended_at(unread.created_at.0);
        }
        let is_child = |row: &Candidate| {
            payload::source_job(row.own_hint.as_deref(), row.row_hint.as_deref(), row.old_hint.as_deref())
                .filter(|parent| parent.link == Link::Inferred)
                .and_then(|parent| jobs.get(&parent.job))
                .is_some_and(|&(began, _)| is_child_of(row.created_at.0, began))
        };
        Ok(found.iter().filter(|row| is_child(row)).map(|row| row.id).collect())
    }

    fn ended_at(&mut self, at: DateTime<Utc>) {
        self.unsearched_since = Some(self.unsearched_since.map_or(at, |since| since.min(at)));
    }
}

/// The invocations above these, of which only the payload names the job; a link to a job that began after its child is
/// marked doubtful.
pub(super) async fn parents(
    session: &mut Session<'_>,
    invocations: &mut [Invocation],
) -> Result<HashSet<Uuid>, StoreError> {
    let inferred = |row: &Invocation| row.parent.filter(|parent| parent.link == Link::Inferred);
    let ids: Vec<Uuid> = invocations.iter().filter_map(inferred).map(|parent| parent.job).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    type Row = (Uuid, Uuid, Option<Timestamp>);
    let sql = "select id, invocation_id, created_at from @schema.job_executions where id = any($1)";
    let jobs: Vec<Row> = session.fetch_all(sql, values(ids)?).await?;
    let jobs: HashMap<Uuid, (Uuid, Option<Timestamp>)> =
        jobs.into_iter().map(|(id, invocation, began)| (id, (invocation, began))).collect();
    let mut parents = HashSet::new();
    for row in invocations {
        let Some(parent) = row.parent.as_mut().filter(|parent| parent.link == Link::Inferred) else { continue };
        let Some(&(above, began)) = jobs.get(&parent.job) else { continue };
        if began.is_some_and(|began| !is_child_of(row.created_at, began.0)) {
            parent.link = Link::Doubtful;
        } else {
            parents.insert(above);
        }
    }
    Ok(parents)
}

/// The same ranges of time without overlaps, oldest first.
fn ranges(all: impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    let mut merged: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (from, to) in all {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let of = |all: &[(i64, i64)]| ranges(all.iter().map(|&(from, to)| (at(from), at(to))));
        assert_eq!(of(&[(5, 9), (0, 2), (2, 3), (6, 7)]), [(at(0), at(3)), (at(5), at(9))]);
        assert_eq!(of(&[]), []);
    }
}

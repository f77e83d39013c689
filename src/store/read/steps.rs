//! Looking through invocations in steps: the newest first, then more and more older ones, with a statement for each step.
//!
//! So the first results are there at once, no statement takes long however rare the hits are and however slow the server
//! is, and whoever waits can be told how far it has come. A step is as long as about [`WANTED`] allows, judged by how long
//! the one before took beyond the way to the server and back, which a shorter step would not save.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

use super::page::Values;
use super::session::Several;
use super::{Reader, Session};
use crate::model::invocation::Key;
use crate::store::error::StoreError;
use crate::store::time::Timestamp;

/// Invocations that the first step looks through, and each one at the least.
const FIRST: i64 = 500;
/// Invocations that a step looks through at the most.
const LONGEST: i64 = 16_000;
/// So many times as long as the one before a step is at the most: the rows before may be cheaper ones.
const GROWTH: i64 = 4;
/// How much shorter than the one before a step is at the most: that one may just have been unlucky.
const SHRINKING: i64 = 2;
/// How long a step shall take. Twice as long is what nobody notices.
const WANTED: Duration = Duration::from_millis(25);

/// Pieces of a range of time, newest first, by the number of invocations in them.
pub(super) struct Steps<'r> {
    reader: &'r Reader,
    /// What the sessions of all steps are part of.
    pub(super) several: Several<'r>,
    /// From where on rows are looked for.
    since: Option<DateTime<Utc>>,
    /// What is not older has been looked through.
    older_than: Option<Key>,
    length: i64,
    /// When the last step began, and how long a small statement took before it.
    began: Option<(Duration, Duration)>,
    /// Invocations that are looked through at the most.
    most: i64,
    /// Invocations that have been looked through.
    pub(super) looked_through: i64,
    /// Whether the end of the range has been reached.
    pub(super) ended: bool,
}

/// One of them, and the connection to look it through with.
pub(super) struct Part<'r> {
    /// The first moment of it; absent at the beginning of all time.
    pub(super) since: Option<DateTime<Utc>>,
    /// Where it ends.
    pub(super) older_than: Option<Key>,
    /// To be given back before the next step.
    pub(super) session: Session<'r>,
}

impl Part<'_> {
    /// Its first moment and the one where it ends, as `$1` and `$2`.
    pub(super) fn arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let added = (arguments.add(self.since.map(Timestamp)))
            .and_then(|()| arguments.add(self.older_than.map(|key| Timestamp(key.created_at))));
        added.map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }
}

impl<'r> Steps<'r> {
    /// The invocations of a range, at most about so many.
    pub(super) fn new(reader: &'r Reader, since: Option<DateTime<Utc>>, older_than: Option<Key>, most: i64) -> Self {
        Self {
            reader,
            several: Several(&reader.inner),
            since,
            older_than,
            length: FIRST,
            began: None,
            most,
            looked_through: 0,
            ended: false,
        }
    }

    /// All invocations from one moment to another, the second not included, at most about so many.
    pub(super) fn between(reader: &'r Reader, from: DateTime<Utc>, to: DateTime<Utc>, most: i64) -> Self {
        Self::new(reader, Some(from), Some(Key { created_at: to, id: Uuid::nil() }), most)
    }

    /// The next piece; none when all has been looked through.
    pub(super) async fn next(&mut self) -> Result<Option<Part<'r>>, StoreError> {
        let clock = &self.reader.inner.clock;
        if let Some((began, way)) = self.began.take() {
            self.length = next_length(self.length, clock.elapsed().saturating_sub(began).saturating_sub(way));
        }
        let left = self.most - self.looked_through;
        if self.ended || left <= 0 {
            return Ok(None);
        }
        let length = self.length.min(left);
        let mut values = Values::default();
        let mut conditions = vec!["true".to_owned()];
        if let Some(since) = self.since {
            conditions.push(format!("created_at >= {}", values.add(Timestamp(since))?));
        }
        if let Some(key) = self.older_than {
            // The id would have to be looked up where no index holds it.
            let sign = if key.id.is_nil() { "<" } else { "<=" };
            conditions.push(format!("created_at {sign} {}", values.add(Timestamp(key.created_at))?));
        }
        let sql = format!(
            "select count(*), min(created_at) from (select created_at from @schema.invocations where {} \
             order by created_at desc limit {}) newest",
            conditions.join(" and "),
            values.add(length + 1)?
        );
        let mut session = self.reader.session().await?;
        session.part_of(&self.several);
        // Not while it is measured how long a statement takes.
        session.begin().await?;
        let asked = clock.elapsed();
        let found: Vec<(i64, Option<Timestamp>)> = session.fetch_all(&sql, values.inner).await?;
        let (count, oldest) = found.first().copied().unwrap_or_default();
        let older_than = self.older_than;
        self.ended = count <= length;
        self.looked_through += count.min(length);
        let since = if self.ended { self.since } else { oldest.map(|at| at.0) };
        self.older_than = since.map(|created_at| Key { created_at, id: Uuid::nil() });
        let began = clock.elapsed();
        self.began = Some((began, began.saturating_sub(asked)));
        Ok(Some(Part { since, older_than, session }))
    }

    /// The oldest moment that has been looked at, unless that is all.
    pub(super) fn only_since(&self) -> Option<DateTime<Utc>> {
        self.older_than.filter(|_| !self.ended).map(|key| key.created_at)
    }
}

/// How many invocations to look through next, after so many took so long.
fn next_length(length: i64, took: Duration) -> i64 {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).max(1);
    let fitting = length.saturating_mul(micros(WANTED)) / micros(took);
    fitting.clamp(length / SHRINKING, length * GROWTH).clamp(FIRST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(length: i64, ms: u64) -> i64 {
        next_length(length, Duration::from_millis(ms))
    }

    #[test]
    fn steps_become_as_long_as_time_allows() {
        assert_eq!((after(500, 0), after(500, 1), after(2_000, 5)), (2_000, 2_000, 8_000));
        assert_eq!((after(2_000, 20), after(2_000, 25), after(2_000, 40)), (2_500, 2_000, 1_250));
        assert_eq!((after(8_000, 5_000), after(600, 5_000), after(9_000, 1)), (4_000, FIRST, LONGEST));
        assert_eq!(next_length(LONGEST, Duration::MAX), LONGEST / SHRINKING);
    }
}

//! What recorders reported as lost: gaps in the data that would else look like nothing having happened.

use chrono::{DateTime, Utc};

use super::{Reader, Values};
use crate::model::losses::{Loss, Losses};
use crate::store::error::StoreError;
use crate::store::sql::OWNED_BY_RULER;
use crate::store::time::Timestamp;

/// Newest reports that are read.
const REPORTS: i64 = 10_000;
/// Characters of a class, a reason or a name that are read.
const LONGEST: i32 = 100;
/// Kinds of losses at the most.
const KINDS: i64 = 50;

impl Reader {
    /// The losses that recorders reported from then until before.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn losses(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Losses, StoreError> {
        let mut session = self.session().await?;
        let sql = format!(
            "select has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') and {OWNED_BY_RULER} \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = @'schema' and c.relname = 'recorder_losses' and c.relkind in ('r', 'p')"
        );
        let found: Vec<(bool,)> = session.fetch_all(&sql, Values::default().inner).await?;
        let readable = found.first().map(|(readable,)| *readable);
        if readable != Some(true) {
            session.done();
            return Ok(if readable.is_none() { Losses::NoTable } else { Losses::NotReadable });
        }
        let mut values = Values::default();
        values.add(Timestamp(from))?;
        values.add(Timestamp(to))?;
        values.add(REPORTS)?;
        values.add(LONGEST)?;
        values.add(KINDS + 1)?;
        let sql = "with newest as materialized (select left(class, $4) as class, left(reason, $4) as reason, \
                         left(recorder, $4) as recorder, count, created_at from @schema.recorder_losses \
                       where created_at >= $1 and created_at < $2 order by created_at desc limit $3 + 1) \
                   select class, reason, least(sum(count), 9223372036854775807)::bigint, count(distinct recorder), \
                          max(created_at), (select count(*) > $3 from newest) \
                   from newest group by class, reason order by 3 desc, 1, 2 limit $5";
        let rows: Vec<(String, String, i64, i64, Timestamp, bool)> = session.fetch_all(sql, values.inner).await?;
        session.done();
        let kinds = usize::try_from(KINDS).unwrap_or(usize::MAX);
        let truncated = rows.len() > kinds || rows.first().is_some_and(|row| row.5);
        let kinds = rows.into_iter().take(kinds).map(|(class, reason, records, recorders, last, _)| Loss {
            class,
            reason,
            records: records.try_into().unwrap_or(0),
            recorders: recorders.try_into().unwrap_or(0),
            last: last.0,
        });
        Ok(Losses::Reported { kinds: kinds.collect(), truncated })
    }
}

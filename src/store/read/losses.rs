//! What recorders reported as lost: gaps in the data that would else look like nothing having happened.

use chrono::{DateTime, Utc};

use super::{Reader, Values};
use crate::model::text::{clean, plural};
use crate::model::time;
use crate::store::error::StoreError;
use crate::store::sql::OWNED_BY_RULER;
use crate::store::time::Timestamp;

/// Newest reports that are read.
const REPORTS: i64 = 10_000;
/// Characters of a class, a reason or a name that are read.
const LONGEST: i32 = 100;
/// Kinds of losses at the most.
const KINDS: i64 = 50;

/// What is known about losses in a range of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Losses {
    /// There is no table `recorder_losses`: whether records were lost is not known.
    NoTable,
    /// This role may not read the table, or it belongs to a role that is not trusted: not known either.
    NotReadable,
    /// What was reported; empty when nothing was.
    Reported {
        /// By class and reason, most records first.
        kinds: Vec<Loss>,
        /// Whether there are more reports or kinds than were read.
        truncated: bool,
    },
}

/// Records of one class that were lost for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was lost, as the recorder named it.
    pub class: String,
    /// Why.
    pub reason: String,
    /// How many records.
    pub records: u64,
    /// How many recorders reported it.
    pub recorders: u64,
    /// The last report.
    pub last: DateTime<Utc>,
}

impl Losses {
    /// The lines that say so, without control characters; the first one alone says what there is.
    #[must_use]
    pub fn lines(&self, range: &str) -> Vec<String> {
        match self {
            Self::NoTable => {
                vec![
                    "Recorder losses: not known: there is no table recorder_losses. `obs-tui db migrate` creates it"
                        .into(),
                ]
            }
            Self::NotReadable => vec!["Recorder losses: not known: this role may not read recorder_losses".into()],
            Self::Reported { kinds, .. } if kinds.is_empty() => {
                vec![format!("Recorder losses: none reported in {range}")]
            }
            Self::Reported { kinds, truncated } => {
                let sum = kinds.iter().fold(0_u64, |sum, kind| sum.saturating_add(kind.records));
                let least = if *truncated { "at least " } else { "" };
                let total = plural(sum, "record");
                let mut lines = vec![format!("Recorder losses: {least}{total} lost in {range}: gaps in the data")];
                lines.extend(kinds.iter().map(|kind| {
                    let (class, reason) = (clean(&kind.class), clean(&kind.reason));
                    let last = time::utc(kind.last, "%Y-%m-%d %H:%M:%SZ");
                    let recorders = plural(kind.recorders, "recorder");
                    format!("  {class:<12} {reason:<14} {:>10}  {recorders}, last reported {last}", kind.records)
                }));
                if *truncated {
                    lines.push("  there are more reports than were read".into());
                }
                lines
            }
        }
    }
}

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

//! Names that occur in the newest rows, for the completion of filters.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::Arguments;

use super::Reader;
use super::steps::Steps;
use crate::model::filter::{Known, table_name};
use crate::store::error::StoreError;
use crate::store::text::Text;

/// Newest invocations that are looked at.
const INVOCATIONS: i64 = 2_000;
/// Names of one kind at the most.
const NAMES: usize = 500;
/// Longer names are left out: nobody wants to complete them.
const LONGEST: i32 = 200;

impl Reader {
    /// The names in the newest 2,000 invocations since then and in their events and jobs, most frequent first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn known(&self, since: DateTime<Utc>) -> Result<Known, StoreError> {
        let mut counts = HashMap::<String, BTreeMap<String, i64>>::new();
        let mut steps = Steps::new(self, Some(since), None, INVOCATIONS);
        while let Some(mut part) = steps.next().await? {
            let mut arguments = part.arguments()?;
            arguments.add(LONGEST + 1).map_err(sqlx::Error::Encode)?;
            let sql = "with newest as materialized ( \
                   select i.id, left(i.source_function, $3) as source_function, left(i.source_user_email, $3) as source_user_email, \
                          left(i.source_table, $3) as source_table, left(i.source_system, $3) as source_system \
                   from @schema.invocations i where i.created_at >= $1 and i.created_at < coalesce($2, 'infinity')), \
                 named (kind, name) as ( \
                   select 'function', source_function from newest \
                   union all select 'user', source_user_email from newest \
                   union all select 'table', source_table from newest \
                   union all select 'system', source_system from newest \
                   union all select 'event', e.event_name from newest n cross join lateral \
                     (select left(event_name, $3) as event_name from @schema.event_executions where invocation_id = n.id and detected offset 0) e \
                   union all select 'job', j.job_name from newest n cross join lateral \
                     (select left(job_name, $3) as job_name from @schema.job_executions where invocation_id = n.id offset 0) j) \
                 select kind, name, count(*) from named where length(name) between 1 and $3 - 1 group by kind, name";
            let rows: Vec<(Text, Text, i64)> = part.session.fetch_all(sql, arguments).await?;
            part.session.done();
            for (kind, name, count) in rows {
                let name = if &*kind == "table" { table_name(&name).to_owned() } else { name.into() };
                *counts.entry(kind.into()).or_default().entry(name).or_default() += count;
            }
        }
        let mut names = |kind: &str| {
            let mut names: Vec<_> = counts.remove(kind).unwrap_or_default().into_iter().collect();
            names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            names.into_iter().take(NAMES).map(|(name, _)| name).collect()
        };
        Ok(Known {
            functions: names("function"),
            events: names("event"),
            jobs: names("job"),
            users: names("user"),
            tables: names("table"),
            systems: names("system"),
        }
        .hide_secrets())
    }
}

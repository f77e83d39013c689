//! Names that occur in the newest rows, for the completion of filters.

use chrono::{DateTime, Utc};
use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use super::{Reader, fetch_all};
use crate::model::filter::{Known, table_name};
use crate::store::error::StoreError;

/// Newest invocations that are looked at.
const INVOCATIONS: i64 = 2_000;
/// Names of one kind at the most.
const NAMES: i64 = 500;
/// Longer names are left out: nobody wants to complete them.
const LONGEST: i32 = 200;

impl Reader {
    /// The names in the newest 2,000 invocations since then and in their events and jobs, most frequent first.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn known(&self, since: DateTime<Utc>) -> Result<Known, StoreError> {
        let sql = "with newest as materialized ( \
               select i.id, i.source_function, i.source_user_email, i.source_table, i.source_system from invocations i \
               where i.created_at >= $1 order by i.created_at desc, i.id desc limit $2), \
             named (kind, name) as ( \
               select 'function', source_function from newest \
               union all select 'user', source_user_email from newest \
               union all select 'table', source_table from newest \
               union all select 'system', source_system from newest \
               union all select 'event', e.event_name from newest n cross join lateral \
                 (select event_name from event_executions where invocation_id = n.id and detected offset 0) e \
               union all select 'job', j.job_name from newest n cross join lateral \
                 (select job_name from job_executions where invocation_id = n.id offset 0) j), \
             ranked as ( \
               select kind, name, row_number() over (partition by kind order by count(*) desc, name) as place \
               from named where length(name) between 1 and $3 group by kind, name) \
             select kind, name from ranked where place <= $4 order by kind, place";
        let mut arguments = PgArguments::default();
        let mut add = || {
            arguments.add(since)?;
            arguments.add(INVOCATIONS)?;
            arguments.add(LONGEST)?;
            arguments.add(NAMES)
        };
        add().map_err(sqlx::Error::Encode)?;
        let mut session = self.session().await?;
        let rows: Vec<(String, String)> = fetch_all(&mut session.connection, sql.to_owned(), arguments).await?;
        session.done();
        let mut known = Known::default();
        for (kind, name) in rows {
            match kind.as_str() {
                "function" => known.functions.push(name),
                "event" => known.events.push(name),
                "job" => known.jobs.push(name),
                "user" => known.users.push(name),
                "system" => known.systems.push(name),
                _ => {
                    let table = table_name(&name).to_owned();
                    if !known.tables.contains(&table) {
                        known.tables.push(table);
                    }
                }
            }
        }
        Ok(known)
    }
}

//! The write side: one batch of rows becomes one statement.
//!
//! Each table is an `INSERT … SELECT … FROM UNNEST(column arrays) … ON CONFLICT (id) DO UPDATE`; the three stand in one
//! `WITH` query, so a batch is one round trip and one transaction, and the foreign keys are checked at its end. The
//! number of parameters does not depend on the number of rows, and writing a batch again changes nothing. Then whoever
//! listens is told that there is something new.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::store::sql::{OWNED_BY_RULER, identifier};
use crate::store::time::Timestamp;
use columns::{Column, Columns, Rule};
use text::Charset;

pub use row::{
    Batch, EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LEVELS, LogRow, Merge, STATUSES, Source,
};

mod columns;
mod original;
mod row;
mod sample;
pub mod text;

/// The channel on which the server tells that a batch was written.
pub const CHANNEL: &str = "obs_tui";

/// What the parameters of most rows need.
const ROW_BYTES: usize = 384;

/// What the tables of one database accept: they may have been made by another writer, or by an older version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    schema: String,
    /// Of each table.
    columns: BTreeMap<String, BTreeSet<String>>,
    /// `detection_failed` and `handler_failed` are not allowed: both are stored as `failed`.
    narrow_statuses: bool,
    /// `source_job_id` is a foreign key: it is stored only if the job is there, or in the same batch.
    jobs_must_exist: bool,
    /// This role may tell who listens that it wrote something.
    tells: bool,
    charset: Charset,
    /// Every text is as short as a name, and longer JSON only a mark.
    plain: bool,
}

impl Target {
    /// Looks at the tables of a schema. The tables of a batch may be missing: [`Target::is_complete`] tells.
    ///
    /// # Errors
    /// Whatever the connection reports.
    pub async fn probe(connection: &mut PgConnection, schema: &str) -> Result<Self, sqlx::Error> {
        // A table of somebody else could run their code when it is written.
        let sql = format!(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = $1 \
             AND EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = table_name::text AND {OWNED_BY_RULER})"
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(schema).fetch_all(&mut *connection).await?;
        let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in found {
            columns.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
        }
        let (narrow_statuses, jobs_must_exist, tells, encoding) = sqlx::query_as::<_, (bool, bool, bool, String)>(
            "WITH c AS (SELECT t.relname, k.contype, pg_get_constraintdef(k.oid) AS text
                 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
                 JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = $1)
             SELECT EXISTS (SELECT FROM c WHERE relname = 'event_executions' AND contype = 'c'
                        AND text LIKE '%not_detected%' AND text NOT LIKE '%handler_failed%'),
                    EXISTS (SELECT FROM c WHERE relname = 'invocations' AND contype = 'f' AND text LIKE '%(source_job_id)%'),
                    COALESCE(has_function_privilege(to_regprocedure('pg_catalog.pg_notify(text,text)'), 'EXECUTE'), false),
                    current_setting('server_encoding')",
        )
        .bind(schema)
        .fetch_one(connection)
        .await?;
        let (schema, charset) = (schema.to_owned(), Charset::of(&encoding));
        Ok(Self { schema, columns, narrow_statuses, jobs_must_exist, tells, charset, plain: false })
    }

    /// The same tables, for a row that they refuse as it is: its texts have no character that an encoding may lack, and none
    /// is too long for an index.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self { charset: Charset::ASCII, plain: true, ..self.clone() }
    }

    /// Whether every table of a batch is there and visible to this role.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        ["invocations", "event_executions", "job_executions"].iter().all(|table| self.has(table, "id"))
    }

    /// Whether log lines can be written: their table is optional.
    #[must_use]
    pub fn has_logs(&self) -> bool {
        ["id", "job_execution_id", "message"].iter().all(|column| self.has("job_logs", column))
    }

    /// Whether the schema has this column.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// The table's name as it stands in a statement.
    #[must_use]
    pub fn table(&self, name: &str) -> String {
        format!("{}.{name}", identifier(&self.schema))
    }

    fn event_status(&self, status: &'static str) -> &'static str {
        if self.narrow_statuses && matches!(status, "detection_failed" | "handler_failed") { "failed" } else { status }
    }
}

/// Writes the rows of a batch, all or none. Log lines are left out where [`Target::has_logs`] is false. Returns the number
/// of texts that were stored in another form than they have: cut, or with characters replaced.
///
/// # Errors
/// Whatever the connection reports; the same batch may then be written again, whole or in parts.
pub async fn write(connection: &mut PgConnection, target: &Target, batch: &Batch<'_>) -> Result<u64, sqlx::Error> {
    let (sql, arguments, altered) = statement(target, batch).map_err(sqlx::Error::Encode)?;
    connection.execute(sqlx::query_with(AssertSqlSafe(sql), arguments)).await?;
    Ok(altered)
}

/// Whether the tables of a batch take rows at all: writes one to each with which nothing is wrong, of the time of the first
/// row, and takes them back. What this is refused, every row is refused.
///
/// # Errors
/// Whatever the connection reports.
pub async fn probe(connection: &mut PgConnection, target: &Target, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut outcome = write(&mut transaction, target, &batch.sample()).await.map(|_| ());
    if outcome.is_ok() {
        outcome = transaction.execute("SET CONSTRAINTS ALL IMMEDIATE").await.map(|_| ());
    }
    transaction.rollback().await?;
    outcome
}

/// Tells who listens on [`CHANNEL`] that something was written, where the role may.
///
/// The commits of all who tell something wait for each other in the whole cluster. So a batch is told after it, and not in
/// its own transaction, by one that does not wait for the disk.
///
/// # Errors
/// Whatever the connection reports: nothing that was written depends on it.
pub async fn tell(connection: &mut PgConnection, target: &Target) -> Result<(), sqlx::Error> {
    if target.tells {
        let sql =
            format!("SELECT set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify('{CHANNEL}', '')");
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

/// The statement that writes a batch, its parameters, and how many texts are altered. The text depends on the target alone, and on whether there
/// are log lines.
fn statement(target: &Target, batch: &Batch<'_>) -> Result<(String, PgArguments, u64), BoxDynError> {
    let (mut sql, mut arguments, mut altered) = (String::with_capacity(8 << 10), PgArguments::default(), 0);
    arguments.reserve(0, batch.len() * ROW_BYTES);
    if target.jobs_must_exist {
        arguments.add(batch.jobs.iter().map(|row| row.id).bind_iter())?;
    }
    let mut table = |table, fill: &dyn Fn(&mut Columns<'_>) -> Result<(), BoxDynError>| -> Result<(), BoxDynError> {
        let before = arguments.len();
        let mut columns = Columns { table, target, arguments: &mut arguments, added: Vec::new(), altered: 0 };
        fill(&mut columns)?;
        altered += columns.altered;
        sql.push_str(if sql.is_empty() { "WITH " } else { ", " });
        upsert(&mut sql, target, table, &columns.added, before);
        Ok(())
    };
    table("invocations", &|columns| columns.invocations(&batch.invocations))?;
    table("event_executions", &|columns| columns.events(&batch.events))?;
    table("job_executions", &|columns| columns.jobs(&batch.jobs))?;
    if target.has_logs() && !batch.logs.is_empty() {
        table("job_logs", &|columns| columns.logs(&batch.logs))?;
    }
    late(&mut sql, target, batch, &mut arguments)?;
    sql.push_str(" SELECT 1");
    Ok((sql, arguments, altered))
}

/// A batch that is written long after its rows changed is noted, for who counts the hours of rows that changed since.
fn late(sql: &mut String, target: &Target, batch: &Batch<'_>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
    if !target.has("metrics_late", "updated_since") {
        return Ok(());
    }
    let times = (batch.invocations.iter().map(|row| row.updated_at))
        .chain(batch.events.iter().map(|row| row.updated_at))
        .chain(batch.jobs.iter().map(|row| row.updated_at));
    arguments.add(times.min().map(Timestamp))?;
    let (into, at) = (target.table("metrics_late"), arguments.len());
    let _ = write!(
        sql,
        ", noted AS (INSERT INTO {into} (updated_since) SELECT ${at} WHERE ${at} < now() - interval '30 minutes')"
    );
    Ok(())
}

fn upsert(sql: &mut String, target: &Target, table: &str, columns: &[Column], parameters: usize) {
    let list = |each: &dyn Fn(usize, &Column) -> String| {
        columns.iter().enumerate().map(|(at, column)| each(at, column)).collect::<Vec<_>>().join(", ")
    };
    let names = list(&|_, column| column.name.to_owned());
    let values = list(&|_, Column { name, rule, json, .. }| match rule {
        Rule::Payload => format!("COALESCE(r.{name}::jsonb, '{{}}')"),
        _ if *json => format!("r.{name}::jsonb"),
        _ if *name == "source_job_id" && target.jobs_must_exist => {
            let jobs = target.table("job_executions");
            format!("CASE WHEN r.{name} = ANY($1) OR EXISTS (SELECT FROM {jobs} WHERE id = r.{name}) THEN r.{name} END")
        }
        _ => format!("r.{name}"),
    });
    let arrays = list(&|at, column| format!("${}::{}[]", parameters + at + 1, column.sent_as));
    let updates: Vec<String> = columns.iter().filter_map(Column::update).collect();
    let conflict = match updates.join(", ") {
        none if none.is_empty() => "DO NOTHING".to_owned(),
        updates => format!("(id) DO UPDATE SET {updates}"),
    };
    let into = target.table(table);
    // Writing to a String cannot fail.
    let _ = write!(
        sql,
        "{table}_written AS (INSERT INTO {into} AS t ({names}) SELECT {values} FROM UNNEST({arrays}) AS r({names}) \
         ON CONFLICT {conflict})"
    );
}

impl Column {
    fn update(&self) -> Option<String> {
        let name = self.name;
        Some(match self.rule {
            Rule::Keep => return None,
            Rule::Once => format!("{name} = COALESCE(t.{name}, EXCLUDED.{name})"),
            Rule::Most => format!("{name} = GREATEST(t.{name}, EXCLUDED.{name})"),
            // Compares the new value, so that a large stored one is not read back.
            Rule::Payload => {
                format!("{name} = CASE WHEN EXCLUDED.{name} = '{{}}' THEN t.{name} ELSE EXCLUDED.{name} END")
            }
            Rule::Forward(order) => {
                let order = format!("'{{{}}}'::text[]", order.join(","));
                format!(
                    "{name} = CASE WHEN array_position({order}, EXCLUDED.{name}) \
                     > COALESCE(array_position({order}, t.{name}), 0) THEN EXCLUDED.{name} ELSE t.{name} END"
                )
            }
        })
    }
}

//! The write side: one batch of rows becomes one statement.
//!
//! Each table is an `INSERT … SELECT … FROM UNNEST(column arrays) … ON CONFLICT (id) DO UPDATE`; the three stand in one
//! `WITH` query, so a batch is one round trip and one transaction, and the foreign keys are checked at its end. The
//! number of parameters does not depend on the number of rows, and writing a batch again changes nothing. Then whoever
//! listens is told that there is something new.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Executor as _, Row as _};
use uuid::Uuid;

use crate::store::config::quote;

pub use row::{
    Batch, EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LEVELS, LogRow, Merge, STATUSES, Source,
};

mod row;
pub mod text;

/// The channel on which the server tells that a batch was written.
pub const CHANNEL: &str = "obs_tui";

/// What the tables of one database accept: they may have been made by another writer, or by an older version.
#[derive(Clone, Debug, Default)]
pub struct Target {
    schema: String,
    columns: BTreeSet<(String, String)>,
    /// `detection_failed` and `handler_failed` are not allowed: both are stored as `failed`.
    narrow_statuses: bool,
    /// `source_job_id` is a foreign key: it is stored only if the job is there, or in the same batch.
    jobs_must_exist: bool,
    /// This role may tell who listens that it wrote something.
    tells: bool,
}

impl Target {
    /// Looks at the tables of a schema. The tables of a batch may be missing: [`Target::is_complete`] tells.
    ///
    /// # Errors
    /// Whatever the connection reports.
    pub async fn probe(connection: &mut PgConnection, schema: &str) -> Result<Self, sqlx::Error> {
        let columns = sqlx::query(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = $1",
        )
        .bind(schema)
        .fetch_all(&mut *connection)
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, sqlx::Error>>()?;
        let (narrow_statuses, jobs_must_exist, tells) = sqlx::query_as(
            "WITH c AS (SELECT t.relname, k.contype, pg_get_constraintdef(k.oid) AS text
                 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
                 JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = $1)
             SELECT EXISTS (SELECT FROM c WHERE relname = 'event_executions' AND contype = 'c'
                        AND text LIKE '%not_detected%' AND text NOT LIKE '%handler_failed%'),
                    EXISTS (SELECT FROM c WHERE relname = 'invocations' AND contype = 'f' AND text LIKE '%(source_job_id)%'),
                    COALESCE(has_function_privilege(to_regprocedure('pg_catalog.pg_notify(text,text)'), 'EXECUTE'), false)",
        )
        .bind(schema)
        .fetch_one(connection)
        .await?;
        Ok(Self { schema: schema.to_owned(), columns, narrow_statuses, jobs_must_exist, tells })
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
        self.columns.contains(&(table.to_owned(), column.to_owned()))
    }

    /// The table's name as it stands in a statement.
    #[must_use]
    pub fn table(&self, name: &str) -> String {
        format!("{}.{name}", quote(&self.schema))
    }

    fn event_status(&self, status: &'static str) -> &'static str {
        if self.narrow_statuses && matches!(status, "detection_failed" | "handler_failed") { "failed" } else { status }
    }
}

/// Writes the rows of a batch, all or none. Log lines are left out where [`Target::has_logs`] is false.
///
/// # Errors
/// Whatever the connection reports; the same batch may then be written again, whole or in parts.
pub async fn write(connection: &mut PgConnection, target: &Target, batch: &Batch) -> Result<(), sqlx::Error> {
    let (sql, arguments) = statement(target, batch)?;
    connection.execute(sqlx::query_with(AssertSqlSafe(sql), arguments)).await?;
    Ok(())
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

/// How a column of a row that is already there takes up another record; [`Merge`] is the same rule.
#[derive(Clone, Copy)]
enum Rule {
    /// Every record carries the same value.
    Keep,
    /// The first known value stays.
    Once,
    /// The greater value stays.
    Most,
    /// `{}` stands for an unknown value.
    Payload,
    /// The status that is later in this order stays.
    Forward(&'static [&'static str]),
}

enum Values<'a> {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Json(Vec<Option<Cow<'a, str>>>),
    Times(Vec<Option<DateTime<Utc>>>),
    Ints(Vec<Option<i32>>),
    Bools(Vec<Option<bool>>),
}

struct Column<'a> {
    name: &'static str,
    rule: Rule,
    values: Values<'a>,
}

/// The statement that writes a batch, and its parameters. The text depends on the target alone, and on whether there
/// are log lines.
fn statement(target: &Target, batch: &Batch) -> Result<(String, PgArguments), sqlx::Error> {
    let (mut sql, mut arguments) = (String::with_capacity(8 << 10), PgArguments::default());
    if target.jobs_must_exist {
        let ids: Vec<Uuid> = batch.jobs.iter().map(|row| row.id).collect();
        arguments.add(ids).map_err(sqlx::Error::Encode)?;
    }
    let mut tables = vec![
        ("invocations", invocations(&batch.invocations)),
        ("event_executions", events(&batch.events, target)),
        ("job_executions", jobs(&batch.jobs)),
    ];
    if target.has_logs() && !batch.logs.is_empty() {
        tables.push(("job_logs", logs(&batch.logs)));
    }
    for (number, (table, mut columns)) in tables.into_iter().enumerate() {
        columns.retain(|column| target.has(table, column.name));
        sql.push_str(if number == 0 { "WITH " } else { ", " });
        upsert(&mut sql, target, table, &columns, arguments.len());
        for column in columns {
            match column.values {
                Values::Ids(values) => arguments.add(values),
                Values::Texts(values) | Values::Json(values) => arguments.add(values),
                Values::Times(values) => arguments.add(values),
                Values::Ints(values) => arguments.add(values),
                Values::Bools(values) => arguments.add(values),
            }
            .map_err(sqlx::Error::Encode)?;
        }
    }
    sql.push_str(" SELECT 1");
    Ok((sql, arguments))
}

fn upsert(sql: &mut String, target: &Target, table: &str, columns: &[Column<'_>], parameters: usize) {
    let list = |each: &dyn Fn(usize, &Column<'_>) -> String| {
        columns.iter().enumerate().map(|(at, column)| each(at, column)).collect::<Vec<_>>().join(", ")
    };
    let names = list(&|_, column| column.name.to_owned());
    let values = list(&|_, Column { name, rule, values }| match (rule, values) {
        (Rule::Payload, _) => format!("COALESCE(r.{name}::jsonb, '{{}}')"),
        (_, Values::Json(_)) => format!("r.{name}::jsonb"),
        _ if *name == "source_job_id" && target.jobs_must_exist => {
            let jobs = target.table("job_executions");
            format!("CASE WHEN r.{name} = ANY($1) OR EXISTS (SELECT FROM {jobs} WHERE id = r.{name}) THEN r.{name} END")
        }
        _ => format!("r.{name}"),
    });
    let arrays = list(&|at, column| format!("${}::{}[]", parameters + at + 1, column.values.sql_type()));
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

impl Values<'_> {
    fn sql_type(&self) -> &'static str {
        match self {
            Self::Ids(_) => "uuid",
            Self::Texts(_) | Self::Json(_) => "text",
            Self::Times(_) => "timestamptz",
            Self::Ints(_) => "int4",
            Self::Bools(_) => "bool",
        }
    }
}

impl Column<'_> {
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

fn column<'a, R, V>(
    name: &'static str,
    rule: Rule,
    rows: &'a [R],
    kind: impl FnOnce(Vec<Option<V>>) -> Values<'a>,
    value: impl Fn(&'a R) -> Option<V>,
) -> Column<'a> {
    Column { name, rule, values: kind(rows.iter().map(value).collect()) }
}

fn invocations(rows: &[InvocationRow]) -> Vec<Column<'_>> {
    use Rule::{Forward, Keep, Most, Once, Payload};
    use Values::{Bools, Ids, Ints, Json, Texts, Times};
    type Row = InvocationRow;
    fn source(row: &Row) -> Option<&Source> {
        row.source.as_deref()
    }
    vec![
        column("id", Keep, rows, Ids, |r: &Row| Some(r.id)),
        column("created_at", Keep, rows, Times, |r: &Row| Some(r.created_at)),
        column("updated_at", Most, rows, Times, |r: &Row| Some(r.updated_at)),
        column("correlation_id", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.correlation_id))),
        column("source_function", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.source_function))),
        column("source_table", Once, rows, Texts, |r| source(r)?.table.as_deref().map(text::clean)),
        column("source_operation", Once, rows, Texts, |r| source(r)?.operation.as_deref().map(text::clean)),
        column("source_system", Once, rows, Texts, |r| source(r)?.system.as_deref().map(text::clean)),
        column("source_type", Once, rows, Texts, |r| source(r)?.kind.as_deref().map(text::clean)),
        column("source_job_id", Once, rows, Ids, |r| source(r)?.job_id),
        column("source_event_id", Once, rows, Ids, |r| source(r)?.event_id),
        column("source_event_payload", Payload, rows, Json, |r| source(r)?.payload.as_deref().map(text::clean_json)),
        column("source_event_time", Once, rows, Times, |r| source(r)?.event_time),
        column("source_user_email", Once, rows, Texts, |r| source(r)?.user_email.as_deref().map(text::clean)),
        column("source_user_role", Once, rows, Texts, |r| source(r)?.user_role.as_deref().map(text::clean)),
        column("auto_load_modules", Once, rows, Bools, |r| source(r)?.auto_load_modules),
        column("event_modules_directory", Once, rows, Texts, |r| {
            source(r)?.modules_directory.as_deref().map(text::clean)
        }),
        column("context_data", Once, rows, Json, |r| source(r)?.context.as_deref().map(text::clean_json)),
        column("status", Forward(STATUSES), rows, Texts, |r: &Row| Some(r.status.into())),
        column("total_duration_ms", Most, rows, Ints, |r: &Row| r.total_duration_ms),
        column("events_detected_count", Most, rows, Ints, |r: &Row| Some(r.events_detected)),
        column("total_jobs_run", Most, rows, Ints, |r: &Row| Some(r.jobs_run)),
        column("total_jobs_succeeded", Most, rows, Ints, |r: &Row| Some(r.jobs_succeeded)),
        column("total_jobs_failed", Most, rows, Ints, |r: &Row| Some(r.jobs_failed)),
        column("error_message", Once, rows, Texts, |r: &Row| message(r.error.as_deref())),
        column("error_stack", Once, rows, Texts, |r: &Row| stack(r.error.as_deref())),
    ]
}

fn events<'a>(rows: &'a [EventRow], target: &Target) -> Vec<Column<'a>> {
    use Rule::{Forward, Keep, Most, Once};
    use Values::{Bools, Ids, Ints, Texts, Times};
    type Row = EventRow;
    vec![
        column("id", Keep, rows, Ids, |r: &Row| Some(r.id)),
        column("invocation_id", Keep, rows, Ids, |r: &Row| Some(r.invocation_id)),
        column("created_at", Keep, rows, Times, |r: &Row| Some(r.created_at)),
        column("updated_at", Most, rows, Times, |r: &Row| Some(r.updated_at)),
        column("correlation_id", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.correlation_id))),
        column("event_name", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.event_name))),
        column("event_module_path", Once, rows, Texts, |r: &Row| r.module_path.as_deref().map(text::clean)),
        column("detected", Most, rows, Bools, |r: &Row| Some(r.detected)),
        column("status", Forward(EVENT_STATUSES), rows, Texts, |r: &Row| Some(target.event_status(r.status).into())),
        column("detection_duration_ms", Most, rows, Ints, |r: &Row| r.detection_duration_ms),
        column("detection_error", Once, rows, Texts, |r: &Row| message(r.detection_error.as_deref())),
        column("detection_error_stack", Once, rows, Texts, |r: &Row| stack(r.detection_error.as_deref())),
        column("handler_duration_ms", Most, rows, Ints, |r: &Row| r.handler_duration_ms),
        column("handler_error", Once, rows, Texts, |r: &Row| message(r.handler_error.as_deref())),
        column("handler_error_stack", Once, rows, Texts, |r: &Row| stack(r.handler_error.as_deref())),
        column("jobs_count", Most, rows, Ints, |r: &Row| Some(r.jobs_count)),
        column("jobs_succeeded", Most, rows, Ints, |r: &Row| Some(r.jobs_succeeded)),
        column("jobs_failed", Most, rows, Ints, |r: &Row| Some(r.jobs_failed)),
    ]
}

fn jobs(rows: &[JobRow]) -> Vec<Column<'_>> {
    use Rule::{Forward, Keep, Most, Once};
    use Values::{Ids, Ints, Json, Texts, Times};
    type Row = JobRow;
    vec![
        column("id", Keep, rows, Ids, |r: &Row| Some(r.id)),
        column("invocation_id", Keep, rows, Ids, |r: &Row| Some(r.invocation_id)),
        column("event_execution_id", Keep, rows, Ids, |r: &Row| Some(r.event_execution_id)),
        column("created_at", Keep, rows, Times, |r: &Row| Some(r.created_at)),
        column("updated_at", Most, rows, Times, |r: &Row| Some(r.updated_at)),
        column("correlation_id", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.correlation_id))),
        column("job_name", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.job_name))),
        column("job_function_name", Once, rows, Texts, |r: &Row| r.function_name.as_deref().map(text::clean)),
        column("job_options", Once, rows, Json, |r: &Row| r.options.as_deref().map(text::clean_json)),
        column("status", Forward(STATUSES), rows, Texts, |r: &Row| Some(r.status.into())),
        column("duration_ms", Most, rows, Ints, |r: &Row| r.duration_ms),
        column("result", Once, rows, Json, |r: &Row| r.result.as_deref().map(text::clean_json)),
        column("error_message", Once, rows, Texts, |r: &Row| message(r.error.as_deref())),
        column("error_stack", Once, rows, Texts, |r: &Row| stack(r.error.as_deref())),
    ]
}

fn logs(rows: &[LogRow]) -> Vec<Column<'_>> {
    use Rule::Keep;
    use Values::{Ids, Json, Texts, Times};
    type Row = LogRow;
    vec![
        column("id", Keep, rows, Ids, |r: &Row| Some(r.id)),
        column("job_execution_id", Keep, rows, Ids, |r: &Row| Some(r.job_execution_id)),
        column("created_at", Keep, rows, Times, |r: &Row| Some(r.created_at)),
        column("level", Keep, rows, Texts, |r: &Row| Some(r.level.into())),
        column("message", Keep, rows, Texts, |r: &Row| Some(text::clean(&r.message))),
        column("data", Keep, rows, Json, |r: &Row| r.data.as_deref().map(text::clean_json)),
        column("source", Keep, rows, Texts, |r: &Row| r.source.as_deref().map(text::clean)),
    ]
}

fn message(error: Option<&ErrorText>) -> Option<Cow<'_, str>> {
    error.map(|error| text::clean(&error.message))
}

fn stack(error: Option<&ErrorText>) -> Option<Cow<'_, str>> {
    error?.stack.as_deref().map(text::clean)
}

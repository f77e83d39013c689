//! The columns of each table: their values, straight from the rows into the parameters, and how a row that is already
//! there takes up another record.

use std::borrow::Cow;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _, PgHasArrayType};
use sqlx::{Arguments as _, Encode, Postgres, Type};

use super::row::{EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LogRow, STATUSES, Source};
use super::text::NAME_BYTES;
use super::{Target, original};
use crate::store::time::{Timestamp, sql_name};

/// How a column of a row that is already there takes up another record; [`Merge`](super::Merge) is the same rule.
#[derive(Clone, Copy)]
pub(super) enum Rule {
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

/// A column whose values are among the parameters.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// Of each value.
    pub(super) sent_as: String,
    /// The text is JSON.
    pub(super) json: bool,
}

/// The columns of one table so far.
pub(super) struct Columns<'a> {
    pub(super) table: &'static str,
    pub(super) target: &'a Target,
    pub(super) arguments: &'a mut PgArguments,
    pub(super) added: Vec<Column>,
    /// Texts that are stored in another form than they have.
    pub(super) altered: u64,
}

impl Columns<'_> {
    /// Adds a column and its values, if the table has it.
    fn add<'q, T>(&mut self, name: &'static str, rule: Rule, values: impl Iterator<Item = T>) -> Result<(), BoxDynError>
    where
        T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        if self.target.has(self.table, name) {
            self.arguments.add(values.bind_iter())?;
            self.added.push(Column { name, rule, sent_as: sql_name(&T::type_info()), json: false });
        }
        Ok(())
    }

    /// Adds texts as this target can hold them.
    fn texts<'r>(
        &mut self,
        name: &'static str,
        rule: Rule,
        values: impl Iterator<Item = Option<&'r str>>,
        fit: impl Fn(&Target, &'r str) -> (Cow<'r, str>, bool),
    ) -> Result<(), BoxDynError> {
        let (target, mut altered) = (self.target, 0);
        let fitting = values.map(|value| {
            let (text, is_altered) = fit(target, value?);
            altered += u64::from(is_altered);
            Some(text)
        });
        let added = self.add(name, rule, fitting);
        self.altered += altered;
        added
    }

    /// Ids, addresses and names, which indexes may hold.
    fn name<'r>(
        &mut self,
        name: &'static str,
        rule: Rule,
        values: impl Iterator<Item = Option<&'r str>>,
    ) -> Result<(), BoxDynError> {
        self.texts(name, rule, values, |target, value| seen(target.charset.name(value)))
    }

    /// Free text of any length.
    fn text<'r>(
        &mut self,
        name: &'static str,
        rule: Rule,
        values: impl Iterator<Item = Option<&'r str>>,
    ) -> Result<(), BoxDynError> {
        self.texts(name, rule, values, |target, value| {
            seen(if target.plain { target.charset.name(value) } else { target.charset.text(value) })
        })
    }

    fn json<'r>(
        &mut self,
        name: &'static str,
        rule: Rule,
        values: impl Iterator<Item = Option<&'r str>>,
    ) -> Result<(), BoxDynError> {
        let before = self.added.len();
        self.texts(name, rule, values, |target, value| match target.charset.json(value) {
            (json, _) if target.plain && json.len() > NAME_BYTES => {
                (format!(r#"{{"_truncated": true, "bytes": {}}}"#, value.len()).into(), true)
            }
            fitting => fitting,
        })?;
        self.added.iter_mut().skip(before).for_each(|column| column.json = true);
        Ok(())
    }

    pub(super) fn invocations(&mut self, rows: &[InvocationRow<'_>]) -> Result<(), BoxDynError> {
        use Rule::{Forward, Keep, Most, Once, Payload};
        let rows = || rows.iter();
        let sources = || rows().map(|row| row.source.as_deref());
        let source =
            |text: for<'s> fn(&'s Source<'_>) -> Option<&'s str>| sources().map(move |source| source.and_then(text));
        self.add("id", Keep, rows().map(|row| row.id))?;
        self.add("created_at", Keep, rows().map(|row| Timestamp(row.created_at)))?;
        self.add("updated_at", Most, rows().map(|row| Timestamp(row.updated_at)))?;
        self.name("correlation_id", Keep, rows().map(|row| Some(row.correlation_id)))?;
        self.name("source_function", Keep, rows().map(|row| Some(row.source_function)))?;
        self.name("source_table", Once, source(|source| source.table.as_deref()))?;
        self.name("source_operation", Once, source(|source| source.operation.as_deref()))?;
        self.name("source_system", Once, source(|source| source.system.as_deref()))?;
        self.name("source_type", Once, source(|source| source.kind.as_deref()))?;
        self.add("source_job_id", Once, sources().map(|source| source?.job_id))?;
        self.add("source_event_id", Once, sources().map(|source| source?.event_id))?;
        self.json("source_event_payload", Payload, source(|source| source.payload.as_deref()))?;
        self.add("source_event_time", Once, sources().map(|source| source?.event_time.map(Timestamp)))?;
        self.name("source_user_email", Once, source(|source| source.user_email.as_deref()))?;
        self.name("source_user_role", Once, source(|source| source.user_role.as_deref()))?;
        self.add("auto_load_modules", Once, sources().map(|source| source?.auto_load_modules))?;
        self.name("event_modules_directory", Once, source(|source| source.modules_directory.as_deref()))?;
        let contexts: Vec<Option<Cow<'_, str>>> = rows().map(original::context).collect();
        self.json("context_data", Once, contexts.iter().map(Option::as_deref))?;
        self.add("status", Forward(STATUSES), rows().map(|row| row.status))?;
        self.add("total_duration_ms", Most, rows().map(|row| row.total_duration_ms))?;
        self.add("events_detected_count", Most, rows().map(|row| row.events_detected))?;
        self.add("total_jobs_run", Most, rows().map(|row| row.jobs_run))?;
        self.add("total_jobs_succeeded", Most, rows().map(|row| row.jobs_succeeded))?;
        self.add("total_jobs_failed", Most, rows().map(|row| row.jobs_failed))?;
        self.text("error_message", Once, rows().map(|row| message(row.error.as_ref())))?;
        self.text("error_stack", Once, rows().map(|row| stack(row.error.as_ref())))
    }

    pub(super) fn events(&mut self, rows: &[EventRow<'_>]) -> Result<(), BoxDynError> {
        use Rule::{Forward, Keep, Most, Once};
        let (target, rows) = (self.target, || rows.iter());
        self.add("id", Keep, rows().map(|row| row.id))?;
        self.add("invocation_id", Keep, rows().map(|row| row.invocation_id))?;
        self.add("created_at", Keep, rows().map(|row| Timestamp(row.created_at)))?;
        self.add("updated_at", Most, rows().map(|row| Timestamp(row.updated_at)))?;
        self.name("correlation_id", Keep, rows().map(|row| Some(row.correlation_id)))?;
        self.name("event_name", Keep, rows().map(|row| Some(row.event_name)))?;
        self.name("event_module_path", Once, rows().map(|row| row.module_path))?;
        self.add("detected", Most, rows().map(|row| row.detected))?;
        self.add("status", Forward(EVENT_STATUSES), rows().map(|row| target.event_status(row.status)))?;
        self.add("detection_duration_ms", Most, rows().map(|row| row.detection_duration_ms))?;
        self.text("detection_error", Once, rows().map(|row| message(row.detection_error.as_ref())))?;
        self.text("detection_error_stack", Once, rows().map(|row| stack(row.detection_error.as_ref())))?;
        self.add("handler_duration_ms", Most, rows().map(|row| row.handler_duration_ms))?;
        self.text("handler_error", Once, rows().map(|row| message(row.handler_error.as_ref())))?;
        self.text("handler_error_stack", Once, rows().map(|row| stack(row.handler_error.as_ref())))?;
        self.add("jobs_count", Most, rows().map(|row| row.jobs_count))?;
        self.add("jobs_succeeded", Most, rows().map(|row| row.jobs_succeeded))?;
        self.add("jobs_failed", Most, rows().map(|row| row.jobs_failed))
    }

    pub(super) fn jobs(&mut self, rows: &[JobRow<'_>]) -> Result<(), BoxDynError> {
        use Rule::{Forward, Keep, Most, Once};
        let rows = || rows.iter();
        self.add("id", Keep, rows().map(|row| row.id))?;
        self.add("invocation_id", Keep, rows().map(|row| row.invocation_id))?;
        self.add("event_execution_id", Keep, rows().map(|row| row.event_execution_id))?;
        self.add("created_at", Keep, rows().map(|row| Timestamp(row.created_at)))?;
        self.add("updated_at", Most, rows().map(|row| Timestamp(row.updated_at)))?;
        self.name("correlation_id", Keep, rows().map(|row| Some(row.correlation_id)))?;
        self.name("job_name", Keep, rows().map(|row| Some(row.job_name)))?;
        self.name("job_function_name", Once, rows().map(|row| row.function_name))?;
        self.json("job_options", Once, rows().map(|row| row.options.as_deref()))?;
        self.add("status", Forward(STATUSES), rows().map(|row| row.status))?;
        self.add("duration_ms", Most, rows().map(|row| row.duration_ms))?;
        self.json("result", Once, rows().map(|row| row.result.as_deref()))?;
        self.text("error_message", Once, rows().map(|row| message(row.error.as_ref())))?;
        self.text("error_stack", Once, rows().map(|row| stack(row.error.as_ref())))
    }

    pub(super) fn logs(&mut self, rows: &[LogRow<'_>]) -> Result<(), BoxDynError> {
        use Rule::Keep;
        let rows = || rows.iter();
        self.add("id", Keep, rows().map(|row| row.id))?;
        self.add("job_execution_id", Keep, rows().map(|row| row.job_execution_id))?;
        self.add("created_at", Keep, rows().map(|row| Timestamp(row.created_at)))?;
        self.add("level", Keep, rows().map(|row| row.level))?;
        self.text("message", Keep, rows().map(|row| Some(&*row.message)))?;
        self.json("data", Keep, rows().map(|row| row.data.as_deref()))?;
        self.name("source", Keep, rows().map(|row| row.source))
    }
}

/// A text that was made is another one.
fn seen(text: Cow<'_, str>) -> (Cow<'_, str>, bool) {
    let is_altered = matches!(text, Cow::Owned(_));
    (text, is_altered)
}

fn message<'a>(error: Option<&'a ErrorText<'_>>) -> Option<&'a str> {
    Some(&error?.message)
}

fn stack<'a>(error: Option<&'a ErrorText<'_>>) -> Option<&'a str> {
    error?.stack.as_deref()
}

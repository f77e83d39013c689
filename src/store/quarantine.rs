//! Rows that the database refused and a recorder put into quarantine: lines of JSON, made rows again and written as the
//! recorder writes, so that doing it twice changes nothing.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Connection;

use super::admin::connect;
use super::config::Config;
use super::error::StoreError;
use super::trust::{self, Purpose};
use super::write::{
    Batch, EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LEVELS, LogRow, STATUSES, Source, Target, tell,
    write,
};

/// The tables in the order in which their rows are written: parents first.
const TABLES: [&str; 4] = ["invocations", "event_executions", "job_executions", "job_logs"];

/// One refused row.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// Why the database refused it.
    pub reason: String,
    /// Its table.
    pub table: String,
    /// The row as the recorder held it.
    pub row: Value,
}

impl Quarantined {
    /// Reads a line of the file.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let found: Self =
            serde_json::from_slice(line).map_err(|error| format!("not a line of a quarantine: {error}"))?;
        found.batch().map(drop)?;
        Ok(found)
    }

    /// The row alone.
    fn batch(&self) -> Result<Batch<'_>, String> {
        let row = Fields(&self.row);
        let mut batch = Batch::default();
        match self.table.as_str() {
            "invocations" => batch.invocations.push(self.whole(row.invocation()?)?),
            "event_executions" => batch.events.push(self.whole(row.event()?)?),
            "job_executions" => batch.jobs.push(self.whole(row.job()?)?),
            "job_logs" => batch.logs.push(self.whole(row.log()?)?),
            other => return Err(format!("no table of a recorder: {other}")),
        }
        Ok(batch)
    }

    fn is_caused(&self) -> bool {
        self.row.pointer("/source/job_id").is_some_and(Value::is_string)
    }

    /// The same row, unless it leaves out something: what another version recorded would be lost.
    fn whole<R: Serialize>(&self, row: R) -> Result<R, String> {
        let again = serde_json::to_value(&row).map_err(|error| error.to_string())?;
        match left_out(&self.row, &again) {
            Some(name) => Err(format!("{name}: not known to this version; replay it with the one that wrote it")),
            None => Ok(row),
        }
    }
}

/// A field with a value that the other one does not have.
fn left_out<'a>(row: &'a Value, again: &Value) -> Option<&'a str> {
    row.as_object()?.iter().find_map(|(name, value)| match again.get(name) {
        _ if value.is_null() => None,
        Some(again) if value.is_object() && again.is_object() => left_out(value, again),
        Some(again) if value == again => None,
        _ => Some(name.as_str()),
    })
}

/// Writes the rows one by one, parents first; gives for each whether it was written, or why not. What was not tried because
/// the database went away is not written either.
///
/// # Errors
/// When the database cannot be reached, or is not one that a recorder may write to.
pub async fn replay(config: &Config, rows: &[Quarantined]) -> Result<Vec<Result<(), String>>, StoreError> {
    let mut connection = connect(config, config.writer_options("obs-tui quarantine")).await?;
    trust::check_tables(&mut connection, &config.schema, Purpose::Write).await?;
    let target = Target::probe(&mut connection, &config.schema).await?;
    if !target.is_complete() {
        let reason = "there are no tables that this role may write to".to_owned();
        return Err(StoreError::MissingTable { source: reason.clone().into(), reason });
    }
    let mut outcomes = vec![Err("not tried".to_owned()); rows.len()];
    // Where the job that caused an invocation must be there, it may have come after it: its link is written then.
    for (table, is_link) in TABLES.into_iter().map(|table| (table, false)).chain([(TABLES[0], true)]) {
        let rows = outcomes.iter_mut().zip(rows).filter(|(_, row)| row.table == table);
        for (outcome, row) in rows.filter(|(outcome, row)| !is_link || outcome.is_ok() && row.is_caused()) {
            *outcome = match row.batch() {
                Err(reason) => Err(reason),
                Ok(_) if table == "job_logs" && !target.has_logs() => Err("there is no table job_logs".to_owned()),
                Ok(batch) => match write(&mut connection, &target, &batch).await {
                    Ok(_) => Ok(()),
                    Err(error @ sqlx::Error::Database(_)) => Err(StoreError::from(error).to_string()),
                    // The connection is of no use any more: the rest waits for the next time.
                    Err(error) => {
                        *outcome = Err(StoreError::at(config, error).to_string());
                        return Ok(outcomes);
                    }
                },
            };
        }
    }
    // A hint only.
    let _ = tell(&mut connection, &target).await;
    let _ = connection.close().await;
    Ok(outcomes)
}

/// The fields of a row.
struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let value = self.0.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| format!("{name}: {error}"))
    }

    fn optional(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name}: not a text")),
        }
    }

    fn cow(&self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        Ok(self.optional(name)?.map(Cow::Borrowed))
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.optional(name)?.ok_or_else(|| format!("{name}: missing"))
    }

    fn one_of(&self, name: &str, words: &[&'static str]) -> Result<&'static str, String> {
        let word = self.text(name)?;
        words.iter().copied().find(|known| *known == word).ok_or_else(|| format!("{name}: unknown: {word}"))
    }

    fn inner(&self, name: &str) -> Option<Self> {
        self.0.get(name).filter(|value| !value.is_null()).map(Self)
    }

    fn error(&self, name: &str) -> Result<Option<ErrorText<'a>>, String> {
        let Some(error) = self.inner(name) else { return Ok(None) };
        Ok(Some(ErrorText { message: error.text("message")?.into(), stack: error.cow("stack")? }))
    }

    fn source(&self) -> Result<Source<'a>, String> {
        Ok(Source {
            table: self.cow("table")?,
            operation: self.cow("operation")?,
            system: self.cow("system")?,
            kind: self.cow("kind")?,
            job_id: self.read("job_id")?,
            event_id: self.read("event_id")?,
            event_time: self.read("event_time")?,
            payload: self.cow("payload")?,
            user_email: self.cow("user_email")?,
            user_role: self.cow("user_role")?,
            auto_load_modules: self.read("auto_load_modules")?,
            modules_directory: self.cow("modules_directory")?,
            context: self.cow("context")?,
        })
    }

    fn invocation(&self) -> Result<InvocationRow<'a>, String> {
        Ok(InvocationRow {
            id: self.read("id")?,
            created_at: self.read("created_at")?,
            updated_at: self.read("updated_at")?,
            correlation_id: self.text("correlation_id")?,
            source_function: self.text("source_function")?,
            source: self.inner("source").map(|source| source.source()).transpose()?.map(Box::new),
            status: self.one_of("status", STATUSES)?,
            total_duration_ms: self.read("total_duration_ms")?,
            events_detected: self.read("events_detected")?,
            jobs_run: self.read("jobs_run")?,
            jobs_succeeded: self.read("jobs_succeeded")?,
            jobs_failed: self.read("jobs_failed")?,
            error: self.error("error")?,
            records: self.read("records")?,
        })
    }

    fn event(&self) -> Result<EventRow<'a>, String> {
        Ok(EventRow {
            id: self.read("id")?,
            invocation_id: self.read("invocation_id")?,
            created_at: self.read("created_at")?,
            updated_at: self.read("updated_at")?,
            correlation_id: self.text("correlation_id")?,
            event_name: self.text("event_name")?,
            module_path: self.optional("module_path")?,
            detected: self.read("detected")?,
            status: self.one_of("status", EVENT_STATUSES)?,
            detection_duration_ms: self.read("detection_duration_ms")?,
            detection_error: self.error("detection_error")?,
            handler_duration_ms: self.read("handler_duration_ms")?,
            handler_error: self.error("handler_error")?,
            jobs_count: self.read("jobs_count")?,
            jobs_succeeded: self.read("jobs_succeeded")?,
            jobs_failed: self.read("jobs_failed")?,
            records: self.read("records")?,
        })
    }

    fn job(&self) -> Result<JobRow<'a>, String> {
        Ok(JobRow {
            id: self.read("id")?,
            invocation_id: self.read("invocation_id")?,
            event_execution_id: self.read("event_execution_id")?,
            created_at: self.read("created_at")?,
            updated_at: self.read("updated_at")?,
            correlation_id: self.text("correlation_id")?,
            job_name: self.text("job_name")?,
            function_name: self.optional("function_name")?,
            options: self.cow("options")?,
            status: self.one_of("status", STATUSES)?,
            duration_ms: self.read("duration_ms")?,
            result: self.cow("result")?,
            error: self.error("error")?,
            records: self.read("records")?,
        })
    }

    fn log(&self) -> Result<LogRow<'a>, String> {
        Ok(LogRow {
            id: self.read("id")?,
            job_execution_id: self.read("job_execution_id")?,
            created_at: self.read("created_at")?,
            level: self.one_of("level", LEVELS)?,
            message: self.text("message")?.into(),
            data: self.cow("data")?,
            source: self.optional("source")?,
            records: self.read("records")?,
        })
    }
}

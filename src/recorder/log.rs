//! Log lines of jobs: where they go, and the call that makes one.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::Level;

use crate::recorder::context::JobContext;
use crate::recorder::record::Record;
use crate::recorder::{Class, capture};
use crate::store::write::LogRow;

/// The longest message, bytes.
pub(super) const MESSAGE_BYTES: usize = 64 << 10;

/// Where the log lines of jobs go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogSink {
    /// The table `job_logs`, with everything else.
    #[default]
    Table,
    /// A Loki server; needs the feature `loki`.
    #[cfg(feature = "loki")]
    Loki(crate::recorder::Loki),
    /// Nowhere.
    Off,
}

impl LogSink {
    /// The part of the memory limit that is for lines on their way to Loki; those for the table are records.
    #[cfg_attr(not(feature = "loki"), expect(unused_variables, reason = "only lines for Loki are apart"))]
    pub(super) fn bytes(&self, memory_limit: usize) -> usize {
        match self {
            #[cfg(feature = "loki")]
            Self::Loki(_) => memory_limit / 4,
            _ => 0,
        }
    }
}

/// A log line before it goes to its sink.
pub(super) struct Line {
    pub(super) at: DateTime<Utc>,
    pub(super) level: &'static str,
    pub(super) message: Box<str>,
    /// JSON text.
    pub(super) fields: Option<Box<str>>,
    pub(super) source: Box<str>,
}

impl JobContext {
    /// Logs a line of this job. The fields are anything `Serialize`; `&()` for none.
    ///
    /// ```
    /// use obs_tui::recorder::{Level, Recorder};
    /// # let recorder = Recorder::disabled();
    /// # let invocation = recorder.invocation("moves").start();
    /// # let handler = invocation.event("move.cancelled").detected();
    /// let job = handler.job("sendNotification").start();
    /// job.log(Level::INFO, "sending", &serde_json::json!({ "to": "driver" }));
    /// ```
    pub fn log<T: Serialize + ?Sized>(&self, level: Level, message: &str, fields: &T) {
        if !self.captures_logs() {
            return;
        }
        let fields = Some(self.recorder().json(fields)).filter(|json| &**json != "null");
        self.write_line(level, message.to_owned(), fields, self.name());
    }

    pub(super) fn captures_logs(&self) -> bool {
        let options = self.recorder().options();
        options.enabled && options.capture_console_log && options.logs != LogSink::Off
    }

    pub(super) fn write_line(&self, level: Level, message: String, fields: Option<Box<str>>, source: &str) {
        let line = Line {
            at: self.recorder().options().clock.now(),
            level: word(level),
            message: capture::text(message, MESSAGE_BYTES),
            fields,
            source: source.into(),
        };
        match &self.recorder().options().logs {
            LogSink::Table => self.record(&line),
            #[cfg(feature = "loki")]
            LogSink::Loki(_) => self.recorder().push_line(self, &line),
            LogSink::Off => {}
        }
    }

    fn record(&self, line: &Line) {
        if !self.ensure_recorded() {
            self.recorder().lose(Class::Log);
            return;
        }
        self.recorder().push(Record::Log(LogRow {
            id: self.recorder().options().ids.next(),
            job_execution_id: self.id(),
            created_at: line.at,
            level: line.level,
            message: Cow::Borrowed(&*line.message),
            data: line.fields.as_deref().map(Cow::Borrowed),
            source: Some(&line.source),
            records: 1,
        }));
    }
}

/// The level as it is stored.
fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

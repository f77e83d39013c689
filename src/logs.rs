//! Log lines of a node: asked of Loki by correlation id, joined with the lines of the `job_logs` table.
//!
//! - [`config`]: where the log server is, and how its lines name the ids.
//! - [`query`]: a [`LogQuery`] → the text of a LogQL query, with nothing in an id able to break out of it.
//! - [`parse`]: an answer → [`LogLine`]s; levels, messages and services of JSON, logfmt and plain text.
//! - [`loki`]: the one fetch; the only file that speaks HTTP.
//! - [`mod@merge`]: lines of two sources → one sequence, every line with its [`Origin`].

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub mod config;
pub mod loki;
pub mod merge;
pub mod parse;
pub mod query;

pub use config::{ConfigError, Limits, LogsConfig};
pub use loki::LokiClient;
pub use merge::merge;
pub use query::Template;

/// How far a window reaches beyond the start and the end of its node: clocks of log writers differ.
pub const MARGIN: TimeDelta = TimeDelta::seconds(5);

/// How grave a line is. Ordered from the least; [`Level::Other`] is above all so that no filter by a least level hides
/// a line whose level is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Trace, debug, verbose.
    Debug,
    /// Info, notice.
    Info,
    /// Warning.
    Warn,
    /// Error, and everything graver: critical, fatal, panic, alert, emergency.
    Error,
    /// No level, or one that is not known.
    Other,
}

impl Level {
    /// A level from a word in any case, its usual abbreviation, or a number in the style of pino (10 trace … 60 fatal).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Self::from_number(number);
        }
        match text.to_ascii_lowercase().as_str() {
            "trace" | "trc" | "debug" | "dbg" | "verbose" | "silly" | "fine" | "finer" | "finest" | "t" | "d" => {
                Self::Debug
            }
            "info" | "inf" | "information" | "informational" | "notice" | "log" | "http" | "i" => Self::Info,
            "warn" | "warning" | "wrn" | "w" => Self::Warn,
            "error" | "err" | "eror" | "critical" | "crit" | "fatal" | "panic" | "dpanic" | "severe" | "alert"
            | "emerg" | "emergency" | "e" | "f" => Self::Error,
            _ => Self::Other,
        }
    }

    /// A level from a number in the style of pino and bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal;
    /// numbers between two belong to the lower.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        match number {
            10..30 => Self::Debug,
            30..40 => Self::Info,
            40..50 => Self::Warn,
            50..70 => Self::Error,
            _ => Self::Other,
        }
    }

    /// The level in capitals, at most five characters; [`Level::Other`] is `-`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Other => "-",
        }
    }
}

/// Which source a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Loki, directly or through Grafana.
    Loki,
    /// The table `job_logs` of the observability database.
    Table,
}

impl Origin {
    /// The source as shown: `Loki` or `job_logs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loki => "Loki",
            Self::Table => "job_logs",
        }
    }
}

/// One line of a log. Its texts are as they were written: they are made safe for a terminal where they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When, in nanoseconds since the epoch.
    pub at_ns: i64,
    /// How grave.
    pub level: Level,
    /// The message, may have several lines.
    pub message: String,
    /// The service that wrote it; empty when unknown.
    pub service: String,
    /// What else the line said: a JSON object, or `Null`.
    pub fields: serde_json::Value,
    /// The source.
    pub origin: Origin,
}

/// What to ask for: the lines of one correlation, or of one job in it, within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The correlation id; empty when the row has none, then `job_id` is needed.
    pub correlation_id: String,
    /// Only the lines of this job.
    pub job_id: Option<Uuid>,
    /// Start of the window, inclusive; its margin is already in it.
    pub from: DateTime<Utc>,
    /// End of the window, exclusive; its margin is already in it.
    pub to: DateTime<Utc>,
}

impl LogQuery {
    /// The query for a node that ran from `started` to `ended`: the window is wider by [`MARGIN`] on both sides.
    #[must_use]
    pub fn around(correlation_id: &str, job_id: Option<Uuid>, started: DateTime<Utc>, ended: DateTime<Utc>) -> Self {
        let ended = ended.max(started);
        Self {
            correlation_id: correlation_id.to_owned(),
            job_id,
            from: started.checked_sub_signed(MARGIN).unwrap_or(started),
            to: ended.checked_add_signed(MARGIN).unwrap_or(ended),
        }
    }
}

/// The answer to a [`LogQuery`].
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// False when the window holds more lines than were read: a limit was reached, or a later page did not arrive.
    pub complete: bool,
    /// The LogQL as it was sent.
    pub query: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Why there are no lines. Every text says what happened and what to do; none holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No log server is configured.
    #[error(
        "logs are not configured: set GRAFANA_URL, GRAFANA_TOKEN and GRAFANA_DATASOURCE_UID, or LOKI_URL \
         (each also with the prefix OBS_TUI_)"
    )]
    NotConfigured,
    /// A setting cannot be used.
    #[error("the log settings cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// The server cannot be reached or does not answer in time.
    #[error("Grafana Offline: {0}; ask again when it is back")]
    Offline(String),
    /// The server's certificate is not trusted.
    #[error("certificate not trusted: {0}. If it is the right server, name the file of its authority: SSL_CERT_FILE")]
    Untrusted(String),
    /// The server, or one before it, could not do it: 408 or 5xx.
    #[error("{}: {text}; ask again later", failure(*.status))]
    Failed {
        /// The status.
        status: u16,
        /// Who answered what.
        text: String,
    },
    /// The server will not answer this client: 401, 403, an unknown data source, a sign-in page.
    #[error("the log server refused: {0}")]
    Refused(String),
    /// Too many requests (429).
    #[error("the log server is busy: {0}; ask again later")]
    Limited(String),
    /// The server does not accept the query (400), or there is nothing to ask by.
    #[error("the log query is not accepted: {0}")]
    Query(String),
    /// The answer cannot be read.
    #[error("the log server's answer cannot be read: {0}")]
    Malformed(String),
}

impl LogError {
    /// Whether it may pass without anybody's doing, so that asking again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Offline(_) | Self::Failed { .. })
    }
}

/// A status of 408 or 5xx in words.
#[must_use]
pub fn failure(status: u16) -> String {
    let words = match status {
        408 => "request timeout",
        502 => "bad gateway",
        503 => "service unavailable",
        504 => "gateway timeout",
        _ => "server error",
    };
    format!("{words} ({status})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_words_and_numbers() {
        for (text, level) in [
            ("trace", Level::Debug),
            ("DEBUG", Level::Debug),
            ("20", Level::Debug),
            ("Information", Level::Info),
            ("35", Level::Info),
            ("Warning", Level::Warn),
            (" err ", Level::Error),
            ("FATAL", Level::Error),
            ("panic", Level::Error),
            ("60", Level::Error),
            ("unknown", Level::Other),
            ("7", Level::Other),
            ("", Level::Other),
        ] {
            assert_eq!(Level::parse(text), level, "{text:?}");
        }
        assert!(Level::Debug < Level::Info && Level::Info < Level::Warn && Level::Warn < Level::Error);
        assert!(Level::Error < Level::Other);
    }

    #[test]
    fn a_window_reaches_beyond_its_node() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let query = LogQuery::around("a", None, start, start + TimeDelta::seconds(2));
        assert_eq!((query.from, query.to), (start - TimeDelta::seconds(5), start + TimeDelta::seconds(7)));
        let backwards = LogQuery::around("a", None, start, start - TimeDelta::hours(1));
        assert_eq!(backwards.to, start + TimeDelta::seconds(5), "an end before the start is no end");
        let last = LogQuery::around("a", None, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MAX_UTC);
        assert_eq!(last.to, DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn errors_say_what_to_do() {
        assert!(LogError::NotConfigured.to_string().contains("set GRAFANA_URL"));
        let offline = LogError::Offline("cannot connect to http://loki".into());
        assert_eq!(offline.to_string(), "Grafana Offline: cannot connect to http://loki; ask again when it is back");
        assert!(offline.is_transient() && !LogError::NotConfigured.is_transient());
        let failed = LogError::Failed { status: 504, text: "Grafana https://g answered 504 Gateway Timeout".into() };
        assert!(failed.to_string().starts_with("gateway timeout (504): Grafana https://g answered 504"), "{failed}");
        let untrusted = LogError::Untrusted("Loki https://l: invalid peer certificate: UnknownIssuer".into());
        assert!(untrusted.to_string().starts_with("certificate not trusted: Loki https://l"), "{untrusted}");
        assert!(failed.is_transient() && !untrusted.is_transient());
    }
}

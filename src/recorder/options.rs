//! The options of a recorder.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{Clock, Ids};
use crate::model::redact::Masker;
use crate::recorder::{LogSink, OnNotice};
use crate::store::config::Config;

/// How a [`Recorder`](crate::Recorder) works. Start from [`Options::new`], [`Options::from_url`] or
/// [`Options::from_env`] and change what should differ:
///
/// ```
/// use obs_tui::recorder::Options;
/// use std::time::Duration;
///
/// let options = Options { flush_interval: Duration::from_secs(1), ..Options::from_url("postgresql://app@db/observability") };
/// assert!(options.enabled);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether anything is recorded (default: true; `OBSERVABILITY_ENABLED`).
    pub enabled: bool,
    /// Where to, with the schema of the tables, or why that is not known: then every record is counted as lost and
    /// [`Stats::last_error`](crate::recorder::Stats::last_error) says why.
    pub connection: Result<Config, String>,
    /// Store the log lines of jobs (default: true; `OBSERVABILITY_CAPTURE_CONSOLE_LOG`). They come from
    /// [`log_layer`](crate::recorder::log_layer) and [`JobContext::log`](crate::recorder::JobContext::log).
    pub capture_console_log: bool,
    /// Where log lines go (default: Loki if `LOKI_URL` is set and the feature `loki` is on, else the table `job_logs`;
    /// `OBSERVABILITY_LOG_SINK` = `loki`, `table` or `off`).
    pub logs: LogSink,
    /// Store the options of jobs (default: true; `OBSERVABILITY_CAPTURE_JOB_OPTIONS`).
    pub capture_job_options: bool,
    /// Store the payload of invocations; `{}` is stored otherwise (default: true; `OBSERVABILITY_CAPTURE_PAYLOAD`).
    pub capture_payload: bool,
    /// Store the causes of an error line by line as its stack (default: true; `OBSERVABILITY_CAPTURE_ERROR_STACKS`).
    /// The message names the causes in any case.
    pub capture_error_stacks: bool,
    /// Records written at once, at least 1 (default: 1000; `OBSERVABILITY_BATCH_SIZE`). Batches of 100 cost the
    /// server a third more per row, batches of 5000 save little; memory is bounded by `memory_limit`, not by this.
    pub batch_size: usize,
    /// How long a record waits for others before it is written (default: 5 s; `OBSERVABILITY_FLUSH_INTERVAL`, ms).
    pub flush_interval: Duration,
    /// How long the server may work at one batch (default: 30 s; `OBSERVABILITY_WRITE_TIMEOUT`, ms). Then it ends the
    /// statement, and the batch is sent again; a server that does not answer at all is given up a sixth later.
    pub write_timeout: Duration,
    /// How often a batch is sent again when the server answers it with an error that neither passes by itself nor
    /// names a value; then the row at fault is isolated and dropped, unless the tables accept no row at all (default: 3;
    /// `OBSERVABILITY_RETRY_ATTEMPTS`).
    /// A server that is out of reach does not count: records are kept until `memory_limit` is reached.
    pub retry_attempts: u32,
    /// The upper bound of the first delay between attempts; it doubles up to 30 s, and each delay is drawn at random
    /// below it (default: 1 s; `OBSERVABILITY_RETRY_DELAY`, ms).
    pub retry_delay: Duration,
    /// The memory that records may hold until they are written, bytes (default: 32 MiB;
    /// `OBSERVABILITY_MEMORY_LIMIT`), at least 8 KiB. Past it records are counted and dropped: log lines from half of it,
    /// then starts, then ends. A quarter of it is for log lines where they go to Loki.
    pub memory_limit: usize,
    /// The longest JSON or error text that is stored, bytes (default: 1 MiB; `OBSERVABILITY_MAX_JSON_BYTES`). Longer
    /// JSON is stored as `{"_truncated": true, "bytes": n}`.
    pub max_json_bytes: usize,
    /// What is masked as a secret before it is sent (default: see [`Masker`]; `OBSERVABILITY_REDACT` adds keys whose values
    /// are secrets, separated by commas, takes those with a `-` before them away, or is `off`). It applies to payloads,
    /// contexts, options, results, errors, and the messages and fields of log lines; not to names and ids.
    pub redact: Masker,
    /// How long a job waits at most, before its work begins, until its row is in the database (default: it does not
    /// wait; `OBSERVABILITY_PERSIST_BEFORE_RUN`, ms, 0 for not at all). Then what the job does is never without a
    /// record, at the price of a round trip to the database for each job. When the time is over the work begins all
    /// the same; [`JobContext::persist`](crate::recorder::JobContext::persist) lets the writer decide.
    pub persist_before_run: Option<Duration>,
    /// A folder for records that have no other place: while the database is out of reach or too slow, and at a shutdown
    /// that has no time left. The next process that uses the folder writes them. Rows that the database refuses are kept there
    /// too, as lines of JSON (default: none; `OBSERVABILITY_SPOOL_DIR`).
    pub spool: Option<PathBuf>,
    /// What this process may spool, bytes (default: 256 MiB; `OBSERVABILITY_SPOOL_LIMIT`).
    pub spool_limit: usize,
    /// Receives a notice when the recorder begins or ceases to write, or loses records (default: nothing). The same are
    /// events of `tracing` with the target `obs_tui::recorder`.
    pub on_notice: OnNotice,
    /// Where times and durations come from.
    pub clock: Clock,
    /// Where the ids of rows come from.
    pub ids: Ids,
}

impl Options {
    /// Records into this database.
    #[must_use]
    pub fn new(connection: Config) -> Self {
        Self::from_connection(Ok(connection))
    }

    /// Records into the database of this URL, `postgresql://user:password@host:port/database`.
    #[must_use]
    pub fn from_url(url: &str) -> Self {
        Self::from_connection(Config::from_url(url).map_err(|error| error.to_string()))
    }

    /// Reads the options from environment variables, which `lookup` returns: `|name| std::env::var(name).ok()`.
    ///
    /// The connection is read as [`Config::from_variables`] does. `OBSERVABILITY_ENABLED` is `true` or `false`; unset
    /// it means: if a connection is given. A value that cannot be read leaves the default.
    #[must_use]
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let flag = |name: &str, default: bool| lookup(name).map_or(default, |text| is_true(&text));
        let number = |name: &str| lookup(name).and_then(|text| text.trim().parse::<u64>().ok());
        let size = |name: &str, default: usize| number(name).and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        let millis = |name: &str, default: Duration| number(name).map_or(default, Duration::from_millis);
        let missing = || Err("no database is named: set OBSERVABILITY_DB_URL".to_owned());
        let connection = Config::from_variables(&lookup).map_err(|error| error.to_string()).transpose();
        let given = connection.is_some();
        let options = Self::from_connection(connection.unwrap_or_else(missing));
        Self {
            enabled: flag("OBSERVABILITY_ENABLED", given),
            capture_console_log: flag("OBSERVABILITY_CAPTURE_CONSOLE_LOG", options.capture_console_log),
            capture_job_options: flag("OBSERVABILITY_CAPTURE_JOB_OPTIONS", options.capture_job_options),
            capture_payload: flag("OBSERVABILITY_CAPTURE_PAYLOAD", options.capture_payload),
            capture_error_stacks: flag("OBSERVABILITY_CAPTURE_ERROR_STACKS", options.capture_error_stacks),
            batch_size: size("OBSERVABILITY_BATCH_SIZE", options.batch_size),
            flush_interval: millis("OBSERVABILITY_FLUSH_INTERVAL", options.flush_interval),
            write_timeout: millis("OBSERVABILITY_WRITE_TIMEOUT", options.write_timeout),
            retry_attempts: number("OBSERVABILITY_RETRY_ATTEMPTS")
                .map_or(options.retry_attempts, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            retry_delay: millis("OBSERVABILITY_RETRY_DELAY", options.retry_delay),
            memory_limit: size("OBSERVABILITY_MEMORY_LIMIT", options.memory_limit),
            max_json_bytes: size("OBSERVABILITY_MAX_JSON_BYTES", options.max_json_bytes),
            redact: lookup("OBSERVABILITY_REDACT").map_or(options.redact, |text| redact(&text)),
            logs: sink(&lookup),
            persist_before_run: Some(millis("OBSERVABILITY_PERSIST_BEFORE_RUN", Duration::ZERO))
                .filter(|time| !time.is_zero()),
            spool: lookup("OBSERVABILITY_SPOOL_DIR").filter(|dir| !dir.trim().is_empty()).map(PathBuf::from),
            spool_limit: size("OBSERVABILITY_SPOOL_LIMIT", options.spool_limit),
            ..options
        }
    }

    pub(super) fn from_connection(connection: Result<Config, String>) -> Self {
        let clock = Clock::system();
        Self {
            enabled: true,
            connection,
            capture_console_log: true,
            logs: LogSink::Table,
            capture_job_options: true,
            capture_payload: true,
            capture_error_stacks: true,
            batch_size: 1000,
            flush_interval: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            retry_attempts: 3,
            retry_delay: Duration::from_secs(1),
            memory_limit: 32 << 20,
            max_json_bytes: 1 << 20,
            redact: Masker::default(),
            persist_before_run: None,
            spool: None,
            spool_limit: 256 << 20,
            on_notice: OnNotice::default(),
            ids: Ids::random(clock.clone()),
            clock,
        }
    }
}

fn redact(text: &str) -> Masker {
    if text.trim().eq_ignore_ascii_case("off") {
        return Masker::off();
    }
    let (allow, keys): (Vec<&str>, Vec<&str>) = text.split(',').map(str::trim).partition(|key| key.starts_with('-'));
    Masker::new(keys, allow)
}

fn sink(lookup: impl Fn(&str) -> Option<String>) -> LogSink {
    let chosen = lookup("OBSERVABILITY_LOG_SINK").unwrap_or_default();
    let is = |word: &str| chosen.trim().eq_ignore_ascii_case(word);
    if is("off") || is("none") {
        return LogSink::Off;
    }
    #[cfg(feature = "loki")]
    if !is("table")
        && let Some(loki) = crate::recorder::Loki::from_env(&lookup)
    {
        return LogSink::Loki(loki);
    }
    LogSink::Table
}

pub(super) fn is_true(text: &str) -> bool {
    ["true", "1", "yes", "on"].iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Options {
        Options::from_env(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()))
    }

    const URL: (&str, &str) = ("OBSERVABILITY_DB_URL", "postgresql://app:hunter2@db.example.com/observability");

    #[test]
    fn a_database_is_enough_and_enabled_decides() {
        assert!(from(&[URL]).enabled);
        assert!(!from(&[]).enabled);
        assert!(!from(&[URL, ("OBSERVABILITY_ENABLED", "false")]).enabled);
        let nowhere = from(&[("OBSERVABILITY_ENABLED", "true")]);
        assert!(nowhere.enabled && nowhere.connection.unwrap_err().contains("OBSERVABILITY_DB_URL"));
        let parts = from(&[("OBSERVABILITY_DB_HOST", "db"), ("OBSERVABILITY_DB_USER", "app")]);
        assert_eq!((parts.enabled, parts.connection.unwrap().host.as_str()), (true, "db"));
    }

    #[test]
    fn every_variable_has_its_option_and_nonsense_leaves_the_default() {
        let set = from(&[
            URL,
            ("OBSERVABILITY_CAPTURE_PAYLOAD", "false"),
            ("OBSERVABILITY_CAPTURE_JOB_OPTIONS", "0"),
            ("OBSERVABILITY_CAPTURE_ERROR_STACKS", "off"),
            ("OBSERVABILITY_CAPTURE_CONSOLE_LOG", "no"),
            ("OBSERVABILITY_BATCH_SIZE", "50"),
            ("OBSERVABILITY_FLUSH_INTERVAL", " 250 "),
            ("OBSERVABILITY_WRITE_TIMEOUT", "9000"),
            ("OBSERVABILITY_RETRY_ATTEMPTS", "7"),
            ("OBSERVABILITY_RETRY_DELAY", "20"),
            ("OBSERVABILITY_MEMORY_LIMIT", "1048576"),
            ("OBSERVABILITY_MAX_JSON_BYTES", "4096"),
            ("OBSERVABILITY_REDACT", "tan, -token-count,"),
            ("OBSERVABILITY_LOG_SINK", "off"),
            ("OBSERVABILITY_PERSIST_BEFORE_RUN", "1500"),
            ("OBSERVABILITY_SPOOL_DIR", "/var/spool/host"),
            ("OBSERVABILITY_SPOOL_LIMIT", "8192"),
        ]);
        assert_eq!((set.logs, set.persist_before_run), (LogSink::Off, Some(Duration::from_millis(1500))));
        assert_eq!(set.redact, Masker::new(["tan"], ["tokenCount"]));
        assert!(
            !set.capture_payload && !set.capture_job_options && !set.capture_error_stacks && !set.capture_console_log
        );
        assert_eq!((set.batch_size, set.flush_interval.as_millis(), set.retry_attempts), (50, 250, 7));
        assert_eq!(set.write_timeout, Duration::from_secs(9));
        assert_eq!((set.retry_delay.as_millis(), set.memory_limit, set.max_json_bytes), (20, 1 << 20, 4096));
        assert_eq!((set.spool, set.spool_limit), (Some(PathBuf::from("/var/spool/host")), 8192));
        let nonsense = from(&[URL, ("OBSERVABILITY_BATCH_SIZE", "many"), ("OBSERVABILITY_RETRY_DELAY", "-1")]);
        assert_eq!((nonsense.batch_size, nonsense.retry_delay.as_secs()), (1000, 1));
        let none = from(&[URL, ("OBSERVABILITY_REDACT", "off"), ("OBSERVABILITY_PERSIST_BEFORE_RUN", "0")]);
        assert_eq!((none.redact, none.persist_before_run, none.logs), (Masker::off(), None, LogSink::Table));
    }

    #[cfg(feature = "loki")]
    #[test]
    fn lines_go_to_loki_where_it_is_configured() {
        let url = ("LOKI_URL", "http://loki:3100/");
        let labels = ("LOKI_LABELS", "environment=staging, team = moves");
        let expected =
            crate::recorder::Loki::new("http://loki:3100").label("environment", "staging").label("team", "moves");
        assert_eq!(from(&[URL, url, labels]).logs, LogSink::Loki(expected));
        assert_eq!(from(&[URL, url, ("OBSERVABILITY_LOG_SINK", "table")]).logs, LogSink::Table);
        assert_eq!(from(&[URL, url, ("OBSERVABILITY_LOG_SINK", "off")]).logs, LogSink::Off);
    }

    #[test]
    fn secrets_are_not_shown() {
        let loki =
            [("LOKI_URL", "http://u:hunter2@loki?token=hunter2"), ("LOKI_USERNAME", "u"), ("LOKI_PASSWORD", "hunter2")];
        let set = from(&[URL, loki[0], loki[1], loki[2]]);
        let shown = format!("{set:?} {:?}", Options::from_url("postgresql://app:hunter2@db:x/observability"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

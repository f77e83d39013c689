//! The arguments.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, Subcommand};

use crate::tui::theme::{Colours, Palette};

/// What `obs-tui` understands.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "obs-tui",
    version,
    about = "Explore event and job cascades recorded in PostgreSQL",
    long_about = "Explore event and job cascades recorded in PostgreSQL.\n\n\
        Without a command it opens the explorer. The explorer never writes: its sessions are read-only.\n\n\
        Other users of the machine can see a password in --database-url (ps); prefer the variables or ~/.pgpass.",
    after_help = "Examples:\n  \
        obs-tui demo                          look around: private PostgreSQL, live sample data\n  \
        obs-tui                               explore the database of OBSERVABILITY_DB_URL\n  \
        obs-tui --plain                       the same in plain lines, for screen readers\n  \
        obs-tui ls --since 2h                 the invocations of the last two hours\n  \
        obs-tui ls --json --all | jq '.[] | select(.effective_status == \"failed\") | .id'\n  \
        obs-tui show driver@company.com       every chain of a correlation id\n  \
        obs-tui tail --json st:failed         failures as they come, one JSON object a line\n  \
        obs-tui db status                     which migrations a database has\n  \
        obs-tui db refresh                    count the last hours for the charts\n  \
        obs-tui config --keys                 the keys, to be changed in the configuration file\n\n\
        Environment:\n  \
        OBSERVABILITY_DB_URL                  the database, or in parts:\n  \
        OBSERVABILITY_DB_HOST, _PORT, _NAME, _USER, _PASSWORD, _SCHEMA\n  \
        PGPASSWORD, PGPASSFILE (~/.pgpass)    its password, if none is given above\n  \
        PGSSLMODE, PGSSLROOTCERT              its encryption; another machine must offer TLS unless `disable` or `prefer`\n  \
        GRAFANA_URL, GRAFANA_TOKEN, GRAFANA_DATASOURCE_UID            logs from Grafana\n  \
        LOKI_URL, LOKI_USERNAME, LOKI_PASSWORD, LOKI_ORG_ID           logs from Loki itself\n  \
        OBS_TUI_LOG_ALLOW_HTTP=1              send the token over http to another machine\n  \
        OBS_TUI_PG_BIN                        the PostgreSQL server programs, for the demo\n  \
        SSL_CERT_FILE, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, NO_COLOR, PAGER, EDITOR, TZ\n\n\
        Exit codes: 0 ok, 2 usage or failure, 3 nothing matched, 4 database unreachable",
    max_term_width = 110,
    propagate_version = true
)]
pub struct Args {
    /// What to do; without a command the explorer opens.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The database: postgres://user:password@host:port/database?sslmode=…&schema=…
    #[arg(long, global = true, value_name = "URL", env = "OBSERVABILITY_DB_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// The schema that holds the tables, when it is not `public`
    #[arg(long, global = true, value_name = "NAME", env = "OBSERVABILITY_DB_SCHEMA", hide_env_values = true)]
    pub schema: Option<String>,

    /// Treat unfinished work as stuck after this long without an update [default: 15m]
    #[arg(long, global = true, value_name = "TIME", value_parser = span)]
    pub stale_after: Option<TimeDelta>,

    /// The configuration file [default: obs-tui/config.toml in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Palette: auto, default (the terminal's own), dark, light, mono
    #[arg(long, global = true, value_name = "NAME", value_parser = str::parse::<Palette>)]
    pub theme: Option<Palette>,

    /// Color depth: auto, never, 16, 256, true
    #[arg(long, global = true, value_name = "COUNT", value_parser = str::parse::<Colours>)]
    pub color: Option<Colours>,

    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,

    /// Use the mouse in the explorer: wheel, click
    #[arg(long)]
    pub mouse: bool,

    /// Explore in plain lines instead of a full screen, for screen readers and pipes
    #[arg(long)]
    pub plain: bool,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Start a private PostgreSQL with live sample data and explore it
    Demo(Demo),
    /// List invocations, newest first
    Ls(Ls),
    /// Show the cascade of an invocation, event, job or correlation id
    Show(Show),
    /// Print invocations as they come and as their status changes, until Ctrl-C
    Tail(Tail),
    /// Print the log lines of an invocation, event, job or whole chain
    Logs(Logs),
    /// Create, migrate or inspect a database
    Db {
        /// What to do with it.
        #[command(subcommand)]
        command: DbCommand,
    },
    /// Print the configuration that is in force, as a file
    Config {
        /// Print the table of keys instead
        #[arg(long)]
        keys: bool,
    },
    /// Print the manual page: obs-tui man | man -l -
    Man,
    /// Print a completion script for a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  obs-tui demo\n  obs-tui demo --no-ui --rate 20 --seed 7\n\n\
    The server listens on the loopback address only and stops when the demo ends; its data is removed unless --data-dir names a place.")]
pub struct Demo {
    /// Print the URLs of the three roles and keep writing until stopped
    #[arg(long)]
    pub no_ui: bool,
    /// New chains per second
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = rate)]
    pub rate: f64,
    /// The same number gives the same chains in the same order
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep the data in this directory and go on with it next time
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Arguments of `ls`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  obs-tui ls\n  obs-tui ls --since 30m --limit 20\n  \
    obs-tui ls --filter 'st:failed job:send* yesterday'\n  \
    obs-tui ls --json --all | jq length")]
pub struct Ls {
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
    /// Filter expression, the same as in the explorer: 'st:failed fn:event-* today'
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Only what was created within this time: 90s, 15m, 24h, 7d [default: 24h; with --filter the one it names, or all that an index answers, else 7d]
    #[arg(long, value_name = "TIME", value_parser = span, conflicts_with = "all")]
    pub since: Option<TimeDelta>,
    /// From the beginning
    #[arg(long)]
    pub all: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// Arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  obs-tui show 550e8400-e29b-41d4-a716-446655440000\n  \
    obs-tui show moves.229386b2-e8e4-4ed9-859d-040cf4897310 --json | jq .counts")]
pub struct Show {
    /// The id of an invocation, an event or a job, or a correlation id
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show undetected events one by one
    #[arg(long, short = 'u')]
    pub undetected: bool,
    /// Show it as it was at this moment of its past, such as 2026-11-20T12:04:30Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<DateTime<Utc>>,
}

/// Arguments of `tail`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  obs-tui tail\n  obs-tui tail --since 15m st:failed\n  \
    obs-tui tail --json fn:moves | jq -r .id\n\n\
    A row is printed when it comes and again when its effective status changes. While the database is away it waits.\n\
    Exit codes: 0 stopped by Ctrl-C or by the end of its reader, 2 usage or failure, 4 database unreachable")]
pub struct Tail {
    /// Filter expression, the same as in the explorer
    #[arg(default_value = "", value_name = "FILTER")]
    pub filter: String,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Begin with what was created within this time: 90s, 15m, 24h
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub since: Option<TimeDelta>,
}

/// Arguments of `logs`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  obs-tui logs 550e8400-e29b-41d4-a716-446655440000\n  \
    obs-tui logs moves.229386b2-e8e4-4ed9-859d-040cf4897310 --json | jq -r 'select(.level == \"ERROR\") | .message'\n\n\
    Lines come from Grafana or Loki, as configured for the explorer, and from the table job_logs. Secrets are masked.\n\
    Exit codes: 0 lines were printed, 2 usage, failure or log server offline, 3 no lines, 4 database unreachable")]
pub struct Logs {
    /// The id of an invocation, an event or a job, or a correlation id, which means its whole chain
    pub id: String,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// The lines of the whole chain, not only of this node
    #[arg(long)]
    pub cascade: bool,
}

/// Commands on a database.
#[derive(Clone, Debug, Subcommand)]
pub enum DbCommand {
    /// Bring the tables up to date beside running writers; an existing database of another writer is adopted (connect as
    /// its owner)
    Migrate,
    /// Show which migrations the database has, what recorders lost in 7 days, and who else may create in its schema
    #[command(visible_alias = "doctor")]
    Status,
    /// Create the database and the three roles (connect as a superuser) and print their URLs once
    ///
    /// Passwords are generated, or taken from OBSERVABILITY_ADMIN_PASSWORD, OBSERVABILITY_APP_PASSWORD and
    /// OBSERVABILITY_READONLY_PASSWORD. Roles that exist keep theirs unless one is given. PostgreSQL lets each role set
    /// its own password and its settings (ALTER ROLE), so give one that people share to people you trust, or each person a
    /// role of their own that is a member of observability_readonly.
    Create(Create),
    /// Count the last hours into metrics_hourly, which the charts read (connect as owner or as observability_app)
    Refresh(Refresh),
    /// Delete old invocations with everything below them; hourly numbers stay (connect as owner or as observability_app)
    Prune(Prune),
    /// List the rows that the database refused to a recorder, or write them again (--replay; connect as observability_app)
    Quarantine(Quarantine),
}

/// Arguments of `db quarantine`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    obs-tui db quarantine /var/spool/app                    which rows, and why\n  \
    obs-tui db quarantine quarantine.jsonl --json | jq -r '.[].reason'\n  \
    obs-tui db quarantine /var/spool/app --replay           as the user of the recorder\n\n\
    --replay writes as the recorder does, so a row that is there already does not become two. What the database refuses\n\
    again stays in the file. Exit codes: 0 done, 2 failure, or rows stayed, 3 no rows, 4 database unreachable")]
pub struct Quarantine {
    /// The file, or the folder of the spool that holds quarantine.jsonl
    pub path: PathBuf,
    /// Print a JSON array
    #[arg(long, conflicts_with = "replay")]
    pub json: bool,
    /// Write the rows again, and keep those that are refused
    #[arg(long)]
    pub replay: bool,
}

/// Arguments of `db refresh`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    obs-tui db refresh                  the hours of rows that changed, and those never counted, newest first\n  \
    obs-tui db refresh --since 7d       the last seven days again\n  \
    obs-tui db refresh --every 5m       again and again, until stopped\n\n\
    Numbers are by effective status, percentiles by nearest rank. An hour of more than ten minutes of counting is left\n\
    out and named. Not noticed: rows deleted by hand, and rows that came with an updated_at of over an hour ago, such as\n\
    those of a copy: use --all after these. Doing it twice, or two at once, is safe. The owner also refreshes dashboard_stats.\n\
    Exit codes: 0 done, or another session is at it, 2 failure, 4 database unreachable")]
pub struct Refresh {
    /// Count again what was created within this time
    #[arg(long, value_name = "TIME", value_parser = span, conflicts_with = "all")]
    pub since: Option<TimeDelta>,
    /// Count everything again
    #[arg(long)]
    pub all: bool,
    /// Do it again each time after so long, until stopped
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub every: Option<TimeDelta>,
}

/// Arguments of `db prune`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    obs-tui db prune --older-than 30d --dry-run     how many would be deleted\n  \
    obs-tui db refresh && obs-tui db prune --older-than 30d\n\n\
    Deletes in small steps, the newest first; when it is interrupted, the next run goes on. An invocation stays as long\n\
     as one stays that a job of it caused: nothing that stays is changed. The numbers of what is deleted are kept for\n\
     `db refresh`; metrics_hourly and recorder_losses are never deleted. Exit codes: 0 done, 2 failure, 4 database unreachable")]
pub struct Prune {
    /// Delete what was created longer ago than this: 30d, 12w
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub older_than: TimeDelta,
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `db create`.
#[derive(Clone, Debug, clap::Args)]
pub struct Create {
    /// The name of the new database
    #[arg(long, default_value = "event_detector_observability")]
    pub name: String,
}

/// A length of time such as `90s`, `15m`, `24h`, `7d`, `2w`.
pub(super) fn span(text: &str) -> Result<TimeDelta, String> {
    let usage = || format!("`{text}` is not a length of time: write a number and s, m, h, d or w, such as 15m or 24h");
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(usage)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(usage()),
    };
    let number: i64 = number.parse().map_err(|_| usage())?;
    // Ten thousand years and more do not fit into a point of time.
    number
        .checked_mul(seconds)
        .filter(|&seconds| seconds <= 86_400 * 366 * 1_000)
        .and_then(TimeDelta::try_seconds)
        .ok_or_else(|| format!("`{text}` is too long"))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1_000.0 => Ok(rate),
        _ => Err(format!("`{text}` is not a rate: write a number above 0 and up to 1000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn lengths_of_time_are_read() {
        assert_eq!(span("90s"), Ok(TimeDelta::seconds(90)));
        assert_eq!(span("24h"), Ok(TimeDelta::hours(24)));
        assert_eq!(span("2w"), Ok(TimeDelta::days(14)));
        for text in ["", "h", "24", "-1h", "1.5h", "1y", "99999999999999999999s", "9999999999999d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn usage_errors_are_found() {
        for line in ["ls --since 1h --all", "ls --limit 0", "show", "demo --rate 0", "db", "nothing"] {
            let words = std::iter::once("obs-tui").chain(line.split(' '));
            assert!(Args::try_parse_from(words).is_err(), "{line}");
        }
    }
}

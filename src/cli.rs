//! The command line: arguments → command → exit code. Everything that prints is here and in `main`.

pub mod args;
pub mod config;
#[cfg(test)]
mod copies;
pub mod db;
pub mod demo;
pub mod logs;
pub mod ls;
mod output;
pub mod plain;
pub mod quarantine;
pub mod show;
pub mod tail;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::clock::Clock;
use crate::logs::LokiClient;
use crate::model::redact;
use crate::model::text::{clean, shell_argument};
use crate::model::time::plus;
use crate::model::zone::Zone;
use crate::store::admin::Passwords;
use crate::store::answer::print_no_caught_panics;
use crate::store::config::{Config, Secret};
use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::refresh::Since;
use crate::tui::{
    self,
    app::Files,
    run::End,
    run::Ended,
    theme::{Look, Theme},
};
use args::{Args, Command, DbCommand};
use output::Output;

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// The arguments or the configuration are wrong, or anything else failed.
    Usage,
    /// Nothing matched.
    Nothing,
    /// The database cannot be reached, or refuses.
    Unreachable,
    /// A signal ended it.
    Signal(u8),
}

impl Exit {
    /// The code: 0, 2, 3, 4, or 128 + signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 2,
            Self::Nothing => 3,
            Self::Unreachable => 4,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments or the configuration are wrong.
    #[error("{0}")]
    Usage(String),
    /// Nothing matched.
    #[error("{0}")]
    Nothing(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The private PostgreSQL failed.
    #[error(transparent)]
    Cluster(#[from] crate::postgres::ClusterError),
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The explorer ended with an error.
    #[error(transparent)]
    Explorer(#[from] tui::run::RunError),
    /// JSON could not be made.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    fn exit(&self) -> Exit {
        match self {
            Self::Nothing(_) => Exit::Nothing,
            Self::Store(error) if error.is_unreachable() => Exit::Unreachable,
            // Whoever reads has enough: `obs-tui ls | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            _ => Exit::Usage,
        }
    }
}

/// The arguments of this process. What there is to say instead is said: an error, or the help that was asked for.
///
/// # Errors
/// How the process is to end.
pub fn arguments() -> Result<Args, Exit> {
    Args::try_parse().map_err(|error| output::tell_usage(&error))
}

/// From here on the message of a panic is printed as safely as any error.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(output::tell_panic));
}

/// Runs a command and says on standard error why it failed, if it did.
pub async fn run(args: Args) -> Exit {
    print_no_caught_panics();
    match command(args).await {
        Ok(exit) => exit,
        Err(error) => failed(&error),
    }
}

fn failed(error: &CliError) -> Exit {
    let exit = error.exit();
    if exit != Exit::Ok {
        complain(&error.to_string());
    }
    exit
}

async fn command(args: Args) -> Result<Exit, CliError> {
    let output = |settings: &config::Settings| Output::stdout(&args, settings.look);
    let settings = || {
        let settings = config::Settings::load(&args, variable).map_err(CliError::Usage)?;
        redact::configure(settings.redact.masker());
        settings.warning.iter().for_each(|text| complain(text));
        Ok::<_, CliError>(settings)
    };
    match args.command {
        None if args.plain => {
            let settings = settings()?;
            let (reader, mut out) = (Reader::new(database(&args)?), output(&settings));
            plain::run(&reader, settings.stale_after, io::stdin().lock(), &mut out).await?;
            Ok(Exit::Ok)
        }
        None => {
            let settings = settings()?;
            let files = settings.files(variable);
            explorer(&args, &settings, database(&args)?, files).await
        }
        Some(Command::Demo(ref demo)) => demo::run(&args, &settings()?, demo).await,
        Some(Command::Ls(ref ls)) => {
            let settings = settings()?;
            let reader = Reader::new(database(&args)?);
            ls::run(&reader, ls, settings.stale_after, Clock::system().now(), &mut output(&settings)).await?;
            Ok(Exit::Ok)
        }
        Some(Command::Show(ref show)) => {
            let settings = settings()?;
            let reader = Reader::new(database(&args)?);
            show::run(&reader, show, &settings, Clock::system().now(), &mut output(&settings)).await?;
            Ok(Exit::Ok)
        }
        Some(Command::Tail(ref tail)) => {
            let settings = settings()?;
            tail::run(&Reader::new(database(&args)?), tail, &settings, &Clock::system(), &mut output(&settings))
                .await?;
            Ok(Exit::Ok)
        }
        Some(Command::Logs(ref logs)) => {
            let settings = settings()?;
            let loki = settings.logs(variable).map(LokiClient::new);
            loki.iter().filter_map(LokiClient::notice).for_each(complain);
            let (reader, stale_after) = (Reader::new(database(&args)?), settings.stale_after);
            logs::run(&reader, loki, logs, stale_after, &Clock::system(), &mut output(&settings)).await?;
            Ok(Exit::Ok)
        }
        Some(Command::Config { keys }) => {
            let settings = settings()?;
            let text = if keys { config::keys(&settings.keys) } else { config::text(&settings) };
            let mut out = output(&settings);
            out.write_all(text.as_bytes())?;
            out.flush()?;
            Ok(Exit::Ok)
        }
        Some(Command::Db { command: DbCommand::Quarantine(ref rows) }) => {
            // The list needs no database.
            let (text, all) = match rows.replay {
                true => quarantine::replay(&database(&args)?, &rows.path).await?,
                false => (quarantine::list(&rows.path, rows.json)?, true),
            };
            let mut out = Output::stdout(&args, Look { ascii: args.ascii.then_some(true), ..Look::default() });
            out.write_all(text.as_bytes())?;
            out.flush()?;
            Ok(if all { Exit::Ok } else { Exit::Usage })
        }
        Some(Command::Db { ref command }) => {
            let config = database(&args)?;
            let mut out = Output::stdout(&args, Look { ascii: args.ascii.then_some(true), ..Look::default() });
            let text = match command {
                DbCommand::Migrate => db::migrate(&config).await?,
                DbCommand::Status => db::status(&config).await?,
                DbCommand::Create(create) => db::create(&config, &create.name, &passwords()).await?,
                DbCommand::Refresh(refresh) => refreshed(&config, refresh, &mut out).await?,
                // Above.
                DbCommand::Quarantine(_) => String::new(),
                DbCommand::Prune(prune) => {
                    let before = plus(Clock::system().now(), -prune.older_than);
                    db::prune(&config, before, prune.dry_run, complain).await?
                }
            };
            out.write_all(text.as_bytes())?;
            out.flush()?;
            Ok(Exit::Ok)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page)?;
            io::stdout().write_all(&page)?;
            io::stdout().flush()?;
            Ok(Exit::Ok)
        }
        Some(Command::Completions { shell }) => {
            // Into memory first: it panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "obs-tui", &mut script);
            io::stdout().write_all(&script)?;
            io::stdout().flush()?;
            Ok(Exit::Ok)
        }
    }
}

/// Fills `metrics_hourly` once, or again and again: then a failure is told, and tried again the next time.
async fn refreshed(config: &Config, refresh: &args::Refresh, out: &mut impl Write) -> Result<String, CliError> {
    let clock = Clock::system();
    let mut since = match refresh.since {
        Some(time) => Since::Moment(plus(clock.now(), -time)),
        None if refresh.all => Since::FirstRow,
        None => Since::LastTime,
    };
    loop {
        let done = db::refresh(config, since, clock.now(), complain).await;
        let Some(every) = refresh.every else { return Ok(done?) };
        match done {
            Ok(text) => {
                out.write_all(text.as_bytes())?;
                out.flush()?;
                since = Since::LastTime;
            }
            Err(error) => complain(&error.to_string()),
        }
        tokio::time::sleep(every.to_std().unwrap_or_default().max(Duration::from_secs(1))).await;
    }
}

/// Says something on standard error: what went wrong, or how far a long command is.
pub fn complain(text: &str) {
    output::tell(&format!("obs-tui: {}", redact::mask_text(text).0));
}

/// A variable of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The database that the arguments or the environment name.
fn database(args: &Args) -> Result<Config, CliError> {
    // As for the other variables, empty means not set.
    let config = match args.database_url.as_ref().filter(|url| !url.trim().is_empty()) {
        Some(url) => Some(Config::from_url(url)?),
        None => Config::from_variables(variable)?,
    };
    let config = config.ok_or_else(|| {
        CliError::Usage(
            "no database is named. Set OBSERVABILITY_DB_URL=postgres://user:password@host:5432/database, or\n\
             OBSERVABILITY_DB_HOST, _PORT, _NAME, _USER and _PASSWORD, or give --database-url.\n\
             To look around without a database: obs-tui demo"
                .to_owned(),
        )
    })?;
    config.check()?;
    config.warning().iter().for_each(|text| complain(text));
    Ok(match &args.schema {
        Some(schema) => config.with_schema(schema),
        None => config,
    })
}

/// Passwords for new roles that the environment gives; the others are generated.
fn passwords() -> Passwords {
    let given = |role: &str| std::env::var(format!("OBSERVABILITY_{role}_PASSWORD")).ok().map(Secret::new);
    Passwords { admin: given("ADMIN"), app: given("APP"), readonly: given("READONLY") }
}

/// Fails early and in words where the explorer could not be drawn.
fn require_terminal() -> Result<(), CliError> {
    if io::stdout().is_terminal() && io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::Usage(
        "the explorer needs a terminal; in pipes and scripts use `obs-tui ls` or `obs-tui show`".to_owned(),
    ))
}

async fn explorer(args: &Args, settings: &config::Settings, config: Config, files: Files) -> Result<Exit, CliError> {
    require_terminal()?;
    let logs = settings.logs(variable).map(LokiClient::new);
    let of_logs = logs.iter().filter_map(LokiClient::notice).map(str::to_owned);
    let (zone, of_zone) = zone();
    let warnings = [config.warning(), settings.warning.clone(), of_zone].into_iter().flatten().chain(of_logs).collect();
    let options = tui::run::Options { theme: Theme::from_env(variable, settings.look), mouse: settings.mouse };
    let settings = tui::app::Settings {
        database: config.to_string(),
        stale_after: settings.stale_after,
        poll_every: settings.poll_every,
        zone,
        command: started_as(args),
        keys: settings.keys.clone(),
        files,
        warnings,
    };
    let End { ended, not_kept } = tui::run::run(Reader::new(config), logs, settings, options).await?;
    if let Some(text) = not_kept {
        complain(&text);
    }
    Ok(match ended {
        Ended::Left => Exit::Ok,
        Ended::Signal(number) => Exit::Signal(number),
    })
}

/// What the commands that the explorer copies begin with. Not the URL: it may hold a password.
fn started_as(args: &Args) -> String {
    let mut words = vec!["obs-tui".to_owned()];
    if let Some(schema) = &args.schema {
        words.push(shell_argument(&format!("--schema={schema}")).into_owned());
    }
    words.join(" ")
}

/// The zone of local time, and what is wrong with it.
fn zone() -> (Zone, Option<String>) {
    match Zone::system() {
        Ok(zone) => (zone, None),
        // A machine without a zone is set to UTC; one that is named and not known is a mistake.
        Err(_) => match variable("TZ").filter(|name| !name.is_empty()) {
            Some(name) => (Zone::UTC, Some(format!("TZ={} names no time zone: local times are UTC", clean(&name)))),
            None => (Zone::UTC, None),
        },
    }
}

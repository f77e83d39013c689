//! `obs-tui db`: what each command says. Nothing is printed here.
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::model::text::{clean, plural};
use crate::model::time;
use crate::store::admin::{self, Passwords};
use crate::store::config::Config;
use crate::store::error::StoreError;
use crate::store::prune;
use crate::store::read::Reader;
use crate::store::refresh::{self, Since, View};
use crate::store::sql::revocation;

/// How far back losses are listed.
const LOSSES: TimeDelta = TimeDelta::days(7);
/// The clock of the server may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// Applies the migrations; tells which.
///
/// # Errors
/// Those of [`admin::migrate`].
pub async fn migrate(config: &Config) -> Result<String, StoreError> {
    let report = admin::migrate(config).await?;
    let place = place(config);
    let mut text = if report.applied.is_empty() {
        format!("Nothing to do: {place} has all {} migrations.\n", report.already)
    } else {
        let (applied, all) = (report.applied.len(), report.applied.len() + report.already);
        format!("Applied {applied} of {all} migrations to {place}:\n")
    };
    for (version, description) in &report.applied {
        let _ = writeln!(text, "  {version:>4}  {description}");
    }
    if report.adopted {
        text.push_str(
            "The tables of another program were completed; its rows, columns, functions and views are as they were.\n",
        );
    }
    if report.closed {
        let done = revocation(&config.schema, &["PUBLIC".to_owned()]);
        let _ = writeln!(text, "Every role could create in the schema, which is ours; no longer: {}", clean(&done));
    }
    text.push_str(&creators(config, &report.may_create));
    Ok(text)
}

/// Lists the migrations and whether the database has them.
///
/// # Errors
/// Those of [`admin::status`].
pub async fn status(config: &Config) -> Result<String, StoreError> {
    let status = admin::status(config).await?;
    let place = place(config);
    let applied = status.migrations.iter().filter(|migration| migration.applied_at.is_some()).count();
    let mut text = match (applied, status.has_tables) {
        (0, true) => format!(
            "{place}: another program made the tables. The explorer reads them as they are; `obs-tui db migrate` completes them.\n"
        ),
        (0, false) => format!("{place}: there are no tables. Run `obs-tui db migrate` as the owner.\n"),
        (applied, _) if applied == status.migrations.len() => format!("{place}: up to date.\n"),
        _ => format!("{place}: migrations are missing. Run `obs-tui db migrate` as the owner.\n"),
    };
    for migration in &status.migrations {
        let state = match (migration.applied_at, migration.differs) {
            (None, _) => "missing".to_owned(),
            (Some(at), false) => format!("applied {}", time::utc(at, "%Y-%m-%d %H:%M:%SZ")),
            (Some(at), true) => format!("applied {} with another text", time::utc(at, "%Y-%m-%d %H:%M:%SZ")),
        };
        let _ = writeln!(text, "  {:>4}  {:<24} {state}", migration.version, migration.description);
    }
    if status.has_tables {
        // An error, such as of a main table that is missing, must not hide the migrations.
        let now = Clock::system().now();
        match Reader::new(config.clone()).losses(time::plus(now, -LOSSES), time::plus(now, AHEAD)).await {
            Ok(losses) => losses.lines("the last 7 days").iter().for_each(|line| {
                let _ = writeln!(text, "{line}");
            }),
            Err(error) => {
                let _ = writeln!(text, "Recorder losses: not read: {}", clean(&error.to_string()));
            }
        }
    }
    text.push_str(&creators(config, &status.may_create));
    for code in &status.code_of_others {
        let _ = writeln!(text, "Runs when this role changes the tables: {code}.");
    }
    let _ = writeln!(text, "Connection: {}.", config.protection());
    Ok(text)
}

/// Makes the database and its roles; tells how each connects, **with the passwords that are known only now**.
///
/// # Errors
/// Those of [`admin::create_database`].
pub async fn create(superuser: &Config, name: &str, passwords: &Passwords) -> Result<String, StoreError> {
    let roles = admin::create_database(superuser, name, passwords).await?;
    let mut text = format!("Database {name} is ready. Passwords are not shown again:\n");
    for (purpose, config) in [("owner", &roles.admin), ("recorder", &roles.app), ("explorer", &roles.readonly)] {
        let kept = if config.password.is_none() { "  (password as before)" } else { "" };
        let _ = writeln!(text, "  {purpose:<9} {}{kept}", config.url());
    }
    text.push_str("Next: `obs-tui db migrate` with the URL of the owner.\n");
    Ok(text)
}

/// Fills `metrics_hourly`; tells what was done. `progress` is told a line now and then.
///
/// # Errors
/// Those of [`refresh::refresh`].
pub async fn refresh(
    config: &Config,
    since: Since,
    now: DateTime<Utc>,
    mut progress: impl FnMut(&str),
) -> Result<String, StoreError> {
    let mut hours = 0_u64;
    let done = refresh::refresh(config, since, now, |hour| {
        hours += 1;
        if hours.is_multiple_of(24) {
            progress(&format!("{hours} hours counted, back to {}", time::utc(hour, "%Y-%m-%d %H:%MZ")));
        }
    })
    .await?;
    let Some(report) = done else {
        return Ok("Another session is refreshing metrics_hourly: nothing was done.\n".to_owned());
    };
    let view = match report.view {
        View::Refreshed => "dashboard_stats was refreshed",
        View::NotOwned => "dashboard_stats belongs to another role, which alone can refresh it",
        View::Absent => "there is no dashboard_stats",
    };
    let since =
        report.first.map_or_else(String::new, |first| format!(" from {} on", time::utc(first, "%Y-%m-%d %H:%MZ")));
    let (hours, rows) = (plural(report.hours, "hour"), plural(report.rows, "row"));
    let creators = creators(config, &report.may_create);
    let too_long = match report.too_long.as_slice() {
        [] => String::new(),
        [hour, ..] => format!(
            "{} took longer than ten minutes and will be tried again, among them that of {}: charts count it from rows.\n",
            plural(report.too_long.len() as u64, "hour"),
            time::utc(*hour, "%Y-%m-%d %H:%MZ")
        ),
    };
    Ok(format!("metrics_hourly: {hours} counted{since}, {rows} written; {view}.\n{too_long}{creators}"))
}

/// Deletes invocations that are older than a moment, or counts them only; tells how many. `progress` is told a line now
/// and then.
///
/// # Errors
/// Those of [`prune::prune`].
pub async fn prune(
    config: &Config,
    before: DateTime<Utc>,
    only_count: bool,
    mut progress: impl FnMut(&str),
) -> Result<String, StoreError> {
    let planned = prune::count(config, before).await?;
    let day = before.format("%Y-%m-%d %H:%MZ");
    let kept = |kept: u64| match kept {
        0 => String::new(),
        kept => format!(
            "{} from before {day} kept: an invocation that each of them caused is kept.\n",
            plural(kept, "invocation")
        ),
    };
    if only_count {
        let all = plural(planned.deleted, "invocation");
        return Ok(format!("{all} from before {day} would be deleted.\n{}", kept(planned.kept)));
    }
    let total = planned.deleted;
    let done = prune::prune(config, before, |deleted| progress(&format!("{deleted} of {total} deleted"))).await?;
    let all = plural(done.deleted, "invocation");
    Ok(format!("{all} from before {day} deleted, with their events, jobs and log lines.\n{}", kept(done.kept)))
}

/// Who else may create in the schema, and the statement that ends it; nothing where nobody may.
fn creators(config: &Config, roles: &[String]) -> String {
    if roles.is_empty() {
        return String::new();
    }
    let who = if roles.iter().any(|role| role == "PUBLIC") { "every role".to_owned() } else { roles.join(", ") };
    let revoke = revocation(&config.schema, roles);
    clean(&format!(
        "May create in schema {}, where a view or table of theirs could be taken for one of ours: {who}. Its owner ends that: {revoke}",
        config.schema
    ))
    .into_owned()
        + "\n"
}

fn place(config: &Config) -> String {
    format!("{config}, schema {}", config.schema)
}

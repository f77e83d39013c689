//! `obs-tui logs`: the log lines of a node or of a whole chain, of Loki and of the table `job_logs`, as plain lines.

use std::io::Write;

use chrono::SecondsFormat;
use serde_json::json;

use super::args::Logs;
use super::{CliError, complain};
use crate::clock::Clock;
use crate::logs::{ConfigError, LogError, LogPage, LogQuery, LokiClient, merge};
use crate::model::flow::{Flow, Overview};
use crate::model::text::clean;
use crate::model::time;
use crate::store::read::{Reader, looked_for};
use crate::tui::app::documents::log_line;
use crate::tui::app::flow::subject_of;
use crate::tui::app::logs::fields::{masked, text};
use crate::tui::effects::table_page;

/// Prints the lines, oldest first. What Loki cannot give is told on standard error; the lines of the table are printed
/// anyway.
///
/// # Errors
/// When the id names nothing or there are no lines, when the database or the log server fails, or when the output cannot
/// be written.
pub async fn run(
    reader: &Reader,
    loki: Result<LokiClient, ConfigError>,
    args: &Logs,
    stale_after: chrono::TimeDelta,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let (id, now) = (args.id.trim(), clock.now());
    let nothing = || CliError::Nothing(format!("`{0}`: nothing {1}", clean(id), looked_for(id)));
    let seed = reader.find(id, now).await?.ok_or_else(nothing)?;
    let flow = Flow::build(reader.cascade(seed).await?, now, stale_after);
    let named = flow.nodes.iter().position(|node| node.id.to_string().eq_ignore_ascii_case(id));
    let overview = Overview::of(&flow);
    let index = named.or(flow.roots.first().copied()).ok_or_else(nothing)?;
    let subject = subject_of(&flow, &overview, index, now).ok_or_else(nothing)?;
    let whole = named.is_none() || args.cascade;
    let ((start, end), jobs) = match whole {
        true => (subject.cascade_window, subject.cascade_jobs),
        false => (subject.window, subject.jobs),
    };
    let began = clock.elapsed();
    let (lines, complete) = reader.job_logs(&jobs).await?;
    let table = table_page(lines, complete, clock.elapsed().saturating_sub(began));
    let correlation = subject.correlation_id.unwrap_or_default();
    let job = subject.job.filter(|_| !whole);
    let asked = match loki {
        _ if correlation.trim().is_empty() && job.is_none() => Ok(None),
        Ok(loki) => loki.fetch(&LogQuery::around(&correlation, job, start, end)).await.map(Some),
        Err(error) => Err(error.into()),
    };
    let (loki, refused) = match asked {
        Ok(page) => (page, None),
        Err(error) => (None, Some(error)),
    };
    let is_cut = |page: &LogPage| !page.complete;
    if is_cut(&table) || loki.as_ref().is_some_and(is_cut) {
        complain("there are more lines than are printed");
    }
    let lines = merge(loki.map_or_else(Vec::new, |page| page.lines), table.lines);
    for line in &lines {
        if args.json {
            let at = time::rfc3339(time::of_nanoseconds(line.at_ns), SecondsFormat::Nanos);
            let line = json!({
                "at": at, "level": line.level.name(), "service": line.service, "message": text(&line.message, false),
                "fields": masked(&line.fields, false), "source": line.origin.name(),
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}", log_line(line, false))?;
        }
    }
    out.flush()?;
    match refused {
        // Without a log server the table is all there is.
        Some(LogError::NotConfigured) if !lines.is_empty() => Ok(()),
        Some(error @ LogError::NotConfigured) => Err(CliError::Nothing(format!("no lines in job_logs, and {error}"))),
        Some(error) => Err(CliError::Usage(error.to_string())),
        None if lines.is_empty() => Err(CliError::Nothing("no log lines were found for it".to_owned())),
        None => Ok(()),
    }
}

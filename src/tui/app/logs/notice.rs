//! What stands above the log lines: why there are none, or not all, and what to do.

use super::{App, State};
use crate::logs::{Level, LogError, failure};
use crate::model::redact::mask_text;
use crate::model::text::{clean, plural};
use crate::tui::wrap::wrap;

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something does not work.
    Problem,
    /// Its reason, and what to do.
    Plain,
    /// By the way.
    Quiet,
}

/// Rows above the lines, for a terminal of this width.
#[must_use]
pub fn rows(app: &App, width: u16) -> Vec<(Tone, String)> {
    let width = usize::from(width.saturating_sub(2)).max(8);
    let mut rows = Vec::new();
    for (tone, text) in notices(app) {
        rows.extend(wrap(&mask_text(&text).0, width, 4).0.into_iter().map(|line| (tone, line.to_owned())));
    }
    rows
}

fn notices(app: &App) -> Vec<(Tone, String)> {
    let state = &app.logs;
    let mut notices = Vec::new();
    if state.subject.is_none() {
        notices.push((
            Tone::Plain,
            "No node is chosen: L on a line of the list or the tree shows its log lines.".to_owned(),
        ));
        return notices;
    }
    if let Some(refusal) = &state.refusal {
        refused(app, refusal, &mut notices);
    } else if state.query.is_none() {
        let text = "This node has no correlation id, so Grafana cannot be asked for it.";
        notices.push((Tone::Problem, text.to_owned()));
        notices.push((Tone::Plain, "Its jobs can be asked for by their ids: L on one of them in the tree.".to_owned()));
    }
    if let Some(error) = &state.table.error {
        notices.push((Tone::Problem, format!("Table job_logs could not be read: {}", clean(error))));
    }
    incomplete(state, &mut notices);
    if state.lines.is_empty() {
        nothing(app, &mut notices);
    } else if state.shown.is_empty() && state.only_hits {
        let hidden = plural(state.hidden() as u64, "line");
        notices.push((Tone::Plain, format!("No line is hit; {hidden} hidden.  &: all lines  Esc: end the find")));
    } else if state.shown.is_empty() {
        let least = state.least.map_or("", Level::name);
        let hidden = plural(state.hidden() as u64, "line");
        notices.push((Tone::Plain, format!("No line is {least} or graver; {hidden} hidden.  V: next level")));
    }
    notices
}

fn refused(app: &App, refusal: &LogError, notices: &mut Vec<(Tone, String)>) {
    let mut say = |tone, text: &str| notices.push((tone, text.to_owned()));
    let works = || format!("List, flow, details and charts work as ever{}.  r: ask again", rest(&app.logs, "; "));
    match refusal {
        LogError::Offline(reason) => {
            say(Tone::Problem, "Grafana Offline");
            say(Tone::Plain, &clean(reason));
            say(Tone::Quiet, &works());
        }
        LogError::Failed { status, text } => {
            say(Tone::Problem, &format!("Log server: {}", failure(*status)));
            say(Tone::Plain, &clean(text));
            say(Tone::Quiet, &works());
        }
        LogError::Untrusted(reason) => {
            say(Tone::Problem, "Certificate of the log server not trusted");
            say(Tone::Plain, &clean(reason));
            let next = "If it is the right server, set SSL_CERT_FILE to its authority's file and start obs-tui again";
            say(Tone::Quiet, &format!("{next}{}.", rest(&app.logs, "; ")));
        }
        LogError::NotConfigured => {
            say(Tone::Problem, "Grafana is not configured");
            let set = "Set GRAFANA_URL, GRAFANA_TOKEN and GRAFANA_DATASOURCE_UID, or LOKI_URL, and start obs-tui again \
                       (each also with the prefix OBS_TUI_).";
            say(Tone::Plain, set);
            say(Tone::Quiet, &format!("Until then only the table job_logs is read{}.", rest(&app.logs, ": ")));
        }
        LogError::Config(error) => {
            say(Tone::Problem, "The settings for logs cannot be used");
            say(Tone::Plain, &clean(&error.to_string()));
            say(Tone::Quiet, &format!("Correct them and start obs-tui again{}.", rest(&app.logs, "; ")));
        }
        LogError::Refused(reason) => {
            say(Tone::Problem, "Grafana refused to answer");
            say(Tone::Plain, &clean(reason));
            let next = "It is not asked again by itself: check GRAFANA_TOKEN and GRAFANA_DATASOURCE_UID";
            say(Tone::Quiet, &format!("{next}{}.  r: ask again", rest(&app.logs, "; ")));
        }
        LogError::Limited(reason) => {
            say(Tone::Problem, "Grafana is busy");
            say(Tone::Plain, &clean(reason));
            say(Tone::Quiet, &format!("r: ask again in a moment{}", rest(&app.logs, "; ")));
        }
        LogError::Query(reason) => {
            say(Tone::Problem, "Grafana did not accept the query");
            say(Tone::Plain, &clean(reason));
        }
        LogError::Malformed(reason) => {
            say(Tone::Problem, "Grafana's answer cannot be read");
            say(Tone::Plain, &clean(reason));
        }
    }
}

/// Which lines there are nevertheless.
fn rest(state: &State, before: &str) -> String {
    let of_loki = state.loki.value.as_ref().map_or(0, |page| page.lines.len());
    let of_table = state.table.value.as_ref().map_or(0, |page| page.lines.len());
    match (of_loki, of_table) {
        (0, 0) => String::new(),
        (0, n) => format!("{before}{} of job_logs below", plural(n as u64, "line")),
        (n, _) => format!("{before}{} of the last answer below", plural(n as u64, "line")),
    }
}

fn incomplete(state: &State, notices: &mut Vec<(Tone, String)>) {
    let lines = |load: &super::Load<crate::logs::LogPage>| {
        load.value.as_ref().filter(|page| !page.complete).map(|page| page.lines.len() as u64)
    };
    if let Some(count) = lines(&state.loki) {
        let is_job = state.subject.as_ref().is_some_and(|subject| subject.job.is_some());
        let narrower = match (state.cascade, is_job) {
            (true, _) => "  A: only this node",
            (false, false) => "  L on one of its jobs asks for less",
            (false, true) => "",
        };
        let text = format!("Not all lines: only {} could be read.{narrower}", plural(count, "line"));
        notices.push((Tone::Problem, text));
    }
    if let Some(count) = lines(&state.table) {
        notices.push((Tone::Problem, format!("Not all lines of job_logs: cut after {}.", plural(count, "line"))));
    }
}

fn nothing(app: &App, notices: &mut Vec<(Tone, String)>) {
    let state = &app.logs;
    if state.is_loading() {
        notices.push((Tone::Quiet, "Asking for log lines ...".to_owned()));
        return;
    }
    if state.refusal.is_some() || state.table.error.is_some() {
        return;
    }
    notices.push((Tone::Plain, "No lines found".to_owned()));
    if let Some(query) = &state.query {
        let time = |at| app.shown(at, "%d %b %H:%M:%S").to_string();
        let text =
            format!("between {} and {}{}, 5 s before and after included", time(query.from), time(query.to), app.zone());
        notices.push((Tone::Plain, text));
        let wider = if state.cascade { "" } else { "A: ask for the whole cascade.  " };
        let names = "If there should be lines, check that OBS_TUI_LOG_SELECTOR and the field names fit your logs.";
        notices.push((Tone::Quiet, format!("{wider}{names}")));
    }
}

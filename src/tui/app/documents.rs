//! What a screen shows, as a text to take away: a file for programs, or a page for people.

use chrono::SecondsFormat;

use super::App;
use super::compare;
use super::detail::{Content, fields};
use super::groups;
use super::invocations;
use crate::logs::LogLine;
use crate::model::correlation::short_id;
use crate::model::flow::{Fold, Glyphs};
use crate::model::outline::Outline;
use crate::model::report::{self, Listing};
use crate::model::text::{clean, clean_lines};
use crate::model::time;
use crate::tui::app::charts::words::csv;
use crate::tui::app::logs::fields as log_fields;
use crate::tui::app::logs::rows::has_fields;
use crate::tui::msg::{Action, Cmd, Document, Program, View};
use crate::tui::plain::{LIST_HEAD, list_line, tree};

/// Characters of a name that end up in the name of a file.
const LONGEST_NAME: usize = 40;

/// What a key does with what the screen shows.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let document = match action {
        Action::Export => for_programs(app),
        _ => for_people(app),
    };
    let Some(document) = document else {
        app.say("there is nothing to take away yet");
        return Vec::new();
    };
    vec![match action {
        Action::Export => Cmd::Export(document),
        Action::Editor => Cmd::Open(document, Program::Editor),
        _ => Cmd::Open(document, Program::Pager),
    }]
}

/// What the screen shows as JSON: the list as `ls --json` gives it, the tree as `show --json`, the raw row with its
/// secrets masked unless they are shown; log lines as text, charts as CSV.
#[must_use]
pub fn for_programs(app: &App) -> Option<Document> {
    let text = match app.view {
        View::Invocations => {
            let rows = invocations::taken(app);
            let listing = |row| Listing::new(row, app.data_time(), app.settings.stale_after);
            let lines: Vec<String> = rows.iter().filter_map(|&row| serde_json::to_string(&listing(row)).ok()).collect();
            (!rows.is_empty()).then(|| format!("[{}]\n", lines.join(",\n ")))?
        }
        View::Flow => {
            let mut json = Vec::new();
            report::cascade(app.flow.flow.value.as_ref()?, &mut json).ok()?;
            String::from_utf8(json).ok()? + "\n"
        }
        View::Detail => {
            format!("{:#}\n", app.detail.shown()?)
        }
        View::Logs => return for_people(app),
        View::Charts => {
            let text = csv(app.charts.hourly.value.as_ref()?, app.charts.only.as_deref());
            return Some(Document::new(name(app), "csv", &text));
        }
        View::Jobs | View::Failures => groups::as_json(app)?,
        View::Compare => compare::as_json(app)?,
    };
    Some(Document::new(name(app), "json", &text))
}

/// What the screen shows as a person reads it: list, tree, the section of the node, log lines.
#[must_use]
pub fn for_people(app: &App) -> Option<Document> {
    let (text, extension) = match app.view {
        View::Invocations => {
            let rows = invocations::taken(app);
            let lines = rows.iter().map(|row| list_line(row, app.data_time(), app.settings.stale_after));
            let all: Vec<String> = [LIST_HEAD.to_owned()].into_iter().chain(lines).collect();
            (!rows.is_empty()).then(|| (all.join("\n") + "\n", "txt"))?
        }
        View::Flow => {
            let fold = Fold { show_undetected: true, ..Fold::default() };
            (tree(app.flow.flow.value.as_ref()?, &fold, &Glyphs::ASCII, app.now), "txt")
        }
        View::Detail => section(app)?,
        View::Logs => (log_lines(app)?, "log"),
        View::Compare => (compare::as_text(app)?, "txt"),
        View::Charts | View::Jobs | View::Failures => return None,
    };
    Some(Document::new(name(app), extension, &text))
}

/// The section of the node that is on the screen.
fn section(app: &App) -> Option<(String, &'static str)> {
    app.detail.row.value.as_ref()?;
    let time = |at| time::rfc3339(at, SecondsFormat::Millis);
    Some(match app.detail.content() {
        Some(Content::Outline { outline, .. }) => (whole(outline), "json"),
        Some(Content::Diff(diff)) => {
            let diff = diff.as_ref()?;
            let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
            let line = |row: &super::detail::DiffRow| {
                format!("{}\n  old  {}\n  new  {}\n", row.path, shown(&row.old), shown(&row.new))
            };
            let mut text = diff.rows.iter().map(line).collect::<String>();
            if !diff.unchanged.is_empty() {
                let names: Vec<_> = diff.unchanged.iter().map(|row| row.path.as_str()).collect();
                text.push_str(&format!("unchanged: {}\n", names.join(", ")));
            }
            (lines(&text), "txt")
        }
        Some(Content::Text { lines: text, .. }) => {
            (lines(&text.iter().map(|line| format!("{}\n", line.text)).collect::<String>()), "txt")
        }
        None => {
            let line = |field: super::detail::Field| {
                let value = field.at.map_or(field.value, time);
                format!("{}: {value}\n", field.label)
            };
            (lines(&fields(app).into_iter().map(line).collect::<String>()), "txt")
        }
    })
}

fn whole(outline: &Outline) -> String {
    format!("{:#}\n", outline.value(0))
}

/// Safe lines.
fn lines(text: &str) -> String {
    clean_lines(text).map(|line| line.into_owned() + "\n").collect()
}

/// A log line as one line of safe text: time, level, service, message, and its fields as JSON.
#[must_use]
pub fn log_line(line: &LogLine, reveal: bool) -> String {
    let time = time::rfc3339(time::of_nanoseconds(line.at_ns), SecondsFormat::Millis);
    let fields = match has_fields(line) {
        true => format!("  {}", clean(&log_fields::masked(&line.fields, reveal).to_string())),
        false => String::new(),
    };
    let (level, service) = (line.level.name(), clean(&line.service));
    format!("{time} {level:<5} {service} {}{fields}", clean(&log_fields::text(&line.message, reveal)))
}

fn log_lines(app: &App) -> Option<String> {
    let state = &app.logs;
    let line = |&index: &usize| Some(log_line(state.lines.get(index)?, state.reveal) + "\n");
    (!state.shown.is_empty()).then(|| state.shown.iter().filter_map(line).collect())
}

/// A name for a file: what it shows, and when.
fn name(app: &App) -> String {
    let of = match app.view {
        View::Invocations => "invocations".to_owned(),
        View::Flow => format!("flow-{}", app.flow.invocation.map_or_else(String::new, |id| short(&id.to_string()))),
        View::Detail => {
            app.detail.of.map_or_else(String::new, |(kind, id)| format!("{}-{}", kind.short(), short(&id.to_string())))
        }
        View::Logs => format!("logs-{}", app.logs.subject.as_ref().map_or("", |subject| &subject.name)),
        View::Charts => "charts".to_owned(),
        View::Jobs => "jobs".to_owned(),
        View::Failures => "failures".to_owned(),
        View::Compare => "compare".to_owned(),
    };
    let safe: String = of.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(LONGEST_NAME).collect();
    format!("obs-tui-{}-{}", safe.trim_matches('-'), app.now.format("%Y%m%dT%H%M%SZ"))
}

fn short(id: &str) -> String {
    short_id(id, 8).to_owned()
}

#[cfg(test)]
mod tests;

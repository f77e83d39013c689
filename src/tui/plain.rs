//! The list and the tree as lines of text: for `ls`, `show`, the pager, and `--plain`.

use chrono::{DateTime, TimeDelta, Utc};
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::model::flow::{Flow, Fold, Glyphs, Node};
use crate::model::invocation::Listed;
use crate::model::status::Effective;
use crate::model::text::{clean, duration, plural};
use crate::model::time;

/// The heads of the columns of [`list_line`].
pub const LIST_HEAD: &str =
    "CREATED                   ST    FUNCTION                  TRIGGER               EVT    JOBS      DURATION  ID";

/// A row of the list.
#[must_use]
pub fn list_line(row: &Listed, now: DateTime<Utc>, stale_after: TimeDelta) -> String {
    let (invocation, children, jobs) = (&row.invocation, &row.children, row.jobs(now, stale_after));
    let more = |more: bool| if more { "+" } else { "" };
    let status = match row.verdict(now, stale_after).effective {
        Effective::NotDetected => "OK",
        effective => Theme::word(effective),
    };
    let counts = [(jobs.ok, ""), (jobs.failed, " x"), (jobs.running, " >"), (jobs.stuck, " ?")];
    let jobs: String = (counts.iter().enumerate())
        .filter(|(index, (count, _))| *count > 0 || *index == 0)
        .map(|(_, (count, mark))| format!("{mark}{count}"))
        .collect();
    let jobs = jobs + more(children.more_jobs);
    let note = invocation.delivery.note().map(|note| format!("  {note}")).unwrap_or_default();
    format!(
        "{:24}  {status:<5} {:<25} {:<21} {:<6} {jobs:<9} {:>8}  {}{note}",
        time::utc(invocation.created_at, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        clean(&invocation.source_function),
        clean(&invocation.trigger()),
        format!("{}/{}{}", children.events_detected, children.events_checked, more(children.more_events)),
        row.duration_ms(now).map(duration).unwrap_or_default(),
        invocation.id
    )
}

/// What is told of a whole cascade, in one line.
#[must_use]
pub fn summary(flow: &Flow) -> String {
    let counts = flow.counts;
    format!(
        "{}  {}  {} ({} detected)  {}, {} failed, {} running, {} stuck",
        flow.correlation_id().map_or("no correlation id".into(), clean),
        plural(counts.invocations, "invocation"),
        plural(counts.events.checked, "event"),
        counts.events.detected,
        plural(counts.jobs.run, "job"),
        counts.jobs.failed,
        counts.jobs.running,
        counts.jobs.stuck
    )
}

/// What is told when a cascade is not whole.
pub const TRUNCATED: &str = "There is more than is shown: the cascade is too large to be loaded whole.";

/// How long a node took or is taking: `912ms`, `3.20s..`; empty when nobody knows.
#[must_use]
pub fn elapsed(node: &Node, now: DateTime<Utc>) -> String {
    let running = if node.duration_ms.is_none() { ".." } else { "" };
    node.elapsed_ms(now).map(|ms| duration(ms) + running).unwrap_or_default()
}

/// Why a node has the status that it has, and the first line of its error.
pub fn notes(node: &Node) -> impl Iterator<Item = String> {
    let notes = [node.reason.as_deref(), node.error.as_deref()].into_iter().flatten();
    notes.map(|note| clean(note.lines().next().unwrap_or_default()).into_owned())
}

/// The tree as the explorer draws it, with its columns.
#[must_use]
pub fn tree(flow: &Flow, fold: &Fold, glyphs: &Glyphs, now: DateTime<Utc>) -> String {
    let lines = flow.lines(fold);
    let labels: Vec<String> =
        lines.iter().map(|line| line.guides(&lines, glyphs) + &line.label(flow, glyphs)).collect();
    let width = labels.iter().map(|label| label.width()).max().unwrap_or(0).min(100);
    let mut text = summary(flow) + "\n";
    if flow.truncated {
        text.push_str(TRUNCATED);
        text.push('\n');
    }
    if let Some(told) = flow.unsearched() {
        text.push_str(&told);
        text.push('\n');
    }
    for (line, label) in lines.iter().zip(labels) {
        let node = &flow.nodes[line.node];
        let padding = " ".repeat(width.saturating_sub(label.width()));
        let (status, elapsed) = match line.undetected {
            0 => (Theme::word(node.effective), elapsed(node, now)),
            _ => ("-", String::new()),
        };
        let row = format!("{label}{padding}  {status:<5} {elapsed:>8}");
        text.push_str(row.trim_end());
        if line.undetected == 0 {
            for note in notes(node) {
                text.push_str("  ");
                text.push_str(&note);
            }
        }
        text.push('\n');
    }
    text
}

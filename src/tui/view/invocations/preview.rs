//! The selected row, in a few lines below the list: why it has its status, what changed, its events and jobs.

mod inside;

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::{elapsed, status};
use crate::model::invocation::{FailedJob, Link, Listed};
use crate::model::outline::plain_text;
use crate::model::text::{at_least, clean, plural};
use crate::tui::app::App;
use crate::tui::app::invocations::inside::Content;
use crate::tui::theme::Theme;
use crate::tui::view::frame::{fit, put, rule};
use crate::tui::wrap::wrap;

/// Columns for the name of a field.
const NAMES: u16 = 9;
/// A preview of more lines breaks what is long.
const TALL: u16 = 16;
/// Lines for a long value at the most.
const MOST_LINES: usize = 4;
/// Lines of a preview that leaves out who it was.
const SMALL: u16 = 8;

pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(listed) = app.invocations.selected_row() else { return };
    rule(theme, Rect { height: 1, ..area }, buf);
    let mut y = area.y + 1;
    let mut row = || {
        let row = Rect { y, height: 1, ..area }.intersection(area);
        y += 1;
        row
    };
    title(app, theme, listed, row(), buf);
    let inside = app.invocations.inside.of(listed);
    for (name, value, style) in fields(app, theme, listed, inside, area.height) {
        let x = area.x + 1 + NAMES;
        let width = usize::from(area.right().saturating_sub(x));
        // Beside the list there are rows to spare, and few columns.
        let lines: Vec<_> = if area.height > TALL {
            wrap(&value, width, MOST_LINES).0.into_iter().map(Cow::Borrowed).collect()
        } else {
            vec![fit(&value, width, theme)]
        };
        for (at, line) in lines.iter().enumerate() {
            let row = row();
            put(buf, row, area.x + 1, if at == 0 { name } else { "" }, theme.dim());
            put(buf, row, x, line, style);
        }
    }
    let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    match (inside, app.invocations.inside.error(listed)) {
        (Some(content), _) => inside::draw(app, theme, listed, &content.flow, rest, buf),
        (None, Some(error)) => {
            let text = format!("events and jobs not read: {}", clean(error));
            put(buf, rest, area.x + 1, &fit(&text, usize::from(area.width.saturating_sub(2)), theme), theme.dim());
        }
        (None, None) => {}
    }
}

fn title(app: &App, theme: &Theme, listed: &Listed, row: Rect, buf: &mut Buffer) {
    let effective = listed.verdict(app.data_time(), app.settings.stale_after).effective;
    let mut x = put(buf, row, row.x + 1, &status(theme, effective), theme.status(effective)) + 2;
    x = put(buf, row, x, &listed.invocation.id.to_string(), theme.title()) + 2;
    let invocation = &listed.invocation;
    let (function, trigger) = (clean(&invocation.source_function), invocation.trigger());
    let rest = format!("{}  {function}  {}", elapsed(app, listed), clean(&trigger));
    put(buf, row, x, &fit(&rest, usize::from(row.right().saturating_sub(x)), theme), Style::new());
}

/// The names and values of as many lines as leave room for the events and jobs.
fn fields(
    app: &App,
    theme: &Theme,
    listed: &Listed,
    inside: Option<&Content>,
    height: u16,
) -> Vec<(&'static str, String, Style)> {
    let (invocation, children) = (&listed.invocation, &listed.children);
    let verdict = listed.verdict(app.data_time(), app.settings.stale_after);
    let reason = verdict.reason.unwrap_or_else(|| format!("recorded {}", clean(&invocation.status)));
    let counts = format!(
        "{}{} checked, {} detected; {}{} run",
        at_least(children.more_events),
        plural(children.events_checked, "event"),
        children.events_detected,
        at_least(children.more_jobs),
        plural(children.jobs_run, "job")
    );
    let mut fields = vec![("why", format!("{}; {counts}", clean(&reason)), Style::new())];
    let error = match (&invocation.error_message, children.first_failure.as_deref()) {
        // It stands beside its job.
        (None, Some(_)) if inside.is_some() => None,
        (None, Some(FailedJob { name, error })) => {
            let error = error.as_deref().map_or("no error text".to_owned(), |error| plain_text(error, false).0);
            Some(format!("{}: {}", clean(name), clean(&error)))
        }
        (Some(error), _) => Some(clean(&plain_text(error, false).0).into_owned()),
        (None, None) => None,
    };
    fields.extend(error.map(|error| ("error", error, theme.error())));
    if height > SMALL {
        let who = [invocation.source_user_email.as_deref(), invocation.source_system.as_deref()];
        let mut by = clean(&who.into_iter().flatten().collect::<Vec<_>>().join(" / ")).into_owned();
        if let Some(parent) = invocation.parent {
            let how = match parent.link {
                Link::Recorded => "",
                Link::Inferred => " (read out of the payload)",
                Link::Doubtful => " (doubtful: the payload named it before this change)",
            };
            by.push_str(&format!("   caused by job {}{how}", parent.job));
        }
        fields.push(("by", by, Style::new()));
    }
    // Last, because it comes later: what stands above it stays where it is.
    if let Some(diff) = inside.and_then(|content| content.diff.as_ref()).filter(|diff| !diff.rows.is_empty()) {
        fields.push(("changed", inside::changes(diff, theme), Style::new()));
    }
    fields
}

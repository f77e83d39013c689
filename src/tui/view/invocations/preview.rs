//! The selected row, in a few lines below the list.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::columns::{elapsed, status};
use crate::model::invocation::{Link, Listed};
use crate::model::text::{clean, plural};
use crate::tui::app::App;
use crate::tui::theme::Theme;
use crate::tui::view::frame::{fit, put, rule};

/// Columns for the name of a field.
const NAMES: u16 = 13;

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
    for (name, value, style) in fields(app, theme, listed) {
        let row = row();
        put(buf, row, area.x + 1, name, theme.dim());
        let x = area.x + 1 + NAMES;
        put(buf, row, x, &fit(&value, usize::from(area.right().saturating_sub(x)), theme), style);
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

fn fields(app: &App, theme: &Theme, listed: &Listed) -> [(&'static str, String, Style); 5] {
    let (invocation, children) = (&listed.invocation, &listed.children);
    let verdict = listed.verdict(app.data_time(), app.settings.stale_after);
    let error = match (&invocation.error_message, &children.first_failure) {
        (_, Some((job, error))) => {
            format!("{}: {}", clean(job), clean(error.as_deref().unwrap_or("no error text")))
        }
        (Some(error), None) => clean(error).into_owned(),
        (None, None) => "-".to_owned(),
    };
    let reason = verdict.reason.unwrap_or_else(|| format!("recorded {}", clean(&invocation.status)));
    let who = [invocation.source_user_email.as_deref(), invocation.source_system.as_deref()];
    let parent = invocation.parent.map_or_else(
        || "- (root)".to_owned(),
        |parent| {
            let how = if parent.link == Link::Inferred { ", read out of the payload" } else { "" };
            format!("job {}{how}", parent.job)
        },
    );
    let failed = children.first_failure.is_some() || invocation.error_message.is_some();
    let counts = format!(
        "{} checked, {} detected; {} run",
        plural(children.events_checked, "event"),
        children.events_detected,
        plural(children.jobs_run, "job")
    );
    [
        ("why", format!("{}; {counts}", clean(&reason)), Style::new()),
        ("error", error, if failed { theme.error() } else { Style::new() }),
        ("by", clean(&who.into_iter().flatten().collect::<Vec<_>>().join(" / ")).into_owned(), Style::new()),
        ("correlation", clean(invocation.correlation_id.as_deref().unwrap_or("-")).into_owned(), Style::new()),
        ("caused by", parent, Style::new()),
    ]
}

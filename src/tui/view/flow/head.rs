//! What is told of the whole cascade.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::frame::{columns, fit, put};
use crate::model::flow::Flow;
use crate::model::status::Effective;
use crate::model::text::{age, clean, duration, plural};
use crate::tui::app::App;
use crate::tui::theme::Theme;

/// Draws one row or two.
pub(super) fn draw(app: &App, flow: &Flow, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let line = |y: u16| Rect { y: area.y + y, height: 1, ..area };
    if area.height > 1 {
        first(app, theme, line(0), buf);
    }
    let last = line(area.height.saturating_sub(1));
    match (&app.flow.flow.error, area.height) {
        (Some(error), 1) => failed(app, error, theme, last, buf),
        _ => counts(app, flow, theme, last, buf),
    }
}

/// The chain, when it began and how long it took; or that it could not be read again.
fn first(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    if let Some(error) = &app.flow.flow.error {
        return failed(app, error, theme, area, buf);
    }
    let overview = &app.flow.overview;
    let chain = overview.correlation_id.as_deref().unwrap_or("no correlation id");
    let x = put(buf, area, area.x + 1, "corr ", theme.dim());
    let Some(start) = overview.start else { return };
    let date = if (app.now - start).num_hours() >= 24 { "%Y-%m-%d %H:%M:%S" } else { "%H:%M:%S" };
    let end = if overview.running > 0 { ".." } else { "" };
    let time =
        format!("{}{}  took {}{end}", app.shown(start, date), app.zone(), duration(overview.axis_ms(app.data_time())));
    let right = area.right().saturating_sub(columns(&time) + 1);
    let room = usize::from(right.saturating_sub(x + 2));
    put(buf, area, x, &fit(&clean(chain), room, theme), theme.title());
    put(buf, area, right, &time, Style::new());
}

fn failed(app: &App, error: &str, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let old = app.flow.flow.loaded_at.map(|at| format!(", shown as of {} ago", age(app.now - at))).unwrap_or_default();
    let text = format!("! not read again{old}: {}", clean(error));
    put(buf, area, area.x + 1, &fit(&text, usize::from(area.width.saturating_sub(2)), theme), theme.error());
}

fn counts(app: &App, flow: &Flow, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let (counts, overview) = (&flow.counts, &app.flow.overview);
    let wide = area.width >= 100;
    let undetected = counts.events.checked.saturating_sub(counts.events.detected);
    let mut events =
        if wide { plural(counts.events.detected, "event") } else { format!("{} evt", counts.events.detected) };
    if undetected > 0 {
        events.push_str(&format!(" (+{undetected}{})", if wide { " not detected" } else { "" }));
    }
    let invocations =
        if wide { plural(counts.invocations, "invocation") } else { format!("{} inv", counts.invocations) };
    let mut parts = [invocations, events, plural(counts.jobs.run, "job")].map(|text| (text, Style::new())).to_vec();
    let states = [
        (overview.failures.len(), "failed", Effective::Failed),
        (overview.running, "running", Effective::Running),
        (overview.stuck, "stuck", Effective::Stuck),
    ];
    let shown = states.into_iter().filter(|(n, ..)| *n > 0);
    let states = shown.map(|(n, word, effective)| (format!("{n} {word}"), theme.status(effective)));
    // Where not everything fits, what went wrong comes first.
    let place = if area.width < 60 { 0 } else { parts.len() };
    parts.splice(place..place, states);
    if flow.truncated {
        parts.push(("! not all: there are more rows than are read".to_owned(), theme.error()));
    }
    parts.extend(flow.unsearched().map(|text| (format!("! {text}"), theme.error())));
    let mut x = area.x + 1;
    for (text, style) in parts {
        let room = usize::from(area.right().saturating_sub(x));
        x = put(buf, area, x, &fit(&text, room, theme), style) + 2;
    }
}

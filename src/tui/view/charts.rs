//! Invocations per hour.
//!
//! ```text
//! range        source and age
//! totals       span
//! title        (what went wrong)
//! bars
//! x axis
//! the hour under the cursor
//! durations                        from 30 rows
//! table of functions
//! ```

pub mod bars;
pub mod durations;
pub mod labels;
mod panels;
mod table;

use chrono::TimeDelta;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::model::hourly::{Hourly, Source};
use crate::model::text::{age, clean, plural};
use crate::tui::app::App;
use crate::tui::app::charts::{AXIS, Range, count, words};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{self, columns};
use crate::tui::wrap::wrap;

/// Rows of the terminal from which there is room for durations.
const TALL: u16 = 30;
/// Rows of the duration panel with its title.
const DURATIONS: u16 = 7;

/// Rows of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heights {
    bars: u16,
    durations: u16,
    table: u16,
}

impl Heights {
    /// Shares what range, totals, title, axis and cursor line leave.
    fn fit(rest: u16, tall: bool, functions: usize) -> Self {
        let durations = if tall { DURATIONS.min(rest) } else { 0 };
        let rest = rest - durations;
        let wanted = u16::try_from(functions).unwrap_or(u16::MAX).saturating_add(2).max(3);
        let table = wanted.min(rest.saturating_sub((rest / 2).max(3)));
        let table = if table < 3 { 0 } else { table };
        Self { bars: (rest - table).min(24), durations, table }
    }
}

/// Writes into the row `y`; gives the column after the text.
fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let row = Rect { y, height: u16::from(y < area.bottom()), ..area };
    frame::put(buf, row, x, text, style)
}

/// Writes text at the right border, or right after `left` where there is no room.
fn put_right(buf: &mut Buffer, area: Rect, left: u16, y: u16, text: &str, style: Style) {
    let x = area.right().saturating_sub(columns(text).saturating_add(1)).max(left.saturating_add(1));
    put(buf, area, x, y, text, style);
}

/// Draws the body of the screen.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.charts;
    ranges(app, theme, area, buf);
    let Some(hourly) = &state.hourly.value else {
        for (row, (text, style)) in (area.y + 2..).zip(nothing_yet(app, theme)) {
            for (row, line) in (row..).zip(wrap(&text, usize::from(area.width.saturating_sub(2)))) {
                put(buf, area, area.x + 1, row, &line, style);
            }
        }
        return;
    };
    totals(app, theme, area, buf, hourly);
    let columns = state.columns(area.width);
    let mut y = area.y + 2;
    title(app, theme, area, y, buf, columns.first().map_or(1, |column| column.hours));
    y += 1;
    if let Some(error) = &state.hourly.error {
        for line in problem(app, error, area.width) {
            put(buf, area, area.x + 1, y, &line, theme.error());
            y += 1;
        }
    }
    let fixed = (y - area.y).saturating_add(panels::BELOW + 1);
    let heights = Heights::fit(area.height.saturating_sub(fixed), app.size.1 >= TALL, state.functions.len());
    panels::bars(app, theme, Rect { y, height: heights.bars + panels::BELOW, ..area }, buf, &columns);
    if columns.iter().all(|column| column.sum.total == 0) {
        put(buf, area, area.x + AXIS + 1, y + heights.bars / 2, &empty(app), theme.title());
    }
    y += heights.bars + panels::BELOW;
    if let Some(column) = columns.get(state.cursor_index(&columns)) {
        let text = words(app, column, at_most(theme), usize::from(area.width.saturating_sub(1)));
        put(buf, area, area.x + 1, y, &text, theme.title());
    }
    y += 1;
    if heights.durations > 0 {
        panels::durations(app, theme, Rect { y, height: heights.durations, ..area }, buf, &columns);
        y += heights.durations;
    }
    if heights.table > 0 {
        table::draw(app, theme, Rect { y, height: area.bottom().saturating_sub(y), ..area }, buf);
    }
}

fn at_most(theme: &Theme) -> &'static str {
    if theme.unicode { "≤" } else { "<=" }
}

fn dash(theme: &Theme) -> &'static str {
    if theme.unicode { "–" } else { "-" }
}

/// `6h [24h] 7d 30d  UTC`, and where the numbers come from.
fn ranges(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.charts;
    let mut x = area.x + 1;
    for range in Range::ALL {
        let chosen = range == state.range;
        let text = if chosen { format!("[{}]", range.name()) } else { range.name().to_owned() };
        x = put(buf, area, x, area.y, &text, if chosen { theme.title() } else { theme.dim() }) + 1;
    }
    let zone = if app.local_time { "local" } else { "UTC" };
    x = put(buf, area, x + 1, area.y, zone, Style::new());
    let Some(hourly) = &state.hourly.value else { return };
    if state.hourly.is_loading() && !is_asked(app, hourly) {
        put_right(buf, area, x, area.y, &format!("loading {} {}", state.range.name(), theme.ellipsis()), theme.title());
    } else {
        let full = source(app, hourly);
        let room = area.right().saturating_sub(x + 2);
        let short = format!("{}, {} old", hourly.source.name(), age_of(app, hourly));
        put_right(buf, area, x, area.y, if columns(&full) <= room { &full } else { &short }, Style::new());
    }
}

/// Whether these numbers are of the range that was asked for last.
fn is_asked(app: &App, hourly: &Hourly) -> bool {
    let hours = (hourly.to - hourly.from).num_hours() + 1;
    hours == app.charts.range.hours() && app.charts.end.is_none_or(|end| end == hourly.to)
}

/// `metrics_hourly as of 12:00Z (4m old), recorded status`.
fn source(app: &App, hourly: &Hourly) -> String {
    let as_of = app.local(hourly.as_of);
    let mut time = as_of.format("%H:%M").to_string();
    if app.local(app.now).date() != as_of.date() {
        time = as_of.format("%d %b %H:%M").to_string();
    }
    time.push_str(app.zone());
    let age = age_of(app, hourly);
    match hourly.source {
        Source::Rows => format!("counted from rows {time} ({age} old), effective status"),
        // Of a range in the past the newest hour says nothing about when it was aggregated.
        source if app.charts.end.is_some() => format!("{}, newest hour {time}, recorded status", source.name()),
        source => format!("{} as of {time} ({age} old), recorded status", source.name()),
    }
}

/// Below a minute it stays the same, so that a screen without news is not drawn again.
fn age_of(app: &App, hourly: &Hourly) -> String {
    let old = app.now - hourly.as_of;
    if old < TimeDelta::minutes(1) { "<1m".to_owned() } else { age(old) }
}

fn totals(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, hourly: &Hourly) {
    let y = area.y + 1;
    let sum = app.charts.hours.iter().fold(crate::model::hourly::Sum::default(), |sum, (_, hour)| sum.plus(*hour));
    let (ok, failed) = panels::legend(theme);
    let unit = if area.width >= 100 { "invocations" } else { "inv" };
    let mut x = put(buf, area, area.x + 1, y, &format!("{} {unit}  ", count(sum.total)), theme.title());
    x = put(buf, area, x, y, ok.0, ok.1);
    x = put(buf, area, x, y, &format!(" ok {}  ", count(sum.ok())), Style::new());
    x = put(buf, area, x, y, failed.0, failed.1);
    let failures = format!(" failed {} ({:.1}%)", count(sum.failed), sum.failed_percent());
    x = put(buf, area, x, y, &failures, if sum.failed > 0 { theme.error() } else { Style::new() });
    let (from, to) = (app.local(hourly.from), app.local(hourly.to + TimeDelta::hours(1)));
    let to =
        if hourly.to + TimeDelta::hours(1) > app.now { "now".to_owned() } else { to.format("%d %b %H:%M").to_string() };
    let span = format!("{} {} {to}", from.format("%d %b %H:%M"), dash(theme));
    if columns(&span) + 2 <= area.right().saturating_sub(x) {
        put_right(buf, area, x, y, &span, Style::new());
    }
}

fn title(app: &App, theme: &Theme, area: Rect, y: u16, buf: &mut Buffer, hours: usize) {
    let per = if hours == 1 { "hour".to_owned() } else { format!("{hours} hours, joined to fit") };
    let x = put(buf, area, area.x + 1, y, &format!("INVOCATIONS per {per}  "), theme.title());
    let x = match &app.charts.only {
        Some(name) => {
            let x = put(buf, area, x, y, "only ", theme.title().add_modifier(Modifier::REVERSED));
            let x = put(buf, area, x, y, &clean(name), theme.title().add_modifier(Modifier::REVERSED));
            put(buf, area, x + 2, y, "Esc: all functions", theme.dim())
        }
        None => {
            let functions = plural(app.charts.functions.len() as u64, "function");
            put(buf, area, x, y, &functions, theme.dim())
        }
    };
    if let Some(hourly) = app.charts.hourly.value.as_ref().filter(|hourly| !hourly.is_complete()) {
        put_right(buf, area, x, y, &format!("? not in {} yet", hourly.source.name()), theme.dim());
    }
}

/// What went wrong while older numbers stay on the screen.
fn problem(app: &App, error: &str, width: u16) -> Vec<String> {
    let hours = app.charts.hours.len() as u64;
    let since = app.charts.hourly.loaded_at.map_or_else(String::new, |at| {
        format!(" - below: {}, read {}{}", plural(hours, "hour"), app.local(at).format("%H:%M:%S"), app.zone())
    });
    let mut lines = wrap(
        &format!("{} not loaded: {}{since}", app.charts.range.name(), clean(error)),
        usize::from(width.saturating_sub(2)),
    );
    lines.truncate(3);
    lines
}

fn empty(app: &App) -> String {
    match &app.charts.only {
        Some(name) => format!("{} has no invocations in this range.  Esc: all functions  t: longer range", clean(name)),
        None => "No invocations in this range.  t: longer range  <: earlier".to_owned(),
    }
}

/// The screen before the first numbers.
fn nothing_yet(app: &App, theme: &Theme) -> Vec<(String, Style)> {
    let state = &app.charts;
    match &state.hourly.error {
        None => vec![(format!("Loading the numbers of {} {}", state.range.name(), theme.ellipsis()), theme.dim())],
        Some(error) if state.unreachable => vec![
            ("No numbers yet: the database cannot be reached.".to_owned(), theme.error()),
            (clean(error).into_owned(), Style::new()),
            ("They are asked for when it is back.  r: try now".to_owned(), theme.dim()),
        ],
        Some(error) => vec![
            (format!("The numbers of {} could not be read.", state.range.name()), theme.error()),
            (clean(error).into_owned(), Style::new()),
            ("t: another range (6h is the shortest)  r: try again".to_owned(), theme.dim()),
        ],
    }
}

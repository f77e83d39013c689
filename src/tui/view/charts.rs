//! Invocations per hour.
//!
//! ```text
//! range        source and age
//! totals       span
//! title        (what went wrong)
//! upper panel: bars, durations or heat
//! x axis
//! the hour under the cursor
//! durations | heat                 one line of them below 30 rows
//! table of functions | failing jobs
//! ```

pub mod bars;
pub mod durations;
pub mod labels;
mod panels;
mod table;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::model::hourly::{Column, Hourly, Source, Step, Sum};
use crate::model::text::{age, clean, plural};
use crate::tui::app::App;
use crate::tui::app::charts::words::{count, words};
use crate::tui::app::charts::{AXIS, Metric, Range};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{self, columns};
use crate::tui::wrap::wrap;

/// Rows of the terminal from which there is room for durations.
const TALL: u16 = 30;
/// Rows of the duration panel with its title and its axis.
const DURATIONS: u16 = 8;

/// Columns of the terminal from which durations and heat stand side by side.
const WIDE: u16 = 100;

/// Rows of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heights {
    upper: u16,
    durations: u16,
    table: u16,
}

impl Heights {
    /// Shares what range, totals, title, axis and cursor line leave.
    fn fit(rest: u16, durations: u16, table: usize) -> Self {
        let durations = if rest > durations + 8 { durations } else { 0 };
        let rest = rest - durations;
        let wanted = u16::try_from(table).unwrap_or(u16::MAX).saturating_add(2).max(3);
        // In a low terminal the table needs the row more than the bars.
        let least = (rest / 2).saturating_sub(u16::from(durations == 1)).max(3);
        let table = wanted.min(rest.saturating_sub(least));
        let table = if table < 3 { 0 } else { table };
        Self { upper: (rest - table).min(24), durations, table }
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
        let mut row = area.y + 2;
        for (text, style) in nothing_yet(app, theme) {
            for line in wrap(&text, usize::from(area.width.saturating_sub(2)), usize::MAX).0 {
                put(buf, area, area.x + 1, row, line, style);
                row += 1;
            }
        }
        return;
    };
    totals(app, theme, area, buf, hourly);
    let columns = state.columns(area.width);
    let mut y = area.y + 2;
    title(app, theme, Rect { y, height: 1, ..area }, buf, &columns);
    y += 1;
    if let Some(error) = &state.hourly.error {
        for line in problem(app, error, area.width) {
            put(buf, area, area.x + 1, y, &line, theme.error());
            y += 1;
        }
    }
    let fixed = (y - area.y).saturating_add(panels::BELOW + 1);
    let durations = match (state.metric, app.size.1 >= TALL) {
        _ if app.zoomed => 0,
        (Metric::Invocations, true) => DURATIONS,
        (Metric::Invocations, false) => 1,
        _ => 0,
    };
    let jobs_below = !table::has_jobs_beside(app, area.width) && !state.failed_jobs.is_empty();
    let lines = state.functions.len() + usize::from(jobs_below);
    let rest = area.height.saturating_sub(fixed);
    let heights = match app.zoomed {
        true => Heights { upper: rest, durations: 0, table: 0 },
        false => Heights::fit(rest, durations, lines),
    };
    let upper = Rect { y, height: heights.upper, ..area };
    match state.metric {
        Metric::Invocations => panels::bars(app, theme, upper, buf, &columns),
        Metric::Durations => panels::durations(theme, upper, buf, &columns),
        Metric::Heatmap => panels::heat(theme, upper, buf, &columns),
    }
    if state.metric == Metric::Invocations && columns.iter().all(|column| column.sum.total == 0) {
        put(buf, area, area.x + AXIS + 1, y + heights.upper / 2, &empty(app), theme.title());
    }
    y += heights.upper;
    panels::below(app, theme, Rect { y, height: panels::BELOW, ..area }, buf, &columns);
    y += panels::BELOW;
    if let Some(column) = columns.get(state.cursor_index(&columns)) {
        let text = words(app, column, at_most(theme), usize::from(area.width.saturating_sub(1)));
        put(buf, area, area.x + 1, y, &text, theme.title());
    }
    y += 1;
    lower(app, theme, Rect { y, height: heights.durations, ..area }, buf, &columns);
    y += heights.durations;
    if heights.table > 0 {
        table::draw(app, theme, Rect { y, height: area.bottom().saturating_sub(y), ..area }, buf);
    }
}

/// Durations, and the heat beside them where both have room; a single row holds the course of the percentiles.
fn lower(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    match area.height {
        0 => {}
        1 => table::percentiles(app, theme, area, buf, columns),
        _ => {
            let heat = area.width >= WIDE && columns.iter().any(|column| column.sum.is_spread());
            let half = if heat { area.width / 2 } else { area.width };
            let columns = app.charts.columns(half);
            let left = Rect { width: half, ..area };
            let below = |area: Rect| Rect { y: area.y + 1, height: area.height - 2, ..area };
            let axis = |area: Rect| Rect { y: area.bottom() - 1, height: 1, ..area };
            let x = put(buf, left, left.x + 1, left.y, "DURATION  ", theme.title());
            panels::durations_legend(theme, left, x, buf, &columns);
            panels::durations(theme, below(left), buf, &columns);
            panels::axis_line(app, theme, axis(left), buf, &columns);
            if heat {
                let right = Rect { x: area.x + half, width: area.width - half, ..area };
                let x = put(buf, right, right.x + 1, right.y, "HEAT  ", theme.title());
                panels::heat_legend(theme, right, x, buf);
                let columns = app.charts.columns(right.width);
                panels::heat(theme, below(right), buf, &columns);
                panels::axis_line(app, theme, axis(right), buf, &columns);
            }
        }
    }
}

/// What makes long ranges quick.
const COUNT_ONCE: &str =
    "Weeks are quick once their hours are counted: the owner runs `obs-tui db refresh`, best every hour.";

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
        let short = match hourly.source {
            _ if hourly.back_to.is_some() => "counting rows".to_owned(),
            Source::MetricsHourly if !hourly.from_rows.is_empty() => format!("{} + rows", hourly.source.name()),
            _ => format!("{}, {} old", hourly.source.name(), age_of(app, hourly)),
        };
        put_right(buf, area, x, area.y, if columns(&full) <= room { &full } else { &short }, Style::new());
    }
}

/// Whether these numbers are of the range that was asked for last.
fn is_asked(app: &App, hourly: &Hourly) -> bool {
    let range = app.charts.range;
    let length = hourly.to - hourly.from + hourly.step.length();
    hourly.step == range.step()
        && length == range.step().length() * range.steps()
        && app.charts.end.is_none_or(|end| range.step().start(end) == hourly.to)
}

/// `metrics_hourly as of 12:00Z (4m old)`, or `metrics_hourly, from 12:00Z on rows (<1m old)`.
fn source(app: &App, hourly: &Hourly) -> String {
    let short = |at: DateTime<Utc>| {
        let (local, today) = (app.local(at), app.local(app.now).date());
        format!("{}{}", app.shown(at, if local.date() == today { "%H:%M" } else { "%d %b %H:%M" }), app.zone())
    };
    let (name, time, age) = (hourly.source.name(), short(hourly.as_of), age_of(app, hourly));
    if let Some(back_to) = hourly.back_to {
        return format!("counting rows, back to {} so far", short(back_to));
    }
    if hourly.source == Source::Rows {
        return format!("counted from rows {time} ({age} old), effective status");
    }
    match hourly.from_rows.as_slice() {
        // Of a range in the past its age says only when it was aggregated.
        [] if app.charts.end.is_some() => format!("{name}, aggregated {time}"),
        [] => format!("{name} as of {time} ({age} old)"),
        [rest] if rest.end > hourly.to => {
            format!("{name} as of {time}, from {} on counted from rows", short(rest.start))
        }
        parts => {
            let hours: i64 = parts.iter().map(|part| (part.end - part.start).num_hours()).sum();
            format!("{name} as of {time}, {} counted from rows", plural(hours.unsigned_abs(), "hour"))
        }
    }
}

/// Below a minute it stays the same, so that a screen without news is not drawn again.
fn age_of(app: &App, hourly: &Hourly) -> String {
    let old = app.now - hourly.as_of;
    if old < TimeDelta::minutes(1) { "<1m".to_owned() } else { age(old) }
}

fn totals(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, hourly: &Hourly) {
    let y = area.y + 1;
    let sum = app.charts.steps.iter().fold(Sum::default(), |sum, (_, step)| sum.plus(*step));
    let [ok, failed, open] = panels::legend(theme);
    let unit = if area.width >= WIDE { "invocations" } else { "inv" };
    let mut x = put(buf, area, area.x + 1, y, &format!("{} {unit}  ", count(sum.total)), theme.title());
    x = put(buf, area, x, y, ok.0, ok.1);
    x = put(buf, area, x, y, &format!(" ok {}  ", count(sum.ok)), Style::new());
    x = put(buf, area, x, y, failed.0, failed.1);
    let failures = format!(" failed {} ({})", count(sum.failed), sum.failed_percent());
    x = put(buf, area, x, y, &failures, if sum.failed > 0 { theme.error() } else { Style::new() });
    if sum.open() > 0 {
        x = put(buf, area, x + 2, y, open.0, open.1);
        x = put(buf, area, x, y, &format!(" open {}", count(sum.open())), Style::new());
    }
    let end = hourly.to + hourly.step.length();
    let (from, to) = (app.local(hourly.from), app.local(end));
    let to = if end > app.now { "now".to_owned() } else { to.format("%d %b %H:%M").to_string() };
    let span = format!("{} {} {to}", from.format("%d %b %H:%M"), dash(theme));
    if columns(&span) + 2 <= area.right().saturating_sub(x) {
        put_right(buf, area, x, y, &span, Style::new());
    }
}

/// The title of the upper panel, in the one row of the area.
fn title(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, columns: &[Column]) {
    let (state, y) = (&app.charts, area.y);
    let step = state.hourly.value.as_ref().map_or(state.range.step(), |hourly| hourly.step);
    let length = columns.first().map_or(step.length(), |column| column.to - column.from);
    let steps = usize::try_from(length.num_minutes() / step.length().num_minutes()).unwrap_or(1);
    let what = match state.metric {
        Metric::Invocations => "INVOCATIONS",
        Metric::Durations => "DURATION",
        Metric::Heatmap => "HEAT of durations",
    };
    let mut x = put(buf, area, area.x + 1, y, &format!("{what} per {}  ", step.words(steps)), theme.title());
    match state.metric {
        Metric::Invocations => {}
        Metric::Durations => x = panels::durations_legend(theme, area, x, buf, columns),
        Metric::Heatmap => x = panels::heat_legend(theme, area, x, buf) + 2,
    }
    let x = match &state.only {
        Some(name) => {
            let x = put(buf, area, x, y, "only ", theme.title().add_modifier(Modifier::REVERSED));
            let x = put(buf, area, x, y, &clean(name), theme.title().add_modifier(Modifier::REVERSED));
            put(buf, area, x + 2, y, "Esc: all functions", theme.dim())
        }
        None => {
            let functions = plural(state.functions.len() as u64, "function");
            put(buf, area, x, y, &functions, theme.dim())
        }
    };
    let told = state.hourly.value.as_ref().and_then(|hourly| match hourly.back_to {
        Some(_) => Some("? not counted yet".to_owned()),
        None if hourly.source == Source::Rows && state.range.is_long() => {
            Some("`obs-tui db refresh` keeps the hours".to_owned())
        }
        None => None,
    });
    if let Some(told) = told {
        put_right(buf, area, x, y, &told, theme.dim());
    }
}

/// What went wrong while older numbers stay on the screen.
fn problem(app: &App, error: &str, width: u16) -> Vec<String> {
    let before = app.charts.hourly.value.as_ref().map_or_else(String::new, |hourly| {
        let length = usize::try_from((hourly.to - hourly.from + hourly.step.length()).num_hours()).unwrap_or(1);
        Step::Hour.words(length)
    });
    let since =
        app.charts.hourly.loaded_at.map_or_else(String::new, |at| {
            format!(" - below: {before}, read {}{}", app.shown(at, "%H:%M:%S"), app.zone())
        });
    let text = format!("{} not loaded: {}{since}", app.charts.range.name(), clean(error));
    wrap(&text, usize::from(width.saturating_sub(2)), 3).0.into_iter().map(str::to_owned).collect()
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
        Some(error) => {
            let mut lines = vec![
                (format!("The numbers of {} could not be read.", state.range.name()), theme.error()),
                (clean(error).into_owned(), Style::new()),
                ("t: another range (1h is the shortest)  r: try again".to_owned(), theme.dim()),
            ];
            if state.range.is_long() {
                lines.push((COUNT_ONCE.to_owned(), theme.dim()));
            }
            lines
        }
    }
}

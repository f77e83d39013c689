//! What failed, by fingerprint, and how the jobs went, by name.
//!
//! ```text
//!  312 failures of 14 kinds   last 24h
//!  COUNT      LAST  WHAT                    ERROR
//!  the groups: of the window only
//!  ----
//!  the selected group: how many lately, the first and the last
//!  its runs: Enter opens the cascade of one
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use chrono::{DateTime, TimeDelta, Utc};

use super::frame::{columns, fit, put, rule};
use crate::model::text::{age, ago, clean, duration, percent, plural};
use crate::model::time;
use crate::tui::app::App;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::groups::{self, Layout, RANGES, Row, Run, State, Told};
use crate::tui::msg::View;
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// A cell: its text, its columns, whether it stands at the right, its style.
type Cell = (String, usize, bool, Style);

/// Draws the body of the screen.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(state) = groups::of(app, app.view) else { return };
    let part = |y: u16, height: u16| Rect { y: area.y + y, height, ..area }.intersection(area);
    let Some(told) = &state.told.value else { return draw_nothing(app, state, theme, area, buf) };
    draw_title(app, state, told, theme, part(0, 1), buf);
    if told.rows.is_empty() {
        let what = if app.view == View::Jobs { "no job ran" } else { "nothing failed" };
        let text = format!("{what} in this range: t takes a longer one, < an earlier one");
        let width = usize::from(area.width.saturating_sub(2));
        for (y, row) in (2..).zip(wrap(&text, width, 3).0) {
            put(buf, part(y, 1), area.x + 1, row, theme.dim());
        }
        return;
    }
    let layout = Layout::of(app, state, area.height);
    let width = usize::from(area.width);
    let draw_runs = |row: &Row, area: Rect, buf: &mut Buffer| {
        let runs = row.runs.iter().map(|run| run_cells(app, run, width, theme));
        draw_table(runs, row.runs.len(), state.run, state.in_runs, theme, area, buf);
    };
    if layout.table == 0 {
        if let Some(row) = state.row() {
            let name = format!("{} {}  {}", row.name.kind.short(), row.name.name, row.name.fingerprint);
            super::clear(part(0, 1), buf);
            put(buf, part(0, 1), area.x + 1, &fit(&clean(&name), width.saturating_sub(2), theme), theme.title());
            draw_group(app, row, theme, part(1, 1), buf);
            draw_runs(row, part(2, layout.runs), buf);
        }
        return;
    }
    let heads = heads(app.view, width);
    draw_cells(&heads, (" ", Style::new()), theme, part(1, 1), buf);
    let table = part(2, layout.table);
    let rows = told.rows.iter().map(|row| cells(app, row, width, theme));
    draw_table(rows, told.rows.len(), state.cursor, !state.in_runs, theme, table, buf);
    if layout.runs > 0 {
        rule(theme, part(2 + layout.table, 1), buf);
        if let Some(row) = state.row() {
            draw_group(app, row, theme, part(3 + layout.table, 1), buf);
            draw_runs(row, part(4 + layout.table, layout.runs), buf);
        }
    }
}

fn draw_nothing(app: &App, state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let what = if app.view == View::Jobs { "how the jobs went" } else { "what failed" };
    let (text, style) = match &state.told.error {
        Some(error) => (clean(error).into_owned(), theme.error()),
        None => (format!("reading {what} in the last {}", RANGES[state.range].1), theme.dim()),
    };
    let width = usize::from(area.width.saturating_sub(2));
    for (y, row) in (area.y + 1..area.bottom()).zip(wrap(&text, width, usize::from(area.height)).0) {
        put(buf, Rect { y, height: 1, ..area }, area.x + 1, row, style);
    }
}

fn draw_title(app: &App, state: &State, told: &Told, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let sum = |count: fn(&Row) -> u64| told.rows.iter().map(count).sum::<u64>();
    let (all, failed) = (sum(|row| row.count), sum(|row| row.failed));
    let kinds = told.rows.len() as u64;
    let more = if told.more { "+" } else { "" };
    let title = match app.view {
        View::Jobs if area.width < 60 => format!("{}, {failed} failed", plural(all, "run")),
        View::Jobs => format!("{}, {failed} failed, {}", plural(all, "run"), plural(kinds, "name")),
        _ => format!("{all}{more} {} of {}", if all == 1 { "failure" } else { "failures" }, plural(kinds, "kind")),
    };
    let x = put(buf, area, area.x + 1, &title, theme.title());
    let x = put(buf, area, x + 3, &range(app, told), Style::new());
    let (text, style) = match (&state.told.error, told.looked.only_since) {
        (Some(error), _) => {
            let old = state.told.loaded_at.map(|at| format!(", {} old", age(app.now - at))).unwrap_or_default();
            (format!("! not read again{old}: {}", clean(error)), theme.error())
        }
        (None, Some(since)) => {
            let looked = told.looked.invocations;
            let since = moment(app, since);
            (format!("! newest {looked} invocations only, since {since}{}", app.zone()), theme.title())
        }
        (None, None) if state.told.is_loading() => (format!("reading {}", RANGES[state.range].1), theme.dim()),
        (None, None) => (String::new(), Style::new()),
    };
    let room = usize::from(area.right().saturating_sub(x + 3));
    put(buf, area, x + 3, &fit(&text, room, theme), style);
}

/// The range that was looked at, which may not be the one that is asked for now: `last 24h`, `24h until 11-19 12:04Z`.
fn range(app: &App, told: &Told) -> String {
    let (from, to) = (told.looked.from, told.looked.to);
    let name = |(hours, _): &&(i64, &str)| (to - from - TimeDelta::hours(*hours)).abs() < TimeDelta::minutes(30);
    let name = RANGES.iter().find(name).map_or_else(|| age(to - from), |(_, name)| (*name).to_owned());
    let ends_now = told.looked.to >= app.now - TimeDelta::minutes(5);
    if ends_now { format!("last {name}") } else { format!("{name} until {}{}", moment(app, to), app.zone()) }
}

/// A time of today, or a day and a time.
fn moment(app: &App, at: DateTime<Utc>) -> String {
    let today = app.local(at).date() == app.local(app.now).date();
    let form = match today {
        true => "%H:%M:%S",
        false if app.is_of_another_year(at) => "%Y-%m-%d",
        false => "%m-%d %H:%M",
    };
    app.shown(at, form).to_string()
}

/// When something of a table was: [`moment`], or how long ago.
fn when(app: &App, at: DateTime<Utc>) -> String {
    if app.ages && time::word(at).is_none() { ago(app.now - at) } else { moment(app, at) }
}

const MOMENT: usize = 11;

/// Columns of the name, and of the fingerprint behind it.
fn names(width: usize) -> (usize, usize) {
    let left = width.saturating_sub(2 + 6 + 1 + MOMENT + 1);
    let name = (left * 2 / 5).min(36);
    (name, left.saturating_sub(name + 1))
}

fn heads(view: View, width: usize) -> Vec<Cell> {
    let cell = |text: &str, width, right| (text.to_owned(), width, right, Style::new().add_modifier(Modifier::BOLD));
    if view == View::Jobs {
        return job_columns(width).map(|(head, width, right)| cell(head, width, right)).collect();
    }
    let (name, fingerprint) = names(width);
    vec![
        cell("COUNT", 6, true),
        cell("LAST", MOMENT, false),
        cell("WHAT", name, false),
        cell("ERROR", fingerprint, false),
    ]
}

/// Head, columns, and whether it stands at the right.
fn job_columns(width: usize) -> impl Iterator<Item = (&'static str, usize, bool)> {
    let numbers: &[(&str, usize)] = match width {
        0..60 => &[("RUNS", 6), ("FAIL%", 6), ("P95", 7)],
        60..90 => &[("RUNS", 7), ("FAIL%", 6), ("P50", 7), ("P95", 7), ("MAX", 7)],
        _ => &[("RUNS", 8), ("FAILED", 8), ("FAIL%", 6), ("P50", 8), ("P95", 8), ("MAX", 8)],
    };
    let last = if width >= 60 { MOMENT + 1 } else { 0 };
    let used: usize = numbers.iter().map(|(_, width)| width + 1).sum();
    let name = width.saturating_sub(2 + used + last);
    let last = (last > 0).then_some(("LAST", MOMENT, false));
    [("JOB", name, false)].into_iter().chain(numbers.iter().map(|&(head, width)| (head, width, true))).chain(last)
}

fn cells(app: &App, row: &Row, width: usize, theme: &Theme) -> Vec<Cell> {
    let last = row.last.map(|at| when(app, at)).unwrap_or_default();
    let name = clean(&row.name.name).into_owned();
    if app.view != View::Jobs {
        let (named, fingerprint) = names(width);
        return vec![
            (row.count.to_string(), 6, true, theme.error()),
            (last, MOMENT, false, theme.dim()),
            (format!("{} {name}", row.name.kind.short()), named, false, Style::new()),
            (row.name.fingerprint.clone(), fingerprint, false, Style::new()),
        ];
    }
    let time = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), duration);
    let [p50, p95, max] = row.times;
    let bad = if row.failed > 0 { theme.error() } else { theme.dim() };
    job_columns(width)
        .map(|(head, width, right)| {
            let (text, style) = match head {
                "RUNS" => (row.count.to_string(), Style::new()),
                "FAILED" => (row.failed.to_string(), bad),
                "FAIL%" => (percent(row.failed, row.count), bad),
                "P50" => (time(p50), Style::new()),
                "P95" => (time(p95), Style::new()),
                "MAX" => (time(max), Style::new()),
                "LAST" => (last.clone(), theme.dim()),
                _ => (name.clone(), Style::new()),
            };
            (text, width, right, style)
        })
        .collect()
}

fn run_cells(app: &App, run: &Run, width: usize, theme: &Theme) -> Vec<Cell> {
    let text = clean(run.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()).into_owned();
    let at = (when(app, run.at), MOMENT, false, theme.dim());
    if app.view == View::Jobs {
        let ms = run.ms.map_or_else(|| "-".to_owned(), duration);
        let id = (run.invocation.to_string(), 36, false, theme.dim());
        return vec![at, (text, 12, false, Style::new()), (ms, 8, true, Style::new()), id];
    }
    let id = crate::model::correlation::short_id(&run.invocation.to_string(), 8).to_owned();
    vec![at, (id, 8, false, theme.dim()), (text, width.saturating_sub(2 + MOMENT + 1 + 9), false, Style::new())]
}

/// `311x in last 24h, 14x in its last hour   first 11-19 12:31, last 12:04:30`
fn draw_group(app: &App, row: &Row, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let Some(told) = app.failures.told.value.as_ref().filter(|_| app.view == View::Failures) else {
        let text = format!("{}: {}, {} failed", row.name.name, plural(row.count, "run"), row.failed);
        return draw_hinted(&text, theme, area, buf);
    };
    let end = told.looked.to;
    let recent = row.runs.iter().take_while(|run| end - run.at <= TimeDelta::hours(1)).count();
    let ends = [row.runs.last(), row.runs.first()].map(|run| run.map(|run| moment(app, run.at)).unwrap_or_default());
    let [first, last] = ends;
    let range = range(app, told);
    draw_hinted(
        &format!("{}x in {range}, {recent}x in its last hour   first {first}, last {last}", row.count),
        theme,
        area,
        buf,
    );
}

/// A line, and where there is room what to do.
fn draw_hinted(text: &str, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let text = clean(text);
    let x = put(buf, area, area.x + 1, &fit(&text, usize::from(area.width.saturating_sub(2)), theme), theme.title());
    let hint = "Tab: choose  Enter: its cascade";
    if x + 3 + columns(hint) <= area.right() {
        put(buf, area, x + 3, hint, theme.dim());
    }
}

/// Draws the rows around the cursor; only the pane that has the keys shows it reversed.
fn draw_table(
    rows: impl Iterator<Item = Vec<Cell>>,
    len: usize,
    cursor: Cursor,
    focused: bool,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    let window = cursor.window(len, usize::from(area.height));
    for ((at, cells), y) in rows.enumerate().skip(window.start).take(window.len()).zip(area.y..) {
        let row = Rect { y, height: 1, ..area };
        let front = if at == cursor.at { theme.cursor() } else { " " };
        if at == cursor.at && focused {
            let plain: Vec<Cell> =
                cells.into_iter().map(|(text, width, right, _)| (text, width, right, Style::new())).collect();
            draw_cells(&plain, (front, Style::new()), theme, row, buf);
            buf.set_style(row, theme.selected());
        } else {
            draw_cells(&cells, (front, theme.title()), theme, row, buf);
        }
    }
}

fn draw_cells(cells: &[Cell], (front, style): (&str, Style), theme: &Theme, row: Rect, buf: &mut Buffer) {
    let mut x = put(buf, row, row.x, front, style);
    for (text, width, right, style) in cells {
        let text = fit(text, *width, theme);
        let padding = u16::try_from(width.saturating_sub(text.width())).unwrap_or(0);
        let before = if *right { padding } else { 0 };
        put(buf, row, x + before, &text, *style);
        x = x.saturating_add(u16::try_from(*width).unwrap_or(0)).saturating_add(1);
    }
}

#[cfg(test)]
mod tests;

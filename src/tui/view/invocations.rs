//! The list.
//!
//! ```text
//!  filter> st:failed                                                                 last 7d   12 match
//!  TIME          ST      FUNCTION         TRIGGER       USER            EVT   JOBS   DURATION  CORRELATION
//! >12:04:29.440  ✗ FAIL  …detector-moves  UPDATE moves  admin@…        2/14  2 ✗1     1.80s   moves.550e8400
//! ----------------------------------------------------------------------------------------------
//!  preview of the selected row, from 30 rows on
//! ```

mod columns;
mod preview;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::filter;
use super::frame::{columns as width_of, fit, put};
use crate::model::filter::SEARCH_RANGE;
use crate::model::invocation::Listed;
use crate::model::text::{age, clean};
use crate::tui::app::charts::words;
use crate::tui::app::columns::{self as order, Column};
use crate::tui::app::invocations::{ABOVE, State, has_preview, preview_columns, preview_rows, progress, table_rows};
use crate::tui::app::{App, Connection, filter as filter_state, views};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;
use columns::{columns, is_right, text, title};

/// What stands behind the time of a marked row.
const MARK: &str = "*";

/// Draws the body of the screen.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    list(app, theme, area, buf);
    filter::draw_prompt(app, theme, area, buf);
}

fn list(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.invocations;
    if app.zoomed && !state.rows().is_empty() {
        return preview::draw(app, theme, area, buf);
    }
    let row_at = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    filter::draw(app, theme, row_at(0), buf);
    if state.rows().is_empty() {
        placeholder(app, theme, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, buf);
        return;
    }
    let whole = area;
    let area = Rect { width: area.width - preview_columns(app), ..area };
    let row_at = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    let columns = columns(app, area.width);
    head(app, theme, &columns, row_at(1), buf);
    let selected = order::place(app);
    let height = u16::try_from(table_rows(app)).unwrap_or(u16::MAX).min(area.height.saturating_sub(ABOVE));
    for (y, at) in (ABOVE..ABOVE + height).zip(state.offset..) {
        match order::row_at(app, at).and_then(|row| state.rows().get(row)) {
            Some(listed) => line(app, theme, &columns, listed, at == selected, row_at(y), buf),
            None => {
                let text = end(app, theme);
                put(buf, row_at(y), area.x + 1, &fit(&text, usize::from(area.width - 1), theme), theme.dim());
                break;
            }
        }
    }
    let beside = preview_columns(app);
    if beside > 0 {
        let x = whole.right().saturating_sub(beside);
        for y in whole.y + 1..whole.bottom() {
            put(buf, Rect { y, height: 1, ..whole }, x, theme.bar(), theme.dim());
        }
        let area = Rect { x: x + 1, y: whole.y + 1, width: beside - 1, height: whole.height.saturating_sub(1) };
        preview::draw(app, theme, area, buf);
    } else if has_preview(app) {
        let top = area.bottom().saturating_sub(preview_rows(app));
        preview::draw(app, theme, Rect { y: top, height: preview_rows(app), ..area }.intersection(area), buf);
    }
}

fn head(app: &App, theme: &Theme, columns: &[(Column, u16)], row: Rect, buf: &mut Buffer) {
    let mut x = row.x + 1;
    for (column, width) in columns {
        let title = title(app, *column, *width, theme);
        let at = if is_right(*column) { (x + width).saturating_sub(width_of(&title)) } else { x };
        put(buf, row, at, &title, theme.title());
        x += width + 1;
    }
}

fn line(
    app: &App,
    theme: &Theme,
    columns: &[(Column, u16)],
    listed: &Listed,
    selected: bool,
    row: Rect,
    buf: &mut Buffer,
) {
    let effective = listed.verdict(app.data_time(), app.settings.stale_after).effective;
    let mut x = row.x;
    x = put(buf, row, x, if selected { theme.cursor() } else { " " }, Style::new());
    let marked = app.marks.contains(&listed.invocation.id);
    for (at, (column, width)) in columns.iter().enumerate() {
        let text = text(*column, app, theme, listed, *width);
        let text = fit(&text, usize::from(*width), theme);
        let start = if is_right(*column) { x + width.saturating_sub(width_of(&text)) } else { x };
        // The selected line has one style alone: moving it costs few bytes.
        let style = match column {
            Column::Status if !selected => theme.status(effective),
            _ => Style::new(),
        };
        put(buf, row, start, &text, style);
        x += width + 1;
        if at == 0 && marked {
            put(buf, row, x - 1, MARK, theme.accent());
        }
    }
    if selected {
        buf.set_style(row, theme.selected());
    }
}

/// What stands below the last row.
fn end(app: &App, theme: &Theme) -> String {
    let state = &app.invocations;
    let count = state.rows().len();
    if state.kept.is_some() {
        return "only loaded rows: the search waits for the database".to_owned();
    }
    if let Some(error) = &state.older.error {
        return format!("older rows not loaded: {} (j tries again)", clean(error));
    }
    if app.columns.sort.is_some() && !state.complete && !state.older.is_loading() {
        return "only the loaded rows are sorted: j loads older ones".to_owned();
    }
    if state.complete && !app.filter.applied().is_empty() {
        return format!("no older one matches, {}{}", filter_state::range(app), wider(app));
    }
    if state.complete {
        return format!("end of data, {count} {}", if count == 1 { "invocation" } else { "invocations" });
    }
    if app.has_banner() {
        return "older rows not loaded: the database does not answer".to_owned();
    }
    match progress(app) {
        Some(progress) => format!("searching older rows{} {progress}", theme.ellipsis()),
        None => format!("loading older rows{}", theme.ellipsis()),
    }
}

/// What was looked for, over which time, and how to find more.
fn nothing_found(app: &App) -> Vec<String> {
    let filter = app.filter.applied();
    let mut lines = vec!["no invocation matches".to_owned(), clean(&filter.to_string()).into_owned(), String::new()];
    lines.push(format!("looked for: {}{}", filter_state::range(app), wider(app)));
    if filter.has_ids() && filter.times().next().is_none() {
        // What no index knows was searched no further.
        let range = age(SEARCH_RANGE);
        lines.push(format!("as a source event or within a correlation id: last {range}; add at:all for all time"));
    }
    lines.push("/ changes the filter, Esc takes it away".to_owned());
    if app.live {
        lines.push("new rows that match appear here by themselves".to_owned());
    }
    lines
}

/// How to look further back, where that is possible.
fn wider(app: &App) -> &'static str {
    if filter_state::is_bounded(app) { "; t looks further back" } else { "" }
}

/// There are no rows: why, and what to do.
fn placeholder(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.invocations;
    let lines: Vec<String> = match (&state.rows.error, &state.rows.value, &app.connection) {
        _ if state.kept.is_some() => vec![
            "none of the rows that were loaded matches".to_owned(),
            clean(&app.filter.applied().to_string()).into_owned(),
            String::new(),
            "the search waits for the database; Esc takes the filter away".to_owned(),
        ],
        (Some(error), ..) => {
            let next = match app.connection {
                Connection::Offline { .. } => "it is tried again by itself; r tries now",
                Connection::Online if !app.filter.applied().is_empty() => {
                    "a shorter time (t) or a function (fn:) narrows the search; r tries again, Esc takes the filter away"
                }
                Connection::Refused { login: true, .. } => "P asks for another password; r tries again",
                _ => "r tries again",
            };
            vec!["the invocations cannot be read".to_owned(), clean(error).into_owned(), next.to_owned()]
        }
        (None, Some(_), _) if !app.filter.applied().is_empty() => nothing_found(app),
        (None, Some(_), _) => vec![
            "no invocations recorded yet".to_owned(),
            String::new(),
            "embed the recorder in a writer (README, \"Embed the recorder\"),".to_owned(),
            "or watch a sample workload: obs-tui demo".to_owned(),
            String::new(),
            "new rows appear here by themselves".to_owned(),
        ],
        _ => match progress(app) {
            Some(progress) => vec![
                format!("nothing found yet, searched {progress}"),
                String::new(),
                "Esc ends the search and takes the filter away".to_owned(),
            ],
            None => vec![format!("loading{}", theme.ellipsis())],
        },
    };
    let width = usize::from(area.width.saturating_sub(2));
    let lines: Vec<&str> = lines.iter().flat_map(|line| wrap(line, width, usize::MAX).0).collect();
    let top = area.y + area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 3;
    for (i, (y, line)) in (top..area.bottom()).zip(lines).enumerate() {
        let x = area.x + area.width.saturating_sub(width_of(line)) / 2;
        let style = if i == 0 { theme.title() } else { Style::new() };
        put(buf, Rect { y, height: 1, ..area }, x, line, style);
    }
}

/// What the message row says when nothing else is to be said.
#[must_use]
pub fn summary(app: &App) -> String {
    let state = &app.invocations;
    let count = state.rows().len();
    if count == 0 {
        return String::new();
    }
    let about = app.server.invocations.filter(|about| *about > count as u64 && app.filter.applied().is_empty());
    let more = match about {
        _ if state.complete => String::new(),
        Some(about) => format!(" of ~{}", words::count(about)),
        None => "+".to_owned(),
    };
    let view = views::name(app);
    let mut parts = vec![format!("{}/{count}{more}", order::place(app) + 1)];
    if state.follow {
        parts.push("following the newest".to_owned());
    }
    if !view.is_empty() {
        parts.push(format!("view: {}", clean(&view)));
    }
    match app.columns.sort {
        Some(sort) => parts.push(format!("loaded rows by {}", sort.words())),
        None => parts.extend(new_above(state)),
    }
    if !app.marks.is_empty() {
        parts.push(format!("{} marked", app.marks.len()));
    }
    if let Some(error) = &state.rows.error
        && !app.has_banner()
    {
        parts.push(clean(error).into_owned());
    }
    parts.join("   ")
}

fn new_above(state: &State) -> Option<String> {
    let count = state.new_above();
    if state.gap {
        let least = count.max(crate::tui::app::invocations::NEWEST);
        return Some(format!("{least}+ new above (gg)"));
    }
    (count > 0).then(|| format!("{count} new above (gg)"))
}

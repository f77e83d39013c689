//! The log lines of a node.
//!
//! ```text
//! query as sent                    window
//! scope, levels, sources           what is hidden, kind of time
//! ----
//! (notices: offline, refused, limit reached, nothing found)
//! lines, with fields below those that are open
//! levels over time                 where there is room
//! ```

mod histogram;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::logs::{Level, LogQuery, Origin};
use crate::model::status::Effective;
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::app::logs::notice::{self, Tone};
use crate::tui::app::logs::rows::{self, Columns, HEADER, Kind, Row};
use crate::tui::theme::Theme;
use crate::tui::view::find::put_marked;
use crate::tui::view::frame::{self, fit, put};

/// Draws the body of the screen.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let row = |y: u16| Rect { y: area.y + y, height: u16::from(y < area.height), ..area };
    query(app, theme, row(0), buf);
    counts(app, theme, row(1), buf);
    frame::rule(theme, row(2), buf);
    let mut y = HEADER;
    for (tone, text) in notice::rows(app, area.width) {
        let style = match tone {
            Tone::Problem => theme.error(),
            Tone::Plain => Style::new(),
            Tone::Quiet => theme.dim(),
        };
        put(buf, row(y), area.x + 1, &text, style);
        y += 1;
    }
    let y = area.y.saturating_add(y).min(area.bottom());
    let below = rows::histogram(area.height).min(area.bottom() - y);
    lines(app, theme, Rect { y, height: area.bottom() - y - below, ..area }, buf);
    if below > 0 {
        histogram::draw(app, theme, Rect { y: area.bottom() - below, height: 1, ..area }, buf);
    }
}

/// The query as it was sent, and its window.
fn query(app: &App, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let state = &app.logs;
    let mut end = row.right();
    if let Some(LogQuery { from, to, .. }) = state.query {
        let dots = if theme.unicode { "–" } else { ".." };
        let margin = match (area_is_wide(row), theme.unicode) {
            (false, _) => "",
            (true, true) => " (±5 s)",
            (true, false) => " (+/-5 s)",
        };
        let window =
            format!("{}{dots}{}{}{margin}", app.shown(from, "%H:%M:%S"), app.shown(to, "%H:%M:%S"), app.zone());
        end = row.right().saturating_sub(frame::columns(&window) + 1);
        put(buf, row, end, &window, Style::new());
    }
    let room = usize::from(end.saturating_sub(row.x + 3));
    let text = match (&state.loki.value, &state.query) {
        (Some(page), _) => clean(&page.query).into_owned(),
        (None, Some(query)) => {
            let job = query.job_id.map_or_else(String::new, |job| format!("  job {job}"));
            format!("correlation {}{job}", clean(&query.correlation_id))
        }
        (None, None) => "not asked: no correlation id".to_owned(),
    };
    put(buf, row, row.x + 1, &fit(&text, room, theme), theme.accent());
}

/// `[node] cascade  E2 W1 I14 D0  Loki 17  job_logs 3  all levels`, and the kind of time. Where not all has room, what is
/// hidden is told first.
fn counts(app: &App, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let state = &app.logs;
    let (node, cascade) = if state.cascade { ("node", "[cascade]") } else { ("[node]", "cascade") };
    let chosen = |is: bool| if is { theme.title() } else { theme.dim() };
    let narrow = row.width < 60;
    let mut x = row.x + 1;
    for (text, is) in [(node, !state.cascade), (cascade, state.cascade)] {
        if is || !narrow {
            x = put(buf, row, x, text, chosen(is)) + 1;
        }
    }
    x += 1;
    let least = match state.least {
        _ if state.only_hits => format!("only hits, {} hidden", state.hidden()),
        None => "all levels".to_owned(),
        Some(least) => format!("{}+, {} hidden", least.name(), state.hidden()),
    };
    let hides = state.least.is_some() || state.only_hits;
    if narrow && hides {
        x = put(buf, row, x, &least, chosen(hides)) + 2;
    }
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Other] {
        let count = state.count(level);
        if level == Level::Other && count == 0 {
            continue;
        }
        let style = if count == 0 { theme.dim() } else { level_style(level, theme) };
        let name = if level == Level::Other { "other " } else { letter(level) };
        x = put(buf, row, x, &format!("{name}{count}"), style) + 1;
    }
    x += 1;
    for origin in [Origin::Loki, Origin::Table] {
        let count = state.count_of(origin);
        let style = if count == 0 { theme.dim() } else { Style::new() };
        let text = format!("{} {count}", origin.name());
        if x + frame::columns(&text) <= row.right() {
            x = put(buf, row, x, &text, style) + 2;
        }
    }
    if !narrow {
        x = put(buf, row, x, &least, chosen(hides)) + 2;
    }
    let kind = match (state.absolute, app.local_time, state.cascade) {
        (false, _, false) => "from node start",
        (false, _, true) => "from cascade start",
        (true, false, _) => "UTC",
        (true, true, _) => "local time",
    };
    let read = state.loki.loaded_at.max(state.table.loaded_at).filter(|_| area_is_wide(row));
    let read = read.map_or_else(String::new, |at| format!("read {}{}  ", app.shown(at, "%H:%M:%S"), app.zone()));
    let text = format!("{read}{kind}");
    let at = row.right().saturating_sub(frame::columns(&text) + 1);
    if at >= x {
        put(buf, row, at, &text, theme.dim());
    }
}

fn area_is_wide(row: Rect) -> bool {
    row.width >= rows::WIDE
}

fn lines(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let columns = rows::columns(app, area.width);
    let (top, skip) = rows::window(app, area.width, usize::from(area.height));
    let all = (top..app.logs.shown.len()).flat_map(|index| {
        let rows = rows::of(app, index, area.width).into_iter();
        rows.map(move |row| (index, row))
    });
    for (y, (index, row)) in (area.y..area.bottom()).zip(all.skip(skip)) {
        line(app, theme, Rect { y, height: 1, ..area }, buf, index, &row, &columns);
    }
}

fn line(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer, index: usize, row: &Row, columns: &Columns) {
    let state = &app.logs;
    let is_selected = index == state.selected;
    let pattern = state.find.pattern.as_ref();
    let Some(line) = state.shown.get(index).and_then(|&i| state.lines.get(i)) else { return };
    let message = area.x + u16::try_from(columns.before).unwrap_or(0);
    let text = fit(&row.text, columns.message, theme);
    match row.kind {
        Kind::Ended => {
            let what = if state.cascade { "cascade" } else { "node" };
            let text = format!(" {what} ended; what follows was written up to 5 s later ");
            let x = put(buf, area, area.x + 1, &theme.rule().repeat(4), theme.dim());
            let x = put(buf, area, x, &text, theme.dim());
            put(buf, area, x, &theme.rule().repeat(4), theme.dim());
        }
        Kind::Message => {
            put_marked(buf, area, message, &text, level_style(line.level, theme), pattern);
        }
        Kind::Field => {
            let (name, value) = text.split_once(": ").unwrap_or(("", &text));
            let named = !name.is_empty() && !name.trim_start().contains(' ');
            let x = if named { put(buf, area, message, &format!("{name}: "), theme.accent()) } else { message };
            put_marked(buf, area, x, if named { value } else { &text }, Style::new(), pattern);
        }
        Kind::Head => {
            let level = if columns.level > 1 { line.level.name() } else { letter(line.level) };
            let level_style = level_style(line.level, theme);
            let cursor = if is_selected { theme.cursor() } else { " " };
            let head = format!("{cursor}{:>width$} ", rows::time(app, line), width = columns.time);
            let mut x = put(buf, area, area.x, &head, Style::new());
            x = put(buf, area, x, &format!("{level:<width$} ", width = columns.level), level_style);
            if columns.origin > 0 {
                let origin = &line.origin.name()[..columns.origin.min(line.origin.name().len())];
                x = put(buf, area, x, &format!("{origin:<width$} ", width = columns.origin), theme.dim());
            }
            if columns.service > 0 {
                let service = clean(&line.service);
                put_marked(buf, area, x, &fit(&service, columns.service, theme), theme.dim(), pattern);
            }
            let glyphs = theme.glyphs();
            let is_open = state.shown.get(index).is_some_and(|&i| state.open.contains_key(&state.keys[i]));
            if is_open || rows::has_fields(line) {
                put(buf, area, message - 2, if is_open { glyphs.open } else { glyphs.closed }, theme.accent());
            }
            let end = put_marked(buf, area, message, &text, level_style, pattern);
            if is_selected {
                buf.set_style(Rect { width: end.saturating_sub(area.x), ..area }, theme.selected());
            }
        }
    }
}

/// One letter for a level.
fn letter(level: Level) -> &'static str {
    match level {
        Level::Error => "E",
        Level::Warn => "W",
        Level::Info => "I",
        Level::Debug => "D",
        Level::Other => "-",
    }
}

fn level_style(level: Level, theme: &Theme) -> Style {
    match level {
        Level::Error => theme.error(),
        Level::Warn => theme.status(Effective::Stuck),
        Level::Debug => theme.dim(),
        Level::Info | Level::Other => Style::new(),
    }
}

//! Log lines → rows of the screen. Only lines that are on the screen are laid out.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use super::{App, State, fields, notice};
use crate::logs::{LogLine, Origin};
use crate::model::text::{clean, clean_lines};
use crate::model::time;
use crate::tui::wrap::wrap;

/// Rows above the lines: the query, the counts, a rule.
pub const HEADER: u16 = 3;
/// Rows of one message; `Y` copies the whole.
const MOST_ROWS: usize = 300;
/// Columns of the terminal from which levels are words and services have a column.
pub const WIDE: u16 = 100;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Before the first line after the end of the node.
    Ended,
    /// The first row of a line.
    Head,
    /// A further row of its message.
    Message,
    /// A row of its fields.
    Field,
}

/// A row: text that is safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// The part of the message, or the field.
    pub text: String,
}

/// Widths of the columns before the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The time.
    pub time: usize,
    /// The level: a word of five letters, or one letter.
    pub level: usize,
    /// The source, its name or one letter, where both have lines.
    pub origin: usize,
    /// The service.
    pub service: usize,
    /// Everything before the message, with gaps.
    pub before: usize,
    /// The message.
    pub message: usize,
}

/// The columns at a width.
#[must_use]
pub fn columns(app: &App, width: u16) -> Columns {
    let state = &app.logs;
    let time = if state.absolute { 12 } else { relative_width(state) };
    let wide = width >= WIDE;
    let level = if wide { 5 } else { 1 };
    let origin = match (state.both, wide) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => Origin::Table.name().len(),
    };
    let service = if wide { state.service_width } else { 0 };
    let gap = |column: usize| if column > 0 { column + 1 } else { 0 };
    // The cursor before, the mark of fields after them.
    let before = 1 + gap(time) + gap(level) + gap(origin) + gap(service) + 2;
    Columns { time, level, origin, service, before, message: usize::from(width).saturating_sub(before + 1).max(8) }
}

fn relative_width(state: &State) -> usize {
    let last = state.lines.last().map_or(0, |line| line.at_ns);
    let first = state.lines.first().map_or(0, |line| line.at_ns);
    relative(state, last).len().max(relative(state, first).len()).max(6)
}

/// The time of a line: since the start, or by the clock.
#[must_use]
pub fn time(app: &App, line: &LogLine) -> String {
    if app.logs.absolute {
        return app.shown(time::of_nanoseconds(line.at_ns), "%H:%M:%S%.3f").to_string();
    }
    relative(&app.logs, line.at_ns)
}

/// Seconds since the start of the node or the cascade: `+0.904`, `-0.012`.
fn relative(state: &State, at_ns: i64) -> String {
    let start = state.window().map_or(0, |(start, _)| time::nanoseconds(start));
    let ms = at_ns.saturating_sub(start).div_euclid(1_000_000);
    format!("{}{}.{:03}", if ms < 0 { '-' } else { '+' }, ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

/// Characters by which a secret is known.
const LONGEST_SECRET: usize = 512;

/// Whether a line has more than the screen shows of it.
#[must_use]
pub fn can_open(app: &App, line: &LogLine) -> bool {
    let width = columns(app, app.size.0).message;
    has_fields(line) || line.message.trim_end().contains('\n') || line.message.width() > width
}

/// Whether a line says more than its message.
#[must_use]
pub fn has_fields(line: &LogLine) -> bool {
    match &line.fields {
        serde_json::Value::Null => false,
        serde_json::Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

/// The rows of a shown line.
#[must_use]
pub fn of(app: &App, index: usize, width: u16) -> Vec<Row> {
    let state = &app.logs;
    let mut rows = Vec::new();
    let Some(&i) = state.shown.get(index) else { return rows };
    let line = &state.lines[i];
    let columns = columns(app, width);
    if ends_before(state, index) {
        rows.push(Row { kind: Kind::Ended, text: String::new() });
    }
    let fields = state.open.get(&state.keys[i]);
    let message: Vec<String> = if state.wrap || fields.is_some() {
        wrapped(&line.message, columns.message, state.reveal)
    } else {
        // A little more than fits, so that it is seen to be cut.
        vec![clean(&masked(&line.message, columns.message * 2 + 8, state.reveal)).into_owned()]
    };
    for (n, text) in message.into_iter().enumerate() {
        rows.push(Row { kind: if n == 0 { Kind::Head } else { Kind::Message }, text });
    }
    for field in fields.into_iter().flatten() {
        let field: Cow<'_, str> = clean(field);
        let indent = field.len() - field.trim_start_matches(' ').len();
        let indent = indent.min(columns.message / 2);
        let most = if state.wrap { usize::MAX } else { 5 };
        for text in wrap(field.trim_start_matches(' '), columns.message - indent, most).0 {
            rows.push(Row { kind: Kind::Field, text: format!("{}{text}", " ".repeat(indent)) });
        }
    }
    rows
}

fn beginning(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// The first characters with their secrets masked; looks a little further, since no secret is known by its beginning.
fn masked(message: &str, characters: usize, reveal: bool) -> String {
    let masked = fields::text(beginning(message, characters + LONGEST_SECRET), reveal);
    beginning(&masked, characters).to_owned()
}

fn wrapped(message: &str, width: usize, reveal: bool) -> Vec<String> {
    let most = MOST_ROWS * width;
    let shown = beginning(message, most);
    let masked = masked(message, most, reveal);
    let mut rows: Vec<String> = Vec::new();
    for line in clean_lines(&masked) {
        rows.extend(wrap(&line, width, MOST_ROWS - rows.len()).0.into_iter().map(str::to_owned));
    }
    if rows.is_empty() {
        rows.push(String::new());
    }
    if shown.len() < message.len() || rows.len() == MOST_ROWS {
        rows.push(format!("... cut here (Y copies all of {})", crate::model::text::bytes(message.len())));
    }
    rows
}

/// Whether the node ended between this line and the one before.
fn ends_before(state: &State, index: usize) -> bool {
    let Some(end) = state.window().map(|(_, end)| time::nanoseconds(end)) else { return false };
    let at = |index: usize| state.shown.get(index).map(|&i| state.lines[i].at_ns);
    let before = index.checked_sub(1).and_then(at);
    !state.running && at(index).is_some_and(|at| at > end) && before.is_none_or(|before| before <= end)
}

/// Rows that lines have on the screen.
#[must_use]
pub fn height(app: &App) -> usize {
    let notices = u16::try_from(notice::rows(app, app.size.0).len()).unwrap_or(u16::MAX);
    let body = app.body_rows();
    usize::from(body.saturating_sub(HEADER + histogram(body)).saturating_sub(notices)).max(1)
}

/// Rows that the histogram of levels takes of a body.
#[must_use]
pub fn histogram(body: u16) -> u16 {
    u16::from(body >= 16)
}

/// The first shown line on the screen and how many of its rows are scrolled away, so that the selected line is whole
/// on the screen, or its beginning where it is taller.
#[must_use]
pub fn window(app: &App, width: u16, height: usize) -> (usize, usize) {
    let state = &app.logs;
    let (top, skip) = state.top;
    if state.selected < top || state.shown.is_empty() {
        return (state.selected, 0);
    }
    let mut left = height;
    let mut first = state.selected;
    for index in (0..=state.selected).rev() {
        let rows = of(app, index, width).len();
        if rows > left {
            break;
        }
        left -= rows;
        first = index;
    }
    if top < first {
        return (first, 0);
    }
    let tall = of(app, top, width).len();
    let is_selected = top == state.selected;
    let skip = if is_selected { skip.min(tall.saturating_sub(height)) } else { skip.min(tall.saturating_sub(1)) };
    (top, skip)
}

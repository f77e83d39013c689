//! All that is recorded of one node.
//!
//! ```text
//!  Summary  [Payload]  Diff  Context  Error  Raw
//!  ----
//!  the section's lines: of the window only
//!  what is selected                                     2 secrets masked (X shows them)
//! ```

mod detectors;
mod diff;
mod lines;
mod outline;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use super::frame::{columns, fit, put, rule};
use crate::model::text::{age, clean, clean_lines, plural};
use crate::model::time;
use crate::tui::app::App;
use crate::tui::app::detail::{Content, Field, Layout, Section, State, TextLine, Tone, fields};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Draws the body of the screen.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.detail;
    let layout = Layout::of(state.section, area.width, area.height);
    let part = |y: u16, height: u16| Rect { y: area.y + y, height, ..area }.intersection(area);
    draw_sections(app, theme, part(0, 1), buf);
    rule(theme, part(1, 1), buf);
    if state.row.value.is_none() {
        return draw_nothing(state, theme, part(2, area.height.saturating_sub(2)), buf);
    }
    let under = part(2, area.height.saturating_sub(2));
    if layout.side > 0 {
        detectors::draw_beside(app, theme, Rect { x: area.right() - layout.side, width: layout.side, ..under }, buf);
    } else if layout.below > 0 {
        detectors::draw_below(app, theme, part(area.height - layout.below, layout.below), buf);
    }
    let part = |y: u16, height: u16| {
        let width = area.width - layout.side;
        Rect { y: area.y + y, height, width, ..area }.intersection(area)
    };
    let head = part(2, layout.head);
    let body = part(2 + layout.head, layout.lines);
    let foot = part(2 + layout.head + layout.lines, layout.foot);
    let cursor = state.pane().map(|pane| pane.cursor).unwrap_or_default();
    let pattern = state.find.pattern.as_ref();
    match state.content() {
        Some(Content::Outline { outline, lines }) => {
            if let Some(pane) = state.pane() {
                outline::draw(state, pane, outline, lines, theme, body, buf);
                outline::draw_path(outline, lines, cursor, theme, foot, buf);
            }
        }
        Some(Content::Diff(Some(diff))) => diff::draw(state, diff, cursor, theme, (head, body, foot), buf),
        Some(Content::Diff(None)) => {
            put(buf, head, head.x + 1, "no row change in this payload", theme.dim());
        }
        Some(Content::Text { lines: text, .. }) => {
            let item = |at: usize| text_item(&text[at], theme, body);
            lines::draw((text.len(), cursor), pattern, theme, body, buf, &item);
        }
        None => {
            let fields = fields(app);
            let item = |at: usize| field_item(app, &fields[at], theme, body);
            lines::draw((fields.len(), cursor), pattern, theme, body, buf, &item);
        }
    }
    draw_secrets(state, theme, foot, buf);
}

fn draw_sections(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.detail;
    let Some((kind, _)) = state.of else { return };
    let failed = ["error_message", "error_stack", "detection_error", "handler_error"]
        .into_iter()
        .any(|column| state.column(column).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty()));
    let mut x = area.x + 1;
    let narrow = area.width < 60;
    for &section in Section::of(kind) {
        let style = match section {
            _ if section == state.section => theme.selected(),
            Section::Error if failed => theme.error(),
            _ => Style::new(),
        };
        let name = if narrow { &section.name()[..3] } else { section.name() };
        let name = if section == state.section { format!("[{name}]") } else { name.to_owned() };
        x = put(buf, area, x, &name, style) + if narrow { 1 } else { 2 };
    }
    if let Some(error) = state.row.error.as_ref().filter(|_| state.row.value.is_some()) {
        let age = state.row.loaded_at.map(|at| format!(", {} old", age(app.now - at))).unwrap_or_default();
        let text = format!("! not read again{age}: {}", clean(error));
        put(buf, area, x, &fit(&text, usize::from(area.right().saturating_sub(x)), theme), theme.error());
    } else {
        let named = ["source_function", "event_name", "job_name"].into_iter().find_map(|column| state.column(column));
        let name = named.and_then(|name| name.as_str()).unwrap_or_default();
        let name = format!("{} {}", kind.short(), clean(name));
        let room = usize::from(area.right().saturating_sub(x + 2));
        if room >= 12 && state.row.value.is_some() {
            let name = fit(&name, room, theme);
            put(buf, area, area.right().saturating_sub(columns(&name) + 1), &name, theme.title());
        }
    }
}

fn draw_nothing(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let (text, style) = match (&state.row.error, state.row.is_loading()) {
        (Some(error), _) => (clean(error), theme.error()),
        (None, true) => ("reading the row".into(), theme.dim()),
        (None, false) => ("no node is open: Enter on a line of the flow opens one".into(), theme.dim()),
    };
    let width = usize::from(area.width.saturating_sub(2));
    for (y, row) in (area.y..area.bottom()).zip(wrap(&text, width, usize::from(area.height)).0) {
        buf.set_stringn(area.x + 1, y, row, width, style);
    }
}

fn draw_secrets(state: &State, theme: &Theme, foot: Rect, buf: &mut Buffer) {
    let secrets = state.content().map_or(0, Content::secrets);
    if secrets == 0 || foot.height == 0 {
        return;
    }
    let count = plural(secrets as u64, "secret");
    let text = match (state.revealed, foot.width >= 60) {
        (false, true) => format!("{count} masked (X shows)"),
        (true, true) => format!("{count} SHOWN (X masks)"),
        (false, false) => format!("{secrets} masked (X)"),
        (true, false) => format!("{secrets} SHOWN (X)"),
    };
    let style = if state.revealed { theme.error() } else { theme.dim() };
    let x = foot.right().saturating_sub(columns(&text) + 1);
    put(buf, foot, x.saturating_sub(1), " ", Style::new());
    put(buf, foot, x, &text, style);
}

fn text_item<'a>(line: &'a TextLine, theme: &Theme, area: Rect) -> Text<'a> {
    let style = if line.is_heading { theme.title() } else { Style::new() };
    wrapped(&line.text, style, area.width.saturating_sub(2), area.height, theme)
}

/// A text in as many rows as it takes, at most `height`.
fn wrapped<'a>(text: &str, style: Style, width: u16, height: u16, theme: &Theme) -> Text<'a> {
    let (width, height) = (usize::from(width), usize::from(height.max(1)));
    // No more of it than can be shown is looked at.
    let end = text.char_indices().nth(width * height + 1).map_or(text.len(), |(end, _)| end);
    let mut rows: Vec<Line<'a>> = Vec::new();
    let mut more = end < text.len();
    for line in clean_lines(&text[..end]) {
        let (pieces, cut) = wrap(&line, width, height.saturating_sub(rows.len()));
        more |= cut;
        rows.extend(pieces.into_iter().map(|row| Line::from(Span::styled(row.to_owned(), style))));
    }
    rows.truncate(height);
    match rows.last_mut() {
        Some(last) if more => last.push_span(Span::styled(theme.ellipsis(), theme.dim())),
        Some(_) => {}
        None => rows.push(Line::default()),
    }
    Text::from(rows)
}

/// Rows of an error in the summary.
const ERROR_ROWS: u16 = 5;
/// Columns of the names of the fields.
const LABEL: u16 = 15;

fn field_item<'a>(app: &App, field: &Field, theme: &Theme, area: Rect) -> Text<'a> {
    let (value, style) = match (field.tone, field.at) {
        (_, Some(at)) => {
            let ago = app.now - at;
            let when = if ago.num_seconds() < 0 || time::word(at).is_some() {
                String::new()
            } else {
                format!("   {} ago", age(ago))
            };
            let time = app.shown(at, "%Y-%m-%d %H:%M:%S%.3f");
            (format!("{time}{}{when}", app.zone()), Style::new())
        }
        (Tone::Plain, None) => (field.value.clone(), Style::new()),
        (Tone::Status(effective), None) => {
            (format!("{} {}", theme.glyphs().mark(effective), field.value), theme.status(effective))
        }
        (Tone::Error, None) => (field.value.clone(), theme.error()),
    };
    let mut text = wrapped(&value, style, area.width.saturating_sub(LABEL + 4), area.height.min(ERROR_ROWS), theme);
    for (i, line) in text.lines.iter_mut().enumerate() {
        let label = if i == 0 { field.label } else { "" };
        line.spans.insert(0, Span::styled(format!("{label:<0$}  ", usize::from(LABEL)), theme.accent()));
    }
    text
}

#[cfg(test)]
mod tests;

//! The prompt of a find, what it found, and the hits in a text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Span, Text};

use super::frame::{fit, put};
use super::prompt;
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::app::find::{self, Find, Pattern};
use crate::tui::theme::Theme;

/// Draws the prompt with its cursor, or what was found; false when nothing is looked for.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) -> bool {
    let Some(find) = find::of(app) else { return false };
    let Some(line) = &find.prompt else { return draw_found(app, find, theme, area, buf) };
    let (said, style) = match (&find.error, &find.pattern) {
        (Some(error), _) => (clean(error).into_owned(), theme.error()),
        (None, Some(_)) => (matches(find), theme.dim()),
        (None, None) => ("text, or ~ and a regular expression".to_owned(), theme.dim()),
    };
    prompt::draw(line, "find> ", (&said, style), theme, area, buf);
    true
}

fn matches(find: &Find) -> String {
    match find.hits.len() {
        0 => "no match".to_owned(),
        1 => "1 match".to_owned(),
        n => format!("{n} matches"),
    }
}

/// `find twilio  3/17  n/N next, before  Esc ends`
fn draw_found(app: &App, find: &Find, theme: &Theme, area: Rect, buf: &mut Buffer) -> bool {
    let Some(pattern) = &find.pattern else { return false };
    let source = clean(pattern.source());
    let x = put(buf, area, area.x + 1, "find ", theme.accent());
    let room = usize::from(area.width / 2);
    let x = put(buf, area, x, &fit(&source, room, theme), theme.title());
    let found = match find::selected(app) {
        Some(at) => format!("  {at}/{}", find.hits.len()),
        None => format!("  {}", matches(find)),
    };
    let style = if find.hits.is_empty() { theme.error() } else { theme.title() };
    let x = put(buf, area, x, &found, style);
    let round = if find.wrapped { ", round the end" } else { "" };
    let x = put(buf, area, x, round, Style::new());
    let keys = match find.hits.len() {
        0 => "   Esc ends",
        _ if area.width < 60 => "   n/N   Esc ends",
        _ => "   n/N next, before   Esc ends",
    };
    put(buf, area, x, keys, theme.dim());
    true
}

/// A hit in a text, to be seen without colour and on the selected line, too.
pub(super) fn hit(style: Style) -> Style {
    style.add_modifier(Modifier::REVERSED | Modifier::UNDERLINED)
}

/// A text with its hits marked.
pub(super) fn spans<'a>(text: &str, style: Style, pattern: Option<&Pattern>) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    let mut from = 0;
    for range in pattern.into_iter().flat_map(|pattern| pattern.ranges(text)) {
        if range.start > from {
            spans.push(Span::styled(text[from..range.start].to_owned(), style));
        }
        spans.push(Span::styled(text[range.clone()].to_owned(), hit(style)));
        from = range.end;
    }
    if from < text.len() {
        spans.push(Span::styled(text[from..].to_owned(), style));
    }
    spans
}

/// Marks the hits in lines that are drawn already as spans.
pub(super) fn mark(text: &mut Text<'_>, pattern: Option<&Pattern>) {
    if pattern.is_none() {
        return;
    }
    for line in &mut text.lines {
        let old = std::mem::take(&mut line.spans);
        line.spans = old.into_iter().flat_map(|span| spans(&span.content, span.style, pattern)).collect();
    }
}

/// Writes a text into a row with its hits marked; gives the column after it.
pub(super) fn put_marked(
    buf: &mut Buffer,
    row: Rect,
    x: u16,
    text: &str,
    style: Style,
    pattern: Option<&Pattern>,
) -> u16 {
    spans(text, style, pattern).iter().fold(x, |x, span| put(buf, row, x, &span.content, span.style))
}

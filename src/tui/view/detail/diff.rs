//! Old and new row.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::frame::{fit, keep_end, put};
use super::lines;
use crate::model::status::Effective;
use crate::model::text::clean;
use crate::model::words;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::detail::{Diff, DiffLine, DiffRow, State};
use crate::tui::theme::Theme;
use crate::tui::wrap::ranges;

/// Draws what changed at all, the differences, and the selected one in full.
pub(super) fn draw(
    state: &State,
    diff: &Diff,
    cursor: Cursor,
    theme: &Theme,
    (head, body, foot): (Rect, Rect, Rect),
    buf: &mut Buffer,
) {
    let same = diff.unchanged.len();
    let title = format!("{}   {} of {} columns differ", diff.what, diff.columns - same, diff.columns);
    let width = usize::from(head.width.saturating_sub(2));
    put(buf, head, head.x + 1, &fit(title.trim_start(), width, theme), theme.title());
    let widths = widths(diff, usize::from(body.width.saturating_sub(1)));
    if head.height > 1 {
        let heads = format!("{:2}{:<path$} {:<old$} {}", "", "COLUMN", "OLD", "NEW", path = widths.0, old = widths.1);
        let row = Rect { y: head.y + 1, height: 1, ..head };
        put(buf, row, row.x + 1, &heads, theme.dim());
    }
    let item = |at: usize| match diff.line(at) {
        Some(DiffLine::Row(row)) => item(row, widths, theme),
        _ => {
            let does = if diff.open { "Enter folds" } else { "Enter shows" };
            Text::from(Line::styled(format!("= {same} unchanged ({does})"), theme.dim()))
        }
    };
    lines::draw((diff.len(), cursor), state.find.pattern.as_ref(), theme, body, buf, &item);
    if let Some(DiffLine::Row(row)) = diff.line(cursor.at) {
        draw_selected(row, theme, foot, buf);
    }
}

/// Columns of path, old and new value.
fn widths(diff: &Diff, width: usize) -> (usize, usize, usize) {
    let left = width.saturating_sub(4);
    let shown = diff.rows.iter().chain(diff.unchanged.iter().filter(|_| diff.open));
    let longest = shown.take(500).map(|row| row.path.width()).max().unwrap_or_default();
    let path = longest.clamp(6, (left * 2 / 5).max(6));
    let values = left.saturating_sub(path);
    (path, values / 2, values - values / 2)
}

fn style(row: &DiffRow, theme: &Theme) -> Style {
    match row.mark() {
        "+" => theme.status(Effective::Ok),
        "-" => theme.status(Effective::Failed),
        "=" => theme.dim(),
        _ => theme.status(Effective::Stuck),
    }
}

/// What the old and the new text do not have in common.
fn changes(row: &DiffRow) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    match (&row.old, &row.new) {
        (Some(_), Some(_)) if !row.is_same => words::changes(&row.old_text, &row.new_text),
        _ => Default::default(),
    }
}

fn item<'a>(row: &DiffRow, (path, old, new): (usize, usize, usize), theme: &Theme) -> Text<'a> {
    let style = style(row, theme);
    let name = clean(&row.path);
    let name = keep_end(&name, path, theme);
    let mut spans = vec![
        Span::styled(format!("{} ", row.mark()), style),
        Span::styled(format!("{name}{} ", " ".repeat(path.saturating_sub(name.width()))), theme.accent()),
    ];
    let (old_changes, new_changes) = changes(row);
    let dim = if row.is_same { theme.dim() } else { Style::new() };
    let text = if row.old.is_some() { &row.old_text } else { "-" };
    let used = cell(text, &old_changes, old, dim, theme, &mut spans);
    spans.push(Span::raw(" ".repeat((old + 1).saturating_sub(used))));
    let text = match row.new {
        Some(_) if row.is_same => "",
        Some(_) => &row.new_text,
        None => "-",
    };
    // The delta says more than the end of a time does.
    let delta = row.delta.as_deref().map_or_else(String::new, |delta| format!("  {delta}"));
    let delta = if delta.width() * 2 < new { delta } else { String::new() };
    cell(text, &new_changes, new.saturating_sub(delta.width()), style, theme, &mut spans);
    spans.push(Span::styled(delta, theme.title()));
    Text::from(Line::from(spans))
}

/// A text in at most so many columns, what changed underlined; its beginning is left out where the first change would not
/// be seen. Gives the columns that it takes.
fn cell(
    text: &str,
    changes: &[Range<usize>],
    width: usize,
    style: Style,
    theme: &Theme,
    spans: &mut Vec<Span<'_>>,
) -> usize {
    let mark = theme.ellipsis();
    let first = changes.first().map_or(0, |change| change.start);
    let mut from = 0;
    if text.width() > width && text[..first].width() + width / 4 > width {
        // A third of the room is for what stands before it.
        let mut before = width / 3;
        from = text[..first]
            .char_indices()
            .rev()
            .take_while(|(_, c)| {
                let columns = c.width().unwrap_or(0);
                let fits = before >= columns;
                before = before.saturating_sub(columns);
                fits
            })
            .last()
            .map_or(first, |(at, _)| at);
    }
    let front = if from > 0 { mark } else { "" };
    let shown = fit(&text[from..], width.saturating_sub(front.width()), theme);
    // What is cut off is marked with what is no part of the text.
    let end = if matches!(shown, Cow::Owned(_)) { shown.len() - mark.len().min(shown.len()) } else { shown.len() };
    if !front.is_empty() {
        spans.push(Span::styled(front, theme.dim()));
    }
    emphasised(text, from..from + end, changes, style, spans);
    spans.push(Span::styled(shown[end..].to_owned(), style));
    front.width() + shown.width()
}

/// A part of a text, what changed underlined: a difference is not told by colour alone.
fn emphasised(text: &str, part: Range<usize>, changes: &[Range<usize>], style: Style, spans: &mut Vec<Span<'_>>) {
    let mut at = part.start;
    for change in changes {
        let (from, to) = (change.start.clamp(at, part.end), change.end.clamp(at, part.end));
        for (range, style) in [(at..from, style), (from..to, style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED))]
        {
            if !range.is_empty() {
                spans.push(Span::styled(text[range].to_owned(), style));
            }
        }
        at = to;
    }
    if at < part.end {
        spans.push(Span::styled(text[at..part.end].to_owned(), style));
    }
}

fn draw_selected(row: &DiffRow, theme: &Theme, foot: Rect, buf: &mut Buffer) {
    let width = usize::from(foot.width.saturating_sub(6));
    let line = |y: u16| Rect { y: foot.y + y, height: 1, ..foot }.intersection(foot);
    let path = clean(&row.path);
    let x = put(buf, line(0), foot.x + 1, "path ", theme.dim());
    let x = put(
        buf,
        line(0),
        x,
        &keep_end(&path, width.saturating_sub(if width < 54 { 17 } else { 32 }), theme),
        theme.title(),
    );
    put(buf, line(0), x + 2, row.delta.as_deref().unwrap_or_default(), theme.title());
    let rows = foot.height.saturating_sub(1) / 2;
    let (old_changes, new_changes) = changes(row);
    let mut y = 1;
    for (name, text, there, changes, style) in [
        ("old ", &row.old_text, row.old.is_some(), old_changes, Style::new()),
        ("new ", &row.new_text, row.new.is_some(), new_changes, style(row, theme)),
    ] {
        let text = if there { text } else { "-" };
        if y < foot.height {
            put(buf, line(y), foot.x + 1, name, theme.dim());
        }
        let (pieces, more) = ranges(text, width, usize::from(rows));
        let last = pieces.len().saturating_sub(1);
        for (i, piece) in pieces.into_iter().enumerate() {
            let mut spans = Vec::new();
            emphasised(text, piece, &changes, style, &mut spans);
            let x = spans.iter().fold(foot.x + 5, |x, span| put(buf, line(y), x, &span.content, span.style));
            put(buf, line(y), x, if more && i == last { theme.ellipsis() } else { "" }, theme.dim());
            y += 1;
        }
    }
}

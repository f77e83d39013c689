//! Stored JSON.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use unicode_width::UnicodeWidthStr;

use super::super::frame::{fit, keep_end, put};
use super::{lines, wrapped};
use crate::model::outline::{Content, Entry, Mark, Outline, Place};
use crate::model::text::{bytes, clean};
use crate::tui::app::cursor::Cursor;
use crate::tui::app::detail::{Pane, State};
use crate::tui::theme::Theme;

/// Keys wider than this are cut off.
const WIDEST_KEY: usize = 28;

/// Draws the window of the visible entries.
pub(super) fn draw(
    state: &State,
    pane: &Pane,
    outline: &Outline,
    visible: &[usize],
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    let item = |line: usize| {
        let index = visible[line];
        let entry = &outline.entries()[index];
        item(state, pane, outline, entry, theme, area)
    };
    lines::draw((visible.len(), pane.cursor), state.find.pattern.as_ref(), theme, area, buf, &item);
}

fn item<'a>(state: &State, pane: &Pane, outline: &Outline, entry: &Entry, theme: &Theme, area: Rect) -> Text<'a> {
    // One column is the cursor's.
    let width = usize::from(area.width.saturating_sub(1));
    let glyphs = theme.glyphs();
    let most = width / 3;
    let mut front = " ".repeat((entry.depth * 2).min(most));
    if entry.depth * 2 > most {
        front = format!("{:>most$}", format!("{}{} ", entry.depth, theme.ellipsis()));
    }
    front.push_str(match entry.children() {
        Some(0) | None => "  ",
        Some(_) if pane.folds.is_open(entry) => glyphs.open,
        Some(_) => glyphs.closed,
    });
    let key = match &entry.place {
        Place::Root => state.section.name().to_lowercase(),
        Place::Key(key) => clean(&key[..key.char_indices().nth(200).map_or(key.len(), |(end, _)| end)]).into_owned(),
        Place::Item(item) => format!("[{item}]"),
    };
    let key_width = outline.key_width(entry).clamp(1, WIDEST_KEY);
    let key = fit(&key, if entry.parent.is_some() { key_width } else { width }, theme).into_owned();
    let padding = " ".repeat((key_width + 2).saturating_sub(key.width()).max(2));
    let room = width.saturating_sub(front.width() + key.width() + padding.len());
    let value = match (&entry.content, state.wrap) {
        (Content::Text(text), true) => {
            wrapped(text, Style::new(), u16::try_from(room).unwrap_or(u16::MAX), area.height, theme)
        }
        _ => {
            let mut value = entry.short(room);
            if entry.depth == 0 && entry.children().is_some() {
                value.push_str(&format!("  {}", bytes(outline.bytes)));
            }
            if let Some(mark) = entry.mark {
                value.push_str(&format!("  ({})", mark.words()));
            }
            Text::from(Span::styled(fit(&value, room, theme).into_owned(), style(entry, theme)))
        }
    };
    let behind = " ".repeat(front.width() + key.width() + padding.len());
    let rows = value.lines.into_iter().enumerate().map(|(row, line)| {
        let mut spans = if row == 0 {
            vec![
                Span::styled(front.clone(), theme.dim()),
                Span::styled(key.clone(), theme.accent()),
                Span::raw(padding.clone()),
            ]
        } else {
            vec![Span::raw(behind.clone())]
        };
        spans.extend(line.spans);
        Line::from(spans)
    });
    Text::from(rows.collect::<Vec<_>>())
}

fn style(entry: &Entry, theme: &Theme) -> Style {
    match (&entry.content, entry.mark) {
        (_, Some(Mark::Truncated | Mark::Unserializable | Mark::Circular)) => theme.error(),
        (Content::Null | Content::Masked | Content::Object { .. } | Content::Array { .. }, _) => theme.dim(),
        _ => Style::new(),
    }
}

/// Where the selected entry is, and what it is.
pub(super) fn draw_path(
    outline: &Outline,
    visible: &[usize],
    cursor: Cursor,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    let Some(&index) = visible.get(cursor.at) else { return };
    let kind = outline.entries()[index].kind();
    let x = put(buf, area, area.x + 1, "path ", theme.dim());
    let room = usize::from(area.right().saturating_sub(x)).saturating_sub(kind.width() + 30).max(10);
    let path = outline.path(index);
    let x = put(buf, area, x, &keep_end(&clean(&path), room, theme), theme.title());
    put(buf, area, x + 3, &kind, theme.dim());
}

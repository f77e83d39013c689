//! Old and new row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use unicode_width::UnicodeWidthStr;

use super::super::frame::{fit, keep_end, put};
use super::super::wrap::wrap;
use super::lines;
use crate::model::status::Effective;
use crate::model::text::clean;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::detail::{Diff, DiffRow, State};
use crate::tui::theme::Theme;

/// Draws what changed at all, the differences, and the selected one in full.
pub(super) fn draw(
    state: &State,
    diff: &Diff,
    cursor: Cursor,
    theme: &Theme,
    (head, body, foot): (Rect, Rect, Rect),
    buf: &mut Buffer,
) {
    let changed = diff.columns - diff.unchanged;
    let title = format!("{}   {changed} of {} columns differ, {} unchanged", diff.what, diff.columns, diff.unchanged);
    put(
        buf,
        head,
        head.x + 1,
        &fit(title.trim_start(), usize::from(head.width.saturating_sub(2)), theme),
        theme.title(),
    );
    let widths = widths(diff, usize::from(body.width.saturating_sub(1)));
    if head.height > 1 {
        let heads = format!("{:2}{:<path$} {:<old$} {}", "", "COLUMN", "OLD", "NEW", path = widths.0, old = widths.1);
        let row = Rect { y: head.y + 1, height: 1, ..head };
        put(buf, row, row.x + 1, &heads, theme.dim());
    }
    if diff.rows.is_empty() {
        put(buf, body, body.x + 1, "old and new row are the same", theme.dim());
        return;
    }
    let item = |at: usize| item(&diff.rows[at], widths, theme);
    lines::draw((diff.rows.len(), cursor), state.find.pattern.as_ref(), theme, body, buf, &item);
    if let Some(row) = diff.rows.get(cursor.at) {
        draw_selected(row, theme, foot, buf);
    }
}

/// Columns of path, old and new value.
fn widths(diff: &Diff, width: usize) -> (usize, usize, usize) {
    let left = width.saturating_sub(4);
    let longest = diff.rows.iter().take(500).map(|row| row.path.width()).max().unwrap_or_default();
    let path = longest.clamp(6, (left * 2 / 5).max(6));
    let values = left.saturating_sub(path);
    (path, values / 2, values - values / 2)
}

fn item<'a>(row: &DiffRow, (path, old, new): (usize, usize, usize), theme: &Theme) -> Text<'a> {
    let style = theme.status(match row.mark() {
        "+" => Effective::Ok,
        "-" => Effective::Failed,
        _ => Effective::Stuck,
    });
    let cell = |text: &str, width: usize| {
        let text = fit(text, width, theme);
        format!("{text}{} ", " ".repeat(width.saturating_sub(text.width())))
    };
    let value = |text: &str, there: bool| if there { text.to_owned() } else { "-".to_owned() };
    let name = clean(&row.path);
    let name = keep_end(&name, path, theme);
    Text::from(Line::from(vec![
        Span::styled(format!("{} ", row.mark()), style),
        Span::styled(cell(&name, path), theme.accent()),
        Span::raw(cell(&value(&row.old_text, row.old.is_some()), old)),
        Span::styled(cell(&value(&row.new_text, row.new.is_some()), new).trim_end().to_owned(), style),
    ]))
}

fn draw_selected(row: &DiffRow, theme: &Theme, foot: Rect, buf: &mut Buffer) {
    let width = usize::from(foot.width.saturating_sub(6));
    let line = |y: u16| Rect { y: foot.y + y, height: 1, ..foot }.intersection(foot);
    let path = clean(&row.path);
    let x = put(buf, line(0), foot.x + 1, "path ", theme.dim());
    put(buf, line(0), x, &keep_end(&path, width.saturating_sub(26), theme), theme.title());
    if foot.height < 4 {
        return;
    }
    put(buf, line(1), foot.x + 1, "old ", theme.dim());
    let old = if row.old.is_some() { &row.old_text } else { "-" };
    let new = if row.new.is_some() { &row.new_text } else { "-" };
    put(buf, line(1), foot.x + 5, &fit(old, width, theme), Style::new());
    put(buf, line(2), foot.x + 1, "new ", theme.dim());
    let (pieces, more) = wrap(new, width, 2);
    for (y, piece) in (2..).zip(&pieces) {
        let mark = if more && y == 3 { theme.ellipsis() } else { "" };
        put(buf, line(y), foot.x + 5, &format!("{piece}{mark}"), Style::new());
    }
}

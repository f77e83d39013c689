//! A box over the screen, for choices and prompts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::clear;
use super::frame::{fit, put};
use crate::tui::theme::Theme;

/// Draws an empty box of so many columns and rows inside, as far as there is room, with its title in the upper border;
/// gives the inside.
pub(super) fn draw(title: &str, (width, height): (u16, u16), theme: &Theme, area: Rect, buf: &mut Buffer) -> Rect {
    let (width, height) = ((width + 2).min(area.width), (height + 2).min(area.height));
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 3);
    at(title, Rect { x, y, width, height }, theme, buf)
}

/// The same at the lower left, above a line that is typed.
pub(super) fn draw_at_end(
    title: &str,
    (width, height): (u16, u16),
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let (width, height) = ((width + 2).min(area.width), (height + 2).min(area.height));
    at(title, Rect { x: area.x, y: area.bottom() - height, width, height }, theme, buf)
}

fn at(title: &str, around: Rect, theme: &Theme, buf: &mut Buffer) -> Rect {
    let Rect { width, height, .. } = around;
    clear(around, buf);
    let [line, bar, corners] = if theme.unicode { ["─", "│", "┌┐└┘"] } else { ["-", "|", "++++"] };
    let corner = |at: usize| corners.chars().nth(at).map(String::from).unwrap_or_default();
    let inside = usize::from(width.saturating_sub(2));
    let row = |y: u16| Rect { y, height: 1, ..around };
    for (y, left, right) in [(around.y, 0, 1), (around.bottom().saturating_sub(1), 2, 3)] {
        let border = format!("{}{}{}", corner(left), line.repeat(inside), corner(right));
        put(buf, row(y), around.x, &border, theme.dim());
    }
    for y in around.y + 1..around.bottom().saturating_sub(1) {
        put(buf, row(y), around.x, bar, theme.dim());
        put(buf, row(y), around.right().saturating_sub(1), bar, theme.dim());
    }
    let title = format!(" {} ", fit(title, inside.saturating_sub(4), theme));
    put(buf, row(around.y), around.x + 2, &title, theme.title());
    Rect { x: around.x + 1, y: around.y + 1, width: width.saturating_sub(2), height: height.saturating_sub(2) }
}

/// The style of a line of a choice.
pub(super) fn line_style(theme: &Theme, selected: bool) -> Style {
    if selected { theme.selected() } else { Style::new() }
}

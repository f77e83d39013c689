//! A line that is being typed, with its cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::frame::{columns, keep_end, put};
use crate::model::text::clean;
use crate::tui::app::prompt::Line;
use crate::tui::theme::Theme;

/// Where a line stands on the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    start: u16,
    hidden: u16,
    last: u16,
}

impl Place {
    /// The column of the screen for a place in the line, in bytes.
    pub(super) fn column(self, line: &Line, at: usize) -> u16 {
        let left = line.text().get(..at).map_or(u16::MAX, |left| columns(&clean(left)));
        self.start.saturating_add(left.saturating_sub(self.hidden)).clamp(self.start, self.last.max(self.start))
    }
}

/// Draws the line behind its label and, at the right where there is room, what is said of it.
pub(super) fn draw(
    line: &Line,
    label: &str,
    (said, style): (&str, Style),
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) -> Place {
    let start = put(buf, area, area.x + 1, label, theme.accent());
    let room = usize::from(area.right().saturating_sub(start + 3));
    let (before, behind) = line.halves();
    let (before, behind) = (clean(before), clean(behind));
    // The cursor stays on the screen.
    let shown = keep_end(&before, room, theme);
    let hidden = columns(&before).saturating_sub(columns(&shown));
    let x = put(buf, area, start, &shown, Style::new());
    let mut rest = behind.chars();
    let under = rest.next().unwrap_or(' ').to_string();
    let x = put(buf, area, x, &under, theme.selected());
    let x = put(buf, area, x, rest.as_str(), Style::new());
    let right = area.right().saturating_sub(columns(said) + 1);
    if right > x + 1 {
        put(buf, area, right, said, style);
    }
    Place { start, hidden, last: area.right().saturating_sub(1) }
}

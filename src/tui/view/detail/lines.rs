//! Lines of any height, the selected one always in full view.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Text;
use ratatui::widgets::StatefulWidget;
use tui_tree_widget::{Tree, TreeItem, TreeState};

use super::super::find::mark;
use super::super::flow::plain;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::find::Pattern;
use crate::tui::theme::Theme;

/// Draws `len` lines around the cursor, the hits in them marked; `item` makes one of them, no higher than the area.
pub(super) fn draw<'a>(
    (len, cursor): (usize, Cursor),
    pattern: Option<&Pattern>,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
    item: &dyn Fn(usize) -> Text<'a>,
) {
    let item = |at: usize| {
        let mut text = item(at);
        mark(&mut text, pattern);
        if at == cursor.at {
            text.lines.iter_mut().for_each(plain);
        }
        text
    };
    let rows = usize::from(area.height);
    let at = cursor.at.min(len.saturating_sub(1));
    if rows == 0 || len == 0 {
        return;
    }
    // Upwards from the cursor as far as there is room, but not above the window; then downwards to its end.
    let top = cursor.window(len, rows).start;
    let mut texts = vec![item(at)];
    let mut used = texts[0].height();
    let mut first = at;
    while first > top {
        let text = item(first - 1);
        if used + text.height() > rows {
            break;
        }
        used += text.height();
        first -= 1;
        texts.push(text);
    }
    texts.reverse();
    for next in at + 1..len {
        if used >= rows {
            break;
        }
        let mut text = item(next);
        text.lines.truncate(rows - used);
        used += text.height();
        texts.push(text);
    }
    let items: Vec<TreeItem<'a, usize>> =
        texts.into_iter().enumerate().map(|(i, text)| TreeItem::new_leaf(first + i, text)).collect();
    let Ok(tree) = Tree::new(&items) else { return };
    let tree = tree.highlight_symbol(theme.cursor()).highlight_style(theme.selected()).node_no_children_symbol("");
    let mut widget = TreeState::default();
    widget.select(vec![at]);
    StatefulWidget::render(tree, area, buf, &mut widget);
}

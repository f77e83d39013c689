//! The critical path in words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::frame::{columns, fit, put};
use crate::model::flow::Flow;
use crate::model::text::{clean, duration, whole_percent};
use crate::tui::app::flow::State;
use crate::tui::theme::Theme;

/// Columns from which the largest share is told.
const WIDE: u16 = 100;

/// Draws `critical path: inv moves > job … = 4.21s (100%), most in job … 2.10s`.
pub(super) fn draw(state: &State, flow: &Flow, theme: &Theme, row: Rect, buf: &mut Buffer) {
    let path = &state.path;
    let x = put(buf, row, row.x + 1, "* critical path: ", theme.title());
    if path.chain.is_empty() {
        put(buf, row, x, "no end is recorded", theme.dim());
        return;
    }
    let name = |node: usize| {
        let node = &flow.nodes[node];
        let name = clean(&node.name);
        format!("{} {}", node.kind.short(), name.strip_prefix("event-detector-").unwrap_or(&name))
    };
    let whole = state.overview.end_ms.max(path.took_ms).max(1);
    let part = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let mut took = format!(" = {} ({})", duration(path.took_ms), whole_percent(part(path.took_ms), part(whole)));
    if let Some((node, ms)) = path.largest().filter(|_| row.width >= WIDE) {
        took.push_str(&format!(", most in {} {}", name(node), duration(ms)));
    }
    let room = usize::from(row.right().saturating_sub(x + 1));
    let took = fit(&took, room * 2 / 3, theme);
    let names: Vec<String> = path.chain.iter().map(|&node| name(node)).collect();
    let chain = shortened(&names, room.saturating_sub(usize::from(columns(&took))), theme);
    let x = put(buf, row, x, &chain, Style::new());
    put(buf, row, x, &took, theme.title());
}

/// Names in at most so many columns: where not all have room, those in the middle are left out.
fn shortened(names: &[String], width: usize, theme: &Theme) -> String {
    let whole = names.join(" > ");
    if usize::from(columns(&whole)) <= width || names.len() < 3 {
        return fit(&whole, width, theme).into_owned();
    }
    // As many of the last ones as fit, after the first.
    let first = format!("{} > {}", names[0], theme.ellipsis());
    let mut room = width.saturating_sub(usize::from(columns(&first)));
    let mut from = names.len();
    while let Some(before) = from.checked_sub(1).filter(|&before| before > 0) {
        let needed = usize::from(columns(&names[before])) + 3;
        if needed > room && from < names.len() {
            break;
        }
        room = room.saturating_sub(needed);
        from = before;
    }
    fit(&format!("{first} > {}", names[from..].join(" > ")), width, theme).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_left_out_first() {
        let theme = crate::tui::fixture::PLAIN;
        let names = ["inv a", "evt b", "job c", "inv d", "job e"].map(str::to_owned);
        let shown = |width| shortened(&names, width, &theme);
        assert_eq!(shown(40), "inv a > evt b > job c > inv d > job e");
        assert_eq!(shown(36), "inv a > ~ > job c > inv d > job e");
        assert_eq!(shown(20), "inv a > ~ > job e");
        assert_eq!(shown(10), "inv a > ~~");
        assert_eq!(shown(16), "inv a > ~ > job~");
    }
}

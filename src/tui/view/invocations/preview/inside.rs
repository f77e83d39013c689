//! The events and jobs of the selected invocation, with their times as bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::flow::{Flow, Kind, Node};
use crate::model::invocation::Listed;
use crate::model::status::Effective;
use crate::model::text::{clean, duration, plural};
use crate::tui::app::App;
use crate::tui::app::detail::Diff;
use crate::tui::app::flow::Zoom;
use crate::tui::theme::Theme;
use crate::tui::view::flow::waterfall::{Bar, bar_without_edges};
use crate::tui::view::frame::{columns, fit};

/// Columns of a duration.
const TIME: usize = 9;

/// The columns that an event changed: `status "a" → "b", sla null → 45`.
pub(super) fn changes(diff: &Diff, theme: &Theme) -> String {
    let arrow = if theme.unicode { "→" } else { "->" };
    let value = |text: &str| if text.is_empty() { "-".to_owned() } else { fit(text, 40, theme).into_owned() };
    let one = |row: &crate::tui::app::detail::DiffRow| {
        format!("{} {} {arrow} {}", clean(&row.path), value(&row.old_text), value(&row.new_text))
    };
    // What writers set with every change says nothing beside what else has changed.
    let (noise, telling): (Vec<_>, Vec<_>) = diff.rows.iter().partition(|row| row.path.starts_with("updated_"));
    let shown = if telling.is_empty() { noise } else { telling };
    shown.into_iter().take(8).map(one).collect::<Vec<_>>().join(", ")
}

/// Events with their jobs below them, in their order; where there is no room for all, failures and what runs come first.
pub(super) fn draw(app: &App, theme: &Theme, listed: &Listed, flow: &Flow, area: Rect, buf: &mut Buffer) {
    let now = app.data_time();
    let mut nodes = Vec::new();
    for &event in flow.roots.iter().flat_map(|&root| &flow.nodes[root].children) {
        nodes.push(event);
        nodes.extend(&flow.nodes[event].children);
    }
    let room = usize::from(area.height);
    let all = nodes.len();
    if all > room {
        let is_telling = |&node: &usize| flow.nodes[node].effective != Effective::Ok;
        let kept = room.saturating_sub(1);
        let mut first: Vec<usize> = nodes.iter().copied().filter(is_telling).take(kept).collect();
        let rest = nodes.iter().copied().filter(|node| !is_telling(node)).take(kept - first.len());
        first.extend(rest);
        nodes.retain(|node| first.contains(node));
    }
    let left = all - nodes.len();
    let end = |node: &Node| {
        (node.started_at - listed.invocation.created_at).num_milliseconds() + node.elapsed_ms(now).unwrap_or_default()
    };
    let ends = nodes.iter().map(|&node| end(&flow.nodes[node])).max().unwrap_or_default();
    let span_ms = listed.duration_ms(now).unwrap_or_default().max(ends).max(1);
    let mut y = area.y;
    for &node in &nodes {
        let node = &flow.nodes[node];
        let from = (node.started_at - listed.invocation.created_at).num_milliseconds();
        let bar = Bar::plain(from, end(node), node.effective);
        buf.set_line(area.x + 1, y, &line(app, theme, flow, node, bar, span_ms, area.width - 2), area.width - 2);
        y += 1;
    }
    if y < area.bottom() && left > 0 {
        let mark = theme.glyphs().mark(Effective::NotDetected);
        buf.set_stringn(area.x + 3, y, format!("{mark} {left} more (Enter)"), usize::from(area.width), theme.dim());
    }
}

fn line<'a>(app: &App, theme: &Theme, flow: &Flow, node: &Node, bar_of: Bar, span_ms: i64, width: u16) -> Line<'a> {
    let width = usize::from(width);
    let (names, bars) = if width >= 100 { (42, 16) } else { (32, 14) };
    let indent = if node.kind == Kind::Job { "    " } else { "  " };
    let name = fit(&clean(&node.name), names - indent.len() - 2, theme).into_owned();
    let padding = names.saturating_sub(indent.len() + 2 + usize::from(columns(&name)));
    let grows = node.effective == Effective::Running && node.duration_ms.is_none();
    let time = node.elapsed_ms(app.data_time()).map(duration).unwrap_or_else(|| "-".to_owned());
    let time = time + if grows { ".." } else { "" };
    let mut spans = vec![
        Span::styled(format!("{indent}{} ", theme.glyphs().mark(node.effective)), theme.status(node.effective)),
        Span::raw(format!("{name}{}", " ".repeat(padding))),
        Span::raw(format!("{time:>TIME$}  ")),
    ];
    let window = Zoom { from_ms: 0, span_ms };
    spans.extend(bar_without_edges(Some(bar_of), window, bars, theme));
    let room = width.saturating_sub(names + TIME + 2 + bars + 2);
    let (text, style) = match node.error.as_deref().filter(|error| !error.is_empty()) {
        Some(error) => (clean(error).into_owned(), theme.error()),
        None if node.kind == Kind::Event => (jobs(flow, node), theme.dim()),
        None => (String::new(), Style::new()),
    };
    spans.push(Span::styled(format!("  {}", fit(&text, room, theme)), style));
    Line::from(spans)
}

/// `3 jobs, 1 failed`.
fn jobs(flow: &Flow, event: &Node) -> String {
    let count = |effective: Effective| {
        event.children.iter().filter(|&&child| flow.nodes[child].effective == effective).count() as u64
    };
    let mut text = plural(event.children.len() as u64, "job");
    for effective in [Effective::Failed, Effective::Running, Effective::Stuck] {
        if count(effective) > 0 {
            text.push_str(&format!(", {} {}", count(effective), effective.name()));
        }
    }
    text
}

//! The detectors that were checked when the row changed, beside what changed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::frame::{columns, fit, put, rule};
use crate::model::flow::{Flow, Kind, Node};
use crate::model::status::Effective;
use crate::model::text::{clean, duration, plural};
use crate::tui::app::App;
use crate::tui::msg::{Action, View};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Names of undetected events that are listed at the most.
const MOST_NAMES: usize = 300;

/// Draws them at the right, behind a vertical line.
pub(super) fn draw_beside(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    for y in area.y..area.bottom() {
        put(buf, Rect { y, height: 1, ..area }, area.x, if theme.unicode { "│" } else { "|" }, theme.dim());
    }
    draw(app, theme, Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }, buf);
}

/// Draws them below a horizontal line.
pub(super) fn draw_below(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    rule(theme, Rect { height: 1, ..area }, buf);
    draw(app, theme, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, buf);
}

fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let of = app.detail.of.map(|(_, id)| id);
    let known = app.flow.flow.value.as_ref().and_then(|flow| Some((flow, &flow.nodes[flow.find(of?)?])));
    let row = |y: u16| Rect { y, height: 1, ..area }.intersection(area);
    let Some((flow, node)) = known else {
        put(buf, row(area.y), area.x + 1, "the detectors are known once the flow is read (2)", theme.dim());
        return;
    };
    let events = node.children.iter().map(|&child| &flow.nodes[child]).filter(|child| child.kind == Kind::Event);
    let (hidden, applied): (Vec<&Node>, Vec<&Node>) = events.partition(|event| event.is_undetected());
    let head = format!("DETECTORS  {} checked, {} applied", hidden.len() + applied.len(), applied.len());
    put(buf, row(area.y), area.x + 1, &head, theme.title());
    // The last row tells what has no room; where not all have, the jobs go first.
    let room = usize::from(area.height.saturating_sub(1));
    let folded = usize::from(!hidden.is_empty());
    let mut lines = applied_lines(flow, &applied, true, theme);
    if lines.len() + folded > room {
        lines = applied_lines(flow, &applied, false, theme);
    }
    let shown = if lines.len() + folded <= room { lines.len() } else { room.saturating_sub(1 + folded) };
    let mut y = area.y + 1;
    for (name, how, effective) in &lines[..shown] {
        let right = area.right().saturating_sub(columns(how) + 1);
        let name = fit(name, usize::from(right.saturating_sub(area.x + 3)), theme);
        put(
            buf,
            row(y),
            area.x + 1,
            &name,
            if *effective == Effective::Ok { Style::new() } else { theme.status(*effective) },
        );
        put(buf, row(y), right, how, theme.status(*effective));
        y += 1;
    }
    if shown < lines.len() {
        put(buf, row(y), area.x + 3, &format!("{} more (2 shows the flow)", lines.len() - shown), theme.dim());
        y += 1;
    }
    draw_undetected(app, &hidden, theme, Rect { y, height: area.bottom().saturating_sub(y), ..area }, buf);
}

/// The events that applied, with their jobs where they have room.
fn applied_lines(flow: &Flow, applied: &[&Node], jobs: bool, theme: &Theme) -> Vec<(String, String, Effective)> {
    let mut lines = Vec::new();
    for event in applied {
        lines.push(line(event, 0, theme));
        let below = event.children.iter().filter(|_| jobs).map(|&child| &flow.nodes[child]);
        lines.extend(below.filter(|child| child.kind == Kind::Job).map(|job| line(job, 2, theme)));
    }
    lines
}

/// Mark and name, and how it went: `✗ move.pickup.successful` and `failed 1.20s`.
fn line(node: &Node, indent: usize, theme: &Theme) -> (String, String, Effective) {
    let mark = theme.glyphs().mark(node.effective);
    let took = node.duration_ms.map(|ms| format!(" {}", duration(ms))).unwrap_or_default();
    let how = match (node.kind, node.effective) {
        (Kind::Event, Effective::Ok) => "detected",
        (_, other) => other.name(),
    };
    (format!("{:indent$}{mark} {}", "", clean(&node.name)), format!("{how}{took}"), node.effective)
}

/// Those that did not apply: how many, or their names.
fn draw_undetected(app: &App, hidden: &[&Node], theme: &Theme, area: Rect, buf: &mut Buffer) {
    if hidden.is_empty() || area.height == 0 {
        return;
    }
    let mark = theme.glyphs().mark(Effective::NotDetected);
    let key = app.settings.keys.key_of(View::Detail, Action::Undetected);
    let does = if app.detail.all_shown { "folds" } else { "shows" };
    let text = format!("{mark} {} not detected ({key} {does})", plural(hidden.len() as u64, "event"));
    let width = usize::from(area.width.saturating_sub(2));
    put(buf, Rect { height: 1, ..area }, area.x + 1, &fit(&text, width, theme), theme.dim());
    if !app.detail.all_shown {
        return;
    }
    let names: Vec<_> = hidden.iter().take(MOST_NAMES).map(|node| clean(&node.name)).collect();
    let names = names.join("  ");
    let (rows, more) = wrap(&names, width.saturating_sub(2), usize::from(area.height.saturating_sub(1)));
    let last = rows.len().saturating_sub(1);
    for (i, (y, text)) in (area.y + 1..).zip(rows).enumerate() {
        let cut = if more && i == last { theme.ellipsis() } else { "" };
        let x = put(buf, Rect { y, height: 1, ..area }, area.x + 3, text, theme.dim());
        put(buf, Rect { y, height: 1, ..area }, x, cut, theme.dim());
    }
}

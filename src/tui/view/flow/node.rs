//! The selected node, below the tree.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::find::put_marked;
use super::super::frame::{columns, fit, put};
use crate::model::flow::{Kind, Node};
use crate::model::status::Effective;
use crate::model::text::{clean, clean_lines, duration};
use crate::tui::app::App;
use crate::tui::app::detail::link;
use crate::tui::app::find::Pattern;
use crate::tui::app::groups;
use crate::tui::msg::{Action, View};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

/// Names of undetected events that are listed at the most.
const MOST_NAMES: usize = 200;
/// Characters of an error that are shown.
const MOST_ERROR: usize = 4_000;

/// Draws as much as there is room for.
pub(super) fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let mut rows = Rows { area, y: area.y, theme, pattern: app.flow.find.pattern.as_ref() };
    match (app.flow.node(), app.flow.line()) {
        (Some((flow, node)), _) => draw_node(app, &flow.nodes[node], &mut rows, buf),
        (None, Some(line)) => {
            rows.add(buf, &format!("{} events were checked and did not apply", line.undetected), theme.title());
            let flow = app.flow.flow.value.as_ref();
            let nodes = flow.map(|flow| &flow.nodes).into_iter();
            let names = nodes.flat_map(|nodes| {
                let children = nodes[line.node].children.iter().map(|&child| &nodes[child]);
                children.filter(|child| child.is_undetected()).map(|child| clean(&child.name))
            });
            let names = names.take(MOST_NAMES).collect::<Vec<_>>().join("  ");
            rows.wrapped(buf, &names, theme.dim());
        }
        (None, None) => {}
    }
}

struct Rows<'a> {
    area: Rect,
    y: u16,
    theme: &'a Theme,
    pattern: Option<&'a Pattern>,
}

impl Rows<'_> {
    fn left(&self) -> usize {
        usize::from(self.area.bottom().saturating_sub(self.y))
    }

    fn width(&self) -> usize {
        usize::from(self.area.width.saturating_sub(2))
    }

    fn add(&mut self, buf: &mut Buffer, text: &str, style: Style) {
        if self.left() > 0 {
            let text = fit(text, self.width(), self.theme);
            let row = Rect { y: self.y, height: 1, ..self.area };
            put_marked(buf, row, self.area.x + 1, &text, style, self.pattern);
            self.y += 1;
        }
    }

    fn wrapped(&mut self, buf: &mut Buffer, text: &str, style: Style) {
        let (rows, more) = wrap(text, self.width(), self.left());
        let last = rows.len().saturating_sub(1);
        for (i, row) in rows.into_iter().enumerate() {
            let cut = if more && i == last { format!("{row}{}", self.theme.ellipsis()) } else { row.to_owned() };
            self.add(buf, &cut, style);
        }
    }
}

fn draw_node(app: &App, node: &Node, rows: &mut Rows<'_>, buf: &mut Buffer) {
    let theme = rows.theme;
    let mark = theme.glyphs().mark(node.effective);
    let (line, width) = (Rect { y: rows.y, height: 1, ..rows.area }, rows.width());
    let id = format!("id {}", node.id);
    let name = format!("{mark} {} {}", node.kind.short(), clean(&node.name));
    let room = width.saturating_sub(usize::from(columns(&id)) + 2);
    if room >= 20 {
        put(buf, line, line.right().saturating_sub(columns(&id) + 1), &id, theme.dim());
    }
    rows.add(buf, &fit(&name, if room >= 20 { room } else { width }, theme), theme.title());

    let status = Rect { y: rows.y, height: 1, ..rows.area };
    if rows.left() > 0 {
        let word = match node.effective {
            Effective::NotDetected => "not detected",
            other => other.name(),
        };
        let x = put(buf, status, status.x + 1, word, theme.status(node.effective)) + 2;
        let recorded = if node.status.is_empty() { "nothing" } else { &*node.status };
        let said = node.reason.clone().unwrap_or_else(|| format!("recorded {recorded}"));
        let like = same_error(app, node);
        let room = status.right().saturating_sub(x + columns(&like) + 2);
        let x = put(buf, status, x, &fit(&clean(&said), usize::from(room), theme), Style::new());
        put(buf, status, x + 2, &like, theme.dim());
        rows.y += 1;
    }
    rows.add(buf, &times(app, node), Style::new());
    if node.back_reference {
        let key = app.settings.keys.key_of(View::Flow, Action::Right);
        rows.add(buf, &format!("loops back to this invocation further up: {key} goes there"), theme.title());
    } else if let Some(link) = link(node) {
        rows.add(buf, &format!("caused by {link}"), theme.dim());
    }
    let own = node.error.as_deref().filter(|error| !error.is_empty());
    let Some(error) = own.or_else(|| cause(app, rows, buf)) else { return };
    let end = error.char_indices().nth(MOST_ERROR).map_or(error.len(), |(end, _)| end);
    for line in clean_lines(&error[..end]).filter(|line| !line.trim().is_empty()) {
        if rows.left() == 0 {
            return;
        }
        rows.wrapped(buf, line.trim_end(), theme.error());
    }
}

/// How many failures are known to be like this one, and the key that leads to them.
fn same_error(app: &App, node: &Node) -> String {
    if node.effective != Effective::Failed {
        return String::new();
    }
    let key = app.settings.keys.key_of(View::Flow, Action::Fingerprint);
    match app.flow.node().and_then(|(_, node)| groups::like(app, node)) {
        Some((count, range)) => format!("({count}x in {range}: {key} lists them)"),
        None => format!("({key}: failures like it)"),
    }
}

/// Says which node below made this one fail, and gives its error.
fn cause<'a>(app: &'a App, rows: &mut Rows<'_>, buf: &mut Buffer) -> Option<&'a str> {
    let (flow, index) = app.flow.node()?;
    let overview = &app.flow.overview;
    let (failure, wrapped) = overview.failure_from(Some(index), true)?;
    let cause = *overview.failures.get(failure).filter(|_| !wrapped)?;
    // Among the ancestors of the next failure in the order of the tree, if this one failed because of it.
    let mut above = flow.nodes[cause].parent;
    while above.is_some_and(|above| above != index && flow.nodes[above].kind != Kind::Invocation) {
        above = flow.nodes[above?].parent;
    }
    let node = &flow.nodes[cause];
    if above != Some(index) || flow.nodes[index].effective != Effective::Failed {
        return None;
    }
    let key = app.settings.keys.key_of(View::Flow, Action::NextFailure);
    rows.add(buf, &format!("cause: {} {}   ({key} goes there)", node.kind.short(), clean(&node.name)), Style::new());
    node.error.as_deref()
}

fn times(app: &App, node: &Node) -> String {
    let day = if (app.now - node.started_at).num_hours().abs() >= 24 { "%Y-%m-%d " } else { "" };
    let at = app.shown(node.started_at, &format!("{day}%H:%M:%S%.3f")).to_string();
    let from = app.flow.overview.offset_ms(node.started_at);
    let took = match (node.duration_ms, node.effective, node.elapsed_ms(app.data_time())) {
        (Some(ms), ..) => format!("took {}", duration(ms)),
        (None, Effective::Running, Some(ms)) => format!("runs for {}", duration(ms)),
        (None, _, Some(ms)) => format!("no end recorded in {}", duration(ms)),
        (None, _, None) => "no duration recorded".to_owned(),
    };
    let (line, now_ms) = (app.flow.line().map_or(0, |line| line.node), app.flow.overview.offset_ms(app.data_time()));
    let span = app.flow.times.get(line);
    let mut sums = String::new();
    if let Some(ms) = node.detection_ms.filter(|_| node.detected == Some(true)) {
        sums.push_str(&format!("   detection {}", duration(ms)));
    }
    let waited = span.from_ms - span.ready_ms;
    if waited > 0 && !node.back_reference {
        sums.push_str(&format!("   waited {}", duration(waited)));
    }
    for (name, ms, grows) in
        [("self", span.self_ms(now_ms), span.self_grows()), ("total", span.total_ms(now_ms), span.runs_below)]
    {
        if let Some(ms) = ms.filter(|_| !node.back_reference) {
            sums.push_str(&format!("   {name} {}{}", duration(ms), if grows { ".." } else { "" }));
        }
    }
    if let Some(ms) = app.flow.path.share_ms(line).filter(|_| app.flow.path_on && !node.back_reference) {
        sums.push_str(&format!("   * {} of the critical path", duration(ms)));
    }
    let trigger = match node.kind {
        Kind::Invocation if !node.trigger.is_empty() => format!("   by {}", clean(&node.trigger)),
        _ => String::new(),
    };
    format!("started {at}{} (+{})   {took}{sums}{trigger}", app.zone(), duration(from))
}

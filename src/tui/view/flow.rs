//! The tree of one cascade.
//!
//! ```text
//!  corr moves.550e8400-…            started …   took 4.21s
//!  4 invocations  9 events (+12 not detected)  8 jobs  2 failed  1 running
//!  NODE                             STATUS    SELF     TOTAL  |0s        4.21s|
//!  tree                             of the window only, columns aligned by us
//!  (critical path: inv … > job … = 4.21s)
//!  ----
//!  the selected node
//! ```

mod head;
mod node;
mod path;
pub(super) mod waterfall;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line as TextLine, Span};
use ratatui::widgets::StatefulWidget;
use tui_tree_widget::{Tree, TreeItem, TreeState};
use unicode_width::UnicodeWidthStr;

use super::find;
use super::frame::{fit, put, rule};
use crate::model::flow::{Flow, Glyphs, Line};
use crate::model::invocation::Link;
use crate::model::status::Effective;
use crate::model::text::{clean, duration};
use crate::tui::app::App;
use crate::tui::app::flow::{Layout, Replay, State};
use crate::tui::msg::{Action, View};
use crate::tui::theme::Theme;
use crate::tui::wrap::wrap;

const STATUS: usize = 5;
const TIME: usize = 8;

/// Draws the body of the screen.
pub fn draw(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.flow;
    let Some(flow) = &state.flow.value else { return draw_nothing(state, theme, area, buf) };
    let layout = Layout::of(area.height, state.path_on);
    let part = |y: u16, height: u16| Rect { y: area.y + y, height, ..area }.intersection(area);
    if app.zoomed {
        return node::draw(app, theme, area, buf);
    }
    let columns = Columns::of(usize::from(area.width), state.waterfall_off);
    head::draw(app, flow, theme, part(0, layout.head), buf);
    draw_heads(app, &columns, theme, part(layout.head, 1), buf);
    draw_tree(app, flow, &columns, theme, part(layout.head + 1, layout.tree), buf);
    if layout.path > 0 {
        path::draw(state, flow, theme, part(layout.head + 1 + layout.tree, 1), buf);
    }
    if layout.pane > 0 {
        let pane = area.height - layout.pane;
        rule(theme, part(pane, 1), buf);
        node::draw(app, theme, part(pane + 1, layout.pane - 1), buf);
    }
}

fn draw_nothing(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let (text, style) = match (&state.flow.error, state.flow.is_loading()) {
        (Some(error), _) => (clean(error), theme.error()),
        (None, true) => ("reading the cascade".into(), theme.dim()),
        (None, false) => ("no cascade is open: Enter on a row of the list opens one".into(), theme.dim()),
    };
    let width = usize::from(area.width.saturating_sub(2));
    for (y, row) in (area.y + 1..area.bottom()).zip(wrap(&text, width, usize::from(area.height)).0) {
        buf.set_stringn(area.x + 1, y, row, width, style);
    }
}

/// Widths of the columns; 0 for one that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    tree: usize,
    own: usize,
    start: usize,
    bars: usize,
    short: bool,
}

impl Columns {
    fn of(width: usize, waterfall_off: bool) -> Self {
        let bars = match width {
            _ if waterfall_off => 0,
            0..70 => 0,
            70..100 => 22,
            _ => width * 3 / 10,
        };
        let own = if width >= 100 { TIME } else { 0 };
        let start = if width >= 140 || bars == 0 && width >= 60 { TIME } else { 0 };
        // The cursor, a gap before every column, two before the bars.
        let gap = |column: usize, gap: usize| if column > 0 { column + gap } else { 0 };
        let others = 1 + gap(STATUS, 1) + gap(own, 1) + gap(TIME, 1) + gap(start, 1) + gap(bars, 2);
        Self { tree: width.saturating_sub(others), own, start, bars, short: width < 100 }
    }
}

fn draw_heads(app: &App, columns: &Columns, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let place = format!("NODE {}/{}", app.flow.cursor.at + 1, app.flow.lines.len());
    let mut heads = format!(" {place:<0$} {1:<STATUS$}", columns.tree, "ST");
    for (width, head) in [(columns.own, "SELF"), (TIME, "TOTAL"), (columns.start, "START")] {
        if width > 0 {
            heads.push_str(&format!(" {head:>width$}"));
        }
    }
    let x = put(buf, area, area.x, &heads, theme.title());
    if columns.bars > 0 {
        let axis = waterfall::axis(columns.bars - 2, app.flow.window(app.flow.overview.axis_ms(app.data_time())));
        put(buf, area, x + 3, &fit(&axis, columns.bars - 2, theme), theme.dim());
    }
}

fn draw_tree(app: &App, flow: &Flow, columns: &Columns, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let state = &app.flow;
    let window = state.cursor.window(state.lines.len(), usize::from(area.height));
    // Levels that fit into half of the tree's columns; in deeper places the outer ones are left out.
    let levels = (columns.tree / 4).max(2);
    let deep = state.line().map_or(0, |line| line.depth.saturating_sub(levels));
    let hidden = deep.div_ceil(levels / 2) * (levels / 2);
    let first = window.start;
    let items: Vec<TreeItem<'_, usize>> = (state.lines[window].iter().enumerate())
        .map(|(row, line)| {
            let mut text = text_of(app, flow, line, columns, (hidden, levels), theme);
            if first + row == state.cursor.at {
                plain(&mut text);
            }
            TreeItem::new_leaf(first + row, text)
        })
        .collect();
    let Ok(tree) = Tree::new(&items) else { return };
    let tree = tree.highlight_symbol(theme.cursor()).highlight_style(theme.selected()).node_no_children_symbol("");
    let mut widget = TreeState::default();
    widget.select(vec![state.cursor.at]);
    StatefulWidget::render(tree, area, buf, &mut widget);
}

fn text_of<'a>(
    app: &App,
    flow: &Flow,
    line: &Line,
    columns: &Columns,
    (hidden, levels): (usize, usize),
    theme: &Theme,
) -> TextLine<'a> {
    let glyphs = theme.glyphs();
    let node = &flow.nodes[line.node];
    let folded = line.undetected > 0;
    let effective = if folded { Effective::NotDetected } else { node.effective };
    let guides = line.guides_from(hidden, levels, &app.flow.lines, glyphs);
    let mut label = line.label(flow, glyphs);
    let room = columns.tree.saturating_sub(guides.width());
    if columns.short || label.width() > room {
        label = label.replacen(" event-detector-", &format!(" {}", theme.ellipsis()), 1);
    }
    let hidden = hidden_below(app, line, glyphs);
    let room = room.saturating_sub(hidden.width());
    if label.width() > room {
        // What is odd about the link stays to be seen.
        let tail = match node.link {
            _ if folded => "",
            _ if node.back_reference => glyphs.back,
            Some(Link::Inferred) if node.missing_parent.is_none() => glyphs.inferred,
            _ => "",
        };
        let cut = fit(&label, room.saturating_sub(tail.width()), theme);
        label = format!("{cut}{tail}");
    }
    let label = fit(&label, room, theme).into_owned();
    let padding = " ".repeat(room.saturating_sub(label.width()));
    let mark = label.find(' ').unwrap_or(label.len());
    let status = theme.status(effective);
    let dim = effective == Effective::NotDetected || node.back_reference;
    let mut spans = vec![Span::styled(guides, theme.dim()), Span::styled(label[..mark].to_owned(), status)];
    let style = if dim { theme.dim() } else { Style::new() };
    let pattern = app.flow.find.pattern.as_ref();
    let mut named = find::spans(&label[mark..], style, pattern);
    if named.len() == 1 && pattern.is_some() && !folded && app.flow.is_hit(line.node) {
        // Its error or its id is hit, or a part of the name that is not shown.
        named = vec![Span::raw(" "), Span::styled(label[mark..].trim_start().to_owned(), find::hit(style))];
    }
    spans.extend(named);
    spans.push(Span::styled(hidden, theme.title()));
    spans.push(Span::raw(padding));
    let word = if node.back_reference { "" } else { Theme::word(effective) };
    // What stands further up, or for many, has no time of its own.
    let timed = !folded && !node.back_reference;
    let on_path = timed && app.flow.path_on && app.flow.path.contains(line.node);
    spans.push(Span::styled(if on_path { "*" } else { " " }, theme.title()));
    spans.push(Span::styled(format!("{word:<STATUS$}"), status));
    let times = Shown::of(app, flow, line);
    let cell = |text: &str| format!(" {:>TIME$}", fit(text, TIME, theme));
    if columns.own > 0 {
        spans.push(Span::raw(cell(&times.own)));
    }
    spans.push(Span::raw(cell(&times.total)));
    let overview = &app.flow.overview;
    let span = app.flow.times.get(line.node);
    if columns.start > 0 {
        let start = if timed { format!("+{}", duration(span.from_ms)) } else { String::new() };
        spans.push(Span::styled(cell(&start), theme.dim()));
    }
    if columns.bars > 0 {
        let (axis_ms, now_ms) = (overview.axis_ms(app.data_time()), overview.offset_ms(app.data_time()));
        let bar = timed.then(|| waterfall::Bar::of(&span, effective, axis_ms, now_ms, on_path));
        spans.push(Span::raw("  "));
        spans.extend(waterfall::bar(bar, app.flow.window(axis_ms), columns.bars - 2, theme));
    }
    TextLine::from(spans)
}

/// What a closed line hides: ` [+3]` nodes, ` [+15 2✗]` of them causes of failure.
fn hidden_below(app: &App, line: &Line, glyphs: &Glyphs) -> String {
    if line.undetected > 0 || line.open != Some(false) {
        return String::new();
    }
    match app.flow.overview.below(line.node) {
        (0, _) => String::new(),
        (all, 0) => format!(" [+{all}]"),
        (all, failed) => format!(" [+{all} {failed}{}]", glyphs.mark(Effective::Failed)),
    }
}

/// The selected line has no colours of its own, as in the list: reversed, they would be blocks of colour.
pub(super) fn plain(line: &mut TextLine<'_>) {
    for span in &mut line.spans {
        (span.style.fg, span.style.bg) = (None, None);
    }
}

/// The times of a line: `4.2s..` while they grow, `16m04s?` when nobody knows whether they still do.
struct Shown {
    own: String,
    total: String,
}

impl Shown {
    fn of(app: &App, flow: &Flow, line: &Line) -> Self {
        let node = &flow.nodes[line.node];
        let growing = |ms: i64, grows: bool| duration(ms) + if grows { ".." } else { "" };
        if line.undetected > 0 {
            let hidden = node.children.iter().map(|&child| &flow.nodes[child]).filter(|child| child.is_undetected());
            let sum = hidden.filter_map(|child| child.duration_ms).fold(0_i64, |sum, ms| sum.saturating_add(ms.max(0)));
            return Self { own: duration(sum), total: duration(sum) };
        }
        if node.back_reference {
            return Self { own: String::new(), total: String::new() };
        }
        let span = app.flow.times.get(line.node);
        let now_ms = app.flow.overview.offset_ms(app.data_time());
        let own = span.self_ms(now_ms).map(|ms| growing(ms, span.self_grows())).unwrap_or_default();
        let total = match span.total_ms(now_ms) {
            Some(ms) => growing(ms, span.runs_below),
            None => node.elapsed_ms(app.data_time()).map(|ms| duration(ms) + "?").unwrap_or_default(),
        };
        Self { own, total }
    }
}

/// What the bars mean, and which part of the time they show; where there is no room for them, the selected node.
pub(super) fn summary(app: &App, theme: &Theme) -> String {
    let state = &app.flow;
    if let Some(replay) = &state.replay {
        return replay_bar(app, replay, theme);
    }
    if Layout::of(app.body_rows(), state.path_on).pane == 0 {
        return selected(app);
    }
    if state.flow.value.is_none() || state.waterfall_off || app.size.0 < 70 {
        return String::new();
    }
    let legend = waterfall::legend(theme);
    let Some(zoom) = state.zoom else { return legend };
    let end = duration(zoom.from_ms.saturating_add(zoom.span_ms));
    let whole = duration(state.overview.axis_ms(app.data_time()));
    format!("{}-{end} of {whole}   {legend}", duration(zoom.from_ms))
}

/// `job sendNotification: TwilioError: 21610`, where nothing else tells it.
fn selected(app: &App) -> String {
    let Some((flow, node)) = app.flow.node() else { return String::new() };
    let node = &flow.nodes[node];
    let error = node.error.as_deref().and_then(|error| error.lines().find(|line| !line.trim().is_empty()));
    let why = error.or(node.reason.as_deref()).map(|why| format!(": {}", clean(why))).unwrap_or_default();
    format!("{} {}{why}", node.kind.short(), clean(&node.name))
}

/// Columns of the bar that tells how far a replay is, where there is room.
const REPLAY: usize = 20;

/// `REPLAY =====..... 12/40  plays  +80ms  12:04:29.520Z   , . step  Space stops  R ends`
fn replay_bar(app: &App, replay: &Replay, theme: &Theme) -> String {
    let (at, all) = (replay.at + 1, replay.moments.len());
    let done = (REPLAY * at / all.max(1)).min(REPLAY);
    let glyph = if theme.unicode { ("━", "┄") } else { ("=", ".") };
    let bar = format!("{}{} ", glyph.0.repeat(done), glyph.1.repeat(REPLAY - done));
    let bar = if app.size.0 >= 60 { bar } else { String::new() };
    let time = replay.moment().map(|moment| app.shown(moment, "%H:%M:%S%.3f").to_string()).unwrap_or_default();
    let after =
        replay.moment().zip(replay.moments.first()).map_or(0, |(moment, first)| (moment - *first).num_milliseconds());
    let key = |action| app.settings.keys.key_of(View::Flow, action);
    let (plays, does) = if replay.next_at.is_some() { ("plays", "stops") } else { ("stopped", "plays") };
    let keys = format!(
        "{} {} step  {} {does}  {} ends",
        key(Action::ReplayBack),
        key(Action::ReplayForward),
        key(Action::ReplayPlay),
        key(Action::Replay)
    );
    format!("REPLAY {bar}{at}/{all}  {plays}  +{}  {time}{}   {keys}", duration(after), app.zone())
}

#[cfg(test)]
mod tests;

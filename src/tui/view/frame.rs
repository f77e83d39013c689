//! Header, banner, message row and keys: what surrounds every screen. And small drawing tools for all of them.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::SMALLEST;
use crate::model::correlation;
use crate::model::invocation::Server;
use crate::model::status::Effective;
use crate::model::text::{age, clean};
use crate::tui::app::live::Listening;
use crate::tui::app::{App, Connection};
use crate::tui::msg::{Action, View};
use crate::tui::theme::Theme;

/// The rows of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRows {
    /// One or two rows.
    pub header: Rect,
    /// One row, or none.
    pub banner: Rect,
    /// The screen.
    pub body: Rect,
    /// One row.
    pub rule: Rect,
    /// One row.
    pub message: Rect,
    /// One row.
    pub keys: Rect,
}

/// Divides the screen.
#[must_use]
pub fn rows(app: &App, area: Rect) -> FrameRows {
    let mut y = area.y;
    let mut take = |height: u16| {
        let rect = Rect { x: area.x, y, width: area.width, height }.intersection(area);
        y += height;
        rect
    };
    FrameRows {
        header: take(if app.is_tall() { 2 } else { 1 }),
        banner: take(u16::from(app.has_banner())),
        body: take(app.body_rows()),
        rule: take(1),
        message: take(1),
        keys: take(1),
    }
}

/// The terminal is too small for anything else.
pub fn too_small(area: Rect, buf: &mut Buffer) {
    let lines = [
        "too small".to_owned(),
        format!("{}x{}, needs {}x{}", area.width, area.height, SMALLEST.0, SMALLEST.1),
        "press q twice to leave".to_owned(),
    ];
    let top = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(0)) / 2;
    for (y, line) in (top..area.height).zip(lines) {
        let x = area.width.saturating_sub(columns(&line)) / 2;
        buf.set_stringn(x, y, line, usize::from(area.width), Style::new());
    }
}

/// Program, place, database, connection and time.
pub fn header(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let line = Rect { height: 1, ..area };
    let (state, style) = connection(app, theme);
    let clock = format!("{}{}", app.shown(app.now, "%H:%M:%S"), app.zone());
    let mut right = area.right().saturating_sub(columns(&clock) + 1);
    put(buf, line, right, &clock, Style::new());
    right = right.saturating_sub(columns(&state) + 2);
    put(buf, line, right, &state, style);
    let server = server(app);
    if !server.is_empty() {
        right = right.saturating_sub(columns(&server) + 2);
        let style = match &app.server {
            _ if lost(app).is_some() => theme.status(Effective::Failed),
            Server { may_write: true, .. } => theme.status(Effective::Stuck),
            Server { replica: true, .. } | Server { tls: Some(false), .. } => theme.title(),
            Server { .. } => theme.dim(),
        };
        put(buf, line, right, &server, style);
    }
    let crumbs = breadcrumbs(app);
    let mut x = area.x + 1;
    if area.width >= 80 {
        x = put(buf, line, x, "obs-tui", theme.title()) + 2;
    }
    let room = usize::from(right.saturating_sub(x + 2));
    x = put(buf, line, x, &keep_end(&crumbs, room, theme), Style::new());
    let database = clean(&app.settings.database);
    if x + columns(&database) + 4 <= right {
        put(buf, line, right - columns(&database) - 2, &database, theme.dim());
    }
    if area.height > 1 {
        tabs(app, theme, Rect { y: area.y + 1, height: 1, ..area }, buf);
    }
}

fn tabs(app: &App, theme: &Theme, line: Rect, buf: &mut Buffer) {
    for (view, x, text) in tab_texts() {
        let style = if app.view == view && !app.is_covered() { theme.selected() } else { theme.dim() };
        put(buf, line, line.x + x, &text, style);
    }
}

/// Screens with a number: where each stands in the second line, and its text.
fn tab_texts() -> impl Iterator<Item = (View, u16, String)> {
    let mut x = 1;
    View::NUMBERED.into_iter().zip(1..).map(move |(view, number)| {
        let text = format!("{number} {}", name(view));
        let at = x;
        x += columns(&text) + 2;
        (view, at, text)
    })
}

/// The screen whose number and name stand there.
#[must_use]
pub fn tab_at(app: &App, column: u16, row: u16) -> Option<View> {
    let mut tabs = tab_texts().filter(|_| app.is_tall() && row == 1);
    tabs.find(|(_, x, text)| (*x..x + columns(text)).contains(&column)).map(|(view, _, _)| view)
}

fn name(view: View) -> &'static str {
    match view {
        View::Invocations => "Invocations",
        View::Flow => "Flow",
        View::Logs => "Logs",
        View::Charts => "Charts",
        View::Jobs => "Jobs",
        View::Failures => "Failures",
        View::Detail => "Detail",
        View::Compare => "Compare",
    }
}

/// The way here: `Invocations > moves.550e8400 > Flow`.
fn breadcrumbs(app: &App) -> String {
    let mut crumbs: Vec<Cow<'static, str>> = Vec::new();
    for view in app.back.iter().copied().chain([app.view]) {
        if view == View::Flow
            && let Some(chain) = app.flow.overview.correlation_id.as_deref()
        {
            crumbs.push(short_correlation(chain).into());
        }
        if view == View::Logs
            && let Some(subject) = &app.logs.subject
        {
            crumbs.push(clean(&subject.name).into_owned().into());
        }
        crumbs.push(name(view).into());
    }
    if app.zoomed {
        crumbs.push("alone".into());
    }
    if app.help.is_some() {
        crumbs.push("Help".into());
    }
    crumbs.extend(super::overlay::name(app).map(Cow::from));
    crumbs.join(" > ")
}

fn connection(app: &App, theme: &Theme) -> (String, Style) {
    match &app.connection {
        Connection::Offline { .. } => ("OFFLINE".to_owned(), theme.error()),
        Connection::Refused { login: true, .. } => ("REFUSED".to_owned(), theme.error()),
        Connection::Refused { .. } => ("NO DATABASE".to_owned(), theme.error()),
        _ if !app.live => ("PAUSED".to_owned(), theme.title()),
        Connection::Connecting => ("CONNECTING".to_owned(), theme.dim()),
        Connection::Online if app.listening == Listening::Told => ("LIVE".to_owned(), theme.accent()),
        Connection::Online => (format!("LIVE {}", age(app.settings.poll_every)), theme.accent()),
    }
}

/// `ro` where the server itself refuses to write, though the role may where that is said, `replica 4s` on a standby that
/// is so far behind.
fn server(app: &App) -> String {
    let mut text = String::new();
    if !matches!(app.connection, Connection::Online | Connection::Connecting) {
        return text;
    }
    if let Some(lost) = lost(app) {
        text.push_str(&format!("{lost} lost "));
    }
    if app.server.replica {
        text.push_str("replica ");
        text.push_str(&app.server.lag.map_or_else(|| "?".to_owned(), age));
        text.push(' ');
    }
    if app.server.read_only {
        text.push_str("ro ");
    }
    if app.server.may_write {
        text.push_str("(role may write) ");
    }
    text.push_str(app.server.tls.map_or("", |tls| if tls { "tls" } else { "no tls" }));
    text.trim_end().to_owned()
}

/// How many records are missing in the range of the list: the messages say which.
fn lost(app: &App) -> Option<u64> {
    app.messages.losses.as_ref()?.records().filter(|&records| records > 0)
}

/// Says that the database cannot be reached, since when, how old what is shown is, and what happens next.
pub fn banner(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let time = |at| app.shown(at, "%H:%M:%S").to_string();
    let text = match &app.connection {
        Connection::Offline { since, error, attempt, retry_at } => {
            let next = match retry_at {
                _ if !app.live => "paused (r tries now)".to_owned(),
                Some(at) => format!("attempt {} at {} (r now)", attempt + 1, time(*at)),
                None => "trying".to_owned(),
            };
            let shown = match app.invocations.rows.loaded_at {
                Some(at) => format!("data as of {}", time(at)),
                None => format!("since {}", time(*since)),
            };
            let what = if area.width < 60 { "OFFLINE" } else { "DATABASE UNREACHABLE" };
            format!("!! {what}: {shown}; {next}. {}", clean(error))
        }
        Connection::Refused { error, login: true } => {
            let what = if area.width < 60 { "REFUSED" } else { "DATABASE REFUSES" };
            format!("!! {what} (P: another password, r: try again). {}", clean(error))
        }
        Connection::Refused { error, .. } => format!("!! NO DATABASE (r: try again). {}", clean(error)),
        _ => return,
    };
    buf.set_style(area, theme.banner());
    put(buf, area, area.x, &fit(&text, usize::from(area.width), theme), theme.banner());
}

/// A horizontal line.
pub fn rule(theme: &Theme, area: Rect, buf: &mut Buffer) {
    put(buf, area, area.x, &theme.rule().repeat(usize::from(area.width)), theme.dim());
}

/// What was said last, else the screen's own summary; at the right end the keys of an unfinished chord.
pub fn message(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    if app.login.is_some() {
        let x = put(buf, area, area.x + 1, "password (not shown)> ", theme.accent());
        put(buf, area, x, " ", theme.selected());
        return;
    }
    let (text, style) = match &app.note {
        Some(note) if note.is_error => (clean(&note.text).into_owned(), theme.error()),
        Some(note) => (clean(&note.text).into_owned(), theme.title()),
        None if app.help.is_some() && app.help_search.is_some() => {
            if let Some(line) = &app.help_search {
                let said = ("a word of what a key does", theme.dim());
                super::prompt::draw(line, "search the help> ", said, theme, area, buf);
            }
            (String::new(), Style::new())
        }
        None if super::overlay::typed(app, theme, area, buf) => (String::new(), Style::new()),
        None if app.is_covered() => (String::new(), Style::new()),
        None if app.view == View::Invocations => (super::invocations::summary(app), Style::new()),
        None if super::find::draw(app, theme, area, buf) => (String::new(), Style::new()),
        None if app.view == View::Flow => (super::flow::summary(app, theme), theme.dim()),
        None => (String::new(), Style::new()),
    };
    put(buf, area, area.x + 1, &fit(&text, usize::from(area.width.saturating_sub(6)), theme), style);
    if let Some(crossterm::event::KeyCode::Char(first)) = app.pending.map(|key| key.code) {
        put(buf, area, area.right().saturating_sub(4), &format!("{first}{}", theme.ellipsis()), theme.accent());
    }
}

/// The most important keys of the screen, as many as fit.
pub fn keys(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let entries = if app.help.is_some() && app.help_search.is_some() {
        vec![("Esc".to_owned(), "all keys"), ("Enter".to_owned(), "close")]
    } else if app.help.is_some() {
        let key_of = |action| app.settings.keys.key_of(app.view, action);
        let pair = |a, b| format!("{}/{}", key_of(a), key_of(b));
        let back = key_of(Action::Back);
        vec![
            (pair(Action::Down, Action::Up), "scroll"),
            (pair(Action::PageDown, Action::PageUp), "page"),
            ("/".to_owned(), "search"),
            (back, "close"),
        ]
    } else if app.overlay.is_some() {
        super::overlay::keys(app)
    } else if let Some(keys) = prompt_keys(app) {
        keys.iter().map(|&(key, label)| (key.to_owned(), label)).collect()
    } else {
        app.settings.keys.footer(app.view)
    };
    let width = |entry: &(String, &str)| columns(&entry.0) + columns(entry.1) + 3;
    let end = area.right();
    // Help and the way out always fit: they stand at the end of the table.
    let always = entries.len().saturating_sub(2);
    let reserved: u16 = entries[always..].iter().map(width).sum();
    let mut x = area.x + 1;
    for (i, entry) in entries.iter().enumerate() {
        let room = if i < always { end.saturating_sub(reserved) } else { end + 2 };
        if x + width(entry) > room {
            continue;
        }
        x = put(buf, area, x, &entry.0, theme.accent());
        x = put(buf, area, x + 1, entry.1, Style::new()) + 2;
    }
}

/// The keys of the line that is typed on the screen; nothing when none is.
fn prompt_keys(app: &App) -> Option<&'static [(&'static str, &'static str)]> {
    let filter = app.filter.prompt.as_ref().filter(|_| app.view == View::Invocations);
    let finds = crate::tui::app::find::of(app).is_some_and(|find| find.prompt.is_some());
    match filter.map(|prompt| prompt.chosen) {
        _ if app.login.is_some() => Some(&[("Enter", "send"), ("Esc", "give up")]),
        Some(Some(_)) => Some(&[("Tab/S-Tab", "choose"), ("Enter", "take"), ("Esc", "leave")]),
        Some(None) => Some(&[("Tab", "complete"), ("Up", "earlier ones"), ("Enter", "filter"), ("Esc", "leave")]),
        None if finds => Some(&[("Enter", "find"), ("Esc", "end")]),
        None => None,
    }
}

/// Writes into one row from column `x` on, never beyond the area; gives the column after the text.
pub fn put(buf: &mut Buffer, row: Rect, x: u16, text: &str, style: Style) -> u16 {
    if row.height == 0 || x >= row.right() {
        return x;
    }
    buf.set_stringn(x, row.y, text, usize::from(row.right() - x), style).0
}

/// Columns of a text.
#[must_use]
pub fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text in at most so many columns, its cut-off end marked.
#[must_use]
pub fn fit<'a>(text: &'a str, width: usize, theme: &Theme) -> Cow<'a, str> {
    if text.len() <= width || text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(theme.ellipsis().width());
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used > room
        })
        .map_or(text.len(), |(at, _)| at);
    let mark = if width == 0 { "" } else { theme.ellipsis() };
    Cow::Owned(format!("{}{mark}", &text[..end]))
}

/// The text in at most so many columns, its cut-off beginning marked.
#[must_use]
pub fn keep_end<'a>(text: &'a str, width: usize, theme: &Theme) -> Cow<'a, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(theme.ellipsis().width());
    let mut used = 0;
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        start = at;
    }
    let mark = if width == 0 { "" } else { theme.ellipsis() };
    Cow::Owned(format!("{mark}{}", &text[start..]))
}

/// A correlation id, short: the name and eight digits of the id.
#[must_use]
pub fn short_correlation(text: &str) -> String {
    let (name, id) = correlation::split(text);
    let id = id.map(|id| correlation::short_id(id, 8));
    clean(&[name, id].into_iter().flatten().collect::<Vec<_>>().join(".")).into_owned()
}

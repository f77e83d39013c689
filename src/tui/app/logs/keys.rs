//! What keys do to the log lines.

use serde_json::json;

use super::{App, Key, State, ask, ask_once, fields, rows};
use crate::logs::{Level, LogLine};
use crate::model::time;
use crate::tui::app::Load;
use crate::tui::msg::{Action, Cmd, Copied, Form};

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    match action {
        Action::Down => down(app, 1),
        Action::Up => up(app, 1),
        Action::HalfDown => down(app, rows::height(app) / 2),
        Action::HalfUp => up(app, rows::height(app) / 2),
        Action::PageDown => down(app, rows::height(app)),
        Action::PageUp => up(app, rows::height(app)),
        Action::First | Action::Origin => to(app, 0),
        Action::Last | Action::Follow => {
            to(app, usize::MAX);
            app.logs.follow = app.logs.running;
        }
        Action::NextFailure | Action::PreviousFailure => {
            to_level(app, Level::Error, action == Action::NextFailure);
        }
        Action::NextWarning | Action::PreviousWarning => {
            to_level(app, Level::Warn, action == Action::NextWarning);
        }
        Action::OnlyHits => keep_hits(app),
        Action::Open | Action::FoldToggle => {
            let is_open = app.logs.line().is_some_and(|(key, _)| app.logs.open.contains_key(&key));
            fold(app, !is_open);
        }
        Action::Right => fold(app, true),
        Action::Left => fold(app, false),
        Action::FoldAll => {
            app.logs.open.clear();
            settle(app);
        }
        Action::Wrap => {
            app.logs.wrap = !app.logs.wrap;
            app.say(if app.logs.wrap { "long lines are wrapped" } else { "long lines are cut" });
            settle(app);
        }
        Action::Reveal => reveal(app),
        Action::LogLevel => next_level(app),
        Action::LogScope => return toggle_scope(app),
        Action::Logs | Action::Refresh => return ask_once(app),
        Action::TimeZone => next_time(app),
        Action::CopyValue | Action::CopyRow => return copy(app, action == Action::CopyRow),
        Action::CopyCorrelation => return copy_correlation(app),
        Action::CopyLink => return copy_link(app),
        _ => {}
    }
    Vec::new()
}

/// Keeps the selection on the screen.
pub(super) fn settle(app: &mut App) {
    app.logs.top = rows::window(app, app.size.0, rows::height(app));
}

pub(super) fn to(app: &mut App, index: usize) {
    app.logs.follow = false;
    app.logs.selected = index.min(app.logs.shown.len().saturating_sub(1));
    settle(app);
}

/// So many rows down: within the selected line while it reaches below the screen, then over whole lines.
fn down(app: &mut App, count: usize) {
    let (width, page) = (app.size.0, rows::height(app));
    let at = app.logs.selected;
    let tall = rows::of(app, at, width).len();
    let (top, skip) = app.logs.top;
    if top == at && tall > skip + page {
        app.logs.top.1 = (skip + count).min(tall - page);
        return;
    }
    let last = app.logs.shown.len().saturating_sub(1);
    let (mut next, mut passed) = (at, 0);
    while next < last && passed < count {
        next += 1;
        passed += if count == 1 { 1 } else { rows::of(app, next, width).len() };
    }
    to(app, next);
}

/// So many rows up, as [`down`].
fn up(app: &mut App, count: usize) {
    let (width, page) = (app.size.0, rows::height(app));
    let at = app.logs.selected;
    let (top, skip) = app.logs.top;
    if top == at && skip > 0 {
        app.logs.top.1 = skip.saturating_sub(count);
        return;
    }
    let (mut next, mut passed) = (at, 0);
    while next > 0 && passed < count {
        next -= 1;
        passed += if count == 1 { 1 } else { rows::of(app, next, width).len() };
    }
    to(app, next);
    let tall = rows::of(app, next, width).len();
    if next < at && tall > page {
        app.logs.top = (next, tall - page);
    }
}

/// Selects the line that stands in this row of the body.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let (width, height) = (app.size.0, rows::height(app));
    let body = app.body_rows();
    let above = usize::from(body.saturating_sub(rows::histogram(body))).saturating_sub(height);
    let Some(row) = row.checked_sub(above).filter(|&row| row < height) else { return Vec::new() };
    let (mut at, skip) = rows::window(app, width, height);
    let mut below = rows::of(app, at, width).len().saturating_sub(skip);
    while below <= row && at < app.logs.shown.len() {
        at += 1;
        below += rows::of(app, at, width).len();
    }
    if at < app.logs.shown.len() {
        to(app, at);
    }
    Vec::new()
}

/// The link to these lines in Grafana.
fn copy_link(app: &mut App) -> Vec<Cmd> {
    match app.logs.query.clone() {
        Some(query) => vec![Cmd::CopyLink(query)],
        None => {
            app.say("no link: this node has no correlation id");
            Vec::new()
        }
    }
}

fn to_level(app: &mut App, level: Level, later: bool) {
    let state = &app.logs;
    let is_error = |&i: &usize| state.shown.get(i).is_some_and(|&line| state.lines[line].level == level);
    let found = if later {
        (state.selected + 1..state.shown.len()).find(is_error)
    } else {
        (0..state.selected.min(state.shown.len())).rev().find(is_error)
    };
    match found {
        Some(found) => to(app, found),
        None => {
            let (name, side) = (level.name().to_lowercase(), if later { "after" } else { "before" });
            app.say(format!("no {name} line {side} this one"));
        }
    }
}

fn keep_hits(app: &mut App) {
    if app.logs.find.pattern.is_none() {
        app.say("nothing is looked for: / finds, & then keeps only what is hit");
        return;
    }
    let selected = app.logs.line().map(|(key, _)| key);
    app.logs.only_hits = !app.logs.only_hits;
    app.logs.filter(selected);
    settle(app);
}

fn fold(app: &mut App, open: bool) {
    let Some((key, line)) = app.logs.line() else { return };
    if !open {
        app.logs.open.remove(&key);
    } else if !rows::can_open(app, line) {
        app.say("this line has nothing more to show");
    } else {
        let fields = fields::rows(&line.fields, app.logs.reveal);
        app.logs.open.insert(key, fields);
    }
    settle(app);
}

fn reveal(app: &mut App) {
    let state = &mut app.logs;
    state.reveal = !state.reveal;
    let State { lines, keys, open, reveal, .. } = state;
    for (key, line) in keys.iter().zip(lines) {
        if let Some(rows) = open.get_mut(key) {
            *rows = fields::rows(&line.fields, *reveal);
        }
    }
    super::search(app);
    app.say(if app.logs.reveal { "secrets are shown on this screen" } else { "secrets are masked" });
}

fn next_level(app: &mut App) {
    let selected = app.logs.line().map(|(key, _): (Key, &LogLine)| key);
    app.logs.least = match app.logs.least {
        None | Some(Level::Debug) => Some(Level::Info),
        Some(Level::Info) => Some(Level::Warn),
        Some(Level::Warn) => Some(Level::Error),
        Some(Level::Error | Level::Other) => None,
    };
    app.logs.filter(selected);
    settle(app);
}

fn toggle_scope(app: &mut App) -> Vec<Cmd> {
    let state = &mut app.logs;
    state.cascade = !state.cascade;
    state.loki = Load::default();
    state.table = Load::default();
    state.refusal = None;
    state.derive();
    ask(app)
}

/// Since the start, by the clock in UTC, by the clock in local time.
fn next_time(app: &mut App) {
    (app.logs.absolute, app.local_time) = match (app.logs.absolute, app.local_time) {
        (false, local) => (true, local),
        (true, false) => (true, true),
        (true, true) => (false, false),
    };
}

fn copy(app: &mut App, as_json: bool) -> Vec<Cmd> {
    let Some((_, line)) = app.logs.line() else {
        app.say("no line to copy");
        return Vec::new();
    };
    let at = time::of_nanoseconds(line.at_ns);
    let message = fields::text(&line.message, app.logs.reveal);
    if !as_json {
        let time = time::rfc3339(at, chrono::SecondsFormat::Millis);
        let text = format!("{time} {} {} {message}", line.level.name(), line.service);
        return vec![Cmd::Copy(Copied::new(Form::Value, &text, "line"))];
    }
    let line = json!({
        "at": time::rfc3339(at, chrono::SecondsFormat::Nanos),
        "level": line.level.name(), "service": line.service, "message": message,
        "fields": fields::masked(&line.fields, app.logs.reveal), "source": line.origin.name(),
    });
    vec![Cmd::Copy(Copied::new(Form::Json, &line.to_string(), "line as JSON"))]
}

fn copy_correlation(app: &mut App) -> Vec<Cmd> {
    match app.logs.subject.as_ref().and_then(|subject| subject.correlation_id.clone()) {
        Some(text) => vec![Cmd::Copy(Copied::new(Form::Value, &text, "correlation id"))],
        None => {
            app.say("this node has no correlation id");
            Vec::new()
        }
    }
}

//! The only function that changes the state. Synchronous and total: the same state and message give the same state and
//! the same requests.

mod mouse;
mod nothing;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, KeyEventKind};

use super::app::login::Password;
use super::app::overlay::Typed;
use super::app::{
    App, Connection, charts, columns, compare, detail, documents, filter, find, flow, groups, help, invocations, live,
    login, logs, messages, overlay, views,
};
use super::keymap::{Keymap, Lookup};
use super::msg::{Action, Cmd, Msg, View};
use crate::model::text::plural;

/// Keys that are kept while a screen waits for its first rows.
const MOST_TYPED_AHEAD: usize = 32;

/// The first requests. The screen is drawn before they are sent.
pub fn start(app: &mut App) -> Vec<Cmd> {
    app.poll_at = app.now.checked_add_signed(app.settings.poll_every);
    invocations::refresh(app)
}

/// What a message changes, and what is to be asked for because of it.
pub fn update(app: &mut App, msg: Msg) -> Vec<Cmd> {
    let before = attempt(app);
    let offline_before = app.has_banner();
    let view_before = app.view;
    let mut commands = answer(app, msg);
    while !app.typed_ahead.is_empty() && !app.waits_for_first_rows() {
        let action = app.typed_ahead.remove(0);
        commands.extend(act_on_screen(app, action));
    }
    if app.view != view_before {
        app.zoomed = false;
        if view_before == View::Detail {
            detail::hide(app);
        }
        if view_before == View::Flow {
            flow::end_replay(app);
        }
        // What is asked while the database is away is the attempt to reach it.
        if !app.has_banner() && app.abandon(view_before) {
            commands.insert(0, Cmd::Leave(view_before));
        }
    }
    commands.extend(invocations::inside::ask(app));
    commands.extend(columns::payload::ask(app));
    if attempt(app) > before {
        commands.push(Cmd::Retry { attempt: attempt(app) });
    }
    if offline_before && app.connection == Connection::Online {
        app.say("connected again");
        app.poll_at = Some(app.now);
    }
    commands.extend(live::settle(app));
    commands
}

fn answer(app: &mut App, msg: Msg) -> Vec<Cmd> {
    match msg {
        Msg::Key(key) => pressed(app, key),
        Msg::Mouse(mouse) => mouse::act(app, mouse),
        Msg::Resize(columns, rows) => {
            app.resize((columns, rows));
            invocations::resized(app);
            Vec::new()
        }
        Msg::Tick(now) => tick(app, now),
        Msg::Page(request, answer) => invocations::page_loaded(app, request, answer),
        Msg::Paste(text) => pasted(app, &text),
        Msg::Values(request, answer) => columns::payload::loaded(app, request, answer),
        Msg::Known(request, answer) => filter::named(app, request, answer),
        Msg::Losses(range, answer) => {
            messages::losses(app, &range, answer);
            Vec::new()
        }
        Msg::Count(request, answer) => filter::counted(app, request, answer),
        Msg::Found(request, found) => {
            invocations::found(app, request, found);
            Vec::new()
        }
        Msg::Changes(request, answer) => invocations::changes_loaded(app, request, answer),
        Msg::Inside(request, answer) => invocations::inside::loaded(app, request, answer),
        Msg::Server(server) => {
            messages::rights(app, &server);
            app.server = server;
            Vec::new()
        }
        Msg::Hint(hint) => {
            live::heard(app, hint);
            Vec::new()
        }
        Msg::Cascade(request, answer) => flow::loaded(app, request, answer),
        Msg::Row(request, answer) => detail::loaded(app, request, answer),
        Msg::Hourly(request, answer) => charts::loaded(app, request, answer),
        Msg::HourlySoFar(request, hourly) => {
            charts::counted(app, request, hourly);
            Vec::new()
        }
        Msg::Compared(request, answer) => compare::loaded(app, request, answer),
        Msg::Failures(request, answer) => groups::failures_loaded(app, request, answer),
        Msg::JobStats(request, answer) => groups::jobs_loaded(app, request, answer),
        Msg::Logs(request, answer) => logs::loki_loaded(app, request, answer),
        Msg::TableLogs(request, answer) => logs::table_loaded(app, request, answer),
        Msg::RetryAt(at) => {
            if let Connection::Offline { retry_at, .. } = &mut app.connection {
                *retry_at = Some(at);
            }
            Vec::new()
        }
        Msg::Views(answer) => views::loaded(app, answer),
        Msg::ViewSaved(view, answer) => views::saved(app, view, answer),
        Msg::Keys(answer) => {
            keys_edited(app, answer);
            Vec::new()
        }
        Msg::Performance(memory, apart) => {
            messages::performance(app, memory, apart);
            Vec::new()
        }
        Msg::Slow(what, took) => {
            messages::slow(app, what, took);
            Vec::new()
        }
        Msg::Told(Ok(how)) => {
            app.say(how);
            Vec::new()
        }
        Msg::Told(Err(why)) => {
            app.complain(why);
            Vec::new()
        }
    }
}

/// The keys of the edited configuration are in force, if they can be used.
fn keys_edited(app: &mut App, answer: Result<Keymap, String>) {
    match answer {
        Ok(keys) => {
            app.say(match keys.changes() {
                0 => "no key is changed".to_owned(),
                n => format!("the keys of {} are in force as they were written", plural(n as u64, "action")),
            });
            app.settings.keys = keys;
        }
        Err(error) => app.complain(format!("{error}; the keys stay as they were, `:keys edit` opens the file again")),
    }
}

/// Failed attempts to reach the database.
fn attempt(app: &App) -> u32 {
    if let Connection::Offline { attempt, .. } = app.connection { attempt } else { 0 }
}

fn tick(app: &mut App, now: DateTime<Utc>) -> Vec<Cmd> {
    app.now = now;
    flow::tick(app);
    if app.read_at().is_none_or(|at| at > now) {
        return Vec::new();
    }
    app.poll_at = now.checked_add_signed(app.settings.poll_every);
    if let Connection::Offline { retry_at, .. } = &mut app.connection {
        *retry_at = None;
        return refresh_everything(app);
    }
    refresh(app)
}

/// Reads again what the screen shows.
fn refresh(app: &mut App) -> Vec<Cmd> {
    match app.view {
        View::Invocations => invocations::refresh(app),
        View::Flow => flow::refresh(app),
        View::Logs => logs::refresh(app),
        View::Charts => charts::refresh(app),
        View::Jobs | View::Failures => groups::refresh(app),
        View::Compare => compare::refresh(app),
        View::Detail => detail::refresh(app),
    }
}

/// Reads the list again, and what the screen shows: one of them always asks the database something.
fn refresh_everything(app: &mut App) -> Vec<Cmd> {
    let mut commands = invocations::refresh(app);
    if app.view != View::Invocations {
        commands.extend(refresh(app));
    }
    commands
}

fn pressed(app: &mut App, key: KeyEvent) -> Vec<Cmd> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    // What was said stands where some prompts do: who types on has read it.
    app.note = None;
    let asked = std::mem::take(&mut app.asked_to_quit);
    if app.login.is_some() {
        return login::typed(app, key).map_or_else(Vec::new, |password| log_in(app, password));
    }
    if help::typed(app, key) {
        return Vec::new();
    }
    if app.help.is_none() && app.pending.is_none() {
        match overlay::typed(app, key) {
            Typed::Foreign => {}
            Typed::Taken(commands) => return commands,
            Typed::Act(action) => return act(app, action, false),
        }
    }
    if !app.is_covered() && find::typed(app, key) {
        return Vec::new();
    }
    if !app.is_covered()
        && app.view == View::Invocations
        && let Some(commands) = filter::typed(app, key)
    {
        return commands;
    }
    let pending = app.pending.take();
    match app.settings.keys.lookup(app.view, pending, key) {
        Lookup::Pending => {
            app.pending = Some(key);
            Vec::new()
        }
        Lookup::Nothing if app.is_covered() => {
            app.close_first();
            Vec::new()
        }
        Lookup::Nothing => {
            let why = app.settings.keys.nothing(app.view, pending, key);
            nothing_there(app, &why)
        }
        Lookup::Action(action) => act_anywhere(app, action, asked),
    }
}

/// An action goes to what is open, else to the screen.
fn act_anywhere(app: &mut App, action: Action, asked_to_quit: bool) -> Vec<Cmd> {
    if app.help.is_some() {
        return match action {
            Action::QuitNow => ask_to_quit(app, asked_to_quit, "C-c"),
            Action::Redraw => vec![Cmd::Redraw],
            Action::Suspend => vec![Cmd::Suspend],
            _ => help::act(app, action),
        };
    }
    overlay::act(app, action).unwrap_or_else(|| act(app, action, asked_to_quit))
}

/// Pasted text goes into the prompt that is open; on the list it opens one.
fn pasted(app: &mut App, text: &str) -> Vec<Cmd> {
    app.pending = None;
    app.note = None;
    app.asked_to_quit = false;
    // Often pasted, and never to be shown: it goes nowhere else.
    if login::pasted(app, text) {
        return Vec::new();
    }
    let is_covered = app.is_covered();
    if help::pasted(app, text) || overlay::pasted(app, text) || !is_covered && find::pasted(app, text) {
        return Vec::new();
    }
    if is_covered {
        return nothing_there(app, "nothing here takes pasted text");
    }
    filter::paste(app, text).unwrap_or_else(|| nothing_there(app, "/ opens a line for what is pasted"))
}

fn act(app: &mut App, action: Action, asked_to_quit: bool) -> Vec<Cmd> {
    if action == Action::Zoom || action == Action::Back && app.zoomed {
        return zoom(app);
    }
    if let Some(commands) = filter::act(app, action) {
        return commands;
    }
    match action {
        Action::Back if find::clear(app) => Vec::new(),
        Action::Back if app.view == View::Flow && flow::end_replay(app) => Vec::new(),
        // All functions again, before the screen is left.
        Action::Back if app.view == View::Charts && app.charts.only.is_some() => charts::act(app, action),
        Action::Quit | Action::Back if !app.back.is_empty() => back(app),
        Action::Quit => ask_to_quit(app, asked_to_quit, "q"),
        Action::QuitNow => ask_to_quit(app, asked_to_quit, "C-c"),
        Action::Back => {
            let quit = app.settings.keys.key_of(app.view, Action::Quit);
            nothing_there(app, &format!("nothing to close here: {quit} leaves"))
        }
        Action::Messages | Action::Columns | Action::Views | Action::SaveView | Action::Palette => {
            overlay::open(app, action)
        }
        Action::Help => {
            help::open(app);
            Vec::new()
        }
        Action::Redraw => vec![Cmd::Redraw],
        Action::Suspend => vec![Cmd::Suspend],
        Action::Show(view) => show(app, view),
        Action::PreviousView => match app.previous {
            Some(view) => arrive(app, view),
            None => nothing_there(app, "no other screen was shown before"),
        },
        Action::Pause => pause(app),
        Action::Refresh => refresh_now(app),
        Action::Login => {
            login::open(app);
            Vec::new()
        }
        Action::TimeZone if app.view != View::Logs => {
            turn_times(app);
            Vec::new()
        }
        // Typed faster than the rows come, as over a slow link: done when they are there.
        _ if app.waits_for_first_rows() => {
            if app.typed_ahead.len() < MOST_TYPED_AHEAD {
                app.typed_ahead.push(action);
            }
            Vec::new()
        }
        _ => act_on_screen(app, action),
    }
}

fn act_on_screen(app: &mut App, action: Action) -> Vec<Cmd> {
    let before = (app.view, nothing::place(app));
    let commands = do_on_screen(app, action);
    if app.view == before.0 {
        nothing::tell(app, action, before.1, &commands);
    }
    commands
}

fn do_on_screen(app: &mut App, action: Action) -> Vec<Cmd> {
    if find::act(app, action) {
        return Vec::new();
    }
    match app.view {
        _ if matches!(action, Action::Pager | Action::Editor | Action::Export) => documents::act(app, action),
        View::Invocations => invocations::act(app, action),
        View::Flow => flow::act(app, action),
        View::Logs => logs::act(app, action),
        View::Charts => charts::act(app, action),
        View::Jobs | View::Failures => groups::act(app, action),
        View::Compare => compare::act(app, action),
        View::Detail => detail::act(app, action),
    }
}

/// Gives one pane the whole screen, or shows all again.
fn zoom(app: &mut App) -> Vec<Cmd> {
    app.zoomed = !app.zoomed;
    if app.zoomed {
        let keys = |action| app.settings.keys.key_of(app.view, action);
        app.say(format!("one pane alone: {} or {} shows all again", keys(Action::Zoom), keys(Action::Back)));
    }
    Vec::new()
}

fn ask_to_quit(app: &mut App, asked: bool, key: &str) -> Vec<Cmd> {
    if asked {
        app.quit = true;
    } else {
        app.asked_to_quit = true;
        app.say(format!("press {key} again to leave"));
    }
    Vec::new()
}

fn back(app: &mut App) -> Vec<Cmd> {
    app.typed_ahead.clear();
    let Some(view) = app.back.pop() else { return Vec::new() };
    app.previous = Some(app.view);
    app.view = view;
    refresh_if_live(app)
}

/// Goes to a screen that already holds something.
fn arrive(app: &mut App, view: View) -> Vec<Cmd> {
    if view == View::Invocations {
        app.previous = Some(app.view);
        app.view = view;
        app.back.clear();
    } else {
        app.show(view);
    }
    refresh_if_live(app)
}

fn refresh_if_live(app: &mut App) -> Vec<Cmd> {
    // While paused only what is missing altogether is read, as of a screen that was left before its rows came.
    if (app.live || app.has_nothing()) && !app.has_banner() { refresh(app) } else { Vec::new() }
}

/// Goes to a screen by its number. Tree and log lines are those of the selection, where there is one.
fn show(app: &mut App, view: View) -> Vec<Cmd> {
    app.typed_ahead.clear();
    match (app.view, view) {
        (from, to) if from == to => nothing_there(app, "this is the screen already"),
        (_, View::Charts) => charts::open(app),
        (_, View::Jobs | View::Failures) => groups::open(app, view),
        (View::Invocations, View::Flow) => invocations::act(app, Action::Open),
        (View::Invocations, View::Logs) => invocations::act(app, Action::Logs),
        (View::Flow, View::Logs) => act_on_screen(app, Action::Logs),
        (_, View::Flow) if app.flow.invocation.is_none() => {
            nothing_there(app, "no cascade opened yet: Enter opens one")
        }
        (_, View::Logs) if app.logs.subject.is_none() => nothing_there(app, "no node chosen yet: L shows its lines"),
        (_, view) => arrive(app, view),
    }
}

/// UTC, local time and, in lists, how long ago.
fn turn_times(app: &mut App) {
    let is_list = matches!(app.view, View::Invocations | View::Jobs | View::Failures);
    (app.local_time, app.ages) = match (app.local_time, app.ages) {
        (_, true) if is_list => (false, false),
        (true, false) if is_list => (true, true),
        (is_local, ages) => (!is_local, ages),
    };
    app.say(match (app.local_time, app.ages && is_list) {
        (_, true) => "how long ago; elsewhere local time",
        (true, false) => "local time",
        (false, false) => "UTC",
    });
}

/// Tries once with this password.
fn log_in(app: &mut App, password: Password) -> Vec<Cmd> {
    app.connection = Connection::Connecting;
    let mut commands = vec![Cmd::Login(password)];
    commands.extend(refresh_everything(app));
    commands
}

fn nothing_there(app: &mut App, why: &str) -> Vec<Cmd> {
    app.say(why);
    Vec::new()
}

fn pause(app: &mut App) -> Vec<Cmd> {
    app.live = !app.live;
    if app.live {
        app.say("live");
        app.poll_at = app.now.checked_add_signed(app.settings.poll_every);
        return refresh_now(app);
    }
    app.say("paused: nothing is read until p or r");
    Vec::new()
}

fn refresh_now(app: &mut App) -> Vec<Cmd> {
    let commands = match &mut app.connection {
        Connection::Offline { retry_at, .. } => {
            *retry_at = None;
            refresh_everything(app)
        }
        Connection::Refused { .. } => refresh_everything(app),
        // Polls leave alone what has ended or costs much; a key does not.
        Connection::Connecting | Connection::Online => match app.view {
            View::Flow => flow::act(app, Action::Refresh),
            View::Detail => detail::act(app, Action::Refresh),
            View::Logs => logs::act(app, Action::Refresh),
            View::Charts => charts::act(app, Action::Refresh),
            View::Jobs | View::Failures => groups::act(app, Action::Refresh),
            View::Compare => compare::act(app, Action::Refresh),
            View::Invocations => {
                app.columns.payload.retry();
                refresh(app)
            }
        },
    };
    if commands.is_empty() && app.note.is_none() {
        app.say(if app.has_nothing() { "there is nothing to read here yet" } else { "it is on its way already" });
    }
    commands
}

#[cfg(test)]
mod silent;
#[cfg(test)]
mod tests;

//! No key is silent: what a screen binds does something there, or says why it does not.

use serde_json::json;

use crate::model::failures::{Failures, JobStats};
use crate::model::hourly::Hourly;
use crate::model::invocation::{Inside, Page};
use crate::tui::app::App;
use crate::tui::app::compare::tests::other_rows;
use crate::tui::app::cursor::Cursor;
use crate::tui::app::{Files, invocations::PAGE};
use crate::tui::fixture::{self, press};
use crate::tui::keymap::BINDINGS;
use crate::tui::msg::{Cmd, Msg, View};
use crate::tui::update::{start, update};

/// Answers what is asked for, with the samples or with nothing.
fn serve(app: &mut App, mut waiting: Vec<Cmd>, is_empty: bool) {
    let some = !is_empty;
    while let Some(command) = waiting.pop() {
        let msg = match command {
            Cmd::Page { request, limit, .. } => {
                assert_eq!(limit, PAGE);
                let rows = if some { fixture::listed() } else { Vec::new() };
                Msg::Page(request, Ok(Page { rows, more: false }))
            }
            Cmd::Inside { request, .. } => {
                let rows = fixture::rows();
                Msg::Inside(request, Ok(Inside { events: rows.events, jobs: rows.jobs, payload: None }))
            }
            Cmd::Cascade { request, .. } => Msg::Cascade(request, Ok(some.then(fixture::rows))),
            Cmd::Row { request, .. } => {
                let data = json!({ "old": { "id": 7, "a": 1 }, "new": { "id": 7, "a": 2 } });
                let payload = json!({ "event": { "op": "UPDATE", "data": data } });
                let row = json!({ "id": fixture::id(3), "status": "failed", "source_event_payload": payload });
                Msg::Row(request, Ok(some.then_some(row)))
            }
            Cmd::Hourly { request, from, to, step } => {
                let none = || Hourly { from, to, step, buckets: Vec::new(), ..fixture::hourly() };
                Msg::Hourly(request, Ok(if some { fixture::hourly() } else { none() }))
            }
            Cmd::Failures { request, .. } => {
                let none = || Failures { looked: fixture::looked(), ..Failures::default() };
                Msg::Failures(request, Ok(if some { fixture::failures() } else { none() }))
            }
            Cmd::JobStats { request, .. } => {
                let none = || JobStats { looked: fixture::looked(), ..JobStats::default() };
                Msg::JobStats(request, Ok(if some { fixture::job_stats() } else { none() }))
            }
            Cmd::Compare { request, .. } => Msg::Compared(request, Ok((fixture::rows(), other_rows()))),
            Cmd::Logs { request, .. } if some => Msg::Logs(request, Ok(fixture::log_page())),
            Cmd::Logs { request, .. } => {
                Msg::Logs(request, Ok(crate::logs::LogPage { lines: Vec::new(), ..fixture::log_page() }))
            }
            _ => continue,
        };
        waiting.extend(update(app, msg));
    }
}

/// A screen with the samples, or as far as one comes when there is nothing.
fn shown(view: View, is_empty: bool, size: (u16, u16)) -> App {
    let mut app = fixture::app(size);
    app.settings.files = Files { views: Some("/c/views.toml".into()), ..Files::default() };
    let commands = start(&mut app);
    serve(&mut app, commands, is_empty);
    let keys = match view {
        View::Invocations => "jj",
        View::Flow => "jj<Enter>j",
        View::Detail => "jj<Enter><Enter>",
        View::Logs => "jjL",
        View::Charts => "4h",
        View::Jobs => "5j",
        View::Failures => "6j",
        View::Compare => "=j",
    };
    app.marks = vec![fixture::id(3), fixture::id(1_000)];
    if is_empty && matches!(view, View::Flow | View::Detail | View::Logs | View::Compare) {
        app.show(view);
    }
    for press in crate::tui::keymap::parse(keys) {
        let commands = update(&mut app, Msg::Key(press.event()));
        serve(&mut app, commands, is_empty);
    }
    assert_eq!(app.view, view);
    (app.note, app.pending) = (None, None);
    app
}

#[test]
fn every_key_does_something_or_says_why_not() {
    let mut silent = Vec::new();
    for (view, is_empty, size) in View::ALL
        .into_iter()
        .flat_map(|view| [(view, false, (120, 36)), (view, false, (80, 24)), (view, true, (80, 24))])
    {
        let before = shown(view, is_empty, size);
        let text = format!("{before:?}");
        for binding in BINDINGS.iter().filter(|binding| binding.works_in(view)) {
            let moves = Cursor::default().act(binding.action, 0, 0);
            for keys in binding.keys.iter().filter(|_| !moves) {
                let mut app = before.clone();
                let commands = press(&mut app, keys);
                if commands.is_empty() && format!("{app:?}") == text {
                    silent.push(format!("{view:?}{}: {keys} {}", if is_empty { " (empty)" } else { "" }, binding.help));
                }
                let denied = app.note.take().is_some_and(|note| note.text.starts_with("nothing"));
                app.messages = before.messages.clone();
                if denied && !is_empty && format!("{app:?}") != text {
                    silent.push(format!("{view:?}: {keys} did something and says it did not"));
                }
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn keys_of_other_screens_and_unknown_ones_say_so() {
    // (screen, keys, what is said)
    for (view, keys, said) in [
        (View::Invocations, "w", "w does nothing here; in Logs, Detail: wrap long lines"),
        (View::Invocations, "<Tab>", "Tab does nothing here; in Detail: next section"),
        (View::Charts, "zM", "M does nothing here; in Invocations: clear all marks"),
        (View::Flow, "C-s", "C-s does nothing here; in Invocations: save this view"),
        (View::Flow, "Q", "Q is no key: ? lists all"),
        (View::Flow, "?Q", "not here: Esc closes this first"),
        (View::Flow, "?e", "not here: Esc closes this first"),
        (View::Invocations, "ce", "not here: Esc closes this first"),
        (View::Invocations, "!m", "not here: Esc closes this first"),
    ] {
        let mut app = shown(view, false, (80, 24));
        assert_eq!(press(&mut app, keys), [], "{keys}");
        assert_eq!(app.note.map(|note| note.text).as_deref(), Some(said), "{keys}");
    }
}

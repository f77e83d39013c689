//! Any text in any column, on every screen: nothing but harmless characters reaches a cell, and no cell grows.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::{LARGEST_CELL, draw};
use crate::model::flow::Rows;
use crate::model::invocation::{Count, Event, Inside, Job, Page};
use crate::model::text::clean;
use crate::tui::app::App;
use crate::tui::fixture::{self, PLAIN, THEME};
use crate::tui::keymap;
use crate::tui::msg::{Cmd, Msg};
use crate::tui::update::{start, update};

/// Through all screens and most of what each can show.
const TOUR: &str = "jj<Space>jcs<Esc><Space>sS<Enter>uzRjjwCe<Enter><Tab>zR<Tab>d<Tab><Tab><Tab>wjj/a<Enter>nX<Esc><Esc>\
                    L<Enter>jlwVXA/a<Enter>&<Esc><Esc><Esc>4jj<Enter>tll<Esc>!<Esc>?<Esc>1mmyYIDo/";
/// Answers what the state asks for with rows whose texts are all this one.
fn answer(cmd: &Cmd, text: &str) -> Option<Msg> {
    let own = || text.to_owned();
    Some(match cmd {
        Cmd::Page { request, .. } => {
            let mut rows = fixture::listed();
            for row in &mut rows {
                let invocation = &mut row.invocation;
                for column in [
                    &mut invocation.correlation_id,
                    &mut invocation.source_table,
                    &mut invocation.source_operation,
                    &mut invocation.source_system,
                    &mut invocation.source_user_email,
                    &mut invocation.error_message,
                ] {
                    *column = Some(own());
                }
                invocation.source_function = own();
                row.children.first_failure = Some((own(), Some(own())));
            }
            rows[0].invocation.status = own();
            Msg::Page(*request, Ok(Page { rows, more: false }))
        }
        Cmd::Count { request, .. } => Msg::Count(*request, Ok(Count { at_least: 12, exact: true })),
        Cmd::Inside { request, .. } => {
            let (_, events, jobs) = cascade(text);
            Msg::Inside(*request, Ok(Inside { events, jobs, payload: Some(payload(text)) }))
        }
        Cmd::Cascade { request, .. } => {
            let (mut rows, events, jobs) = cascade(text);
            (rows.events, rows.jobs) = (events, jobs);
            Msg::Cascade(*request, Ok(Some(rows)))
        }
        Cmd::Row { request, .. } => {
            let mut row = json!({ "id": fixture::id(3), "created_at": text, "status": text, text: text });
            for column in ["source_function", "error_message", "error_stack", "job_name", "correlation_id"] {
                row[column] = text.into();
            }
            for column in ["source_event_payload", "result", "job_options", "context_data"] {
                row[column] = payload(text);
            }
            Msg::Row(*request, Ok(Some(row)))
        }
        Cmd::Hourly { request, .. } => {
            let mut hourly = fixture::hourly();
            for bucket in &mut hourly.buckets {
                bucket.function.push_str(text);
            }
            Msg::Hourly(*request, Ok(hourly))
        }
        Cmd::Logs { request, .. } => {
            let mut page = fixture::log_page();
            page.query = own();
            for line in &mut page.lines {
                (line.message, line.service, line.fields) = (own(), own(), payload(text));
            }
            Msg::Logs(*request, Ok(page))
        }
        _ => return None,
    })
}

fn cascade(text: &str) -> (Rows, Vec<Event>, Vec<Job>) {
    let mut rows = fixture::rows();
    for invocation in &mut rows.invocations {
        invocation.source_function = text.to_owned();
        invocation.correlation_id = Some(text.to_owned());
        invocation.source_table = Some(text.to_owned());
        invocation.error_message = Some(text.to_owned());
    }
    for event in &mut rows.events {
        (event.name, event.error) = (text.to_owned(), event.detected.then(|| text.to_owned()));
    }
    for job in &mut rows.jobs {
        (job.name, job.error) = (text.to_owned(), job.error.is_some().then(|| text.to_owned()));
    }
    let (events, jobs) = (std::mem::take(&mut rows.events), std::mem::take(&mut rows.jobs));
    (rows, events, jobs)
}

/// A payload of Hasura, in which every key and every value is the text.
fn payload(text: &str) -> Value {
    let row = |other: &str| json!({ text: text, "id": other, "list": [text, { text: [text] }] });
    json!({
        "table": { "schema": text, "name": text }, text: text,
        "event": { "op": "UPDATE", "data": { "old": row("a"), "new": row(text) }, "session_variables": { text: text } },
    })
}

/// Takes the tour, and looks at every screen on the way.
fn tour(text: &str, size: (u16, u16), tour: &str) {
    let mut app = fixture::app(size);
    let commands = start(&mut app);
    serve(&mut app, commands, text);
    for press in keymap::parse(tour) {
        let commands = update(&mut app, Msg::Key(press.event()));
        serve(&mut app, commands, text);
        // What is asked for a moment later.
        let later = app.wake_at().unwrap_or(app.now);
        let commands = update(&mut app, Msg::Tick(later));
        serve(&mut app, commands, text);
        for theme in [THEME, PLAIN] {
            let mut buf = Buffer::empty(Rect::new(0, 0, size.0, size.1));
            draw(&app, &theme, &mut buf);
            for cell in &buf.content {
                let symbol = cell.symbol();
                let start: String = symbol.chars().take(8).collect();
                assert!(symbol.len() <= LARGEST_CELL, "{:?}: {start:?} and {} bytes", app.view, symbol.len());
                assert_eq!(clean(symbol), symbol, "{:?}", app.view);
            }
        }
    }
}

fn serve(app: &mut App, commands: Vec<Cmd>, text: &str) {
    let mut waiting = commands;
    while let Some(command) = waiting.pop() {
        if let Some(msg) = answer(&command, text) {
            waiting.extend(update(app, msg));
        }
    }
}

const NASTY: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{9b}31m",
    "\r\n",
    "\n",
    "\t",
    "\u{8}",
    "\u{7f}",
    "\u{85}",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2028}",
    "\u{2066}",
    "\u{feff}",
    "\u{fe0f}",
    "\u{fff9}",
    "\u{e0041}",
    "\u{301}",
    "e\u{301}\u{301}\u{301}",
    "日本",
    "👩\u{200d}💻",
    "🇩🇪",
    "ﷺ",
    "\u{1160}",
    "\u{115f}",
    "\u{d7b0}",
    "\u{a8e3}",
    "\\",
    "\"",
    "'",
    "{",
    "<",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{e000}",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![proptest::sample::select(NASTY).prop_map(str::to_owned), ".{0,8}", any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_drawn_harmlessly(pieces in prop::collection::vec(piece(), 0..12), size in prop_oneof![
        Just((120, 36)), Just((80, 24)), Just((40, 12)), (40_u16..200, 12_u16..60)
    ]) {
        tour(&pieces.concat(), size, TOUR);
    }
}

#[test]
fn a_long_text_of_one_thing_is_drawn_harmlessly() {
    for piece in ["x", "\u{1b}[A", "\u{301}", "\u{200b}", "日", "a\n", "👩\u{200d}", "\u{202e} "] {
        let text = piece.repeat((1 << 14) / piece.len());
        tour(&text, (80, 24), "j<Enter>e<Enter><Tab>zR<Esc>L<Enter><Esc><Esc>4j");
    }
}

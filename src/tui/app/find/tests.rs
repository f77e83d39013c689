//! Tests of finding: the prompt, hits and the way between them, on each screen.

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::*;
use crate::tui::fixture::{self, PLAIN, THEME, assert_screen, id, press, rows};
use crate::tui::msg::Msg;
use crate::tui::update::update;
use crate::tui::view;

fn tree() -> App {
    flow::tests::opened(rows())
}

fn payload() -> App {
    let mut app = detail::tests::invocation();
    press(&mut app, "<Tab>");
    app
}

fn lines() -> App {
    logs::tests::loaded_app()
}

/// What the message row says.
fn said(app: &App) -> String {
    let screen = fixture::screen(app, &PLAIN, app.size);
    screen.lines().rev().nth(1).unwrap_or_default().trim().to_owned()
}

const LEGEND: &str = "= ok  x failed  > running  ? stuck  . waits  - detects  : goes on below";

fn short(id: uuid::Uuid) -> u128 {
    id.as_u128() & 0xFFFF
}

#[test]
fn text_is_looked_for_as_it_is_and_a_regex_after_a_tilde() {
    let hits = |source: &str, text: &str| {
        Pattern::new(source)
            .unwrap()
            .map(|pattern| pattern.ranges(text).map(|range| (range.start, range.end)).collect::<Vec<_>>())
    };
    assert_eq!(hits("a.C", "xA.cxabc"), Some(vec![(1, 4)]));
    assert_eq!(hits("~a.c", "xA.cxabc"), Some(vec![(1, 4), (5, 8)]));
    assert_eq!(hits("~x*", "axb"), Some(vec![(1, 2)]), "what matches nothing is not marked");
    assert_eq!((hits("", "a"), hits("~", "a")), (None, None));
    assert!(Pattern::new("~(").unwrap_err().contains("unclosed"));
    assert_eq!(Pattern::new("~(a{999}){999}").unwrap_err(), "this pattern is too large");
}

#[test]
fn keys_go_from_hit_to_hit_in_the_tree() {
    let table: [(&str, u128, usize, &str); 16] = [
        ("/sla<Enter>", 40, 16, "find sla  1/3   n/N next, before   Esc ends"),
        ("/sla<Enter>n", 22, 16, "find sla  2/3   n/N next, before   Esc ends"),
        ("/sla<Enter>nnn", 40, 16, "find sla  1/3, round the end   n/N next, before   Esc ends"),
        ("/sla<Enter>N", 24, 16, "find sla  3/3, round the end   n/N next, before   Esc ends"),
        ("/sla<Enter>NN", 22, 16, "find sla  2/3   n/N next, before   Esc ends"),
        ("/sla<Enter>j", 101, 16, "find sla  3 matches   n/N next, before   Esc ends"),
        ("G/sla<Enter>", 40, 16, "find sla  1/3, round the end   n/N next, before   Esc ends"),
        ("zM/rebuild<Enter>", 44, 12, "find rebuild  1/1   n/N next, before   Esc ends"),
        ("/move.other.07<Enter>", 67, 27, "find move.other.07  1/1   n/N next, before   Esc ends"),
        ("/~^job .*(lane|hour)$<Enter>n", 46, 16, "find ~^job .*(lane|hour)$  2/2   n/N next, before   Esc ends"),
        ("/21610<Enter>", 41, 16, "find 21610  1/1   n/N next, before   Esc ends"),
        ("/550e8466<Enter>", 102, 16, "find 550e8466  1/1   n/N next, before   Esc ends"),
        ("/nowhere<Enter>", 3, 16, "find nowhere  no match   Esc ends"),
        ("/sla<Esc>", 3, 16, LEGEND),
        ("/sla<Enter><Esc>", 40, 16, LEGEND),
        ("/sla<Enter>/<Enter>n", 40, 16, "nothing is looked for: / finds"),
    ];
    for (keys, selected, shown, row) in table {
        let mut app = tree();
        app.size = (120, 36);
        press(&mut app, &keys.replace(' ', "<Space>"));
        let (flow, node) = app.flow.node().unwrap();
        assert_eq!((short(flow.nodes[node].id), app.flow.lines.len()), (selected, shown), "{keys}");
        assert_eq!(said(&app), row, "{keys}");
        assert_eq!(app.view, View::Flow);
    }
}

#[test]
fn escape_ends_the_find_before_it_leaves() {
    let mut app = tree();
    press(&mut app, "/job<Enter><Esc>");
    assert_eq!((app.view, app.flow.find.hits.len()), (View::Flow, 0));
    press(&mut app, "<Esc>");
    assert_eq!(app.view, View::Invocations);
}

#[test]
fn keys_of_the_prompt_are_text() {
    let mut app = tree();
    press(&mut app, "/jqG1");
    assert_eq!(app.flow.find.prompt.as_ref().map(Line::text), Some("jqG1"));
    assert_eq!((app.view, app.flow.cursor.at), (View::Flow, 0));
    press(&mut app, "C-c");
    assert!(app.flow.find.prompt.is_none() && !app.quit && !app.asked_to_quit);
    press(&mut app, "/~(<Enter>");
    assert!(said(&app).contains("unclosed"), "{}", said(&app));
    press(&mut app, "<BS>job<Enter>");
    assert_eq!(app.flow.find.hits.len(), 7, "what was wrong can be corrected");
}

#[test]
fn hits_follow_the_rows() {
    let mut app = tree();
    press(&mut app, "/notify<Enter>r");
    assert_eq!(app.flow.find.hits.len(), 1);
    let mut more = rows();
    more.jobs.push(fixture::job(47, (3, 24), 3_530, "notifyAgain", Some(1)));
    let request = app.requests;
    update(&mut app, Msg::Cascade(request, Ok(Some(more))));
    assert_eq!(app.flow.find.hits.len(), 2);
    press(&mut app, "n");
    let (flow, node) = app.flow.node().unwrap();
    assert_eq!(flow.nodes[node].id, id(47));
}

#[test]
fn folded_json_opens_at_a_hit_and_masked_secrets_are_not_found() {
    let mut app = payload();
    press(&mut app, "zM/minutes<Enter>");
    let content = app.detail.content();
    let Some(detail::Content::Outline { outline, lines }) = content else { panic!("{content:?}") };
    let at = lines[app.detail.pane().unwrap().cursor.at];
    assert_eq!(outline.path(at), ".event.data.new.config.sla.minutes");
    press(&mut app, "/s3cret<Enter>");
    assert!(app.detail.find.hits.is_empty());
    press(&mut app, "X");
    assert!(!app.detail.find.hits.is_empty(), "revealed, they can be found");
    press(&mut app, "X");
    assert!(app.detail.find.hits.is_empty());
}

#[test]
fn every_section_of_the_detail_is_searched() {
    for (keys, hits) in [("", 1), ("<Tab>", 2), ("<Tab><Tab>", 1), ("<Tab><Tab><Tab><Tab>", 0)] {
        let mut app = detail::tests::invocation();
        press(&mut app, &format!("{keys}/status<Enter>"));
        let found = app.detail.find.hits.len();
        assert!(if hits == 0 { found == 0 } else { found >= hits }, "{keys}: {found}");
        let before = app.detail.find.hits.clone();
        press(&mut app, "<Tab><S-Tab>");
        assert_eq!(app.detail.find.hits, before, "back on the section they are the same");
    }
}

#[test]
fn log_lines_are_found_opened_and_kept() {
    let mut app = lines();
    press(&mut app, "/twilio<Enter>");
    assert_eq!((app.logs.selected, said(&app).starts_with("find twilio  1/")), (4, true), "{}", said(&app));
    press(&mut app, "/restexception<Enter>");
    let (key, line) = app.logs.line().unwrap();
    assert!(line.message.starts_with("Failed to send") && app.logs.open.contains_key(&key), "the hit is in its fields");
    press(&mut app, "&");
    assert_eq!((app.logs.shown.len(), app.logs.selected), (1, 0));
    press(&mut app, "&");
    assert_eq!((app.logs.shown.len(), app.logs.selected), (9, 6));
    press(&mut app, "&<Esc>");
    assert_eq!((app.logs.shown.len(), app.logs.only_hits, app.view), (9, false, View::Logs));
    press(&mut app, "VVV/template<Enter>");
    assert_eq!(app.note.as_ref().unwrap().text, "all levels are shown: the hit was hidden");
    assert_eq!(app.logs.line().unwrap().1.message, "template pickup_complete loaded");
    press(&mut app, "/Bearer<Enter>");
    assert!(app.logs.find.hits.is_empty(), "masked");
    press(&mut app, "&");
    assert!(fixture::screen(&app, &PLAIN, (80, 24)).contains("No line is hit; 9 lines hidden."));
}

#[test]
fn warnings_are_stepped_through() {
    let table = [("]w", 4, None), ("]w]w", 4, Some("no warn line after this one")), ("G[w", 4, None)];
    for (keys, selected, note) in table {
        let mut app = lines();
        press(&mut app, keys);
        assert_eq!((app.logs.selected, app.note.as_ref().map(|note| note.text.as_str())), (selected, note), "{keys}");
    }
}

/// The texts that are marked as hits on a screen.
fn marked(app: &App) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    view::draw(app, &PLAIN, &mut buf);
    let mut found = vec![String::new()];
    for cell in buf.content() {
        if cell.modifier.contains(Modifier::UNDERLINED | Modifier::REVERSED) {
            found.last_mut().unwrap().push_str(cell.symbol());
        } else if found.last().is_some_and(|text| !text.is_empty()) {
            found.push(String::new());
        }
    }
    found.pop();
    found
}

#[test]
fn hits_are_marked_without_colour() {
    let mut app = tree();
    press(&mut app, "/SLA<Enter>");
    assert_eq!(marked(&app), ["Sla", "sla", "Sla"], "two lines, and the pane of the selected one");
    press(&mut app, "/21610<Enter>");
    assert_eq!(marked(&app), ["job sendNotification", "21610"], "the error of a line is in the pane");
    let mut app = payload();
    press(&mut app, "/pickup<Enter>");
    assert!(marked(&app).iter().all(|text| text == "pickup") && marked(&app).len() >= 2, "{:?}", marked(&app));
    let mut app = lines();
    press(&mut app, "/moveid<Enter>");
    assert_eq!(marked(&app), ["moveId"]);
}

#[test]
fn screens() {
    let mut app = tree();
    press(&mut app, "/sla");
    assert_screen("flow__find_prompt", &app);
    press(&mut app, "<Enter>n");
    assert_screen("flow__found", &app);
    let mut app = payload();
    press(&mut app, "zM/minutes<Enter>");
    assert_screen("detail__found", &app);
    let mut app = lines();
    press(&mut app, "/twilio<Enter>&");
    assert_screen("logs__only_hits", &app);
}

#[test]
fn long_and_hostile_text_in_the_prompt_stays_in_its_row() {
    for size in [(40, 12), (80, 24), (120, 36)] {
        let mut app = tree();
        app.size = size;
        press(&mut app, "/");
        for c in "long \u{1b}[2J語\u{202e}".repeat(30).chars() {
            update(&mut app, Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        for keys in ["", "<Left><Left>", "<Home>", "<Enter>"] {
            press(&mut app, keys);
            for theme in [THEME, PLAIN] {
                let drawn = fixture::screen(&app, &theme, size);
                assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()) && drawn.lines().count() <= 36);
            }
        }
    }
}

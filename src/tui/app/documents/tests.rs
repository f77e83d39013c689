//! What is taken away from each screen.

use serde_json::{Value, json};

use super::*;
use crate::model::flow::Kind;
use crate::model::invocation::Page;
use crate::tui::app::detail::tests::invocation_row;
use crate::tui::app::flow::tests::opened;
use crate::tui::fixture::{self, id, press};
use crate::tui::msg::Msg;
use crate::tui::update::{start, update};

fn list() -> App {
    let mut app = fixture::app((120, 36));
    let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
    update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
    app
}

fn detail(row: Value) -> App {
    let mut app = opened(fixture::rows());
    let [Cmd::Row { request, .. }] = super::super::detail::open(&mut app, Kind::Invocation, id(3), false)[..] else {
        panic!("no request")
    };
    update(&mut app, Msg::Row(request, Ok(Some(row))));
    app
}

fn exported(app: &mut App) -> Document {
    let commands = press(app, "x");
    let [Cmd::Export(document)] = &commands[..] else { panic!("{commands:?}") };
    document.clone()
}

#[test]
fn the_list_is_exported_as_ls_gives_it() {
    let document = exported(&mut list());
    assert_eq!((document.name.as_str(), document.extension), ("obs-tui-invocations-20261120T120433Z", "json"));
    let rows: Vec<Value> = serde_json::from_str(&document.text).unwrap();
    assert_eq!((rows.len(), &rows[2]["effective_status"]), (12, &json!("failed")));
    let commands = press(&mut list(), "o");
    let [Cmd::Open(page, Program::Pager)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(page.text.lines().count(), 13);
    assert!(page.text.starts_with(LIST_HEAD) && page.text.contains("FAIL"), "{}", page.text);
}

#[test]
fn the_tree_is_exported_as_show_gives_it() {
    let mut app = opened(fixture::rows());
    let document = exported(&mut app);
    assert!(document.name.starts_with("obs-tui-flow-") && document.name.ends_with("-20261120T120433Z"), "{document:?}");
    let cascade: Value = serde_json::from_str(&document.text).unwrap();
    assert_eq!(cascade["counts"]["invocations"], 4);
    let commands = press(&mut app, "i");
    let [Cmd::Open(page, Program::Editor)] = &commands[..] else { panic!("{commands:?}") };
    assert!(page.text.is_ascii() && page.text.contains("job sendNotification"), "{}", page.text);
}

#[test]
fn secrets_of_a_row_are_masked_unless_they_are_shown() {
    let mut app = detail(invocation_row());
    for keys in ["", "<Tab>", "<Tab>", "<Tab>", "<Tab>", "<Tab>"] {
        press(&mut app, keys);
        for document in [for_programs(&app), for_people(&app)].into_iter().flatten() {
            assert!(!document.text.contains("s3cret"), "{:?}: {}", app.detail.section, document.text);
        }
    }
    press(&mut app, "X");
    let document = exported(&mut app);
    assert!(document.text.contains("k-new-s3cret") && document.name.starts_with("obs-tui-inv-"));
}

#[test]
fn the_section_on_the_screen_is_what_the_pager_shows() {
    let mut app = detail(invocation_row());
    let mut pages = Vec::new();
    for _ in 0..6 {
        let page = for_people(&app).unwrap_or_else(|| panic!("{:?}", app.detail.section));
        pages.push((app.detail.section.name(), page.extension, page.text));
        press(&mut app, "<Tab>");
    }
    for (section, extension, words) in [
        ("Summary", "txt", "event-detector-moves"),
        ("Payload", "json", "\"trace_context\""),
        ("Diff", "txt", "status\n  old  \"pickup started\"\n  new  \"pickup successful\"\n"),
        ("Context", "json", "\"accept\""),
        ("Error", "txt", "no error"),
        ("Raw", "json", "\"source_event_payload\""),
    ] {
        let page = pages.iter().find(|(name, ..)| *name == section).unwrap();
        assert!(page.1 == extension && page.2.contains(words), "{page:?}");
    }
}

#[test]
fn nothing_that_is_taken_away_controls_a_terminal() {
    let evil = "e\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\r\nX";
    let mut row = invocation_row();
    row["error_message"] = json!(evil);
    row["source_function"] = json!(evil);
    row["context_data"] = json!({evil: evil});
    let mut app = detail(row);
    for _ in 0..6 {
        press(&mut app, "<Tab>");
        for document in [for_programs(&app), for_people(&app)].into_iter().flatten() {
            let harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!document.text.contains(harmful), "{:?}: {:?}", app.detail.section, document.text);
        }
    }
    let raw: Value = serde_json::from_str(&for_programs(&app).unwrap().text).unwrap();
    assert_eq!(raw["error_message"], evil, "but nothing is lost");
}

#[test]
fn log_lines_are_text_with_their_fields() {
    let mut app = opened(fixture::rows());
    let commands = press(&mut app, "eL");
    let Some(Cmd::Logs { request, .. }) = commands.last() else { panic!("{commands:?}") };
    update(&mut app, Msg::Logs(*request, Ok(fixture::log_page())));
    let document = exported(&mut app);
    assert_eq!(
        (document.name.as_str(), document.extension),
        ("obs-tui-logs-job-sendNotification-20261120T120433Z", "log")
    );
    assert_eq!(document.text.lines().count(), 8);
    let error = "ERROR notify-svc [Twilio] 21610 Attempt to send to unsubscribed recipient  {\"code\":21610";
    assert!(document.text.contains(error), "{}", document.text);
    let commands = press(&mut app, "U");
    assert!(matches!(&commands[..], [Cmd::CopyLink(query)] if query.job_id == Some(id(41))), "{commands:?}");
}

#[test]
fn before_anything_came_nothing_is_taken_away() {
    let mut app = fixture::app((80, 24));
    assert_eq!(press(&mut app, "x"), []);
    assert!(app.note.is_some_and(|note| note.text.contains("nothing to take away")));
}

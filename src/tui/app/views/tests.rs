//! Saved views and the session, without files.

use super::*;
use crate::model::invocation::Page;
use crate::tui::app::columns::{Column, Sort};
use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
use crate::tui::msg::Msg;
use crate::tui::update::{start, update};

fn list() -> App {
    let mut app = fixture::app((80, 24));
    app.settings.files.views = Some("/c/views.toml".into());
    let commands = start(&mut app);
    answer(&mut app, &commands);
    app
}

/// Answers the question for rows, where there is one.
fn answer(app: &mut App, commands: &[Cmd]) {
    for command in commands {
        if let Cmd::Page { request, .. } = command {
            update(app, Msg::Page(*request, Ok(Page { rows: fixture::listed(), more: false })));
        }
    }
}

fn views() -> Vec<View> {
    let slow = Look {
        filter: "dur:>5s at:7d".to_owned(),
        columns: vec![Column::Time, Column::Function, Column::Duration],
        sort: Some(Sort { column: Column::Duration, reverse: false }),
        ..Look::default()
    };
    let failed = Look { filter: "st:failed fn:*moves".to_owned(), ..Look::default() };
    let hostile = Look { filter: "\u{1b}[2J".to_owned(), ..Look::default() };
    [("failed moves", failed), ("slow", slow), ("evil \u{202e}\u{1b}]0;x", hostile)]
        .map(|(name, look)| View { name: name.to_owned(), look })
        .into()
}

fn opened() -> App {
    let mut app = list();
    assert_eq!(press(&mut app, "F"), [Cmd::ReadViews("/c/views.toml".into())]);
    update(&mut app, Msg::Views(Ok(views())));
    app
}

#[test]
fn a_view_is_chosen_changed_and_told() {
    let mut app = opened();
    let commands = press(&mut app, "j<Enter>");
    answer(&mut app, &commands);
    assert_eq!(app.overlay, None);
    assert_eq!(look(&app), views()[1].look);
    assert_eq!(name(&app), "slow");
    press(&mut app, "S");
    assert_eq!(name(&app), "slow*");
    let mut app = opened();
    press(&mut app, "<Enter>F");
    update(&mut app, Msg::Views(Ok(views())));
    press(&mut app, "j<Enter>");
    assert_eq!(name(&app), "slow", "from view to view");
}

#[test]
fn keys_choose_delete_and_close() {
    let delete = |name: &str| Cmd::DeleteView { file: "/c/views.toml".into(), name: name.to_owned() };
    // (keys, selected, deletes)
    for (keys, at, deletes) in [
        ("j", Some(1), None),
        ("jjjj", Some(2), None),
        ("Gk", Some(1), None),
        ("d", Some(0), None),
        ("dd", Some(0), Some("failed moves")),
        ("jdkd", Some(0), None),
        ("d<Del>", Some(0), Some("failed moves")),
        ("<Esc>", None, None),
        ("q", None, None),
        ("F", None, None),
    ] {
        let mut app = opened();
        let commands = press(&mut app, keys);
        let found = match app.overlay {
            Some(Overlay::Views(choice)) => Some(choice.at),
            _ => None,
        };
        assert_eq!((found, commands), (at, deletes.map(delete).into_iter().collect()), "{keys}");
    }
    let mut app = opened();
    press(&mut app, "Gdd");
    update(&mut app, Msg::Views(Ok(views()[..1].to_vec())));
    assert_eq!(app.overlay, Some(Overlay::Views(Choice::default())), "the last one is selected");
}

#[test]
fn saving_asks_for_a_name_and_before_it_replaces() {
    let mut app = list();
    filter::set(&mut app, "st:failed");
    press(&mut app, "C-sweekly<Space>failures");
    assert_screen("views__naming", &app);
    let expected = View { name: "weekly failures".to_owned(), look: look(&app) };
    let save = |replace| Cmd::SaveView { file: "/c/views.toml".into(), view: expected.clone(), replace };
    assert_eq!(press(&mut app, "<Enter>"), [save(false)]);
    update(&mut app, Msg::ViewSaved(expected.clone(), Ok(None)));
    assert_screen_at("views__taken", &app, &fixture::THEME, (80, 24));
    let mut other = app.clone();
    press(&mut other, "2<BS>");
    assert_eq!(press(&mut other, "<Enter>"), [save(false)], "another name in between is asked for again");
    assert_eq!(press(&mut app, "<Enter>"), [save(true)]);
    update(&mut app, Msg::ViewSaved(expected.clone(), Ok(Some(vec![expected.clone()]))));
    assert_eq!((name(&app).as_str(), app.note.as_ref().unwrap().is_error), ("weekly failures", false));
    press(&mut app, "C-s<Enter>");
    update(&mut app, Msg::ViewSaved(expected, Err("nothing written to /c/views.toml: no space left".to_owned())));
    assert!(app.note.as_ref().unwrap().is_error);
    assert_eq!(press(&mut app, "C-sC-u<Enter>"), [Cmd::ReadViews("/c/views.toml".into())], "no name, nothing saved");
}

#[test]
fn without_a_place_nothing_is_kept() {
    let mut app = fixture::app((80, 24));
    assert_eq!(press(&mut app, "FC-s"), []);
    assert!(app.note.as_ref().unwrap().text.contains("no place"));
}

#[test]
fn a_session_goes_on_where_the_last_one_ended() {
    let mut app = opened();
    let commands = press(&mut app, "j<Enter>");
    answer(&mut app, &commands);
    press(&mut app, "T");
    let left = session(&app);
    assert_eq!((left.view.as_deref(), left.local_time), (Some("slow"), true));
    let mut next = fixture::app((80, 24));
    let commands = restore(&mut next, left.clone());
    assert!(matches!(commands[..], [Cmd::Page { .. }]), "{commands:?}");
    assert_eq!(start(&mut next), [], "the rows are asked for once");
    answer(&mut next, &commands);
    assert_eq!((session(&next), name(&next).as_str()), (left, "slow"));
    assert_eq!(next.invocations.selected_index(), columns::row_at(&next, 0).unwrap(), "the first one of the order");
    // For another database the filter means nothing; for another role of the same one it does.
    for (place, filter) in
        [("app@db:5432/event_detector_observability", "fn:moves"), ("app@db:5433/event_detector_observability", "")]
    {
        let look = Look { filter: "fn:moves".to_owned(), ..Look::default() };
        let session = Session { database: place.to_owned(), look, local_time: true, ..Session::default() };
        let mut other = fixture::app((80, 24));
        restore(&mut other, session);
        assert_eq!((other.filter.applied().to_string(), other.local_time), (filter.to_owned(), true), "{place}");
    }
    // A filter of another version is left out, the rest stays.
    let mut odd = fixture::app((80, 24));
    let session =
        Session { look: Look { filter: "st:(".to_owned(), ..Look::default() }, local_time: true, ..Session::default() };
    assert_eq!(restore(&mut odd, session), []);
    assert!(odd.local_time && odd.filter.applied().is_empty() && odd.note.is_none());
}

#[test]
fn screens() {
    let mut app = opened();
    assert_screen("views__normal", &app);
    assert_screen_at("views__small", &app, &PLAIN, (40, 12));
    press(&mut app, "d");
    assert_screen_at("views__deleting", &app, &fixture::THEME, (80, 24));
    press(&mut app, "j<Enter>");
    let mut app = list();
    press(&mut app, "F");
    assert_screen_at("views__reading", &app, &fixture::THEME, (80, 24));
    update(&mut app, Msg::Views(Ok(vec![])));
    assert_screen_at("views__none", &app, &fixture::THEME, (80, 24));
    update(
        &mut app,
        Msg::Views(Err("/home/ada/.config/obs-tui/views.toml: line 3: key with no value, expected `=`".to_owned())),
    );
    app.note = None;
    assert_screen_at("views__damaged", &app, &fixture::THEME, (80, 24));
}

#[test]
fn the_first_session_is_told_what_to_begin_with() {
    let mut app = fixture::app((80, 24));
    assert_eq!(welcome(&mut app), []);
    assert_eq!(app.note.unwrap().text, "to begin: e next failure, Enter its cascade, / filter, ? all keys");
}

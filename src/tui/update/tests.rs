//! Keys and messages that concern the whole explorer.

use chrono::TimeDelta;

use super::*;
use crate::model::invocation::{Page, Server};
use crate::model::losses::{Loss, Losses};
use crate::tui::app::{Files, overlay::Overlay};
use crate::tui::fixture::{self, assert_screen, assert_screen_at, press};
use crate::tui::keymap;
use crate::tui::msg::Failure;

fn loaded() -> App {
    let mut app = fixture::app((80, 24));
    let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
    update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
    app
}

/// Lets the time go on to the moment that the state waits for.
fn wake(app: &mut App) -> Vec<Cmd> {
    let at = app.wake_at().expect("it waits for something");
    update(app, Msg::Tick(at))
}

fn fail(app: &mut App, failure: Failure) -> Vec<Cmd> {
    let request = app.invocations.rows.request.expect("a request");
    update(app, Msg::Changes(request, Err(failure)))
}

#[test]
fn live_looks_for_changes_every_two_seconds_and_pause_stops_it() {
    let mut app = loaded();
    assert_eq!(app.wake_at(), Some(fixture::now() + TimeDelta::seconds(2)));
    let commands = wake(&mut app);
    assert!(matches!(commands[..], [Cmd::Changes { .. }]), "{commands:?}");
    assert_eq!(app.wake_at(), Some(fixture::now() + TimeDelta::seconds(4)), "also while the answer is awaited");
    assert_eq!(wake(&mut app), [], "but nothing is asked twice");
    press(&mut app, "p");
    assert_eq!(app.wake_at(), None);
    assert_eq!(update(&mut app, Msg::Tick(fixture::now() + TimeDelta::hours(1))), []);
    assert_screen_at("invocations__paused", &app, &fixture::THEME, (80, 24));
    app.invocations.rows.request = None;
    assert!(matches!(press(&mut app, "p")[..], [Cmd::Changes { .. }]));
    assert!(app.wake_at().is_some_and(|at| at > app.now));
}

#[test]
fn offline_waits_for_the_announced_moment_and_tries_again() {
    let mut app = loaded();
    wake(&mut app);
    assert_eq!(fail(&mut app, Failure::unreachable("gone")), [Cmd::Retry { attempt: 1 }]);
    assert_eq!(app.wake_at(), None, "until the moment is known");
    let at = app.now + TimeDelta::seconds(1);
    update(&mut app, Msg::RetryAt(at));
    assert_eq!(update(&mut app, Msg::Tick(at - TimeDelta::milliseconds(1))), []);
    assert!(matches!(update(&mut app, Msg::Tick(at))[..], [Cmd::Changes { .. }]));
    assert_eq!(app.wake_at(), None, "the attempt is on its way");
    assert_eq!(fail(&mut app, Failure::unreachable("gone")), [Cmd::Retry { attempt: 2 }]);
    update(&mut app, Msg::RetryAt(at + TimeDelta::seconds(9)));
    let [Cmd::Changes { request, .. }] = press(&mut app, "r")[..] else { panic!("r does not wait") };
    assert_eq!(update(&mut app, Msg::Changes(request, Ok(Page::default()))), [Cmd::Listen]);
    assert_eq!(app.connection, Connection::Online);
    assert!(app.note.as_ref().is_some_and(|note| note.text == "connected again"));
    assert_eq!(app.wake_at(), Some(app.now), "what waited is read at once");
    assert_eq!(app.invocations.rows().len(), 12, "nothing was lost");
}

#[test]
fn requests_that_fail_together_are_one_attempt() {
    let mut app = loaded();
    wake(&mut app);
    fail(&mut app, Failure::unreachable("gone"));
    let at = app.now + TimeDelta::seconds(1);
    update(&mut app, Msg::RetryAt(at));
    assert_eq!(app.heard::<()>(Err(Failure::unreachable("gone too"))), Err("gone too".to_owned()));
    assert!(matches!(app.connection, Connection::Offline { attempt: 1, retry_at: Some(_), .. }));
}

#[test]
fn a_refused_password_is_not_tried_again_by_itself() {
    let mut app = loaded();
    wake(&mut app);
    assert_eq!(fail(&mut app, Failure::refused("wrong password")), []);
    assert_eq!(app.wake_at(), None);
    assert!(matches!(press(&mut app, "r")[..], [Cmd::Changes { .. }]));
}

#[test]
fn an_error_of_one_query_stops_nothing() {
    let mut app = loaded();
    wake(&mut app);
    assert_eq!(fail(&mut app, Failure::other("too slow")), []);
    assert_eq!(app.connection, Connection::Online);
    assert!(app.wake_at().is_some());
    assert!(fixture::screen(&app, &fixture::THEME, (80, 24)).contains("too slow"));
}

#[test]
fn leaving_is_asked_for_once() {
    // Keys, whether it ends.
    for (keys, quit) in [
        ("q", false),
        ("qq", true),
        ("qjq", false),
        ("C-c", false),
        ("C-cC-c", true),
        ("qC-c", true),
        ("<Esc><Esc>", false),
        ("?q", false),
        ("?qqq", true),
        ("?C-cC-c", true),
    ] {
        let mut app = loaded();
        press(&mut app, keys);
        assert_eq!(app.quit, quit, "{keys}");
    }
}

#[test]
fn screens_are_a_stack() {
    let mut app = loaded();
    app.show(View::Flow);
    app.show(View::Detail);
    press(&mut app, "<Esc>");
    assert_eq!((app.view, &app.back[..]), (View::Flow, &[View::Invocations][..]));
    press(&mut app, "'");
    assert_eq!(app.view, View::Detail);
    press(&mut app, "q<BS>");
    assert_eq!((app.view, app.back.len()), (View::Invocations, 0));
    app.show(View::Flow);
    press(&mut app, "1");
    assert_eq!((app.view, app.back.len()), (View::Invocations, 0), "the list is the root");
    press(&mut app, "'");
    assert_eq!(app.view, View::Flow);
}

#[test]
fn screens_without_a_subject_say_so() {
    for keys in ["2", "3"] {
        let mut app = fixture::app((80, 24));
        press(&mut app, keys);
        assert_eq!(app.view, View::Invocations);
        assert!(app.note.is_some(), "{keys}");
    }
}

#[test]
fn redraw_and_suspend_are_asked_for() {
    let mut app = loaded();
    assert_eq!(press(&mut app, "C-lC-z"), [Cmd::Redraw, Cmd::Suspend]);
    assert_eq!(press(&mut app, "?C-lC-z"), [Cmd::Redraw, Cmd::Suspend], "also in the help");
}

#[test]
fn help_scrolls_and_closes() {
    let mut app = loaded();
    press(&mut app, "?");
    assert_screen("help__normal", &app);
    assert_screen_at("help__plain", &app, &fixture::PLAIN, (40, 12));
    press(&mut app, "G");
    assert_screen_at("help__end", &app, &fixture::THEME, (80, 24));
    let last = app.help;
    press(&mut app, "jjC-f");
    assert_eq!(app.help, last, "there is an end");
    press(&mut app, "ggj");
    assert_eq!(app.help, Some(1));
    press(&mut app, "<Esc>");
    assert_eq!((app.help, app.view), (None, View::Invocations));
}

#[test]
fn nothing_panics_at_any_size_or_key() {
    let mut app = loaded();
    for (columns, rows) in
        [(0, 0), (1, 1), (39, 40), (40, 11), (40, 12), (41, 13), (57, 30), (99, 29), (500, 200), (40, 12)]
    {
        update(&mut app, Msg::Resize(columns, rows));
        for binding in keymap::BINDINGS {
            press(&mut app, binding.keys[0]);
            fixture::screen(&app, &fixture::THEME, (columns, rows));
            app.quit = false;
        }
    }
}

#[test]
fn keys_typed_before_the_rows_come_are_done_when_they_are_there() {
    let mut app = fixture::app((120, 36));
    let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
    for keys in ["e", "<Enter>", "e", "y"] {
        assert_eq!(press(&mut app, keys), [], "{keys}");
    }
    let commands = update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
    let [Cmd::Cascade { request, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!(app.view, View::Flow);
    let commands = update(&mut app, Msg::Cascade(request, Ok(Some(fixture::rows()))));
    let [Cmd::Copy(copied)] = &commands[..] else { panic!("{commands:?}") };
    assert!(copied.text().contains("21610"), "{copied:?}");
    assert!(app.typed_ahead.is_empty());

    let mut app = fixture::app((120, 36));
    start(&mut app);
    press(&mut app, "j");
    press(&mut app, "4");
    assert!(app.typed_ahead.is_empty(), "what was typed on another screen is forgotten");
}

#[test]
fn nothing_seems_to_run_on_while_the_database_is_gone() {
    let mut app = loaded();
    wake(&mut app);
    fail(&mut app, Failure::unreachable("gone"));
    let rows = |app: &App| {
        let screen = fixture::screen(app, &fixture::THEME, app.size);
        screen.lines().filter(|line| line.contains("RUN")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = rows(&app);
    assert_eq!(before.len(), 1, "a running row");
    let later = app.now + TimeDelta::hours(1);
    update(&mut app, Msg::Tick(later));
    assert_eq!(rows(&app), before);
}

#[test]
fn what_a_left_screen_asked_for_is_given_up() {
    let mut app = loaded();
    let [Cmd::Changes { .. }] = wake(&mut app)[..] else { panic!("no request") };
    let commands = press(&mut app, "4");
    assert!(matches!(commands[..], [Cmd::Leave(View::Invocations), Cmd::Hourly { .. }]), "{commands:?}");
    assert!(!app.invocations.rows.is_loading());
    let commands = press(&mut app, "<Esc>");
    assert!(matches!(commands[..], [Cmd::Leave(View::Charts), Cmd::Changes { .. }]), "{commands:?}");
    let commands = press(&mut app, "4");
    assert!(matches!(commands[..], [Cmd::Leave(_), Cmd::Hourly { .. }]), "asked for again, not lost: {commands:?}");

    let mut app = loaded();
    let commands = press(&mut app, "<Enter>");
    assert!(matches!(commands[..], [Cmd::Cascade { .. }]), "nothing was on its way: {commands:?}");
    press(&mut app, "<Esc>p");
    let commands = press(&mut app, "2");
    assert!(matches!(commands.last(), Some(Cmd::Cascade { .. })), "paused, but nothing is there yet: {commands:?}");
}

#[test]
fn the_attempt_to_reach_the_database_is_never_given_up() {
    let mut app = loaded();
    wake(&mut app);
    fail(&mut app, Failure::unreachable("gone"));
    let at = app.now + TimeDelta::seconds(1);
    update(&mut app, Msg::RetryAt(at));
    assert!(matches!(update(&mut app, Msg::Tick(at))[..], [Cmd::Changes { .. }]));
    let commands = press(&mut app, "4");
    assert!(!commands.contains(&Cmd::Leave(View::Invocations)), "{commands:?}");
    assert_eq!(fail(&mut app, Failure::unreachable("gone")), [Cmd::Retry { attempt: 2 }]);
}

#[test]
fn every_action_of_the_keymap_can_be_remapped_and_the_screen_says_so() {
    let mut app = loaded();
    let keys = ["Q".to_owned()];
    app.settings.keys = keymap::Keymap::new([("next_failure", &keys[..]), ("help", &["H".to_owned()])]).unwrap();
    press(&mut app, "Q");
    assert_eq!(app.invocations.selected_index(), 2);
    let screen = fixture::screen(&app, &fixture::PLAIN, (120, 36));
    assert!(screen.contains("Q/E failure") && screen.contains("H help"), "{screen}");
}

/// The header says what the server is: nothing more than it proves.
#[test]
fn the_header_tells_a_replica_and_a_session_that_only_reads() {
    let header =
        |app: &App, width| fixture::screen(app, &fixture::PLAIN, (width, 24)).lines().next().unwrap().to_owned();
    let mut app = fixture::app((120, 24));
    assert!(!header(&app, 120).contains(" ro "));
    let primary = Server { read_only: true, ..Server::default() };
    let replica =
        Server { read_only: true, replica: true, lag: Some(TimeDelta::milliseconds(4_200)), ..Server::default() };
    let unknown = Server { replica: true, ..Server::default() };
    update(&mut app, Msg::Server(primary.clone()));
    assert!(header(&app, 120).ends_with("ro  LIVE 2s  12:04:33Z"), "{}", header(&app, 120));
    update(&mut app, Msg::Server(replica));
    for width in [120, 80] {
        assert!(header(&app, width).ends_with("replica 4s ro  LIVE 2s  12:04:33Z"), "{}", header(&app, width));
    }
    update(&mut app, Msg::Server(unknown.clone()));
    assert!(header(&app, 80).ends_with("replica ?  LIVE 2s  12:04:33Z"), "{}", header(&app, 80));
    // A role with more rights than it needs, at most widths.
    let writer = Server { read_only: true, may_write: true, ..Server::default() };
    update(&mut app, Msg::Server(writer.clone()));
    for width in [120, 80] {
        assert!(header(&app, width).ends_with("ro (role may write)  LIVE 2s  12:04:33Z"), "{}", header(&app, width));
    }
    let behind = Server { replica: true, lag: Some(TimeDelta::milliseconds(4_200)), ..writer };
    update(&mut app, Msg::Server(behind.clone()));
    assert!(header(&app, 80).ends_with("replica 4s ro (role may write)  LIVE 2s  12:04:33Z"), "{}", header(&app, 80));
    fixture::assert_screen_at("frame__role_may_write", &app, &fixture::PLAIN, (80, 24));
    // Each is told once, whatever the name of a role is.
    let open = Server {
        may_create: vec!["writer".into(), "\"e\u{1b}[31m\"".into()],
        not_read: vec![("job_logs".into(), "writer".into())],
        ..behind
    };
    for server in [&open, &open, &Server { may_create: vec!["PUBLIC".into()], ..open.clone() }] {
        update(&mut app, Msg::Server(server.clone()));
    }
    let told: Vec<&str> = app.messages.kept.iter().map(|message| message.text.split(';').next().unwrap()).collect();
    assert_eq!(
        told,
        [
            "this role may write to the tables",
            "may create in the schema of the tables: writer, \"e\u{1b}[31m\"",
            "job_logs is not read: that could run code of its owner writer, whom this session does not trust",
            "may create in the schema of the tables: every role",
        ]
    );
    update(&mut app, Msg::Server(Server { replica: true, ..Server::default() }));
    for (tls, shown) in [(Some(true), "ro tls"), (Some(false), "ro no tls"), (None, "ro")] {
        update(&mut app, Msg::Server(Server { tls, ..primary.clone() }));
        assert!(header(&app, 80).ends_with(&format!("  {shown}  LIVE 2s  12:04:33Z")), "{}", header(&app, 80));
    }
    update(&mut app, Msg::Server(unknown));
    // Of a server that is away nothing is known.
    app.connection = Connection::Offline { since: app.now, error: "gone".into(), attempt: 1, retry_at: None };
    assert!(!header(&app, 120).contains("replica"));
}

#[test]
fn pasted_text_goes_into_the_line_that_is_typed() {
    let files = Files { views: Some("/c/views.toml".into()), ..Files::default() };
    let typed = |app: &App| match (&app.overlay, &app.filter.prompt) {
        (Some(Overlay::Palette(state)), _) => state.line.text().to_owned(),
        (Some(Overlay::SaveView(naming)), _) => naming.line.text().to_owned(),
        (Some(Overlay::Range(menu)), _) => menu.line.text().to_owned(),
        (None, Some(prompt)) => prompt.line.text().to_owned(),
        _ => crate::tui::app::help::wanted(app).to_owned(),
    };
    for keys in [":", "C-s", "t", "/", "?/"] {
        let mut app = fixture::app((80, 24));
        app.settings.files = files.clone();
        press(&mut app, keys);
        update(&mut app, Msg::Paste("next\nline".to_owned()));
        assert_eq!(typed(&app), "next", "{keys}");
    }
    for keys in ["!", "c", "F", "?"] {
        let mut app = fixture::app((80, 24));
        app.settings.files = files.clone();
        press(&mut app, keys);
        update(&mut app, Msg::Paste("next".to_owned()));
        assert_eq!(app.note.unwrap().text, "nothing here takes pasted text", "{keys}");
    }
}

#[test]
fn a_note_that_comes_while_a_line_is_typed_does_not_stay_in_its_place() {
    let mut app = fixture::app((80, 24));
    press(&mut app, ":fai");
    update(&mut app, Msg::Told(Ok("copied 36 B".to_owned())));
    press(&mut app, "l");
    assert_eq!(app.note, None);
    assert!(fixture::screen(&app, &fixture::PLAIN, (80, 24)).contains(" :fail"));
}

#[test]
fn lists_tell_when_or_how_long_ago() {
    let mut app = loaded();
    let told: Vec<String> = (0..3)
        .map(|_| {
            press(&mut app, "T");
            app.note.clone().unwrap().text
        })
        .collect();
    assert_eq!(told, ["local time", "how long ago; elsewhere local time", "UTC"]);
    press(&mut app, "TT");
    assert_screen("invocations__ages", &app);
    press(&mut app, "4T");
    assert_eq!((app.local_time, app.ages), (false, true), "charts have hours");
    // What was seen a moment ago stands still: an idle screen costs nothing.
    let mut app = loaded();
    press(&mut app, "TT<Esc>");
    let lines = |app: &App| fixture::screen(app, &fixture::PLAIN, (80, 24)).lines().skip(2).collect::<String>();
    app.invocations.rows.value.as_mut().unwrap().truncate(3);
    app.invocations.rows.value.as_mut().unwrap().remove(0);
    let before = lines(&app);
    app.now += TimeDelta::seconds(4);
    assert_eq!(lines(&app), before);
}

#[test]
fn one_pane_takes_the_screen() {
    use crate::tui::app::flow::tests::opened;
    use crate::tui::app::groups::tests::{failed, jobs};
    // A preview is asked for where it is shown alone, too.
    let mut app = loaded();
    assert!(matches!(press(&mut app, "jjZ")[..], [Cmd::Inside { .. }]));
    assert_screen("zoom__preview", &app);
    let mut charts = fixture::app((120, 36));
    let [Cmd::Hourly { request, .. }] = press(&mut charts, "4")[..] else { panic!("no request") };
    update(&mut charts, Msg::Hourly(request, Ok(fixture::hourly())));
    for (mut app, name) in [
        (opened(fixture::rows()), "zoom__node"),
        (failed(), "zoom__runs"),
        (jobs(), "zoom__jobs"),
        (charts, "zoom__chart"),
    ] {
        let keys = if name == "zoom__runs" { "<Tab>Z" } else { "eZ" };
        press(&mut app, keys);
        let screen = fixture::screen(&app, &fixture::PLAIN, (80, 24));
        if name == "zoom__node" {
            assert!(screen.contains("RestException") && !screen.contains("NODE"), "{screen}");
        } else {
            assert_screen(name, &app);
        }
        let before = fixture::screen(&app, &fixture::PLAIN, (40, 12));
        press(&mut app, "<Esc>");
        assert!(!app.zoomed && app.note.is_none(), "{name}");
        assert_ne!(fixture::screen(&app, &fixture::PLAIN, (40, 12)), before, "{name}");
        press(&mut app, "ZZ");
        assert!(!app.zoomed, "{name}");
        press(&mut app, "Z1");
        assert!(!app.zoomed, "{name}: another screen shows all of it");
    }
}

#[test]
fn edited_keys_are_in_force_where_they_can_be_used() {
    let mut app = loaded();
    press(&mut app, ":keys<Space>edit<Enter>");
    assert!(app.note.as_ref().unwrap().text.contains("set HOME"), "{:?}", app.note);
    app.settings.files.config = Some("/c/config.toml".into());
    assert_eq!(press(&mut app, ":keys<Space>edit<Enter>"), [Cmd::EditKeys("/c/config.toml".into())]);
    update(&mut app, Msg::Keys(Keymap::of_file("[keys]\nnext_failure = [\"Q\"]")));
    assert_eq!(app.note.as_ref().unwrap().text, "the keys of 1 action are in force as they were written");
    let before = app.invocations.selected;
    press(&mut app, "Q");
    assert_ne!(app.invocations.selected, before);
    update(&mut app, Msg::Keys(Keymap::of_file("[keys]\nnext_failure = [\"j\"]")));
    assert!(app.note.as_ref().is_some_and(|note| note.is_error), "{:?}", app.note);
    assert_eq!(app.settings.keys.key_of(View::Invocations, Action::NextFailure), "Q");
}

#[test]
fn losses_are_marked_in_the_header_and_listed_in_the_messages() {
    let mut app = loaded();
    let answer = |losses| Msg::Losses("the last day".to_owned(), Ok(losses));
    let loss = |class: &str, records| Loss {
        class: class.to_owned(),
        reason: "full".to_owned(),
        records,
        recorders: 1,
        last: fixture::now(),
    };
    let reported = |kinds| Losses::Reported { kinds, truncated: false };
    let header = |app: &App, width: u16| {
        fixture::screen(app, &fixture::PLAIN, (width, 24)).lines().next().unwrap_or_default().to_owned()
    };
    let texts = |app: &App| app.messages.kept.iter().map(|message| message.text.clone()).collect::<Vec<_>>();
    let before = header(&app, 120);
    // None at the start is no news; not to know is.
    update(&mut app, answer(reported(Vec::new())));
    assert_eq!((texts(&app).len(), header(&app, 120)), (0, before.clone()));
    update(&mut app, answer(Losses::NotReadable));
    assert!(texts(&app)[0].contains("may not read recorder_losses") && header(&app, 120) == before);
    let some = reported(vec![loss("job", 12), loss("log\u{1b}[2J", 1)]);
    update(&mut app, answer(some.clone()));
    update(&mut app, answer(some));
    let told = texts(&app);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[1].contains("13 records lost in the last day") && told[2].contains("job") && told[3].contains("log"));
    assert!(!told[3].contains('\u{1b}'));
    assert!(header(&app, 120).contains("  13 lost "), "{}", header(&app, 120));
    // That it cannot be read is told once.
    for _ in 0..2 {
        let failed = Failure { text: "too slow".to_owned(), kind: crate::tui::msg::FailureKind::Other };
        update(&mut app, Msg::Losses("the last day".to_owned(), Err(failed)));
    }
    assert_eq!(texts(&app)[4..], ["Recorder losses: not read: too slow"]);
    // What cannot be read now is as it was; when nothing is lost any more, the mark goes.
    update(&mut app, Msg::Losses("the last day".to_owned(), Err(Failure::refused("no".to_owned()))));
    assert!(header(&app, 120).contains("  13 lost "));
    update(&mut app, answer(reported(Vec::new())));
    assert_eq!((texts(&app).len(), header(&app, 120)), (6, before));
}

//! The list: merging, following, paging.

use super::*;
use crate::model::status::STALE_AFTER;
use crate::tui::app::Connection;
use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
use crate::tui::msg::Msg;
use crate::tui::update::{start, update};

/// So many rows, newest first, a second apart, from this one on.
fn rows(newest: u128, count: u128) -> Vec<Listed> {
    let row = |n: u128| {
        let age = 1_000 * (1_000_000 - i64::try_from(n).unwrap());
        let invocation = fixture::invocation(n, age, "moves", ("UPDATE", "moves"));
        Listed { invocation, children: crate::model::invocation::Children::default() }
    };
    (newest + 1 - count..=newest).rev().map(row).collect()
}

fn page(rows: Vec<Listed>, more: bool) -> Result<Page, Failure> {
    Ok(Page { rows, more })
}

/// A state that holds these rows.
fn loaded(rows: Vec<Listed>, more: bool, size: (u16, u16)) -> App {
    let mut app = fixture::app(size);
    let commands = start(&mut app);
    let [Cmd::Page { request, older_than: None, limit: PAGE, .. }] = commands[..] else { panic!("{commands:?}") };
    update(&mut app, Msg::Page(request, page(rows, more)));
    app
}

fn answer_changes(app: &mut App, rows: Vec<Listed>) -> Vec<Cmd> {
    let commands = refresh(app);
    let [Cmd::Changes { request, .. }] = commands[..] else { panic!("{commands:?}") };
    update(app, Msg::Changes(request, page(rows, false)))
}

fn place(app: &App) -> usize {
    app.invocations.selected_index()
}

#[test]
fn keys_move_the_selection() {
    // (before, keys, after) in 18 visible rows of 60.
    for (before, keys, after) in [
        (0, "j", 1),
        (0, "jjk", 1),
        (0, "k", 0),
        (5, "<Up>", 4),
        (0, "<PgDn>", 18),
        (0, "C-d", 9),
        (20, "C-u", 11),
        (20, "C-b", 2),
        (2, "<PgUp>", 0),
        (3, "G", 59),
        (3, "<End>k", 58),
        (30, "gg", 0),
        (30, "<Home>", 0),
        (7, "gj", 8),
        (59, "j", 59),
    ] {
        let mut app = loaded(rows(60, 60), false, (80, 24));
        press(&mut app, &"j".repeat(before));
        press(&mut app, keys);
        assert_eq!(place(&app), after, "{before} {keys}");
        let shown = app.invocations.offset..app.invocations.offset + table_rows(&app);
        assert!(shown.contains(&after), "{before} {keys}: {shown:?}");
    }
}

#[test]
fn following_stays_at_the_newest_row_until_the_cursor_moves() {
    let mut app = loaded(rows(30, 30), false, (80, 24));
    answer_changes(&mut app, rows(32, 2));
    assert_eq!((place(&app), selected(&app)), (0, Some(fixture::id(32))));
    press(&mut app, "j");
    let row = selected(&app);
    answer_changes(&mut app, rows(35, 4));
    assert_eq!((place(&app), selected(&app)), (4, row), "the selection stays with its row");
    assert_eq!(app.invocations.new_above(), 3);
    assert_eq!(app.invocations.offset, 3, "and so does the window");
    press(&mut app, "gg");
    assert_eq!((selected(&app), app.invocations.new_above()), (Some(fixture::id(35)), 0));
    answer_changes(&mut app, rows(36, 1));
    assert_eq!(selected(&app), Some(fixture::id(36)));
    press(&mut app, "f");
    answer_changes(&mut app, rows(37, 1));
    assert_eq!(selected(&app), Some(fixture::id(36)));
    press(&mut app, "f");
    assert_eq!(selected(&app), Some(fixture::id(37)));
}

#[test]
fn reaching_the_end_reads_older_rows_until_there_are_none() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    let commands = press(&mut app, "G");
    let oldest = app.invocations.rows().last().map(key);
    let [Cmd::Page { request, older_than, limit: PAGE, .. }] = commands[..] else { panic!("{commands:?}") };
    assert_eq!(older_than, oldest);
    assert_eq!(press(&mut app, "kj"), [], "one request at a time");
    update(&mut app, Msg::Page(request, page(rows(800, 150), false)));
    assert_eq!((app.invocations.rows().len(), app.invocations.complete), (350, true));
    assert_eq!(press(&mut app, "G"), []);
}

#[test]
fn a_failed_page_is_told_and_asked_for_again_on_the_next_move() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    let [Cmd::Page { request, .. }] = press(&mut app, "G")[..] else { panic!("no request") };
    update(&mut app, Msg::Page(request, Err(Failure::other("the query was stopped"))));
    assert!(fixture::screen(&app, &PLAIN, (80, 24)).contains("older rows not loaded: the query was stopped"));
    assert!(matches!(press(&mut app, "j")[..], [Cmd::Page { .. }]));
}

#[test]
fn a_late_answer_changes_nothing() {
    let mut app = loaded(rows(10, 10), false, (80, 24));
    update(&mut app, Msg::Page(77, page(rows(900, 5), true)));
    update(&mut app, Msg::Changes(78, page(rows(900, 5), true)));
    assert_eq!(app.invocations.rows().len(), 10);
}

#[test]
fn a_burst_restarts_the_list_that_follows() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    answer_changes(&mut app, rows(9_000, NEWEST as u128));
    assert_eq!((app.invocations.rows().len(), selected(&app)), (NEWEST, Some(fixture::id(9_000))));
    assert!(!app.invocations.complete && !app.invocations.gap);
}

#[test]
fn a_burst_is_only_counted_where_the_list_does_not_follow() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    press(&mut app, "jj");
    let row = selected(&app);
    let mut answer = rows(9_000, NEWEST as u128);
    let mut known = rows(1_000, 1);
    known[0].invocation.status = "failed".into();
    answer.extend(known.clone());
    answer_changes(&mut app, answer);
    assert_eq!((app.invocations.rows().len(), selected(&app)), (200, row));
    assert_eq!(app.invocations.rows()[0], known[0], "what is known is brought up to date");
    assert!(fixture::screen(&app, &PLAIN, (80, 24)).contains("500+ new above (gg)"));
    let commands = press(&mut app, "gg");
    assert!(matches!(commands[..], [Cmd::Page { older_than: None, .. }]), "{commands:?}");
}

#[test]
fn the_estimate_of_the_server_tells_how_many_rows_there_are() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    let place = |app: &App| fixture::screen(app, &PLAIN, (80, 24)).lines().nth(22).unwrap_or_default().to_owned();
    assert!(place(&app).starts_with(" 1/200+ "), "{}", place(&app));
    app.server.invocations = Some(1_005_264);
    assert!(place(&app).starts_with(" 1/200 of ~1,005,264 "), "{}", place(&app));
    app.server.invocations = Some(120);
    assert!(place(&app).starts_with(" 1/200+ "), "an estimate that is too small is not told: {}", place(&app));
}

#[test]
fn rows_that_may_still_change_are_asked_for_by_id() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    let newest = app.invocations.rows().first().map(key);
    let commands = refresh(&mut app);
    let [Cmd::Changes { since, unfinished, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((*since, &unfinished[..]), (newest, &[fixture::id(1), fixture::id(11)][..]));
    assert_eq!(refresh(&mut app), [], "not while an answer is awaited");
}

#[test]
fn a_row_from_the_future_does_not_hide_what_comes_after_it() {
    let mut from_the_future = rows(1_500_000, 1);
    from_the_future.extend(rows(999_000, 3));
    let mut app = loaded(from_the_future, false, (80, 24));
    let [Cmd::Changes { since, .. }] = &refresh(&mut app)[..] else { panic!("no request") };
    assert_eq!(since.map(|key| key.id), Some(fixture::id(999_000)));
}

#[test]
fn memory_is_bounded_on_the_side_that_is_not_looked_at() {
    let mut app = loaded(rows(300_000, MOST_ROWS as u128), true, (80, 24));
    let [Cmd::Page { request, .. }] = press(&mut app, "G")[..] else { panic!("no request") };
    let row = selected(&app);
    update(&mut app, Msg::Page(request, page(rows(250_000, 200), true)));
    assert_eq!((app.invocations.rows().len(), selected(&app)), (MOST_ROWS, row));
    assert!(app.invocations.gap, "the newest rows went");
    let [Cmd::Page { request, older_than: None, .. }] = press(&mut app, "gg")[..] else { panic!("no request") };
    update(&mut app, Msg::Page(request, page(rows(300_000, 200), true)));
    assert_eq!((app.invocations.rows().len(), app.invocations.gap), (200, false));
}

#[test]
fn e_goes_to_the_next_failure_and_reads_on_to_find_one() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    let mut seen = Vec::new();
    for keys in ["e", "e", "e", "E", "E"] {
        press(&mut app, keys);
        seen.push(place(&app));
    }
    assert_eq!(seen, [2, 8, 8, 2, 2]);
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    let [Cmd::Page { request, .. }] = press(&mut app, "e")[..] else { panic!("no request") };
    let [Cmd::Page { .. }] = update(&mut app, Msg::Page(request, page(rows(800, 200), true)))[..] else {
        panic!("it goes on")
    };
    let request = app.invocations.older.request.unwrap();
    let mut older = rows(600, 200);
    older[150].invocation.status = "failed".into();
    update(&mut app, Msg::Page(request, page(older, true)));
    assert_eq!(place(&app), 550);
}

#[test]
fn keys_copy_what_is_selected() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    press(&mut app, "jj");
    let mut copied = |keys: &str| match &press(&mut app, keys)[..] {
        [Cmd::Copy(copied)] => copied.text().to_owned(),
        other => panic!("{keys}: {other:?}"),
    };
    assert_eq!(copied("y"), fixture::id(3).to_string());
    assert_eq!(copied("I"), format!("moves.{}", fixture::id(3)));
    assert_eq!(copied("D"), "obs-tui ls --all --limit 12");
    let json: serde_json::Value = serde_json::from_str(&copied("Y")).unwrap();
    assert_eq!(json["effective_status"], "failed");
    assert_eq!(json["reason"], "recorded completed, but 1 job failed");
    assert_eq!(json["jobs"], serde_json::json!({"run": 3, "ok": 2, "failed": 1, "running": 0, "stuck": 0}));
    assert_eq!(json["events"], serde_json::json!({"checked": 14, "detected": 2, "failed": 1}));
    assert_eq!(json["created_at"], "2026-11-20T12:04:29.440000Z");
}

#[test]
fn screen_normal() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    press(&mut app, "jj");
    assert_screen("invocations__normal", &app);
    for size in [(40, 12), (60, 20), (200, 50)] {
        assert_screen_at("invocations__normal", &app, &fixture::THEME, size);
    }
    assert_screen_at("invocations__plain", &app, &PLAIN, (80, 24));
    assert_screen_at("invocations__plain", &app, &PLAIN, (120, 36));
    assert_screen_at("invocations__too-small", &app, &fixture::THEME, (39, 11));
}

#[test]
fn screen_scrolled() {
    let mut app = loaded(rows(1_000, 200), true, (80, 24));
    press(&mut app, "G");
    assert_screen("invocations__loading-older", &app);
    answer_changes(&mut app, rows(1_003, 4));
    assert_screen("invocations__new-above", &app);
}

#[test]
fn screen_without_rows() {
    let mut app = fixture::app((80, 24));
    app.connection = Connection::Connecting;
    start(&mut app);
    assert_screen("invocations__loading", &app);
    let request = app.invocations.rows.request.unwrap();
    let mut empty = app.clone();
    update(&mut empty, Msg::Page(request, page(Vec::new(), false)));
    assert_screen("invocations__empty", &empty);
    let lacks = "the database lacks something: there is no table invocations that this user may read. \
                 Run `obs-tui db migrate` as its owner, or name the right schema";
    let mut failed = app.clone();
    update(&mut failed, Msg::Page(request, Err(Failure::other(lacks))));
    assert_screen("invocations__failed", &failed);
    let refused = "PostgreSQL refused the login to observability_readonly@db:5432/event_detector_observability: \
                   password authentication failed. Check the user and the password";
    let mut absent = app.clone();
    update(&mut app, Msg::Page(request, Err(Failure::refused(refused))));
    assert_screen("invocations__refused", &app);
    let none = "there is no such database: observability_readonly@db:5432/typo: database \"typo\" does not exist. \
                Check its name, or make it with `obs-tui db create`";
    update(&mut absent, Msg::Page(request, Err(Failure::absent(none))));
    assert_screen("invocations__absent", &absent);
    assert_eq!((press(&mut absent, "P"), absent.login), (vec![], None), "no password helps");
}

#[test]
fn a_filter_shows_what_passes_of_the_rows_at_hand_while_the_database_is_away() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    press(&mut app, "jj");
    let selected = app.invocations.selected;
    let [Cmd::Changes { request, .. }] = refresh(&mut app)[..] else { panic!("no request") };
    let gone = || Failure::unreachable("cannot reach PostgreSQL: the connection was closed");
    update(&mut app, Msg::Changes(request, Err(gone())));
    let fail = |app: &mut App| {
        let request = app.invocations.rows.request.expect("an attempt");
        update(app, Msg::Page(request, Err(gone())));
    };
    press(&mut app, "/st:failed<Enter>");
    fail(&mut app);
    let failed = |row: &Listed| row.verdict(fixture::now(), STALE_AFTER).effective == Effective::Failed;
    let count = fixture::listed().iter().filter(|row| failed(row)).count();
    assert!(count > 0 && app.invocations.rows().len() == count && app.invocations.rows().iter().all(failed));
    assert_screen("invocations__offline_filter", &app);
    // Another one begins with all rows again; one that needs what is not at hand finds nothing.
    press(&mut app, "/C-ujob:nothing<Enter>");
    fail(&mut app);
    assert_screen("invocations__offline_filter_none", &app);
    press(&mut app, "<Esc>");
    assert_eq!((app.invocations.rows().len(), app.invocations.selected), (12, selected));
    // The database's own answer takes their place.
    press(&mut app, "/st:failed<Enter>");
    fail(&mut app);
    let [Cmd::Page { request, .. }] = press(&mut app, "r")[..] else { panic!("the list is read anew") };
    update(&mut app, Msg::Page(request, page(fixture::listed()[..1].to_vec(), false)));
    assert_eq!((app.invocations.rows().len(), app.invocations.kept.as_ref()), (1, None));
}

#[test]
fn screen_offline() {
    let mut app = loaded(fixture::listed(), false, (80, 24));
    press(&mut app, "jj");
    app.now += chrono::TimeDelta::seconds(43);
    let [Cmd::Changes { request, .. }] = refresh(&mut app)[..] else { panic!("no request") };
    let gone = "cannot reach PostgreSQL: the connection was closed. Check that the server runs, and the host and port";
    let commands = update(&mut app, Msg::Changes(request, Err(Failure::unreachable(gone))));
    assert_eq!(commands, [Cmd::Retry { attempt: 1 }]);
    let at = app.now + chrono::TimeDelta::milliseconds(700);
    update(&mut app, Msg::RetryAt(at));
    assert_screen("invocations__offline", &app);
}

#[test]
fn screen_hostile() {
    let mut hostile = fixture::listed();
    for (n, row) in hostile.iter_mut().enumerate() {
        row.invocation.source_function =
            ["\u{1b}[2J\u{1b}]0;owned\u{7}evil", "関数の名前はとても長い", "x".repeat(300).as_str()][n % 3].into();
        row.invocation.source_table = Some("\u{202e}elbat\nnew\tline".into());
        row.invocation.source_user_email = Some("a\u{200b}b\u{0}c@例え.jp".into());
        row.invocation.correlation_id = Some("\u{9b}31m".repeat(40).into());
        row.children.first_failure = Some(Box::new(crate::model::invocation::FailedJob {
            name: "\u{1b}c".into(),
            error: Some("e\u{301}\u{1b}[31m".repeat(60).into()),
        }));
        row.children.events_checked = u64::MAX / 2;
    }
    hostile[2].invocation.created_at = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    hostile[3].invocation.total_duration_ms = Some(i64::MAX);
    hostile.sort_by_key(|row| std::cmp::Reverse(key(row)));
    let mut app = loaded(hostile, false, (80, 24));
    press(&mut app, "j");
    assert_screen("invocations__hostile", &app);
}

#[test]
fn marked_rows_are_what_is_taken_away() {
    // (keys, marked rows, in the order of marking)
    for (keys, marked) in
        [("m", &[0][..]), ("mjm", &[0, 1]), ("jjmkm", &[2, 1]), ("mjmkm", &[1]), ("mjmM", &[]), ("mm", &[])]
    {
        let mut app = loaded(fixture::listed(), false, (80, 24));
        press(&mut app, keys);
        let ids: Vec<Uuid> = marked.iter().map(|&at: &usize| app.invocations.rows()[at].invocation.id).collect();
        assert_eq!(app.marks, ids, "{keys}");
    }
    let mut app = loaded(fixture::listed(), false, (120, 36));
    let copied = press(&mut app, "jmjjmY");
    let Some(Cmd::Copy(copied)) = copied.last() else { panic!("{copied:?}") };
    let rows: Vec<serde_json::Value> = serde_json::from_str(copied.text()).unwrap();
    assert_eq!(
        (copied.what(), rows.len(), &rows[1]["id"]),
        ("2 marked rows as JSON", 2, &serde_json::json!(fixture::id(4)))
    );
    let [Cmd::Export(document)] = &press(&mut app, "x")[..] else { panic!("nothing to write") };
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&document.text).unwrap().len(), 2);
    app.note = None;
    assert_screen("invocations__marked", &app);
    assert_screen_at("invocations__marked_small", &app, &PLAIN, (40, 12));
    app.marks = vec![fixture::id(999)];
    let asked = press(&mut app, "Yx");
    assert!(!asked.iter().any(|cmd| matches!(cmd, Cmd::Copy(_) | Cmd::Export(_))), "none of them is loaded");
}

#[test]
fn the_preview_stands_beside_the_list_where_there_is_room() {
    // (columns, keys, beside, below)
    for (columns, keys, beside, below) in [
        (160, "", true, false),
        (160, "v", false, true),
        (160, "vv", false, false),
        (160, "vvv", true, false),
        (160, "<Space>", false, false),
        (120, "", false, true),
        (120, "v", false, false),
        (120, "vv", false, true),
    ] {
        let mut app = loaded(fixture::listed(), false, (columns, 40));
        press(&mut app, keys);
        let found = (preview_columns(&app) > 0, has_preview(&app) && preview_columns(&app) == 0);
        assert_eq!(found, (beside, below), "{columns} {keys}");
    }
    let mut app = loaded(fixture::listed(), false, (160, 40));
    press(&mut app, "jj");
    assert_screen_at("invocations__beside", &app, &fixture::THEME, (160, 40));
    assert_screen_at("invocations__beside_plain", &app, &PLAIN, (180, 30));
}

//! Columns and order of the list.

use super::*;
use crate::model::invocation::Page;
use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
use crate::tui::msg::{Cmd, Msg};
use crate::tui::update::{start, update};

fn list(more: bool) -> App {
    let mut app = fixture::app((120, 36));
    let [Cmd::Page { request, .. }] = start(&mut app)[..] else { panic!("no request") };
    update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more })));
    app
}

/// The numbers of the rows, as the fixture counts them, from top to bottom.
fn order(app: &App) -> Vec<usize> {
    (0..12).filter_map(|place| row_at(app, place)).map(|row| row + 1).collect()
}

#[test]
fn rows_are_sorted_by_every_column_both_ways() {
    // Failed first, then stuck, running, ok; without a value last; what is alike newest first.
    for (keys, sorted_by, rows) in [
        ("s", Some((Column::Status, false)), [3, 9, 11, 1, 2, 4, 5, 6, 7, 8, 10, 12]),
        ("sS", Some((Column::Status, true)), [2, 4, 5, 6, 7, 8, 10, 12, 1, 11, 3, 9]),
        ("ss", Some((Column::Function, false)), [6, 1, 3, 4, 7, 8, 10, 12, 2, 9, 5, 11]),
        ("sss", Some((Column::Trigger, false)), [10, 6, 2, 11, 1, 3, 4, 7, 8, 12, 9, 5]),
        ("sssss", Some((Column::Events, false)), [1, 3, 11, 2, 5, 6, 7, 9, 10, 12, 4, 8]),
        ("sssssss", Some((Column::Duration, false)), [11, 9, 6, 3, 1, 2, 7, 12, 10, 5, 4, 8]),
        ("sssssssS", Some((Column::Duration, true)), [8, 4, 5, 10, 12, 7, 2, 1, 3, 6, 9, 11]),
        ("S", Some((Column::Time, true)), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("SS", None, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ("sssssssss", None, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ] {
        let mut app = list(false);
        press(&mut app, keys);
        assert_eq!(app.columns.sort.map(|sort| (sort.column, sort.reverse)), sorted_by, "{keys}");
        assert_eq!(order(&app), rows, "{keys}");
        assert_eq!(place(&app), 0, "{keys}: the first row of the order is selected");
    }
}

#[test]
fn keys_move_in_the_order_that_is_seen() {
    // By status: (keys, number of the selected row)
    for (keys, selected) in
        [("j", 9), ("jjk", 9), ("G", 12), ("Ggg", 3), ("GE", 9), ("e", 9), ("Gf", 1), ("jjS", 2), ("jjjSS", 3)]
    {
        let mut app = list(false);
        press(&mut app, "s");
        press(&mut app, keys);
        assert_eq!(app.invocations.selected_index() + 1, selected, "{keys}");
    }
    let mut app = list(false);
    press(&mut app, "sf");
    assert!(app.columns.sort.is_none() && app.invocations.follow, "only the newest rows can be followed");
}

#[test]
fn older_rows_come_when_they_are_asked_for_and_are_sorted_in() {
    let mut app = list(true);
    // The page that the list asked for by itself does not come.
    app.invocations.older = crate::tui::app::Load::default();
    press(&mut app, "sssssssG");
    assert!(!app.invocations.older.is_loading(), "the end of the loaded rows is an end");
    assert_screen("invocations__sorted", &app);
    let commands = press(&mut app, "j");
    let Some(Cmd::Page { request, .. }) = commands.last() else { panic!("{commands:?}") };
    let mut older = fixture::invocation(99, 90_000_000, "slow", ("UPDATE", "moves"));
    older.total_duration_ms = Some(5_000_000);
    let row = Listed { invocation: older, children: crate::model::invocation::Children::default() };
    update(&mut app, Msg::Page(*request, Ok(Page { rows: vec![row], more: false })));
    assert_eq!(row_at(&app, 0), Some(12), "the slowest of all is on top");
    assert_eq!(app.invocations.selected_index(), 7, "the selection stays with its row");
}

#[test]
fn columns_are_chosen_and_moved() {
    use Column::*;
    let usual = &Column::ALL[..9];
    // (keys after c, shown)
    for (keys, shown) in [
        ("", usual),
        ("jj <Esc>", &[Time, Status, Trigger, User, Events, Jobs, Duration, Correlation]),
        ("jj  ", usual),
        ("GkK", &[Time, Status, Function, Trigger, User, Events, Jobs, Correlation, Duration]),
        ("J J", &[Status, Function, Time, Trigger, User, Events, Jobs, Duration, Correlation][..2]),
        (" j j j j j j j j ", &[Correlation]),
        (" j j0", usual),
    ] {
        let mut app = list(false);
        press(&mut app, "c");
        press(&mut app, keys.replace(' ', "<Space>").as_str());
        let found: Vec<Column> = app.columns.shown().collect();
        if keys == "J J" {
            assert_eq!(found[..2], [Status, Function], "{keys}: moved, hidden, moved on");
            assert!(!found.contains(&Time));
            continue;
        }
        assert_eq!(found, shown, "{keys}");
    }
    let mut app = list(false);
    press(&mut app, "cjjjs");
    assert_eq!(app.columns.sort, Some(Sort { column: Trigger, reverse: false }));
    press(&mut app, "s");
    assert_eq!(app.columns.sort, Some(Sort { column: Trigger, reverse: true }));
    press(&mut app, "c");
    assert_eq!(app.overlay, None);
}

#[test]
fn screens() {
    let mut app = list(false);
    press(&mut app, "cjjj<Space>jjJ");
    app.note = None;
    assert_screen("columns__choice", &app);
    assert_screen_at("columns__choice_small", &app, &PLAIN, (40, 12));
    press(&mut app, "<Esc>");
    for size in [(200, 50), (80, 24), (60, 20)] {
        assert_screen_at("invocations__own_columns", &app, &fixture::THEME, size);
    }
    let mut few = list(false);
    few.columns.show(&[Column::User, Column::Correlation]);
    assert_screen_at("invocations__two_columns", &few, &PLAIN, (40, 12));
}

#[test]
fn a_value_of_the_payload_is_a_column() {
    let mut app = list(false);
    press(&mut app, "cp");
    press(&mut app, "data..id<Enter>");
    assert!(app.note.as_ref().unwrap().text.contains("data.new.id"), "{:?}", app.note);
    let commands = press(&mut app, "C-upayload.data.new.id<Enter><Esc>");
    let asked = |commands: &[Cmd]| match commands {
        [Cmd::Values { request, ids, path }] => (*request, ids.len(), path.join(".")),
        other => panic!("{other:?}"),
    };
    let (request, count, path) = asked(&commands);
    assert_eq!((count, path.as_str()), (12, "data.new.id"));
    let (first, second) = (fixture::listed()[0].invocation.id, fixture::listed()[2].invocation.id);
    let values =
        vec![(first, Some("4711".to_owned())), (second, Some("evil\u{1b}[2J {\"token\":\"hush\"}".to_owned()))];
    assert_eq!(update(&mut app, Msg::Values(request, Ok(values))), [], "each row is asked for once");
    assert_screen("columns__payload", &app);
    press(&mut app, "c");
    assert_screen_at("columns__payload_choice", &app, &fixture::THEME, (80, 24));
    press(&mut app, "<Esc>");
    let look = crate::tui::app::views::look(&app);
    assert_eq!((look.payload.as_str(), look.columns.contains(&Column::Payload)), ("data.new.id", true));
    // What looks like a secret is not even asked for.
    assert_eq!(press(&mut app, "cpC-udata.new.apiToken<Enter><Esc>"), []);
    assert_eq!(app.columns.payload.value(first), Some(crate::model::redact::MASK));
    let (request, ..) = asked(&press(&mut app, "cpC-uother<Enter><Esc>"));
    let slow = crate::tui::msg::Failure::other("the query took more than 5 s");
    assert_eq!(update(&mut app, Msg::Values(request, Err(slow))), [], "not asked for again by itself");
    assert!(press(&mut app, "r").iter().any(|cmd| matches!(cmd, Cmd::Values { .. })));
    press(&mut app, "cp C-u<Enter>".replace(' ', "").as_str());
    assert!(app.columns.shown().all(|column| column != Column::Payload));
}

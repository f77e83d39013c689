//! The filter of the list.

mod prompt;

use chrono::TimeDelta;

use super::*;
use crate::model::filter::Candidate;
use crate::model::invocation::{Found, Listed, Page};
use crate::model::zone::Zone;
use crate::tui::app::invocations::PAGE;
use crate::tui::fixture::{self, assert_screen, assert_screen_at, press};
use crate::tui::msg::{Msg, View};
use crate::tui::update::{start, update};

/// The number of the request for the first page, which carries this filter.
fn asked(commands: &[Cmd], expected: &str) -> u64 {
    let page = commands.iter().find_map(|command| match command {
        Cmd::Page { request, filter, older_than: None, limit: PAGE } => Some((*request, filter.to_string())),
        _ => None,
    });
    let (request, filter) = page.unwrap_or_else(|| panic!("no page: {commands:?}"));
    assert_eq!(filter, expected);
    request
}

fn answer(app: &mut App, request: u64, rows: Vec<Listed>, more: bool) -> Vec<Cmd> {
    update(app, Msg::Page(request, Ok(Page { rows, more })))
}

fn loaded(size: (u16, u16)) -> App {
    let mut app = fixture::app(size);
    let request = asked(&start(&mut app), "");
    answer(&mut app, request, fixture::listed(), false);
    app
}

/// The rows of the sample that pass.
fn passing(app: &App) -> Vec<Listed> {
    let passes = |listed: &Listed| {
        query(app).decide(&Candidate { listed, below: None }, app.now, app.settings.stale_after) != Some(false)
    };
    let mut rows = fixture::listed();
    rows.retain(passes);
    rows
}

/// Applies a filter and answers it.
fn filtered(app: &mut App, text: &str, more: bool) -> Vec<Cmd> {
    let commands = set(app, text);
    let Some(request) = app.invocations.rows.request else { panic!("{commands:?}") };
    let rows = passing(app);
    answer(app, request, rows, more)
}

#[test]
fn a_filter_begins_the_list_again_and_escape_takes_it_away() {
    let mut app = loaded((80, 24));
    press(&mut app, "jj");
    let commands = set(&mut app, "st:fail fn:event-detector-moves");
    let request = asked(&commands, "st:failed fn:event-detector-moves");
    assert_eq!(commands.len(), 1, "nothing was on its way");
    let rows = passing(&app);
    answer(&mut app, request, rows, false);
    assert_eq!((app.invocations.rows().len(), crate::tui::app::invocations::selected(&app)), (1, Some(fixture::id(3))));
    assert!(!app.invocations.follow, "the selection stays with its row");
    assert_eq!(set(&mut app, "fn:event-detector-moves st:failed").len(), 1, "the order is the person's");
    assert_eq!(set(&mut app, "fn:event-detector-moves  st:fail"), [], "the same filter");
    let commands = press(&mut app, "<Esc>");
    assert_eq!(commands[0], Cmd::Leave(View::Invocations), "what was asked is given up");
    asked(&commands, "");
    assert!(app.filter.applied().is_empty());
    assert_eq!(press(&mut app, "<Esc>"), []);
}

#[test]
fn a_text_that_is_no_filter_changes_nothing() {
    let mut app = loaded((80, 24));
    assert_eq!(set(&mut app, "dur:>fast"), []);
    assert!(app.note.as_ref().is_some_and(|note| note.is_error && note.text.contains("write dur:>1s")));
    assert_eq!((app.invocations.rows().len(), app.filter.applied().to_string()), (12, String::new()));
}

#[test]
fn a_row_that_does_not_pass_is_not_selected_any_more() {
    let mut app = loaded((80, 24));
    press(&mut app, "jjj");
    filtered(&mut app, "st:failed", false);
    assert_eq!((app.invocations.selected_index(), app.invocations.follow), (0, true));
}

#[test]
fn every_request_of_the_list_carries_the_filter_with_exact_times() {
    let mut app = loaded((80, 24));
    app.local_time = true;
    let exact = "fn:x at:2026-11-20T11:04:33Z..";
    let mut commands = set(&mut app, "fn:x 1h");
    let request = asked(&commands, exact);
    commands = answer(&mut app, request, fixture::listed(), true);
    let [Cmd::Count { filter, .. }, Cmd::Page { older_than: Some(_), filter: older, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!((filter.to_string(), older.to_string()), (exact.to_owned(), exact.to_owned()));
    let at = app.now + TimeDelta::seconds(2);
    let [Cmd::Changes { filter, since, .. }] = &update(&mut app, Msg::Tick(at))[..] else { panic!("no look") };
    assert_eq!(filter.to_string(), "fn:x at:2026-11-20T11:04:35Z..", "the last hour goes on");
    assert_eq!(*since, app.invocations.rows().first().map(crate::tui::app::invocations::key));
    // Hours of the day are those that are shown when the filter is applied.
    let commands = set(&mut app, "fn:x 12:00..12:30");
    let hours = "fn:x at:2026-11-20T11:00:00Z..2026-11-20T11:30:00Z";
    asked(&commands, hours);
    press(&mut app, "T");
    assert_eq!(query(&app).to_string(), hours);
}

#[test]
fn a_look_for_changes_does_not_search_again_what_the_last_one_did() {
    let mut app = loaded((80, 24));
    let request = asked(&set(&mut app, "st:failed"), "st:failed");
    answer(&mut app, request, fixture::listed().split_off(11), false);
    app.now += TimeDelta::seconds(2);
    let [Cmd::Changes { since: Some(since), .. }] = invocations::refresh(&mut app)[..] else { panic!("no look") };
    assert_eq!(since.created_at, fixture::now() - TimeDelta::minutes(5), "clocks may differ");
}

#[test]
fn a_row_that_passes_no_more_leaves() {
    let mut app = loaded((80, 24));
    filtered(&mut app, "st:running,stuck", false);
    assert_eq!(app.invocations.rows().len(), 2);
    let [Cmd::Changes { request, ref unfinished, .. }] = invocations::refresh(&mut app)[..] else { panic!("no look") };
    assert_eq!(unfinished, &[fixture::id(1), fixture::id(11)]);
    let rows = fixture::listed().into_iter().filter(|row| row.invocation.id == fixture::id(11)).collect();
    update(&mut app, Msg::Changes(request, Ok(Page { rows, more: false })));
    let ids: Vec<_> = app.invocations.rows().iter().map(|row| row.invocation.id).collect();
    assert_eq!(ids, [fixture::id(11)]);
}

#[test]
fn rows_are_counted_where_more_than_a_page_pass() {
    let mut app = loaded((80, 24));
    assert_eq!(filtered(&mut app, "fn:event-detector-moves", false), [], "the rows are all there");
    let commands = filtered(&mut app, "fn:event-detector-rides", true);
    let Some(&Cmd::Count { request, .. }) = commands.first() else { panic!("{commands:?}") };
    let row = |app: &App| fixture::screen(app, &fixture::PLAIN, (80, 24)).lines().nth(1).unwrap_or_default().to_owned();
    assert!(row(&app).ends_with("all time  2 of ~"), "{}", row(&app));
    for (count, told) in [
        (Ok(Count { at_least: 3_120, exact: true }), "2 of 3,120"),
        (Ok(Count { at_least: 10_000, exact: false }), "2 of 10,000+"),
        (Err(Failure::other("too slow")), "2 of too many to count"),
    ] {
        let mut app = app.clone();
        update(&mut app, Msg::Count(request, count));
        assert!(row(&app).ends_with(told), "{}", row(&app));
    }
    update(&mut app, Msg::Count(request, Ok(Count { at_least: 3_120, exact: true })));
    let [Cmd::Changes { request: look, .. }] = invocations::refresh(&mut app)[..] else { panic!("no look") };
    update(&mut app, Msg::Changes(look, Ok(Page { rows: fixture::listed(), more: false })));
    assert!(row(&app).ends_with("9 of 3,121"), "one is newer than those that were counted: {}", row(&app));
    let mut other = app.clone();
    let commands = set(&mut other, "st:failed");
    assert_eq!(commands[0], Cmd::Leave(View::Invocations), "nobody waits for the count any more");
    update(&mut other, Msg::Count(request, Ok(Count { at_least: 7, exact: true })));
    assert!(other.filter.count.value.is_none());
}

#[test]
fn a_count_that_was_given_up_is_asked_for_again() {
    let mut app = loaded((80, 24));
    filtered(&mut app, "fn:event-detector-rides", true);
    assert!(press(&mut app, "4").contains(&Cmd::Leave(View::Invocations)));
    let [Cmd::Leave(View::Charts), Cmd::Changes { request, .. }] = press(&mut app, "<Esc>")[..] else {
        panic!("no look")
    };
    let commands = update(&mut app, Msg::Changes(request, Ok(Page::default())));
    assert!(matches!(commands[0], Cmd::Count { .. }), "{commands:?}");
}

#[test]
fn the_row_tells_the_range_that_applies() {
    for (text, told) in [
        ("", "all time"),
        ("fn:x", "all time"),
        ("550e8400-e29b-41d4-a716-446655440000", "all time"),
        ("st:failed", "last 7d"),
        ("st:failed 15m", "last 15m"),
        ("st:failed at:all", "all time"),
        ("today", "today"),
        ("at:yesterday", "yesterday"),
        ("9:00..10:00", "09:00-10:00"),
        ("12:04", "12:04-12:05"),
        ("2026-11-18", "18 Nov"),
        ("2026-11-18..2026-11-19", "18 Nov-19 Nov"),
        ("2026-11-18T23:00..+2h", "18 Nov 23:00-19 Nov 01:00"),
        ("2026-11-18T09:00..+90s", "18 Nov 09:00-09:01:30"),
        ("2d..", "since 18 Nov 12:04:33"),
        ("..1h", "before 11:04:33"),
        ("at:today,2d", "several times"),
    ] {
        let mut app = loaded((80, 24));
        set(&mut app, text);
        assert_eq!(range(&app), told, "{text}");
    }
}

#[test]
fn a_filter_of_another_screen_waits_until_the_list_is_shown() {
    let mut app = loaded((80, 24));
    app.show(View::Charts);
    assert_eq!(set(&mut app, "st:failed"), []);
    asked(&press(&mut app, "1"), "st:failed");
}

#[test]
fn screens() {
    let mut app = loaded((120, 36));
    let commands = set(&mut app, "st:failed user:*@hopdrive.com");
    assert_screen("filter__searching", &app);
    let request = asked(&commands, "st:failed user:*@hopdrive.com");
    let rows = passing(&app);
    let mut counting = app.clone();
    answer(&mut counting, request, rows.clone(), true);
    assert_screen("filter__counting", &counting);
    answer(&mut app, request, rows, false);
    assert_screen("filter__applied", &app);
    assert_screen_at("filter__applied", &app, &fixture::PLAIN, (40, 12));
}

#[test]
fn screens_without_a_match() {
    let mut app = loaded((80, 24));
    filtered(&mut app, "st:failed fn:event-detector-nowhere", false);
    assert_screen("filter__nothing", &app);
    assert_screen_at("filter__nothing", &app, &fixture::PLAIN, (40, 12));
    let mut app = loaded((80, 24));
    let request = asked(&set(&mut app, "~.*x"), "~.*x");
    let slow = "the query was stopped: canceling statement due to statement timeout";
    update(&mut app, Msg::Page(request, Err(Failure::other(slow))));
    assert_screen("filter__slow", &app);
}

#[test]
fn values_of_the_row_are_filtered_by_and_out() {
    // (filter before, keys on the first failed row, filter after)
    for (before, keys, after) in [
        ("", "+<Enter>", "fn:event-detector-moves"),
        ("", "-<Enter>", "-fn:event-detector-moves"),
        ("", "+j<Enter>", "st:failed"),
        ("", "+jj<Enter>", "user:admin@hopdrive.com"),
        ("", "-jjj<Enter>", "-table:moves"),
        ("", "+jjjj<Enter>", "op:UPDATE"),
        ("", "+G<Enter>", "job:sendNotification"),
        ("", "+Gk<Enter>", "corr:moves.550e8403-0000-7000-8000-000000000003"),
        ("", "+-<Enter>", "-fn:event-detector-moves"),
        ("st:failed", "+<Enter>", "st:failed fn:event-detector-moves"),
        ("st:ok,failed", "+j<Enter>", "st:failed"),
        ("-st:failed", "+j<Enter>", "st:failed"),
        ("st:failed", "+<Esc>", "st:failed"),
        ("", "+q", ""),
    ] {
        let mut app = loaded((80, 24));
        if !before.is_empty() {
            let request = asked(&set(&mut app, before), before);
            answer(&mut app, request, fixture::listed(), false);
        }
        press(&mut app, &format!("ggjj{keys}"));
        assert_eq!(
            (app.filter.applied().to_string().as_str(), app.overlay.is_some()),
            (after, false),
            "{before} {keys}"
        );
    }
}

#[test]
fn a_long_search_shows_what_it_has_found_and_how_far_it_has_come() {
    let mut app = loaded((80, 24));
    let request = asked(&set(&mut app, "st:failed"), "st:failed");
    let found = |days, rows: &[Listed]| Found { rows: rows.to_vec(), back_to: fixture::now() - TimeDelta::days(days) };
    update(&mut app, Msg::Found(request, found(1, &[])));
    assert_screen("filter__searching_found_nothing", &app);
    let rows = passing(&app);
    update(&mut app, Msg::Found(request, found(2, &rows[..1])));
    assert_eq!(update(&mut app, Msg::Found(request, found(3, &rows[1..]))), []);
    assert_screen("filter__searching_found_some", &app);
    assert_eq!(press(&mut app, "j"), [], "older rows are being looked for already");
    assert_eq!(app.invocations.selected_index(), 1);
    assert_eq!(invocations::refresh(&mut app), []);

    update(&mut app, Msg::Found(request + 1, found(4, &[])));
    assert_eq!(invocations::progress(&app).as_deref(), Some("back 3d of 7d"), "another request is not ours");
    answer(&mut app, request, rows.clone(), false);
    assert_eq!((invocations::progress(&app), app.invocations.selected_index()), (None, 1));
    assert_eq!(app.invocations.rows(), rows);
}

#[test]
fn a_long_search_is_given_up() {
    let mut app = loaded((80, 24));
    let request = asked(&set(&mut app, "nosuchword 24h"), "nosuchword at:2026-11-19T12:04:33Z..");
    let found = Found { rows: Vec::new(), back_to: fixture::now() - TimeDelta::hours(5) };
    update(&mut app, Msg::Found(request, found.clone()));
    assert_eq!(invocations::progress(&app).as_deref(), Some("back 5h of 1d"));
    let commands = press(&mut app, "<Esc>");
    assert_eq!(commands[0], Cmd::Leave(View::Invocations));
    asked(&commands, "");
    update(&mut app, Msg::Found(request, found));
    assert_eq!(invocations::progress(&app), None);
}

#[test]
fn values_of_other_screens_open_the_list_and_escape_leads_back() {
    let mut app = loaded((120, 36));
    set(&mut app, "op:UPDATE");
    let mut tree = crate::tui::app::flow::tests::opened(fixture::rows());
    (tree.filter, tree.invocations) = (app.filter.clone(), app.invocations.clone());
    press(&mut tree, "e");
    let commands = press(&mut tree, "+<Enter>");
    asked(&commands, "op:UPDATE job:sendNotification");
    assert_eq!((tree.view, tree.back.last()), (View::Invocations, Some(&View::Flow)));
    press(&mut tree, "<Esc>");
    assert_eq!((tree.view, tree.filter.applied().to_string().as_str()), (View::Flow, "op:UPDATE"));
    asked(&press(&mut tree, "1"), "op:UPDATE");

    let mut detail = crate::tui::app::detail::tests::invocation();
    press(&mut detail, "<Tab>zR/minutes<Enter>+");
    assert_screen_at("filter__values_of_a_payload", &detail, &fixture::THEME, (80, 24));
    let commands = press(&mut detail, "<Enter>");
    let filter = detail.filter.applied().to_string();
    assert!(filter.starts_with("payload.event.data.new.config.sla.minutes:"), "{filter}");
    asked(&commands, &filter);
    press(&mut detail, "q");
    assert_eq!((detail.view, detail.filter.applied().to_string().as_str()), (View::Detail, ""));
}

#[test]
fn the_range_is_chosen_typed_and_shifted() {
    // (filter before, keys, filter after)
    for (before, keys, after) in [
        ("", "t<Enter>", "at:15m"),
        ("", "tj<Enter>", "at:1h"),
        ("st:failed", "tjjjj<Enter>", "st:failed at:7d"),
        ("fn:x at:1d", "tjjjjjj<Enter>", "fn:x"),
        ("st:failed", "tjjjjjjj<Enter>", "st:failed at:all"),
        ("st:failed", "tk<Down><Tab><Enter>", "st:failed at:6h"),
        ("fn:x", "ttoday<Enter>", "fn:x at:today"),
        ("fn:x today", "t12:00..12:30<Enter>", "fn:x at:12:00..12:30"),
        ("fn:x", "t2h<BS>d<Enter>", "fn:x at:2d"),
        ("fn:x", "tnever<Enter><Esc>", "fn:x"),
        ("fn:x", "t<Esc>", "fn:x"),
        ("fn:x", "t<BS>", "fn:x"),
        ("fn:x", "<", "fn:x"),
        ("fn:x 1h", "<", "fn:x at:2026-11-20T10:04:33Z..2026-11-20T11:04:33Z"),
        ("st:failed", "<", "st:failed at:2026-11-06T12:04:33Z..2026-11-13T12:04:33Z"),
        ("fn:x at:yesterday", ">", "fn:x at:today"),
        ("fn:x at:yesterday", "><", "fn:x at:2026-11-19T00:00:00Z..2026-11-20T00:00:00Z"),
        ("fn:x at:11:40..12:00", ">", "fn:x at:2026-11-20T12:00:00Z..2026-11-20T12:20:00Z"),
        ("fn:x at:11:40..12:00", ">>", "fn:x at:2026-11-20T12:00:00Z..2026-11-20T12:20:00Z"),
        ("fn:x at:3d..2d", ">", "fn:x at:2026-11-18T12:04:33Z..2026-11-19T12:04:33Z"),
        ("fn:x at:today", ">", "fn:x at:today"),
    ] {
        let mut app = loaded((80, 24));
        set(&mut app, before);
        press(&mut app, keys);
        let applied = app.filter.applied().to_string();
        assert_eq!((applied.as_str(), app.overlay.is_some()), (after, false), "{before} {keys}");
    }
    let mut app = loaded((80, 24));
    set(&mut app, "fn:x 1h");
    press(&mut app, "<<>>");
    assert_eq!(app.filter.applied().to_string(), "fn:x at:1h", "at now it goes on with the time");
    press(&mut app, "<");
    update(&mut app, Msg::Tick(fixture::now() + TimeDelta::seconds(40)));
    press(&mut app, ">");
    assert_eq!(app.filter.applied().to_string(), "fn:x at:1h", "also a little later");
}

#[test]
fn the_command_gives_the_same_rows() {
    for (filter, command) in [
        ("", "obs-tui ls --all --limit 12"),
        ("fn:x", "obs-tui ls --filter=fn:x"),
        ("fn:x 1h", "obs-tui ls --filter='fn:x at:2026-11-20T11:04:33Z..'"),
        ("no\"answer", "obs-tui ls --filter='no\"answer at:2026-11-13T12:04:33Z..'"),
        ("st:failed at:all", "obs-tui ls --filter='st:failed at:all'"),
    ] {
        let mut app = loaded((80, 24));
        if !filter.is_empty() {
            set(&mut app, filter);
            let request = app.invocations.rows.request.unwrap();
            answer(&mut app, request, fixture::listed(), false);
        }
        let [Cmd::Copy(copied)] = &press(&mut app, "D")[..] else { panic!("nothing copied") };
        assert_eq!(copied.text(), command, "{filter}");
    }
}

#[test]
fn screens_of_the_choices() {
    let mut app = loaded((80, 24));
    press(&mut app, "jj+jj");
    assert_screen("filter__values", &app);
    assert_screen_at("filter__values", &app, &fixture::PLAIN, (40, 12));
    press(&mut app, "<Esc>tj");
    assert_screen("filter__range", &app);
    assert_screen_at("filter__range", &app, &fixture::PLAIN, (40, 12));
    press(&mut app, "noon<Enter>");
    assert_screen_at("filter__range_wrong", &app, &fixture::THEME, (80, 24));
    assert_screen_at("filter__range_wrong", &app, &fixture::PLAIN, (40, 12));
}

#[test]
fn local_times_and_days_follow_the_rules_of_the_zone() {
    let mut app = loaded((80, 24));
    app.local_time = true;
    app.settings.zone = Zone::named("America/New_York").unwrap();
    let of = |app: &App, text: &str| app.shown(text.parse().unwrap(), "%Y-%m-%d %H:%M").to_string();
    assert_eq!(of(&app, "2026-03-08T06:59:00Z"), "2026-03-08 01:59");
    assert_eq!(of(&app, "2026-03-08T07:00:00Z"), "2026-03-08 03:00", "though now is in winter time");
    set(&mut app, "at:2026-11-01");
    assert_eq!(query(&app).to_string(), "at:2026-11-01T04:00:00Z..2026-11-02T05:00:00Z");
    assert_eq!(super::range(&app), "01 Nov", "a day of 25 hours is a day");
    press(&mut app, "<Lt>");
    assert_eq!(query(&app).to_string(), "at:2026-10-31T04:00:00Z..2026-11-01T04:00:00Z", "and the one before has 24");
    assert_eq!(super::range(&app), "31 Oct");
    set(&mut app, "at:2026-03-08T02:30");
    assert_eq!(super::range(&app), "08 Mar 03:30-03:31", "clocks skip half past two");
    app.settings.zone = Zone::named("Asia/Kolkata").unwrap();
    set(&mut app, "at:2026-03-29T02:30");
    assert_eq!(query(&app).to_string(), "at:2026-03-28T21:00:00Z..2026-03-28T21:01:00Z");
    assert_eq!(of(&app, "2026-03-28T21:00:00Z"), "2026-03-29 02:30");
}

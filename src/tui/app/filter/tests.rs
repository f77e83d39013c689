//! The filter of the list.

use chrono::TimeDelta;

use super::*;
use crate::model::filter::Candidate;
use crate::model::invocation::{Found, Listed, Page};
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

/// The line of the prompt with its cursor, or nothing.
fn line(app: &App) -> String {
    app.filter.prompt.as_ref().map_or_else(String::new, |prompt| {
        let (before, behind) = prompt.line.halves();
        format!("{before}|{behind}")
    })
}

fn known() -> Known {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Known {
        functions: list(&["event-detector-moves", "event-detector-rides"]),
        jobs: list(&["sendNotification", "notifyDispatch"]),
        tables: list(&["moves"]),
        ..Known::default()
    }
}

/// A list with the prompt open, its names there.
fn prompting(size: (u16, u16), keys: &str) -> App {
    let mut app = loaded(size);
    let [Cmd::Known { request, .. }] = press(&mut app, "/")[..] else { panic!("no names asked for") };
    update(&mut app, Msg::Known(request, Ok(known())));
    press(&mut app, &keys.replace(' ', "<Space>"));
    app
}

#[test]
fn keys_of_the_prompt() {
    // (keys after `/`, the line, the completion that is chosen, the filter that is applied)
    for (keys, expected, chosen, applied) in [
        ("", "|", None, ""),
        ("jqG1", "jqG1|", None, ""),
        ("st:fail<Enter>", "", None, "st:failed"),
        ("st:fail<Esc>", "", None, ""),
        ("st:failC-c", "", None, ""),
        ("x<BS><BS>", "", None, ""),
        ("<Tab>", "|", Some("st:"), ""),
        ("<Tab><Tab><Enter>", "fn:|", None, ""),
        ("<S-Tab><Enter>", "id:|", None, ""),
        ("<Down><Up>", "|", None, ""),
        ("fn:<Tab><Down><Enter>", "fn:event-detector-rides|", None, ""),
        ("fn:<Tab><Enter><Enter>", "", None, "fn:event-detector-moves"),
        ("fn:<Tab><Tab><Tab>", "fn:|", None, ""),
        ("fn:<Tab>m", "fn:m|", None, ""),
        ("-job:disp<Tab><Enter><Enter>", "", None, "-job:notifyDispatch"),
        ("dur:>fast<Enter>", "dur:>fast|", None, ""),
        ("dur:>fast<Enter>C-wdur:>1s<Enter>", "", None, "dur:>1s"),
        ("ab <Home><Del><Enter>", "", None, "b"),
    ] {
        let app = prompting((80, 24), keys);
        let prompt = app.filter.prompt.as_ref();
        let choice = prompt.and_then(|prompt| Some(prompt.completions[prompt.chosen?].insert.as_str()));
        let applied_now = app.filter.applied().to_string();
        assert_eq!((line(&app).as_str(), choice, applied_now.as_str()), (expected, chosen, applied), "{keys}");
        assert_eq!((app.view, app.quit), (View::Invocations, false));
    }
}

#[test]
fn what_is_wrong_is_told_when_the_term_is_finished() {
    for (keys, at) in [
        ("dur:>fast", None),
        ("dur:>fast ", Some(4)),
        ("dur:>fast st:", Some(4)),
        ("dur:>fast<Enter>", Some(4)),
        ("dur:>fast<Enter><BS>", None),
        ("st:", None),
        ("st:<Enter>", Some(3)),
        ("st:<Enter><Tab>", None),
        ("nonsense:1 x", Some(0)),
    ] {
        let app = prompting((80, 24), keys);
        let error = app.filter.prompt.as_ref().and_then(|prompt| prompt.error.as_ref()).map(|error| error.at);
        assert_eq!(error, at, "{keys}");
    }
}

#[test]
fn filters_that_were_typed_come_back() {
    let mut app = loaded((80, 24));
    for text in ["st:failed", "today", "fn:x", "today"] {
        press(&mut app, &format!("/C-u{text}<Enter>"));
    }
    assert_eq!(app.filter.history, ["st:failed", "fn:x", "today"]);
    // The newest one is applied, and stands there already in other words.
    for (keys, expected) in [
        ("", "at:today |"),
        ("<Up>", "today|"),
        ("<Up><Up>", "fn:x|"),
        ("<Up><Up><Up><Up>", "st:failed|"),
        ("<Up><Up><Down>", "today|"),
        ("<Up><Down>", "|"),
        ("<Up>x", "todayx|"),
        ("<Up><Up><Enter>", ""),
    ] {
        let mut app = app.clone();
        press(&mut app, &format!("/{keys}"));
        assert_eq!(line(&app), expected, "{keys}");
    }
}

#[test]
fn the_names_are_asked_for_at_each_opening_and_given_up_with_the_prompt() {
    let mut app = loaded((80, 24));
    let since = fixture::now() - TimeDelta::days(7);
    let [Cmd::Known { request, since: asked_since }] = press(&mut app, "/")[..] else { panic!("no names") };
    assert_eq!(asked_since, since);
    assert_eq!(press(&mut app, "<Esc>"), [Cmd::LeavePrompt]);
    update(&mut app, Msg::Known(request, Ok(known())));
    assert!(app.filter.known.value.is_none(), "too late");
    let [Cmd::Known { request, .. }] = press(&mut app, "/")[..] else { panic!("no names") };
    press(&mut app, "fn:");
    assert!(app.filter.prompt.as_ref().unwrap().completions.is_empty());
    update(&mut app, Msg::Known(request, Ok(known())));
    assert_eq!(app.filter.prompt.as_ref().unwrap().completions.len(), 2, "they are offered when they come");
    assert_eq!(press(&mut app, "<Esc>"), []);
    press(&mut app, "/fn:");
    assert_eq!(app.filter.prompt.as_ref().unwrap().completions.len(), 2, "the old ones until the new ones come");
}

#[test]
fn a_pasted_id_is_looked_for_alone() {
    let id = fixture::id(77).to_string();
    for (before, pasted, expected) in [
        ("", id.as_str(), format!("{id}|")),
        ("/", &id, format!("{id}|")),
        ("/st:failed today", &format!("  {id}\n"), format!("{id}|")),
        ("/st:failed ", &format!("moves.{id}"), format!("moves.{id}|")),
        ("/st:failed ", "two words\nmore", "st:failed two words|".to_owned()),
        ("", "qq", "qq|".to_owned()),
    ] {
        let mut app = loaded((80, 24));
        press(&mut app, &before.replace(' ', "<Space>"));
        update(&mut app, Msg::Paste(pasted.to_owned()));
        assert_eq!(line(&app), expected, "{before} {pasted}");
    }
    let mut app = loaded((80, 24));
    press(&mut app, "?");
    update(&mut app, Msg::Paste(id));
    assert!(app.filter.prompt.is_none() && app.help.is_some());
    let mut app = loaded((80, 24));
    app.show(View::Charts);
    update(&mut app, Msg::Paste("q".to_owned()));
    assert!(app.note.is_some());
}

#[test]
fn the_prompt_opens_while_the_rows_are_searched_and_escape_gives_that_up() {
    let mut app = loaded((80, 24));
    asked(&set(&mut app, "slow"), "slow");
    press(&mut app, "/");
    assert_eq!(line(&app), "slow |");
    let commands = press(&mut app, "<Esc><Esc>");
    assert_eq!(commands[..2], [Cmd::LeavePrompt, Cmd::Leave(View::Invocations)]);
    asked(&commands, "");
}

#[test]
fn screens_of_the_prompt() {
    for (name, keys) in [
        ("filter__prompt", ""),
        ("filter__completion", "st:failed fn:<Tab>"),
        ("filter__error", "st:failed dur:>fast<Enter>"),
        ("filter__long_error", "nonsense:1<Enter>"),
    ] {
        let app = prompting((80, 24), keys);
        assert_screen(name, &app);
        assert_screen_at(name, &app, &fixture::PLAIN, (40, 12));
    }
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
fn hostile_text_in_the_prompt_stays_in_its_place() {
    for size in [(40, 12), (80, 24)] {
        let mut app = prompting(size, "");
        let mut names = known();
        names.functions.push("\u{1b}[2J語\u{202e}".repeat(30));
        app.filter.known.value = Some(names);
        update(&mut app, Msg::Paste(format!("fn:x \"{}\u{202e}語", "wide 語 ".repeat(60))));
        for keys in ["", "<Left><Left>", "<Home>", "<Enter>", "C-u", "fn:<Tab><Tab><Tab>"] {
            press(&mut app, keys);
            for theme in [fixture::THEME, fixture::PLAIN] {
                let drawn = fixture::screen(&app, &theme, size);
                assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()) && !drawn.contains('\u{202e}'));
            }
        }
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

//! Keys, answers and screens of the charts.

use chrono::TimeDelta;

use super::*;
use crate::model::hourly::{Bucket, Source, Step};
use crate::model::spread::Spread;
use crate::tui::fixture::{self, PLAIN, ago, assert_screen, assert_screen_at, press};
use crate::tui::msg::Msg;
use crate::tui::update::update;

/// The screen with the numbers of a day.
fn loaded_app() -> App {
    let mut app = fixture::app((120, 36));
    let asked = open(&mut app);
    answer(&mut app, &asked, Ok(fixture::hourly()));
    app
}

fn answer(app: &mut App, asked: &[Cmd], answer: Result<Hourly, Failure>) {
    let [Cmd::Hourly { request, .. }] = asked else { panic!("one request for hours, not {asked:?}") };
    assert_eq!(update(app, Msg::Hourly(*request, answer)).len(), 0);
}

/// Numbers of many steps, from a function of the step.
fn many_steps(source: Source, range: Range, functions: u64) -> Hourly {
    let step = range.step();
    let to = step.start(fixture::now());
    let from = to - step.length() * (range.steps() - 1);
    let bucket = |i: i32, function: u64| {
        let total = 40 + (u64::from(i.unsigned_abs()) * 7 + function * 13) % 60 * (10 - function.min(9));
        let failed = if i % 17 == 0 { 25 } else { 0 };
        let mut spread = Spread::default();
        (0..total).for_each(|n| spread.add(40.0 + 5.0 * (n + function) as f64));
        Bucket {
            at: from + step.length() * i,
            function: format!("event-detector-{function:02}"),
            total,
            ok: total - failed,
            failed,
            events_detected: 3,
            jobs_run: 5,
            avg_ms: Some(120.0 + function as f64),
            max_ms: Some(2_000 + i64::from(i) * 10),
            p50_ms: (source == Source::Rows).then_some(100.0),
            p95_ms: Some(900.0),
            spread: (source == Source::Rows).then_some(spread),
            failed_jobs: if failed > 0 { vec![(format!("job{function:02}"), failed)] } else { Vec::new() },
        }
    };
    let buckets = (0..range.steps()).flat_map(|i| (0..functions).map(move |f| bucket(i, f))).collect();
    let from_rows = if source == Source::Rows { vec![from..to + step.length()] } else { Vec::new() };
    Hourly { source, as_of: fixture::now(), from_rows, back_to: None, step, from, to, buckets }
}

#[test]
fn keys_move_what_they_say() {
    // Before, keys, after: the hour under the cursor (from the first), the selected function, the only one shown.
    let cases = [
        ("", 23, 0, None),
        ("h", 22, 0, None),
        ("hhl", 22, 0, None),
        ("l", 23, 0, None),
        ("gg", 0, 0, None),
        ("ggh", 0, 0, None),
        ("ggll", 2, 0, None),
        ("ggG", 23, 0, None),
        ("gg0", 23, 0, None),
        ("j", 23, 1, None),
        ("jjjjjj", 23, 3, None),
        ("jjk", 23, 1, None),
        ("C-f", 23, 3, None),
        ("j<Space>", 23, 1, Some("event-detector-rides")),
        ("j<Space>j", 23, 2, Some("event-detector-rides")),
        ("j<Space>j<Space>", 23, 2, Some("event-detector-users")),
        ("j<Space><Space>", 23, 1, None),
        ("j<Space><Esc>", 23, 1, None),
        ("T", 23, 0, None),
    ];
    for (keys, hour, function, only) in cases {
        let mut app = loaded_app();
        let asked = press(&mut app, keys);
        let columns = app.charts.columns(120);
        assert_eq!(app.charts.cursor_index(&columns), hour, "{keys}");
        assert_eq!(app.charts.selected_index(), function, "{keys}");
        assert_eq!(app.charts.only.as_deref(), only, "{keys}");
        assert!(asked.is_empty() && app.view == View::Charts, "{keys} asked {asked:?}");
    }
}

#[test]
fn the_range_is_asked_for() {
    let hour = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    // Keys, first and last hour of the last request.
    let cases = [
        ("t", "2026-11-13T13:00:00Z", "2026-11-20T12:00:00Z"),
        ("tt", "2026-10-21T13:00:00Z", "2026-11-20T12:00:00Z"),
        ("ttt", "2026-11-20T11:05:00Z", "2026-11-20T12:04:00Z"),
        ("tttt", "2026-11-20T06:15:00Z", "2026-11-20T12:00:00Z"),
        ("ttttt", "2026-11-19T13:00:00Z", "2026-11-20T12:00:00Z"),
        ("}", "2026-11-20T06:15:00Z", "2026-11-20T12:00:00Z"),
        ("}<", "2026-11-20T00:15:00Z", "2026-11-20T06:00:00Z"),
        ("<", "2026-11-18T13:00:00Z", "2026-11-19T12:00:00Z"),
        ("<<>", "2026-11-18T13:00:00Z", "2026-11-19T12:00:00Z"),
        ("<>", "2026-11-19T13:00:00Z", "2026-11-20T12:00:00Z"),
        ("<0", "2026-11-19T13:00:00Z", "2026-11-20T12:00:00Z"),
        ("r", "2026-11-19T13:00:00Z", "2026-11-20T12:00:00Z"),
    ];
    for (keys, first, last) in cases {
        let mut app = loaded_app();
        let Some(&Cmd::Hourly { request, from, to, step }) = press(&mut app, keys).last() else {
            panic!("{keys} asks nothing")
        };
        assert_eq!((from, to), (hour(first), hour(last)), "{keys}");
        assert_eq!(step, app.charts.range.step(), "{keys}");
        assert_eq!(app.charts.hourly.request, Some(request), "{keys}: only the last answer counts");
    }
    let mut app = loaded_app();
    assert!(press(&mut app, ">").is_empty(), "nothing is later than now");
    assert_eq!(app.note.unwrap().text, "the range already ends now");
}

#[test]
fn failures_are_found_by_key() {
    let mut app = loaded_app();
    let columns = app.charts.columns(120);
    press(&mut app, "gge");
    let found = app.charts.cursor_index(&columns);
    assert!(found > 0 && columns[found].sum.failed > 0);
    assert!(columns[1..found].iter().all(|column| column.sum.failed == 0));
    press(&mut app, "Ge");
    assert_eq!(app.note.as_ref().unwrap().text, "no failure in a later hour");
}

#[test]
fn functions_are_sorted_by_key() {
    // Keys, the order of the functions by the ends of their names, what is said.
    let cases = [
        ("s", "moves rides users lanes", "functions by share of failures"),
        ("ss", "lanes rides moves users", "functions by median duration"),
        ("sss", "lanes rides moves users", "functions by 95th percentile"),
        ("sssss", "lanes moves rides users", "functions by name"),
        ("sssssS", "users rides moves lanes", "functions by name, reversed"),
        ("sssssS S", "lanes moves rides users", "functions by name"),
        ("ssssss", "moves rides users lanes", "functions by invocations"),
        ("S", "lanes users rides moves", "functions by invocations, reversed"),
    ];
    for (keys, order, said) in cases {
        let mut app = loaded_app();
        press(&mut app, &keys.replace(' ', ""));
        let names: Vec<_> = app.charts.functions.iter().map(|f| f.name.trim_start_matches("event-detector-")).collect();
        assert_eq!(names.join(" "), order, "{keys}");
        assert_eq!(app.note.as_ref().unwrap().text, said, "{keys}");
    }
    let mut app = loaded_app();
    press(&mut app, "js");
    assert_eq!(app.charts.selected.as_deref(), Some("event-detector-rides"), "the selection stays with its function");
}

#[test]
fn spikes_are_found_by_key() {
    let mut app = loaded_app();
    let mut hourly = fixture::hourly();
    let at = hourly.from + TimeDelta::hours(5);
    hourly.buckets.iter_mut().filter(|bucket| bucket.at == at).for_each(|bucket| bucket.total *= 5);
    let asked = press(&mut app, "r");
    answer(&mut app, &asked, Ok(hourly));
    press(&mut app, "ggn");
    while app.charts.cursor != Some(at) {
        let before = app.charts.cursor;
        press(&mut app, "n");
        assert_ne!(app.charts.cursor, before, "the spike of the invocations is found");
    }
    assert!(app.note.as_ref().unwrap().text.contains("invocations"), "{:?}", app.note);
    press(&mut app, "ggN");
    assert_eq!(app.note.as_ref().unwrap().text, "no spike earlier");
}

#[test]
fn the_numbers_are_exported_as_csv() {
    let mut app = loaded_app();
    press(&mut app, "j<Space>");
    let commands = press(&mut app, "x");
    let [Cmd::Export(document)] = commands.as_slice() else { panic!("{commands:?}") };
    let mut lines = document.text.lines();
    assert!(lines.next().unwrap().starts_with("from,minutes,function,invocations,ok,failed,open,"));
    assert_eq!(
        lines.next().unwrap().split(',').take(4).collect::<Vec<_>>(),
        ["2026-11-19T13:00:00Z", "60", "\"event-detector-rides\"", "150"]
    );
    assert_eq!((document.text.lines().count(), document.extension), (25, "csv"));
}

#[test]
fn screens_of_other_metrics() {
    let mut app = loaded_app();
    press(&mut app, "m");
    assert_screen("charts__durations", &app);
    press(&mut app, "m");
    assert_screen("charts__heat", &app);
    press(&mut app, "m");
    assert_eq!(app.charts.metric, Metric::Invocations);
}

#[test]
fn a_live_screen_reads_once_a_minute() {
    let mut app = loaded_app();
    app.poll_at = Some(app.now);
    let polls = |app: &mut App, seconds: i64| {
        (0..seconds / 2)
            .filter(|_| {
                let now = app.now + TimeDelta::seconds(2);
                !update(app, Msg::Tick(now)).is_empty()
            })
            .count()
    };
    assert_eq!(polls(&mut app, 58), 0);
    assert_eq!(polls(&mut app, 58), 1, "and none while that one is on its way");
    let request = app.charts.hourly.request.unwrap();
    update(&mut app, Msg::Hourly(request, Err(Failure::other("statement timeout"))));
    assert_eq!(polls(&mut app, 58), 1, "a slow query is not repeated at once");
    let request = app.charts.hourly.request.unwrap();
    update(&mut app, Msg::Hourly(request, Ok(fixture::hourly())));
    assert_eq!(app.charts.hourly.error, None);
}

#[test]
fn after_an_outage_the_numbers_are_read_when_it_is_over() {
    let mut app = loaded_app();
    let asked = press(&mut app, "t");
    answer_failed(&mut app, &asked);
    assert!(app.charts.unreachable && app.charts.hourly.value.is_some(), "the last numbers stay");
    assert_eq!(refresh(&mut app).len(), 1);
    assert_eq!(refresh(&mut app).len(), 0, "not twice");
}

fn answer_failed(app: &mut App, asked: &[Cmd]) {
    let [Cmd::Hourly { request, .. }] = asked else { panic!("one request for hours, not {asked:?}") };
    update(app, Msg::Hourly(*request, Err(Failure::unreachable("connection reset by peer"))));
}

#[test]
fn an_old_answer_is_ignored() {
    let mut app = loaded_app();
    let first = press(&mut app, "t");
    let second = press(&mut app, "t");
    answer(&mut app, &first, Ok(many_steps(Source::Rows, Range::Week, 1)));
    assert_eq!(app.charts.steps.len(), 24);
    answer(&mut app, &second, Ok(many_steps(Source::Rows, Range::Month, 1)));
    assert_eq!(app.charts.steps.len(), 720);
}

#[test]
fn the_selection_survives_a_reload_by_name() {
    let mut app = loaded_app();
    press(&mut app, "jj<Space>hhh");
    let before = (app.charts.selected.clone(), app.charts.cursor, app.charts.only.clone());
    let mut hourly = fixture::hourly();
    for bucket in hourly.buckets.iter_mut().filter(|bucket| bucket.function.ends_with("users")) {
        bucket.total *= 100;
    }
    let asked = press(&mut app, "r");
    answer(&mut app, &asked, Ok(hourly));
    assert_eq!(app.charts.selected_index(), 0, "the same function, now in another place");
    assert_eq!((app.charts.selected.clone(), app.charts.cursor, app.charts.only.clone()), before);
}

#[test]
fn an_hour_is_copied_in_words_and_as_json() {
    let mut app = loaded_app();
    let commands = press(&mut app, "gglyY");
    let [Cmd::Copy(words), Cmd::Copy(json)] = commands.as_slice() else { panic!("{commands:?}") };
    let (words, json) = (words.text(), json.text());
    assert!(words.starts_with("14:00-15:00  ") && words.contains("p95 ~"), "{words}");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["from"], "2026-11-19T14:00:00+00:00");
    assert_eq!((&json["p95_is"], &json["p50_is"]), (&"about".into(), &"about".into()));
}

#[test]
fn a_move_changes_few_cells() {
    let mut app = loaded_app();
    let area = ratatui::layout::Rect::new(0, 0, 120, 36);
    let draw = |app: &App| {
        let mut buf = ratatui::buffer::Buffer::empty(area);
        crate::tui::view::draw(app, &fixture::THEME, &mut buf);
        buf
    };
    for (key, most) in [("h", 70), ("j", 180)] {
        let before = draw(&app);
        press(&mut app, key);
        let changed = before.diff(&draw(&app)).len();
        assert!((2..=most).contains(&changed), "{key} changes {changed} cells");
    }
}

#[test]
fn enter_lists_what_the_cursor_is_on() {
    // (keys, filter of the list)
    for (keys, filter) in [
        ("<Enter>", "at:2026-11-20T12:00:00Z..2026-11-20T13:00:00Z"),
        ("hh<Enter>", "at:2026-11-20T10:00:00Z..2026-11-20T11:00:00Z"),
        ("hhj<Enter>", "at:2026-11-20T10:00:00Z..2026-11-20T11:00:00Z fn:event-detector-rides"),
        ("hh<Space>j<Enter>", "at:2026-11-20T10:00:00Z..2026-11-20T11:00:00Z fn:event-detector-moves"),
    ] {
        let mut app = loaded_app();
        let commands = press(&mut app, keys);
        let asked =
            commands.iter().any(|cmd| matches!(cmd, Cmd::Page { filter: asked, .. } if asked.to_string() == filter));
        assert!(asked && app.view == View::Invocations, "{keys}: {commands:?}");
        press(&mut app, "<Esc>");
        assert_eq!((app.view, app.filter.applied().is_empty()), (View::Charts, true), "{keys}");
    }
}

#[test]
fn screens_of_a_day() {
    let mut app = loaded_app();
    assert_screen("charts__normal", &app);
    press(&mut app, "hhhj<Space>");
    assert_screen("charts__one_function", &app);
}

#[test]
fn screens_of_long_ranges() {
    for (name, keys, range, source) in [
        ("charts__week", "t", Range::Week, Source::Rows),
        ("charts__month", "tt", Range::Month, Source::MetricsHourly),
        ("charts__hour", "ttt", Range::Hour, Source::Rows),
        ("charts__six_hours", "tttt", Range::Hours6, Source::Rows),
    ] {
        let mut app = loaded_app();
        let asked = press(&mut app, keys);
        answer(&mut app, &asked[asked.len() - 1..], Ok(many_steps(source, range, 12)));
        press(&mut app, "hhh");
        assert_screen(name, &app);
    }
}

#[test]
fn screens_without_numbers() {
    let mut app = fixture::app((120, 36));
    let asked = open(&mut app);
    assert_screen("charts__loading", &app);
    let mut failed = app.clone();
    let text = "the query was cancelled after 5 s (statement timeout): ask for a shorter range";
    answer(&mut failed, &asked, Err(Failure::other(text)));
    assert_screen("charts__failed", &failed);
    let mut offline = app.clone();
    answer_failed(&mut offline, &asked);
    assert_screen("charts__offline", &offline);
    let hourly = Hourly { buckets: Vec::new(), source: Source::Rows, as_of: ago(4_000), ..fixture::hourly() };
    answer(&mut app, &asked, Ok(hourly));
    assert_screen("charts__empty", &app);
}

#[test]
fn screens_with_old_numbers() {
    let mut app = loaded_app();
    let asked = press(&mut app, "t");
    assert_screen_at("charts__loading_more", &app, &fixture::THEME, (80, 24));
    let text = "the query was cancelled after 5 s (statement timeout): ask for a shorter range";
    answer(&mut app, &asked, Err(Failure::other(text)));
    assert_screen("charts__failed_with_old", &app);
    let mut app = loaded_app();
    let mut hourly = fixture::hourly();
    hourly.buckets.retain(|bucket| bucket.at <= ago(4 * 3_600_000));
    hourly.as_of = Step::Hour.start(ago(4 * 3_600_000));
    hourly.from_rows = vec![hourly.as_of..hourly.to + Step::Hour.length()];
    hourly.back_to = Some(hourly.to);
    let asked = press(&mut app, "r");
    answer(&mut app, &asked, Ok(hourly));
    assert_screen("charts__behind", &app);
}

#[test]
fn screens_of_hostile_names() {
    let mut app = fixture::app((120, 36));
    let asked = open(&mut app);
    let mut hourly = fixture::hourly();
    for bucket in &mut hourly.buckets {
        bucket.function = match bucket.function.as_str() {
            "event-detector-moves" => "\u{1b}[2J\u{1b}]0;title\u{7}evil".to_owned(),
            "event-detector-rides" => "日本語の関数名".repeat(12),
            "event-detector-users" => "\u{202e}gnp.exe\u{200b}".to_owned(),
            _ => String::new(),
        };
        bucket.total = bucket.total.saturating_mul(1_000_003);
        bucket.failed = bucket.failed.saturating_mul(99_999);
        bucket.ok = bucket.total - bucket.failed.min(bucket.total);
        bucket.failed_jobs = vec![("\u{1b}]52;c;eA==\u{7}job\u{202e}".to_owned(), u64::from(u32::MAX))];
        bucket.max_ms = Some(i64::MAX);
        bucket.spread = None;
        bucket.p95_ms = Some(f64::NAN);
    }
    answer(&mut app, &asked, Ok(hourly));
    assert_screen("charts__hostile", &app);
}

#[test]
fn screens_without_colour_and_unicode() {
    let mut app = loaded_app();
    press(&mut app, "hhhhhj<Space>");
    for size in [(80, 24), (120, 36)] {
        assert_screen_at("charts__ascii", &app, &PLAIN, size);
        assert!(fixture::screen(&app, &PLAIN, size).is_ascii());
    }
    assert_screen_at("charts__small", &app, &PLAIN, (40, 12));
}

#[test]
fn every_size_can_be_drawn() {
    let app = loaded_app();
    for width in [40, 41, 57, 79, 100, 200, 500] {
        for height in [12, 13, 17, 23, 29, 30, 31, 60, 200] {
            assert_eq!(fixture::screen(&app, &PLAIN, (width, height)).lines().count(), usize::from(height));
        }
    }
}

#[test]
fn hours_are_shown_while_they_are_counted() {
    let mut app = fixture::app((120, 36));
    app.charts.range = Range::Week;
    let asked = open(&mut app);
    let [Cmd::Hourly { request, .. }] = asked[..] else { panic!("one request for hours, not {asked:?}") };
    let whole = many_steps(Source::Rows, Range::Week, 3);
    let back_to = whole.to - TimeDelta::hours(60);
    let mut part = Hourly { back_to: Some(back_to), ..whole.clone() };
    part.buckets.retain(|bucket| bucket.at >= back_to);
    update(&mut app, Msg::HourlySoFar(request + 1, part.clone()));
    assert!(app.charts.hourly.value.is_none(), "nobody asked for that one");
    update(&mut app, Msg::HourlySoFar(request, part.clone()));
    assert!(app.charts.hourly.is_loading());
    assert_screen("charts__counting", &app);
    press(&mut app, "0");
    assert!(words(&app, &app.charts.columns(120)[0], "<=", 80).ends_with("not counted yet"));

    answer(&mut app, &asked, Ok(whole.clone()));
    assert_eq!(app.charts.steps.len(), 168);
    // Counted again: what is there stays until all is counted.
    let again = press(&mut app, "r");
    let [Cmd::Hourly { request, .. }] = again[..] else { panic!("one request for hours, not {again:?}") };
    update(&mut app, Msg::HourlySoFar(request, part.clone()));
    assert_eq!(app.charts.hourly.value, Some(whole));
    // Of another range they are shown at once.
    part.from -= TimeDelta::days(23);
    update(&mut app, Msg::HourlySoFar(request, part.clone()));
    assert_eq!(app.charts.hourly.value, Some(part));
}

#[test]
fn counting_that_goes_on_is_not_begun_again() {
    let mut app = fixture::app((120, 36));
    let asked = open(&mut app);
    let [Cmd::Hourly { request, .. }] = asked[..] else { panic!("one request for hours, not {asked:?}") };
    let part = Hourly { back_to: Some(fixture::now()), ..many_steps(Source::Rows, Range::Day, 1) };
    for _ in 0..10 {
        app.now += TimeDelta::seconds(20);
        assert_eq!(refresh(&mut app), []);
        update(&mut app, Msg::HourlySoFar(request, part.clone()));
    }
    app.now += RELOAD_AFTER;
    assert_eq!(refresh(&mut app).len(), 1, "its end was lost");
}

//! Every screen in every state, at three sizes and in four looks: what holds for all of them, and pictures of those that
//! no test of a single screen keeps.
//!
//! The pictures of the smallest size, without colour and in ASCII, stand together, a file for each screen.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{SMALLEST, draw};
use crate::tui::app::App;
use crate::tui::fixture::server::{Answers, Filling, shown, typed};
use crate::tui::fixture::{self, PLAIN, THEME};
use crate::tui::msg::{Cmd, Failure, Msg};
use crate::tui::theme::{Depth, Palette, Theme};
use crate::tui::update::{start, update};

/// Screens that show answers: the keys on the way there, and those that ask.
const LOADED: [(&str, &str, &str); 16] = [
    ("flow", "jj", "<Enter>"),
    ("flow_undetected", "jj", "<Enter>uG"),
    ("flow_folded", "jj", "<Enter>zM"),
    ("detail", "jj<Enter>", "<Enter>"),
    ("detail_payload", "jj<Enter>", "<Enter><Tab>"),
    ("detail_diff", "jj<Enter>", "d"),
    ("detail_context", "jj<Enter>", "<Enter><Tab><Tab><Tab>"),
    ("detail_error", "jj<Enter>e", "<Enter><S-Tab><S-Tab>"),
    ("detail_result", "jj<Enter>e", "<Enter><Tab><Tab>"),
    ("detail_raw", "jj<Enter>", "<Enter><S-Tab>"),
    ("logs", "jj<Enter>e", "L"),
    ("charts", "", "4"),
    ("jobs", "", "5"),
    ("failures", "", "6"),
    ("compare", "mjjm", "="),
    ("views", "", "F"),
];

/// Screens that show the samples in a certain way, and what lies over them.
const SHOWN: [(&str, &str); 38] = [
    ("invocations_following", "gg"),
    ("invocations_last", "G"),
    ("invocations_asked_to_quit", "q"),
    ("invocations_marked", "mjm"),
    ("invocations_sorted", "ss"),
    ("filter_prompt", "/"),
    ("filter_typed", "/st:fa"),
    ("filter_wrong", "/nonsense:1<Enter>"),
    ("filter_applied", "/st:failed<Enter>"),
    ("filter_values", "jj+"),
    ("range", "t"),
    ("range_wrong", "tnoon<Enter>"),
    ("columns", "c"),
    ("views_naming", "C-sslow"),
    ("messages", "!"),
    ("palette", ":"),
    ("palette_typed", ":crit"),
    ("palette_nothing", ":nonsense"),
    ("help", "?"),
    ("help_end", "?G"),
    ("help_found", "?/copy"),
    ("flow_last", "jj<Enter>G"),
    ("flow_failure", "jj<Enter>e"),
    ("flow_critical", "jj<Enter>Ce"),
    ("flow_zoomed", "jj<Enter>e}}"),
    ("flow_replay", "jj<Enter>R<Space>......"),
    ("flow_find", "jj<Enter>/sla"),
    ("flow_found", "jj<Enter>/sla<Enter>n"),
    ("flow_find_wrong", "jj<Enter>/~(<Enter>"),
    ("detail_wrapped", "jj<Enter>e<Enter>w"),
    ("detail_revealed", "jj<Enter><Enter><Tab><Tab><Tab>X"),
    ("detail_found", "jj<Enter><Enter><Tab>/status<Enter>"),
    ("logs_fields", "jj<Enter>eLe<Enter>"),
    ("logs_errors", "jj<Enter>eLVVV"),
    ("logs_only_hits", "jj<Enter>eL/twilio<Enter>&"),
    ("charts_durations", "4m"),
    ("charts_heat", "4mm"),
    ("failures_runs", "6lj"),
];

/// Screens whose picture at 80x24 no other test keeps.
const UNSEEN: [&str; 12] = [
    "detail_empty",
    "detail_failing",
    "detail_context",
    "detail_result",
    "jobs_loading",
    "jobs_failing",
    "jobs_unreachable",
    "jobs_long",
    "failures_long",
    "compare_unreachable",
    "compare_long",
    "compare_empty",
];

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (40, 12)];
const LOOKS: [Theme; 4] = [
    THEME,
    PLAIN,
    Theme { palette: Palette::Mono, depth: Depth::Sixteen, unicode: true },
    Theme { palette: Palette::Default, depth: Depth::True, unicode: false },
];

/// Every state with its name: the screen, and `_` and how it was answered.
fn states() -> Vec<(String, App)> {
    let long = Filling::of(&"a text that is longer than any screen is wide, 長い名前 ".repeat(40));
    let answers = [
        ("", Answers::Sample),
        ("_empty", Answers::Empty),
        ("_loading", Answers::Never),
        ("_failing", Answers::Failing),
        ("_unreachable", Answers::Unreachable),
        ("_long", Answers::Filled(&long)),
    ];
    let mut states = Vec::new();
    for (kind, answers) in answers {
        states.push((format!("invocations{kind}"), shown((120, 36), "", answers)));
        for (name, way, keys) in LOADED {
            let mut app = shown((120, 36), way, Answers::Sample);
            typed(&mut app, keys, answers);
            states.push((format!("{name}{kind}"), app));
        }
    }
    for (name, keys) in SHOWN {
        states.push((name.to_owned(), shown((120, 36), keys, Answers::Sample)));
    }
    for (name, keys) in [("flow_none", "2"), ("logs_none", "3")] {
        states.push((name.to_owned(), shown((120, 36), keys, Answers::Empty)));
    }
    let mut app = fixture::app((120, 36));
    let refused = Failure::refused("PostgreSQL refused the login: password authentication failed");
    let commands = start(&mut app);
    for command in commands {
        if let Cmd::Page { request, .. } = command {
            update(&mut app, Msg::Page(request, Err(refused.clone())));
        }
    }
    states.push(("invocations_refused".to_owned(), app.clone()));
    typed(&mut app, "P", Answers::Never);
    states.push(("invocations_login".to_owned(), app));
    states
}

/// Words of one screen that the other does not have, not even cut off a little earlier or later; bars are no words.
fn missing<'a>(screen: &'a str, other: &str) -> Vec<&'a str> {
    let words = |text: &'a str| text.split(|c: char| !c.is_alphanumeric());
    let others: BTreeSet<&str> = other.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1).collect();
    let is_there = |word: &str| {
        others.iter().any(|other| {
            other.starts_with(word) || word.starts_with(other) || other.ends_with(word) || word.ends_with(other)
        })
    };
    words(screen).filter(|word| word.len() > 2 && word.chars().any(|c| c != 'x') && !is_there(word)).collect()
}

#[test]
fn every_look_says_the_same_and_tells_the_way_out() {
    let mut problems = Vec::new();
    for (name, app) in states() {
        for size in SIZES {
            let screens = LOOKS.map(|theme| fixture::screen(&app, &theme, size));
            for (screen, theme) in screens.iter().zip(LOOKS) {
                assert!(
                    theme.unicode || screen.replace(['長', 'い', '名', '前'], "").is_ascii(),
                    "{name} {size:?}:\n{screen}"
                );
                let keys = screen.lines().nth(usize::from(size.1) - 1).unwrap_or_default();
                assert!(
                    ["Esc", " q ", "Enter", "back"].iter().any(|way| keys.contains(way)),
                    "{name} {size:?}:\n{screen}"
                );
                assert_eq!(screen.lines().count(), usize::from(size.1), "{name} {size:?}");
            }
            let [first, others @ ..] = &screens;
            for other in others {
                let differ = [missing(first, other), missing(other, first)].concat();
                if !differ.is_empty() {
                    problems.push(format!("{name} {size:?} {differ:?}:\n{first}\n{other}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{} screens differ:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn pictures() {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let states = states();
    let screen_of = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    let screens: BTreeSet<String> = states.iter().map(|(name, _)| screen_of(name)).collect();
    for screen in screens {
        let mut pictures = String::new();
        let mut seen = BTreeSet::new();
        for (name, app) in states.iter().filter(|(name, _)| screen_of(name) == screen) {
            let drawn = fixture::screen(app, &PLAIN, (40, 12));
            if seen.insert(drawn.clone()) {
                writeln!(pictures, "== {name}\n{drawn}").unwrap();
            }
        }
        settings.bind(|| insta::assert_snapshot!(format!("matrix__{screen}__40x12"), pictures));
    }
    for name in UNSEEN {
        let (_, app) = states.iter().find(|(other, _)| other == name).unwrap();
        fixture::assert_screen_at(&format!("matrix__{name}"), app, &THEME, (80, 24));
    }
}

/// Draws at the size that the state knows, over what was drawn before as a terminal does: into an empty frame.
fn check(app: &App, theme: &Theme) -> Result<(), TestCaseError> {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    draw(app, theme, &mut buf);
    prop_assert_eq!(buf.area, Rect::new(0, 0, app.size.0, app.size.1));
    let text = fixture::text(&buf);
    let row = |y: usize| text.lines().nth(y).unwrap_or_default();
    if app.size.0 < SMALLEST.0 || app.size.1 < SMALLEST.1 {
        prop_assert!(text.contains("too small") && text.contains("q twice"), "{:?}: {}", app.size, text);
    } else {
        let last = usize::from(app.size.1) - 1;
        prop_assert!(!row(0).is_empty() && !row(last).is_empty(), "{:?}: {}", app.size, text);
        let rule = row(last - 2).chars().count();
        prop_assert_eq!(rule, usize::from(app.size.0), "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_sizes_one_after_the_other(
        state in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(((20_u16..=500), (5_u16..=200), "[jkGhl]{0,3}"), 1..20),
    ) {
        let ways: Vec<String> =
            LOADED.iter().map(|(_, way, keys)| format!("{way}{keys}")).chain(SHOWN.map(|(_, keys)| keys.to_owned())).collect();
        let mut app = shown((120, 36), &ways[state.index(ways.len())], Answers::Sample);
        for (columns, rows, keys) in sizes {
            let commands = update(&mut app, Msg::Resize(columns, rows));
            crate::tui::fixture::server::serve(&mut app, commands, Answers::Sample);
            check(&app, &THEME)?;
            typed(&mut app, &keys, Answers::Sample);
            check(&app, &PLAIN)?;
        }
    }
}

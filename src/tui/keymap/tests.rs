//! The key table.

use std::collections::BTreeSet;

use super::*;
use crate::tui::fixture;

fn keymap(keys: &[(&str, &[&str])]) -> Result<Keymap, KeymapError> {
    let owned: Vec<(&str, Vec<String>)> =
        keys.iter().map(|(name, keys)| (*name, keys.iter().map(|key| (*key).to_owned()).collect())).collect();
    Keymap::new(owned.iter().map(|(name, keys)| (*name, &keys[..])))
}

#[test]
fn no_key_means_two_things_on_one_screen() {
    assert_eq!(Keymap::default().check(), Ok(()));
}

#[test]
fn an_action_has_the_same_keys_everywhere() {
    for binding in BINDINGS {
        for other in BINDINGS.iter().filter(|other| other.action == binding.action) {
            assert_eq!(binding.keys, other.keys, "{:?}: a file changes both", binding.action);
        }
    }
}

#[test]
fn chosen_keys_take_the_place_of_the_tables() {
    let keys = keymap(&[("next_failure", &["Q", "zn"]), ("show_flow", &["B"]), ("copy_link", &[])]).unwrap();
    let (view, n) = (View::Flow, fixture::key("Q"));
    assert_eq!(keys.lookup(view, None, n), Lookup::Action(Action::NextFailure));
    assert_eq!(keys.lookup(view, Some(fixture::key("z")), fixture::key("n")), Lookup::Action(Action::NextFailure));
    assert_eq!(keys.lookup(view, None, fixture::key("e")), Lookup::Nothing);
    assert_eq!(keys.lookup(view, None, fixture::key("B")), Lookup::Action(Action::Show(View::Flow)));
    assert_eq!(keys.lookup(View::Logs, None, fixture::key("U")), Lookup::Nothing, "no key at all");
    assert_eq!(keys.key_of(view, Action::NextFailure), "Q");
    assert!(keys.footer(view).contains(&("Q/E".to_owned(), "failure")), "{:?}", keys.footer(view));
    let help = HelpLine::Key { keys: "Q zn".to_owned(), help: "next failure", here: true };
    assert!(keys.help(view, 80, "").iter().flatten().any(|line| *line == help));
}

#[test]
fn keys_that_cannot_be_used_are_told_with_both_names() {
    for (keys, told) in [
        (&[("nonsense", &["j"][..])][..], "there is no action `nonsense`"),
        (&[("next_failure", &["j"])], "`j` is next_failure and down at once in Invocations"),
        (&[("down", &["g"])], "`gg` is first and down at once"),
        (&[("export", &["Q"]), ("pager", &["Q"])], "`Q` is export and pager at once"),
        (&[("export", &["<Nowhere>"])], "`<Nowhere>` of export is no key"),
        (&[("export", &[""])], "`` of export is no key"),
        (&[("quit_now", &[])], "quit_now needs a key"),
    ] {
        let error = keymap(keys).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(keymap(&[("export", &["e"]), ("next_failure", &["x"])]).is_ok(), "two may change places");
}

#[test]
fn every_binding_stands_in_the_help_of_every_screen() {
    let keymap = Keymap::default();
    for (view, width) in View::ALL.into_iter().zip([40, 80, 120, 200, 80]) {
        let columns = keymap.help(view, width, "");
        let lines: Vec<&HelpLine> = columns.iter().flatten().collect();
        for binding in BINDINGS {
            let here = binding.works_in(view);
            let line = HelpLine::Key { keys: keymap.shown(binding), help: binding.help, here };
            assert!(lines.contains(&&line), "{binding:?} at {width}");
        }
        assert_eq!(lines.iter().filter(|line| matches!(line, HelpLine::Title(_))).count(), Group::ALL.len() + 2);
    }
}

#[test]
fn every_action_has_a_key_and_every_key_is_found() {
    let bound: BTreeSet<Action> = BINDINGS.iter().map(|binding| binding.action).collect();
    for &action in Action::ALL {
        assert!(bound.contains(&action), "{action:?} has no key");
    }
    let keymap = Keymap::default();
    for binding in BINDINGS {
        assert!(!binding.help.is_empty() && !binding.views.is_empty(), "{binding:?}");
        assert!(binding.help.len() <= 25, "longer than a column of the help: {}", binding.help);
        for (chord, view) in binding
            .keys
            .iter()
            .map(|keys| parse(keys))
            .flat_map(|chord| binding.views.iter().map(move |view| (chord.clone(), *view)))
        {
            let (first, second) = (chord[0].event(), chord.get(1).map(|press| press.event()));
            let found = match second {
                None => keymap.lookup(view, None, first),
                Some(second) => {
                    assert_eq!(keymap.lookup(view, None, first), Lookup::Pending);
                    keymap.lookup(view, Some(first), second)
                }
            };
            assert_eq!(found, Lookup::Action(binding.action), "{binding:?} in {view:?}");
        }
    }
}

#[test]
fn terminals_may_tell_shift_or_not() {
    let shifted = KeyEvent::new(crossterm::event::KeyCode::Char('G'), crossterm::event::KeyModifiers::SHIFT);
    assert_eq!(Keymap::default().lookup(View::Flow, None, shifted), Lookup::Action(Action::Last));
    let chord = Keymap::default().lookup(
        View::Flow,
        Some(fixture::key("z")),
        KeyEvent::new(crossterm::event::KeyCode::Char('M'), crossterm::event::KeyModifiers::SHIFT),
    );
    assert_eq!(chord, Lookup::Action(Action::FoldAll));
}

#[test]
fn a_chord_that_is_none_counts_as_its_second_key() {
    assert_eq!(
        Keymap::default().lookup(View::Flow, Some(fixture::key("g")), fixture::key("j")),
        Lookup::Action(Action::Down)
    );
    assert_eq!(Keymap::default().lookup(View::Flow, Some(fixture::key("z")), fixture::key("g")), Lookup::Pending);
    assert_eq!(
        Keymap::default().lookup(View::Invocations, None, fixture::key("z")),
        Lookup::Nothing,
        "no folds in the list"
    );
}

#[test]
fn the_footer_begins_with_what_matters_and_ends_with_help_and_the_way_out() {
    let list: Vec<String> = Keymap::default()
        .footer(View::Invocations)
        .into_iter()
        .map(|(keys, label)| format!("{keys} {label}"))
        .collect();
    assert_eq!(list[..3], ["j/k move", "Enter flow", "/ filter"]);
    assert_eq!(list[list.len() - 2..], ["? help", "q quit"]);
    for view in [View::Flow, View::Logs, View::Charts, View::Detail] {
        let entries = Keymap::default().footer(view);
        assert_eq!(entries[entries.len() - 2..], [("?".to_owned(), "help"), ("Esc".to_owned(), "back")], "{view:?}");
    }
}

#[test]
fn the_help_finds_keys_by_words() {
    let found = |wanted: &str| -> Vec<String> {
        let columns = Keymap::default().help(View::Invocations, 40, wanted);
        let text = |line: &HelpLine| match line {
            HelpLine::Key { keys, help, .. } => Some(format!("{keys}: {help}")),
            _ => None,
        };
        columns.iter().flatten().filter_map(text).collect()
    };
    assert_eq!(found("NEXT fail"), ["e: next failure"]);
    assert_eq!(found("gg"), ["gg Home: first; newest and follow"]);
    assert!(found("st:failed").iter().any(|line| line.starts_with("st: ")));
    assert!(found("zzz").is_empty());
    let titles = Keymap::default().help(View::Invocations, 40, "next failure");
    assert_eq!(titles.iter().flatten().filter(|line| matches!(line, HelpLine::Title(_))).count(), 1, "no empty groups");
}

//! What the explorer copies as a command line, read by a shell and then by our own arguments: it asks for the same.

use std::process::Command as Shell;

use clap::Parser;

use super::args::{Args, Command};
use super::started_as;
use crate::model::filter::Filter;
use crate::tui::app::filter;
use crate::tui::fixture::press;
use crate::tui::fixture::server::{Answers, serve, shown};
use crate::tui::msg::Cmd;

/// The arguments that a shell gives to the program.
fn parsed(line: &str) -> Args {
    assert!(!line.contains(char::is_control), "{line:?}");
    let script = format!("obs-tui() {{ printf '%s\\0' obs-tui \"$@\"; }}; {line}");
    let told = Shell::new("bash").args(["-c", &script]).env("LC_ALL", "C").output().unwrap();
    assert!(told.status.success() && told.stderr.is_empty(), "{line}: {told:?}");
    let words = String::from_utf8(told.stdout).unwrap();
    let words = words.strip_suffix('\0').unwrap().split('\0');
    Args::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn copied(app: &mut crate::tui::app::App) -> String {
    match &press(app, "D")[..] {
        [Cmd::Copy(copied)] => copied.text().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_copied_command_asks_for_the_same_rows() {
    let filters = [
        "-st:failed",
        "-st:failed -fn:x",
        "\"--help\"",
        "-\"--help\"",
        "-h",
        "-fn:\"--all\"",
        "st:failed,stuck dur:>5s",
        "fn:\"a b\"",
        "fn:\"it's\"",
        "fn:\"!x \\\\ $(id) `id` ;&|<>\"",
        "-fn:\"e\u{1b}[2J\u{3}\nid\n\u{1b}[201~\"",
        "-table:\"\u{202e}\u{200b}\u{9b}31m\u{3164}\u{e0041}af\" at:1h",
        "driver@company.com",
        "payload.a.\"b c\":\"\u{7f}\"",
        "=x",
        "\"--filter=x\"",
        "#",
        "\"~\"",
        "\"*\"",
        "at:all -\"free text\"",
    ];
    for text in filters {
        let mut app = shown((120, 36), "", Answers::Sample);
        let commands = filter::set(&mut app, text);
        serve(&mut app, commands, Answers::Sample);
        let asked = filter::query(&app);
        assert!(!asked.is_empty(), "{text:?} is a filter");
        let line = copied(&mut app);
        let args = parsed(&line);
        let Some(Command::Ls(ls)) = args.command else { panic!("{line}") };
        let read = Filter::parse(ls.filter.as_deref().unwrap()).unwrap();
        // A search that names no time of its own is bounded in what is copied.
        let same = |term: &_| read.terms().contains(term);
        assert!(asked.terms().iter().all(same), "{text:?}: {line}: {read}");
        assert!(read.terms().len() <= asked.terms().len() + 1, "{text:?}: {line}: {read}");
        assert!(!ls.all && ls.since.is_none() && !ls.json, "{line}");
    }
}

#[test]
fn a_copied_command_without_a_filter_and_one_of_a_row_are_read() {
    let mut app = shown((120, 36), "", Answers::Sample);
    let args = parsed(&copied(&mut app));
    assert!(matches!(args.command, Some(Command::Ls(ls)) if ls.all && ls.filter.is_none()));
    for schema in ["-x", "a b", "--json", "e\u{1b}[2J\u{202e}", "it's", "=", ""] {
        let args = Args::try_parse_from(["obs-tui", &format!("--schema={schema}")]).unwrap();
        app.settings.command = started_as(&args);
        let args = parsed(&copied(&mut app));
        assert_eq!(args.schema.as_deref(), Some(schema));
    }
}

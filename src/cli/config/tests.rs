//! The configuration file.

use clap::Parser;

use super::*;
use crate::tui::msg::{Action, View};

fn args(line: &str) -> Args {
    Args::try_parse_from(std::iter::once("obs-tui").chain(line.split_whitespace())).unwrap()
}

fn load_with(line: &str, text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let get = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::from_text(&args(line), Some(text), Some("/c.toml".into()), get)
}

fn load(text: &str) -> Result<Settings, String> {
    load_with("", text, &[])
}

const EVERYTHING: &str = r#"
theme = "light"
color = "256"
ascii = true
mouse = true
poll_seconds = 10
stale_after = "1h"

[logs]
grafana_url = "https://grafana.example"
grafana_token = "glsa_s3cret"
grafana_datasource_uid = "loki"
correlation_field = "cid"

[redact]
keys = ["tan"]
allow = ["token_count"]

[keys]
next_failure = ["Q"]
previous_failure = ["B"]
"#;

#[test]
fn the_file_sets_everything() {
    let settings = load(EVERYTHING).unwrap();
    let look =
        Look { palette: Palette::Light, colours: Colours::Depth(crate::tui::theme::Depth::Indexed), ascii: Some(true) };
    assert_eq!((settings.look, settings.mouse), (look, true));
    assert_eq!((settings.poll_every, settings.stale_after), (TimeDelta::seconds(10), TimeDelta::hours(1)));
    assert_eq!(settings.keys.key_of(View::Flow, Action::NextFailure), "Q");
    assert_eq!(settings.redact.masker(), Masker::new(["tan"], ["token_count"]));
    let logs = settings.logs(|_| None).unwrap();
    let mut expected = LogsConfig::grafana("https://grafana.example", Some("glsa_s3cret"), "loki").unwrap();
    expected.template.correlation_field = "cid".to_owned();
    assert_eq!(logs, expected);
    assert!(!format!("{:?}", load(EVERYTHING).unwrap().logs(|_| None)).contains("s3cret"));
}

#[test]
fn an_empty_file_and_none_are_the_same() {
    for settings in [load("").unwrap(), Settings::from_text(&args(""), None, None, |_| None).unwrap()] {
        assert_eq!((settings.look, settings.mouse), (Look::default(), false));
        assert_eq!((settings.poll_every, settings.stale_after), (TimeDelta::seconds(2), TimeDelta::minutes(15)));
        assert_eq!(settings.keys, Keymap::default());
        assert_eq!(settings.logs(|_| None).unwrap(), LogsConfig::default());
    }
}

#[test]
fn arguments_go_before_the_file_and_ssh_turns_the_mouse_off() {
    let settings = load_with("--theme dark --color never --stale-after 5m", EVERYTHING, &[]).unwrap();
    assert_eq!((settings.look.palette, settings.look.colours), (Palette::Dark, Colours::Never));
    assert_eq!(settings.stale_after, TimeDelta::minutes(5));
    for name in ["SSH_TTY", "SSH_CONNECTION"] {
        assert!(!load_with("", EVERYTHING, &[(name, "x")]).unwrap().mouse);
        assert!(load_with("--mouse", EVERYTHING, &[(name, "x")]).unwrap().mouse);
    }
    assert!(!load_with("", "", &[]).unwrap().mouse);
}

#[test]
fn a_log_server_of_the_environment_leaves_the_files_out() {
    let settings = load(EVERYTHING).unwrap();
    let logs = settings.logs(|name| (name == "LOKI_URL").then(|| "http://loki.example".to_owned())).unwrap();
    assert!(!format!("{logs:?}").contains("grafana.example"), "{logs:?}");
    assert_eq!(logs.template.correlation_field, "cid", "how lines name the ids stays");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_secrets() {
    for (text, told) in [
        ("\ncolour = \"16\"", ":2: unknown field `colour`"),
        ("theme = \"blue\"", ":1: there is no theme `blue`: write auto, default"),
        ("ascii = true\n\ncolor = 16", ":3: invalid type: integer `16`"),
        ("poll_seconds = 0", ":1: poll_seconds must be 1 or more"),
        ("poll_seconds = -5", ":1: "),
        ("stale_after = \"soon\"", ":1: `soon` is not a length of time"),
        ("theme = dark", ":1: "),
        ("[keys]\n\nnonsense = [\"j\"]", ":3: there is no action `nonsense`"),
        ("[keys]\nquit = [\"Q\"]\nnext_failure = [\"j\"]", ":3: `j` is next_failure and down at once"),
        ("[keys]\nexport = \"x\"", ":2: "),
        ("[logs]\nloki = \"x\"", ":2: unknown field `loki`"),
        ("[logs]\nloki_url = \"ftp://x\"", ": [logs] LOKI_URL"),
    ] {
        let error = load(text).unwrap_err();
        assert!(error.starts_with(told), "{text:?}: {error}");
    }
    for text in [
        "[logs]\ngrafana_token = 5317",
        "[logs]\ngrafana_token = s3cret",
        "[logs]\ngrafana_token = \"s3cret\nloki_url = 1",
        "[logs]\nloki_password = [\"s3cret\"]",
    ] {
        let error = load(text).unwrap_err();
        assert!(!error.contains("s3cret") && !error.contains("5317"), "{error}");
    }
}

#[test]
fn the_file_is_looked_for_where_configurations_are() {
    let path = |environment: &[(&str, &str)]| {
        default_path(&|name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(path(&[("HOME", "/h")]), Some("/h/.config/obs-tui/config.toml".into()));
    assert_eq!(path(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x/obs-tui/config.toml".into()));
    assert_eq!(path(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "")]), Some("/h/.config/obs-tui/config.toml".into()));
    assert_eq!(path(&[]), None);
}

#[test]
fn what_is_printed_can_be_read_again() {
    let settings = load(EVERYTHING).unwrap();
    let printed = text(&settings);
    assert!(printed.starts_with("# /c.toml\n") && !printed.contains("s3cret"), "{printed}");
    let again = load(&printed).unwrap();
    assert_eq!((again.look, again.mouse, &again.keys), (settings.look, settings.mouse, &settings.keys));
    assert_eq!((again.poll_every, again.stale_after), (settings.poll_every, settings.stale_after));
    assert_eq!(again.redact.masker(), Masker::new(["tan"], ["tokenCount"]));
    let table = keys(&Keymap::default());
    assert_eq!(
        load(&table).unwrap().keys.lookup(View::Flow, None, crate::tui::fixture::key("e")),
        crate::tui::keymap::Lookup::Action(Action::NextFailure)
    );
    for action in Action::ALL {
        assert!(table.contains(&format!("\n{} = [", action.name())), "{action:?}");
    }
}

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

fn logs_of(text: &str, environment: &[(&str, &str)]) -> LogsConfig {
    let get = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    load(text).unwrap().logs(get).unwrap()
}

/// Which server, what is sent there and what is said, as text.
fn sends(text: &str, environment: &[(&str, &str)]) -> (LogsConfig, String) {
    let mut logs = logs_of(text, environment);
    let notice = logs.notice.take().unwrap_or_default();
    (logs, notice)
}

#[test]
fn secrets_of_one_place_are_not_sent_to_a_server_of_the_other() {
    let url = "[logs]\ngrafana_url = \"https://evil.example\"\ngrafana_datasource_uid = \"u\"\n";
    let evil = |token: Option<&str>| LogsConfig::grafana("https://evil.example", token, "u").unwrap();
    for token in ["GRAFANA_TOKEN", "OBS_TUI_GRAFANA_TOKEN"] {
        let (logs, notice) = sends(url, &[(token, "of-environment")]);
        assert_eq!(logs, evil(None), "{token}");
        let expected = "GRAFANA_TOKEN of the environment is not sent to the log server that /c.toml names: put \
                        grafana_token into the file, or set GRAFANA_URL in the environment";
        assert_eq!(notice, expected);
    }
    let whole = format!("{url}grafana_token = \"of-file\"\n");
    assert_eq!(sends(&whole, &[("GRAFANA_TOKEN", "of-environment")]), (evil(Some("of-file")), String::new()));

    let own = [("GRAFANA_URL", "https://own.example"), ("GRAFANA_DATASOURCE_UID", "o")];
    let (logs, notice) = sends(&whole, &own);
    assert_eq!(logs, LogsConfig::grafana("https://own.example", None, "o").unwrap());
    assert!(
        notice.starts_with("grafana_token of /c.toml is not sent to the log server that the environment"),
        "{notice}"
    );
    let with_token = [own[0], own[1], ("GRAFANA_TOKEN", "of-environment")];
    let expected = LogsConfig::grafana("https://own.example", Some("of-environment"), "o").unwrap();
    assert_eq!(sends(&whole, &with_token), (expected, String::new()));

    let loki = "[logs]\nloki_url = \"https://evil.example\"\n";
    let login = [("LOKI_USERNAME", "u"), ("LOKI_PASSWORD", "p"), ("LOKI_ORG_ID", "o")];
    for variable in login {
        let (logs, notice) = sends(loki, &[variable]);
        assert_eq!(logs, LogsConfig::loki("https://evil.example", None, None).unwrap(), "{variable:?}");
        assert!(notice.starts_with(variable.0), "{notice}");
    }
    assert_eq!(sends(loki, &[("GRAFANA_TOKEN", "t")]).1, "", "Grafana is not asked");
}

#[test]
fn a_file_allows_http_to_its_own_server_only() {
    let file = "[logs]\nallow_http = true\nloki_url = \"http://l.example\"\n";
    assert!(logs_of(file, &[]).allow_http);
    assert!(!logs_of(&file.replace("true", "false"), &[]).allow_http);
    assert!(!logs_of(file, &[("LOKI_URL", "http://own.example")]).allow_http);
    assert!(logs_of("", &[("LOKI_URL", "http://own.example"), (ALLOW_HTTP, "1")]).allow_http);
    assert!(logs_of(&file.replace("true", "false"), &[(ALLOW_HTTP, "1")]).allow_http);
    let printed = text(&load(file).unwrap());
    assert_eq!(load(&printed).unwrap().logs, load(file).unwrap().logs);
}

#[test]
fn a_file_with_a_secret_that_others_may_read_is_mentioned() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let loaded = |text: &str, mode: u32| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Settings::load(&args(&format!("--config {}", path.display())), |_| None)
    };
    for mode in [0o644, 0o640, 0o604] {
        let expected =
            format!("{} holds a secret and others may read it (mode {mode:o}); run chmod 600 on it", path.display());
        assert_eq!(loaded(EVERYTHING, mode).unwrap().warning, Some(expected));
    }
    assert_eq!(loaded(EVERYTHING, 0o600).unwrap().warning, None);
    assert_eq!(loaded("ascii = true", 0o644).unwrap().warning, None);
    let huge = loaded(&"#".repeat((1 << 20) + 1), 0o600).unwrap_err();
    assert_eq!(huge, format!("cannot read {}: it is larger than 1024 KiB; name a smaller file", path.display()));
    for (path, kind) in [("/dev/zero", "a device"), ("/", "a directory")] {
        let error = Settings::load(&args(&format!("--config {path}")), |_| None).unwrap_err();
        assert_eq!(error, format!("cannot read {path}: it is {kind}; a regular file is needed"));
    }
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
    let copied =
        load("[logs]\ngrafana_url = \"https://g.example/?auth_token=s3cret#x\"\ngrafana_datasource_uid = \"u\"");
    let printed_url = text(&copied.unwrap());
    assert!(printed_url.contains("grafana_url = \"https://g.example/\"\n"), "{printed_url}");
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

//! The configuration file, and what it comes to together with the arguments and the environment.

mod print;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::args::{Args, span};
use crate::files::{Contents, SETTINGS_BYTES, read_bounded};
use crate::logs::config::ALLOW_HTTP;
use crate::logs::{ConfigError, LogsConfig};
use crate::model::redact::Masker;
use crate::tui::app::Files;
use crate::tui::keymap::{Keymap, Section};
use crate::tui::theme::{Colours, Look, Palette};

pub use print::{keys, text};

/// Seconds between two looks for new rows, when nobody says otherwise.
const POLL_SECONDS: u16 = 2;
/// When unfinished work is stuck, when nobody says otherwise.
const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);

/// What is in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file, when there is a place for one.
    pub path: Option<PathBuf>,
    /// Whether it is there.
    pub exists: bool,
    /// Colours and characters.
    pub look: Look,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Time between two looks for new rows.
    pub poll_every: TimeDelta,
    /// Unfinished and untouched for longer than this is stuck.
    pub stale_after: TimeDelta,
    /// Which keys hold secrets, beyond those that are known.
    pub redact: Redact,
    /// The keys.
    pub keys: Keymap,
    /// What the user should know of the file.
    pub warning: Option<String>,
    /// The file's settings of the log server, by the names of the variables.
    logs: BTreeMap<&'static str, String>,
}

/// The variables that name a log server and what is sent to it. They come from one place: a file must not name the server
/// to which a token of the environment goes.
const OF_SERVER: [&str; 7] = [
    "GRAFANA_URL",
    "GRAFANA_TOKEN",
    "GRAFANA_DATASOURCE_UID",
    "LOKI_URL",
    "LOKI_USERNAME",
    "LOKI_PASSWORD",
    "LOKI_ORG_ID",
];
/// The variables whose value is secret.
const SECRET: [&str; 2] = ["GRAFANA_TOKEN", "LOKI_PASSWORD"];

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    #[serde(deserialize_with = "parsed")]
    theme: Option<Palette>,
    #[serde(deserialize_with = "parsed")]
    color: Option<Colours>,
    ascii: Option<bool>,
    mouse: Option<bool>,
    poll_seconds: Option<Spanned<u16>>,
    #[serde(deserialize_with = "duration")]
    stale_after: Option<TimeDelta>,
    logs: Logs,
    redact: Redact,
    keys: Section,
}

/// What is masked, beyond what everybody's secrets are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// Keys whose values are secrets, too.
    pub keys: Vec<String>,
    /// Keys whose values are none.
    pub allow: Vec<String>,
}

impl Redact {
    /// What is masked.
    #[must_use]
    pub fn masker(&self) -> Masker {
        Masker::new(&self.keys, &self.allow)
    }
}

/// Where log lines are, under the names of the variables in small letters.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Logs {
    grafana_url: Text,
    grafana_token: Text,
    grafana_datasource_uid: Text,
    loki_url: Text,
    loki_username: Text,
    loki_password: Text,
    loki_org_id: Text,
    preset: Text,
    selector: Text,
    correlation_field: Text,
    job_field: Text,
    allow_http: Option<bool>,
}

/// A text that may be a secret: no error repeats it.
#[derive(Default)]
struct Text(Option<String>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(Some(text))),
            _ => Err(serde::de::Error::custom("must be a text in quotes")),
        }
    }
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
    span(&String::deserialize(deserializer)?).map(Some).map_err(serde::de::Error::custom)
}

impl Logs {
    /// The settings by the names of the variables that they stand for.
    fn variables(self) -> BTreeMap<&'static str, String> {
        let allow_http = Text(self.allow_http.filter(|allow| *allow).map(|_| "1".to_owned()));
        [
            ("GRAFANA_URL", self.grafana_url),
            ("GRAFANA_TOKEN", self.grafana_token),
            ("GRAFANA_DATASOURCE_UID", self.grafana_datasource_uid),
            ("LOKI_URL", self.loki_url),
            ("LOKI_USERNAME", self.loki_username),
            ("LOKI_PASSWORD", self.loki_password),
            ("LOKI_ORG_ID", self.loki_org_id),
            ("OBS_TUI_LOG_PRESET", self.preset),
            ("OBS_TUI_LOG_SELECTOR", self.selector),
            ("OBS_TUI_LOG_CORRELATION_FIELD", self.correlation_field),
            ("OBS_TUI_LOG_JOB_FIELD", self.job_field),
            (ALLOW_HTTP, allow_http),
        ]
        .into_iter()
        .filter_map(|(name, Text(text))| Some((name, text?)))
        .collect()
    }
}

impl Settings {
    /// Reads the file that the arguments name, or `obs-tui/config.toml` in the folder for configurations, which may be
    /// missing. The arguments go before the file.
    ///
    /// # Errors
    /// In words, with the line, when the file cannot be read or used.
    pub fn load(args: &Args, get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let path = args.config.clone().or_else(|| default_path(&get));
        let contents = match path.as_deref().map(|path| (path, read_bounded(path, SETTINGS_BYTES))) {
            Some((_, Ok(contents))) => Some(contents),
            Some((_, Err(error))) if error.kind() == std::io::ErrorKind::NotFound && args.config.is_none() => None,
            Some((path, Err(error))) => return Err(format!("cannot read {}: {error}", path.display())),
            None => None,
        };
        let shown = path.as_deref().unwrap_or(Path::new("")).display().to_string();
        let mode = contents.as_ref().map_or(0o600, |contents| contents.mode);
        let text =
            contents.map(Contents::into_text).transpose().map_err(|error| format!("cannot read {shown}: {error}"))?;
        let mut settings =
            Self::from_text(args, text.as_deref(), path, &get).map_err(|wrong| format!("{shown}{wrong}"))?;
        if mode & 0o044 != 0 && SECRET.iter().any(|name| settings.logs.contains_key(name)) {
            let text = format!("{shown} holds a secret and others may read it (mode {mode:o}); run chmod 600 on it");
            settings.warning = Some(text);
        }
        Ok(settings)
    }

    fn from_text(
        args: &Args,
        text: Option<&str>,
        path: Option<PathBuf>,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let source = text.unwrap_or_default();
        let at = |place: usize| line_of(source, place);
        let file: File = toml::from_str(source).map_err(|error| {
            // Not its own form, which repeats the line: it may hold a token.
            format!("{}: {}", at(error.span().map_or(0, |span| span.start)), error.message())
        })?;
        let poll = file.poll_seconds.map_or(Ok(POLL_SECONDS), |seconds| match *seconds.get_ref() {
            0 => Err(format!("{}: poll_seconds must be 1 or more", at(seconds.span().start))),
            seconds => Ok(seconds),
        })?;
        let keys = Keymap::of_section(&file.keys).map_err(|(place, text)| format!("{}: {text}", at(place)))?;
        let logs = file.logs.variables();
        LogsConfig::from_env(|name| logs.get(name).cloned()).map_err(|error| format!(": [logs] {error}"))?;
        let over_ssh =
            ["SSH_TTY", "SSH_CONNECTION"].iter().any(|name| get(name).is_some_and(|value| !value.is_empty()));
        Ok(Self {
            path,
            exists: text.is_some(),
            look: Look {
                palette: args.theme.or(file.theme).unwrap_or_default(),
                colours: args.color.or(file.color).unwrap_or_default(),
                ascii: args.ascii.then_some(true).or(file.ascii),
            },
            // Over SSH only who asks for it now gets it: what an interrupted line leaves behind is garbage.
            mouse: args.mouse || file.mouse.unwrap_or(false) && !over_ssh,
            poll_every: TimeDelta::seconds(poll.into()),
            stale_after: args.stale_after.or(file.stale_after).unwrap_or(STALE_AFTER),
            redact: file.redact,
            keys,
            warning: None,
            logs,
        })
    }

    /// The files that the explorer keeps: saved views beside the configuration, the last session where states are.
    #[must_use]
    pub fn files(&self, get: impl Fn(&str) -> Option<String>) -> Files {
        let views = self.path.as_deref().and_then(Path::parent).map(|folder| folder.join("views.toml"));
        Files {
            config: self.path.clone(),
            views,
            session: folder(&get, "XDG_STATE_HOME", ".local/state").map(|folder| folder.join("session.toml")),
        }
    }

    /// Where log lines are. A server that the environment names leaves the file's out, with all that is sent to it;
    /// otherwise the environment's secrets are left out. For the rest the environment goes before the file.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn logs(&self, get: impl Fn(&str) -> Option<String>) -> Result<LogsConfig, ConfigError> {
        let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let of_environment = |name: &str| set(&format!("OBS_TUI_{name}")).or_else(|| set(name));
        let of_file = |name: &str| self.logs.get(name).filter(|value| !value.trim().is_empty()).cloned();
        let names_server =
            |of: &dyn Fn(&str) -> Option<String>| ["GRAFANA_URL", "LOKI_URL"].iter().any(|name| of(name).is_some());
        let by_environment = names_server(&of_environment);
        let mut config = LogsConfig::from_env(|name| {
            let plain = name.strip_prefix("OBS_TUI_").unwrap_or(name);
            match (OF_SERVER.contains(&plain), by_environment) {
                (true, true) => set(name),
                (true, false) => of_file(name),
                // What a file allows, it allows for its own server.
                (false, true) if name == ALLOW_HTTP => set(name),
                (false, _) => set(name).or_else(|| of_file(name)),
            }
        })?;
        let left_out = config.sent().iter().find(|name| {
            let (environment, file) = (of_environment(name).is_some(), of_file(name).is_some());
            if by_environment { file && !environment } else { environment && !file }
        });
        config.notice = left_out.map(|name| self.not_sent(name, by_environment));
        Ok(config)
    }

    /// Says that a variable stands in the other place than the address of the server.
    fn not_sent(&self, name: &str, by_environment: bool) -> String {
        let file = self.path.as_deref().unwrap_or(Path::new("")).display();
        let (url, key) = (if name.starts_with("GRAFANA") { "GRAFANA_URL" } else { "LOKI_URL" }, name.to_lowercase());
        if by_environment {
            return format!(
                "{key} of {file} is not sent to the log server that the environment names: set {name} in the environment"
            );
        }
        format!(
            "{name} of the environment is not sent to the log server that {file} names: put {key} into the file, or set \
             {url} in the environment"
        )
    }
}

fn default_path(get: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    folder(get, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join("config.toml"))
}

/// Our folder below the one that a variable names, or below this one at home.
fn folder(get: &impl Fn(&str) -> Option<String>, variable: &str, at_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(absolute(variable).or_else(|| Some(absolute("HOME")?.join(at_home)))?.join("obs-tui"))
}

/// `:7` for the seventh line.
fn line_of(text: &str, place: usize) -> String {
    let before = text.get(..place).unwrap_or_default();
    format!(":{}", before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;

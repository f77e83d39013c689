//! Where the log server is, how to enter, and how its lines name the ids.

use std::fmt;
use std::time::Duration;

use super::loki::{Url, server_url};
use super::query::{Template, is_label_name, is_selector};
use crate::model::host::is_local;

/// The variable that allows secrets to be sent over `http` to another machine.
pub const ALLOW_HTTP: &str = "OBS_TUI_LOG_ALLOW_HTTP";

/// A setting that cannot be used. Names the variable and what it should be, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigError {
    /// The environment variable, without the prefix `OBS_TUI_` where that is optional.
    pub variable: &'static str,
    /// What is wrong with it and what to write instead.
    pub problem: String,
}

impl ConfigError {
    fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

/// A token or password: its `Debug` is `***`, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The server to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// Grafana's proxy to a data source.
    Grafana { url: Url, token: Option<Secret>, datasource: String },
    /// Loki itself.
    Loki { url: Url, user: Option<(String, Secret)>, org: Option<String> },
}

/// How much to ask for and how long to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection: 3 s.
    pub connect: Duration,
    /// For a whole fetch with all its pages: 10 s.
    pub total: Duration,
    /// Lines a page: 1,000. Loki's own default maximum is 5,000.
    pub page_lines: usize,
    /// Lines altogether: 5,000; what is beyond makes a page not `complete`.
    pub max_lines: usize,
    /// Bytes of one answer: 32 MiB.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            total: Duration::from_secs(10),
            page_lines: 1_000,
            max_lines: 5_000,
            max_bytes: 32 * 1024 * 1024,
        }
    }
}

/// The settings of a log server. The default is none: every fetch says that logs are not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsConfig {
    pub(super) server: Option<Server>,
    /// How the lines name the ids.
    pub template: Template,
    /// Limits of time and size.
    pub limits: Limits,
    /// Whether a token or password may be sent over `http` to another machine. Without it no such request is made.
    pub allow_http: bool,
    /// What the user should know: a secret that is not sent to this server, because the two come from different places.
    pub notice: Option<String>,
}

impl LogsConfig {
    /// Loki behind Grafana: its address, a service account token (none for anonymous access), the data source's uid.
    ///
    /// # Errors
    /// When the address is not one of `http` or `https` without user and password, the uid is empty, or the token holds
    /// characters that no header can carry.
    pub fn grafana(url: &str, token: Option<&str>, datasource_uid: &str) -> Result<Self, ConfigError> {
        let datasource = datasource_uid.trim();
        if datasource.is_empty() {
            let problem = "is missing; it is the last part of the data source's address in Grafana";
            return Err(ConfigError::new("GRAFANA_DATASOURCE_UID", problem));
        }
        let server = Server::Grafana {
            url: address("GRAFANA_URL", url)?,
            token: token.map(|token| header_text("GRAFANA_TOKEN", token).map(Secret)).transpose()?,
            datasource: datasource.to_owned(),
        };
        Ok(Self { server: Some(server), ..Self::default() })
    }

    /// Loki itself: its address, user and password of basic authentication, the tenant.
    ///
    /// # Errors
    /// When the address is not one of `http` or `https` without user and password, or the tenant holds characters that
    /// no header can carry.
    pub fn loki(url: &str, user: Option<(&str, &str)>, org_id: Option<&str>) -> Result<Self, ConfigError> {
        let server = Server::Loki {
            url: address("LOKI_URL", url)?,
            user: user.map(|(name, password)| (name.to_owned(), Secret(password.to_owned()))),
            org: org_id.map(|org| header_text("LOKI_ORG_ID", org)).transpose()?,
        };
        Ok(Self { server: Some(server), ..Self::default() })
    }

    /// The settings of an environment: `GRAFANA_URL`, `GRAFANA_TOKEN`, `GRAFANA_DATASOURCE_UID`, or `LOKI_URL`,
    /// `LOKI_USERNAME`, `LOKI_PASSWORD`, `LOKI_ORG_ID`, each also with the prefix `OBS_TUI_`, which prevails; and
    /// `OBS_TUI_LOG_PRESET` (`json`, `label`), `OBS_TUI_LOG_SELECTOR`, `OBS_TUI_LOG_CORRELATION_FIELD`,
    /// `OBS_TUI_LOG_JOB_FIELD`, and `OBS_TUI_LOG_ALLOW_HTTP` (`1`). Empty means unset. Grafana is asked when both servers
    /// are given; `GRAFANA_URL` alone, without the data source, leaves the field to `LOKI_URL`. Without any server the
    /// result is the default.
    ///
    /// # Errors
    /// When a setting cannot be used: see [`LogsConfig::grafana`], [`LogsConfig::loki`]; an unknown preset; a selector
    /// not in braces; a field that is not a label name.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let own = |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let get = |name: &str| own(&format!("OBS_TUI_{name}")).or_else(|| own(name));
        let (grafana, datasource, loki) = (get("GRAFANA_URL"), get("GRAFANA_DATASOURCE_UID"), get("LOKI_URL"));
        let mut config = match (grafana, loki) {
            (Some(url), None) => {
                Self::grafana(&url, get("GRAFANA_TOKEN").as_deref(), datasource.as_deref().unwrap_or_default())?
            }
            (Some(url), Some(_)) if datasource.is_some() => {
                Self::grafana(&url, get("GRAFANA_TOKEN").as_deref(), datasource.as_deref().unwrap_or_default())?
            }
            (_, Some(url)) => {
                let (name, password) = (get("LOKI_USERNAME"), get("LOKI_PASSWORD").unwrap_or_default());
                Self::loki(&url, name.as_deref().map(|name| (name, password.as_str())), get("LOKI_ORG_ID").as_deref())?
            }
            (None, None) => Self::default(),
        };
        config.template = template(own)?;
        config.allow_http = match own(ALLOW_HTTP).as_deref() {
            Some("1" | "true") => true,
            None | Some("0" | "false") => false,
            Some(_) => return Err(ConfigError::new(ALLOW_HTTP, "must be 1 or 0")),
        };
        Ok(config)
    }

    /// The variables that are sent to the server beside the query.
    #[must_use]
    pub(crate) fn sent(&self) -> &'static [&'static str] {
        match self.server {
            Some(Server::Grafana { .. }) => &["GRAFANA_TOKEN"],
            Some(Server::Loki { .. }) => &["LOKI_USERNAME", "LOKI_PASSWORD", "LOKI_ORG_ID"],
            None => &[],
        }
    }

    /// Refuses to send a secret where anybody on the way can read it.
    pub(super) fn check_way(&self) -> Result<(), ConfigError> {
        let (url, variable, secret) = match &self.server {
            Some(Server::Grafana { url, token: Some(_), .. }) => (url, "GRAFANA_URL", "GRAFANA_TOKEN"),
            Some(Server::Loki { url, user: Some(_), .. }) => (url, "LOKI_URL", "LOKI_PASSWORD"),
            _ => return Ok(()),
        };
        if url.scheme() != "http" || self.allow_http || url.host_str().is_some_and(is_local) {
            return Ok(());
        }
        let problem = format!(
            "is http, so that {secret} would cross the network unencrypted; use https, or allow it with {ALLOW_HTTP}=1 \
             (allow_http = true under [logs])"
        );
        Err(ConfigError::new(variable, problem))
    }
}

fn template(own: impl Fn(&str) -> Option<String>) -> Result<Template, ConfigError> {
    let mut template = match own("OBS_TUI_LOG_PRESET").as_deref() {
        None | Some("json") => Template::json(),
        Some("label") => Template::label(),
        Some(_) => return Err(ConfigError::new("OBS_TUI_LOG_PRESET", "must be json or label")),
    };
    if let Some(selector) = own("OBS_TUI_LOG_SELECTOR") {
        if !is_selector(&selector) {
            let problem = "must be a LogQL stream selector in braces, such as {environment=\"production\"}";
            return Err(ConfigError::new("OBS_TUI_LOG_SELECTOR", problem));
        }
        template.selector = selector;
    }
    let field = |variable: &'static str, default: String| match own(variable) {
        Some(name) if is_label_name(&name) => Ok(name),
        Some(_) => {
            let problem = "must be a label name: letters, digits and _, not a digit first (a.b is a_b in LogQL)";
            Err(ConfigError::new(variable, problem))
        }
        None => Ok(default),
    };
    template.correlation_field = field("OBS_TUI_LOG_CORRELATION_FIELD", template.correlation_field)?;
    template.job_field = field("OBS_TUI_LOG_JOB_FIELD", template.job_field)?;
    Ok(template)
}

fn address(variable: &'static str, text: &str) -> Result<Url, ConfigError> {
    server_url(text.trim()).map_err(|problem| ConfigError::new(variable, problem))
}

fn header_text(variable: &'static str, text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(ConfigError::new(variable, "is empty or holds characters that cannot be sent; copy it again"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Result<LogsConfig, ConfigError> {
        LogsConfig::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_empty_environment_configures_nothing() {
        assert_eq!(env(&[]).unwrap(), LogsConfig::default());
        assert_eq!(env(&[("GRAFANA_URL", " "), ("LOKI_URL", "")]).unwrap(), LogsConfig::default());
    }

    #[test]
    fn servers_are_chosen_by_what_is_set() {
        let grafana = LogsConfig::grafana("https://g.example/sub", Some("t"), "uid").unwrap();
        let all = [
            ("GRAFANA_URL", "https://g.example/sub?orgId=1#x"),
            ("GRAFANA_TOKEN", "t\n"),
            ("GRAFANA_DATASOURCE_UID", "uid"),
            ("LOKI_URL", "http://l.example:3100"),
        ];
        assert_eq!(env(&all).unwrap(), grafana, "Grafana prevails");
        let loki = LogsConfig::loki("http://l.example:3100", None, None).unwrap();
        assert_eq!(env(&[all[0], all[3]]).unwrap(), loki, "GRAFANA_URL of another program does not hide Loki");
        let missing = env(&all[..2]).unwrap_err();
        assert_eq!(missing.variable, "GRAFANA_DATASOURCE_UID");
        let user = LogsConfig::loki("http://l.example", Some(("u", "p")), Some("tenant|b")).unwrap();
        let given = [
            ("LOKI_URL", "http://other.example"),
            ("OBS_TUI_LOKI_URL", "http://l.example"),
            ("LOKI_USERNAME", "u"),
            ("LOKI_PASSWORD", "p"),
            ("LOKI_ORG_ID", "tenant|b"),
        ];
        assert_eq!(env(&given).unwrap(), user, "the prefixed name prevails");
    }

    #[test]
    fn templates_come_from_preset_and_fields() {
        let label = env(&[("OBS_TUI_LOG_PRESET", "label"), ("OBS_TUI_LOG_JOB_FIELD", "job_id")]).unwrap().template;
        assert_eq!(label, Template { job_field: "job_id".into(), ..Template::label() });
        let own = [("OBS_TUI_LOG_SELECTOR", r#"{app="x"}"#), ("OBS_TUI_LOG_CORRELATION_FIELD", "cid")];
        let template = env(&own).unwrap().template;
        let expected =
            Template { selector: r#"{app="x"}"#.into(), correlation_field: "cid".into(), ..Template::json() };
        assert_eq!(template, expected);
        for (variable, value) in [
            ("OBS_TUI_LOG_PRESET", "xml"),
            ("OBS_TUI_LOG_SELECTOR", "app=x"),
            ("OBS_TUI_LOG_CORRELATION_FIELD", "a.b"),
            ("OBS_TUI_LOG_JOB_FIELD", "x\" or"),
        ] {
            assert_eq!(env(&[(variable, value)]).unwrap_err().variable, variable);
        }
    }

    #[test]
    fn bad_settings_are_named_and_secrets_are_not_repeated() {
        for url in ["grafana.internal", "ftp://g.example", "https://user:hunter2@g.example", "https://", "::"] {
            let error = LogsConfig::grafana(url, None, "uid").unwrap_err();
            assert_eq!(error.variable, "GRAFANA_URL", "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let token = LogsConfig::grafana("http://g.example", Some("hunter2 \u{7}x"), "uid").unwrap_err();
        assert_eq!(token.variable, "GRAFANA_TOKEN");
        assert!(!token.to_string().contains("hunter2"), "{token}");
        let config = LogsConfig::grafana("http://g.example", Some("hunter2"), "uid").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let config = LogsConfig::loki("http://l.example", Some(("u", "hunter2")), None).unwrap();
        assert!(!format!("{config:#?}").contains("hunter2"), "{config:?}");
    }
    #[test]
    fn a_secret_goes_over_http_to_this_machine_only_unless_that_is_allowed() {
        let refused = |url: &str, token, allow: Option<&str>| {
            let pairs = [("GRAFANA_URL", Some(url)), ("GRAFANA_DATASOURCE_UID", Some("u")), ("GRAFANA_TOKEN", token)];
            let pairs: Vec<_> = pairs
                .into_iter()
                .chain([(ALLOW_HTTP, allow)])
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            env(&pairs).unwrap().check_way().map_err(|error| error.to_string())
        };
        for url in ["http://g.example", "http://10.0.0.1:3000", "http://localhost.example", "http://g.localhost"] {
            let error = refused(url, Some("hunter2"), None).unwrap_err();
            assert!(error.contains("OBS_TUI_LOG_ALLOW_HTTP=1") && !error.contains("hunter2"), "{error}");
            assert_eq!(refused(url, Some("t"), Some("1")), Ok(()));
            assert_eq!(refused(url, None, None), Ok(()), "without a secret");
        }
        for url in ["https://g.example", "http://localhost:3000", "http://127.0.0.1", "http://127.1", "http://[::1]:1"]
        {
            assert_eq!(refused(url, Some("t"), None), Ok(()), "{url}");
        }
        let loki = LogsConfig::loki("http://l.example", Some(("u", "hunter2")), None).unwrap().check_way().unwrap_err();
        assert_eq!(loki.variable, "LOKI_URL");
        assert_eq!(env(&[(ALLOW_HTTP, "perhaps")]).unwrap_err().variable, ALLOW_HTTP);
    }
}

//! The one fetch of log lines; the only file that speaks HTTP.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

pub(super) use reqwest::Url;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::OnceCell;

use super::config::{Limits, LogsConfig, Server};
use super::parse::parse;
use super::{LogError, LogLine, LogPage, LogQuery};
use crate::clock::Clock;
use crate::model::host::is_local;
use crate::model::{text, time};

/// The longest `Retry-After` that is waited for.
const SHORT_WAIT: Duration = Duration::from_secs(3);
/// How much of an error's text is read.
const ERROR_BYTES: usize = 16 * 1024;

/// Asks Loki, directly or through Grafana. One client serves many fetches, also at the same time.
pub struct LokiClient {
    config: LogsConfig,
    clock: Clock,
    http: OnceCell<Client>,
}

impl fmt::Debug for LokiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LokiClient").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The answer to one request.
enum Reply {
    Lines(Vec<LogLine>),
    /// 429, with the wait it asks for.
    Busy(Option<Duration>, LogError),
}

impl LokiClient {
    /// A client. Cheap: certificates are read at the first fetch.
    #[must_use]
    pub fn new(config: LogsConfig) -> Self {
        Self { config, clock: Clock::system(), http: OnceCell::new() }
    }

    /// The server as shown, such as `Grafana https://grafana.internal`; `None` when none is configured.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        self.config.server.as_ref().map(Server::name)
    }

    /// What the user should know of the settings.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.config.notice.as_deref()
    }

    /// The lines of a query, oldest first, page after page up to [`Limits::max_lines`]. A page beyond the first that does
    /// not arrive (offline, busy, out of time) ends the list, which is then not `complete`.
    ///
    /// # Errors
    /// [`LogError`]: one variant for each thing that the reader can do about it.
    pub async fn fetch(&self, query: &LogQuery) -> Result<LogPage, LogError> {
        let server = self.config.server.as_ref().ok_or(LogError::NotConfigured)?;
        self.config.check_way()?;
        let logql = self.config.template.logql(query)?;
        let Limits { page_lines, max_lines, .. } = self.config.limits;
        let began = self.clock.elapsed();
        let http = self.http.get_or_try_init(|| connect(server, self.config.limits.connect)).await?;
        let (mut from, to) = window(query);
        let mut lines: Vec<LogLine> = Vec::new();
        let mut complete = true;
        loop {
            let request = server.request(http).query(&[
                ("query", logql.as_str()),
                ("start", &from.to_string()),
                ("end", &to.to_string()),
                ("limit", &page_lines.to_string()),
                ("direction", "forward"),
            ]);
            let page = match self.ask(server, request, began).await {
                Ok(page) => page,
                Err(LogError::Offline(_) | LogError::Failed { .. } | LogError::Limited(_)) if !lines.is_empty() => {
                    complete = false;
                    break;
                }
                Err(LogError::Refused(reason)) => {
                    let unsent = self.notice().map(|text| format!("; {text}")).unwrap_or_default();
                    return Err(LogError::Refused(reason + &unsent));
                }
                Err(error) => return Err(error),
            };
            let (full, last) = (page.len() >= page_lines, page.last().map(|line| line.at_ns));
            let known = lines.len();
            append(&mut lines, page);
            let Some(last) = last.filter(|_| full) else { break };
            // A page of nothing new: more lines in one nanosecond than a page holds, the rest cannot be asked for.
            let stuck = lines.len() == known;
            complete &= !stuck;
            from = if stuck { last.saturating_add(1) } else { last };
            if lines.len() >= max_lines || from >= to {
                complete &= lines.len() < max_lines;
                lines.truncate(max_lines);
                break;
            }
        }
        let took = self.clock.elapsed().saturating_sub(began);
        Ok(LogPage { lines, complete, query: logql, took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) })
    }

    /// The same query in Grafana's Explore; `None` without Grafana, or when there is nothing to ask by.
    #[must_use]
    pub fn explore_url(&self, query: &LogQuery) -> Option<String> {
        let Some(Server::Grafana { url, datasource, .. }) = &self.config.server else { return None };
        let source = serde_json::json!({"type": "loki", "uid": datasource});
        let expr = self.config.template.logql(query).ok()?;
        let pane = serde_json::json!({
            "datasource": datasource,
            "queries": [{"refId": "A", "expr": expr, "queryType": "range", "datasource": source}],
            "range": {
                "from": query.from.timestamp_millis().to_string(),
                "to": query.to.timestamp_millis().to_string(),
            },
        });
        let mut link = below(url, &["explore"]);
        link.query_pairs_mut()
            .append_pair("schemaVersion", "1")
            .append_pair("panes", &serde_json::json!({"logs": pane}).to_string());
        Some(link.into())
    }

    /// One page, asked for again once when the server is busy and says that a short wait helps.
    async fn ask(&self, server: &Server, request: RequestBuilder, began: Duration) -> Result<Vec<LogLine>, LogError> {
        let left = || self.config.limits.total.saturating_sub(self.clock.elapsed().saturating_sub(began));
        let again = request.try_clone();
        match self.send(server, request.timeout(left())).await? {
            Reply::Lines(lines) => Ok(lines),
            Reply::Busy(Some(wait), error) if wait <= SHORT_WAIT && wait < left() => {
                let Some(again) = again else { return Err(error) };
                tokio::time::sleep(wait).await;
                match self.send(server, again.timeout(left())).await? {
                    Reply::Lines(lines) => Ok(lines),
                    Reply::Busy(_, error) => Err(error),
                }
            }
            Reply::Busy(_, error) => Err(error),
        }
    }

    async fn send(&self, server: &Server, request: RequestBuilder) -> Result<Reply, LogError> {
        let Limits { total, max_bytes, .. } = self.config.limits;
        let offline = |error: &reqwest::Error| unreachable(server, total, error);
        let mut response = request.send().await.map_err(|e| offline(&e))?;
        if response.status() != StatusCode::OK {
            return refusal(server, response).await;
        }
        if let Some(coding) = header(&response, CONTENT_ENCODING.as_str()).filter(|coding| *coding != "identity") {
            return Err(LogError::Malformed(format!("it came compressed ({coding}) though that was not asked for")));
        }
        let html = header(&response, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html"));
        if html {
            let text = format!("{} sent a web page, as for signing in; {}", server.name(), server.advice());
            return Err(LogError::Refused(text));
        }
        let too_large = || {
            let limit = text::bytes(max_bytes);
            LogError::Malformed(format!("it is larger than {limit}; open one job instead of the whole cascade"))
        };
        if response.content_length().is_some_and(|length| length > max_bytes as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| offline(&e))? {
            if body.len() + chunk.len() > max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        parse(&body).map(Reply::Lines)
    }
}

impl Server {
    fn name(&self) -> String {
        let (kind, url) = match self {
            Self::Grafana { url, .. } => ("Grafana", url),
            Self::Loki { url, .. } => ("Loki", url),
        };
        format!("{kind} {}", url.as_str().trim_end_matches('/'))
    }

    /// What to look at when this server refuses.
    fn advice(&self) -> &'static str {
        match self {
            Self::Grafana { .. } => {
                "check GRAFANA_URL, GRAFANA_DATASOURCE_UID, and that GRAFANA_TOKEN belongs to a service account that may \
                 query the data source"
            }
            Self::Loki { .. } => "check LOKI_URL, LOKI_USERNAME, LOKI_PASSWORD and LOKI_ORG_ID",
        }
    }

    fn request(&self, http: &Client) -> RequestBuilder {
        let query_range = ["loki", "api", "v1", "query_range"];
        match self {
            Self::Grafana { url, token, datasource } => {
                let proxy = ["api", "datasources", "proxy", "uid", datasource];
                let request = http.get(below(url, &[&proxy[..], &query_range].concat()));
                match token {
                    Some(token) => request.bearer_auth(token.expose()),
                    None => request,
                }
            }
            Self::Loki { url, user, org } => {
                let mut request = http.get(below(url, &query_range));
                if let Some((name, password)) = user {
                    request = request.basic_auth(name, Some(password.expose()));
                }
                match org {
                    Some(org) => request.header("X-Scope-OrgID", org),
                    None => request,
                }
            }
        }
    }
}

/// The HTTP client. Reading the certificates of the system takes a while: it happens off the runtime's threads.
async fn connect(server: &Server, timeout: Duration) -> Result<Client, LogError> {
    let (Server::Grafana { url, .. } | Server::Loki { url, .. }) = server;
    let local = url.host_str().is_some_and(is_local);
    let plain = url.scheme() == "http";
    let build = move || {
        // An error means that a provider is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("obs-tui/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout)
            .redirect(Policy::custom(|attempt| if stays_home(&attempt) { attempt.follow() } else { attempt.stop() }));
        let builder = if local { builder.no_proxy() } else { builder };
        // Without TLS no certificates are needed: a machine that has none can still ask.
        let builder = if plain { builder.tls_certs_only([]) } else { builder };
        builder.build().map_err(|e| LogError::Offline(format!("the HTTP client does not start: {}", cause(&e))))
    };
    let built = tokio::task::spawn_blocking(build).await;
    built.unwrap_or_else(|e| Err(LogError::Offline(format!("the HTTP client does not start: {e}"))))
}

/// Whether a redirect stays on the server that the secrets are meant for.
fn stays_home(attempt: &Attempt<'_>) -> bool {
    let first = attempt.previous().first().map(Url::origin);
    attempt.previous().len() <= 5 && first == Some(attempt.url().origin())
}

/// The window as Loki wants it: nanoseconds, start inclusive, end exclusive.
fn window(query: &LogQuery) -> (i64, i64) {
    let from = time::nanoseconds(query.from);
    let to = time::nanoseconds(query.to);
    (from, to.max(from.saturating_add(1)))
}

/// Adds a page that begins in the nanosecond in which the lines end: what both hold is kept once.
fn append(lines: &mut Vec<LogLine>, page: Vec<LogLine>) {
    let boundary = lines.last().map(|line| line.at_ns);
    let tail = lines.iter().rposition(|line| Some(line.at_ns) != boundary).map_or(0, |i| i + 1);
    let mut seen: Vec<LogLine> = lines[tail..].to_vec();
    lines.extend(page.into_iter().filter(|line| match seen.iter().position(|old| old == line) {
        Some(i) => {
            seen.swap_remove(i);
            false
        }
        None => true,
    }));
}

/// What an answer other than 200 means.
async fn refusal(server: &Server, mut response: Response) -> Result<Reply, LogError> {
    let status = response.status();
    let wait = header(&response, RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let target = header(&response, LOCATION.as_str()).map(|text| text::clean(text).into_owned()).unwrap_or_default();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ERROR_BYTES {
            break;
        }
    }
    let said = said(&body);
    let name = server.name();
    let code = status.as_u16();
    Err(match code {
        429 => return Ok(Reply::Busy(wait, LogError::Limited(format!("{name} answered 429{said}")))),
        400 | 413 | 414 | 422 => LogError::Query(format!("{name} answered {code}{said}")),
        408 | 500.. => LogError::Failed { status: code, text: format!("{name} answered {status}{said}") },
        300..400 => LogError::Refused(format!("{name} redirects to {target}; {}", server.advice())),
        _ => LogError::Refused(format!("{name} answered {status}{said}; {}", server.advice())),
    })
}

/// The words of an error's body, `: …`: the message of a JSON object, or short text; nothing of a web page.
fn said(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
    let field = |name| json.as_ref().and_then(|json| json.get(name)).and_then(serde_json::Value::as_str);
    let words = field("message").or_else(|| field("error")).unwrap_or(&body).trim();
    if words.is_empty() || words.starts_with('<') {
        return String::new();
    }
    let words = text::clean(words);
    let short: String = words.chars().take(300).collect();
    format!(": {short}{}", if short.len() < words.len() { "…" } else { "" })
}

fn unreachable(server: &Server, total: Duration, error: &reqwest::Error) -> LogError {
    let name = server.name();
    if is_untrusted(error) {
        return LogError::Untrusted(format!("{name}: {}", cause(error)));
    }
    LogError::Offline(if error.is_connect() {
        format!("cannot connect to {name}: {}", cause(error))
    } else if error.is_timeout() {
        format!("{name} did not answer within {}", text::duration(i64::try_from(total.as_millis()).unwrap_or(i64::MAX)))
    } else {
        format!("the connection to {name} broke: {}", cause(error))
    })
}

/// Whether the certificate of the server was not accepted. The error of TLS is inside errors of I/O, which do not name it
/// as their source.
fn is_untrusted(error: &reqwest::Error) -> bool {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    sources.filter_map(|error| error.downcast_ref::<io::Error>()).any(|error| {
        let mut inner = error.get_ref();
        while let Some(nested) = inner.and_then(|error| error.downcast_ref::<io::Error>()) {
            inner = nested.get_ref();
        }
        let tls = inner.and_then(|error| error.downcast_ref());
        matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
    })
}

/// The innermost cause; the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut innermost = None;
    while let Some(inner) = source {
        innermost = Some(inner);
        source = inner.source();
    }
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// An address below another.
fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// The address of a server, with a path if it has one; a query and a fragment, as copied from a browser, are dropped.
/// An error says what is wrong without repeating the text, which may hold a password.
pub(super) fn server_url(text: &str) -> Result<Url, String> {
    let example = "write it as https://host:port";
    let mut url = Url::parse(text).map_err(|e| format!("is not an address ({e}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must begin with http:// or https://; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or password; they have variables of their own".into());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

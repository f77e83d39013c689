//! The log client against a real HTTP server: exact requests, every answer that Grafana and Loki give, every failure.
#![expect(clippy::unwrap_used, reason = "a test ends where its setting fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::logs::{Level, Limits, LogError, LogQuery, LogsConfig, LokiClient, Origin, Template};
use serde_json::json;
use uuid::Uuid;

use crate::loki_server::{Entry, Fault, LokiServer, TOKEN, UID};

const CORRELATION: &str = "moves.550e8400-e29b-41d4-a716-446655440000";
const START_NS: i64 = 1_800_000_000_000_000_000;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(START_NS)
}

fn query() -> LogQuery {
    LogQuery::around(CORRELATION, None, start(), start() + TimeDelta::seconds(2))
}

fn entry(at_ns: i64, line: impl Into<String>) -> Entry {
    let labels = [("environment", "production"), ("service_name", "event-detector")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Entry { at_ns: START_NS + at_ns, labels, line: line.into() }
}

fn json_entry(at_ns: i64, message: &str) -> Entry {
    entry(at_ns, json!({"level": "info", "message": message, "correlationId": CORRELATION}).to_string())
}

fn grafana(server: &LokiServer) -> LogsConfig {
    LogsConfig::grafana(server.url(), Some(TOKEN), UID).unwrap()
}

fn limited(server: &LokiServer, limits: Limits) -> LokiClient {
    let mut config = grafana(server);
    config.limits = limits;
    LokiClient::new(config)
}

fn templated(server: &LokiServer, template: Template) -> LokiClient {
    let mut config = grafana(server);
    config.template = template;
    LokiClient::new(config)
}

async fn fetch_error(entries: Vec<Entry>, fault: Fault, limits: Limits) -> LogError {
    let server = LokiServer::start(entries, Some(fault)).await;
    let client = limited(&server, limits);
    client.fetch(&query()).await.unwrap_err()
}

async fn fault_error(fault: Fault) -> LogError {
    fetch_error(vec![json_entry(0, "hello")], fault, Limits::default()).await
}

#[tokio::test]
async fn grafana_is_asked_exactly_so() {
    let server = LokiServer::start(vec![json_entry(7, "hello")], None).await;
    let client = LokiClient::new(grafana(&server));
    let page = client.fetch(&query()).await.unwrap();

    let logql = format!(r#"{{environment="production"}} | json | correlationId="{CORRELATION}""#);
    assert_eq!((page.lines.len(), page.complete, page.query.as_str()), (1, true, logql.as_str()));
    let line = &page.lines[0];
    assert_eq!((line.at_ns, line.level, line.origin), (START_NS + 7, Level::Info, Origin::Loki));
    assert_eq!((line.message.as_str(), line.service.as_str()), ("hello", "event-detector"));
    assert_eq!(line.fields, json!({"correlationId": CORRELATION}));

    let [asked] = <[_; 1]>::try_from(server.asked()).unwrap();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/api/datasources/proxy/uid/loki-uid/loki/api/v1/query_range")
    );
    let expected = [
        ("direction", "forward"),
        ("end", "1800000007000000000"),
        ("limit", "1000"),
        ("query", &logql),
        ("start", "1799999995000000000"),
    ];
    assert_eq!(asked.params, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let headers: BTreeMap<_, _> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let host = server.url().trim_start_matches("http://");
    let agent = concat!("obs-tui/", env!("CARGO_PKG_VERSION"));
    let expected = [("accept", "*/*"), ("authorization", "Bearer glsa_right"), ("host", host), ("user-agent", agent)];
    assert_eq!(headers, expected.into(), "no compression asked for, nothing else sent");
    assert_eq!(client.server_name().unwrap(), format!("Grafana {}", server.url()));
}

#[tokio::test]
async fn loki_itself_is_asked_with_basic_authentication_and_tenant() {
    let server = LokiServer::start(vec![json_entry(0, "hello")], None).await;
    let config = LogsConfig::loki(server.url(), Some(("reader", "pass:word")), Some("tenant-1")).unwrap();
    let page = LokiClient::new(config).fetch(&query()).await.unwrap();
    assert_eq!(page.lines.len(), 1);
    let [asked] = <[_; 1]>::try_from(server.asked()).unwrap();
    assert_eq!(asked.path, "/loki/api/v1/query_range");
    assert_eq!(asked.headers["authorization"], "Basic cmVhZGVyOnBhc3M6d29yZA==");
    assert_eq!(asked.headers["x-scope-orgid"], "tenant-1");

    let anonymous = LogsConfig::loki(server.url(), None, None).unwrap();
    let error = LokiClient::new(anonymous).fetch(&query()).await.unwrap_err();
    let LogError::Refused(text) = &error else { panic!("{error}") };
    assert!(text.contains("401 Unauthorized: no org id; check LOKI_URL"), "{text}");
}

#[tokio::test]
async fn one_job_of_a_cascade_is_found_with_either_preset() {
    let job = Uuid::from_u128(9);
    let hostile = r#"a"} or {b=\"x | y"#;
    let line = |message: &str, job: Uuid| {
        let ids = json!({"msg": message, "correlationId": hostile, "scopeId": job, "job_execution_id": job});
        let mut entry = entry(0, ids.to_string());
        entry.labels.insert("correlation_id".into(), hostile.into());
        entry
    };
    let entries = vec![line("mine", job), line("other", Uuid::from_u128(8)), json_entry(0, "foreign")];
    let server = LokiServer::start(entries, None).await;
    for (template, found) in [(Template::json(), 2), (Template::label(), 2)] {
        let client = templated(&server, template);
        let cascade = LogQuery::around(hostile, None, start(), start());
        assert_eq!(client.fetch(&cascade).await.unwrap().lines.len(), found);
        let node = LogQuery { job_id: Some(job), ..cascade };
        let page = client.fetch(&node).await.unwrap();
        assert_eq!(page.lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["mine"]);
    }
}

#[tokio::test]
async fn pages_are_joined_without_loss_or_repetition() {
    // 3 streams, some lines in one nanosecond, also across the borders of pages; one line written twice.
    let mut entries: Vec<_> = (0..95).map(|i| json_entry(i / 3, &format!("line {i}"))).collect();
    for (i, entry) in entries.iter_mut().enumerate() {
        entry.labels.insert("pod".into(), format!("pod-{}", i % 3));
    }
    entries.push(entries[29].clone());
    let server = LokiServer::start(entries, None).await;
    let limits = Limits { page_lines: 10, ..Limits::default() };
    let page = limited(&server, limits).fetch(&query()).await.unwrap();
    assert!(page.complete);
    let mut shown: Vec<_> = page.lines.iter().map(|line| line.message.clone()).collect();
    assert!(page.lines.is_sorted_by_key(|line| line.at_ns));
    shown.sort_by_key(|text| text["line ".len()..].parse::<u32>().unwrap());
    let mut expected: Vec<_> = (0..95).map(|i| format!("line {i}")).collect();
    expected.insert(30, "line 29".into());
    assert_eq!(shown, expected);
    let starts: Vec<_> = server.asked().iter().map(|asked| asked.params["start"].clone()).collect();
    assert_eq!(starts[..2], ["1799999995000000000", "1800000000000000003"], "from the last nanosecond on");
}

#[tokio::test]
async fn more_lines_than_the_limit_are_said_to_be_more() {
    let entries: Vec<_> = (0..50).map(|i| json_entry(i, &format!("line {i}"))).collect();
    let server = LokiServer::start(entries, None).await;
    let limits = Limits { page_lines: 10, max_lines: 25, ..Limits::default() };
    let page = limited(&server, limits).fetch(&query()).await.unwrap();
    assert_eq!((page.lines.len(), page.complete), (25, false));
    assert_eq!(page.lines[24].message, "line 24", "the oldest are kept, in order");
}

#[tokio::test]
async fn a_nanosecond_fuller_than_a_page_does_not_stop_the_rest() {
    let mut entries: Vec<_> = (0..15).map(|i| json_entry(5, &format!("same {i}"))).collect();
    entries.push(json_entry(6, "after"));
    let server = LokiServer::start(entries, None).await;
    let limits = Limits { page_lines: 10, ..Limits::default() };
    let page = limited(&server, limits).fetch(&query()).await.unwrap();
    assert_eq!((page.lines.len(), page.complete), (11, false));
    assert_eq!(page.lines[10].message, "after");
}

#[tokio::test]
async fn pages_that_arrived_are_kept_when_a_later_one_fails() {
    let entries: Vec<_> = (0..30).map(|i| json_entry(i, &format!("line {i}"))).collect();
    let fault = Fault::Status { from_request: 2, line: "502 Bad Gateway", body: "" };
    let server = LokiServer::start(entries, Some(fault)).await;
    let limits = Limits { page_lines: 10, ..Limits::default() };
    let page = limited(&server, limits).fetch(&query()).await.unwrap();
    assert_eq!((page.lines.len(), page.complete), (10, false));
}

#[tokio::test]
async fn nothing_configured_and_nothing_to_ask_by() {
    let client = LokiClient::new(LogsConfig::default());
    assert_eq!(client.fetch(&query()).await.unwrap_err(), LogError::NotConfigured);
    assert_eq!((client.server_name(), client.explore_url(&query())), (None, None));
    let server = LokiServer::start(vec![], None).await;
    let nobody = LogQuery { correlation_id: String::new(), ..query() };
    let error = LokiClient::new(grafana(&server)).fetch(&nobody).await.unwrap_err();
    assert!(matches!(error, LogError::Query(_)), "{error}");
    assert_eq!(server.asked().len(), 0, "an empty id never becomes a query for everything");
    let page = LokiClient::new(grafana(&server)).fetch(&query()).await.unwrap();
    assert_eq!((page.lines.len(), page.complete), (0, true), "no lines is an answer");
}

#[tokio::test]
async fn refusals_name_the_setting_and_never_the_secret() {
    let server = LokiServer::start(vec![], None).await;
    for (token, uid, expected) in [
        (Some("glsa_wrong"), UID, "answered 401 Unauthorized: Invalid API key; check GRAFANA_URL"),
        (None, UID, "answered 401 Unauthorized: Invalid API key; check GRAFANA_URL"),
        (Some("glsa_viewer"), UID, "Permissions needed: datasources:query; check"),
        (Some(TOKEN), "other/../uid", "answered 404 Not Found: Data source not found; check GRAFANA_URL"),
    ] {
        let client = LokiClient::new(LogsConfig::grafana(server.url(), token, uid).unwrap());
        let error = client.fetch(&query()).await.unwrap_err();
        let LogError::Refused(text) = &error else { panic!("{error}") };
        assert!(text.contains(expected), "{text}");
        assert!(!error.is_transient());
        assert!(!format!("{client:?} {error} {error:?}").contains("glsa_"), "{client:?} {error}");
    }
    let path = &server.asked()[3].path;
    assert_eq!(path, "/api/datasources/proxy/uid/other%2F..%2Fuid/loki/api/v1/query_range");
}

#[tokio::test]
async fn a_query_that_loki_does_not_parse_is_reported_in_its_words() {
    let server = LokiServer::start(vec![], None).await;
    let template = Template { selector: "{app}={}".into(), ..Template::json() };
    let error = templated(&server, template).fetch(&query()).await.unwrap_err();
    let LogError::Query(text) = &error else { panic!("{error}") };
    assert!(text.contains("answered 400: parse error at line 1, col 6: syntax error"), "{text}");
}

#[tokio::test]
async fn a_short_wait_is_honoured_once() {
    let server =
        LokiServer::start(vec![json_entry(0, "hello")], Some(Fault::Busy { requests: 1, retry_after: Some(0) })).await;
    let page = LokiClient::new(grafana(&server)).fetch(&query()).await.unwrap();
    assert_eq!((page.lines.len(), server.asked().len()), (1, 2));

    for (requests, retry_after, asked) in [(9, Some(0), 2), (9, Some(5), 1), (9, None, 1)] {
        let server = LokiServer::start(vec![], Some(Fault::Busy { requests, retry_after })).await;
        let error = LokiClient::new(grafana(&server)).fetch(&query()).await.unwrap_err();
        let LogError::Limited(text) = &error else { panic!("{error}") };
        assert!(text.contains("answered 429: too many outstanding requests"), "{text}");
        assert_eq!(server.asked().len(), asked, "Retry-After {retry_after:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_answer_is_transient() {
    let status = Fault::Status { from_request: 1, line: "500 Internal Server Error", body: "rpc error: \u{1b}[2Jx" };
    let error = fault_error(status).await;
    assert!(
        error.is_transient() && error.to_string().starts_with("server error (500): Grafana http://127.0.0.1"),
        "{error}"
    );
    assert!(error.to_string().contains("500 Internal Server Error: rpc error: ·[2Jx; ask again"), "{error}");

    let cut = fault_error(Fault::Cut).await;
    assert!(cut.is_transient() && cut.to_string().contains("broke"), "{cut}");

    let limits = Limits { total: Duration::from_millis(500), ..Limits::default() };
    let silent = fetch_error(vec![], Fault::Silent, limits).await;
    assert!(silent.is_transient() && silent.to_string().contains("did not answer within 500ms"), "{silent}");

    let closed = "http://127.0.0.1:1";
    let refused = LokiClient::new(LogsConfig::loki(closed, None, None).unwrap()).fetch(&query()).await.unwrap_err();
    let expected = format!("Grafana Offline: cannot connect to Loki {closed}: Connection refused");
    assert!(refused.is_transient() && refused.to_string().starts_with(&expected), "{refused}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_transient() {
    let server = LokiServer::start(vec![], None).await;
    let address = server.url().replace("http://", "https://");
    let mut config = LogsConfig::loki(&address, None, None).unwrap();
    config.limits.connect = Duration::from_millis(50);
    let error = LokiClient::new(config).fetch(&query()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn answers_that_are_not_logs_are_told_apart() {
    let login = fault_error(Fault::LoginPage).await;
    assert!(matches!(&login, LogError::Refused(text) if text.contains("sent a web page")), "{login}");

    let gzip = fault_error(Fault::Gzip).await;
    assert!(matches!(&gzip, LogError::Malformed(text) if text.contains("compressed (gzip)")), "{gzip}");

    let json = Fault::Status { from_request: 1, line: "200 OK", body: r#"{"status":"success"}"# };
    let other = fault_error(json).await;
    assert!(matches!(&other, LogError::Malformed(text) if text.contains("no data")), "{other}");

    for announced in [true, false] {
        let limits = Limits { max_bytes: 100_000, ..Limits::default() };
        let huge = fetch_error(vec![], Fault::Huge { bytes: 3_000_000, announced }, limits).await;
        assert!(matches!(&huge, LogError::Malformed(text) if text.contains("larger than 100.0 kB")), "{huge}");
    }
}

#[tokio::test]
async fn redirects_never_carry_the_token_away() {
    let home = LokiServer::start(vec![json_entry(0, "moved")], Some(Fault::Redirect("/new".into()))).await;
    let page = LokiClient::new(grafana(&home)).fetch(&query()).await.unwrap();
    assert_eq!(page.lines[0].message, "moved", "within the server a redirect is followed");

    let stranger = LokiServer::start(vec![], None).await;
    let away = LokiServer::start(vec![], Some(Fault::Redirect(format!("{}/login", stranger.url())))).await;
    let error = LokiClient::new(grafana(&away)).fetch(&query()).await.unwrap_err();
    let expected = format!("redirects to {}/login; check GRAFANA_URL", stranger.url());
    assert!(matches!(&error, LogError::Refused(text) if text.contains(&expected)), "{error}");
    assert_eq!(stranger.asked().len(), 0);

    let round = LokiServer::start(vec![], Some(Fault::Redirect("/a?b".into()))).await;
    let error = LokiClient::new(grafana(&round)).fetch(&query()).await.unwrap_err();
    assert!(matches!(error, LogError::Refused(_)), "{error}");
    assert_eq!(round.asked().len(), 6, "a circle of redirects ends");
}

#[test]
fn the_explore_link_holds_the_same_query_and_window() {
    let config = LogsConfig::grafana("https://g.example/sub/", Some("glsa_x"), UID).unwrap();
    let link = LokiClient::new(config).explore_url(&query()).unwrap();
    let (address, panes) = link.split_once("&panes=").unwrap();
    assert_eq!(address, "https://g.example/sub/explore?schemaVersion=1");
    let expected = concat!(
        "%7B%22logs%22%3A%7B%22datasource%22%3A%22loki-uid%22%2C%22queries%22%3A%5B%7B%22refId%22%3A%22A%22%2C",
        "%22expr%22%3A%22%7Benvironment%3D%5C%22production%5C%22%7D+%7C+json+%7C+correlationId%3D%5C%22",
        "moves.550e8400-e29b-41d4-a716-446655440000%5C%22%22%2C%22queryType%22%3A%22range%22%2C",
        "%22datasource%22%3A%7B%22type%22%3A%22loki%22%2C%22uid%22%3A%22loki-uid%22%7D%7D%5D%2C",
        "%22range%22%3A%7B%22from%22%3A%221799999995000%22%2C%22to%22%3A%221800000007000%22%7D%7D%7D",
    );
    assert_eq!(panes, expected);
    assert!(!link.contains("glsa_"));
    let loki = LokiClient::new(LogsConfig::loki("http://l.example", None, None).unwrap());
    assert_eq!(loki.explore_url(&query()), None);
}

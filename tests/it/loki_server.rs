//! A log server on loopback that answers `query_range` as Grafana's proxy and as Loki do, and keeps what it was asked.
#![expect(clippy::unwrap_used, reason = "a test ends where its server fails")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

pub(crate) const TOKEN: &str = "glsa_right";
pub(crate) const UID: &str = "loki-uid";

/// How the server misbehaves. Most faults depend on the request instead: token, data source, user, query.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// 429 for the first requests, with this `Retry-After`.
    Busy { requests: usize, retry_after: Option<u32> },
    /// A status with a body, from the n-th request on.
    Status { from_request: usize, line: &'static str, body: &'static str },
    /// Takes the request and never answers.
    Silent,
    /// Closes the connection within the body.
    Cut,
    /// The page for signing in, with status 200.
    LoginPage,
    /// A body of this many bytes, announced or in chunks.
    Huge { bytes: usize, announced: bool },
    /// A compressed body though nobody asked for one.
    Gzip,
    /// A redirect to this address; a path is followed by the normal answer.
    Redirect(String),
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) params: BTreeMap<String, String>,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// One stored line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at_ns: i64,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) line: String,
}

pub(crate) struct LokiServer {
    address: String,
    asked: Arc<Mutex<Vec<Request>>>,
    task: AbortHandle,
}

impl Drop for LokiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LokiServer {
    pub(crate) async fn start(entries: Vec<Entry>, fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, shared) = (Arc::clone(&asked), Arc::new((entries, fault)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&shared)));
            }
        });
        Self { address, asked, task: task.abort_handle() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

type Shared = Arc<(Vec<Entry>, Option<Fault>)>;

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<Request>>>, shared: Shared) {
    let Some(request) = read(&mut stream).await else { return };
    let number = {
        let mut asked = asked.lock().unwrap();
        asked.push(request.clone());
        asked.len()
    };
    let (entries, fault) = &*shared;
    let normal = || answer(&request, entries);
    let reply = match fault {
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::Busy { requests, retry_after }) if number <= *requests => {
            let after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
            full(
                "429 Too Many Requests",
                &format!("{after}Content-Type: text/plain\r\n"),
                b"too many outstanding requests",
            )
        }
        Some(Fault::Status { from_request, line, body }) if number >= *from_request => full(line, "", body.as_bytes()),
        Some(Fault::Cut) => {
            let mut reply = normal();
            reply.truncate(reply.len() - 20);
            reply
        }
        Some(Fault::LoginPage) => {
            let page = b"<!DOCTYPE html><html><head><title>Grafana</title></head><body>sign in</body></html>";
            full("200 OK", "Content-Type: text/html; charset=UTF-8\r\n", page)
        }
        Some(Fault::Huge { bytes, announced: true }) => full("200 OK", JSON, &vec![b' '; *bytes]),
        Some(Fault::Huge { bytes, announced: false }) => {
            let mut reply = format!("HTTP/1.1 200 OK\r\n{JSON}Connection: close\r\n\r\n").into_bytes();
            reply.resize(reply.len() + bytes, b' ');
            reply
        }
        Some(Fault::Gzip) => {
            let mut body = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            body.write_all(b"{}").unwrap();
            full("200 OK", &format!("{JSON}Content-Encoding: gzip\r\n"), &body.finish().unwrap())
        }
        Some(Fault::Redirect(to)) if request.path != *to => {
            full("302 Found", &format!("Location: {to}\r\n"), b"<a href=\"/login\">Found</a>.")
        }
        Some(Fault::Redirect(_)) => ok(entries),
        _ => normal(),
    };
    // The client may have gone, as after an answer that is too large.
    let _ = stream.write_all(&reply).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (decoded(name), decoded(value)));
    let params = query.split('&').filter_map(pair).collect();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Request { method, path: path.to_owned(), params, headers: lines.filter_map(header).collect() })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

const JSON: &str = "Content-Type: application/json\r\n";

fn full(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json_error(status: &str, body: &Value) -> Vec<u8> {
    full(status, JSON, body.to_string().as_bytes())
}

fn answer(request: &Request, entries: &[Entry]) -> Vec<u8> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    if let Some(rest) = request.path.strip_prefix("/api/datasources/proxy/uid/") {
        match header("authorization") {
            Some("Bearer glsa_right") => {}
            Some("Bearer glsa_viewer") => {
                let message = "You'll need additional permissions to perform this action. \
                               Permissions needed: datasources:query";
                let body = json!({"accessErrorId": "ACE1", "message": message, "title": "Access denied"});
                return json_error("403 Forbidden", &body);
            }
            _ => {
                let body = json!({"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401});
                return json_error("401 Unauthorized", &body);
            }
        }
        if rest != format!("{UID}/loki/api/v1/query_range") {
            return json_error("404 Not Found", &json!({"message": "Data source not found", "traceID": ""}));
        }
    } else if request.path != "/loki/api/v1/query_range" {
        return full("404 Not Found", "Content-Type: text/plain\r\n", b"404 page not found\n");
    } else if header("x-scope-orgid").is_none() && header("authorization").is_none() {
        return full("401 Unauthorized", "Content-Type: text/plain\r\n", b"no org id\n");
    }
    let Some(conditions) = conditions(&request.params["query"]) else {
        let text = b"parse error at line 1, col 6: syntax error: unexpected }, expecting = or =~ or != or !~";
        return full("400 Bad Request", "Content-Type: text/plain; charset=utf-8\r\n", text);
    };
    let number = |name: &str| request.params[name].parse::<i64>().unwrap();
    let (start, end, limit) = (number("start"), number("end"), usize::try_from(number("limit")).unwrap());
    assert_eq!(request.params["direction"], "forward");
    let meets = |entry: &Entry| {
        let fields: Value = serde_json::from_str(&entry.line).unwrap_or_default();
        conditions.iter().all(|(name, value)| {
            let label = entry.labels.get(name).map(String::as_str);
            label.or_else(|| fields.get(name).and_then(Value::as_str)) == Some(value)
        })
    };
    let mut found: Vec<Entry> =
        entries.iter().filter(|e| (start..end).contains(&e.at_ns) && meets(e)).cloned().collect();
    found.sort_by_key(|entry| entry.at_ns);
    found.truncate(limit);
    ok(&found)
}

/// One stream for each set of labels, as Loki groups them.
fn ok(entries: &[Entry]) -> Vec<u8> {
    let mut streams: BTreeMap<&BTreeMap<String, String>, Vec<Value>> = BTreeMap::new();
    for entry in entries {
        streams.entry(&entry.labels).or_default().push(json!([entry.at_ns.to_string(), entry.line]));
    }
    let result: Vec<_> =
        streams.into_iter().map(|(labels, values)| json!({"stream": labels, "values": values})).collect();
    let stats = json!({"summary": {"bytesProcessedPerSecond": 0, "execTime": 0.001}});
    let body =
        json!({"status": "success", "data": {"resultType": "streams", "result": result, "stats": stats}}).to_string();
    full("200 OK", JSON, body.as_bytes())
}

/// The equalities of a query: those of the selector and those of the stages after `json`. `None`: it does not parse.
fn conditions(query: &str) -> Option<Vec<(String, String)>> {
    let (mut all, mut rest) = (Vec::new(), query.strip_prefix('{')?);
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            rest = after;
            break;
        }
        let (condition, after) = equality(rest)?;
        all.push(condition);
        rest = after;
    }
    while !rest.is_empty() {
        rest = rest.strip_prefix(" | ")?;
        if let Some(after) = rest.strip_prefix("json") {
            rest = after;
        } else {
            let (condition, after) = equality(rest)?;
            all.push(condition);
            rest = after;
        }
    }
    (!all.is_empty()).then_some(all)
}

fn equality(text: &str) -> Option<((String, String), &str)> {
    let (name, rest) = text.split_once("=\"")?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(())?;
    let mut value = String::new();
    let mut chars = rest.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some(((name.to_owned(), value), &rest[i + 1..])),
            '\\' => match chars.next()?.1 {
                'u' => {
                    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    value.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}

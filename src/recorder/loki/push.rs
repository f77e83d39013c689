//! The thread that pushes lines to Loki, and its one request. The only file of the recorder that speaks HTTP.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::{BATCH_BYTES, BATCH_LINES, Entry, Loki, Pusher, Queue};
use crate::model::host::is_local;
use crate::model::redact::Masker;
use crate::recorder::flush::{LEAST_DELAY, STOP_DELAY, delay};
use crate::recorder::loss::Reason;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is obeyed.
const MOST_DELAY: Duration = Duration::from_secs(30);
/// How much of an answer is quoted.
const ANSWER_BYTES: usize = 300;

/// Why a batch was not taken.
enum Fault {
    /// The same batch will do later; perhaps the server said when.
    Passing(String, Option<Duration>),
    /// The server refuses a line of the batch.
    Line(String),
    /// The settings can never work.
    Settings(String),
    /// The time of a shutdown is over.
    OutOfTime,
}

/// Starts the thread.
pub(super) fn spawn(pusher: &Arc<Pusher>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pusher = Arc::clone(pusher);
    let name = "obs-recorder-log".to_owned();
    std::thread::Builder::new().name(name).spawn(move || run(&pusher, &runtime))?;
    Ok(())
}

fn run(pusher: &Pusher, runtime: &Runtime) {
    let mut client = None;
    while let Some(batch) = next(pusher) {
        let bytes: usize = batch.iter().map(Entry::bytes).sum();
        deliver(pusher, runtime, &mut client, batch);
        pusher.lock().bytes -= bytes;
    }
    let rest = {
        let mut queue = pusher.lock();
        queue.bytes = 0;
        std::mem::take(&mut queue.entries)
    };
    lose(pusher, Reason::ShutDown, rest.len());
    pusher.lock().stopped = true;
    pusher.settled.notify_all();
}

/// The next batch, when it is due; none when it is time to stop.
fn next(pusher: &Pusher) -> Option<Vec<Entry>> {
    let mut queue = pusher.lock();
    loop {
        let now = pusher.shared.timer.elapsed();
        if queue.stop_at.is_some_and(|at| now >= at || queue.entries.is_empty()) {
            return None;
        }
        let due = queue.opened + pusher.shared.options.flush_interval;
        let at_once = queue.stop_at.is_some() || queue.taken < queue.flush_to;
        queue = if queue.entries.is_empty() {
            pusher.wake.wait(queue).unwrap_or_else(PoisonError::into_inner)
        } else if at_once || queue.entries.len() >= BATCH_LINES || now >= due {
            return Some(take(&mut queue, now));
        } else {
            pusher.wake.wait_timeout(queue, due - now).unwrap_or_else(PoisonError::into_inner).0
        };
    }
}

fn take(queue: &mut Queue, now: Duration) -> Vec<Entry> {
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.line.len();
        bytes <= BATCH_BYTES
    };
    let lines = queue.entries.iter().take(BATCH_LINES).take_while(fits).count().max(1);
    let batch: Vec<Entry> = queue.entries.drain(..lines.min(queue.entries.len())).collect();
    queue.taken += batch.len() as u64;
    queue.opened = now;
    batch
}

/// Sends a batch, however often it takes, while there is time: until every line is written or counted as lost.
fn deliver(pusher: &Pusher, runtime: &Runtime, client: &mut Option<Client>, batch: Vec<Entry>) {
    let mut pending = vec![batch];
    let mut failures = 0;
    while let Some(mut batch) = pending.pop() {
        let attempt = AssertUnwindSafe(|| runtime.block_on(attempt(pusher, client, &batch)));
        let fault = match catch_unwind(attempt) {
            Ok(Ok(())) => {
                failures = 0;
                let lines = batch.len() as u64;
                let mut queue = pusher.lock();
                queue.written += lines;
                queue.held -= lines;
                drop(queue);
                pusher.settled.notify_all();
                continue;
            }
            Ok(Err(fault)) => fault,
            Err(_) => {
                lose(pusher, Reason::Internal, batch.len());
                continue;
            }
        };
        match fault {
            Fault::Line(message) => {
                tell(pusher, message);
                let second = batch.split_off(batch.len() / 2);
                if batch.is_empty() {
                    lose(pusher, Reason::Refused, second.len());
                } else {
                    pending.extend([second, batch]);
                }
            }
            Fault::Settings(message) => {
                tell(pusher, message);
                lose(pusher, Reason::NotConfigured, batch.len());
            }
            Fault::Passing(message, asked) => {
                tell(pusher, message);
                pending.push(batch);
                failures += 1;
                if !pause(pusher, failures, asked) {
                    break;
                }
            }
            Fault::OutOfTime => {
                pending.push(batch);
                break;
            }
        }
    }
    for batch in pending {
        lose(pusher, Reason::ShutDown, batch.len());
    }
}

fn tell(pusher: &Pusher, message: String) {
    pusher.lock().last_error = Some(message);
}

/// Counts lines that were held.
fn lose(pusher: &Pusher, reason: Reason, lines: usize) {
    // First the loss, so that no line is ever in neither count.
    pusher.lose(reason, lines as u64);
    pusher.lock().held -= lines as u64;
    pusher.settled.notify_all();
}

/// Waits before the next attempt. False when there is no time left.
fn pause(pusher: &Pusher, failures: u32, asked: Option<Duration>) -> bool {
    let timer = &pusher.shared.timer;
    let mut queue = pusher.lock();
    let (failed_at, asks, was_to_stop) = (timer.elapsed(), queue.asks, queue.stop_at.is_some());
    let (base, failures) = if was_to_stop { (STOP_DELAY, 0) } else { (pusher.shared.options.retry_delay, failures) };
    let own = delay(base, failures, fastrand::f64());
    let mut due = failed_at + asked.map_or(own, |asked| asked.min(MOST_DELAY));
    loop {
        let now = timer.elapsed();
        if queue.stop_at.is_some_and(|at| now >= at) {
            return false;
        }
        // Whoever asks for a flush or for the end gets an attempt at once; a flush not before the server wants it.
        if queue.asks != asks && (asked.is_none() || !was_to_stop && queue.stop_at.is_some()) {
            due = due.min(failed_at + LEAST_DELAY);
        }
        if now >= due {
            return true;
        }
        let until = queue.stop_at.map_or(due, |at| at.min(due));
        queue = pusher.wake.wait_timeout(queue, until - now).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// One attempt, broken off when the time of a shutdown is over.
async fn attempt(pusher: &Pusher, client: &mut Option<Client>, batch: &[Entry]) -> Result<(), Fault> {
    tokio::select! {
        outcome = send(pusher, client, batch) => outcome,
        () = expiry(pusher) => Err(Fault::OutOfTime),
    }
}

async fn send(pusher: &Pusher, client: &mut Option<Client>, batch: &[Entry]) -> Result<(), Fault> {
    let loki = &pusher.loki;
    let url = address(loki)?;
    let http = match client {
        Some(http) => http,
        None => client.insert(connect(&url)?),
    };
    let mut request = http.post(url).json(&body(loki, batch, &pusher.shared.options.redact));
    if let Some((user, password)) = &loki.login {
        request = request.basic_auth(user, Some(password.reveal()));
    }
    if let Some(tenant) = &loki.tenant {
        request = request.header("X-Scope-OrgID", tenant);
    }
    let passing = |message: String| Fault::Passing(message, None);
    let sent = timeout(REQUEST_TIMEOUT, request.send()).await;
    let response =
        sent.map_err(|_| passing("Loki did not answer in time; lines wait".to_owned()))?.map_err(|error| {
            let cause = error.source().map_or_else(|| error.to_string(), innermost);
            passing(format!("Loki is out of reach: {cause}; check LOKI_URL, lines wait"))
        })?;
    judge(response).await
}

async fn judge(mut response: Response) -> Result<(), Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.trim().parse().ok());
    let answer = timeout(REQUEST_TIMEOUT, response.chunk()).await.ok().and_then(Result::ok).flatten();
    let answer = String::from_utf8_lossy(answer.as_deref().unwrap_or_default()).into_owned();
    let quoted = answer.trim().get(..answer.trim().floor_char_boundary(ANSWER_BYTES)).unwrap_or_default();
    let message = |advice: &str| format!("Loki answered {status}: {quoted}; {advice}");
    Err(match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Fault::Line(message("the lines at fault are dropped"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Fault::Passing(message("check LOKI_USERNAME, LOKI_PASSWORD and LOKI_ORG_ID, lines wait"), None)
        }
        StatusCode::TOO_MANY_REQUESTS => Fault::Passing(message("lines wait"), after.map(Duration::from_secs)),
        _ if status.is_server_error() => Fault::Passing(message("lines wait"), after.map(Duration::from_secs)),
        _ => Fault::Passing(message("check LOKI_URL, lines wait"), None),
    })
}

fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn address(loki: &Loki) -> Result<Url, Fault> {
    let wrong = || {
        let text =
            "LOKI_URL is no address such as http://loki:3100, without user, password and parameters; set it right";
        Fault::Settings(text.to_owned())
    };
    let url = Url::parse(&format!("{}/loki/api/v1/push", loki.url)).map_err(|_| wrong())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare || !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    if url.scheme() == "http" && loki.login.is_some() && !loki.allow_http && !url.host_str().is_some_and(is_local) {
        let text = "LOKI_URL is http, so that LOKI_PASSWORD would cross the network unencrypted: lines are not sent. Use \
                    https, or allow it with LOKI_ALLOW_HTTP=1";
        return Err(Fault::Settings(text.to_owned()));
    }
    Ok(url)
}

fn connect(url: &Url) -> Result<Client, Fault> {
    // An error means that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("obs-tui/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none());
    // The server of this machine is not behind a proxy; without TLS no certificates are needed.
    let local = url.host_str().is_some_and(is_local);
    let builder = if local { builder.no_proxy() } else { builder };
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| Fault::Passing(format!("the HTTP client does not start: {error}"), None))
}

/// The push request: one stream for each function and level.
fn body(loki: &Loki, batch: &[Entry], masker: &Masker) -> Value {
    let mut streams: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for entry in batch {
        let values = streams.entry((&entry.function, entry.level)).or_default();
        values.push(json!([entry.at_ns.to_string(), masker.text(&entry.line).0]));
    }
    let streams: Vec<Value> = streams
        .into_iter()
        .map(|((function, level), values)| {
            let mut labels: Map<String, Value> = Map::new();
            if loki.labels.is_empty() {
                labels.insert("environment".to_owned(), "production".into());
            }
            labels.extend(loki.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
            labels.extend([("function".to_owned(), function.into()), ("level".to_owned(), level.into())]);
            json!({ "stream": labels, "values": values })
        })
        .collect();
    json!({ "streams": streams })
}

/// Ends when the time of a shutdown is over.
async fn expiry(pusher: &Pusher) {
    loop {
        let stop_at = pusher.lock().stop_at;
        match stop_at {
            None => pusher.interrupt.notified().await,
            Some(at) => return sleep(at.saturating_sub(pusher.shared.timer.elapsed())).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_secrets_in_them_are_used_and_http_only_where_nothing_is_overheard() {
        let login = |url: &str| Loki::new(url).login("u", "hunter2");
        for (loki, wrong) in [
            (Loki::new("http://loki:3100"), None),
            (login("https://loki:3100/prefix/"), None),
            (login("http://127.0.0.1:3100"), None),
            (login("http://[::1]:3100"), None),
            (login("http://loki:3100").allow_http(), None),
            (login("http://loki:3100"), Some("LOKI_ALLOW_HTTP=1")),
            (login("http://loki.localhost:3100"), Some("LOKI_ALLOW_HTTP=1")),
            (Loki::new("http://u:hunter2@loki:3100"), Some("without user, password")),
            (Loki::new("https://loki:3100?token=hunter2"), Some("without user, password")),
            (Loki::new("https://loki:3100/#hunter2"), Some("without user, password")),
            (Loki::new("ftp://loki"), Some("no address")),
        ] {
            let shown = format!("{loki:?}");
            let said = match address(&loki) {
                Ok(_) => None,
                Err(Fault::Settings(text)) => Some(text),
                Err(_) => Some("another fault".to_owned()),
            };
            let fits = said.as_ref().map(|text| wrong.is_some_and(|wrong| text.contains(wrong)));
            assert_eq!(fits, wrong.map(|_| true), "{shown} {said:?}");
            assert!(!format!("{shown}{said:?}").contains("hunter2"), "{shown} {said:?}");
        }
    }
}

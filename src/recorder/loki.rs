//! Log lines pushed to Loki: a bounded queue, and a thread that is started by the first line.
//!
//! It is apart from the records of the database: a log server that is slow or out of reach holds up nothing else.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::recorder::context::JobContext;
use crate::recorder::log::Line;
use crate::recorder::loss::{Class, Reason};
use crate::recorder::options::is_true;
use crate::recorder::shared::Shared;
use crate::store::config::Secret;

mod push;

/// Lines in a request.
const BATCH_LINES: usize = 1000;
/// Bytes of the lines in a request.
const BATCH_BYTES: usize = 1 << 20;

/// The Loki server to which log lines are pushed. Labels are few: those given here, `function` and `level`; the ids are
/// in the line, `correlationId` and `scopeId` (the job), as the explorer looks for them.
#[derive(Clone, PartialEq, Eq)]
pub struct Loki {
    url: String,
    labels: Vec<(String, String)>,
    login: Option<(String, Secret)>,
    tenant: Option<String>,
    allow_http: bool,
}

impl Loki {
    /// A server, `https://loki:3100`. The only label is `environment="production"`, until another one is given.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let url = url.trim().trim_end_matches('/').to_owned();
        Self { url, labels: Vec::new(), login: None, tenant: None, allow_http: false }
    }

    /// A label of every line. Each different set of values costs the server a stream: give few, and no ids.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// User and password of basic authentication.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), Secret::new(password.to_owned())));
        self
    }

    /// Sends the password over `http` to another machine, too. Without this, lines for such a server are counted as lost.
    #[must_use]
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// The tenant, sent as `X-Scope-OrgID`.
    #[must_use]
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Reads `LOKI_URL`, `LOKI_USERNAME`, `LOKI_PASSWORD`, `LOKI_ORG_ID`, `LOKI_LABELS` (`environment=staging,team=moves`)
    /// and `LOKI_ALLOW_HTTP`.
    pub(super) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let given = |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut loki = Self::new(&given("LOKI_URL")?);
        if let Some(user) = given("LOKI_USERNAME") {
            loki = loki.login(&user, &lookup("LOKI_PASSWORD").unwrap_or_default());
        }
        loki.tenant = given("LOKI_ORG_ID");
        loki.allow_http = given("LOKI_ALLOW_HTTP").is_some_and(|text| is_true(&text));
        let labels = given("LOKI_LABELS").unwrap_or_default();
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        Some(pairs.fold(loki, |loki, (name, value)| loki.label(name.trim(), value.trim())))
    }
}

impl fmt::Debug for Loki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may hold a password or a token by mistake.
        let url = self.url.rsplit_once('@').map_or(self.url.as_str(), |(_, host)| host);
        let url = url.split(['?', '#']).next();
        let user = self.login.as_ref().map(|(user, _)| user);
        f.debug_struct("Loki")
            .field("url", &url)
            .field("labels", &self.labels)
            .field("user", &user)
            .finish_non_exhaustive()
    }
}

/// A line that waits.
struct Entry {
    at_ns: i64,
    level: &'static str,
    function: Arc<str>,
    /// JSON text.
    line: Box<str>,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.line.len()
    }
}

/// The JSON of a line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    level: &'static str,
    message: &'a str,
    service: &'a str,
    correlation_id: &'a str,
    scope_id: Uuid,
    invocation_id: Uuid,
    job_name: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a RawValue>,
}

impl Entry {
    fn new(job: &JobContext, line: &Line) -> Self {
        let body = Body {
            level: line.level,
            message: &line.message,
            service: job.function(),
            correlation_id: job.correlation_id(),
            scope_id: job.id(),
            invocation_id: job.invocation_id(),
            job_name: job.name(),
            source: &line.source,
            fields: line.fields.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        };
        Self {
            at_ns: line.at.timestamp_nanos_opt().unwrap_or(0),
            level: line.level,
            function: job.function().into(),
            // Texts and numbers only: it cannot fail.
            line: serde_json::to_string(&body).unwrap_or_default().into(),
        }
    }
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Of the entries, and of those that are being sent.
    bytes: usize,
    /// Entries here and on the way.
    held: u64,
    accepted: u64,
    taken: u64,
    written: u64,
    /// When the first entry came.
    opened: Duration,
    /// Everything accepted up to here is to be sent at once.
    flush_to: u64,
    /// How often somebody has asked for an attempt at once.
    asks: u64,
    stop_at: Option<Duration>,
    started: bool,
    stopped: bool,
    last_error: Option<String>,
}

/// What the callers and the thread share.
pub(super) struct Pusher {
    loki: Loki,
    /// Bytes that may wait.
    limit: usize,
    shared: Arc<Shared>,
    queue: Mutex<Queue>,
    wake: Condvar,
    settled: Condvar,
    interrupt: Notify,
}

/// The lines in numbers.
pub(super) struct Counts {
    pub(super) written: u64,
    pub(super) held: u64,
    pub(super) bytes: usize,
    pub(super) last_error: Option<String>,
}

impl Pusher {
    pub(super) fn new(loki: Loki, limit: usize, shared: Arc<Shared>) -> Self {
        let (queue, wake, settled, interrupt) = Default::default();
        Self { loki, limit, shared, queue, wake, settled, interrupt }
    }

    /// Takes a line, or counts it as lost.
    pub(super) fn push(self: &Arc<Self>, job: &JobContext, line: &Line) {
        let entry = Entry::new(job, line);
        let mut queue = self.lock();
        let (bytes, stopping) = (entry.bytes(), queue.stop_at.is_some());
        if stopping || queue.bytes + bytes > self.limit {
            drop(queue);
            return self.lose(if stopping { Reason::ShutDown } else { Reason::BufferFull }, 1);
        }
        if queue.entries.is_empty() {
            queue.opened = self.shared.timer.elapsed();
        }
        queue.entries.push_back(entry);
        queue.bytes += bytes;
        queue.held += 1;
        queue.accepted += 1;
        let start = !std::mem::replace(&mut queue.started, true);
        let wake = matches!(queue.entries.len(), 1 | BATCH_LINES);
        drop(queue);
        if start && let Err(error) = push::spawn(self) {
            // The next line tries again.
            let mut queue = self.lock();
            queue.started = false;
            queue.last_error = Some(format!("the thread that pushes to Loki did not start: {error}"));
        }
        if wake {
            self.wake.notify_all();
        }
    }

    /// Everything is to be sent now; the mark to wait for.
    pub(super) fn flush(&self) -> u64 {
        let mut queue = self.lock();
        queue.flush_to = queue.accepted;
        queue.asks += 1;
        self.wake.notify_all();
        queue.accepted
    }

    /// Waits until everything up to a mark is sent or lost.
    pub(super) fn wait(&self, mark: u64, time: Duration) -> bool {
        let unsettled = |queue: &mut Queue| queue.accepted - queue.held < mark;
        let waited = self.settled.wait_timeout_while(self.lock(), time, unsettled);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// No more lines; what waits may be sent until this time.
    pub(super) fn stop(&self, at: Duration) {
        let mut queue = self.lock();
        queue.stop_at = Some(queue.stop_at.map_or(at, |earlier| earlier.min(at)));
        queue.asks += 1;
        self.wake.notify_all();
        self.interrupt.notify_one();
    }

    pub(super) fn wait_stopped(&self, time: Duration) {
        let queue = self.lock();
        if queue.started {
            // Out of time, the thread is left to itself: it ends soon.
            drop(self.settled.wait_timeout_while(queue, time, |queue| !queue.stopped));
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let queue = self.lock();
        Counts { written: queue.written, held: queue.held, bytes: queue.bytes, last_error: queue.last_error.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts lines that were never held, with the losses of the recorder.
    fn lose(&self, reason: Reason, lines: u64) {
        let mut state = self.shared.lock();
        state.losses.add(Class::Log, reason, lines);
        self.shared.notify_soon(&mut state);
    }
}

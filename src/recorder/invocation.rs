//! The guard of an invocation.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::panicking;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::model::correlation::{mint, trace};
use crate::recorder::Recorder;
use crate::recorder::arena::Rank;
use crate::recorder::counts::Counts;
use crate::recorder::event::Event;
use crate::recorder::failure::Failure;
use crate::recorder::frame::Frame;
use crate::recorder::inbound::{Chain, Inbound, Payload, Trace};
use crate::recorder::record::Record;
use crate::store::write::{ErrorText, InvocationRow, Source};

/// What is known about an invocation before it starts. Made by [`Recorder::invocation`].
#[derive(Debug)]
#[must_use = "nothing is recorded before `start`"]
pub struct InvocationBuilder {
    recorder: Recorder,
    function: Arc<str>,
    source: Box<Source<'static>>,
    /// What was said explicitly.
    given: Inbound,
    headers: Inbound,
}

impl InvocationBuilder {
    pub(super) fn new(recorder: Recorder, function: &str) -> Self {
        let (given, headers) = (Inbound::default(), Inbound::default());
        Self { recorder, function: function.into(), source: Box::default(), given, headers }
    }

    /// The system that sent the event: `hasura`, `supabase`, …
    pub fn system(mut self, system: &str) -> Self {
        self.source.system = Some(system.to_owned().into());
        self
    }

    /// The table that changed, `schema.table`.
    pub fn table(mut self, table: &str) -> Self {
        self.source.table = Some(table.to_owned().into());
        self
    }

    /// What happened to it: INSERT, UPDATE, DELETE, MANUAL or a word of your own.
    pub fn operation(mut self, operation: &str) -> Self {
        self.source.operation = Some(operation.to_owned().into());
        self
    }

    /// The kind of trigger: database, webhook, cron, action, application, queue, manual.
    pub fn source_type(mut self, kind: &str) -> Self {
        self.source.kind = Some(kind.to_owned().into());
        self
    }

    /// Who caused the event.
    pub fn user_email(mut self, email: &str) -> Self {
        self.source.user_email = Some(email.to_owned().into());
        self
    }

    /// The role in which they did.
    pub fn user_role(mut self, role: &str) -> Self {
        self.source.user_role = Some(role.to_owned().into());
        self
    }

    /// The event as it came in: anything `Serialize`, also a [`serde_json::value::RawValue`].
    ///
    /// A database event of Hasura describes itself: its table, operation, id, time, user and role are taken from it
    /// unless they are given; and so is the chain, from `updated_by` of the new row, the session variables
    /// `x-hasura-correlation-id` and `x-hasura-source-job-id`, `__sourceJobId`, or the trace context. What is larger
    /// than `max_json_bytes` is not read.
    pub fn payload<T: Serialize + ?Sized>(mut self, payload: &T) -> Self {
        if self.recorder.is_enabled() {
            self.source.payload = Some(self.recorder.json(payload).into_string().into());
        }
        self
    }

    /// Free context, anything `Serialize`.
    pub fn context<T: Serialize + ?Sized>(mut self, context: &T) -> Self {
        if self.recorder.is_enabled() {
            self.source.context = Some(self.recorder.json(context).into_string().into());
        }
        self
    }

    /// The chain that this invocation belongs to. Without one it starts a chain of its own, `{system}.{id}`.
    pub fn correlation_id(mut self, correlation: &str) -> Self {
        self.given.chain = Some(Chain::new(correlation));
        self
    }

    /// The chain and the job that caused this invocation, from the token that the job left in `updated_by`. Text that
    /// is no token, such as a plain e-mail address, changes nothing.
    pub fn from_token(mut self, text: &str) -> Self {
        self.given = Inbound::from_token(text).or(self.given);
        self
    }

    /// The chain and the job that caused this invocation, from the headers of the request: `x-correlation-id`,
    /// `x-source-job-id` and `traceparent`, in any case. All other headers are ignored. They go before what a payload
    /// says, and after what is given explicitly.
    ///
    /// ```
    /// # let recorder = obs_tui::Recorder::disabled();
    /// let request = [("content-type", "application/json"), ("X-Correlation-Id", "checkout-17")];
    /// let invocation = recorder.invocation("orders").headers(request).start();
    /// assert_eq!(invocation.correlation_id(), "checkout-17");
    /// ```
    pub fn headers<N: AsRef<str>, V: AsRef<[u8]>>(mut self, headers: impl IntoIterator<Item = (N, V)>) -> Self {
        let headers: Vec<(N, V)> = headers.into_iter().collect();
        let found = Inbound::from_headers(headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        self.headers = found.or(self.headers);
        self
    }

    /// The job that caused this invocation.
    pub fn source_job(mut self, job: Uuid) -> Self {
        self.given.job = Some(job);
        self
    }

    /// The id of the event in the system that sent it.
    pub fn source_event_id(mut self, id: Uuid) -> Self {
        self.source.event_id = Some(id);
        self
    }

    /// The time of the event in the system that sent it.
    pub fn source_event_time(mut self, time: DateTime<Utc>) -> Self {
        self.source.event_time = Some(time);
        self
    }

    /// The directory from which the event modules were loaded.
    pub fn modules_directory(mut self, directory: &str) -> Self {
        self.source.auto_load_modules = Some(true);
        self.source.modules_directory = Some(directory.to_owned().into());
        self
    }

    /// Records the start, and starts the clock.
    pub fn start(mut self) -> Invocation {
        let payload = self.source.payload.as_deref().map(Payload::read).unwrap_or_default();
        self.describe(&payload);
        let inbound = self.given.or(self.headers).or(payload.inbound);
        self.source.job_id = inbound.job;
        let options = self.recorder.options();
        if !options.capture_payload {
            self.source.payload = None;
        }
        let id = options.ids.next();
        let minted = || Chain::new(&mint(self.source.system.as_deref().unwrap_or(&self.function), id));
        let chain = inbound.chain.unwrap_or_else(minted);
        let origin = chain.origin.or_else(|| self.source.user_email.as_deref().map(str::to_owned)).or(inbound.person);
        let scope = Scope {
            id,
            created_at: options.clock.now(),
            started: options.clock.elapsed(),
            trace: inbound.trace.unwrap_or_else(|| {
                let id = trace(&chain.correlation).unwrap_or(id.as_u128());
                Trace { id, sampled: true }
            }),
            correlation: chain.correlation.into(),
            origin: origin.map_or_else(|| Arc::clone(&self.function), Into::into),
            function: self.function,
            hop: chain.hop,
            detected: AtomicI32::new(0),
            counts: Counts::default(),
            recorded: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            end: OnceLock::new(),
            recorder: self.recorder,
        };
        let row = InvocationRow { source: Some(self.source), ..scope.row() };
        scope.recorded.store(scope.recorder.push(Record::Invocation(row)), Ordering::Release);
        Invocation { scope: Arc::new(scope) }
    }

    /// Fills in what the payload says of itself.
    fn describe(&mut self, payload: &Payload) {
        fn fill(column: &mut Option<Cow<'static, str>>, text: Option<&String>) {
            if column.is_none() {
                *column = text.map(|text| text.clone().into());
            }
        }
        let source = &mut self.source;
        fill(&mut source.table, payload.table.as_ref());
        fill(&mut source.operation, payload.operation.as_ref());
        source.event_id = source.event_id.or(payload.event_id);
        source.event_time = source.event_time.or(payload.event_time);
        // Persons are named by a payload that may be stored only.
        if self.recorder.options().capture_payload {
            fill(&mut source.user_email, payload.user_email.as_ref());
            fill(&mut source.user_role, payload.user_role.as_ref());
        }
    }
}

/// An invocation that runs. End it with [`Invocation::finish`] or [`Invocation::fail`]; dropped before that it is
/// recorded as failed: `panicked` while the thread panics, else `cancelled`.
#[derive(Debug)]
#[must_use = "dropped at once it is recorded as cancelled"]
pub struct Invocation {
    scope: Arc<Scope>,
}

impl Invocation {
    /// The id of its row.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.scope.id
    }

    /// The chain it belongs to: put it into headers and log lines.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.scope.correlation
    }

    /// Starts to look whether an event took place.
    pub fn event(&self, name: &str) -> Event {
        Event::start(Arc::clone(&self.scope), name, None)
    }

    /// Like [`Invocation::event`], with the place of the event's module, such as `events/move.cancelled.rs`.
    pub fn event_of_module(&self, name: &str, path: &str) -> Event {
        Event::start(Arc::clone(&self.scope), name, Some(path))
    }

    pub(super) fn scope(&self) -> Arc<Scope> {
        Arc::clone(&self.scope)
    }

    /// It went through. Failed jobs do not change that: they are counted on its row.
    pub fn finish(self) {
        self.scope.end("completed", None);
    }

    /// It failed, for this reason.
    pub fn fail<K>(self, error: &(impl Failure<K> + ?Sized)) {
        self.scope.end("failed", Some(self.scope.recorder.error(error)));
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        if self.scope.end.get().is_none() {
            self.scope.end("failed", Some(unfinished()));
        }
    }
}

/// Why a guard that was dropped has failed.
pub(super) fn unfinished() -> ErrorText<'static> {
    ErrorText { message: if panicking() { "panicked" } else { "cancelled" }.into(), stack: None }
}

/// What an invocation shares with its events and jobs, which may outlive its guard.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) recorder: Recorder,
    pub(super) id: Uuid,
    pub(super) correlation: Arc<str>,
    /// Who acted first, for tokens.
    pub(super) origin: Arc<str>,
    pub(super) hop: Option<u32>,
    /// The trace that it belongs to.
    pub(super) trace: Trace,
    pub(super) function: Arc<str>,
    /// Events that were detected.
    pub(super) detected: AtomicI32,
    /// The jobs of the events that have ended, and later ones.
    pub(super) counts: Counts,
    created_at: DateTime<Utc>,
    started: Duration,
    /// Whether some record of it has been accepted.
    recorded: AtomicBool,
    /// Whether its end has: later records only count jobs anew.
    ended: AtomicBool,
    end: OnceLock<End>,
}

#[derive(Debug)]
struct End {
    status: &'static str,
    duration: i32,
    error: Option<ErrorText<'static>>,
}

impl Scope {
    fn row(&self) -> InvocationRow<'_> {
        let end = self.end.get();
        let [jobs_run, jobs_succeeded, jobs_failed] = self.counts.jobs();
        InvocationRow {
            id: self.id,
            created_at: self.created_at,
            updated_at: self.recorder.options().clock.now(),
            correlation_id: &self.correlation,
            source_function: &self.function,
            source: None,
            status: end.map_or("running", |end| end.status),
            total_duration_ms: end.map(|end| end.duration),
            events_detected: self.detected.load(Ordering::Acquire),
            jobs_run,
            jobs_succeeded,
            jobs_failed,
            error: end.and_then(|end| end.error.as_ref()).map(ErrorText::borrowed),
            records: 1,
        }
    }

    fn end(&self, status: &'static str, error: Option<ErrorText<'static>>) {
        let duration = self.recorder.since(self.started);
        // A guard ends once: `end` consumes it, and its drop asks first.
        let _ = self.end.set(End { status, duration, error });
        self.counts.close();
        if self.recorder.push(Record::Invocation(self.row())) {
            self.recorded.store(true, Ordering::Release);
            self.ended.store(true, Ordering::Release);
        }
    }

    /// Records the counters once more: something went on after the end.
    pub(super) fn recount(&self) {
        let record = Record::Invocation(self.row());
        let ended = self.ended.load(Ordering::Acquire);
        if self.recorder.push_as(if ended { Rank::JobEnd } else { record.rank() }, record) {
            self.ended.store(true, Ordering::Release);
        }
    }

    /// Whether the row can be there for a child to refer to. If its start was lost, a short record takes its place.
    pub(super) fn ensure_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire) || {
            let recorded = self.recorder.push_parent(&Frame::Invocation(&self.row()), Rank::JobEnd);
            self.recorded.store(recorded, Ordering::Release);
            recorded
        }
    }
}

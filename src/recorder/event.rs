//! The guards of an event: [`Event`] while it is being detected, [`Handler`] while it is being handled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::recorder::arena::Rank;
use crate::recorder::counts::Counts;
use crate::recorder::failure::Failure;
use crate::recorder::frame::Frame;
use crate::recorder::invocation::{Scope as InvocationScope, unfinished};
use crate::recorder::job::JobBuilder;
use crate::recorder::loss::Class;
use crate::recorder::record::Record;
use crate::store::write::{ErrorText, EventRow};

/// An event that is being detected. Say what the detector found; dropped before that it is recorded as
/// `detection_failed`: `panicked` while the thread panics, else `cancelled`.
#[derive(Debug)]
#[must_use = "dropped at once it is recorded as cancelled"]
pub struct Event {
    scope: Arc<Scope>,
}

impl Event {
    pub(super) fn start(invocation: Arc<InvocationScope>, name: &str, module_path: Option<&str>) -> Self {
        let options = invocation.recorder.options();
        let scope = Scope {
            id: options.ids.next(),
            created_at: options.clock.now(),
            started: options.clock.elapsed(),
            name: name.into(),
            module_path: module_path.map(Into::into),
            counts: Counts::default(),
            recorded: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            detection: OnceLock::new(),
            handling: OnceLock::new(),
            invocation,
        };
        scope.record();
        Self { scope: Arc::new(scope) }
    }

    /// The id of its row.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.scope.id
    }

    /// The event took place: its handler starts.
    pub fn detected(self) -> Handler {
        let scope = Arc::clone(&self.scope);
        scope.invocation.detected.fetch_add(1, Ordering::AcqRel);
        scope.detect("handling", None);
        let started = scope.invocation.recorder.options().clock.elapsed();
        Handler { scope, started }
    }

    /// The event did not take place.
    pub fn not_detected(self) {
        self.scope.detect("not_detected", None);
    }

    /// The detector failed, for this reason.
    pub fn detection_failed<K>(self, error: &(impl Failure<K> + ?Sized)) {
        self.scope.detect("detection_failed", Some(self.scope.invocation.recorder.error(error)));
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.scope.detection.get().is_none() {
            self.scope.detect("detection_failed", Some(unfinished()));
        }
    }
}

/// A detected event that is being handled: its jobs are started here. End it with [`Handler::finish`] or
/// [`Handler::handler_failed`]; dropped before that it is recorded as `handler_failed`.
#[derive(Debug)]
#[must_use = "dropped at once it is recorded as cancelled"]
pub struct Handler {
    scope: Arc<Scope>,
    started: Duration,
}

impl Handler {
    /// The id of the event's row.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.scope.id
    }

    /// Its work begins now, not when it was made.
    pub(super) fn restart(&mut self) {
        self.started = self.scope.invocation.recorder.options().clock.elapsed();
    }

    /// A job of this event. Two jobs of one name are two rows.
    pub fn job(&self, name: &str) -> JobBuilder {
        JobBuilder::new(Arc::clone(&self.scope), name)
    }

    /// The handler went through. Failed jobs do not change that: they are counted on its row.
    pub fn finish(self) {
        self.end("completed", None);
    }

    /// The handler failed, for this reason.
    pub fn handler_failed<K>(self, error: &(impl Failure<K> + ?Sized)) {
        self.end("handler_failed", Some(self.scope.invocation.recorder.error(error)));
    }

    fn end(&self, status: &'static str, error: Option<ErrorText<'static>>) {
        let duration = self.scope.invocation.recorder.since(self.started);
        let _ = self.scope.handling.set(Phase { status, duration, error });
        let late = self.scope.counts.close_into(&self.scope.invocation.counts);
        self.scope.record();
        if late {
            self.scope.invocation.recount();
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if self.scope.handling.get().is_none() {
            self.end("handler_failed", Some(unfinished()));
        }
    }
}

/// What an event shares with its jobs, which may outlive its guard.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) invocation: Arc<InvocationScope>,
    pub(super) id: Uuid,
    pub(super) counts: Counts,
    created_at: DateTime<Utc>,
    started: Duration,
    name: Arc<str>,
    module_path: Option<Arc<str>>,
    /// Whether some record of it has been accepted.
    recorded: AtomicBool,
    /// Whether its end has: later records only count jobs anew.
    ended: AtomicBool,
    detection: OnceLock<Phase>,
    handling: OnceLock<Phase>,
}

/// How a phase ended.
#[derive(Debug)]
struct Phase {
    status: &'static str,
    duration: i32,
    error: Option<ErrorText<'static>>,
}

impl Scope {
    fn detect(&self, status: &'static str, error: Option<ErrorText<'static>>) {
        let duration = self.invocation.recorder.since(self.started);
        let _ = self.detection.set(Phase { status, duration, error });
        self.record();
    }

    fn row<'s>(&'s self) -> EventRow<'s> {
        let (detection, handling) = (self.detection.get(), self.handling.get());
        let error = |phase: Option<&'s Phase>| phase?.error.as_ref().map(ErrorText::borrowed);
        let [jobs_count, jobs_succeeded, jobs_failed] = self.counts.jobs();
        EventRow {
            id: self.id,
            invocation_id: self.invocation.id,
            created_at: self.created_at,
            updated_at: self.invocation.recorder.options().clock.now(),
            correlation_id: &self.invocation.correlation,
            event_name: &self.name,
            module_path: self.module_path.as_deref(),
            detected: detection.is_some_and(|phase| phase.status == "handling"),
            status: handling.or(detection).map_or("detecting", |phase| phase.status),
            detection_duration_ms: detection.map(|phase| phase.duration),
            detection_error: error(detection),
            handler_duration_ms: handling.map(|phase| phase.duration),
            handler_error: error(handling),
            jobs_count,
            jobs_succeeded,
            jobs_failed,
            records: 1,
        }
    }

    /// Counts a job that starts.
    #[inline]
    pub(super) fn start_job(&self) {
        if self.counts.start() {
            self.invocation.counts.start();
        }
    }

    /// Counts the end of a job. What is counted on rows whose end is recorded is recorded once more.
    #[inline]
    pub(super) fn end_job(&self, failed: bool) {
        if self.counts.end(failed) {
            let late = self.invocation.counts.end(failed);
            self.record();
            if late {
                self.invocation.recount();
            }
        }
    }

    fn record(&self) {
        let recorder = &self.invocation.recorder;
        if !self.invocation.ensure_recorded() {
            recorder.lose(Class::Event);
            return;
        }
        let is_end = self.handling.get().is_some();
        let record = Record::Event(self.row());
        let rank = if self.ended.load(Ordering::Acquire) { Rank::JobEnd } else { record.rank() };
        if recorder.push_as(rank, record) {
            self.recorded.store(true, Ordering::Release);
            self.ended.fetch_or(is_end, Ordering::Release);
        }
    }

    /// Whether the row can be there for a job to refer to. If its start was lost, another record takes its place.
    pub(super) fn ensure_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
            || self.invocation.ensure_recorded() && {
                let recorded = self.invocation.recorder.push_parent(&Frame::Event(&self.row()), Rank::JobEnd);
                self.recorded.store(recorded, Ordering::Release);
                recorded
            }
    }
}

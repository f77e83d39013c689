//! The job that code runs in: known to the thread while the job is polled, carried into other tasks on demand.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::span::EnteredSpan;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::model::correlation::Token;
use crate::model::trace::{TRACEPARENT, TraceParent};
use crate::recorder::arena::Rank;
use crate::recorder::event::Scope as EventScope;
use crate::recorder::frame::Frame;
use crate::recorder::inbound::{CORRELATION_HEADER, CORRELATION_VARIABLE, JOB_HEADER, JOB_VARIABLE};
use crate::recorder::name::Name;
use crate::recorder::record::{JobRef, JobStatus};
use crate::recorder::{Class, Recorder};

thread_local! {
    static CURRENT: RefCell<Option<JobContext>> = const { RefCell::new(None) };
}

/// The job that the caller runs in: inside [`Job::run`](crate::recorder::Job::run) and its relatives, while a job is
/// entered, and in tasks made by [`spawn`].
#[must_use]
pub fn current() -> Option<JobContext> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// A task of tokio that belongs to the job of the caller, if there is one: its log lines are the job's, and [`current`]
/// knows the job. The span of the caller stays current too.
///
/// # Panics
/// Outside of a tokio runtime, as `tokio::spawn` does.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match current() {
        Some(job) => tokio::spawn(async move { job.carry(work).await }.in_current_span()),
        None => tokio::spawn(work.in_current_span()),
    }
}

/// What belongs to a job and may be handed on: its ids, what it passes to its children, its log. Cheap to clone. It may
/// outlive the job; it does not keep it running.
#[derive(Debug)]
pub struct JobContext {
    event: Arc<EventScope>,
    id: Uuid,
    /// Microseconds since the epoch.
    created_at: i64,
    started: Duration,
    name: Name,
    /// Whether some record of it has been accepted; each clone finds out for itself.
    recorded: AtomicBool,
}

impl Clone for JobContext {
    fn clone(&self) -> Self {
        Self {
            event: Arc::clone(&self.event),
            name: self.name.clone(),
            recorded: AtomicBool::new(self.recorded.load(Ordering::Acquire)),
            ..*self
        }
    }
}

impl JobContext {
    #[inline]
    pub(super) fn new(event: Arc<EventScope>, name: Name) -> Self {
        let options = event.invocation.recorder.options();
        let created_at = options.clock.micros();
        let (id, started) = (options.ids.at(created_at), options.clock.elapsed());
        Self { event, id, created_at, started, name, recorded: AtomicBool::new(false) }
    }

    /// The id of its row.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The id of its invocation's row.
    #[must_use]
    pub fn invocation_id(&self) -> Uuid {
        self.event.invocation.id
    }

    /// The chain it belongs to.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.event.invocation.correlation
    }

    /// The function of its invocation.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.event.invocation.function
    }

    /// What to write into the `updated_by` of a row this job changes, so that the event which follows is known to be
    /// its work: `source|correlation|job`.
    #[must_use]
    pub fn token(&self) -> Token {
        let invocation = &self.event.invocation;
        Token {
            source: invocation.origin.to_string(),
            correlation: invocation.correlation.to_string(),
            job: self.id,
            hop: invocation.hop.map(|hop| hop.saturating_add(1)),
        }
    }

    /// The headers for a request that this job makes, so that the callee's invocation is known to be its work:
    /// `x-correlation-id`, `x-source-job-id` and `traceparent`, read by
    /// [`InvocationBuilder::headers`](crate::recorder::InvocationBuilder::headers). A correlation id with characters
    /// that no header can hold is left out.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let invocation = &self.event.invocation;
        let parent = u64::try_from(self.id().as_u128() & u128::from(u64::MAX)).unwrap_or(1).max(1);
        let trace = TraceParent { trace: invocation.trace.id, parent, sampled: invocation.trace.sampled };
        let mut headers = vec![(JOB_HEADER, self.id().to_string()), (TRACEPARENT, trace.to_string())];
        if self.correlation_id().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            headers.push((CORRELATION_HEADER, self.correlation_id().to_owned()));
        }
        headers
    }

    /// The session variables for a mutation that this job sends through Hasura, as headers: the database event that
    /// follows has them in its payload, so that the row needs no token.
    #[must_use]
    pub fn session_variables(&self) -> [(&'static str, String); 2] {
        [(CORRELATION_VARIABLE, self.correlation_id().to_owned()), (JOB_VARIABLE, self.id().to_string())]
    }

    /// Waits until the row of this job is in the database, for `time` at most. True if it is there; false also when
    /// records were lost meanwhile, so that it may be missing. Works with every runtime and without one, where it
    /// blocks the thread.
    pub async fn persist(&self, time: Duration) -> bool {
        let job = self.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(move || job.persist_sync(time)).await.unwrap_or(false),
            Err(_) => job.persist_sync(time),
        }
    }

    /// Like [`JobContext::persist`], but blocks the thread.
    #[must_use]
    pub fn persist_sync(&self, time: Duration) -> bool {
        let recorder = self.recorder();
        if !recorder.is_enabled() || recorder.options().connection.is_err() || !self.ensure_recorded() {
            return false;
        }
        let missing = || {
            let stats = recorder.stats();
            stats.dropped + stats.quarantined
        };
        let before = missing();
        recorder.flush_rows(time) && missing() == before
    }

    /// Makes this the job of the thread until the guard is dropped. Guards are dropped in the reverse of their order,
    /// and not held across an `.await`: [`JobContext::carry`] is for futures.
    #[must_use = "dropped at once it has no effect"]
    pub fn enter(&self) -> Entered {
        let previous = set(Some(self.clone()));
        Entered { previous, _span: self.span().entered() }
    }

    /// Does work as a part of this job, for instance in a task of its own.
    pub async fn carry<F: Future>(&self, work: F) -> F::Output {
        match self.catch(work).await {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Like `carry`; a panic becomes an error.
    pub(super) async fn catch<F: Future>(&self, work: F) -> Result<F::Output, Box<dyn Any + Send>> {
        let span = {
            // The layer finds the job of a new span here.
            let _current = Restore(set(Some(self.clone())));
            self.span()
        };
        let mut work = pin!(work.instrument(span));
        poll_fn(move |context| {
            let _current = Restore(set(Some(self.clone())));
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                Ok(poll) => poll.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
        .await
    }

    /// For the host's own subscribers; of the level that the fewest filters hide.
    fn span(&self) -> Span {
        if !self.recorder().is_enabled() {
            return Span::none();
        }
        let correlation_id = self.correlation_id();
        tracing::error_span!(target: "obs_tui::job", "job", name = self.name(), id = %self.id(), correlation_id)
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.event.invocation.recorder
    }

    pub(super) fn event(&self) -> &EventScope {
        &self.event
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.recorder().options().clock.elapsed().saturating_sub(self.started)
    }

    /// So long after its start. One reading of the clock is enough, and the two times of a row fit its duration.
    #[inline(always)]
    pub(super) fn row(&self, status: JobStatus, elapsed: Duration) -> JobRef<'_> {
        let invocation = &self.event.invocation;
        JobRef {
            id: self.id,
            invocation_id: invocation.id,
            event_execution_id: self.event.id,
            created_at: self.created_at,
            updated_at: self.created_at.saturating_add(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)),
            correlation_id: &invocation.correlation,
            job_name: self.name.bytes(),
            function_name: None,
            options: None,
            status,
            duration_ms: None,
            result: None,
            error: None,
            records: 1,
        }
    }

    #[inline(always)]
    pub(super) fn push(&self, row: JobRef<'_>) {
        if !self.event.ensure_recorded() {
            self.recorder().lose(Class::Job);
        } else if self.recorder().push_job(row) {
            self.recorded.store(true, Ordering::Release);
        }
    }

    /// Whether the row can be there for a log line to refer to. If its start was lost, another record takes its place.
    pub(super) fn ensure_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
            || self.event.ensure_recorded() && {
                // A line takes nothing from what is kept for ends.
                let frame = Frame::Job(self.row(JobStatus::Running, Duration::ZERO));
                let recorded = self.recorder().push_parent(&frame, Rank::Start);
                self.recorded.store(recorded, Ordering::Release);
                recorded
            }
    }
}

/// While it lives, a job is the one of this thread; made by [`JobContext::enter`].
#[derive(Debug)]
pub struct Entered {
    previous: Option<JobContext>,
    _span: EnteredSpan,
}

impl Drop for Entered {
    fn drop(&mut self) {
        set(self.previous.take());
    }
}

struct Restore(Option<JobContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        set(self.0.take());
    }
}

/// Returns the job before. At the end of a thread there is none.
fn set(job: Option<JobContext>) -> Option<JobContext> {
    CURRENT.try_with(|current| current.replace(job)).ok().flatten()
}

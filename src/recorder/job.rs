//! The guard of a job.

use std::any::Any;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::recorder::capture::{self, Json};
use crate::recorder::context::JobContext;
use crate::recorder::event::Scope;
use crate::recorder::failure::{self, Failure};
use crate::recorder::invocation::unfinished;
use crate::recorder::name::Name;
use crate::recorder::record::JobStatus;
use crate::store::write::ErrorText;

/// What is known about a job before it starts. Made by [`Handler::job`](crate::recorder::Handler::job).
#[derive(Debug)]
#[must_use = "nothing is recorded before `start` or `run`"]
pub struct JobBuilder {
    event: Arc<Scope>,
    name: Name,
    function_name: Option<Name>,
    options: Option<Json>,
}

impl JobBuilder {
    pub(super) fn new(event: Arc<Scope>, name: &str) -> Self {
        Self { event, name: name.into(), function_name: None, options: None }
    }

    /// The function that does the work, when its name is another.
    pub fn function_name(mut self, name: &str) -> Self {
        self.function_name = Some(name.into());
        self
    }

    /// What the job was given, anything `Serialize`.
    pub fn options<T: Serialize + ?Sized>(mut self, options: &T) -> Self {
        let recorder = &self.event.invocation.recorder;
        if recorder.is_enabled() && recorder.options().capture_job_options {
            self.options = Some(Json::of(options, recorder.options().max_json_bytes));
        }
        self
    }

    /// Records the start, and starts the clock.
    pub fn start(self) -> Job {
        self.event.start_job();
        let context = JobContext::new(self.event, self.name);
        let mut row = context.row(JobStatus::Running, Duration::ZERO);
        (row.function_name, row.options) =
            (self.function_name.as_ref().map(Name::bytes), self.options.as_ref().map(Json::bytes));
        context.push(row);
        Job { context, ended: false }
    }

    /// Starts the job when it is first polled and records how it ends; see [`Job::run`].
    ///
    /// # Errors
    /// Returns what the work returns.
    pub async fn run<T, E, K>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        T: Serialize,
        E: Failure<K>,
    {
        self.start().run(work).await
    }

    /// Starts the job and records how it ends; see [`Job::run_sync`].
    ///
    /// # Errors
    /// Returns what the work returns.
    pub fn run_sync<T, E, K>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize,
        E: Failure<K>,
    {
        self.start().run_sync(work)
    }

    /// Starts the job now and does the work in a task of its own; see [`Job::spawn`].
    ///
    /// # Panics
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    pub fn spawn<T, E, K>(self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> JoinHandle<Result<T, E>>
    where
        T: Serialize + Send + 'static,
        E: Failure<K> + Send + 'static,
        K: 'static,
    {
        self.start().spawn(work)
    }
}

/// A job that runs. End it with [`Job::complete`] or [`Job::fail`], or let [`Job::run`] do it; dropped before that it
/// is recorded as failed: `panicked` while the thread panics, else `cancelled`.
///
/// Its ids, what it hands on and its log are those of its [`JobContext`].
#[derive(Debug)]
#[must_use = "dropped at once it is recorded as cancelled"]
pub struct Job {
    context: JobContext,
    ended: bool,
}

impl Deref for Job {
    type Target = JobContext;

    fn deref(&self) -> &JobContext {
        &self.context
    }
}

impl Job {
    /// The part that can be handed on.
    #[must_use]
    pub fn context(&self) -> JobContext {
        self.context.clone()
    }

    /// It went through and returned this.
    pub fn complete<T: Serialize + ?Sized>(mut self, result: &T) {
        let options = self.context.recorder().options();
        let json = options.enabled.then(|| Json::of(result, options.max_json_bytes));
        self.end(None, json.as_ref().map(Json::bytes).filter(|json| *json != b"null"));
    }

    /// It failed, for this reason.
    pub fn fail<K>(mut self, error: &(impl Failure<K> + ?Sized)) {
        let error = self.context.recorder().error(error);
        self.end(Some(&error), None);
    }

    /// Does the work and records how it ends. While it is polled this is the [`current`](crate::recorder::current) job.
    /// Dropped on the way, it is recorded as that; a panic is recorded with its message and goes on.
    ///
    /// With [`persist_before_run`](crate::recorder::Options::persist_before_run) the job's row is written first.
    ///
    /// # Errors
    /// Returns what the work returns.
    pub async fn run<T, E, K>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        T: Serialize,
        E: Failure<K>,
    {
        self.attempt(work).await.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Like `run`, but returns a panic.
    pub(super) async fn attempt<T, E, K>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Box<dyn Any + Send>>
    where
        T: Serialize,
        E: Failure<K>,
    {
        if let Some(time) = self.context.recorder().options().persist_before_run {
            // Late or never: the work is done all the same.
            self.context.persist(time).await;
        }
        let outcome = self.context.catch(work).await;
        self.settle(&outcome);
        outcome
    }

    /// Does the work and records how it ends; see [`Job::run`].
    ///
    /// # Errors
    /// Returns what the work returns.
    pub fn run_sync<T, E, K>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize,
        E: Failure<K>,
    {
        if let Some(time) = self.context.recorder().options().persist_before_run {
            // Late or never: the work is done all the same.
            let _ = self.context.persist_sync(time);
        }
        let outcome = {
            let _entered = self.context.enter();
            catch_unwind(AssertUnwindSafe(work))
        };
        self.settle(&outcome);
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Does the work in a task of its own and records how it ends; aborted or dropped with its runtime, it is recorded as
    /// cancelled. The span of the caller stays current.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    pub fn spawn<T, E, K>(self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> JoinHandle<Result<T, E>>
    where
        T: Serialize + Send + 'static,
        E: Failure<K> + Send + 'static,
        K: 'static,
    {
        tokio::spawn(async move { self.run(work).await }.in_current_span())
    }

    fn settle<T, E, K>(self, outcome: &Result<Result<T, E>, Box<dyn Any + Send>>)
    where
        T: Serialize,
        E: Failure<K>,
    {
        match outcome {
            Ok(Ok(result)) => self.complete(result),
            Ok(Err(error)) => self.fail(error),
            Err(panic) => self.fail(&failure::panicked(&**panic)),
        }
    }

    fn end(&mut self, error: Option<&ErrorText<'_>>, result: Option<&[u8]>) {
        self.ended = true;
        if !self.context.recorder().is_enabled() {
            return;
        }
        let status = if error.is_some() { JobStatus::Failed } else { JobStatus::Completed };
        let elapsed = self.context.elapsed();
        let mut row = self.context.row(status, elapsed);
        (row.duration_ms, row.result, row.error) = (Some(capture::millis(elapsed)), result, error);
        self.context.push(row);
        self.context.event().end_job(error.is_some());
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Some(&unfinished()), None);
        }
    }
}

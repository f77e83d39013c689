//! Runs event modules for one incoming event: detectors, then the handlers of what was detected, their jobs side by
//! side. Every step is recorded, and no failure stops another step.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use uuid::Uuid;

use crate::recorder::context::JobContext;
use crate::recorder::event::{Event, Handler};
use crate::recorder::failure::{self, Failure, Messages};
use crate::recorder::invocation::{Invocation, InvocationBuilder};
use crate::recorder::job::{Job, JobBuilder};

type Detector<P> = Box<dyn Fn(Arc<P>) -> BoxFuture<'static, Result<bool, Messages>> + Send + Sync>;
type Handling<P> = Box<dyn Fn(Arc<P>) -> BoxFuture<'static, Result<Vec<Work>, Messages>> + Send + Sync>;

/// What is known of one kind of event: how to detect it in a payload `P`, and what to do then.
pub struct Module<P> {
    name: Box<str>,
    path: Option<Box<str>>,
    detector: Detector<P>,
    handler: Handling<P>,
}

impl<P: Send + Sync + 'static> Module<P> {
    /// A module for the event of this name. The detector says whether the event took place; if it did, the handler
    /// says what is to be done. Both may fail, and panic.
    ///
    /// ```
    /// use std::{convert::Infallible, io, sync::Arc};
    /// use obs_tui::recorder::{Module, Work};
    /// use serde_json::{Value, json};
    ///
    /// let module = Module::new(
    ///     "move.pickup.successful",
    ///     async |event: Arc<Value>| Ok::<_, Infallible>(event["event"]["data"]["new"]["status"] == "pickup successful"),
    ///     async |event: Arc<Value>| {
    ///         let row = event["event"]["data"]["new"].clone();
    ///         let notify = Work::new("sendNotification", async move |job| {
    ///             let token = job.token().to_string(); // for `updated_by` of the rows that it writes
    ///             Ok::<_, io::Error>(json!({ "sent": true, "token": token }))
    ///         });
    ///         Ok::<_, io::Error>(vec![notify.options(json!({ "move": row["id"] }))])
    ///     },
    /// )
    /// .path("events/move_pickup_successful.rs");
    /// let modules = [module];
    /// # let recorder = obs_tui::Recorder::disabled();
    /// let run = recorder.invocation("event-detector-moves").run(&modules, json!({}));
    /// ```
    pub fn new<D, DF, DE, DK, H, HF, HE, HK>(name: &str, detector: D, handler: H) -> Self
    where
        D: Fn(Arc<P>) -> DF + Send + Sync + 'static,
        DF: Future<Output = Result<bool, DE>> + Send + 'static,
        DE: Failure<DK>,
        H: Fn(Arc<P>) -> HF + Send + Sync + 'static,
        HF: Future<Output = Result<Vec<Work>, HE>> + Send + 'static,
        HE: Failure<HK>,
    {
        let words = |error| failure::words(&error);
        let handling_words = |error| failure::words(&error);
        Self {
            name: name.into(),
            path: None,
            detector: Box::new(move |event| detector(event).map(move |found| found.map_err(words)).boxed()),
            handler: Box::new(move |event| handler(event).map(move |work| work.map_err(handling_words)).boxed()),
        }
    }

    /// Where the module is, as it is stored with the event.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.into());
        self
    }
}

impl<P> std::fmt::Debug for Module<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}

type Start = Box<dyn FnOnce(JobBuilder) -> JobBuilder + Send>;
type Run = Box<dyn FnOnce(Job) -> BoxFuture<'static, Option<String>> + Send>;

/// A job that a handler wants to be done.
pub struct Work {
    name: Box<str>,
    start: Start,
    run: Run,
}

impl Work {
    /// A job of this name. It is given its [`JobContext`]: ids, token, headers, log. It runs in the task of the
    /// invocation, beside its siblings; work that blocks belongs into `tokio::task::spawn_blocking`.
    pub fn new<F, W, T, E, K>(name: &str, work: F) -> Self
    where
        F: FnOnce(JobContext) -> W + Send + 'static,
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize + Send,
        E: Failure<K> + Send,
    {
        let run = |job: Job| {
            let context = job.context();
            let work = async move { work(context).await.map_err(|error| failure::words(&error)) };
            async move {
                match job.attempt(work).await {
                    Ok(Ok(_)) => None,
                    Ok(Err(messages)) => Some(messages.line()),
                    Err(panic) => Some(failure::panicked(&*panic)),
                }
            }
            .boxed()
        };
        Self { name: name.into(), start: Box::new(|job| job), run: Box::new(run) }
    }

    /// What it is given, to be stored.
    #[must_use]
    pub fn options(self, options: impl Serialize + Send + 'static) -> Self {
        let start = self.start;
        Self { start: Box::new(move |job| start(job).options(&options)), ..self }
    }

    /// The function that does the work, when its name is another.
    #[must_use]
    pub fn function_name(self, name: &str) -> Self {
        let (start, name) = (self.start, name.to_owned());
        Self { start: Box::new(move |job| start(job).function_name(&name)), ..self }
    }

    async fn run(self, handler: &Handler) -> JobOutcome {
        let job = (self.start)(handler.job(&self.name)).start();
        JobOutcome { name: self.name.into(), id: job.id(), error: (self.run)(job).await }
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What came of an invocation. It can be serialized, for instance as the answer to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The id of its row.
    pub invocation: Uuid,
    /// The chain it belongs to.
    pub correlation_id: String,
    /// One for each module, in the same order.
    pub events: Vec<EventOutcome>,
}

/// What came of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventOutcome {
    /// The name of the event.
    pub name: String,
    /// Whether the event took place.
    pub detected: bool,
    /// Why the detector, or else the handler, failed.
    pub error: Option<String>,
    /// The jobs of the handler.
    pub jobs: Vec<JobOutcome>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobOutcome {
    /// Its name.
    pub name: String,
    /// The id of its row.
    pub id: Uuid,
    /// Why it failed.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether no detector, handler or job failed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.events.iter().all(|event| event.error.is_none() && event.jobs.iter().all(|job| job.error.is_none()))
    }
}

impl InvocationBuilder {
    /// Runs the modules for one incoming event: the detectors one after another, then the handlers of the detected
    /// events side by side, each with its jobs side by side. All in the task of the caller, with any runtime.
    ///
    /// Each step is recorded. Whatever fails or panics is recorded with its message and leaves the others alone. The
    /// invocation has failed if a detector or a handler has; failed jobs are counted on its row.
    pub async fn run<P: Send + Sync + 'static>(self, modules: &[Module<P>], event: P) -> Outcome {
        let event = Arc::new(event);
        let invocation = self.start();
        let mut events = Vec::with_capacity(modules.len());
        let mut handlers = Vec::new();
        for module in modules {
            let (outcome, handler) = detect(&invocation, module, &event).await;
            handlers.extend(handler.map(|handler| (events.len(), handler, module)));
            events.push(outcome);
        }
        let handled =
            handlers.into_iter().map(async |(at, handler, module)| (at, handle(handler, module, &event).await));
        for (at, (jobs, error)) in join_all(handled).await {
            if let Some(outcome) = events.get_mut(at) {
                (outcome.jobs, outcome.error) = (jobs, error);
            }
        }
        let outcome =
            Outcome { invocation: invocation.id(), correlation_id: invocation.correlation_id().to_owned(), events };
        let failed = outcome.events.iter().filter_map(failed).collect::<Vec<_>>().join("; ");
        if failed.is_empty() {
            invocation.finish()
        } else {
            invocation.fail(&failed)
        }
        outcome
    }
}

fn failed(event: &EventOutcome) -> Option<String> {
    let step = if event.detected { "handler" } else { "detector" };
    event.error.as_ref().map(|error| format!("the {step} of {} failed: {error}", event.name))
}

async fn detect<P>(invocation: &Invocation, module: &Module<P>, event: &Arc<P>) -> (EventOutcome, Option<Handler>) {
    let guard = Event::start(invocation.scope(), &module.name, module.path.as_deref());
    let found = caught(async { (module.detector)(Arc::clone(event)).await }).await;
    let mut outcome =
        EventOutcome { name: module.name.to_string(), detected: found == Ok(true), error: None, jobs: Vec::new() };
    match found {
        Ok(true) => return (outcome, Some(guard.detected())),
        Ok(false) => guard.not_detected(),
        Err(messages) => {
            outcome.error = Some(messages.line());
            guard.detection_failed(&messages);
        }
    }
    (outcome, None)
}

async fn handle<P>(mut handler: Handler, module: &Module<P>, event: &Arc<P>) -> (Vec<JobOutcome>, Option<String>) {
    handler.restart();
    match caught(async { (module.handler)(Arc::clone(event)).await }).await {
        Ok(work) => {
            let jobs = join_all(work.into_iter().map(|work| work.run(&handler))).await;
            handler.finish();
            (jobs, None)
        }
        Err(messages) => {
            let line = messages.line();
            handler.handler_failed(&messages);
            (Vec::new(), Some(line))
        }
    }
}

/// A panic as a failure.
async fn caught<T>(step: impl Future<Output = Result<T, Messages>>) -> Result<T, Messages> {
    let outcome = AssertUnwindSafe(step).catch_unwind().await;
    outcome.unwrap_or_else(|panic| Err(Messages(vec![failure::panicked(&*panic)])))
}

//! The recorder.
#![doc = include_str!("recorder/guide.md")]

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;

pub use crate::model::redact::Masker;
pub use context::{Entered, JobContext, current, spawn};
pub use event::{Event, Handler};
pub use failure::{Failure, kind};
pub use invocation::{Invocation, InvocationBuilder};
pub use job::{Job, JobBuilder};
pub use layer::log_layer;
pub use log::LogSink;
#[cfg(feature = "loki")]
pub use loki::Loki;
pub use loss::{Class, Loss, Reason};
pub use modules::{EventOutcome, JobOutcome, Module, Outcome, Work};
pub use notice::{Notice, OnNotice};
pub use options::Options;
pub use tracing::Level;

use crate::store::write::ErrorText;
use arena::{Pushed, Rank};
use failure::Messages;
use frame::Frame;
use record::{JobRef, JobStatus, Record, Shortened};
use shared::Shared;

mod arena;
mod capture;
mod context;
mod counts;
mod event;
mod exit;
mod failure;
mod flush;
mod frame;
mod held;
mod inbound;
mod invocation;
mod job;
mod layer;
mod log;
#[cfg(feature = "loki")]
mod loki;
mod loss;
mod modules;
mod name;
mod notice;
mod options;
mod record;
mod shared;
mod spool;
mod state;

/// A batch is complete at this size, whatever the number of its records. While it is written there are two more copies.
const BATCH_BYTES: usize = 512 << 10;
/// How long the drop of the last handle waits for what is not written yet.
const DROP_TIME: Duration = Duration::from_secs(2);
/// How much longer than asked a shutdown waits for its own thread.
const GRACE: Duration = Duration::from_millis(250);

/// Records invocations, events and jobs. Cheap to clone; all clones are one recorder.
///
/// When the last clone and the last guard are dropped, what is left is written for up to two seconds; call
/// [`Recorder::shutdown`] to choose the time and to see the outcome.
#[derive(Clone, Debug)]
pub struct Recorder {
    handle: Arc<Handle>,
}

/// A recorder in numbers. Every change of a row's state is one record: a job has two, its start and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Records so far: `written + spooled + quarantined + dropped + buffered`. Among the dropped are those that another
    /// process had left in the spool and that this one could not save.
    pub recorded: u64,
    /// Records that are in the database.
    pub written: u64,
    /// Records that wait in the spool.
    pub spooled: u64,
    /// Records that the database refused and that are kept in the quarantine; without a spool they are lost.
    pub quarantined: u64,
    /// Records that other processes had left in the spool and that this one has written. They are not in `recorded`.
    pub replayed: u64,
    /// Records that are lost.
    pub dropped: u64,
    /// Records that wait, or are being written.
    pub buffered: u64,
    /// The memory they hold, bytes.
    pub buffered_bytes: usize,
    /// Bytes in files of the spool that could not be read. The files are kept, as `….damaged`; what they held is in `losses`
    /// as far as it could be told.
    pub damaged_bytes: u64,
    /// The lost records by class and reason.
    pub losses: Vec<Loss>,
    /// Texts that were stored in another form: ids, names and addresses longer than 640 bytes, which no index may be able to
    /// hold, are cut; characters that the database cannot hold are replaced.
    pub altered: u64,
    /// The last failure, whether or not it cost a record. It names no password.
    pub last_error: Option<String>,
}

/// What a shutdown leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[must_use = "records may have been dropped"]
pub struct Shutdown {
    /// Records that were written, ever.
    pub written: u64,
    /// Records that wait in the spool for the next process. A batch that was being written when the time ended is among
    /// them, even if the server had it already: written again it changes nothing.
    pub spooled: u64,
    /// Records that were put into quarantine, ever.
    pub quarantined: u64,
    /// Records that were lost, ever. Without a spool, a batch that was being written when the time ended counts as lost,
    /// even if the server had it already.
    pub dropped: u64,
    /// Records that the recorder's own thread still holds, because it did not end in time. They are lost with the process,
    /// unless it lives long enough for the thread to end: then they are written, in the spool, or counted as dropped.
    pub held: u64,
}

impl Recorder {
    /// A recorder. Nothing is connected yet: what is wrong with the connection shows in [`Recorder::stats`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        let shared = Arc::new(Shared::new(options));
        // Without a database no thread will do it.
        shared.notify(false);
        #[cfg(feature = "loki")]
        let pusher = match &shared.options.logs {
            LogSink::Loki(loki) => {
                let limit = shared.options.logs.bytes(shared.options.memory_limit);
                Some(Arc::new(loki::Pusher::new(loki.clone(), limit, Arc::clone(&shared))))
            }
            _ => None,
        };
        Self {
            handle: Arc::new(Handle {
                shared,
                #[cfg(feature = "loki")]
                pusher,
            }),
        }
    }

    /// A recorder that records nothing. Ids and tokens are made as ever, so that chains go on behind it.
    #[must_use]
    pub fn disabled() -> Self {
        let options = Options::from_connection(Err("the recorder is disabled".to_owned()));
        Self::new(Options { enabled: false, ..options })
    }

    /// Whether it records.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.options().enabled
    }

    /// An invocation of this function.
    pub fn invocation(&self, function: &str) -> InvocationBuilder {
        InvocationBuilder::new(self.clone(), function)
    }

    /// Writes what is waiting, and blocks until that is done, for `time` at most. True if every record before this
    /// call is written, in quarantine, or counted as lost. What another process has left in the spool is written too,
    /// but not waited for.
    pub fn flush(&self, time: Duration) -> bool {
        if self.handle.shared.is_forked() {
            return false;
        }
        #[cfg(feature = "loki")]
        if let Some(pusher) = &self.handle.pusher {
            let timer = &self.handle.shared.timer;
            let (until, mark) = (timer.elapsed().saturating_add(time), pusher.flush());
            let rows = self.flush_rows(time);
            return pusher.wait(mark, until.saturating_sub(timer.elapsed())) && rows;
        }
        self.flush_rows(time)
    }

    fn flush_rows(&self, time: Duration) -> bool {
        let shared = &self.handle.shared;
        if shared.is_forked() {
            return false;
        }
        let mark = shared.arena.accepted();
        if (mark > 0 || shared.spools()) && !shared.started.load(Ordering::Acquire) {
            shared.start();
        }
        let mut state = shared.lock();
        state.flush_to = state.flush_to.max(mark);
        state.asks += 1;
        shared.wake.notify_all();
        let waited = shared.settled.wait_timeout_while(state, time, |state| state.settled() < mark);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.settled() >= mark
    }

    /// Writes what is waiting, for `time` at most, then ends: the connection is closed, what could not be written and
    /// whatever is recorded later is counted as lost. Blocks until then. The database is tried at once, however long the
    /// recorder was going to wait before its next attempt, and without a spool again and again while there is time.
    pub fn shutdown(&self, time: Duration) -> Shutdown {
        let Stats { written, spooled, quarantined, dropped, buffered: held, .. } = self.handle.stop(time);
        Shutdown { written, spooled, quarantined, dropped, held }
    }

    /// Ends the recorder when its process ends, as [`Recorder::shutdown`] does, for `time` at most: for a recorder in a
    /// `static`, which nobody drops. It is when `main` returns, when somebody calls `std::process::exit`, and at SIGTERM,
    /// after which the process ends as it would have without this.
    ///
    /// True if SIGTERM is among them. It is not if the process handles or ignores the signal already, or if that cannot be
    /// seen on this system: then the host's own handler has to call [`Recorder::shutdown`]. Call this after all handlers
    /// are installed: with one that is added later through `tokio` or `signal-hook` both are called, and this one ends the
    /// process. Do not use it where the process forks and its forks go on without `exec`: they would ignore SIGTERM.
    ///
    /// # Errors
    /// If the thread cannot be started that waits for SIGTERM, or the signal not be handled. The end of `main` is still seen.
    pub fn install_exit_flush(&self, time: Duration) -> std::io::Result<bool> {
        exit::install(&self.handle, time)
    }

    /// What was recorded, written and lost so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// A line for Loki.
    #[cfg(feature = "loki")]
    fn push_line(&self, job: &JobContext, line: &log::Line) {
        if let Some(pusher) = self.handle.pusher.as_ref().filter(|_| !self.handle.shared.is_forked()) {
            pusher.push(job, line);
        }
    }

    fn options(&self) -> &Options {
        &self.handle.shared.options
    }

    fn json<T: Serialize + ?Sized>(&self, value: &T) -> Box<str> {
        capture::json(value, self.options().max_json_bytes)
    }

    fn error<K>(&self, error: &(impl Failure<K> + ?Sized)) -> ErrorText<'static> {
        let options = self.options();
        let Messages(messages) = failure::words(error);
        let stack = if options.capture_error_stacks { failure::stack(&messages) } else { None };
        ErrorText {
            message: capture::text(failure::line(&messages), options.max_json_bytes).into_string().into(),
            stack: stack.map(|stack| capture::text(stack, options.max_json_bytes).into_string().into()),
        }
    }

    /// Milliseconds since a moment of the options' clock.
    fn since(&self, start: Duration) -> i32 {
        capture::millis(self.options().clock.elapsed().saturating_sub(start))
    }

    /// False if the record was lost and a later one may take its place.
    fn push(&self, record: Record<'_>) -> bool {
        self.push_as(record.rank(), record)
    }

    /// Like `push`, as one of another rank.
    fn push_as(&self, rank: Rank, record: Record<'_>) -> bool {
        let short = || record.shortened().is_some_and(|short| self.push_parent(&Frame::of(&short), rank));
        !self.is_enabled() || self.offer(record.class(), &Frame::of(&record), rank, short)
    }

    /// Like `push`, for a job.
    #[inline(always)]
    fn push_job(&self, job: JobRef<'_>) -> bool {
        let rank = if job.status == JobStatus::Running { Rank::Start } else { Rank::JobEnd };
        let short = || {
            let Shortened { result, error } = job.shortened()?;
            let (result, error) = (result.as_deref().map(str::as_bytes), error.as_ref());
            let short = JobRef { result: result.or(job.result), error: error.or(job.error), ..job };
            self.push_parent(&Frame::Job(short), rank).then_some(())
        };
        !self.is_enabled() || self.offer(Class::Job, &Frame::Job(job), rank, || short().is_some())
    }

    /// Like `push`, for a row that a record of this rank refers to: it is no loss if there is no room.
    fn push_parent(&self, frame: &Frame<'_>, rank: Rank) -> bool {
        let shared = &self.handle.shared;
        if !shared.options.enabled || shared.options.connection.is_err() {
            return true;
        }
        let kept = matches!(shared.arena.push(frame, rank), Pushed::Kept(_));
        if kept {
            shared.accepted();
        }
        kept
    }

    /// An end that finds no room is kept with short texts instead.
    #[inline(always)]
    fn offer(&self, class: Class, frame: &Frame<'_>, rank: Rank, short: impl FnOnce() -> bool) -> bool {
        let shared = &self.handle.shared;
        if shared.options.connection.is_err() {
            shared.refuse(class, Reason::NotConfigured);
            return true;
        }
        let pushed = shared.arena.push(frame, rank);
        let reason = match pushed {
            Pushed::Kept(_) => {
                shared.accepted();
                return true;
            }
            Pushed::Full if rank > Rank::Start && short() => return true,
            Pushed::Full => Reason::BufferFull,
            Pushed::Contended => Reason::Contended,
            Pushed::Closed => Reason::ShutDown,
        };
        shared.refuse(class, reason);
        false
    }

    /// Counts a record that cannot be kept, because the row it refers to could not.
    fn lose(&self, class: Class) {
        let shared = &self.handle.shared;
        if shared.is_forked() {
            return;
        }
        let is_ending = shared.lock().stop_at.is_some();
        shared.refuse(class, if is_ending { Reason::ShutDown } else { Reason::BufferFull });
    }
}

/// What every clone and every guard holds; the last one ends the flusher.
struct Handle {
    shared: Arc<Shared>,
    #[cfg(feature = "loki")]
    pusher: Option<Arc<loki::Pusher>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stats().fmt(f)
    }
}

impl Handle {
    fn stop(&self, time: Duration) -> Stats {
        let shared = &self.shared;
        if shared.is_forked() {
            return shared.stats();
        }
        let at = shared.timer.elapsed().saturating_add(time);
        #[cfg(feature = "loki")]
        if let Some(pusher) = &self.pusher {
            pusher.stop(at);
        }
        shared.arena.close();
        if shared.arena.accepted() > 0 && !shared.started.load(Ordering::Acquire) {
            shared.start();
            if !shared.started.load(Ordering::Acquire) {
                shared.lose_all();
            }
        }
        let mut state = shared.lock();
        state.stop_at = Some(state.stop_at.map_or(at, |earlier| earlier.min(at)));
        state.asks += 1;
        if shared.started.load(Ordering::Acquire) {
            shared.wake.notify_all();
            shared.interrupt.notify_one();
            let patience = time.saturating_add(GRACE);
            let waited = shared.settled.wait_timeout_while(state, patience, |state| !state.stopped);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        #[cfg(feature = "loki")]
        if let Some(pusher) = &self.pusher {
            pusher.wait_stopped(at.saturating_add(GRACE).saturating_sub(shared.timer.elapsed()));
        }
        shared.notify(true);
        self.stats()
    }

    fn stats(&self) -> Stats {
        #[cfg_attr(not(feature = "loki"), expect(unused_mut, reason = "only the lines for Loki are added"))]
        let mut stats = self.shared.stats();
        #[cfg(feature = "loki")]
        if self.shared.is_forked() {
            return stats;
        }
        #[cfg(feature = "loki")]
        if let Some(pusher) = &self.pusher {
            let lines = pusher.counts();
            stats.recorded += lines.written + lines.held;
            stats.written += lines.written;
            stats.buffered += lines.held;
            stats.buffered_bytes += lines.bytes;
            let errors: Vec<String> = stats.last_error.into_iter().chain(lines.last_error).collect();
            stats.last_error = (!errors.is_empty()).then(|| errors.join("; "));
        }
        stats
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop(DROP_TIME);
    }
}

//! What the callers and the flusher share, and how one wakes the other.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::arena::{Arena, Intake};
use super::loss::{Class, Reason};
use super::notice::{Health, NUMBERS_EVERY, Notifier};
use super::state::{Origin, Outcome, State};
use super::{BATCH_BYTES, Options, Stats, flush};
use crate::clock::Clock;

/// The flusher is at work: it looks for new records before it parks.
pub(super) const AWAKE: u8 = 0;
/// It waits until a batch is due, and looks by itself from time to time whether one is complete: to be woken would cost
/// the caller more than all else.
pub(super) const TIMED: u8 = 1;
/// It waits for any record.
pub(super) const IDLE: u8 = 2;

/// With less memory, bytes, a recorder holds nothing.
const LEAST_MEMORY: usize = 8 << 10;
/// How long records do not try again to start the flusher.
const START_DELAY: Duration = Duration::from_millis(100);

const FORKED: &str = "this process is a fork of the one that the recorder works in: make a recorder here";

/// What the callers and the flusher share.
pub(super) struct Shared {
    pub(super) options: Options,
    /// How this recorder is called in the database.
    pub(super) name: String,
    pub(super) arena: Arena,
    pub(super) state: Mutex<State>,
    /// The notices so far. Nobody waits for this lock.
    pub(super) notifier: Mutex<Notifier>,
    /// Whether there is a flusher.
    pub(super) started: AtomicBool,
    /// When to try next to start it, milliseconds, after that has failed.
    start_at: AtomicU64,
    /// The process that the flusher is in; 0 before it starts.
    pub(super) owner: AtomicU32,
    /// What the flusher waits for.
    pub(super) parked: AtomicU8,
    /// For the flusher: there may be something to do.
    pub(super) wake: Condvar,
    /// For callers that wait: something was written, or the flusher has ended.
    pub(super) settled: Condvar,
    /// For the flusher while it waits for the server: there is a time limit now.
    pub(super) interrupt: Notify,
    /// For the flusher while it waits for the server: memory is above `high_water`.
    pub(super) pressure: Notify,
    /// Whether it has been told.
    pub(super) pressing: AtomicBool,
    /// Where memory begins to go to the spool, bytes: before log lines are dropped, which is at half of the limit. More than
    /// there can be if there is no spool.
    pub(super) high_water: usize,
    /// Real time, for delays and time limits; the clock in the options may stand still.
    pub(super) timer: Clock,
}

impl Shared {
    pub(super) fn new(mut options: Options) -> Self {
        let refused = options.connection.as_ref().err().filter(|_| options.enabled).cloned();
        let health = refused.clone().map_or(Health::Unknown, Health::Failing);
        let (asked, limit) = (options.memory_limit, options.memory_limit.max(LEAST_MEMORY));
        let raised =
            || format!("memory_limit is {asked} bytes, too few for any record: the recorder uses {LEAST_MEMORY}");
        let last_error = refused.or_else(|| (asked < limit && options.enabled).then(raised));
        options.memory_limit = limit;
        let bytes = options.memory_limit - options.logs.bytes(options.memory_limit);
        Self {
            name: name(),
            arena: Arena::new(if options.enabled { bytes } else { 0 }),
            state: Mutex::new(State { last_error, health, ..State::default() }),
            notifier: Mutex::default(),
            started: AtomicBool::new(false),
            start_at: AtomicU64::new(0),
            owner: AtomicU32::new(0),
            parked: AtomicU8::new(AWAKE),
            wake: Condvar::new(),
            settled: Condvar::new(),
            interrupt: Notify::new(),
            pressure: Notify::new(),
            pressing: AtomicBool::new(false),
            high_water: if options.spool.is_some() { bytes / 8 * 3 } else { usize::MAX },
            timer: Clock::system(),
            options,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is a fork of the process that the flusher is in. Then nobody will ever write what is recorded, and a
    /// lock that was held when it was forked stays so: none may be waited for.
    pub(super) fn is_forked(&self) -> bool {
        let owner = self.owner.load(Ordering::Acquire);
        owner != 0 && owner != std::process::id()
    }

    /// Counts a record that was never held, and has the flusher send a notice.
    #[cold]
    pub(super) fn refuse(self: &Arc<Self>, class: Class, reason: Reason) {
        if self.is_forked() {
            return;
        }
        if reason == Reason::BufferFull && !self.started.load(Ordering::Acquire) {
            self.start_again();
        }
        let mut state = self.lock();
        state.refuse(class, reason);
        if reason == Reason::BufferFull && state.last_error.is_none() {
            let limit = self.options.memory_limit;
            state.last_error = Some(format!("the memory limit of {limit} bytes has no room for a record"));
        }
        self.notify_soon(&mut state);
    }

    /// Has the flusher send a notice as soon as one may be sent.
    pub(super) fn notify_soon(&self, state: &mut State) {
        if state.notify_at.is_none() {
            state.notify_at = Some(state.quiet_until);
            self.wake.notify_one();
        }
    }

    /// Sends the notices that are due, at the `end` all. While code of the host runs only the notifier is locked.
    pub(super) fn notify(&self, end: bool) {
        let now = self.timer.elapsed();
        let Ok(mut notifier) = self.notifier.try_lock() else {
            // Another thread sends.
            self.lock().notify_at = Some(now + NUMBERS_EVERY);
            return;
        };
        let health = {
            let mut state = self.lock();
            state.notify_at = None;
            state.health.clone()
        };
        let (news, later) = notifier.due(&health, &self.stats(), now, end);
        let mut state = self.lock();
        state.notify_at = state.notify_at.or(later);
        state.quiet_until = notifier.quiet_until();
        drop(state);
        news.iter().for_each(|notice| self.options.on_notice.send(notice));
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.settled.notify_all();
    }

    /// A record is in the arena: wakes the flusher if it waits for that.
    ///
    /// The flusher stores `parked` and then looks at the number of records, a caller draws its number and then looks at
    /// `parked`: in the one order of all these operations, one of the two sees what the other did.
    #[inline]
    pub(super) fn accepted(self: &Arc<Self>) {
        if !self.started.load(Ordering::Acquire) {
            self.start_again();
        }
        let due = match self.parked.load(Ordering::SeqCst) {
            AWAKE => false,
            TIMED => self.arena.is_filling(),
            _ => true,
        };
        self.press();
        if due && self.parked.swap(AWAKE, Ordering::SeqCst) != AWAKE && !self.is_forked() {
            // The flusher parks with the state locked: it is asleep once it can be locked here.
            drop(self.lock());
            self.wake.notify_one();
        }
    }

    /// Tells the flusher if memory fills, once until it has made room.
    #[inline]
    pub(super) fn press(&self) {
        let high = self.arena.bytes() > self.high_water;
        if high && !self.pressing.swap(true, Ordering::AcqRel) && !self.is_forked() {
            self.pressure.notify_one();
            drop(self.lock());
            self.wake.notify_one();
        }
    }

    /// Whether there is a spool, and anything to put into it.
    pub(super) fn spools(&self) -> bool {
        self.options.enabled && self.options.connection.is_ok() && self.options.spool.is_some()
    }

    /// Whether a batch is complete when so many records wait.
    pub(super) fn is_complete(&self, waiting: u64) -> bool {
        waiting > 0
            && (waiting >= self.options.batch_size.max(1) as u64
                || self.arena.is_pressed(BATCH_BYTES.min(self.options.memory_limit / 4)))
    }

    /// Starts the flusher, unless that has failed a moment ago: a call is not to pay for it again and again.
    #[cold]
    fn start_again(self: &Arc<Self>) {
        if self.timer.elapsed().as_millis() >= u128::from(self.start_at.load(Ordering::Relaxed)) {
            self.start();
        }
    }

    /// Starts the flusher, if there is none.
    #[cold]
    pub(super) fn start(self: &Arc<Self>) {
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        self.owner.store(std::process::id(), Ordering::Release);
        if let Err(error) = flush::spawn(self) {
            // A later record tries again, and so do `flush` and `shutdown`.
            let next = self.timer.elapsed().saturating_add(START_DELAY).as_millis();
            self.start_at.store(u64::try_from(next).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.started.store(false, Ordering::Release);
            let reason = format!("the recorder's thread did not start: {error}");
            let mut state = self.lock();
            (state.health, state.last_error) = (Health::Failing(reason.clone()), Some(reason));
            drop(state);
            // Without it no other thread will do it.
            self.notify(false);
        }
    }

    /// Counts as lost what no flusher will ever take: none could be started until the end.
    pub(super) fn lose_all(&self) {
        // Nobody starts one from now on.
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let (mut intake, mut outcome) = (Intake::new(&self.arena), Outcome::default());
        loop {
            let held = intake.take(&self.arena, usize::MAX, BATCH_BYTES);
            if held.is_empty() {
                break;
            }
            outcome.lose(held.records(), Reason::ShutDown);
        }
        self.update(|state| {
            state.settle(&outcome, Origin::Memory);
            state.stopped = true;
        });
    }

    /// Sleeps until woken, or for this long.
    pub(super) fn sleep<'a>(&self, state: MutexGuard<'a, State>, time: Option<Duration>) -> MutexGuard<'a, State> {
        match time {
            None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(time) => self.wake.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        if self.is_forked() {
            return Stats { last_error: Some(FORKED.to_owned()), ..Stats::default() };
        }
        let state = self.lock();
        // After the lock: what is settled by then has been counted before.
        let accepted = self.arena.accepted();
        Stats {
            recorded: accepted + state.refused(),
            written: state.written,
            spooled: state.spooled,
            quarantined: state.quarantined,
            replayed: state.replayed,
            dropped: state.losses.total(),
            // A count that is wrong is no reason to panic where a host drops its recorder.
            buffered: accepted.saturating_sub(state.settled() + state.spooled),
            buffered_bytes: self.arena.bytes(),
            damaged_bytes: state.damaged_bytes,
            losses: state.losses.list(),
            altered: state.altered,
            last_error: state.last_error.clone(),
        }
    }
}

/// Program and process, so that an operator can tell two writers apart.
fn name() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(std::path::Path::file_stem).map(std::ffi::OsStr::to_string_lossy);
    format!("{} [{}]", program.as_deref().unwrap_or("recorder"), std::process::id())
}

//! The flusher: one thread with its own runtime and one connection, started by the first record.
//!
//! Batches go from memory to the database. When an attempt fails, or memory fills while it lasts, and there is a spool,
//! they go there instead, and the database gets the spool's records first: they are older than all that is in memory.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use uuid::Uuid;

use crate::recorder::BATCH_BYTES;
use crate::recorder::arena::Intake;
use crate::recorder::held::Held;
use crate::recorder::loss::{Loss, Reason};
use crate::recorder::shared::{AWAKE, IDLE, Shared, TIMED};
use crate::recorder::spool::Spool;
use crate::recorder::state::{Origin, Outcome};
use crate::store::write::{Batch, Target};
use batch::counted;

mod attempt;
mod batch;
mod fault;
mod report;

const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
const LEAST_DELAY: Duration = Duration::from_millis(50);
const MOST_DELAY: Duration = Duration::from_secs(30);
/// How often to look whether a batch is complete while records come, and while few do.
const LEAST_LOOK: Duration = Duration::from_millis(20);
const MOST_LOOK: Duration = Duration::from_millis(500);
/// How long records stay in memory when the spool could not take them.
const SPOOL_DELAY: Duration = Duration::from_millis(500);

/// Starts the thread.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flusher = Flusher {
        shared: Arc::clone(shared),
        intake: Intake::new(&shared.arena),
        kept: Vec::new(),
        kept_until: Duration::ZERO,
        opened: None,
        look: Duration::ZERO,
        seen: 0,
        spool: shared.options.spool.as_deref().map(|dir| Spool::new(dir, shared.options.spool_limit)),
        failures: 0,
        retry_at: Duration::ZERO,
        gave_up: false,
        connection: None,
        report: Vec::new(),
        refused: HashSet::new(),
    };
    std::thread::Builder::new().name("obs-recorder".to_owned()).spawn(move || flusher.run(&runtime))?;
    Ok(())
}

struct Flusher {
    shared: Arc<Shared>,
    intake: Intake,
    /// Batches that neither the database nor the spool could take, the next one last, and when to try again.
    kept: Vec<Held>,
    kept_until: Duration,
    /// The records that wait are not older than this.
    opened: Option<Duration>,
    /// How long to sleep before the next look at the number of records, and what it was at the last one.
    look: Duration,
    seen: u64,
    spool: Option<Spool>,
    /// Failed attempts to write from the spool in a row, and when the next one is due.
    failures: u32,
    retry_at: Duration,
    /// The recorder is to end and the database did not take what is in the spool.
    gave_up: bool,
    connection: Option<(PgConnection, Target)>,
    /// Losses that the database may or may not have been told about: told again under the same ids.
    report: Vec<(Uuid, Loss)>,
    /// Rows of the batch that are in the quarantine already: a batch from the spool may be written again as a whole.
    refused: HashSet<Uuid>,
}

/// What is due.
enum Due {
    Memory,
    Spool,
    /// A notice to the host.
    Notice,
}

impl Flusher {
    fn run(mut self, runtime: &Runtime) {
        self.guarded("taking over what others have spooled", Self::adopt);
        while let Some(due) = self.wait() {
            match due {
                Due::Memory if self.has_backlog() => self.spool_memory(),
                Due::Memory => self.write_memory(runtime),
                Due::Spool => self.write_spool(runtime),
                Due::Notice => {}
            }
            self.shared.notify(false);
            self.guarded("the report of losses", |flusher| flusher.report_losses(runtime));
        }
        self.abandon();
        self.guarded("the report of losses", |flusher| flusher.report_losses(runtime));
        self.guarded("closing the connection", |flusher| {
            let Some((connection, _)) = flusher.connection.take() else { return };
            let closing = async { timeout(CLOSE_TIMEOUT, connection.close()).await };
            // Whatever was to be written is written: how the connection ends changes nothing.
            let _ = runtime.block_on(closing);
        });
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.notify(true);
        shared.update(|state| state.stopped = true);
    }

    /// Does something that costs no record if it panics, as a driver may that a broken server answers: then the
    /// connection is not used again, and the flusher goes on.
    fn guarded(&mut self, doing: &str, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.connection = None;
            self.shared.update(|state| state.last_error = Some(format!("{doing} panicked")));
        }
    }

    fn adopt(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        match spool.adopt() {
            Ok(None) => {}
            Ok(Some(skipped)) => self.shared.update(|state| state.last_error = Some(skipped)),
            Err(error) => self.complain(&error),
        }
    }

    fn has_backlog(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| !spool.is_empty())
    }

    /// Sleeps until something is due; none when it is time to stop.
    fn wait(&mut self) -> Option<Due> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            shared.parked.store(AWAKE, Ordering::SeqCst);
            let now = shared.timer.elapsed();
            let accepted = shared.arena.accepted();
            let waiting = accepted > self.intake.read || !self.kept.is_empty();
            let backlog = self.has_backlog();
            if let Some(stop_at) = state.stop_at {
                return match () {
                    () if now >= stop_at || self.gave_up => None,
                    () if backlog => Some(Due::Spool),
                    () if waiting => Some(Due::Memory),
                    () => None,
                };
            }
            if state.notify_at.is_some_and(|at| now >= at) {
                return Some(Due::Notice);
            }
            let kept = (!self.kept.is_empty()).then_some(self.kept_until);
            if kept.is_none_or(|until| now >= until)
                && (kept.is_some()
                    || shared.is_complete(accepted - self.intake.read)
                    || waiting && state.flush_to > self.intake.read)
            {
                self.opened = None;
                return Some(Due::Memory);
            }
            let patience = if state.is_awaited() { LEAST_DELAY } else { MOST_DELAY };
            let retry = backlog.then(|| self.retry_at.min(now + patience));
            if retry.is_some_and(|at| now >= at) {
                return Some(Due::Spool);
            }
            let due = match self.opened.map(|opened| opened.saturating_add(shared.options.flush_interval)) {
                Some(due) if now < due => Some(due),
                Some(_) if waiting && kept.is_none() => {
                    self.opened = None;
                    return Some(Due::Memory);
                }
                // Records have just begun to come, or may go on to: who is not asleep need not be woken.
                None if waiting || self.intake.read > 0 => {
                    self.opened = Some(now);
                    continue;
                }
                _ => None,
            };
            let park = match due {
                // What comes meanwhile has to wait too.
                _ if kept.is_some() => AWAKE,
                Some(_) => TIMED,
                None => IDLE,
            };
            let few = (accepted - self.seen).saturating_mul(8) < shared.options.batch_size as u64;
            let longer = if few { self.look.saturating_mul(2) } else { Duration::ZERO };
            self.look = if park == IDLE { Duration::ZERO } else { longer.clamp(LEAST_LOOK, MOST_LOOK) };
            self.seen = accepted;
            let look = (park == TIMED).then_some(now + self.look);
            shared.parked.store(park, Ordering::SeqCst);
            let more = shared.arena.accepted();
            if match park {
                IDLE => more == accepted,
                TIMED => !shared.is_complete(more - self.intake.read),
                _ => true,
            } {
                let until = [due, retry, kept, look, state.notify_at].into_iter().flatten().min();
                state = shared.sleep(state, until.map(|until| until.saturating_sub(now)));
            }
            if park == IDLE && shared.arena.accepted() > self.intake.read {
                self.opened = Some(shared.timer.elapsed());
            }
        }
    }

    /// The next batch; empty if there is none.
    fn next_batch(&mut self) -> Held {
        self.kept
            .pop()
            .unwrap_or_else(|| self.intake.take(&self.shared.arena, self.shared.options.batch_size.max(1), BATCH_BYTES))
    }

    fn write_memory(&mut self, runtime: &Runtime) {
        let held = self.next_batch();
        let (outcome, left) = self.write(runtime, held, Origin::Memory);
        self.shared.update(|state| state.settle(&outcome, Origin::Memory));
        if left.is_empty() {
            return;
        }
        if self.spool.is_none() {
            self.gave_up = self.shared.lock().stop_at.is_some();
            left.iter().for_each(|held| self.lose(held, Reason::ShutDown));
            return;
        }
        self.failures = 0;
        self.retry_later();
        self.kept.extend(left);
        self.spool_memory();
    }

    /// Puts all that is in memory by now into the spool.
    fn spool_memory(&mut self) {
        // What comes meanwhile may come faster than it can be spooled.
        let mark = self.shared.arena.accepted();
        while !self.kept.is_empty() || self.intake.read < mark {
            let held = self.next_batch();
            if held.is_empty() {
                break;
            }
            let spooled = self.spool(&held.rows(&self.shared.options.redact));
            if !spooled {
                self.kept.push(held);
                self.kept_until = self.shared.timer.elapsed() + SPOOL_DELAY;
                // Callers need not tell again that memory fills.
                return;
            }
        }
        self.shared.pressing.store(false, Ordering::Release);
    }

    /// Puts a batch into the spool; false if there is none, or if it does not take it.
    fn spool(&mut self, batch: &Batch<'_>) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        if let Err(error) = spool.append(batch, counted(batch)) {
            self.complain(&error);
            return false;
        }
        self.shared.update(|state| state.spooled += batch.records());
        true
    }

    fn complain(&self, error: &std::io::Error) {
        self.shared.update(|state| state.last_error = Some(format!("the spool cannot be used: {error}")));
    }

    /// Writes the first segment of the spool.
    fn write_spool(&mut self, runtime: &Runtime) {
        let Some(spool) = &mut self.spool else { return };
        let backlog = match spool.first() {
            Ok(Some(backlog)) => backlog,
            Ok(None) => return,
            Err(error) => {
                self.complain(&error);
                return self.retry_later();
            }
        };
        let origin = if backlog.own { Origin::Spool } else { Origin::Other };
        let mut outcome = Outcome::default();
        for (frames, held) in backlog.parts(self.shared.options.batch_size) {
            self.shared.update(|state| state.settle(&outcome, origin));
            let records = counted(&held.rows(&self.shared.options.redact));
            let (written, left) = self.write(runtime, held, origin);
            if !left.is_empty() {
                // The whole batch is written again, and counted then.
                return self.retry_later();
            }
            self.failures = 0;
            outcome = written;
            if let Some(spool) = &mut self.spool {
                spool.advance(frames, records);
            }
        }
        // Before the last records are counted: who waited for them finds it gone.
        self.remove_segment(&mut outcome);
        self.shared.update(|state| state.settle(&outcome, origin));
    }

    /// What the first segment should have held, and was not found in it, is lost.
    fn remove_segment(&mut self, outcome: &mut Outcome) {
        let Some(spool) = &mut self.spool else { return };
        let (missing, removed) = spool.remove_first();
        outcome.lose(missing, Reason::Spool);
        if let Err(error) = removed {
            self.complain(&error);
        }
    }

    /// After a failed attempt: none more if the recorder is to end.
    fn retry_later(&mut self) {
        self.gave_up = self.shared.lock().stop_at.is_some();
        self.failures = self.failures.saturating_add(1);
        let delay = delay(self.shared.options.retry_delay, self.failures, fastrand::f64());
        self.retry_at = self.shared.timer.elapsed() + delay;
    }

    /// Spools or counts what there was no time for.
    fn abandon(&mut self) {
        loop {
            let held = self.next_batch();
            if held.is_empty() {
                break;
            }
            if !self.spool(&held.rows(&self.shared.options.redact)) {
                self.lose(&held, Reason::ShutDown);
            }
        }
    }
}

/// Exponential backoff with full jitter: anywhere up to `base` · 2ⁿ⁻¹, within fixed bounds.
pub(super) fn delay(base: Duration, failures: u32, chance: f64) -> Duration {
    let most = base.saturating_mul(1 << failures.saturating_sub(1).min(16)).clamp(LEAST_DELAY, MOST_DELAY);
    most.mul_f64(chance).max(LEAST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_within_bounds() {
        let second = Duration::from_secs(1);
        assert_eq!(delay(second, 1, 0.5), Duration::from_millis(500));
        assert_eq!(delay(second, 3, 1.0), Duration::from_secs(4));
        assert_eq!(delay(second, 3, 0.0), LEAST_DELAY);
        assert_eq!(delay(second, u32::MAX, 1.0), MOST_DELAY);
        assert_eq!(delay(Duration::ZERO, 9, 1.0), LEAST_DELAY);
        assert_eq!(delay(Duration::MAX, 9, 0.5), MOST_DELAY / 2);
    }

    proptest::proptest! {
        #[test]
        fn no_delay_is_out_of_bounds(base_ms in 0..100_000_u64, failures: u32, chance in 0.0..1.0) {
            let (base, longest) = (Duration::from_millis(base_ms), delay(Duration::from_millis(base_ms), failures, 1.0));
            let drawn = delay(base, failures, chance);
            proptest::prop_assert!(LEAST_DELAY <= drawn && drawn <= longest && longest <= MOST_DELAY);
            proptest::prop_assert!(longest <= delay(base, failures.saturating_add(1), 1.0));
            proptest::prop_assert!(failures > 1 || longest <= base.max(LEAST_DELAY));
        }
    }
}

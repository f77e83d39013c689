//! The flusher: one thread with its own runtime and one connection, started by the first record.
//!
//! Batches go from memory to the database. When an attempt fails and there is a spool, they go there instead, and the
//! database gets the spool's records first when it is back: they are older than all that is in memory.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use uuid::Uuid;

use crate::model::redact::{self, Words};
use crate::recorder::arena::Intake;
use crate::recorder::loss::{Class, Loss, Reason};
use crate::recorder::record::{Record, coalesce};
use crate::recorder::spool::Spool;
use crate::recorder::state::{Origin, Outcome};
use crate::recorder::{AWAKE, BATCH_BYTES, IDLE, Shared, TIMED};
use crate::store::write::{Batch, Target};
use fault::Fault;

mod attempt;
mod fault;
mod report;

const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
const LEAST_DELAY: Duration = Duration::from_millis(50);
const MOST_DELAY: Duration = Duration::from_secs(30);
/// How long records stay in memory when the spool could not take them.
const SPOOL_DELAY: Duration = Duration::from_millis(500);

const NO_LOG_TABLE: &str =
    "the database has no table job_logs: run `obs-tui db migrate`, or set OBSERVABILITY_LOG_SINK=off";

/// Starts the thread.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flusher = Flusher {
        shared: Arc::clone(shared),
        intake: Intake::new(&shared.arena),
        kept: Vec::new(),
        kept_until: Duration::ZERO,
        opened: None,
        spool: shared.options.spool.as_deref().map(|dir| Spool::new(dir, shared.options.spool_limit)),
        failures: 0,
        retry_at: Duration::ZERO,
        gave_up: false,
        connection: None,
        report: Vec::new(),
    };
    std::thread::Builder::new().name("obs-recorder".to_owned()).spawn(move || flusher.run(&runtime))?;
    Ok(())
}

struct Flusher {
    shared: Arc<Shared>,
    intake: Intake,
    /// Batches that neither the database nor the spool could take, the next one last, and when to try again.
    kept: Vec<Batch>,
    kept_until: Duration,
    /// The records that wait are not older than this.
    opened: Option<Duration>,
    spool: Option<Spool>,
    /// Failed attempts to write from the spool in a row, and when the next one is due.
    failures: u32,
    retry_at: Duration,
    /// The recorder is to end and the database did not take what is in the spool.
    gave_up: bool,
    connection: Option<(PgConnection, Target)>,
    /// Losses that the database may or may not have been told about: told again under the same ids.
    report: Vec<(Uuid, Loss)>,
}

/// What is due.
enum Due {
    Memory,
    Spool,
}

impl Flusher {
    fn run(mut self, runtime: &Runtime) {
        if let Some(spool) = &mut self.spool
            && let Err(error) = spool.adopt()
        {
            self.complain(&error);
        }
        while let Some(due) = self.wait() {
            match due {
                Due::Memory if self.has_backlog() => self.spool_memory(),
                Due::Memory => self.write_memory(runtime),
                Due::Spool => self.write_spool(runtime),
            }
            self.report_losses(runtime);
        }
        self.abandon();
        self.report_losses(runtime);
        if let Some((connection, _)) = self.connection.take() {
            let closing = async { timeout(CLOSE_TIMEOUT, connection.close()).await };
            // Whatever was to be written is written: how the connection ends changes nothing.
            let _ = runtime.block_on(closing);
        }
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.update(|state| state.stopped = true);
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
            let kept = (!self.kept.is_empty()).then_some(self.kept_until);
            if kept.is_none_or(|until| now >= until)
                && (kept.is_some() || shared.is_complete(accepted) || waiting && state.flush_to > self.intake.read)
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
            let park = if due.is_some() { TIMED } else { IDLE };
            shared.parked.store(park, Ordering::SeqCst);
            let more = shared.arena.accepted();
            if more == accepted || park == TIMED && !shared.is_complete(more) || kept.is_some() {
                let until = [due, retry, kept].into_iter().flatten().min();
                state = shared.sleep(state, until.map(|until| until.saturating_sub(now)));
            }
            if park == IDLE && shared.arena.accepted() > self.intake.read {
                self.opened = Some(shared.timer.elapsed());
            }
        }
    }

    /// The rows of the next batch; empty if there are none.
    fn next_batch(&mut self) -> Batch {
        self.kept.pop().unwrap_or_else(|| {
            let records = self.intake.take(&self.shared.arena, self.shared.options.batch_size.max(1), BATCH_BYTES);
            self.shared.taken.store(self.intake.read, Ordering::Relaxed);
            self.rows(records)
        })
    }

    /// Without secrets, which go neither to the database nor to the spool.
    fn rows(&self, records: Vec<Record>) -> Batch {
        let mut batch = coalesce(records);
        redact(&mut batch, &self.shared.secrets);
        batch
    }

    fn write_memory(&mut self, runtime: &Runtime) {
        let batch = self.next_batch();
        let (outcome, left) = self.write(runtime, batch, Origin::Memory);
        self.shared.update(|state| state.settle(&outcome, Origin::Memory));
        if left.is_empty() {
            return;
        }
        self.gave_up = self.shared.lock().stop_at.is_some();
        if self.spool.is_none() {
            left.iter().for_each(|batch| self.lose(batch, Reason::ShutDown));
            return;
        }
        self.failures = 1;
        self.retry_later();
        self.kept = left;
        self.spool_memory();
    }

    /// Puts all that is in memory into the spool.
    fn spool_memory(&mut self) {
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                break;
            }
            if let Err(batch) = self.spool(batch) {
                self.kept.push(batch);
                self.kept_until = self.shared.timer.elapsed() + SPOOL_DELAY;
                // Callers need not tell again that memory fills.
                return;
            }
        }
        self.shared.pressing.store(false, Ordering::Release);
    }

    /// Puts a batch into the spool, or gives it back.
    fn spool(&mut self, batch: Batch) -> Result<(), Batch> {
        let Some(spool) = &mut self.spool else { return Err(batch) };
        match spool.append(&batch) {
            Ok(()) => {
                self.shared.update(|state| state.spooled += batch.records());
                Ok(())
            }
            Err(error) => {
                self.complain(&error);
                Err(batch)
            }
        }
    }

    fn complain(&self, error: &std::io::Error) {
        self.shared.update(|state| state.last_error = Some(format!("the spool cannot be used: {error}")));
    }

    /// Writes the first segment of the spool.
    fn write_spool(&mut self, runtime: &Runtime) {
        let Some(spool) = &mut self.spool else { return };
        let (mut records, own) = match spool.first() {
            Ok(Some(backlog)) => (backlog.records, backlog.own),
            Ok(None) => return,
            Err(error) => {
                self.complain(&error);
                self.failures = self.failures.saturating_add(1);
                return self.retry_later();
            }
        };
        let origin = if own { Origin::Spool } else { Origin::Other };
        if records.is_empty() {
            self.remove_segment();
        }
        while !records.is_empty() {
            let count = records.len().min(self.shared.options.batch_size.max(1));
            let rest = records.split_off(count);
            let batch = self.rows(std::mem::replace(&mut records, rest));
            let (outcome, left) = self.write(runtime, batch, origin);
            if !left.is_empty() {
                // The whole batch is written again, and counted then.
                self.gave_up = self.shared.lock().stop_at.is_some();
                self.failures = self.failures.saturating_add(1);
                return self.retry_later();
            }
            self.failures = 0;
            if let Some(spool) = &mut self.spool {
                spool.advance(count);
            }
            if records.is_empty() {
                self.remove_segment();
            }
            self.shared.update(|state| state.settle(&outcome, origin));
        }
    }

    fn remove_segment(&mut self) {
        if let Some(Err(error)) = self.spool.as_mut().map(Spool::remove_first) {
            self.complain(&error);
        }
    }

    fn retry_later(&mut self) {
        let delay = delay(self.shared.options.retry_delay, self.failures, fastrand::f64());
        self.retry_at = self.shared.timer.elapsed() + delay;
    }

    /// Spools or counts what there was no time for.
    fn abandon(&mut self) {
        loop {
            let batch = self.next_batch();
            if batch.is_empty() {
                break;
            }
            if let Err(batch) = self.spool(batch) {
                self.lose(&batch, Reason::ShutDown);
            }
        }
    }

    /// Writes a batch until every record is written, in quarantine, or lost; or until there is no time, or a better
    /// place to wait: then what is left is returned, the next batch last.
    fn write(&mut self, runtime: &Runtime, batch: Batch, origin: Origin) -> (Outcome, Vec<Batch>) {
        let (mut pending, mut outcome) = (vec![batch], Outcome::default());
        let mut failures = 0;
        while let Some(batch) = pending.pop() {
            let reused = self.connection.is_some();
            let attempt = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.attempt(&batch, origin))));
            let fault = match attempt {
                Ok(Ok(())) => {
                    failures = 0;
                    self.settle(&batch, &mut outcome);
                    continue;
                }
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Panic,
            };
            if !matches!(fault, Fault::Row(_)) {
                self.connection = None;
            }
            let reason = fault.to_string();
            self.shared.update(|state| state.last_error = Some(reason.clone()));
            match fault {
                Fault::Panic => outcome.lost.extend(counted(&batch, Reason::Internal)),
                Fault::Row(_) => pending.extend(self.narrow(batch, &reason, &mut outcome)),
                Fault::OutOfTime => {
                    pending.push(batch);
                    break;
                }
                Fault::Unclear(_) if failures >= self.shared.options.retry_attempts => {
                    failures = 0;
                    pending.extend(self.narrow(batch, &reason, &mut outcome));
                }
                Fault::Unclear(_) | Fault::Passing(_) => {
                    pending.push(batch);
                    // A connection that was idle may have been closed long ago: that says nothing about the server.
                    if !reused {
                        failures += 1;
                        if matches!(fault, Fault::Passing(_)) && self.spool.is_some() || !self.pause(failures) {
                            break;
                        }
                    }
                }
            }
        }
        (outcome, pending)
    }

    /// Counts a batch that is in the database. Its log lines are not where the table is missing.
    fn settle(&self, batch: &Batch, outcome: &mut Outcome) {
        let has_logs = self.connection.as_ref().is_none_or(|(_, target)| target.has_logs());
        let unwritten = if has_logs { 0 } else { batch.log_records() };
        outcome.written += batch.records() - unwritten;
        if unwritten > 0 {
            outcome.lost.push((Class::Log, Reason::Refused, unwritten));
            self.shared.update(|state| state.last_error = Some(NO_LOG_TABLE.to_owned()));
        }
    }

    /// What is left to write of a batch that holds a row the server refuses: its halves, the first one last.
    fn narrow(&mut self, batch: Batch, reason: &str, outcome: &mut Outcome) -> Vec<Batch> {
        if batch.len() > 1 {
            let (first, second) = batch.split();
            return vec![second, first];
        }
        let kept = self.spool.as_mut().map(|spool| quarantine(spool, &batch, reason));
        if let Some(Err(error)) = &kept {
            self.complain(error);
        }
        if matches!(kept, Some(Ok(()))) {
            outcome.quarantined += batch.records();
        } else {
            outcome.lost.extend(counted(&batch, Reason::Refused));
        }
        Vec::new()
    }

    fn lose(&self, batch: &Batch, reason: Reason) {
        let outcome = Outcome { lost: counted(batch, reason), ..Outcome::default() };
        self.shared.update(|state| state.settle(&outcome, Origin::Memory));
    }

    /// Waits before the next attempt, for less if somebody waits for a flush. False when there is no time left.
    fn pause(&self, failures: u32) -> bool {
        let mut state = self.shared.lock();
        let mark = state.flush_to;
        let patience = if state.is_awaited() { 0 } else { failures };
        let due = self.shared.timer.elapsed() + delay(self.shared.options.retry_delay, patience, fastrand::f64());
        loop {
            let now = self.shared.timer.elapsed();
            if state.stop_at.is_some_and(|at| now >= at) {
                return false;
            }
            if now >= due || state.flush_to > mark {
                return true;
            }
            let until = state.stop_at.map_or(due, |at| at.min(due));
            state = self.shared.sleep(state, Some(until - now));
        }
    }
}

/// The records of a batch, by class.
fn counted(batch: &Batch, reason: Reason) -> Vec<(Class, Reason, u64)> {
    let invocations = batch.invocations.iter().map(|row| (Class::Invocation, reason, row.records));
    let events = batch.events.iter().map(|row| (Class::Event, reason, row.records));
    let jobs = batch.jobs.iter().map(|row| (Class::Job, reason, row.records));
    let logs = batch.logs.iter().map(|row| (Class::Log, reason, row.records));
    invocations.chain(events).chain(jobs).chain(logs).collect()
}

/// Masks the secrets in everything that is JSON.
fn redact(batch: &mut Batch, secrets: &Words) {
    let mask = |json: &mut Option<Box<str>>| {
        if let Some(text) = json
            && let Cow::Owned(masked) = redact::mask(text, secrets)
        {
            *text = masked.into();
        }
    };
    for source in batch.invocations.iter_mut().filter_map(|row| row.source.as_deref_mut()) {
        mask(&mut source.payload);
        mask(&mut source.context);
    }
    for row in &mut batch.jobs {
        mask(&mut row.options);
        mask(&mut row.result);
    }
    batch.logs.iter_mut().for_each(|row| mask(&mut row.data));
}

fn quarantine(spool: &mut Spool, batch: &Batch, reason: &str) -> std::io::Result<()> {
    fn each<R: Serialize>(spool: &mut Spool, table: &str, rows: &[R], reason: &str) -> std::io::Result<()> {
        rows.iter().try_for_each(|row| spool.quarantine(table, row, reason))
    }
    each(spool, "invocations", &batch.invocations, reason)?;
    each(spool, "event_executions", &batch.events, reason)?;
    each(spool, "job_executions", &batch.jobs, reason)?;
    each(spool, "job_logs", &batch.logs, reason)
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
}

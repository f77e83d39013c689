//! What becomes of one batch: written, narrowed to the row that is refused, put aside, or lost and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use tokio::runtime::Runtime;

use super::Flusher;
use super::fault::Fault;
use crate::recorder::held::Held;
use crate::recorder::loss::{ByClass, Class, Reason};
use crate::recorder::spool::Spool;
use crate::recorder::state::{Origin, Outcome};
use crate::store::write::Batch;

const NO_LOG_TABLE: &str =
    "the database has no table job_logs: run `obs-tui db migrate`, or set OBSERVABILITY_LOG_SINK=off";

impl Flusher {
    /// Writes a batch until every record is written, in quarantine, or lost; or until there is no time, or a better
    /// place to wait: then what is left is returned, the next batch last, or it has gone to the spool already.
    pub(super) fn write(&mut self, runtime: &Runtime, held: Held, origin: Origin) -> (Outcome, Vec<Held>) {
        let (mut pending, mut outcome) = (vec![held], Outcome::default());
        let (mut failures, mut narrowed) = (0, false);
        while let Some(held) = pending.pop() {
            let batch = held.rows(&self.shared.options.redact);
            let reused = self.connection.is_some();
            let mut sheltered = false;
            let attempt = self.attempt(&batch, &mut pending, origin, &mut sheltered);
            let attempt = catch_unwind(AssertUnwindSafe(|| runtime.block_on(attempt)));
            let fault = match attempt {
                Ok(Ok(())) if sheltered => {
                    self.settle_sheltered(&batch);
                    break;
                }
                Ok(Ok(())) => {
                    failures = 0;
                    self.settle(&batch, &mut outcome);
                    drop(batch);
                    self.intake.reuse(held);
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
            if sheltered {
                // The spool's turn is next: it finds the same fault.
                if !matches!(fault, Fault::Row(_)) {
                    self.retry_later();
                }
                break;
            }
            match fault {
                Fault::Panic => outcome.lose(counted(&batch), Reason::Internal),
                Fault::Row(_) => pending.extend(self.narrow(&held, &batch, &reason, &mut outcome)),
                Fault::OutOfTime => {
                    drop(batch);
                    pending.push(held);
                    break;
                }
                // What a whole batch was tried often enough for is tried again for single rows only.
                Fault::Unclear(_) if failures >= self.shared.options.retry_attempts || narrowed && batch.len() > 1 => {
                    (failures, narrowed) = (0, true);
                    pending.extend(self.narrow(&held, &batch, &reason, &mut outcome));
                }
                Fault::Unclear(_) | Fault::Passing(_) => {
                    drop(batch);
                    pending.push(held);
                    // A connection that was idle may have been closed long ago: that says nothing about the server.
                    if !reused {
                        failures += 1;
                        if matches!(fault, Fault::Passing(_)) && self.spool.is_some() || !self.pause(failures, origin) {
                            break;
                        }
                    }
                }
            }
        }
        (outcome, pending)
    }

    /// Puts a batch that is being written, and what is to follow it, into the spool, which is empty: memory fills. True
    /// if the spool has taken the batch, whatever becomes of the attempt.
    pub(super) fn shelter(&mut self, batch: &Batch<'_>, pending: &mut Vec<Held>) -> bool {
        if !self.spool(batch) {
            return false;
        }
        self.kept.append(pending);
        self.spool_memory();
        true
    }

    /// Counts a batch that is in the database, and at the beginning of the spool.
    fn settle_sheltered(&mut self, batch: &Batch<'_>) {
        let mut outcome = Outcome::default();
        self.settle(batch, &mut outcome);
        if let Some(spool) = &mut self.spool {
            spool.advance(batch.len(), counted(batch));
        }
        self.shared.update(|state| state.settle(&outcome, Origin::Spool));
    }

    /// Counts a batch that is in the database. Its log lines are not where the table is missing.
    fn settle(&self, batch: &Batch<'_>, outcome: &mut Outcome) {
        let has_logs = self.connection.as_ref().is_none_or(|(_, target)| target.has_logs());
        let unwritten = if has_logs { 0 } else { batch.log_records() };
        outcome.written += batch.records() - unwritten;
        if unwritten > 0 {
            outcome.lost.push((Class::Log, Reason::Refused, unwritten));
            self.shared.update(|state| state.last_error = Some(NO_LOG_TABLE.to_owned()));
        }
    }

    /// What is left to write of a batch that holds a row the server refuses: its halves, the first one last.
    fn narrow(&mut self, held: &Held, batch: &Batch<'_>, reason: &str, outcome: &mut Outcome) -> Vec<Held> {
        if batch.len() > 1 {
            let (first, second) = held.clone().halves();
            return vec![second, first];
        }
        let kept = self.spool.as_mut().map(|spool| quarantine(spool, batch, reason));
        if let Some(Err(error)) = &kept {
            self.complain(error);
        }
        if matches!(kept, Some(Ok(()))) {
            outcome.quarantined += batch.records();
        } else {
            outcome.lose(counted(batch), Reason::Refused);
        }
        Vec::new()
    }

    pub(super) fn lose(&self, held: &Held, reason: Reason) {
        let mut outcome = Outcome::default();
        outcome.lose(counted(&held.rows(&self.shared.options.redact)), reason);
        self.shared.update(|state| state.settle(&outcome, Origin::Memory));
    }
}

/// The records of a batch.
pub(super) fn counted(batch: &Batch<'_>) -> ByClass {
    let invocations = batch.invocations.iter().map(|row| row.records).sum();
    let events = batch.events.iter().map(|row| row.records).sum();
    let jobs = batch.jobs.iter().map(|row| row.records).sum();
    [invocations, events, jobs, batch.log_records()]
}

fn quarantine(spool: &mut Spool, batch: &Batch<'_>, reason: &str) -> std::io::Result<()> {
    fn each<R: Serialize>(spool: &mut Spool, table: &str, rows: &[R], reason: &str) -> std::io::Result<()> {
        rows.iter().try_for_each(|row| spool.quarantine(table, row, reason))
    }
    each(spool, "invocations", &batch.invocations, reason)?;
    each(spool, "event_executions", &batch.events, reason)?;
    each(spool, "job_executions", &batch.jobs, reason)?;
    each(spool, "job_logs", &batch.logs, reason)
}

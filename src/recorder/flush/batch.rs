//! What becomes of one batch: written, narrowed to the row that is refused, put aside, or lost and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::Flusher;
use super::attempt::{Form, Verdict};
use super::fault::Fault;
use crate::recorder::held::Held;
use crate::recorder::loss::{ByClass, Class, Reason};
use crate::recorder::notice::Health;
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
        let (mut failures, mut isolating, mut form) = (0, false, Form::Whole);
        while let Some(held) = pending.pop() {
            let batch = held.rows(&self.shared.options.redact);
            let reused = self.connection.is_some();
            let mut sheltered = false;
            let attempt = self.attempt(&batch, &mut pending, origin, &mut sheltered, form);
            let attempt = catch_unwind(AssertUnwindSafe(|| runtime.block_on(attempt)));
            let mut fault = match attempt {
                Ok(Ok(altered)) => {
                    self.shared
                        .update(|state| (state.health, state.altered) = (Health::Writing, state.altered + altered));
                    if sheltered {
                        self.settle_sheltered(&batch);
                        break;
                    }
                    (failures, form) = (0, Form::Whole);
                    self.settle(&batch, &mut outcome);
                    drop(batch);
                    self.intake.reuse(held);
                    continue;
                }
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Panic,
            };
            // What a whole batch was tried often enough for is tried again for single rows only.
            let exhausted = failures >= self.shared.options.retry_attempts || isolating && batch.len() > 1;
            let is_refused = |fault: &Fault| match fault {
                Fault::Row(_) | Fault::Unfit(_) => true,
                Fault::Unclear(_) => exhausted,
                _ => false,
            };
            // Rows are isolated only where the server would accept others.
            if is_refused(&fault) && !sheltered && (!isolating || batch.len() == 1) {
                match self.judge(runtime, &batch, !isolating) {
                    Verdict::Rows => {}
                    Verdict::Changed => {
                        drop(batch);
                        pending.push(held);
                        continue;
                    }
                    Verdict::Other(other) => (fault, isolating) = (other, false),
                }
            }
            if !matches!(fault, Fault::Table(_)) && !is_refused(&fault) {
                self.connection = None;
            }
            let reason = fault.to_string();
            self.shared.update(|state| {
                if matches!(fault, Fault::Table(_) | Fault::Passing(_) | Fault::Unclear(_)) {
                    state.health = Health::Failing(reason.clone());
                }
                state.last_error = Some(reason.clone());
            });
            if sheltered {
                // The spool's turn is next: it finds the same fault.
                if !matches!(fault, Fault::Row(_) | Fault::Unfit(_)) {
                    self.retry_later();
                }
                break;
            }
            match fault {
                Fault::Panic => outcome.lose(counted(&batch), Reason::Internal),
                Fault::OutOfTime => {
                    drop(batch);
                    pending.push(held);
                    break;
                }
                Fault::Unfit(_) if batch.len() == 1 && form == Form::Whole => {
                    form = Form::Plain;
                    drop(batch);
                    pending.push(held);
                }
                _ if is_refused(&fault) => {
                    (failures, isolating, form) = (0, true, Form::Whole);
                    pending.extend(self.narrow(&held, &batch, &reason, &mut outcome));
                    self.pace(runtime);
                }
                Fault::Row(_) | Fault::Unfit(_) | Fault::Unclear(_) | Fault::Table(_) | Fault::Passing(_) => {
                    drop(batch);
                    pending.push(held);
                    // A connection that was idle may have been closed long ago: that says nothing about the server.
                    if !reused || matches!(fault, Fault::Table(_)) {
                        failures += 1;
                        let waits_in_spool = self.spool.is_some() && !matches!(fault, Fault::Unclear(_));
                        if waits_in_spool || !self.pause(failures, origin) {
                            break;
                        }
                    }
                }
            }
        }
        if pending.is_empty() {
            self.refused.clear();
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
        let id = row_id(batch);
        let kept = self.spool.as_mut().map(|spool| match self.refused.contains(&id) {
            true => Ok(()),
            false => quarantine(spool, batch, reason),
        });
        if let Some(Err(error)) = &kept {
            self.complain(error);
        }
        if matches!(kept, Some(Ok(()))) {
            outcome.quarantined += batch.records();
            self.refused.insert(id);
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

/// The id of the only row of a batch.
fn row_id(batch: &Batch<'_>) -> Uuid {
    let others = batch.jobs.iter().map(|row| row.id).chain(batch.logs.iter().map(|row| row.id));
    let ids = batch.invocations.iter().map(|row| row.id).chain(batch.events.iter().map(|row| row.id)).chain(others);
    ids.last().unwrap_or_default()
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

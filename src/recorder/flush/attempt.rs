//! One attempt to write a batch, with its time limits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnection;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::Flusher;
use super::fault::Fault;
use crate::recorder::held::Held;
use crate::recorder::shared::Shared;
use crate::recorder::state::Origin;
use crate::store::connect::open;
use crate::store::error::StoreError;
use crate::store::write::{self, Batch, Target};

/// The least time between two refused attempts while single rows are isolated.
const PACE: Duration = Duration::from_millis(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long telling who listens may hold up the next batch.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    /// A row that was refused as it is, with its texts cut.
    Plain,
}

/// What a refusal is about.
pub(super) enum Verdict {
    /// Rows of the batch: another row would be accepted.
    Rows,
    /// The tables have changed since they were looked at.
    Changed,
    /// Not the rows, but this.
    Other(Fault),
}

impl Flusher {
    /// Finds out whether the server refuses rows of this batch or any row, by a row without faults; `first` by another look at
    /// the tables.
    pub(super) fn judge(&mut self, runtime: &Runtime, batch: &Batch<'_>, first: bool) -> Verdict {
        let Some((mut connection, target)) = self.connection.take() else { return Verdict::Rows };
        let shared = &self.shared;
        let schema = shared.options.connection.as_ref().map(|config| config.schema.as_str()).unwrap_or_default();
        let probe = async {
            if first && Target::probe(&mut connection, schema).await? != target {
                return Ok(true);
            }
            write::probe(&mut connection, &target, batch).await.map(|()| false)
        };
        let probe = async {
            tokio::select! {
                outcome = timeout(patience(shared), probe) => match outcome {
                    Ok(outcome) => outcome.map_err(Fault::from),
                    Err(_) => Err(Fault::timed_out("inserting a row to try the tables")),
                },
                () = expiry(shared) => Err(Fault::OutOfTime),
            }
        };
        let panicked = |_| Err(Fault::Passing("trying the tables panicked".to_owned()));
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(probe))).unwrap_or_else(panicked);
        let verdict = match outcome {
            Ok(false) => Verdict::Rows,
            Err(Fault::Row(reason) | Fault::Unfit(reason) | Fault::Unclear(reason)) => {
                Verdict::Other(Fault::Table(reason))
            }
            // The next attempt connects anew, and looks at the tables then.
            Ok(true) => return Verdict::Changed,
            Err(fault) => return Verdict::Other(fault),
        };
        self.connection = Some((connection, target));
        verdict
    }

    /// Waits a moment after a row was refused: isolating such rows shall not keep the server busy.
    pub(super) fn pace(&self, runtime: &Runtime) {
        if self.shared.lock().stop_at.is_none() {
            runtime.block_on(async {
                tokio::select! {
                    () = sleep(PACE) => {}
                    () = self.shared.interrupt.notified() => {}
                }
            });
        }
    }

    /// One attempt, broken off when the time of a shutdown is over. When memory fills meanwhile it goes to the spool, and
    /// a batch that is from memory before all else: then `sheltered` is set.
    pub(super) async fn attempt(
        &mut self,
        batch: &Batch<'_>,
        pending: &mut Vec<Held>,
        origin: Origin,
        sheltered: &mut bool,
        form: Form,
    ) -> Result<u64, Fault> {
        let shared = Arc::clone(&self.shared);
        // Taken out: a query that is broken off leaves its connection in no usable state.
        let mut connection = self.connection.take();
        shared.pressing.store(false, Ordering::Release);
        shared.press();
        let outcome = {
            let mut work = std::pin::pin!(connect_and_write(&shared, &mut connection, batch, form));
            loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    () = expiry(&shared) => break Err(Fault::OutOfTime),
                    () = shared.pressure.notified() => {
                        if shared.arena.bytes() <= shared.high_water {
                            shared.pressing.store(false, Ordering::Release);
                        } else if origin == Origin::Memory && !*sheltered {
                            *sheltered = self.shelter(batch, pending);
                        } else {
                            self.spool_memory();
                        }
                    }
                }
            }
        };
        if let (Ok(_), Some((connection, target))) = (&outcome, &mut connection) {
            let told = timeout(TELL_TIMEOUT, write::tell(connection, target));
            // The rows are written, whatever becomes of the hint.
            tokio::select! {
                _ = told => {}
                () = expiry(&shared) => {}
            }
        }
        self.connection = connection;
        outcome
    }
}

async fn connect_and_write(
    shared: &Shared,
    place: &mut Option<(PgConnection, Target)>,
    batch: &Batch<'_>,
    form: Form,
) -> Result<u64, Fault> {
    let (mut connection, target) = match place.take() {
        Some(open) => open,
        None => timeout(CONNECT_TIMEOUT, connect(shared)).await.map_err(|_| Fault::timed_out("connecting"))??,
    };
    let plain = (form == Form::Plain).then(|| target.plain());
    let write = write::write(&mut connection, plain.as_ref().unwrap_or(&target), batch);
    let written = timeout(patience(shared), write).await;
    let outcome = written.map_err(|_| Fault::timed_out("writing a batch"))?.map_err(Fault::from);
    *place = Some((connection, target));
    outcome
}

/// Longer than the session's own limit, whose error says more.
pub(super) fn patience(shared: &Shared) -> Duration {
    let limit = shared.options.write_timeout;
    limit.saturating_add(limit / 6)
}

async fn connect(shared: &Shared) -> Result<(PgConnection, Target), Fault> {
    let config = shared.options.connection.as_ref().map_err(|error| Fault::Passing(error.clone()))?;
    let at = |error| Fault::Passing(StoreError::at(config, error).to_string());
    // The host's own log is no place for the statements of its recorder.
    let limit = format!("{}ms", shared.options.write_timeout.as_millis().clamp(1, i32::MAX as u128));
    let options =
        config.writer_options(&shared.name).options([("statement_timeout", limit)]).disable_statement_logging();
    let mut connection = open(config, &options).await.map_err(|error| Fault::Passing(error.to_string()))?;
    let target = Target::probe(&mut connection, &config.schema).await.map_err(at)?;
    if target.is_complete() {
        Ok((connection, target))
    } else {
        Err(Fault::Passing(format!(
            "schema {} of {config} lacks the tables of the recorder, or this role may not see them: run `obs-tui db migrate`",
            config.schema
        )))
    }
}

/// Ends when the time of a shutdown is over.
pub(super) async fn expiry(shared: &Shared) {
    loop {
        let stop_at = shared.lock().stop_at;
        match stop_at {
            None => shared.interrupt.notified().await,
            Some(at) => return sleep(at.saturating_sub(shared.timer.elapsed())).await,
        }
    }
}

//! One attempt to write a batch, with its time limits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnection;
use tokio::time::{sleep, timeout};

use super::Flusher;
use super::fault::Fault;
use crate::recorder::held::Held;
use crate::recorder::shared::Shared;
use crate::recorder::state::Origin;
use crate::store::connect::open;
use crate::store::error::StoreError;
use crate::store::write::{self, Batch, Target};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long telling who listens may hold up the next batch.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

impl Flusher {
    /// One attempt, broken off when the time of a shutdown is over. When memory fills meanwhile it goes to the spool, and
    /// a batch that is from memory before all else: then `sheltered` is set.
    pub(super) async fn attempt(
        &mut self,
        batch: &Batch<'_>,
        pending: &mut Vec<Held>,
        origin: Origin,
        sheltered: &mut bool,
    ) -> Result<u64, Fault> {
        let shared = Arc::clone(&self.shared);
        // Taken out: a query that is broken off leaves its connection in no usable state.
        let mut connection = self.connection.take();
        shared.pressing.store(false, Ordering::Release);
        shared.press();
        let outcome = {
            let mut work = std::pin::pin!(connect_and_write(&shared, &mut connection, batch));
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
) -> Result<u64, Fault> {
    let (mut connection, target) = match place.take() {
        Some(open) => open,
        None => timeout(CONNECT_TIMEOUT, connect(shared)).await.map_err(|_| Fault::timed_out("connecting"))??,
    };
    let written = timeout(patience(shared), write::write(&mut connection, &target, batch)).await;
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

//! The flusher: one thread with its own runtime and one connection, started by the first record.
//!
//! Batches go from memory to the database. When an attempt fails, or memory fills while it lasts, and there is a spool,
//! they go there instead, and the database gets the spool's records first: they are older than all that is in memory.

use std::collections::HashSet;
use std::io::{Error, ErrorKind};
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
use crate::recorder::loss::{ByClass, Loss, Reason};
use crate::recorder::shared::Shared;
use crate::recorder::spool::{Aside, Damage, Spool};
use crate::recorder::state::{Origin, Outcome};
use crate::store::write::{Batch, Target};
use batch::counted;

mod attempt;
mod batch;
mod fault;
mod report;
mod survive;
mod wait;

#[cfg(feature = "loki")]
pub(super) use wait::{LEAST_DELAY, delay};

const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest delay between attempts while the recorder is to end.
pub(super) const STOP_DELAY: Duration = Duration::from_millis(200);
/// How long records stay in memory when the spool could not take them.
const SPOOL_DELAY: Duration = Duration::from_millis(500);
/// How often a file of the spool is tried again that cannot be read for want of something that may come back.
const SPOOL_ATTEMPTS: u32 = 5;

/// Starts the thread.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flusher = Flusher::new(shared);
    let work = move || {
        let shared = Arc::clone(&flusher.shared);
        // Whatever happens, nobody waits for it in vain.
        let _ = catch_unwind(AssertUnwindSafe(|| flusher.run(&runtime)));
        shared.notify(true);
        shared.update(|state| state.stopped = true);
    };
    std::thread::Builder::new().name("obs-recorder".to_owned()).spawn(work)?;
    Ok(())
}

struct Flusher {
    shared: Arc<Shared>,
    intake: Intake,
    /// Batches that neither the database nor the spool could take, the next one last, and when to try again.
    kept: Vec<Held>,
    kept_until: Duration,
    /// The records of the batch that was taken out of memory last.
    taken: ByClass,
    /// The records that wait are not older than this.
    opened: Option<Duration>,
    /// How long to sleep before the next look at the number of records, and what it was at the last one.
    look: Duration,
    seen: u64,
    spool: Option<Spool>,
    /// Failed attempts to write from the spool in a row, and when the next one is due.
    failures: u32,
    retry_at: Duration,
    /// When the last attempt has failed.
    failed_at: Duration,
    /// The recorder is to end, and an attempt has failed since it knows.
    gave_up: bool,
    /// How many of those who asked for an attempt at once have got it.
    heard: u64,
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
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            intake: Intake::new(&shared.arena),
            kept: Vec::new(),
            kept_until: Duration::ZERO,
            taken: ByClass::default(),
            opened: None,
            look: Duration::ZERO,
            seen: 0,
            spool: shared.options.spool.as_deref().map(|dir| Spool::new(dir, shared.options.spool_limit)),
            failures: 0,
            retry_at: Duration::ZERO,
            failed_at: Duration::ZERO,
            gave_up: false,
            heard: 0,
            connection: None,
            report: Vec::new(),
            refused: HashSet::new(),
        }
    }

    fn run(mut self, runtime: &Runtime) {
        self.guarded("taking over what others have spooled", Self::adopt);
        self.survive(|flusher| flusher.round(runtime));
        self.guarded("putting aside what was not written", Self::abandon);
        self.lose_rest();
        self.guarded("the report of losses", |flusher| flusher.report_losses(runtime));
        self.guarded("closing the connection", |flusher| {
            let Some((connection, _)) = flusher.connection.take() else { return };
            let closing = async { timeout(CLOSE_TIMEOUT, connection.close()).await };
            // Whatever was to be written is written: how the connection ends changes nothing.
            let _ = runtime.block_on(closing);
        });
    }

    /// Does what is due next; false when it is time to stop.
    fn round(&mut self, runtime: &Runtime) -> bool {
        match self.wait() {
            None => return false,
            Some(Due::Memory) if self.has_backlog() => self.spool_memory(),
            Some(Due::Memory) => self.write_memory(runtime),
            Some(Due::Spool) => self.write_spool(runtime),
            Some(Due::Notice) => {}
        }
        self.shared.notify(false);
        self.guarded("the report of losses", |flusher| flusher.report_losses(runtime));
        true
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

    /// The next batch; empty if there is none.
    fn next_batch(&mut self) -> Held {
        let held = self.kept.pop().unwrap_or_else(|| {
            self.intake.take(&self.shared.arena, self.shared.options.batch_size.max(1), BATCH_BYTES)
        });
        self.taken = held.records();
        held
    }

    fn write_memory(&mut self, runtime: &Runtime) {
        let held = self.next_batch();
        let (outcome, left) = self.write(runtime, held, Origin::Memory);
        self.shared.update(|state| state.settle(&outcome, Origin::Memory));
        if left.is_empty() {
            self.gave_up = false;
        } else if self.spool.is_none() {
            // It is tried again and again while there is time.
            left.iter().for_each(|held| self.lose(held, Reason::ShutDown));
        } else {
            self.failures = 0;
            self.retry_later();
            self.kept.extend(left);
            self.spool_memory();
        }
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
            Err(error) if may_pass(&error) && self.failures < SPOOL_ATTEMPTS => {
                self.complain(&error);
                return self.retry_later();
            }
            // One file is no reason to write nothing else.
            Err(error) => return self.set_aside(&error.to_string()),
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
            (self.failures, self.gave_up) = (0, false);
            outcome = written;
            if let Some(spool) = &mut self.spool {
                spool.advance(frames, records);
            }
        }
        // Before the last records are counted: who waited for them finds it gone.
        match &backlog.damage {
            None => self.remove_segment(&mut outcome),
            Some(damage) => self.put_aside(damage, &mut outcome),
        }
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

    /// Sets the first segment aside, which cannot be written at all.
    fn set_aside(&mut self, why: &str) {
        let (damage, mut outcome) = (Damage { why: why.to_owned(), ..Damage::default() }, Outcome::default());
        self.put_aside(&damage, &mut outcome);
        // What another process recorded was never counted here.
        self.shared.update(|state| state.settle(&outcome, Origin::Spool));
        self.failures = 0;
    }

    /// Sets the first segment aside, of which this was not written.
    fn put_aside(&mut self, damage: &Damage, outcome: &mut Outcome) {
        let Some(Aside { missing, place, bytes }) = self.spool.as_mut().and_then(Spool::set_aside_first) else {
            return;
        };
        let (lost, bytes) = (missing.unwrap_or(damage.records), if damage.bytes == 0 { bytes } else { damage.bytes });
        outcome.lose(lost, Reason::Spool);
        let lost = match lost.iter().sum::<u64>() {
            0 => "what they held cannot be told".to_owned(),
            records => format!("{records} records are lost"),
        };
        let what = format!("{}; {bytes} bytes of it were not read, {lost}", damage.why);
        let said = match place {
            Ok(path) => format!("the spool's file is kept as {}: {what}", path.display()),
            Err((path, error)) => format!("the spool's file {} stays where it is ({error}): {what}", path.display()),
        };
        self.shared.update(|state| {
            state.damaged_bytes += bytes;
            state.last_error = Some(said);
        });
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

/// Whether a file may be readable later: the process has no more handles or memory at the moment.
fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::Interrupted | ErrorKind::WouldBlock)
        || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

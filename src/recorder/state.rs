//! What became of the records so far, and what callers ask of the flusher.

use std::time::Duration;

use crate::recorder::loss::{ByClass, Class, Losses, Reason};
use crate::recorder::notice::Health;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) written: u64,
    /// Records of this process that wait in the spool.
    pub(super) spooled: u64,
    /// Records of this process in the quarantine.
    pub(super) quarantined: u64,
    /// Records of other processes that were found in the spool and written, or put into quarantine.
    pub(super) replayed: u64,
    /// Bytes in files of the spool that could not be read.
    pub(super) damaged_bytes: u64,
    pub(super) losses: Losses,
    pub(super) last_error: Option<String>,
    /// Lost records that had been in the arena.
    pub(super) lost_later: u64,
    /// Texts in the database that have another form than they had.
    pub(super) altered: u64,
    pub(super) health: Health,
    /// When the next notice is due, if any, and until when none of losses is.
    pub(super) notify_at: Option<Duration>,
    pub(super) quiet_until: Duration,
    /// Everything up to this record is to be written at once.
    pub(super) flush_to: u64,
    /// How often somebody has asked for an attempt at once.
    pub(super) asks: u64,
    /// No more records; what is held may be written until this time.
    pub(super) stop_at: Option<Duration>,
    pub(super) stopped: bool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) written: u64,
    pub(super) quarantined: u64,
    pub(super) lost: Vec<(Class, Reason, u64)>,
}

impl Outcome {
    pub(super) fn lose(&mut self, records: ByClass, reason: Reason) {
        let lost = Class::ALL.into_iter().zip(records).map(|(class, records)| (class, reason, records));
        self.lost.extend(lost.filter(|(_, _, records)| *records > 0));
    }
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Memory,
    Spool,
    /// The spool of another process.
    Other,
}

impl State {
    /// A record that was never held.
    pub(super) fn refuse(&mut self, class: Class, reason: Reason) {
        self.losses.add(class, reason, 1);
    }

    pub(super) fn settle(&mut self, outcome: &Outcome, origin: Origin) {
        let lost: u64 = outcome.lost.iter().map(|(_, _, records)| records).sum();
        for (class, reason, records) in &outcome.lost {
            self.losses.add(*class, *reason, *records);
        }
        if origin == Origin::Other {
            self.replayed += outcome.written + outcome.quarantined;
            return;
        }
        self.lost_later += lost;
        self.written += outcome.written;
        self.quarantined += outcome.quarantined;
        if origin == Origin::Spool {
            self.spooled -= (outcome.written + outcome.quarantined + lost).min(self.spooled);
        }
    }

    /// Lost records that were never held in memory here: refused, or left by another process.
    pub(super) fn refused(&self) -> u64 {
        self.losses.total().saturating_sub(self.lost_later)
    }

    /// Records that are neither waiting nor being written any more.
    pub(super) fn settled(&self) -> u64 {
        self.written + self.quarantined + self.lost_later
    }

    /// Whether somebody waits for records to be written.
    pub(super) fn is_awaited(&self) -> bool {
        self.settled() < self.flush_to
    }
}

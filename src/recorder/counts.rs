//! How many jobs an event or an invocation has had.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Jobs count themselves at their event, which adds them to its invocation when it ends, and from then on at both.
///
/// Each number holds whether the row is closed: the last record of a row either counts a job, or the job finds the row
/// closed and has it recorded once more.
#[derive(Debug, Default)]
pub(super) struct Counts {
    started: AtomicU32,
    /// Jobs that succeeded, and jobs that failed shifted left by 32 bits.
    ended: AtomicU64,
}

const STARTED_CLOSED: u32 = 1 << 31;
const ENDED_CLOSED: u64 = 1 << 63;

impl Counts {
    /// Counts a job that starts. True if the row is closed.
    #[inline]
    pub(super) fn start(&self) -> bool {
        self.add_started(1)
    }

    /// Counts a job that ends. True if the row is closed.
    #[inline]
    pub(super) fn end(&self, failed: bool) -> bool {
        self.add_ended(if failed { 1 << 32 } else { 1 })
    }

    /// The last record of the row is about to be made.
    pub(super) fn close(&self) {
        self.started.fetch_or(STARTED_CLOSED, Ordering::AcqRel);
        self.ended.fetch_or(ENDED_CLOSED, Ordering::AcqRel);
    }

    /// Like `close`; hands on what was counted so far. True if the other row is closed.
    pub(super) fn close_into(&self, other: &Self) -> bool {
        let started = self.started.fetch_or(STARTED_CLOSED, Ordering::AcqRel);
        other.add_started(started);
        other.add_ended(self.ended.fetch_or(ENDED_CLOSED, Ordering::AcqRel))
    }

    #[inline]
    fn add_started(&self, jobs: u32) -> bool {
        self.started.fetch_add(jobs, Ordering::AcqRel) & STARTED_CLOSED != 0
    }

    #[inline]
    fn add_ended(&self, jobs: u64) -> bool {
        self.ended.fetch_add(jobs, Ordering::AcqRel) & ENDED_CLOSED != 0
    }

    /// Jobs that ran, succeeded and failed.
    pub(super) fn jobs(&self) -> [i32; 3] {
        let ended = self.ended.load(Ordering::Acquire);
        let count = |bits: u64| i32::try_from(bits & 0x7FFF_FFFF).unwrap_or(i32::MAX);
        [count(self.started.load(Ordering::Acquire).into()), count(ended), count(ended >> 32)]
    }
}

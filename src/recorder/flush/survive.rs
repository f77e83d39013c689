//! What a panic of the flusher costs: the batch that was on its way, counted. Then it goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Flusher, STOP_DELAY};
use crate::recorder::loss::{ByClass, Class, Reason};
use crate::recorder::state::{Origin, Outcome};

/// How many panics in a row the first segment of the spool may have caused.
const MOST_OF_SEGMENT: u32 = 3;
/// After how many in a row it does not go on any more once it is to end.
const MOST_AT_END: u32 = 10;

impl Flusher {
    /// Goes round until there is no more to do, whatever panics in between: less and less often if each time does.
    pub(super) fn survive(&mut self, mut round: impl FnMut(&mut Self) -> bool) {
        let mut panics = 0;
        loop {
            match catch_unwind(AssertUnwindSafe(|| round(self))) {
                Ok(true) => panics = 0,
                Ok(false) => break,
                Err(_) => {
                    panics += 1;
                    self.recover(panics);
                    if !self.rest(panics) {
                        break;
                    }
                }
            }
        }
    }

    /// Does something that costs no record if it panics, as a driver may that a broken server answers: then the
    /// connection is not used again, and the flusher goes on.
    pub(super) fn guarded(&mut self, doing: &str, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.connection = None;
            self.shared.update(|state| state.last_error = Some(format!("{doing} panicked")));
        }
    }

    /// Counts what was taken out of memory and is nowhere any more; sets a segment aside that makes it panic.
    fn recover(&mut self, panics: u32) {
        self.connection = None;
        self.shared.update(|state| {
            state.last_error = Some("the recorder's thread panicked: the batch on its way is lost".to_owned());
        });
        let kept = self.kept.iter().map(|held| held.records().iter().sum::<u64>()).sum();
        self.lose_missing(self.intake.read, kept, self.taken);
        if panics >= MOST_OF_SEGMENT && self.has_backlog() {
            self.guarded("setting a file of the spool aside", |flusher| flusher.set_aside("writing it panics"));
        }
    }

    /// Waits after a panic; false if it is to end.
    fn rest(&mut self, panics: u32) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let mut due = shared.timer.elapsed() + self.backoff(&state, panics);
        loop {
            let now = shared.timer.elapsed();
            if let Some(stop_at) = state.stop_at {
                if now >= stop_at || panics >= MOST_AT_END {
                    return false;
                }
                due = due.min(now + STOP_DELAY).min(stop_at);
            }
            if now >= due {
                return true;
            }
            state = shared.sleep(state, Some(due - now));
        }
    }

    /// At the end: what neither the database nor the spool has, and nobody has counted.
    pub(super) fn lose_rest(&mut self) {
        self.kept.clear();
        self.lose_missing(self.shared.arena.accepted(), 0, self.taken);
    }

    /// Of so many records that were accepted, and so many that wait, those are lost that are in no count: of these
    /// classes, as far as that is known.
    fn lose_missing(&self, accepted: u64, kept: u64, known: ByClass) {
        self.shared.update(|state| {
            let missing = accepted.saturating_sub(state.settled() + state.spooled + kept);
            let mut left = missing;
            let mut records = known.map(|records| {
                let lost = records.min(left);
                left -= lost;
                lost
            });
            if let Some(jobs) =
                Class::ALL.iter().position(|class| *class == Class::Job).and_then(|at| records.get_mut(at))
            {
                *jobs += left;
            }
            let mut outcome = Outcome::default();
            outcome.lose(records, Reason::Internal);
            state.settle(&outcome, Origin::Memory);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::*;
    use crate::recorder::loss::Loss;
    use crate::recorder::{Options, Recorder, Stats};

    /// A recorder with the records of one invocation, one event and so many jobs, whose flusher is in the hands of the test.
    fn recorder(jobs: usize, options: Options) -> (Recorder, Flusher) {
        let options = Options { retry_delay: Duration::ZERO, batch_size: 4, ..options };
        let recorder = Recorder::new(options);
        let shared = Arc::clone(&recorder.handle.shared);
        shared.started.store(true, Ordering::Release);
        let invocation = recorder.invocation("function").start();
        let handler = invocation.event("event").detected();
        (0..jobs).for_each(|n| handler.job("job").start().complete(&n));
        handler.finish();
        invocation.finish();
        let flusher = Flusher::new(&shared);
        (recorder, flusher)
    }

    fn nowhere() -> Options {
        Options::from_url("postgresql://app@127.0.0.1:1/nowhere?sslmode=disable")
    }

    fn adds_up(stats: &Stats) {
        let known = stats.written + stats.spooled + stats.quarantined + stats.dropped + stats.buffered;
        assert_eq!(stats.recorded, known, "{stats:?}");
    }

    #[test]
    fn a_panic_costs_the_batch_on_its_way_and_the_flusher_goes_on() {
        let (recorder, mut flusher) = recorder(3, nowhere());
        let mut rounds = 0;
        flusher.survive(|flusher| {
            rounds += 1;
            let held = flusher.next_batch();
            match rounds {
                1 => flusher.kept.push(held),
                // Once the batch that waited, once one from memory.
                2 | 3 => panic!("on purpose"),
                _ => {
                    let outcome = Outcome { written: held.records().iter().sum(), ..Outcome::default() };
                    flusher.shared.update(|state| state.settle(&outcome, Origin::Memory));
                }
            }
            rounds < 4
        });
        let stats = recorder.stats();
        adds_up(&stats);
        assert_eq!((rounds, stats.recorded, stats.dropped, stats.written, stats.buffered), (4, 11, 8, 3, 0));
        let lost = |class, records| Loss { class, reason: Reason::Internal, records };
        assert_eq!(stats.losses, [lost(Class::Invocation, 1), lost(Class::Event, 2), lost(Class::Job, 5)]);
        assert!(stats.last_error.unwrap().contains("panicked"));
        flusher.lose_rest();
        assert_eq!(recorder.stats().dropped, 8);
    }

    #[test]
    fn one_that_always_panics_ends_when_it_is_to_and_counts_all() {
        let (recorder, mut flusher) = recorder(3, nowhere());
        recorder.handle.shared.lock().stop_at = Some(Duration::MAX);
        let mut rounds = 0;
        flusher.survive(|_| {
            rounds += 1;
            panic!("on purpose")
        });
        assert_eq!(rounds, MOST_AT_END);
        flusher.lose_rest();
        let stats = recorder.stats();
        adds_up(&stats);
        assert_eq!((stats.dropped, stats.buffered), (11, 0));
    }

    #[test]
    fn a_segment_that_makes_it_panic_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let (recorder, mut flusher) = recorder(3, Options { spool: Some(root.path().to_owned()), ..nowhere() });
        flusher.spool_memory();
        assert_eq!((recorder.stats().spooled, recorder.stats().buffered), (11, 0));
        let mut rounds = 0;
        flusher.survive(|flusher| {
            rounds += 1;
            assert!(!flusher.has_backlog(), "on purpose");
            false
        });
        let stats = recorder.stats();
        adds_up(&stats);
        assert_eq!((rounds, stats.spooled, stats.dropped), (MOST_OF_SEGMENT + 1, 0, 11));
        assert!(stats.losses.iter().all(|loss| loss.reason == Reason::Spool), "{stats:?}");
        assert!(stats.last_error.unwrap().contains(".damaged"));
    }

    #[test]
    fn what_a_flusher_holds_that_does_not_end_is_said() {
        let (recorder, _flusher) = recorder(3, nowhere());
        let end = recorder.shutdown(Duration::ZERO);
        assert_eq!((end.written, end.dropped, end.held), (0, 0, 11));
    }
}

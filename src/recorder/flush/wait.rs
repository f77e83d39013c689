//! When the flusher does what: it waits for records, and after a failure for a while, unless somebody asks for an attempt.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Due, Flusher, STOP_DELAY};
use crate::recorder::shared::{AWAKE, IDLE, TIMED};
use crate::recorder::state::{Origin, State};

pub(in crate::recorder) const LEAST_DELAY: Duration = Duration::from_millis(50);
const MOST_DELAY: Duration = Duration::from_secs(30);
/// How often to look whether a batch is complete while records come, and while few do.
const LEAST_LOOK: Duration = Duration::from_millis(20);
const MOST_LOOK: Duration = Duration::from_millis(500);

impl Flusher {
    /// Sleeps until something is due; none when it is time to stop.
    pub(super) fn wait(&mut self) -> Option<Due> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            shared.parked.store(AWAKE, Ordering::SeqCst);
            let now = shared.timer.elapsed();
            let accepted = shared.arena.accepted();
            let waiting = accepted > self.intake.read || !self.kept.is_empty();
            let backlog = self.has_backlog();
            if let Some(stop_at) = state.stop_at {
                // What is in the spool need not wait for a server that does not take it.
                let done = !waiting && (self.gave_up || !backlog);
                return match () {
                    () if now >= stop_at || done => None,
                    () if self.gave_up && waiting && backlog && self.kept.is_empty() => Some(Due::Memory),
                    () if self.gave_up && now < self.retry_at => {
                        state = shared.sleep(state, Some(self.retry_at.min(stop_at) - now));
                        continue;
                    }
                    () if backlog => Some(Due::Spool),
                    () => Some(Due::Memory),
                };
            }
            if state.notify_at.is_some_and(|at| now >= at) {
                return Some(Due::Notice);
            }
            if state.asks != self.heard {
                self.heard = state.asks;
                let soon = self.failed_at + LEAST_DELAY;
                (self.retry_at, self.kept_until) = (self.retry_at.min(soon), self.kept_until.min(soon));
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
            let retry = backlog.then_some(self.retry_at);
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

    /// After a failed attempt to write from the spool, or what no spool has taken.
    pub(super) fn retry_later(&mut self) {
        let shared = Arc::clone(&self.shared);
        let state = shared.lock();
        self.gave_up = state.stop_at.is_some();
        self.failures = self.failures.saturating_add(1);
        self.failed_at = shared.timer.elapsed();
        self.retry_at = self.failed_at + self.backoff(&state, self.failures);
    }

    /// Waits before the next attempt, for less if somebody waits for a flush, and hardly at all when somebody asks for one
    /// or for the end. False when there is no time left, or when memory fills: then the batch goes to the spool, unless
    /// it came from there.
    pub(super) fn pause(&mut self, failures: u32, origin: Origin) -> bool {
        let shared = Arc::clone(&self.shared);
        shared.notify(false);
        let mut state = shared.lock();
        self.failed_at = shared.timer.elapsed();
        let mut due = self.failed_at + self.backoff(&state, failures);
        let mut room = true;
        loop {
            let now = shared.timer.elapsed();
            if state.stop_at.is_some_and(|at| now >= at) {
                return false;
            }
            if state.asks != self.heard {
                self.heard = state.asks;
                due = due.min(self.failed_at + LEAST_DELAY);
            }
            if now >= due {
                return true;
            }
            if state.notify_at.is_some_and(|at| now >= at) {
                drop(state);
                shared.notify(false);
                state = shared.lock();
                continue;
            }
            if room && shared.pressing.load(Ordering::Acquire) {
                if origin == Origin::Memory {
                    return false;
                }
                drop(state);
                self.spool_memory();
                state = shared.lock();
                room = !shared.pressing.load(Ordering::Acquire);
                continue;
            }
            let until = [state.stop_at, state.notify_at].into_iter().flatten().fold(due, Duration::min);
            state = shared.sleep(state, Some(until - now));
        }
    }

    /// How long to wait after so many failures.
    pub(super) fn backoff(&self, state: &State, failures: u32) -> Duration {
        let (base, failures) = match () {
            () if state.stop_at.is_some() => (STOP_DELAY, 0),
            () if state.is_awaited() => (self.shared.options.retry_delay, 0),
            () => (self.shared.options.retry_delay, failures),
        };
        delay(base, failures, fastrand::f64())
    }
}

/// Exponential backoff with full jitter: anywhere up to `base` · 2ⁿ⁻¹, within fixed bounds.
pub(in crate::recorder) fn delay(base: Duration, failures: u32, chance: f64) -> Duration {
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

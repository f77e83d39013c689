//! The only reader of time and of chance.
//!
//! Everything that needs "now" or a new id is given a [`Clock`] or an [`Ids`], so tests and screens use fixed ones and
//! never sleep. `.clippy.toml` bans the direct calls everywhere else.
#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time and randomness")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A source of wall-clock time and of elapsed time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of the machine; elapsed time is monotonic.
    System(Instant),
    /// A clock that stands still until it is moved with [`Clock::advance`]: microseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// A clock that stands at `start`. Clones share the same hands.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.timestamp_micros())))
    }

    /// The wall-clock time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            // Not `Utc::now`, which panics when the clock stands before 1970.
            Self::System(_) => SystemTime::now().into(),
            Self::Manual(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or_default(),
        }
    }

    /// The wall-clock time, microseconds since the epoch: like [`Clock::now`], without a calendar.
    #[must_use]
    pub fn micros(&self) -> i64 {
        match self {
            Self::System(_) => match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
            },
            Self::Manual(micros) => micros.load(Ordering::SeqCst),
        }
    }

    /// Time since some fixed point, for durations: never runs backwards on the system clock, whatever the wall clock does.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::System(start) => start.elapsed(),
            Self::Manual(micros) => Duration::from_micros(u64::try_from(micros.load(Ordering::SeqCst)).unwrap_or(0)),
        }
    }

    /// Moves a manual clock; does nothing to the system's.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Manual(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// A source of row ids.
#[derive(Clone, Debug)]
pub enum Ids {
    /// UUIDv7 of the given clock's time, each greater than the one before, in all threads and also when the clock steps
    /// back.
    Random(Clock, Arc<Generator>),
    /// `00000000-0000-7000-8000-00000000000n` with n = 1, 2, 3 …, for tests.
    Sequence(Arc<AtomicU64>),
}

/// The last time and count of UUIDv7 ids, and what the rest of their bits is made from.
#[derive(Debug)]
pub struct Generator {
    /// Milliseconds, shifted left by 16 bits, and a count.
    last: AtomicU64,
    /// Random bits of the operating system.
    key: u128,
    /// The process, shifted left by 32 bits, and when it was looked up, microseconds: asking takes longer than all else.
    process: AtomicU64,
}

/// How long the process is known, microseconds. No fork is made and at work so soon.
const PROCESS_KNOWN: u32 = 8;

impl Generator {
    fn process(&self, micros: i64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the lower half is compared, wrapping"
        )]
        let (known, now) = (self.process.load(Ordering::Relaxed), micros as u32);
        if known != 0 && now.wrapping_sub(known as u32) < PROCESS_KNOWN {
            return known >> 32;
        }
        let process = u64::from(std::process::id());
        self.process.store(process << 32 | u64::from(now), Ordering::Relaxed);
        process
    }

    fn next(&self, micros: i64) -> Uuid {
        let now = u64::try_from(micros / 1000).unwrap_or(0) << 16;
        let mut last = self.last.load(Ordering::Relaxed);
        let next = loop {
            // More than 65,536 ids in one millisecond borrow from the next.
            let next = now.max(last.saturating_add(1));
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break next,
                Err(other) => last = other,
            }
        };
        // 48 bits of time, the version, 12 bits of the count, the variant, 4 bits of the count, 58 bits that no other
        // process has: the count under a random key, and the process, since a fork has the same key.
        #[expect(clippy::cast_possible_truncation, reason = "half of the key each")]
        let (high, low) = ((self.key >> 64) as u64, self.key as u64);
        let random = mix(mix(mix(next ^ high) ^ low) ^ self.process(micros));
        let first = (next & !0xFFFF) | 0x7000 | (next >> 4 & 0x0FFF);
        let second = 0x8000_0000_0000_0000 | (next & 0xF) << 58 | random >> 6;
        Uuid::from_u64_pair(first, second)
    }
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the number.
fn mix(mut n: u64) -> u64 {
    n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

impl Ids {
    /// UUIDv7 ids of this clock.
    #[must_use]
    pub fn random(clock: Clock) -> Self {
        Self::Random(
            clock,
            Arc::new(Generator { last: AtomicU64::new(0), key: Uuid::new_v4().as_u128(), process: AtomicU64::new(0) }),
        )
    }

    /// Ids that count up from 1.
    #[must_use]
    pub fn sequence() -> Self {
        Self::Sequence(Arc::new(AtomicU64::new(1)))
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> Uuid {
        match self {
            Self::Random(clock, _) => self.at(clock.micros()),
            Self::Sequence(_) => self.at(0),
        }
    }

    /// The next id, of a time that has just been read: microseconds since the epoch.
    #[must_use]
    pub fn at(&self, micros: i64) -> Uuid {
        match self {
            Self::Random(_, generator) => generator.next(micros),
            Self::Sequence(next) => {
                let n = next.fetch_add(1, Ordering::SeqCst);
                Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
            }
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::random(Clock::system())
    }
}

/// 32 hexadecimal digits that nobody can guess: 122 random bits of the operating system.
#[must_use]
pub fn secret() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_steps_back() {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ids = Ids::random(clock.clone());
        let first = ids.next();
        clock.advance(TimeDelta::hours(-1));
        let second = ids.next();
        clock.advance(TimeDelta::hours(2));
        let third = ids.next();
        assert!(first < second && second < third, "{first} {second} {third}");
        assert_eq!((first.get_version_num(), first.get_variant()), (7, uuid::Variant::RFC4122));
        let (seconds, nanos) = first.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_800_000_000, 0));
    }

    #[test]
    fn ids_are_unique_and_grow_in_every_thread() {
        let ids = Ids::random(Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..50_000).map(|_| ids.next()).collect::<Vec<_>>())).collect();
            let lists: Vec<Vec<Uuid>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(lists.iter().all(|list| list.is_sorted()));
            lists.concat()
        });
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200_000);
        assert_ne!(Ids::default().next().as_u64_pair().1, Ids::default().next().as_u64_pair().1);
    }

    #[test]
    fn a_clock_before_1970_is_read() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(86_400_500);
        assert_eq!(DateTime::<Utc>::from(before).to_rfc3339(), "1969-12-30T23:59:59.500+00:00");
        let near = Clock::system().now() - Utc::now();
        assert!(near.abs() < TimeDelta::minutes(5), "{near}");
        let ids = Ids::random(Clock::manual(DateTime::from_timestamp(-86_400, 0).unwrap()));
        assert!(ids.next() < ids.next(), "ids count up from the beginning of time");
    }

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Clock::manual(start);
        assert_eq!(clock.now(), start);
        clock.clone().advance(TimeDelta::milliseconds(1500));
        assert_eq!(clock.now() - start, TimeDelta::milliseconds(1500));
        assert_eq!(Ids::sequence().next().to_string(), "00000000-0000-7000-8000-000000000001");
    }
}

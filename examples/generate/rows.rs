//! Rows of a busy installation, computed from a seed: the same seed and moment give the same rows.
//!
//! Work is made one cascade at a time. A cascade is small, and is planned again for each of the three tables, so that
//! nothing has to be kept: memory does not grow with the number of rows.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use fastrand::Rng;
use uuid::{Uuid, Variant, Version};

use super::words::{FUNCTIONS, JOBS, SYSTEMS, USERS};

/// Events of every invocation.
pub(crate) const EVENTS: usize = 14;
/// Jobs of every invocation.
pub(crate) const JOBS_EACH: usize = 4;
/// Nodes of a tree that one invocation brings: itself, its events, its jobs.
const NODES: u64 = 1 + EVENTS as u64 + JOBS_EACH as u64;
const SPAN: TimeDelta = TimeDelta::days(30);
const SECOND: i64 = 1_000_000;
/// Share of roots that set off further invocations. With about 4.5 of them each, a fifth of all rows has a parent.
const CHAINED_ROOTS: f64 = 0.0597;
const DEEPEST: usize = 6;
/// Work per hour of the day, at the weekend a third of it.
const DAY: [u32; 24] = [3, 2, 2, 1, 2, 3, 5, 8, 12, 14, 15, 14, 12, 13, 15, 16, 15, 12, 9, 8, 7, 6, 5, 4];

/// What to make.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Invocations.
    pub(crate) rows: u64,
    /// Nodes of one huge cascade beside them; 0 for none.
    pub(crate) cascade: u64,
    pub(crate) seed: u64,
    /// The end of the thirty days.
    pub(crate) now: DateTime<Utc>,
    /// Whether ids are random, as of writers that let the database make them, instead of ordered by time.
    pub(crate) random_ids: bool,
}

/// Invocations that belong together, parents first.
#[derive(Clone, Debug)]
pub(crate) struct Cascade {
    pub(crate) invocations: Vec<Invocation>,
}

/// How an invocation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Ok,
    /// A job failed and the invocation says so.
    Failed,
    /// A job failed, the invocation is recorded as completed.
    HiddenFailure,
    /// A handler threw; the invocation is recorded as completed.
    CrashedHandler,
    /// The process was killed long ago.
    Killed,
    /// Completed, with a job that never reported its end.
    ForgottenJob,
    /// Still at work.
    Running,
}

/// Times are microseconds since the epoch, indexes lead into `words`.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) id: Uuid,
    pub(crate) at: i64,
    pub(crate) took_ms: i32,
    pub(crate) function: usize,
    pub(crate) operation: &'static str,
    pub(crate) user: usize,
    pub(crate) correlation: Option<String>,
    /// The job that caused it, and whether `source_job_id` tells.
    pub(crate) parent: Option<(Uuid, bool)>,
    pub(crate) outcome: Outcome,
    pub(crate) events: [Event; EVENTS],
    pub(crate) jobs: [Job; JOBS_EACH],
    /// For the texts.
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) detected: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) event: usize,
    pub(crate) name: usize,
    pub(crate) at: i64,
    pub(crate) took_ms: i32,
}

impl Plan {
    /// All cascades, the huge one last.
    pub(crate) fn cascades(&self) -> impl Iterator<Item = Cascade> + use<> {
        let plan = self.clone();
        let curve = Curve::new(plan.now);
        let (mut made, mut number) = (0, 0);
        let mut huge = (plan.cascade > 0).then(|| Maker::new(&plan, u64::MAX).huge(plan.cascade));
        std::iter::from_fn(move || {
            if made >= plan.rows {
                return huge.take();
            }
            let mut maker = Maker::new(&plan, number);
            let left = plan.rows - made;
            // However few rows there are, some have just begun.
            let at = if left > 5 { curve.at(made, plan.rows) } else { maker.now - 5 * SECOND };
            let cascade = maker.cascade(at, left);
            number += 1;
            made += cascade.invocations.len() as u64;
            Some(cascade)
        })
    }

    /// Invocations altogether.
    pub(crate) fn invocations(&self) -> u64 {
        self.rows + self.cascade.div_ceil(NODES)
    }
}

/// When work happens: hours of thirty days by weight.
struct Curve {
    /// Beginning of each piece, and the weight before it.
    pieces: Vec<(i64, u64)>,
    end: i64,
    total: u64,
}

impl Curve {
    fn new(now: DateTime<Utc>) -> Self {
        let mut at = now - SPAN;
        let (mut pieces, mut total) = (Vec::new(), 0);
        while at < now {
            let next = (at + TimeDelta::minutes(10)).min(now);
            let weekend = at.weekday().number_from_monday() > 5;
            let weight = u64::from(DAY[at.hour() as usize % 24] * if weekend { 1 } else { 3 });
            pieces.push((at.timestamp_micros(), total));
            total += weight * u64::try_from((next - at).num_seconds()).unwrap_or(0);
            at = next;
        }
        Self { pieces, end: now.timestamp_micros(), total }
    }

    /// The moment of row `n`, where row 0 is at the beginning and row `of` at the end.
    fn at(&self, n: u64, of: u64) -> i64 {
        let wanted = u128::from(n) * u128::from(self.total) / u128::from(of.max(1));
        let after = self.pieces.partition_point(|(_, before)| u128::from(*before) <= wanted).max(1);
        let (start, before) = self.pieces[after - 1];
        let (end, until) = self.pieces.get(after).copied().unwrap_or((self.end, self.total));
        let (gone, all) = (wanted - u128::from(before), u128::from(until - before).max(1));
        start + i64::try_from(u128::try_from(end - start).unwrap_or(0) * gone / all).unwrap_or(0)
    }
}

/// Makes one cascade.
struct Maker {
    rng: Rng,
    now: i64,
    random_ids: bool,
}

impl Maker {
    fn new(plan: &Plan, number: u64) -> Self {
        // Neighbouring seeds must not give similar rows.
        let seed = (plan.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD129_0B26_C9F4_8D3B);
        Self { rng: Rng::with_seed(seed), now: plan.now.timestamp_micros(), random_ids: plan.random_ids }
    }

    fn cascade(&mut self, at: i64, most: u64) -> Cascade {
        let at = (at + self.rng.i64(0..SECOND)).min(self.now - 1);
        let user = self.rng.usize(0..USERS);
        let correlation = self.correlation(user);
        let mut invocations = vec![self.invocation(at, user, correlation, None)];
        if self.rng.f64() >= CHAINED_ROOTS {
            return Cascade { invocations };
        }
        // Level by level: each has at least one invocation, now and then a job sets off two or three.
        let depth = self.rng.usize(2..=DEEPEST);
        let mut level = 0..1;
        for _ in 1..depth {
            let next = invocations.len();
            for (nth, parent) in level.clone().enumerate() {
                let children = match self.rng.u32(0..20) {
                    0 => 3,
                    1..4 => 2,
                    _ if nth == 0 => 1,
                    n => usize::from(n < 12),
                };
                for _ in 0..children {
                    if (invocations.len() as u64) < most {
                        let child = self.child(&invocations[parent]);
                        invocations.push(child);
                    }
                }
            }
            level = next..invocations.len();
        }
        Cascade { invocations }
    }

    /// One chain of so many nodes: some thousand levels deep, with branches.
    fn huge(&mut self, nodes: u64) -> Cascade {
        let count = usize::try_from(nodes.div_ceil(NODES)).unwrap_or(usize::MAX);
        let user = self.rng.usize(0..USERS);
        let correlation = Some(format!("{}.{}", SYSTEMS[0], self.random_id()));
        let at = self.now - 6 * 3600 * SECOND;
        let mut invocations = vec![self.invocation(at, user, correlation.clone(), None)];
        while invocations.len() < count {
            let recent = invocations.len().saturating_sub(6);
            let parent = self.rng.usize(recent..invocations.len());
            let mut child = self.child(&invocations[parent]);
            child.correlation.clone_from(&correlation);
            child.parent = child.parent.map(|(job, _)| (job, true));
            invocations.push(child);
        }
        Cascade { invocations }
    }

    fn child(&mut self, parent: &Invocation) -> Invocation {
        let job = parent.jobs[self.rng.usize(0..JOBS_EACH)];
        let at = (job.at + i64::from(job.took_ms) * 1000 + self.rng.i64(20_000..2 * SECOND)).min(self.now - 1);
        // Most carry the chain on; some carry another one or none, and some writers do not fill source_job_id.
        let correlation = match self.rng.u32(0..20) {
            0 => None,
            1 => self.correlation(parent.user),
            _ => parent.correlation.clone(),
        };
        let recorded = self.rng.u32(0..20) > 0;
        self.invocation(at, parent.user, correlation, Some((job.id, recorded)))
    }

    /// Every form in use.
    fn correlation(&mut self, user: usize) -> Option<String> {
        let id = self.random_id();
        Some(match self.rng.u32(0..20) {
            0 => return None,
            1..4 => super::words::email(user),
            4..9 => id.to_string(),
            9..11 => id.simple().to_string(),
            11..17 => format!("{}.{id}", SYSTEMS[self.rng.usize(0..SYSTEMS.len())]),
            _ => format!(
                "{}.{}.{id}",
                FUNCTIONS[self.rng.usize(0..FUNCTIONS.len())].entity,
                JOBS[self.rng.usize(0..JOBS.len())]
            ),
        })
    }

    fn invocation(
        &mut self,
        at: i64,
        user: usize,
        correlation: Option<String>,
        parent: Option<(Uuid, bool)>,
    ) -> Invocation {
        let rng = &mut self.rng;
        let outcome = match (self.now - at, rng.u32(0..1000)) {
            // Young work is still going on, the youngest certainly.
            (..60_000_000, _) | (..240_000_000, 0..400) => Outcome::Running,
            (_, 0..40) => Outcome::Failed,
            (_, 40..70) => Outcome::HiddenFailure,
            (_, 70..80) => Outcome::CrashedHandler,
            (1_800_000_000.., 80..86) => Outcome::Killed,
            (_, 86..92) => Outcome::ForgottenJob,
            _ => Outcome::Ok,
        };
        // A few functions do most of the work; most durations are short, some are very long.
        let function = (rng.f64().powi(2) * FUNCTIONS.len() as f64) as usize % FUNCTIONS.len();
        let slow = 1.0 + rng.f64().powi(12) * 60.0;
        let took_ms = (f64::from(rng.i32(60..900)) * slow) as i32;
        let first = rng.usize(0..EVENTS);
        let second = if rng.u32(0..4) == 0 { (first + rng.usize(1..EVENTS)) % EVENTS } else { first };
        // What a job deletes has no row left that could carry its token.
        let operations = if parent.is_some() { 5 } else { 6 };
        let operation = ["UPDATE", "UPDATE", "UPDATE", "INSERT", "INSERT", "DELETE"][rng.usize(0..operations)];
        let seed = rng.u64(..);
        let id = self.id(at);
        let events = std::array::from_fn(|nth| Event { id: self.id(at), detected: nth == first || nth == second });
        let jobs = std::array::from_fn(|nth| {
            let job_at = at + 5_000 + i64::from(took_ms) * 1000 * (nth as i64) / 8;
            Job {
                id: self.id(job_at),
                event: if nth < 2 { first } else { second },
                name: self.rng.usize(0..JOBS.len()),
                at: job_at.min(self.now),
                took_ms: self.rng.i32(1..(took_ms / 2).max(3)),
            }
        });
        Invocation { id, at, took_ms, function, operation, user, correlation, parent, outcome, events, jobs, seed }
    }

    fn random_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_be_bytes()).into_uuid()
    }

    fn id(&mut self, at: i64) -> Uuid {
        if self.random_ids {
            return self.random_id();
        }
        let milliseconds = u128::try_from(at / 1000).unwrap_or(0);
        let bits = milliseconds << 80 | self.rng.u128(..) >> 48;
        uuid::Builder::from_u128(bits).with_version(Version::SortRand).with_variant(Variant::RFC4122).into_uuid()
    }
}

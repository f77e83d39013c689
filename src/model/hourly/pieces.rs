//! Numbers of steps of time that come in pieces: added up, and made buckets of when a step is whole. Durations are kept
//! one by one until then, since percentiles cannot be added.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::Bucket;
use crate::model::spread::{Spread, nearest_rank};

/// Some of the invocations of one function in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Invocations.
    pub total: u64,
    /// Of these, those that ended well.
    pub ok: u64,
    /// Of these, failed ones.
    pub failed: u64,
    /// Events detected.
    pub events_detected: u64,
    /// Jobs run.
    pub jobs_run: u64,
    /// The durations that are known, milliseconds, in any order.
    pub durations: Vec<i64>,
    /// Names of failed jobs with their counts.
    pub failed_jobs: HashMap<String, u64>,
}

/// The pieces that have come, by step and function.
#[derive(Debug, Default)]
pub struct Pieces(BTreeMap<(DateTime<Utc>, String), Piece>);

impl Pieces {
    /// One more piece of the step that begins at this moment.
    pub fn add(&mut self, at: DateTime<Utc>, function: String, piece: Piece) {
        let sum = self.0.entry((at, function)).or_default();
        sum.total += piece.total;
        sum.ok += piece.ok;
        sum.failed += piece.failed;
        sum.events_detected += piece.events_detected;
        sum.jobs_run += piece.jobs_run;
        sum.durations.extend(piece.durations);
        for (name, count) in piece.failed_jobs {
            *sum.failed_jobs.entry(name).or_default() += count;
        }
    }

    /// Takes out the steps from this moment on, which are whole, in order of time and function.
    pub fn take_since(&mut self, at: DateTime<Utc>) -> Vec<Bucket> {
        self.0
            .split_off(&(at, String::new()))
            .into_iter()
            .map(|((at, function), sum)| sum.whole(at, function))
            .collect()
    }
}

impl Piece {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    fn whole(mut self, at: DateTime<Utc>, function: String) -> Bucket {
        let durations = &mut self.durations;
        durations.sort_unstable();
        let mut spread = Spread::default();
        durations.iter().for_each(|&ms| spread.add(ms as f64));
        let sum: f64 = durations.iter().map(|&ms| ms as f64).sum();
        let mut failed_jobs: Vec<_> = self.failed_jobs.into_iter().collect();
        failed_jobs.sort_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
        Bucket {
            at,
            function,
            total: self.total,
            ok: self.ok,
            failed: self.failed,
            events_detected: self.events_detected,
            jobs_run: self.jobs_run,
            avg_ms: (!durations.is_empty()).then(|| sum / durations.len() as f64),
            max_ms: durations.last().copied(),
            p50_ms: percentile(durations, 50),
            p95_ms: percentile(durations, 95),
            spread: Some(spread),
            failed_jobs,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds")]
fn percentile(sorted: &[i64], percent: usize) -> Option<f64> {
    sorted.get(nearest_rank(sorted.len(), percent)?).map(|&ms| ms as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(durations: &[i64]) -> Piece {
        let failed = durations.iter().filter(|&&ms| ms > 5_000).count() as u64;
        Piece {
            total: durations.len() as u64 + 1,
            failed,
            durations: durations.to_vec(),
            failed_jobs: if failed > 0 { [("send".to_owned(), failed)].into() } else { HashMap::new() },
            ..Piece::default()
        }
    }

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour * 3_600, 0).unwrap()
    }

    #[test]
    fn a_step_is_whole_when_it_is_said_to_be() {
        let mut pieces = Pieces::default();
        for (hour, function, durations) in [(3, "b", &[10, 40][..]), (3, "a", &[7]), (2, "a", &[1]), (3, "b", &[20])] {
            pieces.add(at(hour), function.to_owned(), piece(durations));
        }
        let buckets = pieces.take_since(at(3));
        let told: Vec<_> =
            buckets.iter().map(|bucket| (bucket.function.as_str(), bucket.total, bucket.p50_ms)).collect();
        assert_eq!(told, [("a", 2, Some(7.0)), ("b", 5, Some(20.0))]);
        assert_eq!((buckets[1].p95_ms, buckets[1].max_ms), (Some(40.0), Some(40)));
        pieces.add(at(2), "a".to_owned(), Piece { total: 4, ..Piece::default() });
        let rest = pieces.take_since(at(0));
        assert_eq!((rest.len(), rest[0].total, rest[0].avg_ms), (1, 6, Some(1.0)));
        assert_eq!(pieces.take_since(at(0)), []);
    }

    proptest! {
        #[test]
        fn pieces_add_up_to_the_whole(durations in prop::collection::vec(0..10_000_i64, 1..60), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(durations.len());
            let (mut whole, mut parts) = (Pieces::default(), Pieces::default());
            whole.add(at(1), "f".to_owned(), Piece { total: durations.len() as u64 + 2, ..piece(&durations) });
            parts.add(at(1), "f".to_owned(), piece(&durations[cut..]));
            parts.add(at(1), "f".to_owned(), piece(&durations[..cut]));
            let (whole, parts) = (whole.take_since(at(1)), parts.take_since(at(1)));
            prop_assert_eq!(&whole, &parts);
            let mut sorted = durations;
            sorted.sort_unstable();
            let (p50, p95) = (whole[0].p50_ms.unwrap(), whole[0].p95_ms.unwrap());
            prop_assert!(sorted[0] as f64 <= p50 && p50 <= p95 && p95 <= *sorted.last().unwrap() as f64);
            prop_assert_eq!(whole[0].spread.unwrap().total(), sorted.len() as u64);
        }
    }
}

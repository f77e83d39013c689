//! Frames that are to be written together. Nothing is copied out of them: the rows of a batch borrow from their bytes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::model::redact::Masker;
use crate::recorder::frame::{self, TABLES};
use crate::recorder::loss::ByClass;
use crate::recorder::record::Record;
use crate::store::write::{Batch, ErrorText, Merge};

/// The frames are in the order of their tables and ids, so that two writers lock rows in the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    bytes: Arc<Vec<u8>>,
    frames: Vec<Range<usize>>,
}

impl Held {
    /// The frames at these places.
    pub(super) fn new(bytes: Arc<Vec<u8>>, places: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut tables: [Vec<(u128, Range<usize>)>; TABLES] = Default::default();
        for place in places {
            if let Some((table, id)) = bytes.get(place.clone()).and_then(frame::key)
                && let Some(frames) = tables.get_mut(table)
            {
                frames.push((id, place));
            }
        }
        // Ids rise with the time: there is little to sort.
        tables.iter_mut().for_each(|frames| frames.sort_by_key(|(id, _)| *id));
        let frames = tables.into_iter().flatten().map(|(_, place)| place).collect();
        Self { bytes, frames }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many records it holds of each class, if they come from memory, where each is a frame of its own.
    pub(super) fn records(&self) -> ByClass {
        let mut records = ByClass::default();
        for (table, _) in self.frames.iter().filter_map(|place| frame::key(self.bytes.get(place.clone())?)) {
            // Classes are in the order of the tables.
            if let Some(records) = records.get_mut(table) {
                *records += 1;
            }
        }
        records
    }

    /// The rows, each made of all its frames, without secrets: those go neither to the database nor to the spool.
    pub(super) fn rows(&self, masker: &Masker) -> Batch<'_> {
        let mut batch = Batch::default();
        for place in &self.frames {
            match self.bytes.get(place.clone()).and_then(frame::read) {
                Some(Record::Invocation(row)) => add(&mut batch.invocations, row),
                Some(Record::Event(row)) => add(&mut batch.events, row),
                Some(Record::Job(row)) => add(&mut batch.jobs, row),
                Some(Record::Log(row)) => add(&mut batch.logs, row),
                None => {}
            }
        }
        mask(&mut batch, masker);
        batch
    }

    /// Each with half of the rows; the first one holds no row whose parent is in the second.
    pub(super) fn halves(mut self) -> (Self, Self) {
        let key = |place: &Range<usize>| self.bytes.get(place.clone()).and_then(frame::key);
        let rows = self.frames.chunk_by(|one, other| key(one) == key(other));
        let lengths: Vec<usize> = rows.map(<[_]>::len).collect();
        let first: usize = lengths.iter().take(lengths.len() / 2).sum();
        let frames = self.frames.split_off(first);
        let second = Self { bytes: Arc::clone(&self.bytes), frames };
        (self, second)
    }

    /// The memory, for others: none if somebody else holds frames in it.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.bytes)
    }
}

fn add<R: Merge>(rows: &mut Vec<R>, row: R) {
    match rows.last_mut() {
        Some(last) if last.id() == row.id() => last.merge(row),
        _ => rows.push(row),
    }
}

/// Masks the secrets in JSON, errors and log lines. Names and ids are what the code says; rows are found by them.
fn mask(batch: &mut Batch<'_>, masker: &Masker) {
    let mask = |text: &mut Cow<'_, str>| {
        if let (Cow::Owned(masked), _) = masker.text(text) {
            *text = masked.into();
        }
    };
    let mask_error = |error: &mut Option<ErrorText<'_>>| {
        if let Some(ErrorText { message, stack }) = error {
            [message].into_iter().chain(stack).for_each(mask);
        }
    };
    for row in &mut batch.invocations {
        mask_error(&mut row.error);
        if let Some(source) = row.source.as_deref_mut() {
            [&mut source.payload, &mut source.context].into_iter().flatten().for_each(mask);
        }
    }
    for row in &mut batch.events {
        [&mut row.detection_error, &mut row.handler_error].into_iter().for_each(mask_error);
    }
    for row in &mut batch.jobs {
        mask_error(&mut row.error);
        [&mut row.options, &mut row.result].into_iter().flatten().for_each(mask);
    }
    for row in &mut batch.logs {
        [&mut row.message].into_iter().chain(&mut row.data).for_each(mask);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::frame::Frame;
    use crate::recorder::record::tests::history;
    use crate::store::write::{EventRow, InvocationRow, JobRow, LogRow, Source};

    pub(in crate::recorder) fn held<'a>(records: impl IntoIterator<Item = &'a Record<'a>>) -> Held {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for record in records {
            let start = bytes.len();
            Frame::of(record).append(&mut bytes);
            places.push(start..bytes.len());
        }
        Held::new(Arc::new(bytes), places)
    }

    pub(in crate::recorder) fn rows(held: &Held) -> Batch<'_> {
        held.rows(&Masker::off())
    }

    /// What a database holds after these batches.
    fn apply(batches: &[Held]) -> Held {
        let mut records = Vec::new();
        for batch in batches.iter().map(rows) {
            records.extend(
                batch.invocations.into_iter().map(|row| Record::Invocation(InvocationRow { records: 0, ..row })),
            );
            records.extend(batch.events.into_iter().map(|row| Record::Event(EventRow { records: 0, ..row })));
            records.extend(batch.jobs.into_iter().map(|row| Record::Job(JobRow { records: 0, ..row })));
            records.extend(batch.logs.into_iter().map(|row| Record::Log(LogRow { records: 0, ..row })));
        }
        held(&records)
    }

    proptest! {
        #[test]
        fn order_repetition_and_batches_do_not_matter(
            histories in prop::collection::vec((prop::sample::select(vec!["completed", "failed"]), 0..3_u128), 1..4),
            seed: u64,
            repeats in 0..8_usize,
        ) {
            let numbered = histories.iter().zip(1..);
            let records: Vec<Record<'_>> = numbered.flat_map(|((status, jobs), number)| history(number, status, *jobs)).collect();
            let expected = apply(&[held(&records)]);

            let mut random = fastrand::Rng::with_seed(seed);
            let mut shuffled = records.clone();
            shuffled.extend((0..repeats).map(|_| records[random.usize(..records.len())].clone()));
            random.shuffle(&mut shuffled);
            let total = shuffled.len() as u64;
            let mut batches = Vec::new();
            while !shuffled.is_empty() {
                let rest = shuffled.split_off(random.usize(1..=shuffled.len()));
                batches.push(held(&std::mem::replace(&mut shuffled, rest)));
            }
            prop_assert_eq!(batches.iter().map(|batch| rows(batch).records()).sum::<u64>(), total);
            let found = apply(&batches);
            prop_assert_eq!(rows(&found), rows(&expected));
        }

        #[test]
        fn halves_hold_every_row_and_parents_come_first(jobs in 0..40_u128) {
            let whole = held(&history(1, "completed", jobs));
            let (one, other) = whole.clone().halves();
            let (first, second) = (rows(&one), rows(&other));
            prop_assert_eq!(first.len(), rows(&whole).len() / 2);
            prop_assert!(first.logs.is_empty() || second.jobs.is_empty());
            prop_assert!(first.jobs.is_empty() || second.events.is_empty());
            prop_assert!(first.events.is_empty() || second.invocations.is_empty());
            let (found, expected) = (apply(&[other.clone(), one.clone()]), apply(std::slice::from_ref(&whole)));
            prop_assert_eq!(rows(&found), rows(&expected));
        }
    }

    #[test]
    fn rows_are_sorted_and_what_is_known_stays() {
        let mut records = history(2, "failed", 2);
        records.extend(history(1, "completed", 1));
        let held = held(&records);
        let batch = rows(&held);
        assert!(batch.invocations.is_sorted_by_key(|row| row.id));
        assert_eq!(batch.jobs.len(), 3);
        let row = &batch.invocations[1];
        assert_eq!((row.status, row.jobs_run, row.total_duration_ms, row.records), ("failed", 3, Some(11), 3));
        assert!(row.source.is_some() && row.error.is_some());
    }

    #[test]
    fn secrets_are_masked_wherever_there_is_json_or_free_text() {
        let mut records = history(1, "completed", 1);
        let secret = || Some(Cow::Borrowed(r#"{"token": "t", "n": 1}"#));
        let text = || Cow::Borrowed("refused: password=hunter2");
        let error = || Some(ErrorText { message: text(), stack: Some(text()) });
        for record in &mut records {
            match record {
                Record::Invocation(row) => {
                    row.error = error();
                    row.source = Some(Box::new(Source { payload: secret(), context: secret(), ..Source::default() }));
                }
                Record::Job(row) => (row.options, row.result, row.error) = (secret(), secret(), error()),
                Record::Log(row) => (row.data, row.message) = (secret(), text()),
                Record::Event(row) => (row.detection_error, row.handler_error) = (error(), error()),
            }
        }
        let held = held(&records);
        let batch = held.rows(&Masker::default());
        let (invocation, event, job, log) = (&batch.invocations[0], &batch.events[0], &batch.jobs[0], &batch.logs[0]);
        let source = invocation.source.as_deref().unwrap();
        for json in [&source.payload, &source.context, &job.options, &job.result, &log.data] {
            assert_eq!(json.as_deref(), Some(r#"{"token": "******", "n": 1}"#));
        }
        for error in [&invocation.error, &event.detection_error, &event.handler_error, &job.error] {
            let ErrorText { message, stack } = error.as_ref().unwrap();
            assert_eq!((&**message, stack.as_deref()), ("refused: password=******", Some("refused: password=******")));
        }
        assert_eq!(log.message, "refused: password=******");
    }
}

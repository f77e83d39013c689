//! Records as bytes: a fixed head with the numbers and the lengths of the texts, then the texts.
//!
//! The same bytes wait in memory and in the spool, so what an older version spooled must stay readable: a change of the
//! layout needs new kinds.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::recorder::record::{JobRef, Record};
use crate::store::write::{EVENT_STATUSES, ErrorText, EventRow, InvocationRow, LEVELS, LogRow, STATUSES};

pub(super) use read::{TABLES, key, read, records};

mod read;

const INVOCATION: u8 = 1;
const EVENT: u8 = 2;
const JOB: u8 = 3;
const LOG: u8 = 4;

/// The kind, and where the texts begin.
const HEAD_START: usize = 3;
/// The length of a text that is not there.
const ABSENT: u32 = u32::MAX;

/// A record where it is, ready to be encoded.
pub(super) enum Frame<'a> {
    Invocation(&'a InvocationRow<'a>),
    Event(&'a EventRow<'a>),
    Job(JobRef<'a>),
    Log(&'a LogRow<'a>),
}

impl<'a> Frame<'a> {
    pub(super) fn of(record: &'a Record<'a>) -> Self {
        match record {
            Record::Invocation(row) => Self::Invocation(row),
            Record::Event(row) => Self::Event(row),
            Record::Job(row) => Self::Job(JobRef::from(row)),
            Record::Log(row) => Self::Log(row),
        }
    }

    /// How many bytes it needs.
    #[inline(always)]
    pub(super) fn size(&self) -> Size {
        let mut size = Size { head: 0, texts: 0 };
        self.encode(&mut size, 0);
        size
    }

    /// Encodes it into exactly as many bytes as it needs.
    #[inline(always)]
    pub(super) fn fill(&self, size: Size, bytes: &mut [u8]) {
        self.encode(&mut Place { bytes, head: 0, texts: size.head }, u16::try_from(size.head).unwrap_or(0));
    }

    pub(super) fn append(&self, out: &mut Vec<u8>) {
        let (start, size) = (out.len(), self.size());
        out.resize(start + size.total(), 0);
        self.fill(size, out.get_mut(start..).unwrap_or_default());
    }

    /// The kind, where the texts begin, the numbers and the lengths of the texts; and apart from them the texts.
    #[inline(always)]
    fn encode(&self, sink: &mut impl Sink, texts: u16) {
        let kind = match self {
            Self::Invocation(_) => INVOCATION,
            Self::Event(_) => EVENT,
            Self::Job(_) => JOB,
            Self::Log(_) => LOG,
        };
        sink.put([kind]);
        sink.put(texts.to_le_bytes());
        match self {
            Self::Invocation(row) => invocation(sink, row),
            Self::Event(row) => event(sink, row),
            Self::Job(row) => job(sink, row),
            Self::Log(row) => log(sink, row),
        }
    }
}

/// Where a record is encoded to, once to see how large it is, once to write it.
trait Sink {
    fn put_slice(&mut self, value: &[u8]);

    /// The bytes of a text, whose length has been put already.
    fn add(&mut self, text: &[u8]);

    #[inline(always)]
    fn put<const N: usize>(&mut self, value: [u8; N]) {
        self.put_slice(&value);
    }

    #[inline(always)]
    fn id(&mut self, id: Uuid) {
        self.put(id.into_bytes());
    }

    #[inline(always)]
    fn time(&mut self, time: DateTime<Utc>) {
        self.put(time.timestamp_micros().to_le_bytes());
    }

    #[inline(always)]
    fn int(&mut self, value: i32) {
        self.put(value.to_le_bytes());
    }

    #[inline(always)]
    fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.put([u8::from(value.is_some())]);
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn status(&mut self, order: &[&str], status: &str) {
        let place = order.iter().position(|known| *known == status);
        self.put([place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)]);
    }

    #[inline(always)]
    fn text(&mut self, text: Option<&[u8]>) {
        // A record of four gigabytes is taken by nobody.
        let length = text.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT));
        self.put(length.to_le_bytes());
        if let Some(text) = text {
            self.add(text);
        }
    }

    #[inline(always)]
    fn string(&mut self, text: Option<&str>) {
        self.text(text.map(str::as_bytes));
    }

    #[inline(always)]
    fn error(&mut self, error: Option<&ErrorText<'_>>) {
        self.string(error.map(|error| &*error.message));
        self.string(error.and_then(|error| error.stack.as_deref()));
    }

    #[inline(always)]
    fn records(&mut self, records: u64) {
        self.put(records.to_le_bytes());
    }
}

/// How many bytes a record needs.
#[derive(Clone, Copy)]
pub(super) struct Size {
    head: usize,
    texts: usize,
}

impl Size {
    #[inline(always)]
    pub(super) fn total(self) -> usize {
        self.head + self.texts
    }
}

impl Sink for Size {
    #[inline(always)]
    fn put_slice(&mut self, value: &[u8]) {
        self.head += value.len();
    }

    #[inline(always)]
    fn add(&mut self, text: &[u8]) {
        self.texts += text.len();
    }
}

/// Where a record is written to, and how far its two parts are. What does not fit is left out, which cannot be: the size
/// comes from the same code.
struct Place<'a> {
    bytes: &'a mut [u8],
    head: usize,
    texts: usize,
}

impl Sink for Place<'_> {
    #[inline(always)]
    fn put_slice(&mut self, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.head..self.head + value.len()) {
            place.copy_from_slice(value);
        }
        self.head += value.len();
    }

    #[inline(always)]
    fn add(&mut self, text: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.texts..self.texts + text.len()) {
            place.copy_from_slice(text);
        }
        self.texts += text.len();
    }
}

fn invocation(sink: &mut impl Sink, row: &InvocationRow<'_>) {
    sink.records(row.records);
    sink.id(row.id);
    sink.time(row.created_at);
    sink.time(row.updated_at);
    sink.status(STATUSES, row.status);
    sink.option(row.total_duration_ms, Sink::int);
    for count in [row.events_detected, row.jobs_run, row.jobs_succeeded, row.jobs_failed] {
        sink.int(count);
    }
    sink.string(Some(row.correlation_id));
    sink.string(Some(row.source_function));
    sink.error(row.error.as_ref());
    sink.put([u8::from(row.source.is_some())]);
    if let Some(source) = &row.source {
        sink.option(source.job_id, Sink::id);
        sink.option(source.event_id, Sink::id);
        sink.option(source.event_time, Sink::time);
        sink.option(source.auto_load_modules, |sink, on| sink.put([u8::from(on)]));
        for text in [
            &source.table,
            &source.operation,
            &source.system,
            &source.kind,
            &source.payload,
            &source.user_email,
            &source.user_role,
            &source.modules_directory,
            &source.context,
        ] {
            sink.string(text.as_deref());
        }
    }
}

fn event(sink: &mut impl Sink, row: &EventRow<'_>) {
    sink.records(row.records);
    sink.id(row.id);
    sink.id(row.invocation_id);
    sink.time(row.created_at);
    sink.time(row.updated_at);
    sink.put([u8::from(row.detected)]);
    sink.status(EVENT_STATUSES, row.status);
    sink.option(row.detection_duration_ms, Sink::int);
    sink.option(row.handler_duration_ms, Sink::int);
    for count in [row.jobs_count, row.jobs_succeeded, row.jobs_failed] {
        sink.int(count);
    }
    sink.string(Some(row.correlation_id));
    sink.string(Some(row.event_name));
    sink.error(row.detection_error.as_ref());
    sink.error(row.handler_error.as_ref());
    sink.string(row.module_path);
}

fn log(sink: &mut impl Sink, row: &LogRow<'_>) {
    sink.records(row.records);
    sink.id(row.id);
    sink.id(row.job_execution_id);
    sink.time(row.created_at);
    sink.status(LEVELS, row.level);
    sink.string(Some(&*row.message));
    sink.string(row.data.as_deref());
    sink.string(row.source);
}

#[inline(always)]
fn job(sink: &mut impl Sink, row: &JobRef<'_>) {
    sink.records(row.records);
    sink.put_slice([row.id, row.invocation_id, row.event_execution_id].map(Uuid::into_bytes).as_flattened());
    sink.put_slice([row.created_at, row.updated_at].map(i64::to_le_bytes).as_flattened());
    sink.put([row.status as u8]);
    sink.option(row.duration_ms, Sink::int);
    sink.string(Some(row.correlation_id));
    sink.text(Some(row.job_name));
    sink.text(row.function_name);
    sink.text(row.options);
    sink.text(row.result);
    sink.error(row.error);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::record::tests::history;
    use crate::store::write::Source;

    fn bytes(record: &Record<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::of(record).append(&mut bytes);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let mut records = [history(1, "completed", 2), history(2, "failed", 2)].concat();
        if let Some(Record::Invocation(row)) = records.first_mut() {
            row.source = Some(Box::new(Source {
                table: Some("public.moves".into()),
                job_id: Some(Uuid::from_u128(7)),
                event_time: Some(DateTime::<Utc>::MIN_UTC),
                auto_load_modules: Some(false),
                context: Some("".into()),
                ..Source::default()
            }));
            row.error = Some(ErrorText { message: "é".into(), stack: Some("stack".into()) });
            row.records = 3;
        }
        for record in records {
            let bytes = bytes(&record);
            let id = match &record {
                Record::Invocation(row) => row.id,
                Record::Event(row) => row.id,
                Record::Job(row) => row.id,
                Record::Log(row) => row.id,
            };
            assert_eq!(key(&bytes).map(|(_, id)| id), Some(id.as_u128()));
            assert_eq!(read(&bytes), Some(record));
        }
    }

    proptest! {
        #[test]
        fn damage_is_no_panic(which in 0..7_usize, at: prop::sample::Index, value: u8, length: prop::sample::Index) {
            let mut bytes = bytes(&history(1, "failed", 1)[which]);
            let at = at.index(bytes.len());
            bytes[at] = value;
            bytes.truncate(length.index(bytes.len()) + 1);
            let _ = (key(&bytes), read(&bytes));
        }
    }
}

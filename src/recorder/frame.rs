//! Records as bytes: a fixed head with the numbers and the lengths of the texts, then the texts.
//!
//! The same bytes wait in memory and in the spool, so what an older version spooled must stay readable: a change of the
//! layout needs new kinds.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::recorder::record::{JobRef, Record};
use crate::store::write::{
    EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LEVELS, LogRow, STATUSES, Source,
};

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
    Invocation(&'a InvocationRow),
    Event(&'a EventRow),
    Job(JobRef<'a>),
    Log(&'a LogRow),
}

impl<'a> Frame<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
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
    fn error(&mut self, error: Option<&ErrorText>) {
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

fn invocation(sink: &mut impl Sink, row: &InvocationRow) {
    sink.records(row.records);
    sink.id(row.id);
    sink.time(row.created_at);
    sink.time(row.updated_at);
    sink.status(STATUSES, row.status);
    sink.option(row.total_duration_ms, Sink::int);
    for count in [row.events_detected, row.jobs_run, row.jobs_succeeded, row.jobs_failed] {
        sink.int(count);
    }
    sink.string(Some(&row.correlation_id));
    sink.string(Some(&row.source_function));
    sink.error(row.error.as_deref());
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

fn event(sink: &mut impl Sink, row: &EventRow) {
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
    sink.string(Some(&row.correlation_id));
    sink.string(Some(&row.event_name));
    sink.error(row.detection_error.as_deref());
    sink.error(row.handler_error.as_deref());
    sink.string(row.module_path.as_deref());
}

fn log(sink: &mut impl Sink, row: &LogRow) {
    sink.records(row.records);
    sink.id(row.id);
    sink.id(row.job_execution_id);
    sink.time(row.created_at);
    sink.status(LEVELS, row.level);
    sink.string(Some(&row.message));
    sink.string(row.data.as_deref());
    sink.string(row.source.as_deref());
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

/// Reads a record; `None` if the bytes are none.
pub(super) fn read(bytes: &[u8]) -> Option<Record> {
    let (kind, rest) = bytes.split_first()?;
    let (length, _) = rest.split_first_chunk()?;
    let (head, texts) = bytes.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let mut reader = Reader { head: head.get(HEAD_START..)?, texts };
    Some(match *kind {
        INVOCATION => Record::Invocation(reader.invocation()?),
        EVENT => Record::Event(reader.event()?),
        JOB => Record::Job(reader.job()?),
        LOG => Record::Log(reader.log()?),
        _ => return None,
    })
}

struct Reader<'a> {
    head: &'a [u8],
    texts: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.head.split_first_chunk()?;
        self.head = rest;
        Some(*value)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.take::<1>()? != [0])
    }

    fn id(&mut self) -> Option<Uuid> {
        Some(Uuid::from_bytes(self.take()?))
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(i64::from_le_bytes(self.take()?))
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take()?))
    }

    fn records(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take()?))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        Some(if self.flag()? { Some(read(self)?) } else { None })
    }

    fn status(&mut self, order: &'static [&'static str]) -> Option<&'static str> {
        let [place] = self.take()?;
        order.get(usize::from(place)).copied()
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        let length = u32::from_le_bytes(self.take()?);
        if length == ABSENT {
            return Some(None);
        }
        let (text, rest) = self.texts.split_at_checked(usize::try_from(length).ok()?)?;
        self.texts = rest;
        Some(Some(std::str::from_utf8(text).ok()?))
    }

    fn boxed(&mut self) -> Option<Option<Box<str>>> {
        Some(self.text()?.map(Box::from))
    }

    fn name(&mut self) -> Option<Arc<str>> {
        self.text()?.map(Arc::from)
    }

    fn error(&mut self) -> Option<Option<Box<ErrorText>>> {
        let (message, stack) = (self.boxed()?, self.boxed()?);
        Some(message.map(|message| Box::new(ErrorText { message, stack })))
    }

    // The fields of a literal are read in the order in which they are written here.

    fn invocation(&mut self) -> Option<InvocationRow> {
        let mut row = InvocationRow {
            records: self.records()?,
            id: self.id()?,
            created_at: self.time()?,
            updated_at: self.time()?,
            status: self.status(STATUSES)?,
            total_duration_ms: self.option(Self::int)?,
            events_detected: self.int()?,
            jobs_run: self.int()?,
            jobs_succeeded: self.int()?,
            jobs_failed: self.int()?,
            correlation_id: self.name()?,
            source_function: self.name()?,
            error: self.error()?,
            source: None,
        };
        if self.flag()? {
            row.source = Some(Box::new(Source {
                job_id: self.option(Self::id)?,
                event_id: self.option(Self::id)?,
                event_time: self.option(Self::time)?,
                auto_load_modules: self.option(Self::flag)?,
                table: self.boxed()?,
                operation: self.boxed()?,
                system: self.boxed()?,
                kind: self.boxed()?,
                payload: self.boxed()?,
                user_email: self.boxed()?,
                user_role: self.boxed()?,
                modules_directory: self.boxed()?,
                context: self.boxed()?,
            }));
        }
        Some(row)
    }

    fn event(&mut self) -> Option<EventRow> {
        Some(EventRow {
            records: self.records()?,
            id: self.id()?,
            invocation_id: self.id()?,
            created_at: self.time()?,
            updated_at: self.time()?,
            detected: self.flag()?,
            status: self.status(EVENT_STATUSES)?,
            detection_duration_ms: self.option(Self::int)?,
            handler_duration_ms: self.option(Self::int)?,
            jobs_count: self.int()?,
            jobs_succeeded: self.int()?,
            jobs_failed: self.int()?,
            correlation_id: self.name()?,
            event_name: self.name()?,
            detection_error: self.error()?,
            handler_error: self.error()?,
            module_path: self.text()?.map(Arc::from),
        })
    }

    fn log(&mut self) -> Option<LogRow> {
        Some(LogRow {
            records: self.records()?,
            id: self.id()?,
            job_execution_id: self.id()?,
            created_at: self.time()?,
            level: self.status(LEVELS)?,
            message: self.boxed()??,
            data: self.boxed()?,
            source: self.boxed()?,
        })
    }

    fn job(&mut self) -> Option<JobRow> {
        Some(JobRow {
            records: self.records()?,
            id: self.id()?,
            invocation_id: self.id()?,
            event_execution_id: self.id()?,
            created_at: self.time()?,
            updated_at: self.time()?,
            status: self.status(STATUSES)?,
            duration_ms: self.option(Self::int)?,
            correlation_id: self.name()?,
            job_name: self.name()?,
            function_name: self.text()?.map(Arc::from),
            options: self.boxed()?,
            result: self.boxed()?,
            error: self.error()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::record::tests::history;

    fn bytes(record: &Record) -> Vec<u8> {
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
            row.error = Some(Box::new(ErrorText { message: "é".into(), stack: Some("stack".into()) }));
            row.records = 3;
        }
        for record in records {
            assert_eq!(read(&bytes(&record)), Some(record));
        }
    }

    proptest! {
        #[test]
        fn damage_is_no_panic(which in 0..7_usize, at: prop::sample::Index, value: u8, length: prop::sample::Index) {
            let mut bytes = bytes(&history(1, "failed", 1)[which]);
            let at = at.index(bytes.len());
            bytes[at] = value;
            bytes.truncate(length.index(bytes.len()) + 1);
            let _ = read(&bytes);
        }
    }
}

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

/// More than the largest head needs.
const HEAD_BYTES: usize = 192;
/// More than the most texts of a record.
const MOST_TEXTS: usize = 14;
/// The kind, and the length of the head.
const HEAD_START: usize = 3;
/// The length of a text that is not there.
const ABSENT: u32 = u32::MAX;

/// A record, ready to be copied.
pub(super) struct Frame<'a> {
    head: [u8; HEAD_BYTES],
    used: usize,
    texts: [&'a [u8]; MOST_TEXTS],
    count: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        match record {
            Record::Invocation(row) => Self::invocation(row),
            Record::Event(row) => Self::event(row),
            Record::Job(row) => Self::job(&JobRef::from(row)),
            Record::Log(row) => Self::log(row),
        }
    }

    /// The number of bytes that [`Frame::write`] appends.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.used + self.texts.iter().take(self.count).map(|text| text.len()).sum::<usize>()
    }

    #[inline(always)]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.get(..self.used).unwrap_or_default());
        for text in self.texts.iter().take(self.count) {
            out.extend_from_slice(text);
        }
    }

    #[inline(always)]
    fn new(kind: u8) -> Self {
        let mut head = [0; HEAD_BYTES];
        head[0] = kind;
        Self { head, used: HEAD_START, texts: [&[]; MOST_TEXTS], count: 0 }
    }

    /// Notes where the texts begin.
    #[inline(always)]
    fn complete(mut self) -> Self {
        if let ([_, length @ ..], Ok(used)) = (&mut self.head, u16::try_from(self.used))
            && let Some(place) = length.first_chunk_mut()
        {
            *place = used.to_le_bytes();
        }
        self
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, value: [u8; N]) {
        if let Some(place) = self.head.get_mut(self.used..self.used + N) {
            place.copy_from_slice(&value);
        }
        self.used += N;
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

    #[inline(always)]
    fn status(&mut self, order: &[&str], status: &str) {
        let place = order.iter().position(|known| *known == status);
        self.put([place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)]);
    }

    #[inline(always)]
    fn text(&mut self, text: Option<&'a str>) {
        self.bytes(text.map(str::as_bytes));
    }

    #[inline(always)]
    fn bytes(&mut self, text: Option<&'a [u8]>) {
        // A text of four gigabytes does not come this far: `max_json_bytes` is checked at the call.
        let length = text.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT));
        self.put(length.to_le_bytes());
        if length != ABSENT
            && let (Some(text), Some(place)) = (text, self.texts.get_mut(self.count))
        {
            *place = text;
            self.count += 1;
        }
    }

    #[inline(always)]
    fn error(&mut self, error: Option<&'a ErrorText>) {
        self.text(error.map(|error| &*error.message));
        self.text(error.and_then(|error| error.stack.as_deref()));
    }

    #[inline(always)]
    fn records(&mut self, records: u64) {
        self.put(records.to_le_bytes());
    }

    pub(super) fn invocation(row: &'a InvocationRow) -> Self {
        let mut frame = Self::new(INVOCATION);
        frame.records(row.records);
        frame.id(row.id);
        frame.time(row.created_at);
        frame.time(row.updated_at);
        frame.status(STATUSES, row.status);
        frame.option(row.total_duration_ms, Self::int);
        for count in [row.events_detected, row.jobs_run, row.jobs_succeeded, row.jobs_failed] {
            frame.int(count);
        }
        frame.text(Some(&row.correlation_id));
        frame.text(Some(&row.source_function));
        frame.error(row.error.as_deref());
        frame.put([u8::from(row.source.is_some())]);
        if let Some(source) = &row.source {
            frame.option(source.job_id, Self::id);
            frame.option(source.event_id, Self::id);
            frame.option(source.event_time, Self::time);
            frame.option(source.auto_load_modules, |frame, on| frame.put([u8::from(on)]));
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
                frame.text(text.as_deref());
            }
        }
        frame.complete()
    }

    pub(super) fn event(row: &'a EventRow) -> Self {
        let mut frame = Self::new(EVENT);
        frame.records(row.records);
        frame.id(row.id);
        frame.id(row.invocation_id);
        frame.time(row.created_at);
        frame.time(row.updated_at);
        frame.put([u8::from(row.detected)]);
        frame.status(EVENT_STATUSES, row.status);
        frame.option(row.detection_duration_ms, Self::int);
        frame.option(row.handler_duration_ms, Self::int);
        for count in [row.jobs_count, row.jobs_succeeded, row.jobs_failed] {
            frame.int(count);
        }
        frame.text(Some(&row.correlation_id));
        frame.text(Some(&row.event_name));
        frame.error(row.detection_error.as_deref());
        frame.error(row.handler_error.as_deref());
        frame.text(row.module_path.as_deref());
        frame.complete()
    }

    pub(super) fn log(row: &'a LogRow) -> Self {
        let mut frame = Self::new(LOG);
        frame.records(row.records);
        frame.id(row.id);
        frame.id(row.job_execution_id);
        frame.time(row.created_at);
        frame.status(LEVELS, row.level);
        frame.text(Some(&row.message));
        frame.text(row.data.as_deref());
        frame.text(row.source.as_deref());
        frame.complete()
    }

    #[inline(always)]
    pub(super) fn job(row: &JobRef<'a>) -> Self {
        let mut frame = Self::new(JOB);
        frame.records(row.records);
        frame.id(row.id);
        frame.id(row.invocation_id);
        frame.id(row.event_execution_id);
        frame.put(row.created_at.to_le_bytes());
        frame.put(row.updated_at.to_le_bytes());
        frame.put([row.status as u8]);
        frame.option(row.duration_ms, Self::int);
        frame.text(Some(row.correlation_id));
        frame.text(Some(row.job_name));
        frame.text(row.function_name);
        frame.text(row.options);
        frame.bytes(row.result);
        frame.error(row.error);
        frame.complete()
    }
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
        let (frame, mut bytes) = (Frame::of(record), Vec::new());
        frame.write(&mut bytes);
        assert_eq!(bytes.len(), frame.len());
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

//! Records read back from their bytes: the fields in the order in which [`super`] writes them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ABSENT, EVENT, HEAD_START, INVOCATION, JOB, LOG};
use crate::recorder::record::Record;
use crate::store::write::{
    EVENT_STATUSES, ErrorText, EventRow, InvocationRow, JobRow, LEVELS, LogRow, STATUSES, Source,
};

/// Where the id is, after the kind: where the texts begin and the number of records come first.
const KEY_PLACE: usize = HEAD_START - 1 + 8;
/// Tables that records are of. Parents are in lower ones than their children.
pub(in crate::recorder) const TABLES: usize = 4;

/// The table and the id that a record is about; `None` if the bytes are none.
pub(in crate::recorder) fn key(bytes: &[u8]) -> Option<(usize, u128)> {
    let (kind, rest) = bytes.split_first()?;
    let id = rest.get(KEY_PLACE..)?.first_chunk()?;
    matches!(*kind, INVOCATION..=LOG).then(|| (usize::from(*kind - INVOCATION), u128::from_be_bytes(*id)))
}

/// The table that a record is about, and how many records it is made of, also if the rest of its bytes is damaged.
pub(in crate::recorder) fn records(bytes: &[u8]) -> Option<(usize, u64)> {
    let (kind, rest) = bytes.split_first()?;
    let records = rest.get(HEAD_START - 1..)?.first_chunk()?;
    matches!(*kind, INVOCATION..=LOG).then(|| (usize::from(*kind - INVOCATION), u64::from_le_bytes(*records)))
}

/// Reads a record, whose texts stay where they are; `None` if the bytes are none.
pub(in crate::recorder) fn read(bytes: &[u8]) -> Option<Record<'_>> {
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

    fn cow(&mut self) -> Option<Option<Cow<'a, str>>> {
        Some(self.text()?.map(Cow::Borrowed))
    }

    fn error(&mut self) -> Option<Option<ErrorText<'a>>> {
        let (message, stack) = (self.cow()?, self.cow()?);
        Some(message.map(|message| ErrorText { message, stack }))
    }

    // The fields of a literal are read in the order in which they are written here.

    fn invocation(&mut self) -> Option<InvocationRow<'a>> {
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
            correlation_id: self.text()??,
            source_function: self.text()??,
            error: self.error()?,
            source: None,
        };
        if self.flag()? {
            row.source = Some(Box::new(Source {
                job_id: self.option(Self::id)?,
                event_id: self.option(Self::id)?,
                event_time: self.option(Self::time)?,
                auto_load_modules: self.option(Self::flag)?,
                table: self.cow()?,
                operation: self.cow()?,
                system: self.cow()?,
                kind: self.cow()?,
                payload: self.cow()?,
                user_email: self.cow()?,
                user_role: self.cow()?,
                modules_directory: self.cow()?,
                context: self.cow()?,
            }));
        }
        Some(row)
    }

    fn event(&mut self) -> Option<EventRow<'a>> {
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
            correlation_id: self.text()??,
            event_name: self.text()??,
            detection_error: self.error()?,
            handler_error: self.error()?,
            module_path: self.text()?,
        })
    }

    fn log(&mut self) -> Option<LogRow<'a>> {
        Some(LogRow {
            records: self.records()?,
            id: self.id()?,
            job_execution_id: self.id()?,
            created_at: self.time()?,
            level: self.status(LEVELS)?,
            message: self.text()??.into(),
            data: self.cow()?,
            source: self.text()?,
        })
    }

    fn job(&mut self) -> Option<JobRow<'a>> {
        Some(JobRow {
            records: self.records()?,
            id: self.id()?,
            invocation_id: self.id()?,
            event_execution_id: self.id()?,
            created_at: self.time()?,
            updated_at: self.time()?,
            status: self.status(STATUSES)?,
            duration_ms: self.option(Self::int)?,
            correlation_id: self.text()??,
            job_name: self.text()??,
            function_name: self.text()?,
            options: self.cow()?,
            result: self.cow()?,
            error: self.error()?,
        })
    }
}

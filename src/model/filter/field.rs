//! The fields of the filter language: one table feeds parsing, help and completion.

/// Fields that hold a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextField {
    /// The function that was called.
    Fn,
    /// A detected event.
    Evt,
    /// A job that ran.
    Job,
    /// Who changed the row.
    User,
    /// The operation; case does not matter.
    Op,
    /// The table; the schema `public` may be left out.
    Table,
    /// The system that sent the event.
    Sys,
    /// The correlation id.
    Corr,
}

/// Fields that hold a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberField {
    /// Duration, milliseconds; of an unfinished invocation the time since it began.
    Dur,
    /// Jobs that were started.
    Jobs,
    /// Jobs that failed.
    Fails,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Compared as text.
    Text(TextField),
    /// Compared as a number.
    Number(NumberField),
    /// The effective status.
    St,
    /// When it was recorded.
    At,
    /// A value in the payload, by its path.
    Payload,
    /// The id of the invocation, of an event or of a job.
    Id,
}

/// What help and completion tell of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Its name in a filter.
    pub name: &'static str,
    /// A longer name that is understood, too.
    pub long: &'static str,
    /// What it is.
    pub what: &'static str,
    /// A term that uses it.
    pub example: &'static str,
}

/// All fields, in the order of help.
pub const FIELDS: [FieldInfo; 15] = [
    info(Field::St, "st", "status", "effective status: ok failed stuck running", "st:failed,stuck"),
    info(Field::Text(TextField::Fn), "fn", "function", "function", "fn:event-*"),
    info(Field::Text(TextField::Evt), "evt", "event", "name of a detected event", "evt:~pickup"),
    info(Field::Text(TextField::Job), "job", "job_name", "name of a job that ran", "job:sendNot*"),
    info(Field::Text(TextField::User), "user", "email", "who changed the row", "user:driver*@company.com"),
    info(Field::Text(TextField::Op), "op", "operation", "operation", "-op:DELETE"),
    info(Field::Text(TextField::Table), "table", "source_table", "table", "table:moves"),
    info(Field::Text(TextField::Sys), "sys", "system", "system that sent the event", "sys:hasura"),
    info(Field::Text(TextField::Corr), "corr", "correlation", "correlation id", "corr:moves.*"),
    info(Field::Number(NumberField::Dur), "dur", "duration", "duration; ms s m h", "dur:>1s"),
    info(Field::Number(NumberField::Jobs), "jobs", "job_count", "jobs that were started", "jobs:0"),
    info(Field::Number(NumberField::Fails), "fails", "failures", "jobs that failed", "fails:2..5"),
    info(Field::At, "at", "time", "when; 15m is the last 15 minutes", "at:12:00..12:30"),
    info(
        Field::Payload,
        "payload",
        "source_event_payload",
        "value in the payload, of up to 2 MiB",
        "payload.data.new.id:123",
    ),
    info(Field::Id, "id", "uuid", "invocation, event or job", "id:550e8400-e29b-41d4-a716-446655440000"),
];

const fn info(
    field: Field,
    name: &'static str,
    long: &'static str,
    what: &'static str,
    example: &'static str,
) -> FieldInfo {
    FieldInfo { field, name, long, what, example }
}

impl Field {
    /// The field of this name, short or long, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        FIELDS.iter().find(|info| is(info.name) || is(info.long)).map(|info| info.field)
    }

    /// What help tells of it.
    #[must_use]
    pub fn info(self) -> &'static FieldInfo {
        // The table holds every field; a test says so.
        FIELDS.iter().find(|info| info.field == self).unwrap_or(&FIELDS[0])
    }
}

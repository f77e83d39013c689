//! The filter language of the list.
//!
//! A filter is a row of terms, all of which must hold: `st:failed fn:event-* -op:DELETE dur:>1s today "no answer"`.
//!
//! | term | holds when |
//! |---|---|
//! | `field:value`, `field:a,b` | the field is the value, or one of them; see [`FIELDS`] |
//! | `-field:value` | it is not |
//! | `fn:event-*` | a text fits; `*` stands for anything, case does not matter |
//! | `job:~send(Sms)?` | a text holds the regular expression, see [`Pattern`] |
//! | `dur:>1s`, `jobs:2..5` | a number lies there; both ends of a range are included |
//! | `15m`, `at:12:00..12:30`, `at:all` | it was recorded then, see [`TimeRange`] |
//! | `payload.data.new.id:123` | the payload holds the value at this path, or at this path below `event`; `"123"` is a text |
//! | `timeout`, `"no answer"`, `~time.?out` | the function, table, user, correlation id, the name of a detected event or of a job, or an error holds the text |
//! | an id | it is that of the invocation, an event or a job of it, or stands in its correlation id |
//! | an e-mail address | it is the user or the correlation id |
//!
//! Without `*` and `~` a text must be equal, case included, since only that can be looked up in an index. Text with
//! spaces, commas or stars of its own is quoted; in quotes `\"` is a quote and `\\` a backslash.
//!
//! [`Filter`] is plain data. The store makes SQL of it; [`Filter::matches`] decides the same on rows that are at hand.

mod complete;
mod display;
mod field;
mod matches;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;
mod time;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::status::Effective;
use super::zone::Zone;

pub use complete::{Completion, Known, complete};
pub use field::{FIELDS, Field, FieldInfo, NumberField, TextField};
pub use matches::{Below, Candidate, payload_text, table_name};
pub use parse::FilterError;
pub use pattern::Pattern;
pub use time::{Clock, Moment, Period, TimeRange};

/// How far back a filter looks that no index answers, when neither it nor the caller says from when on: the tables are
/// too large to be searched from end to end, which a rare or misspelt word would do.
pub const SEARCH_RANGE: TimeDelta = TimeDelta::days(7);

/// A filter. Made by [`Filter::parse`], printed by `to_string`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    negated: bool,
    test: Test,
}

/// What a term asks, before it is negated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A text field is any of these.
    Text(TextField, Vec<Text>),
    /// The effective status is any of these.
    Status(Vec<Effective>),
    /// A number lies in any of these.
    Number(NumberField, Vec<Number>),
    /// It was recorded in any of these.
    At(Vec<TimeRange>),
    /// The payload holds any of these at the path.
    Payload(Vec<Step>, Vec<Scalar>),
    /// Anything that a reader sees of it holds the text.
    Words(Text),
    /// An id.
    Id(Uuid),
    /// An e-mail address: of the user, or as the correlation id.
    Person(String),
}

/// A text to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Equal; in [`Test::Words`] contained, whatever the case.
    Plain(String),
    /// `*` stands for anything.
    Glob(String),
    /// A regular expression.
    Regex(Pattern),
}

/// A condition on a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// `n`
    Is(i64),
    /// `>n`
    Over(i64),
    /// `>=n`
    AtLeast(i64),
    /// `<n`
    Under(i64),
    /// `<=n`
    AtMost(i64),
    /// `a..b`, both included; one may be open.
    Between(Option<i64>, Option<i64>),
}

/// A step of a path in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The member of an object.
    Key(String),
    /// `[]`: any element of an array.
    Any,
}

/// A value in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number as it was written.
    Number(String),
    /// `true`, `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Filter {
    /// Reads a filter. An empty text is the filter that everything passes.
    ///
    /// # Errors
    /// Where it is wrong, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Adds a term, unless it is there. Its opposite is removed, and so is, for a field that can have one value only,
    /// a demand for another value: filtering by one function and then by another asks for the other.
    pub fn add(&mut self, term: Term) {
        let contradicts = |old: &Term| {
            old.test == term.test && old.negated != term.negated
                || !term.negated && !old.negated && old.test.excludes(&term.test)
        };
        self.terms.retain(|old| !contradicts(old));
        if !self.terms.contains(&term) {
            self.terms.push(term);
        }
    }

    /// The filter that also asks for this: "filter by the value under the cursor".
    #[must_use]
    pub fn with(mut self, test: Test) -> Self {
        self.add(Term { negated: false, test });
        self
    }

    /// The filter that also refuses this: "filter out the value under the cursor".
    #[must_use]
    pub fn without(mut self, test: Test) -> Self {
        self.add(Term { negated: true, test });
        self
    }

    /// The same filter with exact times, so that it means the same later and elsewhere. Hours of the day are those of
    /// `zone`; a filter that is used without this step reads them as UTC.
    #[must_use]
    pub fn pinned(&self, now: DateTime<Utc>, zone: &Zone) -> Self {
        let pin = |term: &Term| match &term.test {
            Test::At(ranges) => {
                let ranges = ranges.iter().map(|range| range.pinned(now, zone)).collect();
                Term { test: Test::At(ranges), ..*term }
            }
            _ => term.clone(),
        };
        Self { terms: self.terms.iter().map(pin).collect() }
    }

    /// The ranges of time that it asks for; a row lies in one of each.
    pub fn times(&self) -> impl Iterator<Item = &[TimeRange]> {
        self.terms.iter().filter(|term| !term.negated).filter_map(|term| match &term.test {
            Test::At(ranges) => Some(&ranges[..]),
            _ => None,
        })
    }

    /// The same filter for another range of time, or for the one that applies where none is asked for.
    #[must_use]
    pub fn at(mut self, range: Option<TimeRange>) -> Self {
        self.terms.retain(|term| term.negated || !matches!(term.test, Test::At(_)));
        match range {
            Some(range) => self.with(Test::At(vec![range])),
            None => self,
        }
    }

    /// The moment before which no row can pass, where the terms say so.
    #[must_use]
    pub fn since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let start = |term: &Term| match &term.test {
            Test::At(ranges) if !term.negated => {
                let starts = ranges.iter().map(|range| range.resolve(now, &Zone::UTC).since);
                // An open start sorts first, and leaves all open.
                starts.min().flatten()
            }
            _ => None,
        };
        self.terms.iter().filter_map(start).max()
    }

    /// The moment from which on no row can pass, where the terms say so.
    #[must_use]
    pub fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let end = |term: &Term| match &term.test {
            Test::At(ranges) if !term.negated => {
                let ends: Option<Vec<_>> = ranges.iter().map(|range| range.resolve(now, &Zone::UTC).until).collect();
                ends.and_then(|ends| ends.into_iter().max())
            }
            _ => None,
        };
        self.terms.iter().filter_map(end).min()
    }

    /// Whether rows have to be read one after another to find those that pass: no index leads to them.
    #[must_use]
    pub fn looks_through_rows(&self) -> bool {
        let looks_through = self.terms.iter().any(|term| term.test.looks_through_rows(term.negated));
        let found_by_index = self.terms.iter().any(|term| !term.negated && term.test.is_indexed());
        looks_through && !found_by_index
    }

    /// Whether a term asks for an id.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.terms.iter().any(|term| !term.negated && matches!(term.test, Test::Id(_)))
    }

    /// Whether a term asks for all time.
    #[must_use]
    pub fn is_of_all_time(&self) -> bool {
        self.times().flatten().any(|range| *range == TimeRange::All)
    }

    /// The moment from which on the database is searched when the caller gives none: [`SEARCH_RANGE`] ago for a filter
    /// that looks through rows, unless its times, an id or a correlation id bound it already.
    #[must_use]
    pub fn search_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let told = self.since(now).is_some() || self.is_of_all_time();
        let unbounded = self.looks_through_rows() && !told;
        unbounded.then(|| now.checked_sub_signed(SEARCH_RANGE).unwrap_or(DateTime::UNIX_EPOCH))
    }
}

impl Term {
    /// Whether the test must fail.
    #[must_use]
    pub fn negated(&self) -> bool {
        self.negated
    }

    /// The test.
    #[must_use]
    pub fn test(&self) -> &Test {
        &self.test
    }
}

impl Test {
    /// A field with exactly this value, such as the one under the cursor: no character of it has a meaning, an empty
    /// one means absent. For [`Field::Payload`] use [`Test::payload`].
    ///
    /// # Errors
    /// When the field cannot have such a value.
    pub fn exact(field: Field, value: &str) -> Result<Self, FilterError> {
        parse::exact(field, value)
    }

    /// A value at a path of the payload; `None` for an array or an object, and for a path without a step.
    #[must_use]
    pub fn payload(path: Vec<Step>, value: &Value) -> Option<Self> {
        let texts = path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Any => None,
        });
        let scalar = match value {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Number(number) => Scalar::parse(&number.to_string()),
            Value::String(text) => Scalar::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => return None,
        };
        let is_number_kept = !value.is_number() || matches!(scalar, Scalar::Number(_));
        let readable = texts.chain(value.as_str()).all(|text| !text.contains('\0'));
        let whole = !path.is_empty() && path.len() <= parse::MOST_STEPS;
        (is_number_kept && readable && whole).then(|| Self::Payload(path, vec![scalar]))
    }

    /// Whether a row cannot pass both this and another test, because each wants one certain value of one field.
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            // A row has many events and jobs, but one of all else.
            (Self::Text(TextField::Evt | TextField::Job, _), _) => false,
            (Self::Text(a, old), Self::Text(b, new)) => a == b && old != new && is_plain(old) && is_plain(new),
            (Self::Status(old), Self::Status(new)) => old != new,
            _ => false,
        }
    }

    /// Whether rows have to be read to find those that pass. A function's rows stand in an index, newest first.
    fn looks_through_rows(&self, negated: bool) -> bool {
        match self {
            Self::Text(TextField::Fn | TextField::Corr, texts) => negated || !is_plain(texts),
            Self::At(_) => false,
            Self::Id(_) => negated,
            _ => true,
        }
    }

    /// Whether an index leads to the few rows that pass.
    fn is_indexed(&self) -> bool {
        match self {
            Self::Text(TextField::Corr, texts) => is_plain(texts),
            Self::Id(_) => true,
            _ => false,
        }
    }
}

fn is_plain(texts: &[Text]) -> bool {
    texts.iter().all(|text| matches!(text, Text::Plain(text) if !text.is_empty()))
}

impl Number {
    /// The least and the greatest number that pass; open where absent.
    #[must_use]
    pub fn bounds(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Is(n) => (Some(n), Some(n)),
            Self::Over(n) => (Some(n.saturating_add(1)), None),
            Self::AtLeast(n) => (Some(n), None),
            Self::Under(n) => (None, Some(n.saturating_sub(1))),
            Self::AtMost(n) => (None, Some(n)),
            Self::Between(least, most) => (least, most),
        }
    }

    /// Whether a number passes.
    #[must_use]
    pub fn holds(self, number: i64) -> bool {
        let (least, most) = self.bounds();
        least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
    }
}

impl Scalar {
    /// Reads a value that is not quoted: a number, `true`, `false`, `null`, or else a text.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            "null" => Self::Null,
            _ if is_number(text) => Self::Number(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// Characters of a number: 1e400 as PostgreSQL prints it is one.
const LONGEST_NUMBER: usize = 1_000;

/// Whether JSON reads it as a number, without an exponent and of a sane length.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= LONGEST_NUMBER && all(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all)
}

//! A filter decided on rows that are at hand. The store's SQL must say the same; a server test compares them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::field::{NumberField, TextField};
use super::{Filter, Scalar, Step, Test, Text};
use crate::model::invocation::{Event, Invocation, Job, Link, Listed, Parent};
use crate::model::number::is_same;
use crate::model::zone::Zone;

/// A row of the list, and what is known of the rows below it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The row.
    pub listed: &'a Listed,
    /// Its events, jobs and payload, if they are loaded.
    pub below: Option<Below<'a>>,
}

/// The rows of one invocation, and its payload.
#[derive(Clone, Copy, Debug)]
pub struct Below<'a> {
    /// All its events.
    pub events: &'a [Event],
    /// All its jobs.
    pub jobs: &'a [Job],
    /// `source_event_payload`.
    pub payload: &'a Value,
}

impl Filter {
    /// Whether the row passes; one whose rows below are not loaded passes only if that needs no knowledge of them.
    /// Hours of the day are read as UTC, see [`Filter::pinned`].
    #[must_use]
    pub fn matches(&self, candidate: &Candidate<'_>, now: DateTime<Utc>, stale_after: TimeDelta) -> bool {
        self.decide(candidate, now, stale_after) == Some(true)
    }

    /// As [`Filter::matches`]; `None` when the answer lies in rows that are not loaded.
    #[must_use]
    pub fn decide(&self, candidate: &Candidate<'_>, now: DateTime<Utc>, stale_after: TimeDelta) -> Option<bool> {
        let mut known = Some(true);
        for term in &self.terms {
            match term.test.decide(candidate, now, stale_after) {
                Some(holds) if holds == term.negated => return Some(false),
                Some(_) => {}
                None => known = None,
            }
        }
        known
    }
}

impl Test {
    fn decide(&self, candidate: &Candidate<'_>, now: DateTime<Utc>, stale_after: TimeDelta) -> Option<bool> {
        let Candidate { listed, below } = candidate;
        let invocation = &listed.invocation;
        match self {
            Self::Text(TextField::Evt, texts) => {
                let events = below.as_ref()?.events.iter().filter(|event| event.detected);
                Some(any(texts, events.map(|event| &*event.name)))
            }
            Self::Text(TextField::Job, texts) => Some(any(texts, below.as_ref()?.jobs.iter().map(|job| &*job.name))),
            Self::Text(field, texts) => {
                let subject = subject(*field, invocation);
                Some(texts.iter().any(|text| text.fits(*field, subject)))
            }
            Self::Status(statuses) => Some(statuses.contains(&listed.verdict(now, stale_after).effective)),
            Self::Number(field, numbers) => {
                let count = |n: u64| Some(i64::try_from(n).unwrap_or(i64::MAX));
                let number = match field {
                    NumberField::Dur => listed.duration_ms(now),
                    NumberField::Jobs => count(listed.children.jobs_run),
                    NumberField::Fails => count(listed.children.jobs_failed),
                };
                Some(number.is_some_and(|number| numbers.iter().any(|test| test.holds(number))))
            }
            Self::At(ranges) => {
                Some(ranges.iter().any(|range| range.resolve(now, &Zone::UTC).holds(invocation.created_at)))
            }
            Self::Payload(path, values) => {
                let payload = below.as_ref()?.payload;
                Some(values.iter().any(|scalar| is_in_payload(payload, path, scalar)))
            }
            Self::Words(text) => {
                let own = [
                    Some(&*invocation.source_function),
                    invocation.correlation_id.as_deref(),
                    invocation.source_table.as_deref(),
                    invocation.source_user_email.as_deref(),
                    invocation.error_message.as_deref(),
                ];
                let more = |Below { events, jobs, .. }: &Below<'_>| {
                    let detected = |event: &Event| event.detected && text.is_in(&event.name);
                    let error = |error: &Option<Arc<str>>| error.as_deref().is_some_and(|error| text.is_in(error));
                    events.iter().any(|event| detected(event) || error(&event.error))
                        || jobs.iter().any(|job| text.is_in(&job.name) || error(&job.error))
                };
                or_below(own.into_iter().flatten().any(|own| text.is_in(own)), below.as_ref().map(more))
            }
            Self::Id(id) => {
                let carries = |text: &str| forms(*id).iter().any(|form| fold(text).contains(form));
                let caused = Some(Parent { job: *id, link: Link::Recorded });
                let own = invocation.id == *id || invocation.parent == caused || invocation.delivery.event == Some(*id);
                let own = own || invocation.correlation_id.as_deref().is_some_and(carries);
                let more = |Below { events, jobs, .. }: &Below<'_>| {
                    events.iter().any(|event| event.id == *id) || jobs.iter().any(|job| job.id == *id)
                };
                or_below(own, below.as_ref().map(more))
            }
            Self::Person(address) => {
                let own = [&invocation.correlation_id, &invocation.source_user_email];
                Some(own.iter().any(|text| text.as_deref() == Some(address)))
            }
        }
    }
}

fn or_below(own: bool, below: Option<bool>) -> Option<bool> {
    if own { Some(true) } else { below }
}

fn any<'a>(texts: &[Text], mut subjects: impl Iterator<Item = &'a str>) -> bool {
    subjects.any(|subject| texts.iter().any(|text| text.fits(TextField::Evt, subject)))
}

/// What an absent text is compared as: empty.
fn subject(field: TextField, invocation: &Invocation) -> &str {
    let text = match field {
        TextField::Fn => return &invocation.source_function,
        TextField::User => &invocation.source_user_email,
        TextField::Op => &invocation.source_operation,
        TextField::Table => return invocation.source_table.as_deref().map_or("", table_name),
        TextField::Sys => &invocation.source_system,
        TextField::Corr => &invocation.correlation_id,
        TextField::Evt | TextField::Job => return "",
    };
    text.as_deref().unwrap_or("")
}

/// A table as it is compared and shown: without the schema `public`.
#[must_use]
pub fn table_name(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}

/// Both forms of an id in correlation ids.
pub(super) fn forms(id: Uuid) -> [String; 2] {
    [id.hyphenated().to_string(), id.simple().to_string()]
}

fn fold(text: &str) -> String {
    // Letter by letter, as a database does it.
    text.chars().flat_map(char::to_lowercase).collect()
}

impl Text {
    /// Whether the whole text is as wanted.
    fn fits(&self, field: TextField, subject: &str) -> bool {
        let named =
            |text: &'_ str| if field == TextField::Table { table_name(text).to_owned() } else { text.to_owned() };
        match self {
            Self::Plain(text) if field == TextField::Op => fold(text) == fold(subject),
            Self::Plain(text) => named(text) == subject,
            Self::Glob(glob) => fits_glob(&fold(&named(glob)), &fold(subject)),
            Self::Regex(pattern) => pattern.is_match(subject),
        }
    }

    /// Whether a text holds it; an empty one holds nothing.
    fn is_in(&self, subject: &str) -> bool {
        if subject.is_empty() {
            return false;
        }
        match self {
            Self::Plain(text) => fold(subject).contains(&fold(text)),
            Self::Glob(glob) => fits_glob(&format!("*{}*", fold(glob)), &fold(subject)),
            Self::Regex(pattern) => pattern.is_match(subject),
        }
    }
}

/// Whether the whole text fits, where `*` stands for any run of characters.
fn fits_glob(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The documents of which a payload must contain one, as JSON: the value at the path, and, since a database event is
/// wrapped, at the path below `event`.
#[must_use]
pub fn payload_text(path: &[Step], scalar: &Scalar) -> Vec<String> {
    let inner = match scalar {
        Scalar::Text(text) => Value::from(text.as_str()).to_string(),
        Scalar::Number(number) => number.clone(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Null => "null".to_owned(),
    };
    let wrap = |inner: String, step: &Step| match step {
        Step::Key(key) => format!("{{{}:{inner}}}", Value::from(key.as_str())),
        Step::Any => format!("[{inner}]"),
    };
    let own = path.iter().rev().fold(inner, wrap);
    if is_below_event(path) { vec![own] } else { vec![format!("{{\"event\":{own}}}"), own] }
}

fn is_below_event(path: &[Step]) -> bool {
    matches!(path.first(), Some(Step::Key(key)) if key == "event")
}

fn is_in_payload(payload: &Value, path: &[Step], scalar: &Scalar) -> bool {
    is_at(payload, path, scalar)
        || !is_below_event(path) && payload.get("event").is_some_and(|event| is_at(event, path, scalar))
}

fn is_at(value: &Value, path: &[Step], scalar: &Scalar) -> bool {
    match (path.split_first(), scalar) {
        (Some((Step::Key(key), rest)), _) => {
            value.as_object().and_then(|map| map.get(key)).is_some_and(|value| is_at(value, rest, scalar))
        }
        (Some((Step::Any, rest)), _) => {
            value.as_array().is_some_and(|items| items.iter().any(|item| is_at(item, rest, scalar)))
        }
        (None, Scalar::Text(text)) => value.as_str() == Some(text),
        (None, Scalar::Bool(wanted)) => value.as_bool() == Some(*wanted),
        (None, Scalar::Null) => value.is_null(),
        (None, Scalar::Number(number)) => value.as_number().is_some_and(|value| is_same(&value.to_string(), number)),
    }
}

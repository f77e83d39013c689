//! A filter as SQL. Every value is bound, payload paths included; the text of the statement is made of constants only.
//!
//! Rows below an invocation are looked at through the index on `invocation_id`, one invocation after another
//! ([`sql::PROBE`]), so that the range of time bounds what is read. Says the same as `Filter::matches`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::bound;
use super::find;
use super::page::Values;
use crate::model::filter::{
    Filter, Number, NumberField, Pattern, Test, Text, TextField, TimeRange, payload_text, table_name,
};
use crate::model::status::sql;
use crate::model::zone::Zone;
use crate::store::capabilities::Capabilities;
use crate::store::error::StoreError;
use crate::store::time::Timestamp;

/// What an event's error is, as the cascade reads it.
const EVENT_ERROR: &str = "left(coalesce(nullif(e.detection_error, ''), nullif(e.handler_error, ''), \
    nullif(e.detection_error_stack, ''), nullif(e.handler_error_stack, '')), 65536)";
/// What a job's error is.
const JOB_ERROR: &str = "left(coalesce(nullif(j.error_message, ''), nullif(j.error_stack, '')), 65536)";
/// The table without the schema that is left out everywhere.
const TABLE: &str = "(case when left(i.source_table, 7) = 'public.' then substr(i.source_table, 8, 65536) \
    else left(i.source_table, 65536) end)";

/// What an id in a filter leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// The rows that indexes find.
    Known,
    /// These too, and where there are none, rows whose correlation id holds the id somewhere, or whose source event it is:
    /// each is looked at.
    Any,
}

/// One condition on `invocations i` for each term. The first of the values is the moment before which an untouched row is
/// stale.
pub(super) fn conditions(
    filter: &Filter,
    ids: Ids,
    capabilities: &Capabilities,
    values: &mut Values,
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    let mut conditions = Vec::new();
    for term in filter.terms() {
        let ids = if term.negated() { Ids::Any } else { ids };
        let mut sql = Sql { values: &mut *values, now, ids, capabilities };
        let condition = sql.test(term.test())?;
        // Absent is not equal, so it passes where equal is refused.
        conditions.push(if term.negated() { format!("({condition}) is not true") } else { condition });
    }
    Ok(conditions)
}

/// A text that a pattern is looked for in. Of an empty one there is only the pattern.
fn searched(text: &str) -> String {
    if text.is_empty() || text.starts_with("left(") { text.to_owned() } else { bound::searched(text) }
}

struct Sql<'v> {
    values: &'v mut Values,
    now: DateTime<Utc>,
    ids: Ids,
    capabilities: &'v Capabilities,
}

type Condition = Result<String, StoreError>;

impl Sql<'_> {
    fn test(&mut self, test: &Test) -> Condition {
        match test {
            Test::Text(TextField::Evt, texts) => {
                let name = self.names("e.event_name", texts)?;
                Ok(event(&format!("e.detected and {name}")))
            }
            Test::Text(TextField::Job, texts) => Ok(job(&self.names("j.job_name", texts)?)),
            Test::Text(TextField::Op, texts) => {
                self.any(texts, |sql, text| sql.pattern("coalesce(i.source_operation, '')", text, ""))
            }
            Test::Text(TextField::Table, texts) => {
                let named = |text: &String| table_name(text).to_owned();
                let texts: Vec<_> = texts
                    .iter()
                    .map(|text| match text {
                        Text::Plain(text) => Text::Plain(named(text)),
                        Text::Glob(glob) => Text::Glob(named(glob)),
                        Text::Regex(_) => text.clone(),
                    })
                    .collect();
                self.texts(TABLE, &texts)
            }
            Test::Text(TextField::Fn, texts) => self.names("i.source_function", texts),
            Test::Text(TextField::User, texts) => self.texts("i.source_user_email", texts),
            Test::Text(TextField::Sys, texts) => self.texts("i.source_system", texts),
            Test::Text(TextField::Corr, texts) => self.texts("i.correlation_id", texts),
            Test::Status(statuses) => self.any(statuses, |_, status| Ok(sql::effectively(*status, "$1", "$2"))),
            Test::Number(field, numbers) => {
                let number = match field {
                    NumberField::Dur => self.duration()?,
                    NumberField::Jobs => count("true"),
                    NumberField::Fails => count(sql::JOB_FAILED),
                };
                self.any(numbers, |sql, wanted| sql.number(&number, *wanted))
            }
            Test::At(ranges) => self.any(ranges, Self::range),
            Test::Payload(path, scalars) => {
                let documents = scalars.iter().flat_map(|scalar| payload_text(path, scalar)).collect::<Vec<_>>();
                self.any(&documents, |sql, document| {
                    Ok(format!(
                        "case when pg_column_size(i.source_event_payload) <= {} then i.source_event_payload @> {}::text::jsonb end",
                        bound::MOST_PAYLOAD_SEARCHED,
                        sql.values.add(document.clone())?
                    ))
                })
            }
            Test::Words(text) => self.words(text),
            Test::Id(id) => self.id(*id),
            Test::Person(address) => {
                let address = self.values.add(address.clone())?;
                Ok(format!("(i.correlation_id = {address} or i.source_user_email = {address})"))
            }
        }
    }

    fn any<T>(&mut self, items: &[T], mut condition: impl FnMut(&mut Self, &T) -> Condition) -> Condition {
        let mut conditions = items.iter().map(|item| condition(self, item)).collect::<Result<Vec<_>, _>>()?;
        match conditions.len() {
            0 => Ok("false".to_owned()),
            1 => Ok(conditions.swap_remove(0)),
            _ => Ok(format!("({})", conditions.join(" or "))),
        }
    }

    /// A column that may be absent, which counts as empty.
    fn texts(&mut self, column: &str, texts: &[Text]) -> Condition {
        // The bare column, wherever an index may serve.
        let filled = |text: &Text| matches!(text, Text::Plain(text) if !text.is_empty());
        if texts.iter().all(filled) {
            self.names(column, texts)
        } else {
            self.names(&format!("coalesce({column}, '')"), texts)
        }
    }

    /// A text that is never absent.
    fn names(&mut self, text: &str, wanted: &[Text]) -> Condition {
        let plain = |text: &Text| match text {
            Text::Plain(text) => Some(text.clone()),
            _ => None,
        };
        let equal: Vec<String> = wanted.iter().filter_map(plain).collect();
        let mut parts = match equal.len() {
            0 => Vec::new(),
            1 => vec![format!("{text} = {}", self.values.add(equal[0].clone())?)],
            _ => vec![format!("{text} = any({})", self.values.add(equal)?)],
        };
        for pattern in wanted.iter().filter(|wanted| plain(wanted).is_none()) {
            parts.push(self.pattern(text, pattern, "")?);
        }
        self.any(&parts, |_, part| Ok(part.clone()))
    }

    /// Whatever the case; `around` is `%` where it may be any part of the text.
    fn pattern(&mut self, text: &str, wanted: &Text, around: &str) -> Condition {
        let like = match wanted {
            Text::Plain(text) => escaped(text),
            Text::Glob(glob) => escaped(glob).replace('*', "%"),
            Text::Regex(pattern) => return self.regex(text, pattern),
        };
        Ok(format!("{} ilike {}", searched(text), self.values.add(format!("{around}{like}{around}"))?))
    }

    fn regex(&mut self, text: &str, pattern: &Pattern) -> Condition {
        Ok(format!("{} ~* {}", searched(text), self.values.add(pattern.portable().to_owned())?))
    }

    fn words(&mut self, text: &Text) -> Condition {
        // One value for all. An empty text holds nothing, not even an empty one.
        let wanted = self.pattern("", text, "%")?;
        let own = [
            "i.source_function",
            "i.correlation_id",
            "i.source_table",
            "i.source_user_email",
            "left(i.error_message, 65536)",
        ]
        .map(|column| format!("nullif({}, ''){wanted}", searched(column)));
        // Apart, so that an index of the detected events' names and one of the few failed events can serve.
        let event = format!(
            "({} or {})",
            event(&format!("e.detected and nullif({}, ''){wanted}", searched("e.event_name"))),
            event(&format!("{} and {EVENT_ERROR}{wanted}", sql::EVENT_FAILED))
        );
        let job = job(&format!("(nullif({}, ''){wanted} or {JOB_ERROR}{wanted})", searched("j.job_name")));
        Ok(format!("({} or {event} or {job})", own.join(" or ")))
    }

    fn id(&mut self, id: Uuid) -> Condition {
        let forms = vec![id.hyphenated().to_string(), id.simple().to_string()];
        let patterns: Vec<_> = forms.iter().map(|form| format!("%{form}%")).collect();
        let (id, forms) = (self.values.add(id)?, self.values.add(forms)?);
        let known = find::known(self.capabilities, &id, &forms);
        Ok(match self.ids {
            Ids::Known => format!("i.id in ({known})"),
            Ids::Any => {
                let held = find::held(self.capabilities, &id, &self.values.add(patterns)?);
                format!("(i.id in ({known}) or {held} and not exists ({known}))")
            }
        })
    }

    /// As `Listed::duration_ms`.
    fn duration(&mut self) -> Condition {
        let now = self.values.add(Timestamp(self.now))?;
        Ok(format!(
            "coalesce({}, case when not {} then \
             greatest(0, (extract(epoch from ({now} - i.created_at)) * 1000000)::bigint / 1000) end)",
            bound::milliseconds("i.total_duration_ms"),
            sql::finished('i')
        ))
    }

    fn number(&mut self, number: &str, wanted: Number) -> Condition {
        let mut parts = Vec::new();
        match wanted.bounds() {
            (Some(least), Some(most)) if least == most => parts.push(format!("{number} = {}", self.values.add(least)?)),
            (least, most) => {
                for (sign, end) in [(">=", least), ("<=", most)] {
                    if let Some(end) = end {
                        parts.push(format!("{number} {sign} {}", self.values.add(end)?));
                    }
                }
            }
        }
        Ok(format!("({})", parts.join(" and ")))
    }

    fn range(&mut self, range: &TimeRange) -> Condition {
        let period = range.resolve(self.now, &Zone::UTC);
        let mut parts = Vec::new();
        for (sign, end) in [(">=", period.since), ("<", period.until)] {
            if let Some(end) = end {
                parts.push(format!("i.created_at {sign} {}", self.values.add(Timestamp(end))?));
            }
        }
        Ok(if parts.is_empty() { "true".to_owned() } else { format!("({})", parts.join(" and ")) })
    }
}

fn event(condition: &str) -> String {
    let probe = sql::PROBE;
    format!("exists (select 1 from @schema.event_executions e where e.invocation_id = i.id and {condition}{probe})")
}

fn job(condition: &str) -> String {
    let probe = sql::PROBE;
    format!("exists (select 1 from @schema.job_executions j where j.invocation_id = i.id and {condition}{probe})")
}

fn count(condition: &str) -> String {
    format!("(select count(*) from @schema.job_executions j where j.invocation_id = i.id and {condition})")
}

/// Text in a pattern of `like`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

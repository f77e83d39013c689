//! What an incoming request says about where it comes from: its chain, the job that caused it, the row that changed.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::model::correlation::{Token, is_unique};
use crate::model::trace::{TRACEPARENT, TraceParent, trace_id};

/// The header with the correlation id.
pub(super) const CORRELATION_HEADER: &str = "x-correlation-id";
/// The header with the id of the job that sends the request.
pub(super) const JOB_HEADER: &str = "x-source-job-id";
/// The session variable with the correlation id.
pub(super) const CORRELATION_VARIABLE: &str = "x-hasura-correlation-id";
/// The session variable with the id of the job.
pub(super) const JOB_VARIABLE: &str = "x-hasura-source-job-id";
const USER_VARIABLE: &str = "x-hasura-user-id";

/// Where an invocation comes from, as far as one source knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inbound {
    pub(super) chain: Option<Chain>,
    pub(super) job: Option<Uuid>,
    pub(super) trace: Option<Trace>,
    /// A person's address in `updated_by`, who acted first if nobody else is known.
    pub(super) person: Option<String>,
}

/// A trace of others that goes through here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trace {
    /// Never 0.
    pub(super) id: u128,
    /// Whether the others record it.
    pub(super) sampled: bool,
}

/// The chain, and what a token says besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chain {
    pub(super) correlation: String,
    /// Who acted first.
    pub(super) origin: Option<String>,
    pub(super) hop: Option<u32>,
}

impl Chain {
    pub(super) fn new(correlation: &str) -> Self {
        Self { correlation: correlation.to_owned(), ..Self::default() }
    }
}

impl Inbound {
    pub(super) fn from_token(text: &str) -> Self {
        let Some(Token { source, correlation, job, hop }) = Token::parse(text) else { return Self::default() };
        let chain = Some(Chain { correlation, origin: Some(source), hop });
        Self { chain, job: Some(job), ..Self::default() }
    }

    /// Reads `x-correlation-id`, `x-source-job-id` and `traceparent`. Without the first, the trace is the chain.
    pub(super) fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case(CORRELATION_HEADER) && !value.is_empty() {
                found.chain = Some(Chain::new(value));
            } else if name.eq_ignore_ascii_case(JOB_HEADER) {
                found.job = Uuid::try_parse(value).ok();
            } else if name.eq_ignore_ascii_case(TRACEPARENT) {
                let trace = |header: TraceParent| Trace { id: header.trace, sampled: header.sampled };
                found.trace = TraceParent::parse(value).map(trace);
            }
        }
        found.or_trace()
    }

    /// What this one does not know is taken from another one.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            chain: self.chain.or(other.chain),
            job: self.job.or(other.job),
            trace: self.trace.or(other.trace),
            person: self.person.or(other.person),
        }
    }

    fn or_trace(mut self) -> Self {
        self.chain = self.chain.or_else(|| Some(Chain::new(&format!("{:032x}", self.trace?.id))));
        self
    }
}

/// What the payload of a database event says.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub(super) inbound: Inbound,
    /// `schema.table`.
    pub(super) table: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) event_id: Option<Uuid>,
    pub(super) event_time: Option<DateTime<Utc>>,
    pub(super) user_email: Option<String>,
    pub(super) user_role: Option<String>,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default, deserialize_with = "part")]
    event: Option<Event<'a>>,
    #[serde(default, deserialize_with = "part")]
    table: Option<Table>,
    #[serde(default, deserialize_with = "part")]
    id: Option<Uuid>,
    #[serde(default, deserialize_with = "part")]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "part")]
    session_variables: Option<Variables>,
    #[serde(default, rename = "__sourceJobId", deserialize_with = "part")]
    job: Option<Uuid>,
}

#[derive(Default, Deserialize)]
struct Event<'a> {
    #[serde(default, deserialize_with = "part")]
    op: Option<String>,
    #[serde(borrow, default, deserialize_with = "part")]
    data: Option<Data<'a>>,
    #[serde(default, deserialize_with = "part")]
    session_variables: Option<Variables>,
    #[serde(default, deserialize_with = "part")]
    trace_context: Option<TraceContext>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default, deserialize_with = "part")]
    new: Option<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    updated_by: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Table {
    schema: String,
    name: String,
}

#[derive(Deserialize)]
struct TraceContext {
    trace_id: String,
}

#[derive(Default)]
struct Variables(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let text = |(name, value): (String, Value)| match value {
            Value::String(text) if !text.trim().is_empty() => Some((name.to_ascii_lowercase(), text.trim().to_owned())),
            _ => None,
        };
        Ok(Self(all.into_iter().filter_map(text).collect()))
    }
}

/// A part of the payload, if it has the expected form: payloads of other sources have keys of the same names.
fn part<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

impl Payload {
    /// Reads JSON text. In the order of trust: the token in `event.data.new.updated_by`, session variables, a
    /// correlation id in `updated_by`, the trace.
    pub(super) fn read(json: &str) -> Self {
        if !json.trim_start().starts_with('{') {
            return Self::default();
        }
        let Ok(body) = serde_json::from_str::<Body<'_>>(json) else { return Self::default() };
        let event = body.event.unwrap_or_default();
        let Variables(variables) = event.session_variables.or(body.session_variables).unwrap_or_default();
        let variable = |name| variables.get(name).map(String::as_str);
        let updated_by = event.data.and_then(|data| data.new?.updated_by);
        let updated_by = updated_by.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        // A bare UUID may as well be the person's id.
        let own = updated_by.as_deref().map(str::trim).filter(|text| variable(USER_VARIABLE) != Some(*text));

        let token = own.map(Inbound::from_token).unwrap_or_default();
        let session = Inbound {
            chain: variable(CORRELATION_VARIABLE).map(Chain::new),
            job: variable(JOB_VARIABLE).and_then(|id| Uuid::try_parse(id).ok()),
            ..Inbound::default()
        };
        let plain = Inbound {
            chain: own.filter(|text| is_unique(text)).map(Chain::new),
            person: own.filter(|text| text.contains('@') && !text.contains('|')).map(str::to_owned),
            ..Inbound::default()
        };
        let trace = event.trace_context.and_then(|context| trace_id(&context.trace_id));
        let trace = trace.map(|id| Trace { id, sampled: true });
        let job = Inbound { job: body.job, ..Inbound::default() };
        let inbound = job.or(token).or(session).or(plain).or(Inbound { trace, ..Inbound::default() }).or_trace();
        Self {
            inbound,
            table: event.op.as_ref().and(body.table).map(|table| format!("{}.{}", table.schema, table.name)),
            event_id: event.op.as_ref().and(body.id),
            event_time: event.op.as_ref().and(body.created_at).and_then(|text| time(&text)),
            operation: event.op,
            user_email: variable("x-hasura-user-email").map(str::to_owned),
            user_role: variable("x-hasura-role").map(str::to_owned),
        }
    }
}

/// A time as databases print it; without a zone it is UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    zoned.ok().or_else(|| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::correlation::mint;

    const JOB: &str = "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11";
    const ID: &str = "229386b2-e8e4-4ed9-859d-040cf4897310";
    const TRACE: &str = "2da00667a56b207240c703f72ec5360a";

    fn read(payload: &Value) -> Inbound {
        Payload::read(&payload.to_string()).inbound
    }

    fn updated_by(text: &str) -> Value {
        json!({ "event": { "op": "UPDATE", "data": { "old": null, "new": { "updated_by": text } } } })
    }

    fn chain(found: &Inbound) -> Option<&str> {
        found.chain.as_ref().map(|chain| chain.correlation.as_str())
    }

    #[test]
    fn every_form_of_updated_by_is_taken_over() {
        for (text, correlation, job) in [
            (format!("user@example.com|orders.{ID}|{JOB}"), format!("orders.{ID}"), true),
            (format!("user@example.com|{ID}|{JOB}|4"), ID.to_owned(), true),
            (format!("user@example.com.{ID}.{JOB}"), ID.to_owned(), true),
            (format!("event-handlers.{ID}"), format!("event-handlers.{ID}"), false),
            (format!("moves.sendNotification.{ID}"), format!("moves.sendNotification.{ID}"), false),
            (ID.to_owned(), ID.to_owned(), false),
            (TRACE.to_owned(), TRACE.to_owned(), false),
        ] {
            let found = read(&updated_by(&text));
            assert_eq!((chain(&found), found.job.is_some()), (Some(correlation.as_str()), job), "{text}");
        }
        let person = read(&updated_by("driver@company.com"));
        assert_eq!(person, Inbound { person: Some("driver@company.com".into()), ..Inbound::default() });
        let mut user = updated_by(ID);
        user["event"]["session_variables"] = json!({ "X-Hasura-User-Id": ID });
        assert_eq!(read(&user), Inbound::default());
    }

    #[test]
    fn what_is_surer_goes_first() {
        let mut payload = updated_by(&format!("moves.{ID}"));
        payload["event"]["trace_context"] = json!({ "trace_id": TRACE, "span_id": "1" });
        assert_eq!(chain(&read(&payload)), Some(&*format!("moves.{ID}")));
        payload["event"]["session_variables"] =
            json!({ "x-hasura-Correlation-Id": "session", "x-hasura-source-job-id": JOB, "x-hasura-role": 7 });
        let found = read(&payload);
        assert_eq!((chain(&found), found.job.unwrap().to_string()), (Some("session"), JOB.to_owned()));
        assert_eq!(format!("{:x}", found.trace.unwrap().id), TRACE);
        payload["event"]["data"]["new"]["updated_by"] = format!("a|token|{ID}").into();
        payload["__sourceJobId"] = JOB.into();
        let found = read(&payload);
        assert_eq!((chain(&found), found.job.unwrap().to_string()), (Some("token"), JOB.to_owned()));
        let action = json!({ "action": { "name": "a" }, "session_variables": { "x-hasura-correlation-id": "c" } });
        assert_eq!(chain(&read(&action)), Some("c"));
        let traced = json!({ "event": { "trace_context": { "trace_id": "a3ce929d0e0e4736" } } });
        assert_eq!(chain(&read(&traced)), Some("0000000000000000a3ce929d0e0e4736"));
    }

    #[test]
    fn a_database_event_describes_itself() {
        let found = Payload::read(
            &json!({
                "id": ID, "created_at": "2025-01-15T09:59:59.25", "table": { "schema": "public", "name": "moves" },
                "event": { "op": "INSERT", "session_variables": { "x-hasura-role": "driver", "x-hasura-user-email": "d@c.com" } },
            })
            .to_string(),
        );
        assert_eq!((found.table.as_deref(), found.operation.as_deref()), (Some("public.moves"), Some("INSERT")));
        assert_eq!((found.user_role.as_deref(), found.user_email.as_deref()), (Some("driver"), Some("d@c.com")));
        assert_eq!(found.event_id.unwrap().to_string(), ID);
        assert_eq!(found.event_time.unwrap().to_rfc3339(), "2025-01-15T09:59:59.250+00:00");
    }

    #[test]
    fn other_payloads_say_nothing() {
        for other in [
            r#"{"event":"push","id":"x","table":[]}"#,
            r#"{"event":{"data":{"new":{"updated_by":7}}},"__sourceJobId":null}"#,
            r#"{"event":{"data":null},"updated_by":1}"#,
            r#"{"event":{"data":{"new":[1]},"trace_context":{"trace_id":"00"}}}"#,
            r#"["updated_by"]"#,
            "updated_by",
            "{",
        ] {
            assert_eq!(Payload::read(other).inbound, Inbound::default(), "{other}");
        }
        let webhook = format!(r#"{{"event":"push","__sourceJobId":"{JOB}"}}"#);
        assert_eq!(Payload::read(&webhook).inbound.job.unwrap().to_string(), JOB);
    }

    #[test]
    fn headers_are_taken_over() {
        let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let found =
            Inbound::from_headers([("Traceparent", traceparent.as_bytes()), ("X-Source-Job-Id", JOB.as_bytes())]);
        assert_eq!((chain(&found), found.job.unwrap().to_string()), (Some(TRACE), JOB.to_owned()));
        let named = [("traceparent", traceparent.as_bytes()), ("x-correlation-id", b" mine ".as_slice())];
        let found = Inbound::from_headers(named);
        assert_eq!((chain(&found), found.trace.is_some()), (Some("mine"), true));
        let nothing = [("x-correlation-id", b" ".as_slice()), ("x-source-job-id", b"\xff"), ("traceparent", b"00")];
        assert_eq!(Inbound::from_headers(nothing), Inbound::default());
    }

    proptest! {
        #[test]
        fn a_token_in_a_payload_is_taken_over(source in "[a-z@. |]{1,20}", name in "[a-z.]{1,8}", id: u128, job: u128, hop: Option<u32>) {
            let source = source.trim();
            prop_assume!(!source.is_empty());
            let token = Token { source: source.into(), correlation: mint(&name, Uuid::from_u128(id)), job: Uuid::from_u128(job), hop };
            let found = read(&updated_by(&token.to_string()));
            let expected = Chain { correlation: token.correlation, origin: Some(token.source), hop };
            prop_assert_eq!((found.chain, found.job), (Some(expected), Some(token.job)));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC*", value in "[\"{}:,a@|.\\[\\]]*") {
            let _ = (Payload::read(&text), Payload::read(&value), read(&updated_by(&text)), Inbound::from_token(&text));
            let _ = Inbound::from_headers([("traceparent", text.as_bytes()), (text.as_str(), value.as_bytes())]);
        }
    }
}

//! An answer of Loki → lines. Pure and total: any bytes give lines or an error.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Level, LogError, LogLine, Origin};
use crate::model::redact::mask_text;

const MESSAGE: [&str; 3] = ["message", "msg", "log"];
const LEVEL: [&str; 3] = ["level", "severity", "lvl"];
const LEVEL_LABEL: [&str; 2] = ["level", "detected_level"];
const SERVICE: [&str; 4] = ["service", "service_name", "app", "job"];

#[derive(Deserialize)]
struct Answer<'a> {
    status: Cow<'a, str>,
    #[serde(default)]
    error: String,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Stream {
    stream: BTreeMap<String, String>,
    values: Vec<Entry>,
}

/// The third element is structured metadata, flat or in groups; servers send it only on demand.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String, String),
    WithMetadata(String, String, Option<Map<String, Value>>),
}

/// The lines of a `query_range` answer, oldest first; lines of one nanosecond stay in the order of the answer.
///
/// # Errors
/// [`LogError::Query`] when the answer reports a failure, [`LogError::Malformed`] when it is anything but log streams.
pub fn parse(body: &[u8]) -> Result<Vec<LogLine>, LogError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    if answer.status != "success" {
        return Err(LogError::Query(format!("status {}: {}", answer.status, answer.error)));
    }
    let Some(data) = answer.data else {
        return Err(LogError::Malformed("it has no data; is this address a Loki server?".into()));
    };
    if data.result_type != "streams" {
        let text = format!("it holds a {} where log streams were expected; remove aggregations", data.result_type);
        return Err(LogError::Malformed(text));
    }
    let streams: Vec<Stream> = serde_json::from_str(data.result.get()).map_err(|e| malformed(&e))?;
    let mut lines = Vec::with_capacity(streams.iter().map(|stream| stream.values.len()).sum());
    for Stream { stream, values } in streams {
        for entry in values {
            let (at, text, metadata) = match entry {
                Entry::Plain(at, text) => (at, text, None),
                Entry::WithMetadata(at, text, metadata) => (at, text, metadata),
            };
            let at_ns = at.parse().map_err(|_| LogError::Malformed("a time in it is not in nanoseconds".into()))?;
            lines.push(line(at_ns, text, &stream, metadata.map(flat).unwrap_or_default()));
        }
    }
    lines.sort_by_key(|line| line.at_ns);
    Ok(lines)
}

fn malformed(error: &serde_json::Error) -> LogError {
    LogError::Malformed(format!("it is not an answer of Loki ({error}); check the address and the data source"))
}

/// Metadata without its groups (`structuredMetadata`, `parsed`).
fn flat(metadata: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in metadata {
        match value {
            Value::Object(group) => all.extend(group),
            value => _ = all.insert(name, value),
        }
    }
    all
}

fn line(at_ns: i64, text: String, labels: &BTreeMap<String, String>, metadata: Map<String, Value>) -> LogLine {
    let (message, mut fields) = structured(&text).unwrap_or_else(|| (text, Map::new()));
    let level = LEVEL.iter().find_map(|name| take_level(&mut fields, name));
    for (name, value) in metadata {
        fields.entry(name).or_insert(value);
    }
    let level = level
        .or_else(|| LEVEL_LABEL.iter().find_map(|name| labels.get(*name).and_then(|text| known(Level::parse(text)))))
        .or_else(|| LEVEL_LABEL.iter().find_map(|name| take_level(&mut fields, name)));
    LogLine {
        at_ns,
        level: level.unwrap_or(Level::Other),
        message,
        // Message and fields are masked where they are shown.
        service: mask_text(&take_service(&mut fields, labels)).0.into_owned(),
        fields: if fields.is_empty() { Value::Null } else { Value::Object(fields) },
        origin: Origin::Loki,
    }
}

/// Message and remaining fields of a line in JSON or logfmt; `None` for plain text and for lines without a message.
fn structured(text: &str) -> Option<(String, Map<String, Value>)> {
    let text = text.trim();
    let mut fields = if text.starts_with('{') { serde_json::from_str(text).ok()? } else { logfmt(text)? };
    let name = MESSAGE.iter().find(|name| fields.get(**name).is_some_and(Value::is_string))?;
    match fields.shift_remove(*name) {
        Some(Value::String(message)) => Some((message.trim_end_matches(['\r', '\n']).to_owned(), fields)),
        _ => None,
    }
}

/// The pairs of a line that is nothing but `key=value` and `key="quoted value"`.
fn logfmt(text: &str) -> Option<Map<String, Value>> {
    let mut pairs = Map::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == '"') {
            return None;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        pairs.insert(key.to_owned(), Value::String(value));
        rest = after.trim_start();
    }
    Some(pairs)
}

/// The text up to the closing quote, without escapes, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[i + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

fn known(level: Level) -> Option<Level> {
    (level != Level::Other).then_some(level)
}

/// Takes a level out of the fields; one that is not understood stays among them, to be seen.
fn take_level(fields: &mut Map<String, Value>, name: &str) -> Option<Level> {
    let level = match fields.get(name)? {
        Value::String(text) => known(Level::parse(text)),
        Value::Number(number) => known(Level::from_number(number.as_i64()?)),
        _ => None,
    }?;
    fields.shift_remove(name);
    Some(level)
}

/// The service from the labels, else from the fields. Loki's own `unknown_service` is no service.
fn take_service(fields: &mut Map<String, Value>, labels: &BTreeMap<String, String>) -> String {
    let named = |text: &str| !text.is_empty() && text != "unknown_service";
    let label = SERVICE.iter().find_map(|name| labels.get(*name).filter(|text| named(text)));
    let field = SERVICE.iter().find(|name| fields.get(**name).and_then(Value::as_str).is_some_and(named));
    match (label, field) {
        (Some(label), Some(name)) if fields.get(*name).and_then(Value::as_str) != Some(label) => label.clone(),
        (_, Some(name)) => match fields.shift_remove(*name) {
            Some(Value::String(service)) => service,
            _ => String::new(),
        },
        (Some(label), None) => label.clone(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(streams: &Value) -> Vec<u8> {
        json!({"status": "success", "data": {"resultType": "streams", "result": streams, "stats": {}}})
            .to_string()
            .into_bytes()
    }

    fn one(labels: &Value, text: &str) -> LogLine {
        let body = answer(&json!([{"stream": labels, "values": [["1800000000000000001", text]]}]));
        parse(&body).unwrap().remove(0)
    }

    #[test]
    fn json_lines_give_message_level_service_and_the_rest() {
        let line = one(
            &json!({"environment": "production"}),
            r#"{"level":"warn","msg":"slow\n","service":"notify","code":21610,"nested":{"a":[1]}}"#,
        );
        let expected = LogLine {
            at_ns: 1_800_000_000_000_000_001,
            level: Level::Warn,
            message: "slow".into(),
            service: "notify".into(),
            fields: json!({"code": 21610, "nested": {"a": [1]}}),
            origin: Origin::Loki,
        };
        assert_eq!(line, expected);
        assert_eq!(one(&json!({}), r#"{"level":50,"message":"m","msg":"other"}"#).fields, json!({"msg": "other"}));
        assert_eq!(one(&json!({}), r#"{"level":50,"message":"m"}"#).level, Level::Error);
        assert_eq!(one(&json!({}), r#"{"severity":"NOTICE","log":"m"}"#).fields, Value::Null);
    }

    #[test]
    fn what_is_not_understood_stays_visible() {
        let odd = one(&json!({}), r#"{"level":"purple","msg":"m"}"#);
        assert_eq!((odd.level, odd.fields), (Level::Other, json!({"level": "purple"})));
        let silent = one(&json!({}), r#"{"level":"info","code":1}"#);
        assert_eq!(silent.message, r#"{"level":"info","code":1}"#, "without a message the line is the message");
        let broken = one(&json!({}), r#"{"msg": "cut of"#);
        assert_eq!((broken.message.as_str(), broken.fields), (r#"{"msg": "cut of"#, Value::Null));
        let escape = one(&json!({}), "\u{1b}[31mred");
        assert_eq!(escape.message, "\u{1b}[31mred", "text is cleaned where it is drawn");
    }

    #[test]
    fn labels_fill_in_what_the_line_does_not_say() {
        let plain = one(&json!({"detected_level": "error", "service_name": "unknown_service", "job": "moves"}), "boom");
        assert_eq!((plain.level, plain.service.as_str(), plain.message.as_str()), (Level::Error, "moves", "boom"));
        let both = one(&json!({"app": "label", "level": "info"}), r#"{"msg":"m","level":"error","service":"field"}"#);
        assert_eq!((both.level, both.service.as_str()), (Level::Error, "label"));
        assert_eq!(both.fields, json!({"service": "field"}));
        assert_eq!(one(&json!({"detected_level": "unknown"}), "x").level, Level::Other);
    }

    #[test]
    fn logfmt_is_read_and_text_that_only_looks_like_it_is_not() {
        let line = one(&json!({}), r#"ts=2026-01-01 level=warn msg="took \"long\"\n" took=431ms service=api"#);
        assert_eq!((line.level, line.message.as_str(), line.service.as_str()), (Level::Warn, "took \"long\"", "api"));
        assert_eq!(line.fields, json!({"ts": "2026-01-01", "took": "431ms"}));
        for text in ["retry in level=5 steps", "msg=\"open", "=", "a=b", "see http://x/?msg=1&level=2 now"] {
            let line = one(&json!({}), text);
            assert_eq!((line.message.as_str(), line.fields), (text, Value::Null));
        }
    }

    #[test]
    fn streams_are_joined_by_time_and_nanoseconds_are_kept() {
        let body = answer(&json!([
            {"stream": {"app": "a"}, "values": [["1800000000000000003", "third"], ["1800000000000000001", "first"]]},
            {"stream": {"app": "b"}, "values": [["1800000000000000002", "second", {"level": "warn", "pod": "p"}],
                ["1800000000000000003", "fourth", {"structuredMetadata": {"trace": "t"}, "parsed": {}}],
                ["1800000000000000004", "fifth", null]]},
        ]));
        let lines = parse(&body).unwrap();
        let shown: Vec<_> = lines.iter().map(|l| (l.at_ns % 10, l.message.as_str())).collect();
        assert_eq!(shown, [(1, "first"), (2, "second"), (3, "third"), (3, "fourth"), (4, "fifth")]);
        assert_eq!((lines[1].level, &lines[1].fields), (Level::Warn, &json!({"pod": "p"})));
        assert_eq!(lines[3].fields, json!({"trace": "t"}));
        assert_eq!(parse(&answer(&json!([]))).unwrap(), []);
    }

    #[test]
    fn other_answers_are_errors_in_words() {
        let error = |body: &str| parse(body.as_bytes()).unwrap_err();
        assert_eq!(error(r#"{"status":"error","error":"x y"}"#), LogError::Query("status error: x y".into()));
        for (body, text) in [
            ("<html>", "not an answer of Loki"),
            ("", "not an answer of Loki"),
            ("{}", "status"),
            (r#"{"status":"success"}"#, "no data"),
            (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "holds a matrix"),
            (r#"{"status":"success","data":{"resultType":"streams","result":{}}}"#, "not an answer of Loki"),
            (
                r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{},"values":[["1.5","x"]]}]}}"#,
                "nanoseconds",
            ),
        ] {
            let error = error(body);
            assert!(matches!(&error, LogError::Malformed(why) if why.contains(text)), "{body}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(body: Vec<u8>) {
            let _ = parse(&body);
        }

        #[test]
        fn any_line_stays_one_line(at: i64, text: String, shaped in r#"[{ =a"\\:,}]{0,30}"#) {
            let body = answer(&json!([{"stream": {}, "values": [[at.to_string(), text], [at.to_string(), shaped]]}]));
            let times: Vec<_> = parse(&body).unwrap().iter().map(|line| line.at_ns).collect();
            proptest::prop_assert_eq!(times, [at, at]);
        }

        #[test]
        fn plain_text_is_untouched(text in r#"[ -<>-z\n\r\t\\é]{0,60}"#) {
            let line = one(&json!({}), &text);
            proptest::prop_assert_eq!((line.message, line.fields), (text, Value::Null));
        }

        #[test]
        fn a_message_in_json_or_logfmt_survives(message in "[^\r\n]{0,40}") {
            let json = one(&json!({}), &json!({"msg": message, "level": "info"}).to_string());
            proptest::prop_assert_eq!((&json.message, json.level), (&message, Level::Info));
            let quoted = message.replace('\\', "\\\\").replace('"', "\\\"");
            let logfmt = one(&json!({}), &format!("level=info msg=\"{quoted}\""));
            proptest::prop_assert_eq!((&logfmt.message, logfmt.level), (&message, Level::Info));
        }
    }
}

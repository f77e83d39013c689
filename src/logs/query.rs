//! A [`LogQuery`] → LogQL.

use std::fmt::Write;

use super::{LogError, LogQuery};

/// How the log lines of an installation name the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The stream selector in braces; may be empty when the correlation id is a label.
    pub selector: String,
    /// Whether the correlation id is a label of the streams, else it is a field of the JSON lines.
    pub correlation_is_label: bool,
    /// The label or field with the correlation id.
    pub correlation_field: String,
    /// The field with the id of the job.
    pub job_field: String,
}

impl Template {
    /// Both ids in the JSON lines: `{environment="production"} | json | correlationId="…" | scopeId="…"`.
    #[must_use]
    pub fn json() -> Self {
        Self {
            selector: "{environment=\"production\"}".into(),
            correlation_is_label: false,
            correlation_field: "correlationId".into(),
            job_field: "scopeId".into(),
        }
    }

    /// The correlation id as a label: `{correlation_id="…"} | json | job_execution_id="…"`.
    #[must_use]
    pub fn label() -> Self {
        Self {
            selector: String::new(),
            correlation_is_label: true,
            correlation_field: "correlation_id".into(),
            job_field: "job_execution_id".into(),
        }
    }

    /// The LogQL of a query.
    ///
    /// # Errors
    /// [`LogError::Query`] when there is nothing to ask by: an empty correlation id and no job (LogQL would take an
    /// empty value for "every line without this field"), or no selector.
    pub fn logql(&self, query: &LogQuery) -> Result<String, LogError> {
        let correlation = query.correlation_id.trim();
        if correlation.is_empty() && query.job_id.is_none() {
            return Err(LogError::Query("this row has no correlation id to search by; open one of its jobs".into()));
        }
        let condition = format!("{}={}", self.correlation_field, literal(correlation));
        let mut logql = self.selector.trim().to_owned();
        if self.correlation_is_label && !correlation.is_empty() {
            let matchers = logql.trim_start_matches('{').trim_end_matches('}').trim().trim_end_matches(',');
            let comma = if matchers.is_empty() { "" } else { ", " };
            logql = format!("{{{matchers}{comma}{condition}}}");
        }
        if logql.is_empty() {
            let text = "this row has no correlation id, and without a selector its jobs cannot be found; \
                        set OBS_TUI_LOG_SELECTOR";
            return Err(LogError::Query(text.into()));
        }
        if !self.correlation_is_label && !correlation.is_empty() {
            let _ = write!(logql, " | json | {condition}");
        } else if query.job_id.is_some() {
            logql.push_str(" | json");
        }
        if let Some(job) = query.job_id {
            let _ = write!(logql, " | {}=\"{job}\"", self.job_field);
        }
        Ok(logql)
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::json()
    }
}

/// A text as a LogQL string: in double quotes, with the escapes of a Go string for everything but plain text.
fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c if u32::from(c) <= 0xFFFF => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => _ = write!(quoted, "\\U{:08x}", u32::from(c)),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text is a stream selector: in braces, with something in them.
pub(super) fn is_selector(text: &str) -> bool {
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|inner| inner.contains('='))
}

/// Whether a text is a name that LogQL takes for a label.
pub(super) fn is_label_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn query(correlation: &str, job: bool) -> LogQuery {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        LogQuery::around(correlation, job.then(|| Uuid::from_u128(7)), start, start)
    }

    #[test]
    fn both_presets_ask_for_the_cascade_and_for_one_job() {
        let (json, label) = (Template::json(), Template::label());
        let job = "00000000-0000-0000-0000-000000000007";
        assert_eq!(
            json.logql(&query("driver@company.com", false)).unwrap(),
            r#"{environment="production"} | json | correlationId="driver@company.com""#
        );
        assert_eq!(
            json.logql(&query("moves.550e", true)).unwrap(),
            format!(r#"{{environment="production"}} | json | correlationId="moves.550e" | scopeId="{job}""#)
        );
        assert_eq!(label.logql(&query("a|b", false)).unwrap(), r#"{correlation_id="a|b"}"#);
        assert_eq!(
            label.logql(&query("a", true)).unwrap(),
            format!(r#"{{correlation_id="a"}} | json | job_execution_id="{job}""#)
        );
        let selected = Template { selector: r#"{env="p", }"#.into(), ..Template::label() };
        assert_eq!(selected.logql(&query("a", false)).unwrap(), r#"{env="p", correlation_id="a"}"#);
    }

    #[test]
    fn an_empty_correlation_id_never_matches_everything() {
        let job = "00000000-0000-0000-0000-000000000007";
        assert!(matches!(Template::json().logql(&query(" ", false)), Err(LogError::Query(_))));
        assert!(matches!(Template::label().logql(&query("", false)), Err(LogError::Query(_))));
        assert!(matches!(Template::label().logql(&query("", true)), Err(LogError::Query(_))));
        let by_job = Template::json().logql(&query("", true)).unwrap();
        assert_eq!(by_job, format!(r#"{{environment="production"}} | json | scopeId="{job}""#));
    }

    #[test]
    fn an_id_cannot_leave_its_string() {
        assert_eq!(literal("a\"} or {b=\"\\"), r#""a\"} or {b=\"\\""#);
        assert_eq!(literal("ü\n\u{1b}\u{7f}\u{202e}\u{1F600}`"), r#""ü\u000a\u001b\u007f\u202e\U0001f600`""#);
    }

    #[test]
    fn names_and_selectors_are_checked() {
        assert!(is_label_name("correlation_id") && is_label_name("_x1"));
        assert!(!is_label_name("") && !is_label_name("1x") && !is_label_name("a.b") && !is_label_name("é"));
        assert!(is_selector(r#"{app=~"a|b"}"#) && !is_selector("{}") && !is_selector(r#"app="x""#));
    }

    /// Reads a Go string literal at the start of a text: its value and the rest.
    fn read_literal(text: &str) -> (String, &str) {
        let (mut value, mut rest) = (String::new(), text.strip_prefix('"').unwrap());
        loop {
            let c = rest.chars().next().unwrap();
            rest = &rest[c.len_utf8()..];
            assert!(c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic(), "{c:?} stands unescaped");
            match c {
                '"' => return (value, rest),
                '\\' => {
                    let kind = rest.chars().next().unwrap();
                    let digits = match kind {
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let code = &rest[1..=digits];
                    value.push(match digits {
                        0 => kind,
                        _ => char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap(),
                    });
                    rest = &rest[1 + digits..];
                }
                c => value.push(c),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_literal_reads_back_as_its_text(text: String, json: bool) {
            let text = format!("x{text}y");
            let template = if json { Template::json() } else { Template::label() };
            let logql = template.logql(&query(&text, false)).unwrap();
            let (start, end) = if json {
                (r#"{environment="production"} | json | correlationId="#, "")
            } else {
                ("{correlation_id=", "}")
            };
            let (value, rest) = read_literal(logql.strip_prefix(start).unwrap());
            proptest::prop_assert_eq!(value, text);
            proptest::prop_assert_eq!(rest, end);
        }
    }
}

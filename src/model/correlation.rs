//! Correlation ids and tracking tokens.
//!
//! A *correlation id* names one chain of work. It is free text: an e-mail address, a UUID, 32 hex digits (a trace id),
//! or a dotted name that ends in a UUID. A *token* travels in the `updated_by` column of the row that a job writes and
//! carries the chain to the database event that follows: `source|correlation|job` with an optional hop count. Some
//! writers use `.` instead of `|`; since e-mails and names hold dots themselves, ids are taken from the right.

use std::fmt;

use uuid::Uuid;

/// What `updated_by` carries from a job to the invocation that its write causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who acted first: a person's e-mail, a function or a system.
    pub source: String,
    /// The correlation id of the chain.
    pub correlation: String,
    /// The job that wrote the row.
    pub job: Uuid,
    /// How many jobs have passed the token on, when the writer counts them.
    pub hop: Option<u32>,
}

impl Token {
    /// Reads a token in any of its forms; `None` when the text is something else, such as a plain e-mail address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::parse_separated(text, '|').or_else(|| Self::parse_separated(text, '.'))
    }

    fn parse_separated(text: &str, separator: char) -> Option<Self> {
        let (mut rest, mut last) = text.rsplit_once(separator)?;
        let mut hop = None;
        if !is_unique_id(last) {
            hop = Some(last.parse().ok()?);
            (rest, last) = rest.rsplit_once(separator)?;
        }
        let job = Uuid::try_parse(last).ok()?;
        let (source, correlation) = match separator {
            // Only the source may hold a `|` of its own.
            '|' => rest.rsplit_once('|')?,
            // Dotted: the correlation is the id on the right, `system.uuid` cannot be told from source and id.
            _ => rest.rsplit_once('.').filter(|(_, id)| is_unique_id(id))?,
        };
        let text = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        Some(Self { source: text(source)?, correlation: text(correlation)?, job, hop })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}|{}", self.source, self.correlation, self.job)?;
        self.hop.map_or(Ok(()), |hop| write!(f, "|{hop}"))
    }
}

/// A new correlation id, `{system}.{id}`.
#[must_use]
pub fn mint(system: &str, id: Uuid) -> String {
    format!("{system}.{id}")
}

/// Splits a correlation id into a name for people and the id at its right end, whichever are present:
/// `moves.sendNotification.550e…` → (`moves.sendNotification`, `550e…`), an e-mail → (itself, none).
#[must_use]
pub fn split(correlation: &str) -> (Option<&str>, Option<&str>) {
    if is_unique_id(correlation) {
        return (None, Some(correlation));
    }
    match correlation.rsplit_once('.') {
        Some((name, id)) if is_unique_id(id) => (Some(name), Some(id)),
        _ => (Some(correlation), None),
    }
}

/// The digits that tell an id from its neighbours: the first ones, but of a UUID of version 7, which begins with the
/// time, the last ones.
#[must_use]
pub fn short_id(id: &str, digits: usize) -> &str {
    let by_time = Uuid::try_parse(id).is_ok_and(|uuid| uuid.get_version_num() == 7);
    let short = if by_time { id.get(id.len().saturating_sub(digits)..) } else { id.get(..digits) };
    short.unwrap_or(id)
}

/// Whether the correlation id belongs to one chain alone. An e-mail address does not: everything a person ever did
/// carries it, so it must not be used to gather a cascade.
#[must_use]
pub fn is_unique(correlation: &str) -> bool {
    split(correlation).1.is_some()
}

/// The id of a correlation id that belongs to one chain alone, as a number: the trace id of the chain.
#[must_use]
pub fn trace(correlation: &str) -> Option<u128> {
    let id = Uuid::try_parse(split(correlation).1?).ok()?;
    Some(id.as_u128()).filter(|id| *id != 0)
}

/// A hyphenated UUID or 32 hex digits.
fn is_unique_id(text: &str) -> bool {
    matches!(text.len(), 32 | 36) && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORRELATION: &str = "550e8400-e29b-41d4-a716-446655440000";
    const JOB: &str = "b0876e74-4f5c-4b0a-9b1e-0d3c1d7c2f11";

    fn token(text: &str) -> Option<(String, String, String, Option<u32>)> {
        Token::parse(text).map(|t| (t.source, t.correlation, t.job.to_string(), t.hop))
    }

    #[test]
    fn every_known_form_of_a_token_is_read() {
        let expect = |source: &str, hop| Some((source.to_owned(), CORRELATION.to_owned(), JOB.to_owned(), hop));
        assert_eq!(token(&format!("user@example.com|{CORRELATION}|{JOB}")), expect("user@example.com", None));
        assert_eq!(token(&format!("user@example.com|{CORRELATION}|{JOB}|3")), expect("user@example.com", Some(3)));
        assert_eq!(token(&format!("user@example.com.{CORRELATION}.{JOB}")), expect("user@example.com", None));
        assert_eq!(token(&format!("a.b@example.co.uk.{CORRELATION}.{JOB}.2")), expect("a.b@example.co.uk", Some(2)));
        assert_eq!(token(&format!("a|b|{CORRELATION}|{JOB}")), expect("a|b", None));
        let dotted = format!("moves.sendNotification.{CORRELATION}");
        let read = token(&format!("moves|{dotted}|{JOB}")).unwrap();
        assert_eq!((read.0.as_str(), read.1), ("moves", dotted));
        let mail = token(&format!("moves|driver@company.com|{JOB}")).unwrap();
        assert_eq!(mail.1, "driver@company.com");
    }

    #[test]
    fn other_texts_are_not_tokens() {
        for text in ["", "driver@company.com", CORRELATION, "system", "|||", "a|b|c", "x|1|2", "..", "a.b.c.d"] {
            assert_eq!(token(text), None, "{text}");
        }
        assert_eq!(token(&format!("moves.{CORRELATION}")), None);
    }

    #[test]
    fn ids_are_taken_from_the_right() {
        assert_eq!(split("driver@company.com"), (Some("driver@company.com"), None));
        assert_eq!(split(CORRELATION), (None, Some(CORRELATION)));
        assert_eq!(split("2da00667a56b207240c703f72ec5360a").1, Some("2da00667a56b207240c703f72ec5360a"));
        assert_eq!(split(&format!("moves.notify.{CORRELATION}")), (Some("moves.notify"), Some(CORRELATION)));
        assert!(!is_unique("driver@company.com"));
        assert!(is_unique(&mint("moves", Uuid::nil())));
        assert_eq!((trace(&mint("moves", Uuid::nil())), trace("driver@company.com")), (None, None));
        assert_eq!(trace(&mint("moves", Uuid::from_u128(7))), Some(7));
    }

    #[test]
    fn short_ids_differ_where_the_ids_do() {
        assert_eq!(short_id(CORRELATION, 8), "550e8400");
        assert_eq!(short_id("01a1fa4b-8ee6-76e1-8661-a2d344f08f01", 8), "44f08f01");
        assert_eq!(short_id("2da00667a56b207240c703f72ec5360a", 7), "2da0066");
        assert_eq!(short_id("short", 8), "short");
    }

    proptest::proptest! {
        #[test]
        fn a_printed_token_reads_back(source in "[a-z@. ]{1,20}", name in "[a-z]{1,8}", id: u128, job: u128, hop: Option<u32>) {
            let source = source.trim();
            proptest::prop_assume!(!source.is_empty());
            let correlation = mint(&name, Uuid::from_u128(id));
            let token = Token { source: source.to_owned(), correlation, job: Uuid::from_u128(job), hop };
            proptest::prop_assert_eq!(Token::parse(&token.to_string()), Some(token));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC*") {
            let _ = (Token::parse(&text), split(&text));
        }
    }
}

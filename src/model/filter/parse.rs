//! Text → filter.

use uuid::Uuid;

use super::field::{FIELDS, Field, FieldInfo, NumberField};
use super::pattern::Pattern;
use super::time::TimeRange;
use super::{Filter, Number, Scalar, Step, Term, Test, Text};
use crate::model::correlation::{self, Token};
use crate::model::status::Effective;

/// Bytes that a filter may have.
const LONGEST: usize = 4096;
/// Terms that a filter may have.
const MOST_TERMS: usize = 64;
/// Steps that a path may have.
pub(super) const MOST_STEPS: usize = 32;
/// The greatest number, so that nothing overflows.
const LARGEST: f64 = 1e15;

/// Units of a duration, in milliseconds.
pub(super) const UNITS: [(&str, i64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Where: a byte offset.
    pub at: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// A value as it is written.
struct Raw {
    text: String,
    quoted: bool,
    regex: bool,
}

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    if text.len() > LONGEST {
        return Err(error(LONGEST, format!("a filter may be {LONGEST} bytes long")));
    }
    if let Some(at) = text.find('\0') {
        return Err(error(at, "a filter cannot hold the character NUL".to_owned()));
    }
    let mut parser = Parser { text, at: 0 };
    let mut terms = Vec::new();
    loop {
        parser.take(char::is_whitespace);
        if parser.rest().is_empty() {
            return Ok(Filter { terms });
        }
        if terms.len() == MOST_TERMS {
            return Err(parser.error(format!("a filter may have {MOST_TERMS} terms")));
        }
        let negated = parser.skip("-");
        if negated && (parser.rest().is_empty() || parser.rest().starts_with(|c: char| c == '-' || c.is_whitespace())) {
            return Err(error(
                parser.at - 1,
                "- needs a term behind it, as in -op:DELETE; quote a text: \"-\"".to_owned(),
            ));
        }
        terms.push(Term { negated, test: parser.test()? });
        if parser.rest().starts_with(|c: char| !c.is_whitespace()) {
            return Err(parser.error("put a space behind the closing quote".to_owned()));
        }
    }
}

pub(super) fn exact(field: Field, value: &str) -> Result<Test, FilterError> {
    if let Some(at) = value.find('\0') {
        return Err(error(at, "a filter cannot hold the character NUL".to_owned()));
    }
    let raw = Raw { text: value.to_owned(), quoted: true, regex: false };
    Ok(match field {
        Field::Text(field) => Test::Text(field, vec![text(Field::Text(field).info(), raw, 0)?]),
        Field::Number(field) => Test::Number(field, vec![number(field, &raw, 0)?]),
        Field::St => Test::Status(vec![status(&raw, 0)?]),
        Field::At => Test::At(vec![time(&raw, 0)?]),
        Field::Id => Test::Id(id(&raw, 0)?),
        Field::Payload => return Err(no_path(0)),
    })
}

fn error(at: usize, message: String) -> FilterError {
    FilterError { at, message }
}

fn no_path(at: usize) -> FilterError {
    error(at, "payload needs a path, as in payload.data.new.id:123".to_owned())
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, message: String) -> FilterError {
        error(self.at, message)
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn test(&mut self) -> Result<Test, FilterError> {
        let start = self.at;
        if self.rest().starts_with('"') {
            return Ok(Test::Words(Text::Plain(self.quoted()?)));
        }
        if self.rest().starts_with('~') {
            let raw = self.raw()?;
            return Ok(Test::Words(Text::Regex(pattern(&raw, start)?)));
        }
        let name = self.take(|c| c.is_ascii_alphabetic() || c == '_');
        if !name.is_empty() && self.rest().starts_with(':') {
            let field = Field::named(name).ok_or_else(|| unknown(name, start))?;
            self.skip(":");
            return self.field(field);
        }
        if Field::named(name) == Some(Field::Payload) && self.rest().starts_with(['.', '[']) {
            return self.payload();
        }
        self.at = start;
        let word = self.take(|c| !c.is_whitespace());
        bare(word, start)
    }

    fn field(&mut self, field: Field) -> Result<Test, FilterError> {
        let info = field.info();
        Ok(match field {
            Field::Text(field) => Test::Text(field, self.values(info, |raw, at| text(info, raw, at))?),
            Field::Number(field) => Test::Number(field, self.values(info, |raw, at| number(field, &raw, at))?),
            Field::St => {
                let mut statuses = self.values(info, |raw, at| status(&raw, at))?;
                statuses.sort_unstable();
                statuses.dedup();
                Test::Status(statuses)
            }
            Field::At => Test::At(self.values(info, |raw, at| time(&raw, at))?),
            Field::Payload => return Err(no_path(self.at)),
            Field::Id => {
                let at = self.at;
                let ids = self.values(info, |raw, at| id(&raw, at))?;
                match ids[..] {
                    [id] => Test::Id(id),
                    _ => return Err(error(at, "id takes one id".to_owned())),
                }
            }
        })
    }

    fn payload(&mut self) -> Result<Test, FilterError> {
        let mut path = Vec::new();
        loop {
            if path.len() > MOST_STEPS {
                return Err(self.error(format!("a path may have {MOST_STEPS} steps")));
            }
            if self.skip("[]") {
                path.push(Step::Any);
            } else if self.skip(".") {
                let key = match self.rest().starts_with('"') {
                    true => self.quoted()?,
                    false => {
                        let key = self.take(is_plain_key);
                        if key.is_empty() {
                            return Err(self.error("a name is missing in the path: payload.data.new.id:123".to_owned()));
                        }
                        key.to_owned()
                    }
                };
                path.push(Step::Key(key));
            } else if self.skip(":") {
                break;
            } else if self.rest().starts_with('[') {
                let message = "write [] for any element of an array, as in payload.stops[].type:drop";
                return Err(self.error(message.to_owned()));
            } else {
                return Err(self.error("the value is missing, as in payload.data.new.id:123".to_owned()));
            }
        }
        if path.len() > MOST_STEPS {
            return Err(self.error(format!("a path may have {MOST_STEPS} steps")));
        }
        let values = self.values(Field::Payload.info(), |raw, at| {
            let pattern = raw.regex || !raw.quoted && (raw.text.contains('*') || raw.text.starts_with(['<', '>']));
            if pattern {
                let message = "a value of the payload is compared as a whole; quote a text that holds * ~ < >";
                return Err(error(at, message.to_owned()));
            }
            Ok(if raw.quoted { Scalar::Text(raw.text) } else { Scalar::parse(&raw.text) })
        })?;
        Ok(Test::Payload(path, values))
    }

    fn values<T>(
        &mut self,
        info: &FieldInfo,
        convert: impl Fn(Raw, usize) -> Result<T, FilterError>,
    ) -> Result<Vec<T>, FilterError> {
        let mut values = Vec::new();
        loop {
            let at = self.at;
            let raw = self.raw()?;
            if raw.text.is_empty() && !raw.quoted && !raw.regex {
                return Err(error(at, format!("{} needs a value, as in {}", info.name, info.example)));
            }
            values.push(convert(raw, at)?);
            if !self.skip(",") {
                return Ok(values);
            }
        }
    }

    /// A value: up to a space or comma, or in quotes. A pattern that is not quoted may hold commas.
    fn raw(&mut self) -> Result<Raw, FilterError> {
        let regex = self.skip("~");
        if self.rest().starts_with('"') {
            return Ok(Raw { text: self.quoted()?, quoted: true, regex });
        }
        let word = self.take(|c| !c.is_whitespace() && (regex || c != ','));
        Ok(Raw { text: word.to_owned(), quoted: false, regex })
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += index + 1;
                    return Ok(text);
                }
                '\\' => text.push(chars.next_if(|(_, next)| matches!(next, '"' | '\\')).map_or('\\', |(_, c)| c)),
                c => text.push(c),
            }
        }
        Err(error(start, "this quote is not closed; a \" in a text is written \\\"".to_owned()))
    }
}

/// Whether a key of a path needs no quotes for this character.
pub(super) fn is_plain_key(c: char) -> bool {
    !c.is_whitespace() && !"\".:[],".contains(c)
}

fn unknown(name: &str, at: usize) -> FilterError {
    let names: Vec<_> = FIELDS.iter().map(|info| info.name).collect();
    let message = format!("there is no field {name}; there are {}. A text that holds : is quoted", names.join(" "));
    error(at, message)
}

fn bare(word: &str, at: usize) -> Result<Test, FilterError> {
    if let Some(id) = unique_id(word) {
        return Ok(Test::Id(id));
    }
    let correlation = |id: &str| Test::Text(super::TextField::Corr, vec![Text::Plain(id.to_owned())]);
    if let Some(token) = Token::parse(word) {
        return Ok(correlation(&token.correlation));
    }
    if correlation::is_unique(word) {
        return Ok(correlation(word));
    }
    match TimeRange::parse(word) {
        // These two are words that somebody looks for; `at:all` is a time.
        Ok(range) if !["now", "all"].iter().any(|text| word.eq_ignore_ascii_case(text)) => {
            return Ok(Test::At(vec![range]));
        }
        Err(message) if word.contains("..") && word.starts_with(|c: char| c.is_ascii_digit()) => {
            return Err(error(at, format!("{message}. A text is quoted")));
        }
        _ => {}
    }
    if is_mail(word) {
        return Ok(Test::Person(word.to_owned()));
    }
    let text = word.to_owned();
    Ok(Test::Words(if word.contains('*') { Text::Glob(text) } else { Text::Plain(text) }))
}

fn unique_id(word: &str) -> Option<Uuid> {
    matches!(word.len(), 32 | 36).then(|| Uuid::try_parse(word).ok()).flatten()
}

fn is_mail(word: &str) -> bool {
    let Some((name, domain)) = word.split_once('@') else { return false };
    let plain = |c: char| c.is_alphanumeric() || "._+-%'".contains(c);
    !name.is_empty()
        && word.chars().all(|c| plain(c) || c == '@')
        && domain.chars().all(plain)
        && domain.split_once('.').is_some_and(|(host, rest)| !host.is_empty() && !rest.is_empty())
}

fn pattern(raw: &Raw, at: usize) -> Result<Pattern, FilterError> {
    if raw.text.is_empty() {
        return Err(error(at, "~ needs a pattern behind it, as in job:~send(Sms|Mail)".to_owned()));
    }
    Pattern::new(&raw.text).map_err(|reason| error(at, format!("{} is no pattern: {reason}", raw.text)))
}

fn text(info: &FieldInfo, raw: Raw, at: usize) -> Result<Text, FilterError> {
    if raw.regex {
        return pattern(&raw, at).map(Text::Regex);
    }
    if !raw.quoted && raw.text.starts_with(['<', '>']) {
        let message = format!("{} is a text; < and > go with dur, jobs and fails, or quote it", info.name);
        return Err(error(at, message));
    }
    Ok(if !raw.quoted && raw.text.contains('*') { Text::Glob(raw.text) } else { Text::Plain(raw.text) })
}

fn no_pattern(raw: &Raw, at: usize, info: &FieldInfo) -> Result<(), FilterError> {
    match raw.regex {
        true => Err(error(at, format!("{} takes no pattern, write {}", info.name, info.example))),
        false => Ok(()),
    }
}

fn status(raw: &Raw, at: usize) -> Result<Effective, FilterError> {
    no_pattern(raw, at, Field::St.info())?;
    match raw.text.to_ascii_lowercase().as_str() {
        "ok" => Ok(Effective::Ok),
        "failed" | "fail" => Ok(Effective::Failed),
        "stuck" => Ok(Effective::Stuck),
        "running" | "run" => Ok(Effective::Running),
        "not_detected" => Ok(Effective::NotDetected),
        other => {
            let message = format!("{other} is no status; there are ok, failed, stuck, running and not_detected");
            Err(error(at, message))
        }
    }
}

fn time(raw: &Raw, at: usize) -> Result<TimeRange, FilterError> {
    no_pattern(raw, at, Field::At.info())?;
    TimeRange::parse(&raw.text).map_err(|message| error(at, message))
}

fn id(raw: &Raw, at: usize) -> Result<Uuid, FilterError> {
    let wrong = || error(at, format!("{} is no id, write {}", raw.text, Field::Id.info().example));
    unique_id(&raw.text).filter(|_| !raw.regex).ok_or_else(wrong)
}

fn number(field: NumberField, raw: &Raw, at: usize) -> Result<Number, FilterError> {
    let info = Field::Number(field).info();
    no_pattern(raw, at, info)?;
    let one = |text: &str| {
        let wrong = || error(at, format!("{text} is no number for {}, write {}", info.name, info.example));
        amount(field, text).ok_or_else(wrong)
    };
    let text = raw.text.as_str();
    if let Some((least, most)) = text.split_once("..") {
        let end = |text: &str| if text.is_empty() { Ok(None) } else { one(text).map(Some) };
        let (least, most) = (end(least)?, end(most)?);
        if least.is_none() && most.is_none() {
            return Err(error(at, format!("a range has a start or an end, as in {}:2..", info.name)));
        }
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            return Err(error(at, "the range ends before it begins; the smaller number comes first".to_owned()));
        }
        return Ok(Number::Between(least, most));
    }
    type Make = fn(i64) -> Number;
    let signs: [(&str, Make); 4] =
        [(">=", Number::AtLeast), ("<=", Number::AtMost), (">", Number::Over), ("<", Number::Under)];
    for (sign, make) in signs {
        if let Some(rest) = text.strip_prefix(sign) {
            return one(rest).map(make);
        }
    }
    one(text).map(Number::Is)
}

/// A number, of milliseconds where it is a duration.
fn amount(field: NumberField, text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let size = match (field, unit) {
        (_, "") => 1,
        (NumberField::Dur, unit) => UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?.1,
        _ => return None,
    };
    if field != NumberField::Dur && number.contains('.') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a unit is small")]
    let value = (number * size as f64).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded by LARGEST")]
    (value <= LARGEST).then_some(value as i64)
}

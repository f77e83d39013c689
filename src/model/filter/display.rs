//! Filter → text that reads back as the same filter.

use std::fmt::{Display, Formatter, Result, Write};

use super::field::{Field, NumberField};
use super::parse::{UNITS, is_plain_key};
use super::{Filter, Number, Scalar, Step, Term, Test, Text};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.negated {
            f.write_str("-")?;
        }
        self.test.fmt(f)
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(field, texts) => {
                write!(f, "{}:", Field::Text(*field).info().name)?;
                list(f, texts, value)
            }
            Self::Status(statuses) => {
                f.write_str("st:")?;
                list(f, statuses, |f, status, _| f.write_str(status.name()))
            }
            Self::Number(field, numbers) => {
                write!(f, "{}:", Field::Number(*field).info().name)?;
                list(f, numbers, |f, number, _| number_text(f, *field, *number))
            }
            Self::At(ranges) => {
                f.write_str("at:")?;
                list(f, ranges, |f, range, _| range.fmt(f))
            }
            Self::Payload(path, values) => {
                f.write_str("payload")?;
                for step in path {
                    step.fmt(f)?;
                }
                f.write_str(":")?;
                list(f, values, |f, scalar, _| scalar.fmt(f))
            }
            Self::Words(text) => words(f, text),
            Self::Id(id) => id.fmt(f),
            Self::Person(address) => f.write_str(address),
        }
    }
}

fn list<T>(f: &mut Formatter<'_>, values: &[T], write: impl Fn(&mut Formatter<'_>, &T, bool) -> Result) -> Result {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write(f, value, index + 1 == values.len())?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

fn regex(f: &mut Formatter<'_>, source: &str, last: bool) -> Result {
    f.write_str("~")?;
    // A pattern that is not quoted reaches up to the next space.
    if last && !source.starts_with('"') && !source.contains(char::is_whitespace) {
        f.write_str(source)
    } else {
        quoted(f, source)
    }
}

/// Whether a value reads back as it is without quotes.
pub(super) fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['"', '~', '<', '>'])
        && !text.contains(|c: char| c.is_whitespace() || c == ',' || c == '*')
}

fn value(f: &mut Formatter<'_>, text: &Text, last: bool) -> Result {
    match text {
        Text::Plain(text) if is_bare(text) => f.write_str(text),
        Text::Plain(text) => quoted(f, text),
        Text::Glob(glob) => f.write_str(glob),
        Text::Regex(pattern) => regex(f, pattern.source(), last),
    }
}

fn words(f: &mut Formatter<'_>, text: &Text) -> Result {
    match text {
        Text::Plain(plain) => {
            // Asks the parser itself: a word may look like a time, an id or an address.
            let same = |filter: Filter| match &filter.terms[..] {
                [Term { negated: false, test: Test::Words(read) }] => read == text,
                _ => false,
            };
            if !plain.starts_with('"') && Filter::parse(plain).is_ok_and(same) {
                f.write_str(plain)
            } else {
                quoted(f, plain)
            }
        }
        Text::Glob(glob) => f.write_str(glob),
        Text::Regex(pattern) => regex(f, pattern.source(), true),
    }
}

fn number_text(f: &mut Formatter<'_>, field: NumberField, number: Number) -> Result {
    let one = |f: &mut Formatter<'_>, n: i64| match field {
        NumberField::Dur => {
            let fits = |size: i64| n != 0 && n % size == 0;
            let (unit, size) = UNITS.into_iter().find(|(_, size)| fits(*size)).unwrap_or(("ms", 1));
            write!(f, "{}{unit}", n / size)
        }
        NumberField::Jobs | NumberField::Fails => write!(f, "{n}"),
    };
    let (sign, n) = match number {
        Number::Between(least, most) => {
            if let Some(least) = least {
                one(f, least)?;
            }
            f.write_str("..")?;
            return most.map_or(Ok(()), |most| one(f, most));
        }
        Number::Is(n) => ("", n),
        Number::Over(n) => (">", n),
        Number::AtLeast(n) => (">=", n),
        Number::Under(n) => ("<", n),
        Number::AtMost(n) => ("<=", n),
    };
    f.write_str(sign)?;
    one(f, n)
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Any => f.write_str("[]"),
            Self::Key(key) => {
                f.write_str(".")?;
                if !key.is_empty() && key.chars().all(is_plain_key) { f.write_str(key) } else { quoted(f, key) }
            }
        }
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) if is_bare(text) && Self::parse(text) == *self => f.write_str(text),
            Self::Text(text) => quoted(f, text),
            Self::Number(number) => f.write_str(number),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

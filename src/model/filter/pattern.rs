//! Regular expressions that PostgreSQL and this program understand alike.
//!
//! The two dialects differ, so only their common part is accepted: literals, `.`, `[…]`, `(…)`, `|`, `^`, `$`, `*`, `+`,
//! `?`, `{m,n}`, `\d`, `\w`, `\s` and their negations, and a backslash before punctuation. Classes mean ASCII. What is
//! typed is rewritten so that both read the same. Case is ignored.

use regex::{Regex, RegexBuilder};

/// Characters that a pattern may have.
const LONGEST: usize = 500;
/// Repetitions that PostgreSQL counts.
const MOST_REPEATS: u16 = 255;
/// Bytes of the compiled pattern, so that nested repetitions cannot eat the memory.
const LARGEST: usize = 1 << 20;

const DIGITS: &str = "0-9";
const WORD: &str = "A-Za-z0-9_";
const SPACE: &str = r" \t\r\n\f\v";

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    portable: String,
    compiled: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(source: &str) -> Result<Self, String> {
        if source.chars().count() > LONGEST {
            return Err(format!("a pattern may have {LONGEST} characters"));
        }
        let portable = translate(source)?;
        let compiled = RegexBuilder::new(&portable)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                _ => "a range in brackets must ascend, as in [a-z]".to_owned(),
            })?;
        Ok(Self { source: source.to_owned(), portable, compiled })
    }

    /// As it was typed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// For the operator `~*` of PostgreSQL.
    #[must_use]
    pub fn portable(&self) -> &str {
        &self.portable
    }

    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
}

fn translate(source: &str) -> Result<String, String> {
    let mut reader = Reader { rest: source.chars().peekable(), out: String::new() };
    let mut open = 0_usize;
    // Whether something stands to the left that can be repeated.
    let mut repeatable = false;
    while let Some(c) = reader.rest.next() {
        let atom = match c {
            '\\' => {
                reader.escape()?;
                true
            }
            '[' => {
                reader.brackets()?;
                true
            }
            '(' => {
                open += 1;
                reader.out.push('(');
                if reader.rest.next_if_eq(&'?').is_some() {
                    reader.rest.next_if_eq(&':').ok_or("of the groups with (? only (?:…) is understood")?;
                    reader.out.push_str("?:");
                }
                false
            }
            ')' => {
                open = open.checked_sub(1).ok_or("there is a ) without a (; write \\) for the character")?;
                reader.out.push(')');
                true
            }
            '*' | '+' | '?' | '{' => {
                if !repeatable {
                    return Err(format!("nothing stands before the {c} to repeat; write \\{c} for the character"));
                }
                reader.repeat(c)?;
                false
            }
            '^' | '$' | '|' => {
                reader.out.push(c);
                false
            }
            '.' => {
                reader.out.push(c);
                true
            }
            _ => {
                reader.literal(c);
                true
            }
        };
        repeatable = atom;
    }
    if open > 0 { Err("a ( is not closed".to_owned()) } else { Ok(reader.out) }
}

impl Reader<'_> {
    fn literal(&mut self, c: char) {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn escaped(&mut self) -> Result<char, String> {
        self.rest.next().ok_or_else(|| "a backslash stands at the end; write \\\\ for the character".to_owned())
    }

    fn escape(&mut self) -> Result<(), String> {
        let c = self.escaped()?;
        if let Some(class) = class(c) {
            let not = if c.is_ascii_uppercase() { "^" } else { "" };
            self.out.push_str(&format!("[{not}{class}]"));
            return Ok(());
        }
        if c.is_alphanumeric() {
            return Err(format!("\\{c} is not understood here; \\d \\w \\s are"));
        }
        self.literal(c);
        Ok(())
    }

    fn repeat(&mut self, c: char) -> Result<(), String> {
        self.out.push(c);
        if c == '{' {
            let wrong = || format!("write {{2}}, {{2,}} or {{2,5}}, up to {MOST_REPEATS}, or \\{{ for the character");
            let mut inner = String::new();
            loop {
                match self.rest.next().ok_or_else(wrong)? {
                    '}' => break,
                    c => inner.push(c),
                }
            }
            let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
            let number = |text: &str| {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| text.parse::<u16>().ok()).flatten().filter(|n| *n <= MOST_REPEATS)
            };
            let least = number(least).ok_or_else(wrong)?;
            let valid = (most.is_empty() && inner.contains(',')) || number(most).is_some_and(|most| most >= least);
            if !valid {
                return Err(wrong());
            }
            self.out.push_str(&inner);
            self.out.push('}');
        }
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(())
    }

    /// The rest of `[…]`.
    fn brackets(&mut self) -> Result<(), String> {
        let unclosed = "a [ is not closed; write \\[ for the character";
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut empty = true;
        loop {
            let c = self.rest.next().ok_or(unclosed)?;
            let first = match c {
                ']' if !empty => break,
                '[' if self.rest.peek().is_some_and(|next| ":.=".contains(*next)) => {
                    return Err("classes such as [:alpha:] are not understood; write [a-z]".to_owned());
                }
                '\\' => {
                    let c = self.escaped()?;
                    match class(c) {
                        Some(class) if c.is_ascii_lowercase() => {
                            self.out.push_str(class);
                            empty = false;
                            continue;
                        }
                        _ if c.is_alphanumeric() => {
                            return Err(format!("\\{c} is not understood in brackets; \\d \\w \\s are"));
                        }
                        _ => c,
                    }
                }
                c => c,
            };
            empty = false;
            self.literal(first);
            let mut ahead = self.rest.clone();
            if ahead.next() != Some('-') || ahead.next().is_none_or(|next| next == ']') {
                continue;
            }
            self.rest.next();
            let (last, plain) = match self.rest.next().ok_or(unclosed)? {
                '\\' => {
                    let c = self.escaped()?;
                    (c, !c.is_alphanumeric())
                }
                c => (c, true),
            };
            if !plain || last.is_ascii_alphanumeric() != first.is_ascii_alphanumeric() || last < first {
                return Err(format!("{first}-{last} is no range; write the - first or as \\-"));
            }
            self.out.push('-');
            self.literal(last);
        }
        self.out.push(']');
        Ok(())
    }
}

fn class(c: char) -> Option<&'static str> {
    match c {
        'd' | 'D' => Some(DIGITS),
        'w' | 'W' => Some(WORD),
        's' | 'S' => Some(SPACE),
        _ => None,
    }
}

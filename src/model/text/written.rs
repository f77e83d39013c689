//! Texts for those who read them back: JSON, shells, TOML. What is never seen is written with what can be seen.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::chars::{Shown, is_shown_as_is, shown};

/// JSON with what [`super::clean`] would replace written as `\u…` instead: the same JSON, safe for a terminal. Line
/// breaks between values stay; within texts JSON has none.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if is_shown_as_is(json) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + json.len() / 8);
    for (c, shown) in shown(json) {
        match shown {
            Shown::AsIs => escaped.push(c),
            _ if c == '\n' => escaped.push(c),
            _ => push_unit_escapes(&mut escaped, c),
        }
    }
    Cow::Owned(escaped)
}

/// The same JSON in ASCII.
#[must_use]
pub fn ascii_json(json: &str) -> Cow<'_, str> {
    in_ascii(json, push_unit_escapes)
}

/// The same TOML in ASCII, where all but ASCII is in quotes.
#[must_use]
pub fn ascii_toml(toml: &str) -> Cow<'_, str> {
    in_ascii(toml, push_point_escape)
}

/// The text in ASCII: `?` in the place of every other character.
#[must_use]
pub fn ascii(text: &str) -> Cow<'_, str> {
    in_ascii(text, |ascii, _| ascii.push('?'))
}

fn in_ascii(text: &str, push: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            push(&mut ascii, c);
        }
    }
    Cow::Owned(ascii)
}

fn push_point_escape(escaped: &mut String, c: char) {
    // Writing to memory does not fail.
    let _ = match u32::from(c) {
        point @ ..=0xFFFF => write!(escaped, "\\u{point:04x}"),
        point => write!(escaped, "\\U{point:08x}"),
    };
}

fn push_unit_escapes(escaped: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to memory does not fail.
        let _ = write!(escaped, "\\u{unit:04x}");
    }
}

/// A word of a shell's command line, in quotes where it needs them: `$'…'` of bash, zsh and ksh where a character must not
/// be pasted as it is. Such characters are written as their bytes, which every locale reads alike. No backslash stands in
/// plain quotes: fish, and it alone, takes one before a quote for an escape. There, `$'…'` is an error and runs nothing.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    if is_shown_as_is(word) && !word.contains('\\') {
        return Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")));
    }
    let mut quoted = String::from("$'");
    let mut after_escape = false;
    for (c, shown) in shown(word) {
        // `!` would begin a word of the history, and a backslash before a quote confuses who looks for its end. No word
        // of a command line can hold NUL.
        let c = if c == '\0' { '\u{FFFD}' } else { c };
        if shown == Shown::AsIs && !matches!(c, '\'' | '!' | '\\') {
            // ksh takes all digits that follow for the number.
            if after_escape && c.is_ascii_hexdigit() {
                quoted.push_str("'$'");
            }
            quoted.push(c);
            after_escape = false;
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
        after_escape = true;
    }
    quoted.push('\'');
    Cow::Owned(quoted)
}

/// As [`shell_word`], with the quotes behind the `=` of an option, where people write them.
#[must_use]
pub fn shell_argument(argument: &str) -> Cow<'_, str> {
    match argument.split_once('=') {
        Some((option, value)) if option.starts_with("--") && shell_word(option) == option => {
            Cow::Owned(format!("{option}={}", shell_word(value)))
        }
        _ => shell_word(argument),
    }
}

/// A text as TOML writes it, in quotes.
#[must_use]
pub fn quote_toml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for (c, shown) in shown(text) {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if shown == Shown::AsIs => quoted.push(c),
            c => push_point_escape(&mut quoted, c),
        }
    }
    quoted + "\""
}

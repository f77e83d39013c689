//! Secrets that are told with words alone: in SQL, in a sentence, in a file for a command.

use super::forms::looks_random;
use super::scan::Scan;
use super::words::SENTENCE;

/// In front of a value, with a space between.
pub(super) const TOLD: &[&str] = &["password", "passphrase", "passcode", "passwort", "identified", "secret", "token"];

/// What may stand between the name and the value in a sentence.
const BETWEEN: &[&str] =
    &["is ", "was ", "is: ", "was: ", "-> ", "=> ", "\u{2192} ", "(", "[", "<", "\u{201c}", "\u{201e}"];

/// Bytes that are searched for the columns of a statement.
const LONGEST_COLUMNS: usize = 2_000;

/// The place of the secret behind the word that begins this text: `PASSWORD 'x'`, `password is x`.
pub(super) fn told(text: &str) -> Option<(usize, usize)> {
    let starts = |text: &str, word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts(text, "machine ") {
        return login(text);
    }
    let word = *TOLD.iter().find(|word| starts(text, word))?;
    let mut at = word.len();
    let space = text[at..].bytes().take_while(|byte| b" \t".contains(byte)).count();
    at += space;
    if space == 0 {
        return None;
    }
    let is_sql = matches!(word, "password" | "identified");
    if word == "identified" {
        // Perhaps with the name of a method.
        if starts(&text[at..], "with ") {
            let method = text[at + 5..].bytes().take(64).take_while(|byte| *byte != b' ').count();
            at += 6 + method;
        }
        at += text.get(at..).filter(|text| starts(text, "by ")).map(|_| 3)?;
    }
    let rest = text[at..].trim_start_matches(' ');
    at = text.len() - rest.len();
    if is_sql && let Some((start, end)) = literal(rest) {
        return Some((at + start, at + end));
    }
    if word == "identified" {
        return None;
    }
    let between = BETWEEN.iter().find(|between| rest.starts_with(**between)).map(|between| between.len());
    let tab = text.as_bytes()[at - 1] == b'\t' && word != "token";
    let value = &rest[between.or(tab.then_some(0))?..];
    let is_part = |c: char| !(c.is_whitespace() || "\"'`<>()[]{},;\u{201d}\u{201c}".contains(c));
    let length = value.chars().take(256).take_while(|c| is_part(*c)).map(char::len_utf8).sum::<usize>();
    let secret = value[..length].trim_end_matches(['.', ':', '!', '?']);
    let is_call = value[length..].starts_with(['(', '<', '[']);
    let start = text.len() - value.len();
    let is_secret = looks_random(secret) && !is_call && !SENTENCE.contains(&secret);
    is_secret.then_some((start, start + secret.len()))
}

/// A text of SQL: `'x'`, `E'x'`, `$$x$$`, `"x"`.
fn literal(text: &str) -> Option<(usize, usize)> {
    let prefix = if text.starts_with(['E', 'e', 'N', 'n']) && text[1..].starts_with('\'') { 1 } else { 0 };
    let bytes = text.as_bytes();
    let (start, end) = match bytes.get(prefix)? {
        b'\'' => (prefix + 1, text[prefix + 1..].find('\'').map(|length| prefix + 1 + length)),
        b'"' => {
            let length = text[1..].bytes().take(256).take_while(|byte| !(byte.is_ascii_whitespace() || *byte == b'"'));
            let end = 1 + length.count();
            (1, (bytes.get(end) == Some(&b'"')).then_some(end))
        }
        b'$' => {
            let name = bytes[1..].iter().take(64).position(|&byte| byte == b'$')? + 2;
            (name, Some(name + text.get(name..)?.find(text.get(..name)?)?))
        }
        _ => return None,
    };
    let end = end.or_else(|| (bytes[prefix] == b'\'').then_some(text.len()))?;
    (end > start).then_some((start, end))
}

/// The password of `machine host login name password x`, as programs that fetch read it from their file.
fn login(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    let mut word = || {
        let rest = text.get(at..)?;
        let start = at + rest.bytes().take(64).take_while(u8::is_ascii_whitespace).count();
        at = start + text[start..].bytes().take(256).take_while(|byte| !byte.is_ascii_whitespace()).count();
        (at > start).then_some((start, at))
    };
    word()?;
    word()?;
    for _ in 0..3 {
        let (name, value) = (word()?, word()?);
        match text.get(name.0..name.1)? {
            "password" => return Some(value),
            "login" | "account" => {}
            _ => return None,
        }
    }
    None
}

impl Scan<'_> {
    /// `INSERT INTO table (a, password) VALUES (1, 'x')`: the values of columns that are secrets.
    pub(super) fn insert(&mut self, at: usize, to: usize) {
        let (text, mut end) = (self.text, self.text.floor_char_boundary(to.min(at + LONGEST_COLUMNS)));
        let Some(head) = text.get(at..end).filter(|_| at >= self.told_until) else { return };
        if !head.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("insert into ")) {
            return;
        }
        let Some((open, close)) = head.find('(').and_then(|open| Some((open, open + head[open..].find(')')?))) else {
            return;
        };
        let columns =
            head[open + 1..close].split(',').map(|name| name.trim_matches([' ', '"', '`', '[', ']', '\n', '\\']));
        let secret: Vec<bool> = columns.map(|name| self.keys.is_secret(name)).collect();
        let rest = &head[close + 1..];
        let space = rest.len() - rest.trim_start().len();
        let is_values = rest[space..].get(..6).is_some_and(|word| word.eq_ignore_ascii_case("values"));
        if !secret.contains(&true) || !is_values {
            return;
        }
        let bytes = &self.bytes()[..to];
        end = at + close + 1 + space + 6;
        loop {
            end += bytes[end..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
            if bytes.get(end) != Some(&b'(') {
                break;
            }
            end += 1;
            for is_secret in secret.iter().copied().chain(std::iter::repeat(false)) {
                let (start, value_end) = sql_value(bytes, end);
                if is_secret {
                    self.hide_sql(start, value_end);
                }
                end = value_end;
                if bytes.get(end) != Some(&b',') {
                    break;
                }
                end += 1;
            }
            if bytes.get(end) != Some(&b')') {
                break;
            }
            end += 1;
        }
        self.told_until = end;
    }

    /// `Key (tenant, token)=(1, x) already exists`, from the sign between on.
    pub(super) fn key_of_row(&mut self, at: usize, from: usize, to: usize) -> Option<usize> {
        let text = self.text;
        let before = text.get(text.ceil_char_boundary(from.max(at.saturating_sub(200)))..at - 1)?;
        let names = &before[before.rfind('(')? + 1..];
        let secret: Vec<bool> =
            names.split(',').map(|name| self.keys.is_secret(name.trim_matches([' ', '"']))).collect();
        let rest = text.get(at + 2..text.floor_char_boundary(to.min(at + LONGEST_COLUMNS)))?;
        let ends = [") already ", ") is ", ") conflicts ", ")=("];
        let length =
            ends.iter().filter_map(|end| rest.find(end)).min().or_else(|| rest.find(')')).unwrap_or(rest.len());
        if !secret.contains(&true) || length == 0 {
            return None;
        }
        let values: Vec<&str> = rest[..length].split(", ").collect();
        let mut start = at + 2;
        if values.len() != secret.len() {
            return Some(self.hide(start, start + length));
        }
        for (value, is_secret) in values.into_iter().zip(secret) {
            if is_secret && !value.is_empty() {
                self.hide(start, start + value.len());
            }
            start += value.len() + 2;
        }
        Some(at + 2 + length)
    }

    /// A value of SQL, without its quotation marks; neither nothing nor a parameter.
    fn hide_sql(&mut self, start: usize, end: usize) {
        let value = self.text.get(start..end).unwrap_or_default().trim_end();
        let is_quoted = value.starts_with('\'') && value.ends_with('\'') && value.len() > 2;
        let is_none = ["null", "default", "true", "false", "?"].iter().any(|word| value.eq_ignore_ascii_case(word))
            || value.starts_with(['$', ':', '%', '@']) && value.len() < 40
            || value.len() < if value.starts_with('\'') { 3 } else { 1 }
            || value.bytes().all(|byte| byte == b'*');
        match () {
            () if is_none => {}
            () if is_quoted => drop(self.hide(start + 1, start + value.len() - 1)),
            () => drop(self.hide(start, start + value.len())),
        }
    }
}

/// Where a value in a list of SQL begins, and the sign behind it.
fn sql_value(bytes: &[u8], at: usize) -> (usize, usize) {
    let start = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let (mut at, mut depth, mut quoted) = (start, 0_usize, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b',' | b')' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    (start, at)
}

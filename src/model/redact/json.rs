//! Secrets in JSON as it is written: not parsed into values, so that numbers and spacing stay as they are. What is no JSON
//! after all, or deeper than it is ever stored, goes back to the reading as a free text, so each byte is read about once.

use memchr::memchr2;

use super::keys::{counts, is_header, is_name, is_value_key, names_another};
use super::marks::Form;
use super::scan::Scan;
use super::words::SETTINGS;

/// Containers within each other; deeper ones, which no database takes, are read as if they began a text.
const DEEPEST: usize = 100_000;
/// Bytes of the longest number or word.
const LONGEST_SCALAR: usize = 64;

/// An object or an array that is open.
#[derive(Default)]
struct Frame {
    is_array: bool,
    /// The value that comes is under a key of this kind.
    key: KeyKind,
    /// The object has a secret's name in it: `{"name": "password", …}`.
    named: bool,
    /// Where the value begins that such a name would make a secret.
    open: Option<usize>,
    /// And the whole value, once it has ended.
    value: Option<(usize, usize)>,
    /// Items of the array before this one.
    items: usize,
    /// The item before this one is the name of a secret.
    name: Option<Named>,
}

/// How an item of a list names the secret behind it.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    /// `Authorization`: in a list of headers, or of names and values.
    Header,
    /// `--password`: in the arguments of a command.
    Flag,
    /// `password`: in a pair of name and value.
    Other,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum KeyKind {
    #[default]
    Other,
    Secret,
    /// As a secret, but numbers only count.
    Counted,
    Name,
    Value,
}

/// Whether JSON may begin here.
pub(super) fn begins(bytes: &[u8], at: usize) -> bool {
    let next = bytes.get(skip_space(bytes, at + 1));
    match bytes.get(at) {
        Some(b'{') => next == Some(&b'"'),
        _ => next.is_some_and(|next| b"\"{[-tfn".contains(next) || next.is_ascii_digit()),
    }
}

/// Whether the beginning of JSON stands here with escapes.
pub(super) fn begins_escaped(bytes: &[u8], at: usize) -> bool {
    // Numbers, `null` and the like may stand before the first text.
    let is_before = |byte: &&u8| b"{[ ,.+-nulltrefas".contains(byte) || byte.is_ascii_digit();
    let first = bytes[at..].iter().take(48).take_while(is_before).count();
    matches!(bytes.get(at + first..), Some([b'\\', b'"' | b'n' | b'u' | b'\\', ..]))
}

/// Whether this is a value of JSON that is no text and no container.
fn is_scalar(word: &[u8]) -> bool {
    matches!(word, b"null" | b"true" | b"false")
        || word.iter().all(|byte| byte.is_ascii_digit() || b"-+.eE".contains(byte))
            && word.iter().any(u8::is_ascii_digit)
}

impl Scan<'_> {
    /// Reads the JSON that begins here. Gives the place behind it, or where it stops to be JSON.
    pub(super) fn json(&mut self, at: usize, to: usize) -> usize {
        let bytes = &self.bytes()[..to];
        let mut frames: Vec<Frame> = Vec::new();
        let mut at = at;
        loop {
            at = skip_space(bytes, at);
            let Some(&byte) = bytes.get(at) else { break };
            let start = at;
            let string = (byte == b'"').then(|| string_end(bytes, at));
            let is_key = |frame: &Frame| {
                !frame.is_array && string.is_some_and(|(end, _)| bytes.get(skip_space(bytes, end)) == Some(&b':'))
            };
            if let Some(frame) = frames.last_mut().filter(|frame| !b"}],:".contains(&byte) && !is_key(frame)) {
                if let Some(end) = self.hidden(frame, at, to) {
                    at = end;
                    frame.ended(start, at);
                    continue;
                }
                if frame.waits() {
                    frame.open = Some(at);
                }
            }
            match byte {
                b'{' | b'[' => {
                    if frames.len() == DEEPEST {
                        break;
                    }
                    frames.push(Frame { is_array: byte == b'[', ..Frame::default() });
                    at += 1;
                }
                b'}' | b']' => {
                    at += 1;
                    frames.pop().into_iter().for_each(|frame| self.close(&frame));
                    match frames.last_mut() {
                        Some(frame) => frame.ended(start, at),
                        None => return at,
                    }
                }
                b',' | b':' => at += 1,
                b'"' => {
                    let (Some((end, escaped)), Some(frame)) = (string, frames.last_mut()) else { break };
                    at = end;
                    let content = (start + 1, content_end(bytes, start, end));
                    if is_key(frame) {
                        frame.key = self.kind(content, escaped);
                        self.string(content, escaped, 8);
                    } else {
                        let name = if frame.is_array || frame.key == KeyKind::Name {
                            self.name(content, escaped)
                        } else {
                            None
                        };
                        frame.named |= !frame.is_array && name.is_some();
                        self.string(content, escaped, 0);
                        frame.ended(start, end);
                        frame.name = name.filter(|_| frame.is_array);
                    }
                }
                _ => {
                    let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}:\"".contains(byte);
                    let length =
                        bytes[at..].iter().take(LONGEST_SCALAR).position(ends).unwrap_or(LONGEST_SCALAR.min(to - at));
                    if !is_scalar(&bytes[at..at + length]) {
                        break;
                    }
                    at += length;
                    let Some(frame) = frames.last_mut() else { break };
                    frame.ended(start, at);
                }
            }
        }
        while let Some(frame) = frames.pop() {
            self.close(&frame);
        }
        at
    }

    /// Hides the value here, if what stands before it makes it a secret; gives its end.
    fn hidden(&mut self, frame: &mut Frame, at: usize, to: usize) -> Option<usize> {
        let bytes = &self.bytes()[..to];
        let is_hidden = match frame.key {
            _ if frame.is_array => match frame.name {
                Some(Named::Header) => frame.items % 2 == 1,
                name => name == Some(Named::Flag),
            },
            KeyKind::Secret | KeyKind::Counted => true,
            KeyKind::Value => frame.named,
            _ => false,
        };
        if !is_hidden {
            return None;
        }
        let end = value_end(bytes, at);
        let text = self.text.get(at..end).unwrap_or_default();
        let is_number = || text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if !can_hide(text) || (frame.key == KeyKind::Counted && is_number()) || (frame.is_array && is_header_name(text))
        {
            return None;
        }
        self.marks.add(at, end, Form::Quoted);
        Some(end)
    }

    fn close(&mut self, frame: &Frame) {
        let is_pair = if frame.is_array { frame.items == 2 } else { frame.named };
        if let Some((start, end)) = frame.value.filter(|_| is_pair) {
            let text = self.text.get(start..end).unwrap_or_default();
            if can_hide(text)
                && !(frame.is_array && (is_header_name(text) || self.keys.is_field(text.trim_matches('"'))))
            {
                self.marks.add(start, end, Form::Quoted);
            }
        }
    }

    fn kind(&self, (start, end): (usize, usize), escaped: bool) -> KeyKind {
        let raw = self.text.get(start..end).unwrap_or_default();
        let plain = if escaped { unescape(raw) } else { String::new() };
        let key = if escaped { &plain } else { raw };
        match () {
            () if self.keys.is_secret(key) => {
                if counts(key) {
                    KeyKind::Counted
                } else {
                    KeyKind::Secret
                }
            }
            () if names_another(key) => KeyKind::Name,
            () if is_value_key(key) => KeyKind::Value,
            () => KeyKind::Other,
        }
    }

    /// Whether a text is the name of a secret.
    fn name(&self, (start, end): (usize, usize), escaped: bool) -> Option<Named> {
        let text = self.text.get(start..end).filter(|text| !escaped && is_name(text))?;
        (self.keys.is_secret(text) && !(text.starts_with('-') && text.contains(' '))).then(|| named(text))
    }

    /// Reads a string; of more than so many bytes.
    pub(super) fn string(&mut self, (start, end): (usize, usize), escaped: bool, least: usize) {
        if !escaped {
            if end - start > least {
                self.scan(start, end);
            }
            return;
        }
        let raw = self.text.get(start..end).unwrap_or_default();
        if let Some((masked, secrets)) = self.within(&unescape(raw)) {
            let quoted = serde_json::to_string(&masked).unwrap_or_default();
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
            self.marks.add(start, end, Form::Text(inner, secrets));
        }
    }
}

impl Frame {
    /// Whether the value that comes is one that a name beside it can make a secret.
    fn waits(&self) -> bool {
        self.value.is_none()
            && if self.is_array { self.items == 1 && self.name.is_some() } else { self.key == KeyKind::Value }
    }

    /// A value has ended here.
    fn ended(&mut self, start: usize, end: usize) {
        if let Some(open) = self.open.take() {
            self.value = Some((open.min(start), end));
        }
        self.items += 1;
        self.name = None;
        self.key = KeyKind::Other;
    }
}

fn named(text: &str) -> Named {
    match () {
        () if text.starts_with("--") => Named::Flag,
        () if is_header(text) => Named::Header,
        () => Named::Other,
    }
}

/// Whether there is anything in it that could be a secret.
fn can_hide(text: &str) -> bool {
    !matches!(text, "" | "null" | "true" | "false" | "\"\"" | "[]" | "{}")
        && !SETTINGS.contains(&text.trim_matches('"'))
}

/// Such as `"Content-Type"`, in a list of names.
fn is_header_name(quoted: &str) -> bool {
    is_name_of_header(quoted.trim_matches('"'))
}

/// Such as `Content-Type`.
pub(super) fn is_name_of_header(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word[1..].chars().all(|c| c.is_ascii_lowercase())
    };
    text.contains('-') && text.split('-').all(is_word)
}

/// Where the content of a string ends, which may have been cut off.
pub(super) fn content_end(bytes: &[u8], open: usize, end: usize) -> usize {
    let closed = end > open + 1 && bytes.get(end - 1) == Some(&b'"') && is_closed(bytes, open, end);
    if closed { end - 1 } else { end }
}

/// Whether the last quotation mark of a string is no escaped one.
fn is_closed(bytes: &[u8], open: usize, end: usize) -> bool {
    end < bytes.len() || bytes[open + 1..end - 1].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
}

/// Just after the quotation mark that closes the string which opens here, and whether it holds an escape.
pub(super) fn string_end(bytes: &[u8], open: usize) -> (usize, bool) {
    let (mut at, mut escaped) = (open + 1, false);
    while let Some(found) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return (at + 1, escaped);
        }
        escaped = true;
        at += 2;
    }
    (bytes.len(), escaped)
}

pub(super) fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Just after the value that begins here.
pub(super) fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at).0,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b'}' | b']' | b',' if depth == 0 => return at,
            byte if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => at += 1,
        }
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            return at;
        }
    }
    bytes.len()
}

/// The text that is written so in JSON; what is no escape stays.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else {
            text.push('\\');
            break;
        };
        let plain = match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => escape,
            'u' => {
                if let Some((c, length)) = unicode(rest) {
                    text.push(c);
                    rest = &rest[length..];
                } else {
                    text.push('\\');
                }
                continue;
            }
            _ => {
                text.push('\\');
                continue;
            }
        };
        text.push(plain);
        rest = &rest[1..];
    }
    text.push_str(rest);
    text
}

/// The character of `u` and four digits, or of two such, and how long they are.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = text.get(5..).filter(|rest| rest.starts_with("\\u")).and_then(|rest| unit(&rest[1..]))
        && (0xDC00..0xE000).contains(&second)
    {
        return Some((char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second - 0xDC00)?, 11));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
}

//! Secrets that a name stands before: `password=x`, `token: x`, `Cookie: a=b; c=d`, and those in the front of a URL.

use memchr::{memchr2, memmem};

use super::forms::{bot, line, looks_random, looks_secret, scheme};
use super::json::{begins, value_end};
use super::keys::{LONGEST, Weight, counts, is_name, is_value_key, names_another};
use super::scan::Scan;
use super::words::{NOTHING, SENTENCE};

/// Bytes of a URL behind its host that are searched for the end of a password.
const LONGEST_PASSWORD: usize = 256;

/// Bytes behind the name of a secret within which a key such as `value` holds it.
const NAMED: usize = 160;
/// Bytes of a block of YAML that are hidden.
const LONGEST_BLOCK: usize = 8_192;

/// Letters that languages write in front of a quotation mark.
const LITERALS: &[&[u8]] =
    &[b"", b"b", b"u", b"r", b"f", b"e", b"n", b"rb", b"br", b"B", b"U", b"R", b"F", b"E", b"N", b"@"];

impl Scan<'_> {
    /// A name and a value with `:` or `=` between them.
    pub(super) fn pair(&mut self, at: usize, from: usize, to: usize) -> usize {
        let bytes = &self.bytes()[..to];
        let (sign, after) = (bytes[at], bytes.get(at + 1).copied().unwrap_or(b' '));
        let before = if at > from { bytes[at - 1] } else { b' ' };
        if sign == b':'
            && let Some((start, end)) = password_file(&bytes[at..]).or_else(|| oracle(bytes, at, from))
        {
            return self.hide(at + start, at + end);
        }
        if sign == b':'
            && let Some((start, end)) = before_host(bytes, at)
        {
            return self.hide(start, end);
        }
        if sign == b':'
            && before.is_ascii_digit()
            && let Some(length) = bot(&bytes[at..])
        {
            return self.hide(at + 1, at + length);
        }
        // Times, paths of modules, and comparisons.
        if before.is_ascii_digit() && after.is_ascii_digit() && sign == b':' {
            return at + 1;
        }
        if after == sign
            || before == sign && !(sign == b':' && after == b' ')
            || (sign == b'=' && b"!<>~".contains(&before))
            || (sign == b':' && after == b'=')
        {
            return at + 1;
        }
        if sign == b'='
            && (before, after) == (b')', b'(')
            && let Some(end) = self.key_of_row(at, from, to)
        {
            return end;
        }
        let Some((start, end, quoted)) = self.name_before(at, from) else { return at + 1 };
        let arrow = sign == b'=' && after == b'>';
        let is_listed = bytes[from..start].ends_with(b":") || bytes[from..start].ends_with(b"[") && bytes[end] == b']';
        if arrow && !quoted && !is_listed {
            return at + 1;
        }
        let Some(name) = self.text.get(start..end) else { return at + 1 };
        let parameter = start > from && b"?&;".contains(&bytes[start - 1]);
        let behind = at + 1 + usize::from(arrow);
        let weight = self.keys.weigh(name, parameter).or_else(|| self.weigh_two(start, end, from));
        let weight = weight.or((at < self.named_until && is_value_key(name)).then_some(Weight::Plain));
        let Some(weight) = weight else {
            return if names_another(name) { self.naming(behind, to) } else { at + 1 };
        };
        let is_count = counts(name);
        let unexpected = name.eq_ignore_ascii_case("token") && self.text[from..start].ends_with("nexpected ");
        let Some((start, end)) = self.value(behind, to, Some(weight)) else {
            return if sign == b':' { self.block(behind, to, weight) } else { behind };
        };
        if unexpected || is_count && bytes[start..end].iter().all(u8::is_ascii_digit) {
            return behind;
        }
        let is_quoted = start > behind && b"\"'`".contains(&bytes[start - 1]);
        let value = self.text.get(start..end).unwrap_or_default();
        if !is_quoted && reads_as_words(value, weight, sign, start == behind, quoted) {
            return behind;
        }
        self.hide(start, end)
    }

    /// The value behind a key such as `name`. Where it is the name of a secret, that stands behind a key such as `value`, in
    /// the element that begins here, or behind the head of a part of a form.
    fn naming(&mut self, at: usize, to: usize) -> usize {
        let bytes = &self.bytes()[..to];
        let Some((start, end)) = self.value(at, to, None) else { return at };
        if !self
            .text
            .get(start..end)
            .is_some_and(|name| is_name(name) && !name.starts_with('-') && self.keys.is_secret(name))
        {
            return at;
        }
        self.named_until = (end + NAMED).min(to);
        let quoted = bytes.get(end).is_some_and(|byte| b"\"'".contains(byte));
        let rest = bytes.get(end + usize::from(quoted)..).unwrap_or_default();
        let behind = to - rest.len();
        let ends: &[u8] = match rest {
            [b'>', ..] if quoted => b"<",
            [b'\r', b'\n', b'\r', b'\n', ..] | [b'\n', b'\n', ..] if quoted => b"\r\n",
            _ => return end,
        };
        let start = behind + rest.iter().take_while(|byte| b">\r\n".contains(byte)).count();
        let length = bytes[start..].iter().position(|byte| ends.contains(byte)).unwrap_or(to - start);
        if length > 0 { self.hide(start, start + length) } else { end }
    }

    /// A value that begins in the next line: as YAML folds it, or beneath its name.
    fn block(&mut self, at: usize, to: usize, weight: Weight) -> usize {
        let bytes = &self.bytes()[..to];
        let line_end = |from: usize| bytes[from..].iter().position(|&byte| byte == b'\n').map_or(to, |end| from + end);
        let head_end = line_end(at);
        let is_folded = match bytes[at..head_end].trim_ascii() {
            b"" => false,
            b"|" | b"|-" | b"|+" | b">" | b">-" | b">+" => true,
            _ => return at,
        };
        let start = (head_end + 1).min(to);
        let indent = |from: usize| bytes[from..].iter().take_while(|&&byte| byte == b' ').count();
        let (depth, mut end) = (indent(start), line_end(start));
        if is_folded {
            while end < to && end - start < LONGEST_BLOCK && depth > 0 && indent(end + 1) >= depth {
                end = line_end(end + 1);
            }
            return if depth > 0 { self.hide(start + depth, end) } else { at };
        }
        let word = self.text.get(start + depth..end).unwrap_or_default().trim_end();
        let is_secret = weight == Weight::Plain && looks_random(word) && !word.contains([':', '=']);
        if is_secret { self.hide(start + depth, start + depth + word.len()) } else { at }
    }

    /// The name that stands before a sign, and whether it is in quotes.
    fn name_before(&self, at: usize, from: usize) -> Option<(usize, usize, bool)> {
        let bytes = self.bytes();
        let back = |end: usize, is_it: &dyn Fn(u8) -> bool| {
            end - bytes[from..end].iter().rev().take(LONGEST).take_while(|byte| is_it(**byte)).count()
        };
        let mut end = back(at, &|byte| b" \t:]".contains(&byte));
        let quoted = end > from && b"\"'`".contains(&bytes[end - 1]);
        if quoted {
            end = back(end - 1, &|byte| byte == b'\\');
        }
        if bytes[from..end].len() > 3 && bytes[end - 3..end].eq_ignore_ascii_case(b"%5d") {
            end -= 3;
        }
        let mut start = back(end, &|byte| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte));
        if start > from && !quoted {
            let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
            match bytes[start - 1] {
                b'\\' if matches!(bytes.get(start), Some(b'n' | b'r' | b't')) => start += 1,
                b'%' if bytes[start..end].len() > 2 && bytes[start..start + 2].iter().all(is_hex) => start += 2,
                _ => {}
            }
        }
        (start < end).then_some((start, end, quoted))
    }

    /// A name of two words: `api key: x`.
    fn weigh_two(&self, start: usize, end: usize, from: usize) -> Option<Weight> {
        let last = self.text.get(start..end)?;
        let is_second =
            ["key", "number", "string", "id", "url", "code"].iter().any(|word| last.eq_ignore_ascii_case(word));
        if !is_second || start < from + 2 || self.bytes()[start - 1] != b' ' {
            return None;
        }
        let first =
            self.bytes()[from..start - 1].iter().rev().take(20).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        self.keys.weigh(self.text.get(start - 1 - first..end)?, false)
    }

    /// The value that begins here, perhaps after spaces: in quotes, as JSON, or up to where it ends.
    pub(super) fn value(&self, at: usize, to: usize, weight: Option<Weight>) -> Option<(usize, usize)> {
        let bytes = &self.bytes()[..to];
        let count =
            |from: usize, is_it: &dyn Fn(u8) -> bool| bytes[from..].iter().take_while(|byte| is_it(**byte)).count();
        let mut start = at + count(at, &|byte| byte == b' ' || byte == b'\t');
        start += wrapping(&bytes[start..]);
        let slashes = count(start, &|byte| byte == b'\\');
        let (start, end) = match bytes.get(start + slashes)? {
            quote @ (b'"' | b'\'' | b'`') => {
                let open = start + slashes + 1;
                // A text of several lines has three.
                let mark = &bytes[start..open];
                if bytes[open..].starts_with(mark) && bytes[open + mark.len()..].starts_with(mark) {
                    let within = open + 2 * mark.len();
                    let length = memmem::find(&bytes[within..], &mark.repeat(3));
                    (within, length.map_or(to, |length| within + length))
                } else {
                    (open, quote_end(bytes, open, *quote, slashes))
                }
            }
            b'{' | b'[' if slashes == 0 && begins(bytes, start) => (start, value_end(bytes, start)),
            b'{' | b'[' if bytes.get(start + 1) == Some(&b'\\') => (start, brackets_end(bytes, start)),
            b',' | b';' | b'&' => return None,
            _ => (start, self.bare_end(start, to, weight)),
        };
        let has_secret = bytes[start..end].iter().any(|byte| byte.is_ascii_alphanumeric() || *byte >= 128);
        has_secret.then_some((start, end))
    }

    /// Where a value without quotes ends.
    fn bare_end(&self, start: usize, to: usize, weight: Option<Weight>) -> usize {
        let bytes = &self.bytes()[..to];
        let stops = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte);
        // A backslash before a quotation mark or a line break belongs to it.
        let is_escape = |&at: &usize| {
            bytes[at] == b'\\' && matches!(bytes.get(at + 1), None | Some(b'"' | b'n' | b'r' | b't' | b'\\'))
        };
        let token_end = |from: usize| {
            let length = bytes[from..].iter().position(stops).unwrap_or(to - from);
            (from..from + length).find(is_escape).unwrap_or(from + length)
        };
        let next = |end: usize| (bytes.get(end) == Some(&b' ')).then_some(end + 1);
        let name =
            bytes[start..].iter().take(20).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let name_end = next(start + name).and_then(|_| scheme(self.text.get(start..start + name)?));
        let end = match name_end {
            Some(true) => return start + self.text.get(start..to).map_or(0, line),
            Some(false) => token_end(start + name + 1),
            None if weight == Some(Weight::Header) => {
                let mut end = token_end(start);
                // Cookies: each but the last ends so.
                let is_cookie = bytes[start..end].contains(&b'=');
                while let Some(more) = next(end).filter(|_| is_cookie && bytes[end - 1] == b';') {
                    end = token_end(more);
                }
                if is_cookie {
                    return end;
                }
                // A scheme that nobody knows: `AWS key:signature`, `HMAC-SHA256 Signature=…`.
                let is_sentence =
                    self.text.get(start..end).is_none_or(|word| is_in(word, SENTENCE) || is_in(word, NOTHING));
                let more = next(end).filter(|_| !is_sentence).map(|more| &bytes[more..token_end(more)]);
                match more {
                    Some(more) if more.contains(&b'=') && !more.ends_with(b"=") => {
                        return start + self.text.get(start..to).map_or(0, line);
                    }
                    Some(more) if more.iter().any(|byte| byte.is_ascii_digit() || b":=".contains(byte)) => {
                        return end + 1 + more.len();
                    }
                    _ => end,
                }
            }
            None => {
                let ends = |&at: &usize| {
                    stops(&bytes[at]) || is_escape(&at) || b",;&|".contains(&bytes[at]) && self.ends_value(at + 1, to)
                };
                (start..to).find(ends).unwrap_or(to)
            }
        };
        let behind = bytes[start..end].iter().rev().take_while(|byte| b")]}.,;:!?".contains(byte)).count();
        end - behind
    }

    /// Whether what stands behind a comma is another pair, or nothing.
    fn ends_value(&self, at: usize, to: usize) -> bool {
        let rest = &self.bytes()[at..to];
        let name =
            rest.iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.$%\"'".contains(byte)).count();
        rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || b"\"'`<>".contains(byte))
            || name > 0 && matches!(rest.get(name), Some(b'=' | b':'))
            || rest.starts_with(b"\\")
    }

    /// A URL from its `://` on: what stands before the host, but for the name of the user.
    pub(super) fn url(&mut self, at: usize, from: usize, to: usize) -> usize {
        let bytes = &self.bytes()[..to];
        let start = at + 3;
        let stops = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`<>|\\".contains(byte);
        let rest = &bytes[start..];
        let length = rest.iter().position(|byte| stops(byte) || b"/?#".contains(byte)).unwrap_or(rest.len());
        let colon = rest[..length].iter().position(|&byte| byte == b':');
        let mut at_sign = rest[..length].iter().rposition(|&byte| byte == b'@');
        if let (None, Some(colon)) = (at_sign, colon)
            && !rest.starts_with(b"[")
            && !rest[colon + 1..length].iter().all(u8::is_ascii_digit)
        {
            // A password with a slash in it.
            let more = &rest[length..rest.len().min(length + LONGEST_PASSWORD)];
            let more = &more[..more.iter().position(stops).unwrap_or(more.len())];
            at_sign = more.iter().position(|&byte| byte == b'@').map(|sign| length + sign);
        }
        let Some(at_sign) = at_sign else { return start };
        // One behind it is that of the port.
        let colon = colon.filter(|&colon| colon < at_sign);
        let is_web = bytes[from..at].ends_with(b"http") || bytes[from..at].ends_with(b"https");
        let secret = match colon {
            Some(colon) => colon + 1,
            None if is_web
                && at_sign >= 8
                && looks_secret(self.text.get(start..start + at_sign).unwrap_or_default()) =>
            {
                0
            }
            None => return start,
        };
        // Nor what stands for a password in an explanation.
        let is_none = rest[secret..at_sign].iter().all(|&byte| byte == b'*') || &rest[..at_sign] == b"user:password";
        if !is_none {
            self.hide(start + secret, start + at_sign);
        }
        start + at_sign
    }
}

/// The password in a line of `.pgpass`, from the sign before its port on: `host:5432:database:user:password`.
fn password_file(bytes: &[u8]) -> Option<(usize, usize)> {
    let field = |from: usize| {
        let is_field = |byte: &&u8| **byte != b':' && !byte.is_ascii_whitespace() && !b"\"'`/".contains(byte);
        let length = bytes.get(from..)?.iter().take(64).take_while(is_field).count();
        (length > 0 && bytes.get(from + length) == Some(&b':'))
            .then_some((&bytes[from..from + length], from + length + 1))
    };
    let is_name = |name: &[u8]| name == b"*" || name[0].is_ascii_alphabetic() || name[0] == b'_';
    let (port, at) = field(1)?;
    if port != b"*" && !(matches!(port.len(), 4 | 5) && port.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let (database, at) = field(at).filter(|(name, _)| is_name(name))?;
    let (user, at) = field(at).filter(|(name, _)| is_name(name))?;
    // Three stars are a pattern of something else.
    if port == b"*" && database == b"*" && user == b"*" {
        return None;
    }
    let ends = |byte: &&u8| !(byte.is_ascii_whitespace() || b"\"'`\\".contains(byte));
    let length = bytes[at..].iter().take_while(ends).count();
    (length > 0).then_some((at, at + length))
}

/// The password of `name:password@host:5432/`, from the sign behind the name on.
fn before_host(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let count = |from: usize, is_it: &dyn Fn(u8) -> bool| {
        bytes.get(from..).unwrap_or_default().iter().take(128).take_while(|byte| is_it(**byte)).count()
    };
    let password = count(at + 1, &|byte| !(byte.is_ascii_whitespace() || b"\"'`/<>\\@:".contains(&byte)));
    let sign = at + 1 + password;
    if password == 0 || !is_name(*bytes.get(at.checked_sub(1)?)?) || bytes.get(sign) != Some(&b'@') {
        return None;
    }
    let host = count(sign + 1, &|byte| is_name(byte) || b".-".contains(&byte));
    let port = sign + 1 + host;
    let digits = count(port + 1, &|byte| byte.is_ascii_digit());
    let ends = !bytes.get(port + 1 + digits).is_some_and(|&byte| is_name(byte) || byte == b':');
    let is_port = host > 0 && bytes.get(port) == Some(&b':') && (2..=5).contains(&digits) && ends;
    is_port.then_some((at + 1, sign))
}

/// The password of `jdbc:oracle:thin:user/password@host`, from the sign behind `thin` on.
fn oracle(bytes: &[u8], at: usize, from: usize) -> Option<(usize, usize)> {
    let is_driver = [&b"oracle:thin"[..], b"oracle:oci"].iter().any(|driver| bytes[from..at].ends_with(driver));
    let rest = bytes[at..].iter().take(if is_driver { LONGEST_PASSWORD } else { 0 });
    let rest = &bytes[at..at + rest.take_while(|byte| !byte.is_ascii_whitespace()).count()];
    let slash = rest.iter().position(|&byte| byte == b'/')?;
    let end = rest.iter().rposition(|&byte| byte == b'@').filter(|&end| end > slash + 1)?;
    Some((slash + 1, end))
}

/// The bytes in front of a value by which a language says what it is: `b'…'`, `SecretStr('…')`, `(*string)(0xc0) "…"`,
/// `!!str …`, `&anchor …`, `** …`.
fn wrapping(bytes: &[u8]) -> usize {
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.:".contains(byte);
    let quotes = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        let slashes = rest.iter().take(32).take_while(|&&byte| byte == b'\\').count();
        rest.get(slashes).is_some_and(|byte| b"\"'`".contains(byte))
    };
    let spaces = |at: usize| bytes.get(at..).unwrap_or_default().iter().take_while(|&&byte| byte == b' ').count();
    let word = |at: usize| bytes[at..].iter().take(64).take_while(|byte| !byte.is_ascii_whitespace()).count();
    match bytes {
        // Of YAML.
        [b'!', b'!' | b'a'..=b'z' | b'A'..=b'Z', ..] | [b'&', b'a'..=b'z' | b'A'..=b'Z', ..] => {
            let length = word(0);
            let space = spaces(length);
            return if space > 0 { length + space } else { 0 };
        }
        [b'*', b'*', b' ', ..] => return 2 + spaces(2),
        // A pointer.
        [b'(', b'*', ..] => {
            let length = word(0);
            let at = length + spaces(length);
            return if quotes(at) { at } else { 0 };
        }
        _ => {}
    }
    // Calls within calls, and letters that are a part of the text.
    let mut at = 0;
    for _ in 0..4 {
        let name = bytes[at..].iter().take(64).take_while(is_name).count();
        match bytes.get(at + name) {
            Some(b'(') if name > 0 => at += name + 1 + spaces(at + name + 1),
            _ if LITERALS.contains(&&bytes[at..at + name]) && quotes(at + name) => return at + name,
            _ => break,
        }
    }
    0
}

fn is_in(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether a value without quotes is a part of a sentence, or says that there is no secret.
fn reads_as_words(value: &str, weight: Weight, sign: u8, is_tight: bool, quoted_name: bool) -> bool {
    let is_placeholder = value.strip_prefix('$').is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit()));
    if is_in(value, NOTHING) || is_placeholder {
        return true;
    }
    if weight == Weight::Random {
        return !(value.len() >= 16 && looks_random(value) && !value.contains(['/', '.', '%']));
    }
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    if sign == b'=' || quoted_name {
        return weight == Weight::Common && is_number && value.len() < 4;
    }
    if is_in(value, SENTENCE) {
        return true;
    }
    let has_scheme = value.split(' ').next().is_some_and(|word| scheme(word).is_some()) && value.contains(' ');
    let looks = looks_secret(value) || has_scheme || value.len() > 24;
    match weight {
        Weight::Common => !looks || is_number && value.len() < 4,
        Weight::Secret | Weight::Header => is_tight && !looks,
        Weight::Plain | Weight::Random => false,
    }
}

/// Behind the bracket that closes this one, in JSON with escapes: what stands in quotes is not told from the rest.
fn brackets_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Where a text in quotes ends that began with so many backslashes: as many stand before its last mark.
fn quote_end(bytes: &[u8], open: usize, quote: u8, slashes: usize) -> usize {
    let mut at = open;
    if slashes == 0 {
        while let Some(found) = memchr2(quote, b'\\', bytes.get(at..).unwrap_or_default()) {
            at += found;
            let doubled = quote == b'\'' && at > open && bytes.get(at + 1) == Some(&quote);
            // A text within a text has its backslashes twice.
            let escaped = quote == b'\''
                && at > open
                && bytes[at - 1] == b'\\'
                && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
            if bytes[at] == quote && !doubled && !escaped {
                return at;
            }
            at += 2;
        }
        return bytes.len();
    }
    while let Some(found) = memchr2(quote, quote, bytes.get(at..).unwrap_or_default()) {
        at += found;
        let before = bytes[open..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
        if before <= slashes || (before + 1) % (2 * (slashes + 1)) == slashes + 1 {
            return at - before.min(slashes);
        }
        at += 1;
    }
    bytes.len()
}

/// With each `%` and two digits as the byte that they stand for.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let code = || u8::from_str_radix(std::str::from_utf8(tail.get(..2)?).ok()?, 16).ok();
        rest = match (*byte == b'%').then(code).flatten() {
            Some(code) => {
                decoded.push(code);
                &tail[2..]
            }
            None => {
                decoded.push(*byte);
                tail
            }
        };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

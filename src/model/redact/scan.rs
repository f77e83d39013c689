//! Secrets in a free text. One pass looks for the few bytes at which one can begin or be named; everything else costs a
//! look into a table. Nothing looks back or ahead further than it consumes or than a fixed number of bytes, so the time
//! is proportional to the length whatever the text is.

use memchr::{memmem, memrchr2};

use super::forms;
use super::json;
use super::keys::{Keys, LONGEST, is_value_key};
use super::marks::{Form, Marks};
use super::pairs::percent_decoded;
use super::words::NOTHING;

/// Texts within texts, as JSON or as parts of a URL. Each holds all that is written in it, so what is deeper is masked
/// as a whole.
pub(super) const MOST_NESTED: u32 = 12;

/// At this byte a secret may be, wherever it stands.
const ALWAYS: u8 = 1;
/// At this byte a secret may be where it begins a word.
const BEGINS: u8 = 2;

const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let always = b":=%{[>\\$";
    let mut at = 0;
    while at < always.len() {
        class[always[at] as usize] = ALWAYS;
        at += 1;
    }
    let begins = b"-ABCDEFGHIJKLMNOPQRSTUVWXYZabdeghiklmnopstvwxyrf23456";
    at = 0;
    while at < begins.len() {
        class[begins[at] as usize] = BEGINS;
        at += 1;
    }
    class
};

/// What may be at a byte after this one.
const AFTER: [u8; 256] = {
    let (mut after, mut byte) = ([ALWAYS | BEGINS; 256], 0_u8);
    while byte < 255 {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128 {
            after[byte as usize] = ALWAYS;
        }
        byte += 1;
    }
    after
};

/// Bytes of the longest private key.
const LONGEST_KEY: usize = 16_384;
/// Bytes of a tag of XML, and of the line of a command, that are looked at.
const LONGEST_TAG: usize = 256;

/// A reading of one text.
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) keys: &'a Keys,
    pub(super) marks: Marks,
    /// What stands before here was read as a statement of SQL.
    pub(super) told_until: usize,
    /// Up to here a key such as `value` holds the secret whose name stood before: of YAML, XML and forms.
    pub(super) named_until: usize,
    /// How many texts within texts are still read.
    depth: u32,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, keys: &'a Keys, depth: u32) -> Self {
        Self { text, keys, marks: Marks::default(), told_until: 0, named_until: 0, depth }
    }

    /// The text without its secrets, and how many there were; nothing where there are none.
    pub(super) fn masked(mut self) -> Option<(String, usize)> {
        let (bytes, mut at) = (self.bytes(), json::skip_space(self.bytes(), 0));
        // The whole text may be a string of JSON, and must stay one.
        if bytes.get(at) == Some(&b'"') {
            let (end, escaped) = json::string_end(bytes, at);
            if escaped || json::skip_space(bytes, end) == bytes.len() {
                self.string((at + 1, json::content_end(bytes, at, end)), escaped, 0);
                at = end;
            }
        }
        self.scan(at, self.text.len());
        self.marks.apply(self.text)
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Masks a text that stood in this one in another writing.
    pub(super) fn within(&self, text: &str) -> Option<(String, usize)> {
        match self.depth.checked_sub(1) {
            Some(depth) => Scan::new(text, self.keys, depth).masked(),
            None => Some((super::MASK.to_owned(), 1)),
        }
    }

    /// Reads a part of the text.
    pub(super) fn scan(&mut self, from: usize, to: usize) {
        let bytes = &self.bytes()[..to];
        let mut at = from;
        let mut before = b' ';
        while let Some(&byte) = bytes.get(at) {
            if CLASS[usize::from(byte)] & AFTER[usize::from(before)] == 0 {
                (before, at) = (byte, at + 1);
                continue;
            }
            at = self.look(at, from, to, before);
            before = bytes.get(at - 1).copied().unwrap_or(b' ');
        }
    }

    /// What is at this byte; gives where to go on.
    fn look(&mut self, at: usize, from: usize, to: usize, before: u8) -> usize {
        let bytes = &self.bytes()[..to];
        match bytes[at] {
            // In quotes, so to the end of these.
            b'{' | b'[' if json::begins_escaped(bytes, at) => {
                let (end, _) = json::string_end(bytes, at);
                self.string((at, json::content_end(bytes, at, end)), true, 0);
                end
            }
            b'{' | b'[' => {
                if json::begins(bytes, at) {
                    self.json(at, to)
                } else {
                    at + 1
                }
            }
            b':' if bytes[at..].starts_with(b"://") => self.url(at, from, to),
            b':' | b'=' => self.pair(at, from, to),
            b'%' => self.percent(at, from, to),
            b'$' => forms::hash(&bytes[at..]).map_or(at + 1, |length| self.hide(at, at + length)),
            b'-' => self.dash(at, from, to, before),
            b'>' => self.element(at, from, to),
            // Of a text in another one: the letter is no part of the word behind it.
            b'\\' if matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't')) && at + 2 < to => {
                if CLASS[usize::from(bytes[at + 2])] == BEGINS { self.look(at + 2, from, to, b' ') } else { at + 2 }
            }
            b'\\' => at + 1,
            _ => self.word(at, to, before),
        }
    }

    pub(super) fn hide(&mut self, start: usize, end: usize) -> usize {
        self.marks.add(start, end, Form::Plain);
        end
    }

    fn word(&mut self, at: usize, to: usize, before: u8) -> usize {
        let bytes = &self.bytes()[at..to];
        if bytes[0].is_ascii_digit() {
            let in_number = matches!(before, b'.' | b'-' | b'+' | b'#' | b'/' | b':' | b'%');
            let card = if in_number { None } else { forms::card(bytes) };
            return card.map_or(at + 1, |length| self.hide(at, at + length));
        }
        let may_begin = forms::may_begin(bytes);
        if may_begin && matches!(bytes[0], b'i' | b'I') {
            self.insert(at, to);
        }
        if may_begin
            && let Some((start, end)) =
                self.text.get(at..to).and_then(|text| forms::word(text, before, self.text.len()))
        {
            return self.hide(at + start, at + end);
        }
        match forms::iban(bytes) {
            Some(length) => self.hide(at, at + length),
            None => at + 1,
        }
    }

    /// A private key, or the option of a command: `--password x`.
    fn dash(&mut self, at: usize, from: usize, to: usize, before: u8) -> usize {
        let bytes = &self.bytes()[at..to];
        let begins = |words: &&[u8]| bytes.starts_with(words);
        if [&b"-----BEGIN "[..], b"----BEGIN ", b"---- BEGIN "].iter().any(begins) {
            return self.private_key(at, to);
        }
        if before == b'-' || !(before.is_ascii_whitespace() || b"\"'`[(,".contains(&before)) {
            return at + 1;
        }
        let dashes = bytes.iter().take(2).take_while(|&&byte| byte == b'-').count();
        let name = bytes[dashes..]
            .iter()
            .take(LONGEST)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
            .count();
        let value = at + dashes + name;
        if matches!(&bytes[..dashes + name], b"-u" | b"--user" | b"-U" | b"--proxy-user") {
            return self.user_option(value, to);
        }
        if dashes == 1
            && name > 0
            && let Some((start, end)) = self.option_of_command(at, from, to)
        {
            return self.hide(start, end);
        }
        let is_option = matches!(bytes.get(dashes + name), Some(b' ' | b'\t'))
            && self.text.get(at + dashes..value).is_some_and(|name| self.keys.is_secret(name));
        if !is_option {
            return at + dashes;
        }
        match self.value(value, to, None) {
            Some((start, end)) if self.bytes()[start] != b'-' && !is_setting(&self.text[start..end]) => {
                self.hide(start, end)
            }
            _ => value,
        }
    }

    /// The password in `-u name:password`, as curl takes it; two numbers or twice the same are accounts of a system.
    fn user_option(&mut self, value: usize, to: usize) -> usize {
        let Some((start, end)) = self.value(value, to, None) else { return value };
        let Some((name, password)) = self.text.get(start..end).and_then(|text| text.split_once(':')) else {
            return value;
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if name.contains(' ')
            || password.starts_with("//")
            || name == password
            || is_number(password) && is_number(name)
        {
            return value;
        }
        self.hide(start + name.len() + 1, end)
    }

    /// The whole block, or what is there of it.
    fn private_key(&mut self, at: usize, to: usize) -> usize {
        let bytes = &self.bytes()[..to];
        let word = bytes[at..].iter().take_while(|&&byte| b"- ".contains(&byte)).count() + b"BEGIN ".len();
        let head = &bytes[(at + word).min(to)..to.min(at + 80)];
        let name = head.windows(4).position(|dashes| dashes == b"----").unwrap_or(head.len());
        if !head[..name].windows(11).any(|words| words == b"PRIVATE KEY") {
            return at + 5;
        }
        let start = (at + word + name + 5).min(to);
        // Between quotation marks and signs of other languages, and in front of lines, anything may stand.
        let near = &bytes[start..to.min(start + LONGEST_KEY)];
        if let Some(tail) = memmem::find(near, b"---END ").or_else(|| memmem::find(near, b"--- END ")) {
            let behind = &near[tail + 7..];
            let dashes = behind.iter().take(80).position(|&byte| byte == b'-').unwrap_or(behind.len());
            let dashes = dashes + behind[dashes..].iter().take_while(|&&byte| byte == b'-').count();
            return self.hide(at, start + tail + 7 + dashes);
        }
        let is_body = |byte: u8| {
            byte >= 128
                || byte.is_ascii_alphanumeric()
                || byte.is_ascii_whitespace()
                || b"+/=\\:,._()|#>-".contains(&byte)
        };
        let mut end = start + bytes[start..].iter().take_while(|byte| is_body(**byte)).count();
        // The name in front of a text in quotes is no part of it: `password=b'x'`.
        if bytes.get(end).is_some_and(|byte| b"\"'`".contains(byte)) {
            let body = bytes[start..end].trim_ascii_end();
            let slashes = body.iter().rev().take_while(|&&byte| byte == b'\\').count();
            let name = &body[..body.len() - slashes];
            let name = name.strip_suffix(b"b").or_else(|| name.strip_suffix(b"u")).unwrap_or(name);
            if name.ends_with(b"=") && name.iter().rev().nth(1).is_some_and(u8::is_ascii_alphabetic)
                || name.ends_with(b":")
                || name.ends_with(b"(")
            {
                end -= bytes[start..end].iter().rev().take_while(|byte| !byte.is_ascii_whitespace()).count();
            }
        }
        self.hide(at, end)
    }

    /// An element of XML: `<password>x</password>`, with attributes or without.
    fn element(&mut self, at: usize, from: usize, to: usize) -> usize {
        let bytes = self.bytes();
        let floor = self.text.ceil_char_boundary(from.max(at.saturating_sub(LONGEST_TAG)));
        let open = memrchr2(b'<', b'>', &bytes[floor..at]).map(|open| floor + open).filter(|&open| bytes[open] == b'<');
        let Some(tag) = open.and_then(|open| self.text.get(open + 1..at)) else { return at + 1 };
        let name = tag.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        if tag.ends_with('/') || !self.keys.is_secret(name) {
            return at + 1;
        }
        let mut start = at + 1;
        if bytes[start..to].starts_with(b"<![CDATA[") {
            start += 9;
            let end = memmem::find(&bytes[start..to], b"]]>").map_or(to, |length| start + length);
            return if end > start { self.hide(start, end) } else { start };
        }
        // The value as an element of its own.
        if bytes[start..to].starts_with(b"<")
            && let Some(length) = bytes[start..to].iter().take(40).position(|&byte| byte == b'>')
            && is_value_key(self.text.get(start + 1..start + length).unwrap_or_default())
        {
            start += length + 1;
        }
        match bytes[start..to].iter().position(|&byte| byte == b'<').map(|length| start + length) {
            Some(end) if self.text[start..end].contains(|c: char| !c.is_whitespace()) => self.hide(start, end),
            _ => at + 1,
        }
    }

    /// The password that a known command takes by a single letter: `mysql -px`, `sshpass -p x`, `redis-cli -a x`.
    fn option_of_command(&self, at: usize, from: usize, to: usize) -> Option<(usize, usize)> {
        let bytes = &self.bytes()[..to];
        let (letter, value) = (bytes[at + 1], at + 2);
        if !b"paw".contains(&letter) {
            return None;
        }
        let floor = self.text.ceil_char_boundary(from.max(at.saturating_sub(LONGEST_TAG)));
        let line = self.text.get(floor..at)?;
        let line = &line[line.rfind(['\n', ';']).map_or(0, |end| end + 1)..];
        let runs =
            |commands: &[&str]| line.split([' ', '\t', '/', '"', '\'', '`', '(']).any(|word| commands.contains(&word));
        let (may_touch, may_part) = match letter {
            b'p' if runs(&["mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump"]) => (true, false),
            b'p' if runs(&["sshpass"]) => (true, true),
            b'p' if runs(&["login"]) && runs(&["docker", "podman", "helm", "nerdctl", "az", "oc"]) => (false, true),
            b'p' if runs(&["mongosh", "mongo", "mongodump", "mongorestore"]) => (true, true),
            b'w' if runs(&["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"]) => (true, true),
            b'a' if runs(&["redis-cli", "valkey-cli"]) => (false, true),
            _ => return None,
        };
        let parts = bytes.get(value).is_some_and(|byte| b" \t".contains(byte));
        let quoted = parts && bytes.get(value + 1).is_some_and(|byte| b"\"'".contains(byte));
        if parts && !(may_part || quoted) || !parts && !may_touch {
            return None;
        }
        self.value(value, to, None).filter(|&(start, _)| bytes[start] != b'-')
    }

    /// A part of a URL within another one: `?next=https%3A%2F%2Fname%3Asecret%40host`.
    fn percent(&mut self, at: usize, from: usize, to: usize) -> usize {
        let bytes = self.bytes();
        let is_sign = |sign: &&[u8; 2]| bytes[at + 1..to].get(..2).is_some_and(|hex| hex.eq_ignore_ascii_case(*sign));
        if ![b"3a", b"3d", b"22", b"25"].iter().any(is_sign) {
            return at + 1;
        }
        let is_part = |byte: &u8| *byte >= 128 || byte.is_ascii_alphanumeric() || b"%-._~+*!/:@$".contains(byte);
        let floor = from.max(self.marks.end().min(at));
        let start = at - bytes[floor..at].iter().rev().take_while(|byte| is_part(byte)).count();
        let end = at + bytes[at..to].iter().take_while(|byte| is_part(byte)).count();
        let Some(part) = self.text.get(start..end) else { return at + 1 };
        if let Some((masked, secrets)) = self.within(&percent_decoded(part)) {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte);
            let mut encoded = String::new();
            for byte in masked.bytes() {
                if is_plain(byte) { encoded.push(char::from(byte)) } else { encoded.push_str(&format!("%{byte:02X}")) }
            }
            self.marks.add(start, end, Form::Text(encoded, secrets));
        }
        end
    }
}

/// What an option is set to that only has the name of a secret: `--auth none`, `--session 5`.
fn is_setting(value: &str) -> bool {
    value.len() < 4 && value.bytes().all(|byte| byte.is_ascii_digit())
        || NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word))
}

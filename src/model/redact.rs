//! Masks secrets in JSON text, without parsing it into values: numbers and spacing stay as they were written.

use std::borrow::Cow;

use memchr::memchr2;

use super::payload::MASK;

/// Text within text within text: deeper than this nobody stores JSON as text.
const MOST_NESTED: u32 = 4;

/// Words that make a key a secret: `token` matches `accessToken` and `X-Access-Token`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The letters of each, and the word.
    words: Vec<(u32, String)>,
    /// Bytes of the shortest: a shorter key is no secret.
    shortest: usize,
}

impl Words {
    /// Case and everything but letters and digits of ASCII is ignored; what is empty then is left out.
    pub fn new<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Self {
        let plain = |word: T| {
            let mut text = String::new();
            plain_into(word.as_ref(), &mut text);
            (letters(text.as_bytes()), text)
        };
        let words: Vec<_> = words.into_iter().map(plain).filter(|(_, word)| !word.is_empty()).collect();
        let shortest = words.iter().map(|(_, word)| word.len()).min().unwrap_or(usize::MAX);
        Self { words, shortest }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a key has all the letters of one of the words: nearly none has.
    fn may_match(&self, key: &[u8]) -> bool {
        key.len() >= self.shortest && {
            let found = letters(key);
            self.words.iter().any(|(letters, _)| found & letters == *letters)
        }
    }

    /// Whether a key contains one of the words. `buffer` is scratch space.
    fn match_key(&self, key: &str, buffer: &mut String) -> bool {
        buffer.clear();
        plain_into(key, buffer);
        self.words.iter().any(|(_, word)| buffer.contains(word.as_str()))
    }
}

fn plain_into(text: &str, plain: &mut String) {
    plain.extend(text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
}

/// One bit for each letter that occurs: most keys are told from most words without looking at their order.
fn letters(text: &[u8]) -> u32 {
    const BITS: [u32; 256] = {
        let (mut bits, mut byte) = ([0; 256], 0_u8);
        while byte < 128 {
            bits[byte as usize] = if byte.is_ascii_alphanumeric() { 1 << (byte & 31) } else { 0 };
            byte += 1;
        }
        bits
    };
    text.iter().fold(0, |bits, byte| bits | BITS[usize::from(*byte)])
}

/// The text with [`MASK`] in place of every value under a matching key, at any depth: in JSON, in JSON within text, and
/// in JSON that was cut off. `null` stays. Any text is accepted; what is no JSON stays as it is, for the most part.
#[must_use]
pub fn mask<'a>(text: &'a str, words: &Words) -> Cow<'a, str> {
    mask_counted(text, words).0
}

/// As [`mask`], with how many values were masked.
#[must_use]
pub fn mask_counted<'a>(text: &'a str, words: &Words) -> (Cow<'a, str>, usize) {
    if words.is_empty() {
        return (text.into(), 0);
    }
    let mut scratch = Scratch { key: String::new(), masked: 0 };
    let masked = mask_nested(text, words, &mut scratch, MOST_NESTED);
    (masked, scratch.masked)
}

struct Scratch {
    key: String,
    masked: usize,
}

fn mask_nested<'a>(json: &'a str, words: &Words, scratch: &mut Scratch, depth: u32) -> Cow<'a, str> {
    let text = |from: usize, to: usize| json.get(from..to).unwrap_or_default();
    let bytes = json.as_bytes();
    let (mut masked, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(open) = find(bytes, at, |byte| byte == b'"') {
        let (end, escaped) = string_end(bytes, open);
        let colon = skip_space(bytes, end);
        let replaced = if bytes.get(colon) == Some(&b':') {
            at = colon + 1;
            let key = open + 1..end - 1;
            if !escaped && !bytes.get(key.clone()).is_some_and(|key| words.may_match(key)) {
                continue;
            }
            if !is_secret(text(open, end), text(key.start, key.end), words, &mut scratch.key) {
                continue;
            }
            let value = skip_space(bytes, colon + 1);
            at = value_end(bytes, value);
            let is_masked = !matches!(text(value, at), "null" | "");
            scratch.masked += usize::from(is_masked);
            is_masked.then(|| (value, format!("\"{MASK}\"")))
        } else {
            at = end;
            if !escaped {
                continue;
            }
            stored_json(text(open, end), words, scratch, depth).map(|json| (open, json))
        };
        if let Some((from, replacement)) = replaced {
            masked.push_str(text(copied, from));
            masked.push_str(&replacement);
            copied = at;
        }
    }
    if copied == 0 {
        return json.into();
    }
    masked.push_str(text(copied, json.len()));
    masked.into()
}

fn is_secret(quoted: &str, key: &str, words: &Words, buffer: &mut String) -> bool {
    if key.contains('\\') {
        let plain = serde_json::from_str::<String>(quoted);
        return plain.is_ok_and(|key| words.match_key(&key, buffer));
    }
    words.match_key(key, buffer)
}

/// A string that may hold JSON, masked; none when there is nothing to mask in it.
fn stored_json(quoted: &str, words: &Words, scratch: &mut Scratch, depth: u32) -> Option<String> {
    if depth == 0 || !(quoted.contains("\\\"") || quoted.contains("\\u0022")) {
        return None;
    }
    let json: String = serde_json::from_str(quoted).or_else(|_| serde_json::from_str(&closed(quoted))).ok()?;
    match mask_nested(&json, words, scratch, depth - 1) {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => serde_json::to_string(&masked).ok(),
    }
}

/// A string that was cut off, without the escape that was cut in two, and closed.
fn closed(quoted: &str) -> String {
    let mut end = quoted.len();
    if let Some(escape) = quoted.rfind('\\').filter(|&at| quoted.len() - at < 6) {
        let before = quoted[..escape].bytes().rev().take_while(|&byte| byte == b'\\').count();
        // Of two backslashes the second begins nothing.
        end = if before % 2 == 0 { escape } else { escape - 1 };
    }
    format!("{}\"", &quoted[..end])
}

/// The first such byte from here on.
fn find(bytes: &[u8], from: usize, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    Some(from + bytes.get(from..)?.iter().position(|byte| is_it(*byte))?)
}

/// Just after the quotation mark that closes the string which opens here, and whether it holds an escape.
fn string_end(bytes: &[u8], open: usize) -> (usize, bool) {
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

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Just after the value that begins here.
fn value_end(bytes: &[u8], start: usize) -> usize {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::payload::{self, SECRET_WORDS};

    fn words() -> Words {
        Words::new(SECRET_WORDS)
    }

    #[test]
    fn values_under_secret_keys_are_masked_and_nothing_else_is_touched() {
        let text = r#"{ "n": 1.00, "Api-Key" : "k\"}", "list":[{"db_password":{"a":["]"]},"x":12345678901234567890123}],"t\u006fken":7, "cookie": null,"password":[1,2] }"#;
        assert_eq!(
            mask(text, &words()),
            r#"{ "n": 1.00, "Api-Key" : "******", "list":[{"db_password":"******","x":12345678901234567890123}],"t\u006fken":"******", "cookie": null,"password":"******" }"#
        );
        let plain = r#"{"kept":["key",{"ok":"a token: none"}]}"#;
        assert!(matches!(mask(plain, &words()), Cow::Borrowed(_)));
        assert!(matches!(mask(r#"{"token":1}"#, &Words::default()), Cow::Borrowed(_)));
        assert_eq!(mask(r#"{"IBAN (old)":"DE1"}"#, &Words::new(["iban", "-"])), r#"{"IBAN (old)":"******"}"#);
    }

    #[test]
    fn json_that_is_stored_as_text_is_masked_too() {
        let inner = json!({ "body": json!({ "access_token": "t", "n": 1 }).to_string() }).to_string();
        let masked = mask(&json!({ "raw": inner, "text": "[not json" }).to_string(), &words()).into_owned();
        let outer: Value = serde_json::from_str(&masked).unwrap();
        let raw: Value = serde_json::from_str(outer["raw"].as_str().unwrap()).unwrap();
        assert_eq!(raw["body"], r#"{"access_token":"******","n":1}"#);
        assert_eq!(outer["text"], "[not json");
    }

    #[test]
    fn json_within_text_and_json_that_was_cut_off_are_masked_too() {
        for (text, masked) in [
            (r#"refused: {"authorization": "Bearer s3cret"} (401)"#, r#"refused: {"authorization": "******"} (401)"#),
            (r#"{"n":1,"token":"s3cr"#, r#"{"n":1,"token":"******""#),
            (r#"{"token":{"a":["s3"#, r#"{"token":"******""#),
            (r#"{"raw":"{\"token\":\"s3cr"#, r#"{"raw":"{\"token\":\"******\"""#),
            (r#"{"raw":"{\"token\":\"s3cr\u00"#, r#"{"raw":"{\"token\":\"******\"""#),
            (r#"{"raw":"{\"token\":\"s3cr\\"#, r#"{"raw":"{\"token\":\"******\"""#),
            (r#"{"token":"#, r#"{"token":"#),
        ] {
            assert_eq!(mask(text, &words()), masked);
        }
        assert_eq!(mask_counted(r#"{"token":1,"a":["{\"password\":2}"],"cookie":null}"#, &words()).1, 2);
    }

    fn value() -> impl Strategy<Value = Value> {
        let key = prop_oneof!["[a-z]{0,4}", Just("accessToken".to_owned()), Just("set-cookie".to_owned()), "\\PC{0,6}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner.clone()), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
                inner.clone().prop_map(|value| Value::from(value.to_string())),
                inner.prop_map(|value| Value::from(format!("failed: {value}, later"))),
            ]
        })
    }

    proptest! {
        #[test]
        fn text_and_values_are_masked_alike(value in value()) {
            let mut expected = value.clone();
            let found = payload::mask(&mut expected);
            for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let (masked, secrets) = mask_counted(&text, &words());
                prop_assert_eq!(secrets, found);
                let masked: Value = serde_json::from_str(&masked).unwrap();
                prop_assert_eq!(&masked, &expected);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "[\\\\\"{}:, a\u{e9}\\[\\]]*(\"token\":)?\\PC*") {
            let _ = mask(&text, &words());
        }
    }
}

//! Text and JSON as PostgreSQL accepts them: no NUL anywhere, no half of a surrogate pair in JSON.

use std::borrow::Cow;

use memchr::memchr;

const REPLACEMENT: &str = "\u{fffd}";

/// The text without NUL characters, which no text column can hold.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if memchr(0, text.as_bytes()).is_some() { text.replace('\0', REPLACEMENT).into() } else { text.into() }
}

/// The JSON text without the escapes that `jsonb` refuses: `\u0000` and lone surrogates. Valid JSON stays valid.
#[must_use]
pub fn clean_json(json: &str) -> Cow<'_, str> {
    // Most have no escape at all.
    if memchr(b'\\', json.as_bytes()).is_none_or(|at| !json[at..].contains("\\u")) {
        return json.into();
    }
    let (mut clean, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        clean.push_str(before);
        let (text, length) = match code_unit(escape) {
            Some(0xD800..=0xDBFF) if matches!(escape.get(6..).and_then(code_unit), Some(0xDC00..=0xDFFF)) => {
                (escape.get(..12), 12)
            }
            Some(0 | 0xD800..=0xDFFF) => (Some(REPLACEMENT), 6),
            Some(_) => (escape.get(..6), 6),
            // A backslash and one character.
            None => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (escape.get(..length), length)
            }
        };
        clean.push_str(text.unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    clean.push_str(rest);
    clean.into()
}

/// The value of the `\uXXXX` at the start of a text.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_refuses_is_replaced() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert_eq!(clean_json(r#"{"a\u0000":"\u0000"}"#), "{\"a\u{fffd}\":\"\u{fffd}\"}");
        assert_eq!(
            clean_json(r#"["\ud83d","\ud83d\ude00","\ude00x","\ud83d\ud83d"]"#),
            "[\"\u{fffd}\",\"\\ud83d\\ude00\",\"\u{fffd}x\",\"\u{fffd}\u{fffd}\"]"
        );
        assert!(matches!(clean_json(r#"{"a":"b\n"}"#), Cow::Borrowed(_)));
    }

    #[test]
    fn an_escaped_backslash_is_not_the_start_of_an_escape() {
        let json = r#"["\\u0000","\u00e9\\","\"\\\\u0000"]"#;
        assert_eq!(clean_json(json), json);
    }

    proptest::proptest! {
        #[test]
        fn any_string_survives_as_itself_but_for_nul(text in "[\\\\u0d8\\x00\"é😀-]*") {
            let json = serde_json::to_string(&text).unwrap();
            let read: String = serde_json::from_str(&clean_json(&json)).unwrap();
            proptest::prop_assert_eq!(read, clean(&text).into_owned());
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC*") {
            let _ = clean_json(&text);
        }
    }
}

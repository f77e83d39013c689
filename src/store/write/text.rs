//! Text and JSON as the database accepts them: no NUL anywhere, no half of a surrogate pair in JSON, no character that its
//! encoding lacks, no name that is too long for an index.

use std::borrow::Cow;

use memchr::memchr;

/// The longest name, id, address or path that is stored, bytes: whatever an index may hold.
///
/// A row of a B-tree index has at most 2,704 bytes, all its columns together. Four such texts fit, with their headers, an
/// id and two times beside them.
pub const NAME_BYTES: usize = 640;

/// The characters that a database can hold, by its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    last: char,
    /// What stands for a character that cannot be stored.
    replacement: char,
    /// Whether JSON may hold escapes such as `\u20ac` of characters beyond ASCII.
    numbers: bool,
}

impl Default for Charset {
    fn default() -> Self {
        Self { last: char::MAX, replacement: '\u{fffd}', numbers: true }
    }
}

impl Charset {
    /// What every encoding of a server has.
    pub const ASCII: Self = Self { last: '\u{7f}', replacement: '?', numbers: false };

    /// Returns that of a database with this `server_encoding`. Of most encodings only the server knows the characters: it
    /// refuses a row with others.
    #[must_use]
    pub fn of(server_encoding: &str) -> Self {
        match server_encoding {
            "UTF8" => Self::default(),
            // It holds any bytes.
            "SQL_ASCII" => Self { numbers: false, ..Self::default() },
            "LATIN1" => Self { last: '\u{ff}', ..Self::ASCII },
            _ => Self { last: char::MAX, ..Self::ASCII },
        }
    }

    fn has_all(self, text: &str) -> bool {
        self.last == char::MAX || text.is_ascii() || text.chars().all(|c| c <= self.last)
    }

    fn fit(self, c: char) -> char {
        if c == '\0' || c > self.last { self.replacement } else { c }
    }

    /// The text without NUL, which no text column can hold, and without characters that the database lacks.
    #[must_use]
    pub fn text(self, text: &str) -> Cow<'_, str> {
        if memchr(0, text.as_bytes()).is_none() && self.has_all(text) {
            return text.into();
        }
        text.chars().map(|c| self.fit(c)).collect::<String>().into()
    }

    /// Like [`Charset::text`], at most [`NAME_BYTES`] long. What is cut ends with its length and a hash of the whole, so that
    /// equal names stay equal and others differ.
    #[must_use]
    pub fn name(self, name: &str) -> Cow<'_, str> {
        if name.len() <= NAME_BYTES {
            return self.text(name);
        }
        let dots = if self.replacement.is_ascii() { "..." } else { "…" };
        let mark = format!("{dots}[{} bytes, {:016x}]", name.len(), hash(name));
        let kept = name.get(..name.floor_char_boundary(NAME_BYTES - mark.len())).unwrap_or_default();
        (self.text(kept).into_owned() + &mark).into()
    }

    /// The JSON text without what `jsonb` refuses: the escapes `\u0000` and lone surrogates, and characters that the
    /// database lacks. Valid JSON stays valid. The flag says whether something was replaced.
    #[must_use]
    pub fn json(self, json: &str) -> (Cow<'_, str>, bool) {
        // Most have no escape at all.
        let escapes = memchr(b'\\', json.as_bytes()).is_some_and(|at| json[at..].contains("\\u"));
        if !escapes && self.has_all(json) {
            return (json.into(), false);
        }
        let (mut clean, mut rest, mut replaced) = (String::with_capacity(json.len()), json, false);
        while let Some(at) = rest.find('\\') {
            let (before, escape) = rest.split_at(at);
            self.add(&mut clean, before, &mut replaced);
            let (character, length) = match code_unit(escape) {
                Some(high @ 0xD800..=0xDBFF) => match escape.get(6..).and_then(code_unit) {
                    Some(low @ 0xDC00..=0xDFFF) => (char::decode_utf16([high, low]).next().and_then(Result::ok), 12),
                    _ => (None, 6),
                },
                Some(unit) => (char::from_u32(unit.into()).filter(|c| *c != '\0'), 6),
                // A backslash and one character.
                None => {
                    let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                    clean.push_str(escape.get(..length).unwrap_or_default());
                    rest = escape.get(length..).unwrap_or_default();
                    continue;
                }
            };
            match character {
                // What is printed as it is means the same, but controls and quotes do not.
                Some(c) if c.is_ascii() || self.numbers => clean.push_str(escape.get(..length).unwrap_or_default()),
                Some(c) if c <= self.last => clean.push(c),
                _ => {
                    clean.push(self.replacement);
                    replaced = true;
                }
            }
            rest = escape.get(length..).unwrap_or_default();
        }
        self.add(&mut clean, rest, &mut replaced);
        (clean.into(), replaced)
    }

    fn add(self, clean: &mut String, text: &str, replaced: &mut bool) {
        if self.has_all(text) {
            clean.push_str(text);
        } else {
            clean.extend(text.chars().map(|c| self.fit(c)));
            *replaced = true;
        }
    }
}

/// FNV-1a, 64 bits: the same in every version and process, since parts of a chain meet by it.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The value of the `\uXXXX` at the start of a text.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unicode(json: &str) -> Cow<'_, str> {
        Charset::default().json(json).0
    }

    #[test]
    fn what_postgresql_refuses_is_replaced() {
        assert_eq!(Charset::default().text("a\0b"), "a\u{fffd}b");
        assert_eq!(unicode(r#"{"a\u0000":"\u0000"}"#), "{\"a\u{fffd}\":\"\u{fffd}\"}");
        assert_eq!(
            unicode(r#"["\ud83d","\ud83d\ude00","\ude00x","\ud83d\ud83d"]"#),
            "[\"\u{fffd}\",\"\\ud83d\\ude00\",\"\u{fffd}x\",\"\u{fffd}\u{fffd}\"]"
        );
        assert!(matches!(unicode(r#"{"a":"b\n"}"#), Cow::Borrowed(_)));
        assert!(Charset::default().json(r#"["\u0000"]"#).1);
        assert!(!Charset::default().json(r#"["\u001b"]"#).1);
    }

    #[test]
    fn what_an_encoding_lacks_is_replaced() {
        let latin = Charset::of("LATIN1");
        assert_eq!(latin.text("é\0ÿĀ😀"), "é?ÿ??");
        assert_eq!(
            latin.json(r#"{"é":"\u00e9\u0100\ud83d\ude00\ud83d\u001b\u0022ł"}"#).0,
            r#"{"é":"é???\u001b\u0022?"}"#
        );
        assert_eq!(latin.json(r#"["\u00e9"]"#), (r#"["é"]"#.into(), false));
        assert_eq!(latin.json(r#"["ł"]"#), (r#"["?"]"#.into(), true));
        assert_eq!(Charset::ASCII.text("aé"), "a?");
        // Where only the server knows which characters there are.
        assert_eq!(Charset::of("WIN1252").text("€\0"), "€?");
        assert_eq!(Charset::of("SQL_ASCII").json(r#"["\u20ac\u0000"]"#), ("[\"€\u{fffd}\"]".into(), true));
        assert_eq!(Charset::of("UTF8").text("é😀"), "é😀");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let unicode = Charset::default();
        let longest = "é".repeat(NAME_BYTES / 2);
        assert_eq!(unicode.name(&longest), longest);
        assert!(Charset::ASCII.name(&"é".repeat(NAME_BYTES)).starts_with("?????"));
        for text in ["é".repeat(NAME_BYTES), "x".repeat(NAME_BYTES + 1)] {
            for charset in [unicode, Charset::of("LATIN1"), Charset::ASCII] {
                let name = charset.name(&text);
                assert!(name.len() <= NAME_BYTES && name.len() > NAME_BYTES / 2 - 3, "{name}");
                assert!(name.contains(&format!("[{} bytes, ", text.len())), "{name}");
                assert_eq!(charset.name(&text), name);
                assert_ne!(charset.name(&(text.clone() + "y")), name);
            }
        }
        let one = unicode.name(&("x".repeat(1000) + "1")).into_owned();
        assert_ne!(unicode.name(&("x".repeat(1000) + "2")), one);
        assert!(one.ends_with(&format!("…[1001 bytes, {:016x}]", hash(&("x".repeat(1000) + "1")))), "{one}");
        assert_eq!(hash("foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn an_escaped_backslash_is_not_the_start_of_an_escape() {
        let json = r#"["\\u0000","\u00e9\\","\"\\\\u0000"]"#;
        assert_eq!(unicode(json), json);
    }

    proptest::proptest! {
        #[test]
        fn any_string_survives_as_itself_but_for_nul(text in "[\\\\u0d8\\x00\"é😀-]*") {
            let json = serde_json::to_string(&text).unwrap();
            let read: String = serde_json::from_str(&unicode(&json)).unwrap();
            proptest::prop_assert_eq!(read, Charset::default().text(&text).into_owned());
        }

        #[test]
        fn json_stays_json_in_every_encoding(text in "[\\\\u0d8\\x00-\\x1f\"éł😀-]*") {
            let json = serde_json::to_string(&text).unwrap();
            for charset in [Charset::of("LATIN1"), Charset::ASCII, Charset::of("KOI8R"), Charset::of("SQL_ASCII")] {
                let read: String = serde_json::from_str(&charset.json(&json).0).unwrap();
                proptest::prop_assert_eq!(read, charset.text(&text).into_owned());
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC*") {
            for charset in [Charset::default(), Charset::ASCII] {
                let _ = (charset.json(&text), charset.name(&text.repeat(9)));
            }
        }
    }
}

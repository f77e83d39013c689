//! What leaves the program against oracles that are not ours: shells, parsers, the character classes of another package.

use std::borrow::Cow;
use std::process::Command;

use proptest::prelude::*;
use regex_syntax::hir::{Class, HirKind};
use serde_json::{Value, json};

use super::*;

/// Texts that were seen to do harm, and their kin.
const HOSTILE: &[&str] = &[
    "e\u{1b}[2J\u{1b}]0;title\u{7}",
    "x\u{3}\nrm -rf ~\n",
    "\u{9b}31m\u{9d}52;c;aGk=\u{9c}",
    "\u{1b}[201~; id\n",
    "\u{1b}]52;c;aGk=\u{1b}\\",
    "abc\u{202e}fed\u{2066}\u{2069}\u{200f}",
    "a\u{200b}d\u{200d}m\u{2060}in\u{feff}",
    "\u{7f}\u{8}\u{8}\t\r",
    "ad\u{115f}\u{1160}\u{3164}\u{ffa0}\u{34f}\u{17b4}\u{180b}min",
    "\u{e0061}\u{e0100}\u{1d173}\u{2065}\u{fff9}\u{2028}\u{2029}\u{ffff}\u{10ffff}",
    "it's `id` $(id) !! \\ \"x\" 'y'\u{3}abc",
    "-rf",
    "--filter=x",
    "",
    " ~ # * = ? ;&|<>",
];

/// The characters that may not leave, by the tables of another package.
fn is_hidden(c: char) -> bool {
    thread_local! {
        static HIDDEN: Vec<(char, char)> = {
            let pattern = r"[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}]";
            let hir = regex_syntax::parse(pattern).unwrap();
            let HirKind::Class(Class::Unicode(class)) = hir.kind() else { panic!("{pattern}") };
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        };
    }
    HIDDEN.with(|hidden| hidden.iter().any(|(first, last)| (*first..=*last).contains(&c)))
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(HOSTILE).prop_map(str::to_owned),
        ".{0,6}",
        any::<String>(),
        "[\\p{Default_Ignorable_Code_Point}\\p{Cc}a-f0-9]{0,6}",
        "e\\p{Mn}{0,12}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[test]
fn nothing_hidden_survives() {
    assert_eq!(clean("plain ✓ ünïcode 日本"), "plain ✓ ünïcode 日本");
    assert_eq!(clean("a\u{1b}[2Jb\u{7}\u{9b}31m"), "a·[2Jb··31m");
    assert_eq!(clean("one\ntwo\tthree\0"), "one two three·");
    assert_eq!(clean("abc\u{202e}fed\u{200b}"), "abc·fed·");
    assert_eq!(clean("ad\u{34f}min\u{3164}\u{e0100}\u{17b4}"), "ad·min···");
    assert_eq!(clean("👩\u{200d}💻 ❤\u{fe0f} 🇩🇪 \u{e000}"), "👩·💻 ❤· 🇩🇪 \u{e000}", "an emoji stays readable");
    assert_eq!(clean_lines("a\u{1b}\nb").collect::<Vec<_>>(), ["a·", "b"]);
    assert_eq!(clean_text("a\u{1b}\n\tb\n"), "a·\n b\n");
    assert_eq!(clean_counted("a\u{3}\nb\u{202e}"), (Cow::Owned("a· b·".to_owned()), 3));
    assert_eq!(clean_counted("a b"), (Cow::Borrowed("a b"), 0));
}

#[test]
fn a_flood_of_marks_is_cut_where_it_is_seen() {
    for usual in ["e\u{301}", "ệ", "e\u{323}\u{302}", "שּׁ\u{5b8}\u{591}", "กำ", "नी\u{901}", "\u{1112}\u{1161}\u{11ab}"]
    {
        assert_eq!(clean(usual), usual);
    }
    let flood = format!("a{}b", "\u{301}".repeat(300));
    assert_eq!(clean_counted(&flood), (Cow::Owned(format!("a{}·b", "\u{301}".repeat(4))), 296));
    let escaped = escape_json(&format!("\"{flood}\"")).into_owned();
    assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), flood, "JSON holds all of it");
    assert!(escaped.contains("\\u0301b") && escaped.matches('\u{301}').count() == 4, "{escaped}");
}

#[test]
fn escaped_json_is_the_same_json() {
    let value = json!({"k\u{9b}": "a\u{1b}[2J\u{202e}\u{7f}\u{e0001} ünï 日本\n", "l": HOSTILE});
    for text in [format!("{value:#}"), value.to_string()] {
        let escaped = escape_json(&text);
        assert!(!escaped.contains(|c| is_hidden(c) && c != '\n'), "{escaped}");
        assert!(escaped.contains("\\u009b") && escaped.contains("\\udb40\\udc01") && escaped.contains("日本"));
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
        let ascii = ascii_json(&escaped).into_owned();
        assert!(ascii.is_ascii() && ascii.contains("\\u65e5"), "{ascii}");
        assert_eq!(serde_json::from_str::<Value>(&ascii).unwrap(), value);
    }
    assert_eq!(ascii("ünï ✓ a"), "?n? ? a");
}

#[test]
fn words_of_a_shell_are_quoted() {
    for (word, quoted) in [
        ("moves.550e8400", "moves.550e8400"),
        ("driver@company.com", "driver@company.com"),
        ("", "''"),
        ("a b", "'a b'"),
        ("$(rm -rf ~)", "'$(rm -rf ~)'"),
        ("it's", r"'it'\''s'"),
        // In fish, the plain quotes would end behind the second word.
        (r"a\'; touch x #", r"$'a\x5c\x27; touch x #'"),
        (r"\d+", r"$'\x5c'$'d+'"),
        ("-x", "-x"),
        ("x\u{3}\n", r"$'x\x03\x0a'"),
        ("a\u{3}b\u{202e}z!'\\", r"$'a\x03'$'b\xe2\x80\xaez\x21\x27\x5c'"),
    ] {
        assert_eq!(shell_word(word), quoted);
    }
    for (argument, quoted) in [
        ("--filter=-st:failed", "--filter=-st:failed"),
        ("--filter=-a b=c", "--filter='-a b=c'"),
        ("--$(id)=a b", "'--$(id)=a b'"),
        ("a=b c", "'a=b c'"),
    ] {
        assert_eq!(shell_argument(argument), quoted);
    }
}

/// What bash makes of words, in a locale that knows no more than ASCII and in one that does.
fn read_by_bash(words: &[String], locale: &str) -> Vec<Vec<u8>> {
    let script = format!("printf '%s\\0' {}", words.join(" "));
    let told = Command::new("bash").args(["-c", &script]).env("LC_ALL", locale).output().unwrap();
    assert!(told.status.success() && told.stderr.is_empty(), "{script}: {told:?}");
    told.stdout.strip_suffix(b"\0").unwrap().split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}

#[test]
fn bash_reads_hostile_words_back() {
    let words: Vec<String> = HOSTILE.iter().map(|word| shell_word(word).into_owned()).collect();
    for locale in ["C", "C.UTF-8"] {
        let read = read_by_bash(&words, locale);
        assert_eq!(read, HOSTILE.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn clean_text_is_seen_and_stays_clean(text in any_text()) {
        let cleaned = clean(&text);
        prop_assert!(!cleaned.contains(is_hidden), "{:?}", cleaned);
        prop_assert_eq!(clean(&cleaned), cleaned.as_ref());
        prop_assert!(clean_text(&text).split('\n').all(|line| !line.contains(is_hidden)));
    }

    #[test]
    fn any_json_is_the_same_after_it_was_escaped(text in any_text(), pretty: bool) {
        let value = json!({ &text: [&text, { "k": &text }] });
        let json = if pretty { format!("{value:#}") } else { value.to_string() };
        let escaped = escape_json(&json);
        prop_assert!(!escaped.contains(|c| is_hidden(c) && (c != '\n' || !pretty)));
        prop_assert_eq!(&serde_json::from_str::<Value>(&escaped).unwrap(), &value);
        let ascii = ascii_json(&escaped);
        prop_assert!(ascii.is_ascii());
        prop_assert_eq!(&serde_json::from_str::<Value>(&ascii).unwrap(), &value);
    }

    #[test]
    fn bash_reads_any_words_back(words in prop::collection::vec(any_text(), 1..8)) {
        let quoted: Vec<String> = words.iter().map(|word| shell_word(word).into_owned()).collect();
        prop_assert!(!quoted.concat().contains(is_hidden));
        let wanted: Vec<Vec<u8>> = words.iter().map(|word| word.replace('\0', "\u{fffd}").into_bytes()).collect();
        prop_assert_eq!(read_by_bash(&quoted, "C.UTF-8"), wanted);
    }

    #[test]
    fn toml_reads_any_text_back(text in any_text()) {
        let quoted = quote_toml(&text);
        prop_assert!(!quoted.contains(is_hidden), "{:?}", quoted);
        let read: std::collections::BTreeMap<String, String> = toml::from_str(&format!("k = {quoted}")).unwrap();
        prop_assert_eq!(&read["k"], &text);
    }
}

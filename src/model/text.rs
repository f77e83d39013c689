//! Text that came from data, made safe for a terminal; durations, ages and counts in words.

use std::borrow::Cow;

use chrono::TimeDelta;

/// Characters of a name or an id that are read; longer ones are cut, which is marked.
pub const LONGEST_NAME: usize = 1_000;
/// Stands at the end of what was cut.
const CUT: char = '…';

/// At most so many characters, and a mark where there were more.
#[must_use]
pub fn cut(mut text: String, most: usize) -> String {
    // Most texts have fewer bytes even.
    if text.len() > most
        && let Some((end, _)) = text.char_indices().nth(most)
    {
        text.truncate(end);
        text.push(CUT);
    }
    text
}

/// Whether this is what [`cut`] left of a longer name.
#[must_use]
pub fn is_cut_name(text: &str) -> bool {
    text.len() > LONGEST_NAME && text.ends_with(CUT) && text.chars().count() == LONGEST_NAME + 1
}

/// Replaces what could move a cursor, change a mode, reorder or hide text: control characters become `·` (line breaks
/// and tabs a space), bidirectional controls and zero-width characters vanish into `·` too.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\n' | '\r' | '\t' => ' ',
                c if is_harmless(c) => c,
                _ => '·',
            })
            .collect(),
    )
}

/// As [`clean`], but keeps the line structure: one safe text a line.
pub fn clean_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(clean)
}

fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// JSON with what [`clean`] would replace written as `\u…` instead: the same JSON, safe for a terminal. Line breaks stay.
#[must_use]
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmless(c) || c == '\n' {
            escaped.push(c);
        } else {
            escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

/// A word of a shell's command line, in quotes where it needs them.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// A text as TOML writes it, in quotes.
#[must_use]
pub fn quote_toml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A duration in at most six characters: `0ms`, `812ms`, `1.80s`, `10.02s`, `3m18s`, `2h05m`, `4d03h`.
#[must_use]
pub fn duration(milliseconds: i64) -> String {
    let ms = milliseconds.max(0);
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{seconds}.{:02}s", ms % 1000 / 10),
        60_000..3_600_000 => format!("{minutes}m{:02}s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// As [`duration`], without zeros behind: `2s`, `1.5s`, `5m`, `2h`.
#[must_use]
pub fn round_duration(milliseconds: i64) -> String {
    let text = duration(milliseconds);
    for (whole, unit) in [("m00s", "m"), ("h00m", "h"), ("d00h", "d")] {
        if let Some(number) = text.strip_suffix(whole) {
            return format!("{number}{unit}");
        }
    }
    match text.strip_suffix('s').filter(|number| number.contains('.')) {
        Some(number) => format!("{}s", number.trim_end_matches('0').trim_end_matches('.')),
        None => text,
    }
}

/// An age in its largest unit: `5s`, `16m`, `3h`, `12d`.
#[must_use]
pub fn age(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago something was, so that it seldom changes: `just now`, `30s ago`, `3m ago`; `in 2m` for what is ahead.
#[must_use]
pub fn ago(delta: TimeDelta) -> String {
    match delta.num_seconds() {
        -29..30 => "just now".to_owned(),
        30..60 => "30s ago".to_owned(),
        60.. => format!("{} ago", age(delta)),
        _ => format!("in {}", age(-delta)),
    }
}

/// A size with a unit: `640 B`, `2.1 kB`, `5.0 MB`.
#[must_use]
pub fn bytes(count: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let n = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", n / 1e3),
        _ => format!("{:.1} MB", n / 1e6),
    }
}

/// Stands before a count where there may be more.
#[must_use]
pub fn at_least(more: bool) -> &'static str {
    if more { "at least " } else { "" }
}

/// `1 job`, `2 jobs`.
#[must_use]
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_survives() {
        assert_eq!(clean("plain ✓ ünïcode 日本"), "plain ✓ ünïcode 日本");
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\u{9b}31m"), "a·[2Jb··31m");
        assert_eq!(clean("one\ntwo\tthree\0"), "one two three·");
        assert_eq!(clean("abc\u{202e}fed\u{200b}"), "abc·fed·");
        assert_eq!(clean_lines("a\u{1b}\nb").collect::<Vec<_>>(), ["a·", "b"]);
    }

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        assert_eq!(cut("日本語".to_owned(), 3), "日本語");
        assert_eq!(cut("日本語x".to_owned(), 3), "日本語…");
        let long = cut("é".repeat(LONGEST_NAME + 1), LONGEST_NAME);
        assert!(is_cut_name(&long) && !is_cut_name(&"é".repeat(LONGEST_NAME)));
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({"k\u{9b}": "a\u{1b}[2J\u{202e}\u{7f}\u{e0001} ünï 日本\n"});
        let escaped = escape_json(&format!("{value:#}"));
        assert!(escaped.chars().all(|c| is_harmless(c) || c == '\n'), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
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
            ("-x", "-x"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }

    #[test]
    fn durations_are_short() {
        let shown: Vec<_> = [0, 812, 1_800, 10_020, 59_999, 198_000, 7_500_000, 356_400_000].map(duration).into();
        assert_eq!(shown, ["0ms", "812ms", "1.80s", "10.02s", "59.99s", "3m18s", "2h05m", "4d03h"]);
        let round: Vec<_> = [500, 2_000, 1_500, 300_000, 7_200_000, 86_400_000].map(round_duration).into();
        assert_eq!(round, ["500ms", "2s", "1.5s", "5m", "2h", "1d"]);
        assert_eq!(age(TimeDelta::minutes(190)), "3h");
        let agos = [(-200, "in 3m"), (-29, "just now"), (29, "just now"), (30, "30s ago"), (59, "30s ago")];
        for (seconds, text) in agos.into_iter().chain([(60, "1m ago"), (7_300, "2h ago"), (200_000, "2d ago")]) {
            assert_eq!(ago(TimeDelta::seconds(seconds)), text);
        }
        assert_eq!([640, 2_100, 5_000_000].map(bytes), ["640 B", "2.1 kB", "5.0 MB"]);
    }

    proptest::proptest! {
        #[test]
        fn clean_text_has_no_control_character(text: String) {
            proptest::prop_assert!(clean(&text).chars().all(is_harmless));
        }
    }
}

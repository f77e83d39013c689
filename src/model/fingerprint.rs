//! Errors that differ only in what they are about: the fingerprint of an error text leaves out numbers, ids, times and
//! quoted texts, so that the same failure has the same fingerprint each time.

use super::text::clean;

/// Characters of an error that are looked at.
const MOST_READ: usize = 2_000;
/// Characters of a fingerprint.
const LONGEST: usize = 200;
/// The fingerprint of an error without any text.
pub const NO_TEXT: &str = "no error text";

/// The fingerprint of an error text: its first line, with `<n>`, `<id>`, `<hex>`, `<time>` and `<text>` for what changes
/// from time to time. The fingerprint of a fingerprint is itself.
#[must_use]
pub fn fingerprint(error: &str) -> String {
    let mut found = pass(error);
    // What was cut off may have held a quotation mark open. A pass that changes anything leaves fewer of them.
    loop {
        let next = pass(&found);
        if next == found {
            return found;
        }
        found = next;
    }
}

fn pass(error: &str) -> String {
    let first = error.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let end = first.char_indices().nth(MOST_READ).map_or(first.len(), |(end, _)| end);
    let text = clean(&first[..end]);
    let mut found = String::new();
    let (mut at, mut before) = (0, None);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if is_quote(c) && (c != '\'' || !before.is_some_and(is_wordlike)) {
            closing(rest, c).inspect(|_| found.push_str("<text>"))
        } else if c.is_ascii_alphanumeric() {
            let length = rest.find(|c: char| !is_joined(c)).unwrap_or(rest.len());
            let length = rest[..length].trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
            word(&rest[..length], &mut found);
            Some(length)
        } else {
            None
        };
        if length.is_none() && !(c == ' ' && found.ends_with(' ')) {
            found.push(c);
        }
        let length = length.unwrap_or(c.len_utf8());
        before = rest[..length].chars().next_back();
        at += length;
    }
    let end = found.char_indices().nth(LONGEST).map_or(found.len(), |(end, _)| end);
    found.truncate(end);
    found.truncate(found.trim_end().len());
    if found.is_empty() { NO_TEXT.to_owned() } else { found }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// What an apostrophe belongs to: a word, or what stands for one.
fn is_wordlike(c: char) -> bool {
    c.is_alphanumeric() || c == '<' || c == '>'
}

/// The length of a quoted text with its quotation marks; none when it is not closed.
fn closing(text: &str, quote: char) -> Option<usize> {
    let ends = text.char_indices().skip(1).filter(|&(_, c)| c == quote).map(|(at, _)| at + 1);
    // The apostrophe in `can't` closes nothing.
    ends.into_iter().find(|&end| quote != '\'' || !text[end..].chars().next().is_some_and(is_wordlike))
}

/// What ids and times are made of.
fn is_joined(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_:.+".contains(c)
}

/// Letters and digits with what joins them.
fn word(word: &str, found: &mut String) {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return found.push_str(word);
    }
    if let Some(whole) = whole(word) {
        return found.push_str(whole);
    }
    for part in word.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        match whole(bare) {
            Some(whole) => found.push_str(whole),
            None => digits(bare, found),
        }
        found.push_str(&part[bare.len()..]);
    }
}

/// What stands for a word as a whole.
fn whole(word: &str) -> Option<&'static str> {
    let bytes = word.as_bytes();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pattern = |pattern: &[u8]| {
        bytes.len() >= pattern.len()
            && pattern.iter().zip(bytes).all(|(&p, b)| if p == b'0' { b.is_ascii_digit() } else { p == *b })
    };
    if !has_digit {
        None
    } else if bytes.len() >= 32 && uuid::Uuid::try_parse(word).is_ok() {
        Some("<id>")
    } else if pattern(b"0000-00-00") || pattern(b"00:00:00") {
        Some("<time>")
    } else if word.strip_prefix("0x").is_some_and(is_hex)
        || bytes.len() >= 8 && is_hex(word) && bytes.iter().any(u8::is_ascii_alphabetic)
    {
        Some("<hex>")
    } else {
        None
    }
}

/// A word with `<n>` for each number in it.
fn digits(word: &str, found: &mut String) {
    let mut in_number = false;
    for c in word.chars() {
        if !c.is_ascii_digit() {
            found.push(c);
        } else if !in_number {
            found.push_str("<n>");
        }
        in_number = c.is_ascii_digit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_time_to_time_is_left_out() {
        for (error, expected) in [
            ("TwilioError: 21610 Attempt to send\n    at x.js:23", "TwilioError: <n> Attempt to send"),
            ("timeout after 30000ms (attempt 3/5)", "timeout after <n>ms (attempt <n>/<n>)"),
            ("job 550e8400-e29b-41d4-a716-446655440000 not found", "job <id> not found"),
            ("trace 2da00667a56b207240c703f72ec5360a lost", "trace <id> lost"),
            ("bad address 0x7ffe12 in deadbeef01", "bad address <hex> in <hex>"),
            ("Key (id)=(42) already exists", "Key (id)=(<n>) already exists"),
            ("column \"status\" of 'moves' and `x` is wrong", "column <text> of <text> and <text> is wrong"),
            ("can't reach host, it doesn't answer", "can't reach host, it doesn't answer"),
            ("at 2026-11-20T12:04:28.902Z and 12:04:28", "at <time> and <time>"),
            ("connect ECONNREFUSED 10.0.3.17:5432", "connect ECONNREFUSED <n>.<n>.<n>.<n>:<n>"),
            ("  \n\n  late  line ", "late line"),
            ("-12.5 of v2", "-<n>.<n> of v<n>"),
            ("quote \" alone", "quote \" alone"),
            ("", NO_TEXT),
            ("\u{1b}[31mred 7", "·[<n>mred <n>"),
        ] {
            assert_eq!(fingerprint(error), expected);
        }
        assert_eq!(fingerprint(&"x".repeat(10_000)).len(), LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn a_fingerprint_has_itself(error in "[a-f0-9 '\"`<>.:x-]{0,60}", any: String) {
            for text in [&error, &any] {
                let once = fingerprint(text);
                proptest::prop_assert_eq!(fingerprint(&once), once);
            }
        }

        #[test]
        fn numbers_and_ids_make_no_difference(n: u64, m: u64, a: u128, b: u128) {
            let text = |n: u64, id: u128| {
                format!("order {n} of {} failed after {n}ms: \"{n}\" is late", uuid::Uuid::from_u128(id | 1 << 60))
            };
            proptest::prop_assert_eq!(fingerprint(&text(n, a)), fingerprint(&text(m, b)));
        }
    }
}

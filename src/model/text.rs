//! Text that came from data, made safe for a terminal; durations, ages and counts in words.

mod chars;
mod written;

use std::borrow::Cow;

use chrono::TimeDelta;

use chars::{Shown, is_shown_as_is, shown};
pub use written::{ascii, ascii_json, ascii_toml, escape_json, quote_toml, shell_argument, shell_word};

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
/// and tabs a space), and so do bidirectional controls and every character that is drawn as nothing: joiners and variation
/// selectors of emoji, too, so that no two names look alike that are not. Of the marks that are drawn over one character
/// four stay.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    clean_counted(text).0
}

/// As [`clean`], and how many characters were replaced.
#[must_use]
pub fn clean_counted(text: &str) -> (Cow<'_, str>, usize) {
    replaced(text, false)
}

/// As [`clean`], but line breaks stay.
#[must_use]
pub fn clean_text(text: &str) -> Cow<'_, str> {
    replaced(text, true).0
}

/// As [`clean`], but keeps the line structure: one safe text a line.
pub fn clean_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(clean)
}

fn replaced(text: &str, keeps_lines: bool) -> (Cow<'_, str>, usize) {
    if is_shown_as_is(text) {
        return (Cow::Borrowed(text), 0);
    }
    let (mut clean, mut count) = (String::with_capacity(text.len()), 0);
    for (c, shown) in shown(text) {
        match (shown, c) {
            (Shown::AsIs, c) => clean.push(c),
            (_, '\n') if keeps_lines => clean.push('\n'),
            (Shown::Another, _) => count += 1,
            (_, c) => {
                clean.push(if matches!(c, '\n' | '\r' | '\t') { ' ' } else { '·' });
                count += 1;
            }
        }
    }
    (Cow::Owned(clean), count)
}

/// A duration in at most six characters: `0ms`, `812ms`, `1.80s`, `10.02s`, `3m18s`, `2h05m`, `4d03h`.
#[must_use]
pub fn duration(milliseconds: i64) -> String {
    let ms = milliseconds;
    if ms < 0 {
        // A writer recorded it so.
        return format!("-{}", duration(ms.saturating_neg()));
    }
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

/// A share in percent, rounded half up to one digit: `0.0%`, `33.3%`. Of nothing, nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    let tenths = share(part, whole, 1_000);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A share in percent, rounded half up: `33%`.
#[must_use]
pub fn whole_percent(part: u64, whole: u64) -> String {
    format!("{}%", share(part, whole, 100))
}

fn share(part: u64, whole: u64, of: u128) -> u128 {
    let whole = u128::from(whole.max(1));
    (u128::from(part) * of * 2 + whole) / (whole * 2)
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
mod safety_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        assert_eq!(cut("日本語".to_owned(), 3), "日本語");
        assert_eq!(cut("日本語x".to_owned(), 3), "日本語…");
        let long = cut("é".repeat(LONGEST_NAME + 1), LONGEST_NAME);
        assert!(is_cut_name(&long) && !is_cut_name(&"é".repeat(LONGEST_NAME)));
    }

    #[test]
    fn percentages_are_rounded_half_up() {
        let shown = [(1, 3), (2, 3), (1, 2_000), (1, 2_001), (0, 0), (u64::MAX, u64::MAX)];
        assert_eq!(
            shown.map(|(part, whole)| percent(part, whole)),
            ["33.3%", "66.7%", "0.1%", "0.0%", "0.0%", "100.0%"]
        );
        assert_eq!([(2, 3), (1, 200), (99, 200)].map(|(part, whole)| whole_percent(part, whole)), ["67%", "1%", "50%"]);
    }

    #[test]
    fn durations_are_short() {
        assert_eq!([duration(-5), duration(-61_000), duration(i64::MIN)], ["-5ms", "-1m01s", "-106751991167d07h"]);
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
}

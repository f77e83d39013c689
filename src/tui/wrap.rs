//! Long text → rows of at most a width in columns, with regard to wide characters. Pure.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// Breaks a line into at most `most` rows of at most `width` columns, between words where that wastes little. Also tells
/// whether something is left over. Reads no more of the text than it shows.
#[must_use]
pub fn wrap(text: &str, width: usize, most: usize) -> (Vec<&str>, bool) {
    let (ranges, more) = ranges(text, width, most);
    (ranges.into_iter().map(|range| &text[range]).collect(), more)
}

/// As [`wrap`]: where the rows stand in the text.
#[must_use]
pub fn ranges(text: &str, width: usize, most: usize) -> (Vec<Range<usize>>, bool) {
    let mut rows = Vec::new();
    let mut from = 0;
    while rows.len() < most && width > 0 {
        let rest = &text[from..];
        let end = row_end(rest, width);
        rows.push(from..from + rest[..end].trim_end().len());
        from = text.len() - rest[end..].trim_start().len();
        if from == text.len() {
            return (rows, false);
        }
    }
    (rows, true)
}

/// Where the first row of a text ends.
fn row_end(text: &str, width: usize) -> usize {
    let (mut used, mut space) = (0, None);
    for (at, c) in text.char_indices() {
        // The emoji form of the character before it is one column wider.
        used += if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) };
        if used > width {
            let space = if c == ' ' { Some(at) } else { space };
            let whole_words = space.filter(|&space: &usize| space > 0 && space * 3 >= at);
            // A character wider than the row still has to go somewhere.
            return whole_words.unwrap_or(if at == 0 { c.len_utf8() } else { at });
        }
        if c == ' ' && at > 0 {
            space = Some(at);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn rows_end_between_words() {
        assert_eq!(wrap("one two three", 8, 9), (vec!["one two", "three"], false));
        assert_eq!(wrap("one two three", 7, 9), (vec!["one two", "three"], false));
        assert_eq!(wrap("a unbreakablelongword", 8, 9), (vec!["a unbrea", "kablelon", "gword"], false));
        assert_eq!(wrap("one two three", 8, 1), (vec!["one two"], true));
        assert_eq!(wrap("", 8, 2), (vec![""], false));
        assert_eq!(wrap("日本語", 4, 9), (vec!["日本", "語"], false));
        assert_eq!(wrap("日", 1, 9), (vec!["日"], false));
        assert_eq!(wrap("☺\u{fe0f}☺\u{fe0f}", 3, 9).0.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_sticks_out(text: String, width in 2_usize..40) {
            let (rows, more) = wrap(&text, width, usize::MAX);
            let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert!(!more);
            proptest::prop_assert_eq!(kept(&rows.concat()), kept(&text));
            proptest::prop_assert!(rows.iter().all(|row| row.width() <= width || row.chars().count() == 1));
        }
    }
}

//! What differs between two texts, word by word.

use std::ops::Range;

/// Words that are compared one by one at the most, after what both texts begin and end with: the work grows with the
/// square.
const MOST_WORDS: usize = 200;

/// Where the old and the new text differ, as ranges of their bytes; none where they have no word in common, since then
/// all of it differs.
#[must_use]
pub fn changes(old: &str, new: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let (before, after) = (words(old), words(new));
    let same = |a: &Range<usize>, b: &Range<usize>| old[a.clone()] == new[b.clone()];
    let first = before.iter().zip(&after).take_while(|(a, b)| same(a, b)).count();
    let (a, b) = (&before[first..], &after[first..]);
    let last = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let (a, b) = (&a[..a.len() - last], &b[..b.len() - last]);
    let kept =
        if a.len().max(b.len()) <= MOST_WORDS { common(a.len(), b.len(), |i, j| same(&a[i], &b[j])) } else { vec![] };
    let ends = before[..first].iter().chain(&before[before.len() - last..]);
    let has_word = |range: &Range<usize>| old[range.clone()].contains(char::is_alphanumeric);
    if !ends.chain(kept.iter().map(|&(i, _)| &a[i])).any(has_word) {
        return (Vec::new(), Vec::new());
    }
    (others(a, kept.iter().map(|&(i, _)| i)), others(b, kept.iter().map(|&(_, j)| j)))
}

/// Runs of letters and digits, runs of spaces, and every other character by itself.
fn words(text: &str) -> Vec<Range<usize>> {
    #[derive(PartialEq)]
    enum Class {
        Word,
        Space,
        Other,
    }
    let mut words: Vec<(Range<usize>, Class)> = Vec::new();
    for (at, c) in text.char_indices() {
        let class = match c {
            c if c.is_alphanumeric() || c == '_' => Class::Word,
            c if c.is_whitespace() => Class::Space,
            _ => Class::Other,
        };
        match words.last_mut() {
            Some((range, last)) if *last == class && class != Class::Other => range.end = at + c.len_utf8(),
            _ => words.push((at..at + c.len_utf8(), class)),
        }
    }
    words.into_iter().map(|(range, _)| range).collect()
}

/// A longest common subsequence of two lists, as pairs of places.
fn common(a: usize, b: usize, same: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    // How long it is from each pair of places on.
    let width = b + 1;
    let mut lengths = vec![0_u16; (a + 1) * width];
    for i in (0..a).rev() {
        for j in (0..b).rev() {
            lengths[i * width + j] = if same(i, j) {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a && j < b {
        if same(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// The words whose places are not among the kept ones, neighbours joined.
fn others(words: &[Range<usize>], kept: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut kept = kept.peekable();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if kept.next_if_eq(&at).is_some() {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == word.start => last.end = word.end,
            _ => ranges.push(word.clone()),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both texts with what differs in brackets.
    fn marked(old: &str, new: &str) -> (String, String) {
        let mark = |text: &str, ranges: &[Range<usize>]| {
            let mut marked = text.to_owned();
            for range in ranges.iter().rev() {
                marked.insert(range.end, ']');
                marked.insert(range.start, '[');
            }
            marked
        };
        let (a, b) = changes(old, new);
        (mark(old, &a), mark(new, &b))
    }

    #[test]
    fn words_that_differ_are_found() {
        for (old, new, expected) in [
            ("pickup started", "pickup successful", ("pickup [started]", "pickup [successful]")),
            ("call the gate", "call gate", ("call [the ]gate", "call gate")),
            ("a b c", "a x b c y", ("a b c", "a [x ]b c[ y]")),
            ("v1.2.3", "v1.3.3", ("v1.[2].3", "v1.[3].3")),
            ("überall grün", "überall rot", ("überall [grün]", "überall [rot]")),
            (
                "the north gate until the lot",
                "the south gate until the yard",
                ("the [north] gate until the [lot]", "the [south] gate until the [yard]"),
            ),
            ("yes", "no", ("yes", "no")),
            ("\"yes\"", "\"no\"", ("\"yes\"", "\"no\"")),
            ("", "new", ("", "new")),
            ("same", "same", ("same", "same")),
        ] {
            assert_eq!(marked(old, new), (expected.0.to_owned(), expected.1.to_owned()));
        }
    }

    #[test]
    fn long_texts_are_compared_at_their_ends() {
        let middle = |word: &str| format!("{word} ").repeat(MOST_WORDS);
        let (old, new) = (format!("start {}end", middle("a")), format!("start {}end", middle("b")));
        let (a, b) = changes(&old, &new);
        assert_eq!((a.len(), b.len()), (1, 1));
        assert_eq!((&a[0], &b[0]), (&(6..old.len() - 4), &(6..new.len() - 4)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_marked_is_the_same(old in "[ab ,ü1]{0,40}", new in "[ab ,ü1]{0,40}") {
            let kept = |text: &str, ranges: &[Range<usize>]| {
                let mut kept = text.to_owned();
                for range in ranges.iter().rev() {
                    kept.replace_range(range.clone(), "");
                }
                kept
            };
            let (a, b) = changes(&old, &new);
            // Where nothing is marked, nothing is known to be the same.
            if !(a.is_empty() && b.is_empty()) {
                proptest::prop_assert_eq!(kept(&old, &a), kept(&new, &b));
            }
        }
    }
}

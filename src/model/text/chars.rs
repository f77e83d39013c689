//! Which characters are seen as they are: what a terminal obeys, what reorders text and what nobody sees is not.

use unicode_width::UnicodeWidthChar;

/// The property Default_Ignorable_Code_Point of Unicode 16.0: drawn as nothing, so that two names with and without them
/// look alike. The property reserves whole ranges, so that later versions of Unicode seldom change it.
const IGNORABLE: [(char, char); 17] = [
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{202A}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFF8}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Marks that one character may carry: Hebrew with vowels and accents has four, a flood has hundreds.
pub(super) const MOST_MARKS: usize = 4;

/// How a character is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As it is.
    AsIs,
    /// Not as it is: it is obeyed, or not seen.
    Never,
    /// Not as it is: it is the first mark too many on one character.
    TooMany,
    /// Not as it is, and one before it stands for it: it is another mark too many.
    Another,
}

/// Whether a character is seen, and nothing but seen. Private ones are: as a glyph of an icon font, or as a box.
pub(super) fn is_harmless(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let is_ignorable = IGNORABLE.iter().any(|&(first, last)| (first..=last).contains(&c));
    let is_separator_or_annotation = matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFF9}'..='\u{FFFB}');
    let is_noncharacter = u32::from(c) & 0xFFFE == 0xFFFE || ('\u{FDD0}'..='\u{FDEF}').contains(&c);
    !(c.is_control() || is_ignorable || is_separator_or_annotation || is_noncharacter)
}

/// Every character of a text and how it is shown.
pub(super) fn shown(text: &str) -> impl Iterator<Item = (char, Shown)> {
    let mut marks = 0_usize;
    text.chars().map(move |c| {
        if !is_harmless(c) {
            marks = 0;
            return (c, Shown::Never);
        }
        // What takes no column is drawn over the character before it.
        marks = if !c.is_ascii() && c.width() == Some(0) { marks + 1 } else { 0 };
        let shown = match marks {
            0..=MOST_MARKS => Shown::AsIs,
            marks if marks == MOST_MARKS + 1 => Shown::TooMany,
            _ => Shown::Another,
        };
        (c, shown)
    })
}

/// Whether nothing of a text has to be replaced.
pub(super) fn is_shown_as_is(text: &str) -> bool {
    // Most texts, without a look at each character.
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || shown(text).all(|(_, shown)| shown == Shown::AsIs)
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    /// The characters of a class, by the tables of the regular expressions.
    fn class(pattern: &str) -> Vec<(char, char)> {
        let hir = regex_syntax::parse(pattern).unwrap();
        let HirKind::Class(Class::Unicode(class)) = hir.kind() else { panic!("{pattern}") };
        class.ranges().iter().map(|range| (range.start(), range.end())).collect()
    }

    #[test]
    fn the_table_is_the_property_of_unicode() {
        assert_eq!(IGNORABLE.to_vec(), class(r"\p{Default_Ignorable_Code_Point}"));
        let count: u32 = IGNORABLE.iter().map(|&(first, last)| u32::from(last) - u32::from(first) + 1).sum();
        assert_eq!(count, 4_174, "as DerivedCoreProperties.txt of Unicode 16.0 counts them");
    }

    #[test]
    fn nothing_else_is_hidden_and_nothing_hidden_is_missed() {
        let hidden = class(
            r"[\p{Cc}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\x{FFF9}-\x{FFFB}]",
        );
        let is_hidden = |c| hidden.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let wrong: Vec<char> = ('\0'..=char::MAX).filter(|&c| is_harmless(c) == is_hidden(c)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn what_combines_takes_no_column() {
        // So that no flood of such marks is taken for text; those that do take a column need room like any letter.
        let marks = class(r"[\p{Mn}\p{Me}--\p{Default_Ignorable_Code_Point}]");
        let wide: Vec<char> = (marks.iter().flat_map(|&(first, last)| first..=last))
            .filter(|c| is_harmless(*c) && c.width() != Some(0))
            .collect();
        assert_eq!(wide, ['\u{2d7f}'], "a joiner that is drawn as a letter");
    }
}

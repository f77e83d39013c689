//! A line of text that is being typed, with its cursor. Every prompt has one.

use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A line of text that is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Where the next character goes, in bytes.
    at: usize,
}

/// What a key did to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The text is another one.
    Changed,
    /// The text is the same.
    Same,
    /// It is finished.
    Done,
    /// It is given up.
    Left,
    /// The key is none of the prompt's.
    Foreign,
}

impl Line {
    /// A line that holds a text already; the cursor stands behind it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { at: text.len(), text }
    }

    /// What was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was typed, before the cursor and behind it.
    #[must_use]
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.at)
    }

    /// Where the next character goes, in bytes.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Puts text at the cursor, as from the clipboard: its first line that is not empty, without control characters.
    pub fn insert(&mut self, text: &str) {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let line: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect();
        self.replace(self.at..self.at, &line);
    }

    /// Puts text in the place of a part; the cursor goes behind it.
    pub fn replace(&mut self, part: Range<usize>, text: &str) {
        self.at = part.start + text.len();
        self.text.replace_range(part, text);
    }

    /// What a key does.
    pub fn press(&mut self, key: KeyEvent) -> Edit {
        let before = self.text[..self.at].chars().next_back().map(char::len_utf8);
        let behind = self.text[self.at..].chars().next().map(char::len_utf8);
        let removed = match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Enter, _) => return Edit::Done,
            (KeyCode::Esc, _) | (KeyCode::Char('c'), true) => return Edit::Left,
            (KeyCode::Backspace, _) if self.text.is_empty() => return Edit::Left,
            (KeyCode::Backspace, _) => self.at - before.unwrap_or(0)..self.at,
            (KeyCode::Delete, _) => self.at..self.at + behind.unwrap_or(0),
            (KeyCode::Char('u'), true) => 0..self.at,
            (KeyCode::Char('w'), true) => {
                let kept = self.text[..self.at].trim_end();
                let space = kept.char_indices().rfind(|(_, c)| c.is_whitespace());
                space.map_or(0, |(at, c)| at + c.len_utf8())..self.at
            }
            (KeyCode::Char('z' | 'l'), true) => return Edit::Foreign,
            (KeyCode::Char(c), false) => {
                self.replace(self.at..self.at, c.encode_utf8(&mut [0; 4]));
                return Edit::Changed;
            }
            (code, _) => {
                self.at = match code {
                    KeyCode::Left => self.at - before.unwrap_or(0),
                    KeyCode::Right => self.at + behind.unwrap_or(0),
                    KeyCode::Home => 0,
                    KeyCode::End => self.text.len(),
                    _ => self.at,
                };
                return Edit::Same;
            }
        };
        if removed.is_empty() {
            return Edit::Same;
        }
        self.replace(removed, "");
        Edit::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{fixture, keymap};

    #[test]
    fn keys_edit_the_line() {
        let table = [
            ("abc", "abc|"),
            ("ab<Left>c", "ac|b"),
            ("ab<Home>c<End>d", "cabd|"),
            ("ab<BS>c", "ac|"),
            ("ab<Left><Left><Del>", "|b"),
            ("one twoC-w", "one |"),
            ("one two C-w", "one |"),
            ("one twoC-u", "|"),
            ("日本<Left>x", "日x|本"),
            ("a<Up><Down><Tab>C-ab", "ab|"),
            ("<Right><Left>n", "n|"),
        ];
        for (keys, expected) in table {
            let mut line = Line::default();
            for press in keymap::parse(&keys.replace(' ', "<Space>")) {
                assert_ne!(line.press(press.event()), Edit::Done);
            }
            let (before, behind) = line.halves();
            assert_eq!(format!("{before}|{behind}"), expected, "{keys}");
        }
        for (keys, edit) in
            [("<Enter>", Edit::Done), ("<Esc>", Edit::Left), ("<BS>", Edit::Left), ("C-z", Edit::Foreign)]
        {
            assert_eq!(Line::default().press(fixture::key(keys)), edit, "{keys}");
        }
    }

    #[test]
    fn a_wide_space_parts_words() {
        let mut line = Line::new("日\u{3000}本".to_owned());
        line.press(fixture::key("C-w"));
        assert_eq!(line.halves(), ("日\u{3000}", ""));
    }

    #[test]
    fn pasted_text_becomes_one_line() {
        for (pasted, expected) in [
            ("x", "ax|b"),
            ("\r\n  two words \r\nmore", "atwo words|b"),
            ("t\ta\u{1b}[2Jb", "at a[2Jb|b"),
            ("\n\n", "a|b"),
            ("日本", "a日本|b"),
        ] {
            let mut line = Line::new("ab".to_owned());
            line.press(fixture::key("<Left>"));
            line.insert(pasted);
            let (before, behind) = line.halves();
            assert_eq!(format!("{before}|{behind}"), expected, "{pasted:?}");
        }
    }
}

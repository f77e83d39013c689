//! A selected line among many, of which a window is shown.

use std::ops::Range;

use crate::tui::msg::Action;

/// The selected line and the first one that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The selected line.
    pub at: usize,
    /// The first line of the window.
    pub top: usize,
}

impl Cursor {
    /// Moves among `len` lines of which `rows` are shown; false when the action is not about moving.
    pub fn act(&mut self, action: Action, len: usize, rows: usize) -> bool {
        let (half, page) = ((rows / 2).max(1), rows.max(1));
        match action {
            Action::Down => self.at = self.at.saturating_add(1),
            Action::Up => self.at = self.at.saturating_sub(1),
            Action::First => self.at = 0,
            Action::Last => self.at = len,
            Action::HalfDown => self.shift_down(half),
            Action::HalfUp => self.shift_up(half),
            Action::PageDown => self.shift_down(page),
            Action::PageUp => self.shift_up(page),
            _ => return false,
        }
        self.clamp(len, rows);
        true
    }

    /// Selects a line.
    pub fn go(&mut self, at: usize, len: usize, rows: usize) {
        self.at = at;
        self.clamp(len, rows);
    }

    /// Brings the selection back among the lines, and the window back around it.
    pub fn clamp(&mut self, len: usize, rows: usize) {
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.window(len, rows).start;
    }

    /// The lines to show in `rows` rows: the selected one is always among them.
    #[must_use]
    pub fn window(&self, len: usize, rows: usize) -> Range<usize> {
        let lowest = (self.at + 1).saturating_sub(rows);
        let top = self.top.clamp(lowest, self.at.max(lowest)).min(len.saturating_sub(rows));
        top..(top + rows).min(len)
    }

    fn shift_down(&mut self, by: usize) {
        self.at = self.at.saturating_add(by);
        self.top = self.top.saturating_add(by);
    }

    fn shift_up(&mut self, by: usize) {
        self.at = self.at.saturating_sub(by);
        self.top = self.top.saturating_sub(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_stay_among_the_lines() {
        use Action::{Down, First, HalfDown, HalfUp, Last, PageDown, PageUp, Up};
        let table: [(&[Action], (usize, usize)); 9] = [
            (&[Down], (1, 0)),
            (&[Up], (0, 0)),
            (&[Last], (29, 20)),
            (&[Last, Up, Up], (27, 20)),
            (&[Last, First], (0, 0)),
            (&[HalfDown], (5, 5)),
            (&[PageDown, PageDown], (20, 20)),
            (&[PageDown, PageDown, PageDown, PageUp], (19, 10)),
            (&[Down, HalfDown, HalfUp], (1, 0)),
        ];
        for (actions, expected) in table {
            let mut cursor = Cursor::default();
            for &action in actions {
                assert!(cursor.act(action, 30, 10));
            }
            assert_eq!((cursor.at, cursor.top), expected, "{actions:?}");
        }
        assert!(!Cursor::default().act(Action::Open, 30, 10));
    }

    proptest::proptest! {
        #[test]
        fn the_selection_is_in_the_window(at: usize, top: usize, len in 1_usize..100, rows in 1_usize..40) {
            let mut cursor = Cursor { at: at % 200, top: top % 200 };
            cursor.clamp(len, rows);
            let window = cursor.window(len, rows);
            proptest::prop_assert!(window.contains(&cursor.at) && window.len() == rows.min(len));
        }
    }
}

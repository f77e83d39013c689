//! The key table as the columns of the help.

use super::{BINDINGS, Group, Keymap};
use crate::tui::msg::View;

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// The title of a group.
    Title(&'static str),
    /// A binding.
    Key {
        /// Its keys.
        keys: String,
        /// What they do.
        help: &'static str,
        /// Whether they do it on this screen.
        here: bool,
    },
    /// Nothing.
    Blank,
}

/// Columns that a column of the help needs.
const COLUMN: u16 = 39;

impl Keymap {
    /// The help for a screen, in as many columns as the width allows.
    #[must_use]
    pub fn help(&self, view: View, width: u16) -> Vec<Vec<HelpLine>> {
        let groups: Vec<Vec<HelpLine>> = Group::ALL.into_iter().map(|group| self.lines(group, view)).collect();
        let count = usize::from(width / COLUMN).clamp(1, 3);
        let total: usize = groups.iter().map(Vec::len).sum();
        let mut columns = vec![Vec::new()];
        for group in groups {
            let left = count - columns.len();
            let current = columns.last_mut();
            match current {
                Some(column) if left == 0 || column.is_empty() || column.len() + group.len() / 2 <= total / count => {
                    column.extend(group);
                }
                _ => columns.push(group),
            }
        }
        columns
    }

    /// Rows of the help.
    #[must_use]
    pub fn help_rows(&self, view: View, width: u16) -> usize {
        self.help(view, width).iter().map(Vec::len).max().unwrap_or(0)
    }

    fn lines(&self, group: Group, view: View) -> Vec<HelpLine> {
        let mut lines = vec![HelpLine::Title(group.title())];
        for binding in BINDINGS.iter().filter(|binding| binding.group == group) {
            let (keys, here) = (self.shown(binding), binding.works_in(view));
            lines.push(HelpLine::Key { keys, help: binding.help, here });
        }
        lines.push(HelpLine::Blank);
        lines
    }
}

//! How the screen of the node is shared out.

use super::Section;

/// How the body is shared out; two rows more go to the names of the sections and a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Rows above the section's lines.
    pub head: u16,
    /// Rows of the section's lines.
    pub lines: u16,
    /// Rows of what is selected.
    pub foot: u16,
    /// Columns of the detectors beside all these, with the line between; 0 where there is no room.
    pub side: u16,
    /// Rows of the detectors below all these, with the rule above, where they have no room beside them.
    pub below: u16,
}

impl Layout {
    /// Shares out so many columns and rows.
    #[must_use]
    pub fn of(section: Section, columns: u16, body: u16) -> Self {
        let mut layout = Self { foot: 1, ..Self::default() };
        if section == Section::Diff {
            (layout.head, layout.foot) = match body {
                24.. => (2, 7),
                16.. => (2, 3),
                _ => (1, 1),
            };
            (layout.side, layout.below) = match (columns, body) {
                (100.., _) => (columns * 2 / 5, 0),
                (_, 18..) => (0, 5),
                _ => (0, 0),
            };
        }
        layout.lines = body.saturating_sub(2 + layout.head + layout.foot + layout.below);
        layout
    }
}

//! Tree → the lines that are visible, and their text.

use uuid::Uuid;

use super::super::status::Effective;
use super::super::text::clean;
use super::{Flow, IdSet, Kind, Node, Overview};

/// Names a line independently of its place, so that a selection survives a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineId {
    /// The line of a row.
    Node(Uuid),
    /// A back-reference to an invocation from this parent node's row.
    BackReference {
        /// The job that closes the loop.
        job: Uuid,
        /// The invocation that it leads back to.
        invocation: Uuid,
    },
    /// The line that stands for all undetected events of an invocation.
    Undetected(Uuid),
}

/// Which parts of the tree are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Rows whose children are hidden.
    pub closed: IdSet,
    /// Whether undetected events are shown one by one.
    pub show_undetected: bool,
}

impl Fold {
    /// The rows to close so that only ways to what failed or is stuck stay open, and the roots.
    #[must_use]
    pub fn all_but_failures(flow: &Flow, overview: &Overview) -> IdSet {
        let mut trouble_below = vec![false; flow.nodes.len()];
        let mut closed = IdSet::default();
        for index in overview.order().into_iter().rev() {
            let node = &flow.nodes[index];
            let trouble = matches!(node.effective, Effective::Failed | Effective::Stuck);
            let Some(parent) = node.parent else { continue };
            trouble_below[parent] |= trouble || trouble_below[index];
            if !trouble_below[index] && !node.children.is_empty() {
                closed.insert(node.id);
            }
        }
        closed
    }
}

/// A visible line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub id: LineId,
    /// The node; for undetected events the invocation that they belong to.
    pub node: usize,
    /// How many undetected events the line stands for; 0 for every other line.
    pub undetected: usize,
    /// Levels below the root.
    pub depth: usize,
    /// Whether it is the last child of its parent.
    pub last: bool,
    /// Whether it has children, and whether they are shown.
    pub open: Option<bool>,
    /// The line of its parent.
    pub parent: Option<usize>,
}

/// The characters that draw a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// An ancestor with later children.
    pub pass: &'static str,
    /// A child with later siblings.
    pub branch: &'static str,
    /// The last child.
    pub corner: &'static str,
    /// An open node.
    pub open: &'static str,
    /// A closed node.
    pub closed: &'static str,
    /// A node without children.
    pub leaf: &'static str,
    /// Ok, failed, running, stuck, not detected.
    pub marks: [&'static str; 5],
    /// A link that was inferred.
    pub inferred: &'static str,
    /// A back-reference.
    pub back: &'static str,
    /// Something is cut off.
    pub ellipsis: &'static str,
}

impl Glyphs {
    /// Box drawing, for terminals that show Unicode.
    pub const UNICODE: Self = Self {
        pass: "│ ",
        branch: "├─",
        corner: "└─",
        open: "▾ ",
        closed: "▸ ",
        leaf: "─ ",
        marks: ["✓", "✗", "▶", "?", "·"],
        inferred: "⤳",
        back: "↺",
        ellipsis: "…",
    };
    /// Pure ASCII.
    pub const ASCII: Self = Self {
        pass: "| ",
        branch: "|-",
        corner: "\\-",
        open: "v ",
        closed: "> ",
        leaf: "- ",
        marks: ["+", "x", ">", "?", "."],
        inferred: "~>",
        back: "^",
        ellipsis: "~",
    };

    /// The mark of a status.
    #[must_use]
    pub fn mark(&self, effective: Effective) -> &'static str {
        self.marks[match effective {
            Effective::Ok => 0,
            Effective::Failed => 1,
            Effective::Running => 2,
            Effective::Stuck => 3,
            Effective::NotDetected => 4,
        }]
    }
}

impl Flow {
    /// The visible lines, top to bottom.
    #[must_use]
    pub fn lines(&self, fold: &Fold) -> Vec<Line> {
        let mut lines = Vec::new();
        // (node, depth, last, parent line), and for the folded undetected events their count.
        let mut stack: Vec<(usize, usize, usize, bool, Option<usize>)> = Vec::new();
        let roots = self.roots.len();
        for (i, &root) in self.roots.iter().enumerate().rev() {
            stack.push((root, 0, 0, i + 1 == roots, None));
        }
        while let Some((index, undetected, depth, last, parent)) = stack.pop() {
            let node = &self.nodes[index];
            let at = lines.len();
            if undetected > 0 {
                let id = LineId::Undetected(node.id);
                lines.push(Line { id, node: index, undetected, depth, last, open: Some(false), parent });
                continue;
            }
            let id = match parent.and_then(|line: usize| lines.get(line)).map(|line: &Line| self.nodes[line.node].id) {
                Some(job) if node.back_reference => LineId::BackReference { job, invocation: node.id },
                _ => LineId::Node(node.id),
            };
            let open = (!node.children.is_empty()).then(|| !fold.closed.contains(&node.id));
            lines.push(Line { id, node: index, undetected: 0, depth, last, open, parent });
            if open != Some(true) {
                continue;
            }
            let shown: Vec<usize> = (node.children.iter().copied())
                .filter(|&child| fold.show_undetected || !self.nodes[child].is_undetected())
                .collect();
            let hidden = node.children.len() - shown.len();
            if hidden > 0 {
                stack.push((index, hidden, depth + 1, true, Some(at)));
            }
            for (i, &child) in shown.iter().enumerate().rev() {
                stack.push((child, 0, depth + 1, hidden == 0 && i + 1 == shown.len(), Some(at)));
            }
        }
        lines
    }
}

/// Levels of indentation that are drawn; deeper lines say how deep they are.
const DRAWN_LEVELS: usize = 16;

impl Node {
    /// What the line says of the node, without guides: mark, kind, name, trigger, and what is odd about its link.
    #[must_use]
    pub fn label(&self, glyphs: &Glyphs) -> String {
        let mut label = format!("{} {} {}", glyphs.mark(self.effective), self.kind.short(), clean(&self.name));
        if self.kind == Kind::Invocation && !self.trigger.is_empty() {
            label.push_str("  ");
            label.push_str(&clean(&self.trigger));
        }
        if self.back_reference {
            label.push_str(&format!("  {} loops back", glyphs.back));
        } else if self.link == Some(super::Link::Doubtful) {
            label.push_str("  (doubtful parent, not followed)");
        } else if self.missing_parent.is_some() {
            label.push_str("  (parent job not found)");
        } else if self.link == Some(super::Link::Inferred) {
            label.push_str(&format!("  {} inferred", glyphs.inferred));
        }
        label
    }
}

impl Line {
    /// The text of the line without guides.
    #[must_use]
    pub fn label(&self, flow: &Flow, glyphs: &Glyphs) -> String {
        if self.undetected > 0 {
            let mark = glyphs.mark(Effective::NotDetected);
            return format!("{mark} {} not detected", super::super::text::plural(self.undetected as u64, "event"));
        }
        flow.nodes[self.node].label(glyphs)
    }

    /// The guides in front of the line: which ancestors go on, and whether it opens. `lines` are those that it is one of.
    #[must_use]
    pub fn guides(&self, lines: &[Self], glyphs: &Glyphs) -> String {
        self.guides_from(self.depth.saturating_sub(DRAWN_LEVELS), DRAWN_LEVELS, lines, glyphs)
    }

    /// As [`Self::guides`], without the `hidden` outermost levels, and with at most `most` of the others.
    #[must_use]
    pub fn guides_from(&self, hidden: usize, most: usize, lines: &[Self], glyphs: &Glyphs) -> String {
        let drawn = self.depth.saturating_sub(hidden).min(most);
        let mut levels = Vec::with_capacity(drawn);
        let mut at = Some(self);
        while let Some(ancestor) = at.filter(|_| levels.len() < drawn) {
            levels.push(match (levels.is_empty(), ancestor.last) {
                (true, true) => glyphs.corner,
                (true, false) => glyphs.branch,
                (false, true) => "  ",
                (false, false) => glyphs.pass,
            });
            at = ancestor.parent.and_then(|parent| lines.get(parent));
        }
        let mut guides = String::new();
        if hidden > 0 || self.depth > drawn {
            let width = (hidden + most).to_string().len();
            guides = format!("{:>width$}{} ", self.depth, glyphs.ellipsis);
        }
        guides.extend(levels.into_iter().rev());
        guides.push_str(match self.open {
            Some(true) => glyphs.open,
            Some(false) => glyphs.closed,
            None if self.depth == 0 => "  ",
            None => glyphs.leaf,
        });
        guides
    }
}

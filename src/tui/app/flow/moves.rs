//! Ways through the tree, and what is folded.

use std::collections::HashMap;

use uuid::Uuid;

use super::State;
use crate::model::flow::{Fold, Line, LineId};
use crate::tui::msg::Action;

impl State {
    /// Derives the visible lines.
    pub(super) fn list(&mut self) {
        self.lines = self.flow.value.as_ref().map(|flow| flow.lines(&self.fold)).unwrap_or_default();
    }

    /// Names the selected line, and what to select where it is gone: what stands for it, then what is above it.
    pub(super) fn remembered(&self) -> Vec<LineId> {
        let (Some(line), Some(flow)) = (self.line(), self.flow.value.as_ref()) else { return Vec::new() };
        let mut names = vec![line.id];
        if line.undetected > 0 {
            let first = flow.nodes[line.node].children.iter().find(|&&child| flow.nodes[child].is_undetected());
            names.extend(first.map(|&child| LineId::Node(flow.nodes[child].id)));
            names.push(LineId::Node(flow.nodes[line.node].id));
        }
        let mut above = flow.nodes[line.node].parent;
        if flow.nodes[line.node].is_undetected() {
            names.extend(above.map(|parent| LineId::Undetected(flow.nodes[parent].id)));
        }
        while let Some(parent) = above {
            names.push(LineId::Node(flow.nodes[parent].id));
            above = flow.nodes[parent].parent;
        }
        names
    }

    /// Selects the line with the first of these names that is visible; the place stays when none is.
    pub(super) fn select(&mut self, names: &[LineId], rows: usize) {
        let ranks: HashMap<LineId, usize> = names.iter().enumerate().map(|(rank, name)| (*name, rank)).collect();
        let found = (self.lines.iter().enumerate())
            .filter_map(|(at, line)| Some((*ranks.get(&line.id)?, at)))
            .min()
            .map_or(self.cursor.at, |(_, at)| at);
        self.cursor.go(found, self.lines.len(), rows);
    }

    /// As [`Self::select`], after the lines have changed: the selection stays in its row of the screen.
    pub(super) fn reselect(&mut self, names: &[LineId], rows: usize) {
        let row = self.cursor.at.saturating_sub(self.cursor.top);
        self.select(names, rows);
        self.cursor.top = self.cursor.at.saturating_sub(row);
        self.cursor.clamp(self.lines.len(), rows);
    }

    /// Opens everything above a row.
    pub(super) fn reveal(&mut self, id: Uuid) {
        let Some(flow) = &self.flow.value else { return };
        let mut above = flow.find(id).and_then(|node| flow.nodes[node].parent);
        let mut opened = false;
        while let Some(parent) = above {
            opened |= self.fold.closed.remove(&flow.nodes[parent].id);
            above = flow.nodes[parent].parent;
        }
        if opened {
            self.list();
        }
    }

    /// The node that says where a line stands in the tree: of the undetected events the first.
    pub(in crate::tui::app) fn place_of(&self, line: &Line) -> Option<usize> {
        let flow = self.flow.value.as_ref()?;
        if line.undetected == 0 {
            return Some(line.node);
        }
        flow.nodes[line.node].children.iter().copied().find(|&child| flow.nodes[child].is_undetected())
    }

    /// Closes everything but the ways to failures.
    pub(super) fn fold_healthy(&mut self) {
        if let Some(flow) = &self.flow.value {
            self.fold.closed = Fold::all_but_failures(flow, &self.overview);
            self.list();
        }
    }

    fn refold(&mut self, rows: usize) {
        let names = self.remembered();
        self.list();
        self.reselect(&names, rows);
    }

    /// Folds, unfolds, goes along the tree; false when the action means something else.
    pub(super) fn walk(&mut self, action: Action, rows: usize) -> bool {
        let len = self.lines.len();
        let line = self.line().copied();
        let id = line.and_then(|line| Some(self.flow.value.as_ref()?.nodes[line.node].id));
        match (action, line, id) {
            (Action::FoldAll, ..) => {
                let nodes = self.flow.value.iter().flat_map(|flow| &flow.nodes);
                self.fold.closed = nodes.filter(|node| !node.children.is_empty()).map(|node| node.id).collect();
                self.refold(rows);
            }
            (Action::UnfoldAll, ..) => {
                self.fold.closed.clear();
                self.refold(rows);
            }
            (Action::FoldHealthy, ..) => {
                let names = self.remembered();
                self.fold_healthy();
                self.reselect(&names, rows);
            }
            (Action::Undetected, ..) => {
                self.fold.show_undetected = !self.fold.show_undetected;
                self.refold(rows);
            }
            (Action::Right | Action::FoldToggle, Some(Line { undetected: 1.., .. }), _) => {
                self.fold.show_undetected = true;
                self.refold(rows);
            }
            (Action::Left | Action::FoldToggle, Some(Line { open: Some(true), .. }), Some(id)) => {
                self.fold.closed.insert(id);
                self.refold(rows);
            }
            (Action::Right | Action::FoldToggle, Some(Line { open: Some(false), .. }), Some(id)) => {
                self.fold.closed.remove(&id);
                self.refold(rows);
            }
            (Action::Left, Some(Line { parent: Some(parent), .. }), _) => self.cursor.go(parent, len, rows),
            (Action::Right, Some(Line { open: Some(true), .. }), _) => self.cursor.go(self.cursor.at + 1, len, rows),
            (Action::Right, Some(Line { id: LineId::BackReference { invocation, .. }, .. }), _) => {
                self.reveal(invocation);
                self.select(&[LineId::Node(invocation)], rows);
            }
            (Action::NextSibling, Some(line), _) => self.go_sibling(&line, true, rows),
            (Action::PreviousSibling, Some(line), _) => self.go_sibling(&line, false, rows),
            (Action::Origin, Some(line), _) => {
                let mut at = self.cursor.at;
                let mut above = line.parent;
                while let Some(parent) = above {
                    at = parent;
                    above = self.lines[parent].parent;
                }
                self.cursor.go(at, len, rows);
            }
            (Action::Left | Action::Right | Action::FoldToggle, ..)
            | (Action::NextSibling | Action::PreviousSibling | Action::Origin, ..) => {}
            _ => return false,
        }
        true
    }

    fn go_sibling(&mut self, line: &Line, forward: bool, rows: usize) {
        let at = self.cursor.at;
        let sibling = |other: &usize| self.lines[*other].depth <= line.depth;
        let found = if forward { (at + 1..self.lines.len()).find(sibling) } else { (0..at).rev().find(sibling) };
        if let Some(found) = found.filter(|&found| self.lines[found].depth == line.depth) {
            self.cursor.go(found, self.lines.len(), rows);
        }
    }
}

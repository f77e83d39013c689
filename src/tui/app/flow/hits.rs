//! What a find hits in the tree.

use super::{State, tree_rows};
use crate::model::flow::{LineId, Node};
use crate::tui::app::App;
use crate::tui::app::find::Pattern;

impl State {
    /// Finds the nodes that match, in the order of the tree.
    pub(in crate::tui::app) fn search(&mut self) {
        let mut hits = Vec::new();
        if let (Some(pattern), Some(flow)) = (&self.find.pattern, &self.flow.value) {
            let mut text = String::new();
            hits = (0..flow.nodes.len()).filter(|&node| is_hit(&flow.nodes[node], pattern, &mut text)).collect();
            hits.sort_by_key(|&node| self.overview.place(node));
        }
        self.find.hits = hits;
    }

    /// Whether a node is among the hits.
    #[must_use]
    pub fn is_hit(&self, node: usize) -> bool {
        let place = |&hit: &usize| self.overview.place(hit);
        self.find.hits.binary_search_by_key(&self.overview.place(node), place).is_ok()
    }
}

/// Whether the line of a node, its error or its id matches. A back-reference is none: what it points to is.
fn is_hit(node: &Node, pattern: &Pattern, text: &mut String) -> bool {
    if node.back_reference {
        return false;
    }
    text.clear();
    let gap = if node.trigger.is_empty() { "" } else { "  " };
    for part in [node.kind.short(), " ", &node.name, gap, &node.trigger] {
        text.push_str(part);
    }
    pattern.is_match(text)
        || node.error.as_deref().is_some_and(|error| pattern.is_match(error))
        || pattern.is_match(node.id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
}

/// Selects a hit, and opens what hides it.
pub fn go_to_hit(app: &mut App, node: usize) {
    let rows = tree_rows(app);
    let state = &mut app.flow;
    let Some(node) = state.flow.value.as_ref().and_then(|flow| flow.nodes.get(node)) else { return };
    let (id, undetected) = (node.id, node.is_undetected());
    if undetected && !state.fold.show_undetected {
        state.fold.show_undetected = true;
        state.list();
    }
    state.reveal(id);
    state.select(&[LineId::Node(id)], rows);
}

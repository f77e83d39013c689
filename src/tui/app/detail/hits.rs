//! What a find hits in the section on the screen: entries of an outline, else lines.

use std::fmt::Write;

use super::{Content, DiffLine, fields, rows, unfold_diff};
use crate::model::outline::{self, Entry, Place};
use crate::tui::app::App;
use crate::tui::app::find::Pattern;
use crate::tui::msg::Action;

/// Finds what matches, in the order of the section.
pub fn search(app: &mut App) {
    app.detail.find.hits = match &app.detail.find.pattern {
        Some(pattern) => hits(app, pattern),
        None => Vec::new(),
    };
}

fn hits(app: &App, pattern: &Pattern) -> Vec<usize> {
    let numbers = |is_hit: &dyn Fn(usize) -> bool| (0..searched(app)).filter(|&at| is_hit(at)).collect();
    match app.detail.content() {
        Some(Content::Outline { outline, .. }) => {
            let mut text = String::new();
            let mut is_hit = |entry: &Entry| {
                read(entry, &mut text);
                pattern.is_match(&text)
            };
            (0..).zip(outline.entries()).filter(|(_, entry)| is_hit(entry)).map(|(at, _)| at).collect()
        }
        Some(Content::Diff(Some(diff))) => numbers(&|at| match diff.line(at) {
            Some(DiffLine::Row(row)) => {
                [&row.path, &row.old_text, &row.new_text].into_iter().any(|text| pattern.is_match(text))
            }
            _ => false,
        }),
        Some(Content::Diff(None)) => Vec::new(),
        Some(Content::Text { lines, .. }) => numbers(&|at| pattern.is_match(&lines[at].text)),
        None => {
            let fields = fields(app);
            numbers(&|at| pattern.is_match(fields[at].label) || pattern.is_match(&fields[at].value))
        }
    }
}

/// Key and value of an entry as they are shown: what is masked is not found.
fn read(entry: &Entry, text: &mut String) {
    text.clear();
    if let Place::Key(key) = &entry.place {
        text.push_str(key);
        text.push(' ');
    }
    match &entry.content {
        outline::Content::Text(value) => text.push_str(value),
        outline::Content::Object { .. } | outline::Content::Array { .. } => {}
        // Writing to a text cannot fail.
        _ => write!(text, "{}", entry.short(0)).unwrap_or_default(),
    }
}

/// How many things a search looks at.
#[must_use]
pub fn searched(app: &App) -> usize {
    match app.detail.content() {
        Some(Content::Outline { outline, .. }) => outline.entries().len(),
        Some(Content::Diff(Some(diff))) => diff.all_lines(),
        Some(content) => content.len(),
        None => super::lines(app),
    }
}

/// What the cursor is on.
#[must_use]
pub fn selected_thing(app: &App) -> Option<usize> {
    let pane = app.detail.pane()?;
    pane.selected_entry().map_or(Some(pane.cursor.at), |(_, entry)| Some(entry))
}

/// Selects a hit, and opens what hides it.
pub fn go_to_hit(app: &mut App, hit: usize) {
    let rows = rows(app);
    if hit >= super::lines(app) {
        unfold_diff(&mut app.detail, Action::UnfoldAll, rows);
    }
    let len = super::lines(app);
    let Some(pane) = app.detail.panes.get_mut(&app.detail.section) else { return };
    let Some(Content::Outline { outline, .. }) = &pane.content else {
        pane.cursor.go(hit, len, rows);
        return;
    };
    let entries = outline.entries();
    let Some(entry) = entries.get(hit) else { return };
    let mut above = entry.parent.map(|parent| &entries[parent]);
    while let Some(container) = above {
        if !pane.folds.is_open(container) {
            pane.folds.toggle(container);
        }
        above = container.parent.map(|parent| &entries[parent]);
    }
    pane.selected = Some(entry.id);
    pane.list(rows);
}

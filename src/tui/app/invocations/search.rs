//! A search that is on its way: what it has found so far is shown, and how far it has come is told.

use super::{MOST_ROWS, columns, key, merge, show_selection, trim};
use crate::model::invocation::Found;
use crate::model::text::age;
use crate::tui::app::App;

/// A search came a step further.
pub fn found(app: &mut App, request: u64, found: Found) {
    let state = &mut app.invocations;
    if ![state.rows.request, state.older.request].contains(&Some(request)) {
        return;
    }
    state.searched = Some(found.back_to);
    if found.rows.is_empty() {
        return;
    }
    let at = state.selected_index();
    let rows = state.rows.value.get_or_insert_default();
    merge(rows, found.rows);
    let trimmed = trim(rows, at, MOST_ROWS);
    state.gap |= trimmed.newest;
    state.complete = false;
    if state.selected.is_none() {
        state.selected = state.rows().first().map(key);
    }
    columns::arrange(app);
    show_selection(app);
}

/// How far the search has come that is on its way: `back 3d of 7d`.
#[must_use]
pub fn progress(app: &App) -> Option<String> {
    let filter = app.filter.applied();
    let back = age(app.now - app.invocations.searched?);
    let since = filter.search_since(app.now).or_else(|| filter.since(app.now));
    let all = since.map_or_else(String::new, |since| format!(" of {}", age(app.now - since)));
    Some(format!("back {back}{all}"))
}

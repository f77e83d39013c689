//! A search that is on its way, or waits for the database: what it has found so far is shown, and how far it has come is
//! told.

use super::{MOST_ROWS, columns, key, merge, show_selection, trim};
use crate::model::filter::Candidate;
use crate::model::invocation::{Found, Listed};
use crate::model::text::age;
use crate::tui::app::{App, filter};

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

/// The filter is another one while the database is away: of the rows at hand those are shown that pass.
pub(in crate::tui::app) fn keep(app: &mut App) {
    let (filter, now, stale_after) = (filter::query(app), app.data_time(), app.settings.stale_after);
    let state = &mut app.invocations;
    let kept = state.kept.take().or_else(|| state.rows.value.take());
    let passes = |listed: &&Listed| filter.matches(&Candidate { listed, below: None }, now, stale_after);
    state.rows.value = kept.as_ref().map(|kept| kept.iter().filter(passes).cloned().collect());
    state.kept = kept;
    state.complete = false;
    if state.follow {
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

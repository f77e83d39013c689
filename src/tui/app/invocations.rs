//! The list of invocations: live, newest first, paged by key to the oldest row.
//!
//! The rows in memory have no gaps. Where so many new rows came at once that the newest page does not reach them, the
//! list starts again from the newest if it follows, else it says that there are newer ones and stays.

pub mod inside;
mod keys;
mod merge;
mod search;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{App, Load, columns, filter, logs};
use crate::model::invocation::{Key, Listed, Page};
use crate::model::status::Effective;
use crate::tui::msg::{Cmd, Failure, View};

pub use keys::act;
pub(super) use keys::follow;
pub use merge::{Trimmed, key, merge, position, trim};
pub(super) use search::keep;
pub use search::{found, progress};

/// Rows of a page.
pub const PAGE: usize = 200;
/// Newest rows that one look for changes brings at the most.
pub const NEWEST: usize = 500;
/// Rows that are kept in memory.
pub const MOST_ROWS: usize = 50_000;
/// Unfinished rows that one look for changes asks for by id.
const MOST_UNFINISHED: usize = 200;
/// Pages that one search for a failure reads.
const MOST_SOUGHT: usize = 10;
/// How far the clocks of writers may differ from ours.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);
/// Lines of the preview at the least, with the line above it.
const PREVIEW_ROWS: u16 = 7;
/// Lines of the preview at the most.
const MOST_PREVIEW_ROWS: u16 = 12;

/// From so many columns on the preview stands beside the list.
const WIDE: u16 = 160;

/// Rows above the table: the filter, and the heads of the columns.
pub const ABOVE: u16 = 2;

/// The list.
#[derive(Clone, Debug)]
pub struct State {
    /// The rows, newest first, without gaps.
    pub rows: Load<Vec<Listed>>,
    /// The page of older rows that is on its way.
    pub older: Load<()>,
    /// Whether the oldest row is there.
    pub complete: bool,
    /// The selected row.
    pub selected: Option<Key>,
    /// The first row that is shown.
    pub offset: usize,
    /// Whether the selection stays at the newest row.
    pub follow: bool,
    /// The newest row when following ended: what is newer is counted as new.
    pub seen: Option<Key>,
    /// Whether there are newer rows that were not loaded.
    pub gap: bool,
    /// Whether the preview is shown; by itself where there is room.
    pub preview: Option<bool>,
    /// Whether the preview stands below the list also where there is room beside it.
    pub preview_below: bool,
    /// What is below the selected row.
    pub inside: inside::State,
    /// Pages still to be read in the search for an older failure.
    pub seeking: usize,
    /// How far back the search has come that is on its way, when that takes more than one step.
    pub searched: Option<DateTime<Utc>>,
    /// Rows that the last look for changes asked for by id.
    pub asked: Vec<Uuid>,
    /// The rows that were there when the filter changed while the database is away: what passes of them is shown until it
    /// answers.
    pub kept: Option<Vec<Listed>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            rows: Load::default(),
            older: Load::default(),
            complete: false,
            selected: None,
            offset: 0,
            follow: true,
            seen: None,
            gap: false,
            preview: None,
            preview_below: false,
            inside: inside::State::default(),
            seeking: 0,
            searched: None,
            asked: Vec::new(),
            kept: None,
        }
    }
}

impl State {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Listed] {
        self.rows.value.as_deref().unwrap_or_default()
    }

    /// The index of the selected row; of the nearest one if it is gone.
    #[must_use]
    pub fn selected_index(&self) -> usize {
        let rows = self.rows();
        let at = self.selected.map_or(0, |key| position(rows, key).unwrap_or_else(|at| at));
        at.min(rows.len().saturating_sub(1))
    }

    /// The selected row.
    #[must_use]
    pub fn selected_row(&self) -> Option<&Listed> {
        self.rows().get(self.selected_index())
    }

    /// Rows that came since following ended.
    #[must_use]
    pub fn new_above(&self) -> usize {
        self.seen.map_or(0, |seen| self.rows().partition_point(|row| key(row) > seen))
    }

    /// Selects a row, by its place among the loaded ones, and ends following.
    pub(super) fn select(&mut self, at: usize) {
        if self.follow {
            self.follow = false;
            self.seen = self.rows().first().map(key);
        }
        self.selected = self.rows().get(at).map(key);
    }
}

/// Whether the preview is shown.
#[must_use]
pub fn has_preview(app: &App) -> bool {
    app.invocations.preview.unwrap_or(app.is_tall()) && app.body_rows() > PREVIEW_ROWS + 4
}

/// Columns of the preview beside the list; none where it stands below, or is not shown.
#[must_use]
pub fn preview_columns(app: &App) -> u16 {
    let beside = has_preview(app) && app.size.0 >= WIDE && !app.invocations.preview_below;
    if beside { app.size.0 * 2 / 5 } else { 0 }
}

/// Rows of the preview, with the line above it: a third of the body.
#[must_use]
pub fn preview_rows(app: &App) -> u16 {
    (app.body_rows() / 3).clamp(PREVIEW_ROWS, MOST_PREVIEW_ROWS)
}

/// Rows of the table: the body without filter and heads, and without the preview.
#[must_use]
pub fn table_rows(app: &App) -> usize {
    let below = has_preview(app) && preview_columns(app) == 0;
    let preview = if below { preview_rows(app) } else { 0 };
    usize::from(app.body_rows().saturating_sub(ABOVE + preview)).max(1)
}

/// The selected row's id.
#[must_use]
pub fn selected(app: &App) -> Option<Uuid> {
    app.invocations.selected_row().map(|row| row.invocation.id)
}

/// The rows that copying and writing take: the marked ones that are loaded, or all where none is marked.
#[must_use]
pub fn taken(app: &App) -> Vec<&Listed> {
    let is_taken = |row: &&Listed| app.marks.is_empty() || app.marks.contains(&row.invocation.id);
    app.invocations.rows().iter().filter(is_taken).collect()
}

/// Older rows came, or the first ones.
pub fn page_loaded(app: &mut App, request: u64, answer: Result<Page, Failure>) -> Vec<Cmd> {
    let (first, older) = (app.invocations.rows.take(request), app.invocations.older.take(request));
    let answer = app.heard(answer);
    let state = &mut app.invocations;
    if first || older {
        state.searched = None;
    }
    match answer {
        Ok(page) if first => {
            state.complete = !page.more;
            state.gap = false;
            state.rows.value = Some(page.rows);
            state.kept = None;
            state.rows.loaded_at = Some(app.now);
            state.rows.error = None;
            state.older = Load::default();
            state.seen = None;
            if state.selected.is_none_or(|key| position(state.rows(), key).is_err()) {
                state.follow = true;
            }
            if state.follow {
                state.selected = state.rows().first().map(key);
                state.offset = 0;
            }
        }
        Ok(page) if older => {
            state.complete = !page.more;
            state.older.error = None;
            let at = state.selected_index();
            if let Some(rows) = &mut state.rows.value {
                merge(rows, page.rows);
                let trimmed = trim(rows, at, MOST_ROWS);
                state.gap |= trimmed.newest;
                state.complete &= !trimmed.oldest;
            }
        }
        Err(error) if first => state.rows.error = Some(error),
        Err(error) if older => {
            state.seeking = 0;
            state.older.error = Some(error);
        }
        _ => return Vec::new(),
    }
    columns::arrange(app);
    show_selection(app);
    let mut commands = filter::count(app);
    commands.extend(if app.invocations.seeking > 0 { keys::seek_failure(app) } else { page_if_near_end(app) });
    commands
}

/// The newest rows and the unfinished ones came.
pub fn changes_loaded(app: &mut App, request: u64, answer: Result<Page, Failure>) -> Vec<Cmd> {
    let awaited = app.invocations.rows.take(request);
    let answer = app.heard(answer);
    if !awaited {
        return Vec::new();
    }
    let page = match answer {
        Ok(page) => page,
        Err(error) => {
            app.invocations.rows.error = Some(error);
            return Vec::new();
        }
    };
    let (now, is_filtered) = (app.now, !app.filter.applied().is_empty());
    let state = &mut app.invocations;
    state.rows.error = None;
    state.rows.loaded_at = Some(now);
    // What was asked for and did not come does not pass any more.
    let mut left = std::mem::take(&mut state.asked);
    left.retain(|id| page.rows.iter().all(|row| row.invocation.id != *id));
    if let Some(rows) = state.rows.value.as_mut().filter(|_| is_filtered) {
        rows.retain(|row| !left.contains(&row.invocation.id));
    }
    let top = state.rows().get(state.offset).map(key);
    let newest = newest_known(state, now);
    let newer = page.rows.iter().filter(|row| newest.is_none_or(|newest| key(row) > newest)).count();
    let reached = newest.is_none() || newer < NEWEST;
    if !reached && state.follow {
        // More new rows than one look brings: the list starts again with them.
        let newer = page.rows.into_iter().filter(|row| newest.is_none_or(|newest| key(row) > newest)).collect();
        state.rows.value = Some(newer);
        state.older = Load::default();
        state.complete = false;
        return follow(app);
    }
    let at = state.selected_index();
    let rows = state.rows.value.get_or_insert_default();
    if reached {
        if rows.is_empty() {
            state.complete = page.rows.len() < NEWEST;
        }
        let oldest = rows.last().map(key).filter(|_| !state.complete);
        // Rows below the oldest one belong to the next page.
        merge(rows, page.rows.into_iter().filter(|row| oldest.is_none_or(|oldest| key(row) >= oldest)).collect());
        let trimmed = trim(rows, at + newer, MOST_ROWS);
        state.gap = trimmed.newest;
        state.complete &= !trimmed.oldest;
    } else {
        // Only what is already there: anything newer would leave a gap.
        state.gap = true;
        let known = page.rows.into_iter().filter(|row| position(rows, key(row)).is_ok()).collect();
        merge(rows, known);
    }
    if state.follow || state.selected.is_none() {
        state.selected = state.rows().first().map(key);
        state.offset = 0;
    } else if let Some(top) = top.filter(|_| app.columns.sort.is_none()) {
        state.offset = position(state.rows(), top).unwrap_or_else(|at| at);
    }
    filter::came(app, newer);
    columns::arrange(app);
    show_selection(app);
    let mut commands = filter::count(app);
    commands.extend(page_if_near_end(app));
    commands
}

/// Reads again: what changed, or the first page.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    if app.invocations.rows.is_loading() {
        return Vec::new();
    }
    if app.invocations.rows.value.is_none() || app.invocations.kept.is_some() {
        return first_page(app);
    }
    app.invocations.older.error = None;
    let request = app.next_request();
    let unfinished = unfinished(app);
    let since = looked_until(app);
    app.invocations.rows.request = Some(request);
    app.invocations.asked = unfinished.clone();
    vec![Cmd::Changes { request, filter: filter::query(app), since, unfinished, limit: NEWEST }]
}

/// Gives up what is on its way; tells whether something was.
pub(super) fn abandon(app: &mut App) -> bool {
    let state = &mut app.invocations;
    state.seeking = 0;
    state.searched = None;
    let (older, inside) = (state.older.abandon(), state.inside.abandon());
    let (counting, values) = (app.filter.count.abandon(), app.columns.payload.abandon());
    app.invocations.rows.abandon() || older || inside || counting || values
}

/// Selects the row that stands in this row of the body.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let Some(line) = row.checked_sub(usize::from(ABOVE)).filter(|&line| line < table_rows(app)) else {
        return Vec::new();
    };
    let Some(at) = columns::row_at(app, app.invocations.offset + line) else { return Vec::new() };
    app.invocations.select(at);
    show_selection(app);
    page_if_near_end(app)
}

/// The terminal has another size.
pub fn resized(app: &mut App) {
    show_selection(app);
}

/// Asks for the newest rows; the list starts again with them.
fn first_page(app: &mut App) -> Vec<Cmd> {
    let request = app.next_request();
    app.invocations.rows.request = Some(request);
    vec![Cmd::Page { request, filter: filter::query(app), older_than: None, limit: PAGE }]
}

/// Begins the list again, for another filter. The selection stays with its row where that passes.
pub(super) fn restart(app: &mut App) -> Vec<Cmd> {
    let leave = abandon(app);
    let state = &mut app.invocations;
    let (rows, kept) = (std::mem::take(&mut state.rows), state.kept.take());
    *state = State {
        selected: state.selected,
        follow: state.follow,
        preview: state.preview,
        preview_below: state.preview_below,
        kept,
        ..State::default()
    };
    if app.has_banner() {
        app.invocations.rows = rows;
        search::keep(app);
    }
    columns::arrange(app);
    // Another screen does not read the list: it is read when it is shown.
    if app.view != View::Invocations {
        return Vec::new();
    }
    let leave = leave.then_some(Cmd::Leave(View::Invocations));
    leave.into_iter().chain(first_page(app)).collect()
}

/// From where on a look for changes begins. Where few rows pass, the newest one may be old, and all rows since then would
/// be searched at each look: those before the last look were. Clocks of writers may differ from ours.
fn looked_until(app: &App) -> Option<Key> {
    let newest = newest_known(&app.invocations, app.now);
    let last_look = app.invocations.rows.loaded_at.and_then(|at| at.checked_sub_signed(CLOCKS_DIFFER));
    let last_look = last_look.filter(|_| !app.filter.applied().is_empty());
    newest.max(last_look.map(|created_at| Key { created_at, id: Uuid::nil() }))
}

/// The newest row that is not from the future: a writer whose clock is ahead must not hide what comes after.
fn newest_known(state: &State, now: DateTime<Utc>) -> Option<Key> {
    let rows = state.rows();
    let at = rows.partition_point(|row| row.invocation.created_at > now);
    rows.get(at).or(rows.last()).map(key)
}

/// Rows that may still change: the running ones, newest first, and the stuck ones that are shown.
fn unfinished(app: &App) -> Vec<Uuid> {
    let (now, stale_after) = (app.data_time(), app.settings.stale_after);
    let state = &app.invocations;
    let shown: Vec<usize> =
        (state.offset..state.offset + table_rows(app)).filter_map(|place| columns::row_at(app, place)).collect();
    let may_change = |at: usize, row: &Listed| match row.verdict(now, stale_after).effective {
        Effective::Running => true,
        Effective::Stuck => shown.contains(&at),
        _ => row.children.jobs_unfinished + row.children.events_unfinished > 0 && shown.contains(&at),
    };
    let rows = state.rows().iter().enumerate();
    rows.filter(|(at, row)| may_change(*at, row)).map(|(_, row)| row.invocation.id).take(MOST_UNFINISHED).collect()
}

/// Moves the window so that the selected row is in it, and the line after the last row with it.
fn show_selection(app: &mut App) {
    let height = table_rows(app);
    let at = columns::place(app);
    let state = &mut app.invocations;
    let count = state.rows().len();
    // The line after the rows says whether there are more.
    let lines = count + 1;
    let last = if at + 1 == count { at + 1 } else { at };
    if at < state.offset {
        state.offset = at;
    } else if last >= state.offset + height {
        state.offset = last + 1 - height;
    }
    state.offset = state.offset.min(lines.saturating_sub(height).min(at));
}

/// Asks for older rows when the selection comes near the oldest one.
fn page_if_near_end(app: &mut App) -> Vec<Cmd> {
    let near = table_rows(app) * 2;
    let state = &app.invocations;
    // Who sorted wants to see these rows, and asks for others at the end.
    if app.columns.sort.is_some() {
        return Vec::new();
    }
    if state.selected_index() + near < state.rows().len() || state.older.error.is_some() {
        return Vec::new();
    }
    older_page(app)
}

/// Asks for older rows, unless there are none or they are on their way.
fn older_page(app: &mut App) -> Vec<Cmd> {
    let state = &app.invocations;
    let Some(last) = state.rows().last().map(key) else { return Vec::new() };
    let searching = state.older.is_loading() || state.searched.is_some() || state.kept.is_some();
    if state.complete || searching || state.rows.value.is_none() {
        return Vec::new();
    }
    let request = app.next_request();
    app.invocations.older.request = Some(request);
    vec![Cmd::Page { request, filter: filter::query(app), older_than: Some(last), limit: PAGE }]
}

/// Whose log lines to ask for when the selected row is meant.
fn subject(app: &App) -> Option<logs::Subject> {
    let row = app.invocations.selected_row()?;
    let start = row.invocation.created_at;
    let length = row.duration_ms(app.now).and_then(TimeDelta::try_milliseconds).unwrap_or_default();
    let window = (start, start.checked_add_signed(length).unwrap_or(start));
    Some(logs::Subject {
        name: format!("inv {}", row.invocation.source_function),
        correlation_id: row.invocation.correlation_id.as_deref().map(str::to_owned),
        job: None,
        jobs: Vec::new(),
        cascade_jobs: Vec::new(),
        window,
        cascade_window: window,
    })
}

#[cfg(test)]
mod tests;

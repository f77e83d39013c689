//! What keys do in the list.

use uuid::Uuid;

use super::{MOST_SOUGHT, State, first_page, older_page, page_if_near_end, show_selection, subject, table_rows};
use crate::model::report::Listing;
use crate::model::status::Effective;
use crate::model::text::plural;
use crate::tui::app::{App, columns, compare, filter, flow, logs};
use crate::tui::msg::{Action, Cmd, Copied, Form};

/// Marked rows may be of another time than the loaded ones.
const NONE_OF_THE_MARKED: &str = "none of the marked rows is loaded: M clears the marks";

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    app.invocations.seeking = 0;
    let page = table_rows(app);
    let half = (page / 2).max(1);
    match action {
        Action::Down => step(app, |at| at + 1),
        Action::Up => step(app, |at| at.saturating_sub(1)),
        Action::HalfDown => step(app, |at| at + half),
        Action::HalfUp => step(app, |at| at.saturating_sub(half)),
        Action::PageDown => step(app, |at| at + page),
        Action::PageUp => step(app, |at| at.saturating_sub(page)),
        Action::Last => step(app, |_| usize::MAX),
        Action::First if app.columns.sort.is_some() => step(app, |_| 0),
        Action::First => follow(app),
        Action::SortColumn | Action::SortReverse => columns::act(app, action),
        Action::Follow if app.invocations.follow => {
            let at = app.invocations.selected_index();
            app.invocations.select(at);
            app.say("not following: the cursor stays at its row");
            Vec::new()
        }
        Action::Follow => {
            app.say("following the newest row");
            follow(app)
        }
        Action::NextFailure => {
            app.invocations.seeking = MOST_SOUGHT;
            seek_failure(app)
        }
        Action::PreviousFailure => previous_failure(app),
        Action::CopyCommand => {
            let words = filter::command(app);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            vec![Cmd::Copy(Copied::new(Form::Value, &app.command(&words), "command for these rows"))]
        }
        Action::Preview => {
            app.invocations.preview = Some(!super::has_preview(app));
            if app.invocations.preview == Some(true) && !super::has_preview(app) {
                app.say("no room for the preview");
            }
            show_selection(app);
            Vec::new()
        }
        Action::PreviewPlace => {
            // Beside the list, below it, away.
            let (shown, below) = match (super::has_preview(app), super::preview_columns(app) > 0) {
                (false, _) => (true, false),
                (true, true) => (true, true),
                (true, false) => (false, false),
            };
            app.invocations.preview = Some(shown);
            app.invocations.preview_below = below;
            if shown && !super::has_preview(app) {
                app.say("no room for the preview");
            }
            show_selection(app);
            Vec::new()
        }
        Action::Compare => compare::open(app),
        Action::ClearMarks => {
            let count = app.marks.len();
            app.marks.clear();
            app.say(format!("no marks any more, {count} cleared"));
            Vec::new()
        }
        _ => act_on_row(app, action),
    }
}

/// What a key does with the selected row.
fn act_on_row(app: &mut App, action: Action) -> Vec<Cmd> {
    let Some(row) = app.invocations.selected_row() else {
        if matches!(action, Action::Open | Action::Logs) {
            app.say("no row is selected");
        }
        return Vec::new();
    };
    let id = row.invocation.id;
    let copy = |form, text: &str, what: &str| vec![Cmd::Copy(Copied::new(form, text, what))];
    match action {
        Action::Open => flow::open(app, id),
        Action::Logs => subject(app).map_or_else(Vec::new, |subject| logs::open(app, subject)),
        Action::Mark => {
            mark(app, id);
            Vec::new()
        }
        Action::CopyRow if !app.marks.is_empty() => {
            let rows = super::taken(app);
            if rows.is_empty() {
                app.say(NONE_OF_THE_MARKED);
                return Vec::new();
            }
            let listings: Vec<Listing> =
                rows.iter().map(|row| Listing::new(row, app.data_time(), app.settings.stale_after)).collect();
            let what = plural(listings.len() as u64, "marked row");
            copy(Form::Json, &serde_json::to_string_pretty(&listings).unwrap_or_default(), &format!("{what} as JSON"))
        }
        Action::CopyValue => copy(Form::Value, &id.to_string(), "invocation id"),
        Action::CopyRow => {
            let listing = Listing::new(row, app.data_time(), app.settings.stale_after);
            // Strings, numbers and times always have a JSON form.
            copy(Form::Json, &serde_json::to_string_pretty(&listing).unwrap_or_default(), "row as JSON")
        }
        Action::CopyCorrelation => match row.invocation.correlation_id.as_deref() {
            Some(chain) => copy(Form::Value, chain, "correlation id"),
            None => {
                app.say("this invocation carries no correlation id");
                Vec::new()
            }
        },
        _ => Vec::new(),
    }
}

/// Marks a row, or takes its mark away.
fn mark(app: &mut App, id: Uuid) {
    match app.marks.iter().position(|&marked| marked == id) {
        Some(at) => {
            app.marks.remove(at);
        }
        None => app.marks.push(id),
    }
    let keys = |action| app.settings.keys.key_of(app.view, action);
    let takes = format!("{} {} take them", keys(Action::CopyRow), keys(Action::Export));
    app.say(match app.marks.len() {
        0 => "no marks any more".to_owned(),
        n => format!("{n} marked; {takes}, {} clears", keys(Action::ClearMarks)),
    });
}

/// Moves the selection. Moving ends following.
fn step(app: &mut App, to: impl Fn(usize) -> usize) -> Vec<Cmd> {
    let Some(last) = app.invocations.rows().len().checked_sub(1) else { return Vec::new() };
    let from = columns::place(app);
    let to = to(from).min(last);
    if from == to && to < last {
        return Vec::new();
    }
    // Who goes on at the end wants the rows that did not come.
    if from == to {
        app.invocations.older.error = None;
        if app.columns.sort.is_some() {
            return older_page(app);
        }
    }
    app.invocations.select(columns::row_at(app, to).unwrap_or(to));
    show_selection(app);
    page_if_near_end(app)
}

/// To the newest row, and stay there.
pub(in crate::tui::app) fn follow(app: &mut App) -> Vec<Cmd> {
    columns::newest_first(app);
    let state = &mut app.invocations;
    state.follow = true;
    state.seen = None;
    state.selected = state.rows().first().map(super::key);
    state.offset = 0;
    if std::mem::take(&mut state.gap) { first_page(app) } else { Vec::new() }
}

fn is_failure(app: &App, state: &State, at: usize) -> bool {
    state
        .rows()
        .get(at)
        .is_some_and(|row| row.verdict(app.data_time(), app.settings.stale_after).effective == Effective::Failed)
}

/// Goes to the next older failure; reads older rows to find one.
pub(super) fn seek_failure(app: &mut App) -> Vec<Cmd> {
    let state = &app.invocations;
    let (from, count) = (columns::place(app), state.rows().len());
    let mut below = (from + 1..count).filter_map(|place| columns::row_at(app, place));
    if let Some(at) = below.find(|&at| is_failure(app, state, at)) {
        app.note = None;
        app.invocations.seeking = 0;
        app.invocations.select(at);
        show_selection(app);
        return page_if_near_end(app);
    }
    if app.columns.sort.is_some() {
        app.invocations.seeking = 0;
        app.say("no failure below this row");
        return Vec::new();
    }
    app.invocations.seeking -= 1;
    if app.invocations.complete || app.invocations.seeking == 0 {
        app.invocations.seeking = 0;
        let more = if app.invocations.complete { "" } else { "; G goes on to older ones" };
        app.say(format!("no older failure among {count} rows{more}"));
        return Vec::new();
    }
    app.say("looking for a failure among older rows");
    older_page(app)
}

fn previous_failure(app: &mut App) -> Vec<Cmd> {
    let state = &app.invocations;
    let mut above = (0..columns::place(app)).rev().filter_map(|place| columns::row_at(app, place));
    match above.find(|&at| is_failure(app, state, at)) {
        Some(at) => {
            app.invocations.select(at);
            show_selection(app);
        }
        None if app.columns.sort.is_some() => app.say("no failure above this row"),
        None => app.say("no newer failure"),
    }
    Vec::new()
}

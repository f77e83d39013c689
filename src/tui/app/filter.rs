//! The filter of the list: what its rows pass, over which time, and how many there are.

mod prompt;
mod range;
mod values;

use chrono::{DateTime, TimeDelta, Utc};

use super::{App, Load, invocations};
use crate::model::filter::{Filter, Known, Period, SEARCH_RANGE, TimeRange};
use crate::model::invocation::Count;
use crate::model::text::age;
use crate::model::zone::Zone;
use crate::tui::msg::{Action, Cmd, Failure, View};

pub use prompt::{Prompt, named, paste, typed};
pub(super) use range::ends_now;
pub use range::{LENGTHS, Menu as RangeMenu, typed as typed_range};
pub use values::{Menu as ValueMenu, act_in_menu};

/// The filter.
#[derive(Clone, Debug, Default)]
pub struct State {
    applied: Filter,
    /// The zone whose hours of the day it means.
    zone: Zone,
    /// How many rows pass, where that is not seen from the rows themselves.
    pub count: Load<Count>,
    /// The prompt, while it is open.
    pub prompt: Option<Prompt>,
    /// Filters that were typed, oldest first.
    pub history: Vec<String>,
    /// Names that can be completed.
    pub known: Load<Known>,
    /// What was applied before another screen opened the list with a filter of its own, and the zone of its hours.
    drilled: Vec<(Filter, Zone)>,
}

impl State {
    /// What the rows pass. Its text (`to_string`) gives the same filter again.
    #[must_use]
    pub fn applied(&self) -> &Filter {
        &self.applied
    }

    fn zone(&self) -> &Zone {
        &self.zone
    }
}

/// Applies a filter, as it would be typed; its range of time is part of it. An empty text takes the filter away. A text
/// that is none is complained about and changes nothing.
pub fn set(app: &mut App, text: &str) -> Vec<Cmd> {
    match Filter::parse(text) {
        Ok(filter) => apply(app, filter),
        Err(error) => {
            app.complain(error.message);
            Vec::new()
        }
    }
}

/// What a key does with the filter, also before the first rows came; nothing when it means something else.
pub(in crate::tui) fn act(app: &mut App, action: Action) -> Option<Vec<Cmd>> {
    match action {
        Action::FilterBy | Action::FilterOut => {
            values::open(app, action == Action::FilterOut);
            Some(Vec::new())
        }
        _ if app.view != View::Invocations => None,
        Action::TimeRange => {
            range::open(app);
            Some(Vec::new())
        }
        Action::Earlier | Action::Later => Some(range::shift(app, action == Action::Later)),
        // The screen that opened the list is shown again.
        Action::Back | Action::Quit if undrill(app) => None,
        Action::Find => Some(prompt::open(app)),
        Action::Back if !app.filter.applied.is_empty() => Some(clear(app)),
        _ => None,
    }
}

/// Takes the filter away.
pub fn clear(app: &mut App) -> Vec<Cmd> {
    apply(app, Filter::default())
}

/// Shows the list with another filter, on top of this screen. Going back takes it away again.
pub(super) fn drill(app: &mut App, filter: Filter) -> Vec<Cmd> {
    app.filter.drilled.push((app.filter.applied.clone(), app.filter.zone.clone()));
    app.back.push(app.view);
    app.previous = Some(app.view);
    app.view = View::Invocations;
    if filter == app.filter.applied { invocations::refresh(app) } else { apply(app, filter) }
}

/// Takes the filter away that another screen opened the list with; false when none did.
fn undrill(app: &mut App) -> bool {
    if app.back.is_empty() {
        app.filter.drilled.clear();
    }
    let Some((filter, zone)) = app.filter.drilled.pop() else { return false };
    if filter != app.filter.applied {
        (app.filter.applied, app.filter.zone) = (filter, zone);
        // They are read when the list is shown again; what is on its way is given up when it is left.
        match app.has_banner() {
            true => invocations::keep(app),
            false => app.invocations.rows.value = None,
        }
        app.filter.count = Load { request: app.filter.count.request, ..Load::default() };
    }
    true
}

/// The arguments of a command that gives the rows of the list.
pub(super) fn command(app: &App) -> Vec<String> {
    let filter = query(app);
    if filter.is_empty() {
        let rows = app.invocations.rows().len().max(1);
        return vec!["ls".to_owned(), "--all".to_owned(), "--limit".to_owned(), rows.to_string()];
    }
    let filter = match filter.search_since(app.now) {
        Some(since) => filter.at(Some(TimeRange::exact(Period { since: Some(since), until: None }))),
        None => filter,
    };
    vec!["ls".to_owned(), format!("--filter={filter}")]
}

/// Applies a filter: the list begins again with it.
pub(super) fn apply(app: &mut App, filter: Filter) -> Vec<Cmd> {
    if filter == app.filter.applied {
        return Vec::new();
    }
    app.filter.applied = filter;
    app.filter.zone = app.time_zone();
    app.filter.count = Load::default();
    invocations::restart(app)
}

/// The filter with exact times, for a request.
#[must_use]
pub fn query(app: &App) -> Filter {
    app.filter.applied.pinned(app.now, app.filter.zone())
}

/// Asks how many rows pass, unless that was asked already, or the rows tell it.
pub(super) fn count(app: &mut App) -> Vec<Cmd> {
    let told = app.filter.applied.is_empty() || app.invocations.complete || app.invocations.rows.value.is_none();
    if told || !app.filter.count.is_idle() {
        return Vec::new();
    }
    let request = app.next_request();
    app.filter.count.request = Some(request);
    vec![Cmd::Count { request, filter: query(app) }]
}

/// So many more rows passed since they were counted.
pub(super) fn came(app: &mut App, more: usize) {
    if let Some(count) = &mut app.filter.count.value {
        count.at_least += more as u64;
    }
}

/// The rows were counted.
pub fn counted(app: &mut App, request: u64, answer: Result<Count, Failure>) -> Vec<Cmd> {
    if !app.filter.count.take(request) {
        return Vec::new();
    }
    match app.heard(answer) {
        Ok(count) => app.filter.count.value = Some(count),
        Err(error) => app.filter.count.error = Some(error),
    }
    Vec::new()
}

/// Whether there may be older rows that would pass if it were not for the range of time.
#[must_use]
pub fn is_bounded(app: &App) -> bool {
    let filter = query(app);
    filter.since(app.now).or(filter.search_since(app.now)).is_some()
}

/// The range of time that applies, in words: `last 15m`, `all time`, `09:00-10:00`.
#[must_use]
pub fn range(app: &App) -> String {
    let state = &app.filter;
    let mut times = state.applied.times().flatten();
    match (times.next(), times.next()) {
        (None, _) if state.applied.search_since(app.now).is_some() => format!("last {}", age(SEARCH_RANGE)),
        (None | Some(TimeRange::All), None) => "all time".to_owned(),
        (Some(range), None) => words(app, range),
        _ => "several times".to_owned(),
    }
}

/// A range in the words that were used where these are short, else its ends.
fn words(app: &App, range: &TimeRange) -> String {
    let text = range.to_string();
    if text.chars().all(char::is_alphanumeric) {
        return if text.starts_with(|c: char| c.is_ascii_digit()) { format!("last {text}") } else { text };
    }
    let period = range.resolve(app.now, app.filter.zone());
    let day = |at: DateTime<Utc>| app.shown(at, "%d %b").to_string();
    let time = |at: DateTime<Utc>| {
        let second = if at.timestamp() % 60 == 0 { "" } else { ":%S" };
        app.shown(at, &format!("%H:%M{second}")).to_string()
    };
    let midnight = |at: DateTime<Utc>| app.time_zone().is_midnight(at);
    let end = |at: DateTime<Utc>| {
        if app.local(at).date() == app.local(app.now).date() { time(at) } else { format!("{} {}", day(at), time(at)) }
    };
    match (period.since, period.until) {
        (Some(since), Some(until)) => {
            // The last moment of a day belongs to it.
            let last = until.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(until);
            match (app.local(since).date() == app.local(last).date(), midnight(since) && midnight(until)) {
                (true, true) => day(since),
                (true, false) => format!("{}-{}", end(since), time(until)),
                (false, true) => format!("{}-{}", day(since), day(last)),
                (false, false) => format!("{}-{}", end(since), end(until)),
            }
        }
        (Some(since), None) => format!("since {}", end(since)),
        (None, Some(until)) => format!("before {}", end(until)),
        (None, None) => "all time".to_owned(),
    }
}

#[cfg(test)]
mod tests;

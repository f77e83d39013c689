//! Invocations per hour: the range, the hour under the cursor, the function that is looked at.

pub mod range;
pub mod sort;
pub mod spikes;
pub mod words;

use chrono::{DateTime, TimeDelta, Utc};

use super::{App, Load, filter};
use crate::model::filter::{Field, Filter, Period, Test, TextField, TimeRange};
use crate::model::hourly::{Column, Hourly, Sum, columns};
use crate::tui::msg::{Action, Cmd, Copied, Failure, FailureKind, Form, View};

pub use range::Range;
pub use sort::{Function, Sort};
use words::words;

/// Hourly numbers change slowly and may be counted from many rows: a live screen reads them no more often.
const RELOAD_AFTER: TimeDelta = TimeDelta::seconds(60);
/// An answer that has not come by then was lost, for instance because the screen was left.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(30);
/// Functions that a page key passes.
const PAGE: usize = 10;
/// Columns of the terminal left of the bars: the numbers of the y axis and the axis itself.
pub const AXIS: u16 = 8;

/// What the upper panel shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Invocations as stacked bars.
    #[default]
    Invocations,
    /// Percentiles of the durations.
    Durations,
    /// How many invocations were how long.
    Heatmap,
}

impl Metric {
    fn next(self) -> Self {
        match self {
            Self::Invocations => Self::Durations,
            Self::Durations => Self::Heatmap,
            Self::Heatmap => Self::Invocations,
        }
    }
}

/// The charts.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The numbers.
    pub hourly: Load<Hourly>,
    /// How much time is asked for.
    pub range: Range,
    /// The last step asked for; the current one when there is none.
    pub end: Option<DateTime<Utc>>,
    /// The step under the cursor; the last one when there is none.
    pub cursor: Option<DateTime<Utc>>,
    /// The function under the cursor, the first one when there is none.
    pub selected: Option<String>,
    /// The only function that the charts show.
    pub only: Option<String>,
    /// Sums of the steps that are drawn, made of the numbers when these come.
    pub steps: Vec<(DateTime<Utc>, Sum)>,
    /// The table in its order, made of the numbers when these come.
    pub functions: Vec<Function>,
    /// The jobs that failed, most failures first, made of the numbers when these come.
    pub failed_jobs: Vec<(String, u64)>,
    /// What the table is sorted by.
    pub sort: Sort,
    /// Whether that order is reversed.
    pub reverse: bool,
    /// What the upper panel shows.
    pub metric: Metric,
    /// When the numbers were asked for.
    pub asked_at: Option<DateTime<Utc>>,
    /// Whether the last request failed because the database cannot be reached.
    pub unreachable: bool,
}

impl State {
    /// The selected line of the table.
    #[must_use]
    pub fn selected_index(&self) -> usize {
        let name = self.selected.as_deref();
        self.functions.iter().position(|function| Some(function.name.as_str()) == name).unwrap_or(0)
    }

    /// The columns for a terminal of this width.
    #[must_use]
    pub fn columns(&self, width: u16) -> Vec<Column> {
        let step = self.hourly.value.as_ref().map_or(self.range.step(), |hourly| hourly.step);
        columns(step, &self.steps, usize::from(width.saturating_sub(AXIS + 1)))
    }

    /// Which of these columns the cursor is on.
    #[must_use]
    pub fn cursor_index(&self, columns: &[Column]) -> usize {
        let last = columns.len().saturating_sub(1);
        let Some(at) = self.cursor else { return last };
        columns.iter().position(|column| at < column.to).unwrap_or(last)
    }

    /// How many hours of the range are over, and counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a divisor")]
    pub fn hours(&self, now: DateTime<Utc>) -> f64 {
        let Some(hourly) = &self.hourly.value else { return 0.0 };
        hourly.counted(now).num_seconds() as f64 / 3_600.0
    }

    /// Whether the first step of a column was not counted yet: the newest come first.
    #[must_use]
    pub fn is_partial(&self, column: &Column) -> bool {
        self.hourly.value.as_ref().is_some_and(|hourly| hourly.is_missing(column.from))
    }

    /// Whether the numbers of a column were not counted yet.
    #[must_use]
    pub fn is_missing(&self, column: &Column) -> bool {
        column.sum.total == 0 && self.is_partial(column)
    }

    fn derive(&mut self) {
        let Some(hourly) = &self.hourly.value else { return };
        let only = self.only.as_deref();
        self.steps = hourly.steps_of(only);
        self.functions = (hourly.functions().into_iter())
            .map(|(name, sum, trend)| Function { name: name.to_owned(), sum, trend })
            .collect();
        self.sort.apply(&mut self.functions, self.reverse);
        self.failed_jobs = hourly.failed_jobs(only).into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    }
}

/// Goes to the screen and asks for the numbers.
pub fn open(app: &mut App) -> Vec<Cmd> {
    app.show(View::Charts);
    refresh(app)
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    match action {
        Action::Left => move_cursor(app, |at, _| at.saturating_sub(1)),
        Action::Right => move_cursor(app, |at, _| at + 1),
        Action::First => move_cursor(app, |_, _| 0),
        Action::Last => move_cursor(app, |_, columns| columns.len()),
        Action::NextFailure | Action::PreviousFailure => to_failure(app, action == Action::NextFailure),
        Action::NextHit | Action::PreviousHit => to_spike(app, action == Action::NextHit),
        Action::Origin => return to_now(app),
        Action::Down => select(app, |at| at + 1),
        Action::Up => select(app, |at| at.saturating_sub(1)),
        Action::HalfDown => select(app, |at| at + PAGE / 2),
        Action::HalfUp => select(app, |at| at.saturating_sub(PAGE / 2)),
        Action::PageDown => select(app, |at| at + PAGE),
        Action::PageUp => select(app, |at| at.saturating_sub(PAGE)),
        Action::Open => return list(app),
        Action::OnlyThis => {
            let state = &app.charts;
            let name = state.functions.get(state.selected_index()).map(|function| function.name.clone());
            let only = if state.only == name { None } else { name };
            show_only(app, only);
        }
        Action::Back if app.charts.only.is_some() => show_only(app, None),
        Action::SortColumn | Action::SortReverse => sort(app, action == Action::SortReverse),
        Action::Metric => app.charts.metric = app.charts.metric.next(),
        Action::TimeRange => {
            app.charts.range = app.charts.range.next();
            app.charts.cursor = None;
            return ask(app);
        }
        Action::ZoomIn | Action::ZoomOut => return zoom(app, action == Action::ZoomIn),
        Action::Earlier | Action::Later => return shift(app, action == Action::Later),
        Action::Refresh => return ask_once(app),
        Action::CopyValue | Action::CopyRow => return copy(app, action == Action::CopyRow),
        _ => {}
    }
    Vec::new()
}

/// The numbers came.
pub fn loaded(app: &mut App, request: u64, answer: Result<Hourly, Failure>) -> Vec<Cmd> {
    if !app.charts.hourly.take(request) {
        return Vec::new();
    }
    app.charts.unreachable = answer.as_ref().is_err_and(|failure| failure.kind != FailureKind::Other);
    match app.heard(answer) {
        Ok(hourly) => {
            app.charts.hourly.value = Some(hourly);
            app.charts.hourly.loaded_at = Some(app.now);
            app.charts.hourly.error = None;
            app.charts.derive();
        }
        Err(text) => app.charts.hourly.error = Some(text),
    }
    Vec::new()
}

/// The numbers have been counted so far. What is on the screen stays while it shows the same range, at most a step older:
/// it would lose its older half for a while.
pub fn counted(app: &mut App, request: u64, hourly: Hourly) {
    let state = &mut app.charts;
    if state.hourly.request != Some(request) {
        return;
    }
    // It is not lost.
    state.asked_at = Some(app.now);
    let same = |shown: &Hourly| {
        let step = hourly.step.length();
        shown.back_to.is_none()
            && shown.step == hourly.step
            && shown.to <= hourly.to
            && shown.from <= hourly.from
            && hourly.from - shown.from <= step
            && hourly.to - shown.to <= step
    };
    if !state.hourly.value.as_ref().is_some_and(same) {
        state.hourly.value = Some(hourly);
        state.hourly.loaded_at = Some(app.now);
        state.derive();
    }
}

/// Gives up what is on its way; tells whether something was. It is asked for again when the screen is shown again.
pub(super) fn abandon(app: &mut App) -> bool {
    let abandoned = app.charts.hourly.abandon();
    if abandoned {
        app.charts.asked_at = None;
    }
    abandoned
}

/// Reads again when the numbers are old; after the database could not be reached, whenever it is tried again.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let state = &app.charts;
    let is_old = state.asked_at.is_none_or(|at| app.now - at >= RELOAD_AFTER);
    if is_old || state.unreachable { ask_once(app) } else { Vec::new() }
}

/// Asks, unless this is on its way already.
fn ask_once(app: &mut App) -> Vec<Cmd> {
    let is_lost = app.charts.asked_at.is_none_or(|at| app.now - at >= LOST_AFTER);
    if app.charts.hourly.is_loading() && !is_lost { Vec::new() } else { ask(app) }
}

fn ask(app: &mut App) -> Vec<Cmd> {
    let request = app.next_request();
    let range = app.charts.range;
    let step = range.step();
    let to = step.start(app.charts.end.unwrap_or(app.now));
    let from = to - step.length() * (range.steps() - 1);
    app.charts.hourly.request = Some(request);
    app.charts.asked_at = Some(app.now);
    vec![Cmd::Hourly { request, from, to, step }]
}

fn shift(app: &mut App, later: bool) -> Vec<Cmd> {
    let range = app.charts.range;
    let newest = range.step().start(app.now);
    let length = range.step().length() * range.steps();
    let end = app.charts.end.unwrap_or(newest);
    if later && app.charts.end.is_none() {
        app.say("the range already ends now");
        return Vec::new();
    }
    let moved = if later { end.checked_add_signed(length) } else { end.checked_sub_signed(length) };
    app.charts.end = moved.filter(|&end| !filter::ends_now(end, length, newest));
    app.charts.cursor = None;
    ask(app)
}

/// The next shorter or longer range.
fn zoom(app: &mut App, closer: bool) -> Vec<Cmd> {
    let Some(next) = app.charts.range.zoomed(closer) else {
        app.say(if closer { "this is the shortest range" } else { "this is the longest range" });
        return Vec::new();
    };
    app.charts.range = next;
    app.charts.cursor = None;
    ask(app)
}

fn sort(app: &mut App, reverse: bool) {
    let state = &mut app.charts;
    if reverse {
        state.reverse = !state.reverse;
    } else {
        (state.sort, state.reverse) = (state.sort.next(), false);
    }
    state.derive();
    let order = if state.reverse { ", reversed" } else { "" };
    let text = format!("functions by {}{order}", state.sort.name());
    app.say(text);
}

fn to_now(app: &mut App) -> Vec<Cmd> {
    app.charts.cursor = None;
    if app.charts.end.take().is_some() { ask(app) } else { Vec::new() }
}

fn move_cursor(app: &mut App, to: impl Fn(usize, &[Column]) -> usize) {
    let columns = app.charts.columns(app.size.0);
    let at = to(app.charts.cursor_index(&columns), &columns);
    // On the last column it stays at the newest hour when time goes on.
    app.charts.cursor = if at + 1 < columns.len() { Some(columns[at].from) } else { None };
}

fn to_failure(app: &mut App, later: bool) {
    let columns = app.charts.columns(app.size.0);
    let at = app.charts.cursor_index(&columns);
    let failed = |&i: &usize| columns[i].sum.failed > 0;
    let found =
        if later { (at + 1..columns.len()).find(failed) } else { (0..at.min(columns.len())).rev().find(failed) };
    match found {
        Some(found) => move_cursor(app, |_, _| found),
        None => app.say(if later { "no failure in a later hour" } else { "no failure in an earlier hour" }),
    }
}

fn to_spike(app: &mut App, later: bool) {
    let columns = app.charts.columns(app.size.0);
    let at = app.charts.cursor_index(&columns);
    let spike = |i: usize| spikes::spike(&columns, i).map(|what| (i, what));
    let found =
        if later { (at + 1..columns.len()).find_map(spike) } else { (0..at.min(columns.len())).rev().find_map(spike) };
    match found {
        Some((found, what)) => {
            move_cursor(app, |_, _| found);
            app.say(format!("spike: {what}"));
        }
        None => app.say(if later { "no spike later" } else { "no spike earlier" }),
    }
}

fn select(app: &mut App, to: impl Fn(usize) -> usize) {
    let state = &mut app.charts;
    let at = to(state.selected_index()).min(state.functions.len().saturating_sub(1));
    state.selected = state.functions.get(at).map(|function| function.name.clone());
}

fn show_only(app: &mut App, only: Option<String>) {
    app.charts.only = only;
    app.charts.derive();
}

/// Opens the list of the invocations of the column under the cursor: those of the function, if one is chosen.
fn list(app: &mut App) -> Vec<Cmd> {
    let columns = app.charts.columns(app.size.0);
    let Some(column) = columns.get(app.charts.cursor_index(&columns)) else {
        app.say("no hour to list yet");
        return Vec::new();
    };
    let period = Period { since: Some(column.from), until: Some(column.to) };
    let mut filter = Filter::default().at(Some(TimeRange::exact(period)));
    let function = app.charts.only.as_ref().or(app.charts.selected.as_ref());
    if let Some(Ok(test)) = function.map(|name| Test::exact(Field::Text(TextField::Fn), name)) {
        filter = filter.with(test);
    }
    filter::drill(app, filter)
}

fn copy(app: &mut App, as_json: bool) -> Vec<Cmd> {
    let columns = app.charts.columns(app.size.0);
    let Some(column) = columns.get(app.charts.cursor_index(&columns)) else {
        app.say("nothing to copy yet");
        return Vec::new();
    };
    if !as_json {
        return vec![Cmd::Copy(Copied::new(Form::Value, &words(app, column, "<=", usize::MAX), "hour"))];
    }
    vec![Cmd::Copy(Copied::new(Form::Json, &words::as_json(app, column).to_string(), "hour as JSON"))]
}

#[cfg(test)]
mod tests;

//! Invocations per hour: the range, the hour under the cursor, the function that is looked at.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{App, Load};
use crate::model::hourly::{Column, Hourly, Sum, columns, start_of_hour};
use crate::model::text::{clean, duration};
use crate::tui::msg::{Action, Cmd, Failure, FailureKind, View};

/// Hourly numbers change slowly and may be counted from many rows: a live screen reads them no more often.
const RELOAD_AFTER: TimeDelta = TimeDelta::seconds(60);
/// An answer that has not come by then was lost, for instance because the screen was left.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(30);
/// Functions that a page key passes.
const PAGE: usize = 10;
/// Columns of the terminal left of the bars: the numbers of the y axis and the axis itself.
pub const AXIS: u16 = 8;

/// How much time the charts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// Six hours.
    Hours6,
    /// A day.
    #[default]
    Day,
    /// A week.
    Week,
    /// Thirty days.
    Month,
}

impl Range {
    /// All, shortest first.
    pub const ALL: [Self; 4] = [Self::Hours6, Self::Day, Self::Week, Self::Month];

    /// Its length.
    #[must_use]
    pub fn hours(self) -> i64 {
        match self {
            Self::Hours6 => 6,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        }
    }

    /// Its name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hours6 => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&range| range == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name, as recorded.
    pub name: String,
    /// Its sum over the range.
    pub sum: Sum,
    /// Its invocations per hour.
    pub trend: Vec<u64>,
}

/// The charts.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The numbers.
    pub hourly: Load<Hourly>,
    /// How much time is asked for.
    pub range: Range,
    /// The last hour asked for; the current one when there is none.
    pub end: Option<DateTime<Utc>>,
    /// The hour under the cursor; the last one when there is none.
    pub cursor: Option<DateTime<Utc>>,
    /// The function under the cursor, the first one when there is none.
    pub selected: Option<String>,
    /// The only function that the charts show.
    pub only: Option<String>,
    /// Sums of the hours that are drawn, made of the numbers when these come.
    pub hours: Vec<(DateTime<Utc>, Sum)>,
    /// The table, most invocations first, made of the numbers when these come.
    pub functions: Vec<Function>,
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
        columns(&self.hours, usize::from(width.saturating_sub(AXIS + 1)))
    }

    /// Which of these columns the cursor is on.
    #[must_use]
    pub fn cursor_index(&self, columns: &[Column]) -> usize {
        let last = columns.len().saturating_sub(1);
        let Some(at) = self.cursor else { return last };
        columns.iter().position(|column| at < column.to()).unwrap_or(last)
    }

    /// Whether the numbers of a column were not aggregated yet.
    #[must_use]
    pub fn is_missing(&self, column: &Column) -> bool {
        column.sum.total == 0 && self.hourly.value.as_ref().is_some_and(|hourly| hourly.is_missing(column.from))
    }

    fn derive(&mut self) {
        let Some(hourly) = &self.hourly.value else { return };
        self.hours = hourly.hours_of(self.only.as_deref());
        self.functions = (hourly.functions().into_iter())
            .map(|(name, sum, trend)| Function { name: name.to_owned(), sum, trend })
            .collect();
    }
}

/// A count with separators: `18,402`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured number of milliseconds, or `-`.
#[must_use]
pub fn milliseconds(ms: Option<f64>) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and shown rounded")]
    ms.filter(|ms| ms.is_finite()).map_or_else(|| "-".to_owned(), |ms| duration(ms.round() as i64))
}

/// A 95th percentile: of several buckets it is an upper bound, marked by `at_most`.
#[must_use]
pub fn p95(sum: &Sum, at_most: &str) -> String {
    let bound = if sum.p95_of > 1 && sum.p95_ms.is_some_and(f64::is_finite) { at_most } else { "" };
    format!("{bound}{}", milliseconds(sum.p95_ms))
}

/// The hours of a column: `09:00-10:00`, with days where `days` says so.
#[must_use]
pub fn hours_of(app: &App, column: &Column, days: bool) -> String {
    let (from, to) = (app.local(column.from), app.local(column.to()));
    let end = if days && column.hours > 24 { to.format("%a %d %H:%M") } else { to.format("%H:%M") };
    format!("{}-{end}", from.format(if days { "%a %d %H:%M" } else { "%H:%M" }))
}

/// What a column says in words, in at most `width` columns: the mean goes first where there is no room.
#[must_use]
pub fn words(app: &App, column: &Column, at_most: &str, width: usize) -> String {
    let sum = &column.sum;
    let hours = hours_of(app, column, app.charts.hours.len() > 24);
    let so_far = if column.to() > app.now { " so far" } else { "" };
    if app.charts.is_missing(column) {
        return format!("{hours}  not aggregated yet");
    }
    if sum.total == 0 {
        return format!("{hours}  no invocations{so_far}");
    }
    let max = sum.max_ms.map_or_else(|| "-".to_owned(), duration);
    let counts =
        format!("{hours}  {} inv{so_far}  {} failed {:.1}%", count(sum.total), count(sum.failed), sum.failed_percent());
    let tail = format!("p95 {}  max {max}", p95(sum, at_most));
    let full = format!("{counts}  avg {}  {tail}", milliseconds(sum.avg_ms));
    if full.chars().count() <= width { full } else { format!("{counts}  {tail}") }
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
        Action::Origin => return to_now(app),
        Action::Down => select(app, |at| at + 1),
        Action::Up => select(app, |at| at.saturating_sub(1)),
        Action::HalfDown => select(app, |at| at + PAGE / 2),
        Action::HalfUp => select(app, |at| at.saturating_sub(PAGE / 2)),
        Action::PageDown => select(app, |at| at + PAGE),
        Action::PageUp => select(app, |at| at.saturating_sub(PAGE)),
        Action::Open => {
            let state = &app.charts;
            let name = state.functions.get(state.selected_index()).map(|function| function.name.clone());
            let only = if state.only == name { None } else { name };
            show_only(app, only);
        }
        Action::Back if app.charts.only.is_some() => show_only(app, None),
        Action::TimeRange => {
            app.charts.range = app.charts.range.next();
            app.charts.cursor = None;
            return ask(app);
        }
        Action::ZoomIn | Action::ZoomOut => return zoom(app, action == Action::ZoomIn),
        Action::Earlier | Action::Later => return shift(app, action == Action::Later),
        Action::TimeZone => app.local_time = !app.local_time,
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
    let to = app.charts.end.unwrap_or_else(|| start_of_hour(app.now));
    let from = to - TimeDelta::hours(app.charts.range.hours() - 1);
    app.charts.hourly.request = Some(request);
    app.charts.asked_at = Some(app.now);
    vec![Cmd::Hourly { request, from, to }]
}

fn shift(app: &mut App, later: bool) -> Vec<Cmd> {
    let this_hour = start_of_hour(app.now);
    let length = TimeDelta::hours(app.charts.range.hours());
    let end = app.charts.end.unwrap_or(this_hour);
    if later && app.charts.end.is_none() {
        app.say("the range already ends now");
        return Vec::new();
    }
    let moved = if later { end.checked_add_signed(length) } else { end.checked_sub_signed(length) };
    app.charts.end = moved.filter(|&end| end < this_hour);
    app.charts.cursor = None;
    ask(app)
}

/// The next shorter or longer range.
fn zoom(app: &mut App, closer: bool) -> Vec<Cmd> {
    let at = Range::ALL.iter().position(|&range| range == app.charts.range).unwrap_or(0);
    let next = if closer { at.checked_sub(1) } else { Some(at + 1).filter(|&at| at < Range::ALL.len()) };
    let Some(next) = next else {
        app.say(if closer { "this is the shortest range" } else { "this is the longest range" });
        return Vec::new();
    };
    app.charts.range = Range::ALL[next];
    app.charts.cursor = None;
    ask(app)
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

fn select(app: &mut App, to: impl Fn(usize) -> usize) {
    let state = &mut app.charts;
    let at = to(state.selected_index()).min(state.functions.len().saturating_sub(1));
    state.selected = state.functions.get(at).map(|function| function.name.clone());
}

fn show_only(app: &mut App, only: Option<String>) {
    app.charts.only = only;
    app.charts.derive();
}

fn copy(app: &mut App, as_json: bool) -> Vec<Cmd> {
    let columns = app.charts.columns(app.size.0);
    let Some(column) = columns.get(app.charts.cursor_index(&columns)) else {
        app.say("nothing to copy yet");
        return Vec::new();
    };
    if !as_json {
        return vec![Cmd::Copy { text: words(app, column, "<=", usize::MAX), what: "hour".to_owned() }];
    }
    let sum = &column.sum;
    let hour = json!({
        "from": column.from.to_rfc3339(), "to": column.to().to_rfc3339(),
        "function": app.charts.only.as_deref().map(clean), "invocations": sum.total, "failed": sum.failed,
        "events_detected": sum.events_detected, "jobs_run": sum.jobs_run,
        "avg_ms": sum.avg_ms, "p95_ms": sum.p95_ms, "p95_is_upper_bound": sum.p95_of > 1, "max_ms": sum.max_ms,
    });
    vec![Cmd::Copy { text: hour.to_string(), what: "hour as JSON".to_owned() }]
}

#[cfg(test)]
mod tests;

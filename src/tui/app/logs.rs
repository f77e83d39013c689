//! The log lines of one node or of its whole cascade: of Grafana or Loki and of the table `job_logs`, as one sequence.

pub mod fields;
mod hits;
mod keys;
pub mod notice;
pub mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub use hits::{go_to_hit, search};
pub use keys::{act, click};

use super::find::Find;
use super::{App, Load};
use crate::logs::{Level, LogError, LogLine, LogPage, LogQuery, Origin, merge};
use crate::tui::msg::{Cmd, Failure, FailureKind, View};

/// A live screen asks again no more often than this.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// An answer that has not come by then was lost, for instance because the screen was left.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(60);

/// Whose lines are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What the screen calls it, such as `job sendNotification`.
    pub name: String,
    /// The chain; without one Loki cannot be asked.
    pub correlation_id: Option<String>,
    /// The job, when the node is one.
    pub job: Option<Uuid>,
    /// The jobs of the node, for the table `job_logs`.
    pub jobs: Vec<Uuid>,
    /// All jobs of the cascade.
    pub cascade_jobs: Vec<Uuid>,
    /// Start and end of the node.
    pub window: (DateTime<Utc>, DateTime<Utc>),
    /// Start and end of the cascade.
    pub cascade_window: (DateTime<Utc>, DateTime<Utc>),
}

impl Subject {
    /// Whether this is another node; the window of one that runs grows.
    fn is_other(&self, other: &Self) -> bool {
        (&self.name, &self.correlation_id, self.job, self.window.0)
            != (&other.name, &other.correlation_id, other.job, other.window.0)
    }
}

/// Names a line independently of its place: time, whether it is the table's, and which of those of the same time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    at_ns: i64,
    of_table: bool,
    nth: u32,
}

/// The lines.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Whose.
    pub subject: Option<Subject>,
    /// From Grafana or Loki.
    pub loki: Load<LogPage>,
    /// Why Grafana or Loki gave none, last time.
    pub refusal: Option<LogError>,
    /// From the table.
    pub table: Load<LogPage>,
    /// Whether the table could not be read because the database cannot be reached.
    pub unreachable: bool,
    /// Whether the lines of the whole cascade are asked for.
    pub cascade: bool,
    /// Whether the node had not ended when it was opened: more lines may come.
    pub running: bool,
    /// What was asked for last.
    pub query: Option<LogQuery>,
    /// When.
    pub asked_at: Option<DateTime<Utc>>,
    /// Both sources as one sequence.
    pub lines: Vec<LogLine>,
    /// The names of the lines.
    pub keys: Vec<Key>,
    /// Which lines are shown.
    pub shown: Vec<usize>,
    /// The least level that is shown; all without one.
    pub least: Option<Level>,
    /// The selected one of the shown lines.
    pub selected: usize,
    /// Whether the newest line stays selected.
    pub follow: bool,
    /// The first one of the shown lines on the screen, and how many of its rows are scrolled away.
    pub top: (usize, usize),
    /// The lines whose fields are shown, with these fields.
    pub open: BTreeMap<Key, Vec<String>>,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// Whether times are those of the clock, else since the start.
    pub absolute: bool,
    /// Whether secrets are shown.
    pub reveal: bool,
    /// Columns of the longest name of a service, 20 at most.
    pub service_width: usize,
    /// Whether both sources have lines.
    pub both: bool,
    /// What is looked for: hits are lines.
    pub find: Find,
    /// Whether only these lines are shown.
    pub only_hits: bool,
}

impl State {
    /// Start and end of what is asked for.
    #[must_use]
    pub fn window(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let subject = self.subject.as_ref()?;
        Some(if self.cascade { subject.cascade_window } else { subject.window })
    }

    /// The selected line.
    #[must_use]
    pub fn line(&self) -> Option<(Key, &LogLine)> {
        let &i = self.shown.get(self.selected)?;
        Some((*self.keys.get(i)?, self.lines.get(i)?))
    }

    /// Lines of a level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.lines.iter().filter(|line| line.level == level).count()
    }

    /// Lines of a source.
    #[must_use]
    pub fn count_of(&self, origin: Origin) -> usize {
        self.lines.iter().filter(|line| line.origin == origin).count()
    }

    /// Lines that the least level hides.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.lines.len() - self.shown.len()
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loki.is_loading() || self.table.is_loading()
    }

    /// Makes the sequence of both sources' lines; the selection stays on its line, or goes to the next one in time.
    fn derive(&mut self) {
        let selected = self.line().map(|(key, _)| key);
        let lines = |load: &Load<LogPage>| load.value.as_ref().map_or_else(Vec::new, |page| page.lines.clone());
        self.lines = merge(lines(&self.loki), lines(&self.table));
        self.keys.clear();
        let mut before: [Option<Key>; 2] = [None, None];
        for line in &self.lines {
            let of_table = line.origin == Origin::Table;
            let slot = &mut before[usize::from(of_table)];
            let nth = slot.filter(|key| key.at_ns == line.at_ns).map_or(0, |key| key.nth + 1);
            let key = Key { at_ns: line.at_ns, of_table, nth };
            *slot = Some(key);
            self.keys.push(key);
        }
        let width = |line: &LogLine| unicode_width::UnicodeWidthStr::width(line.service.as_str());
        self.service_width = self.lines.iter().map(width).max().unwrap_or(0).min(20);
        self.both = self.count_of(Origin::Loki) > 0 && self.count_of(Origin::Table) > 0;
        self.open.retain(|key, _| self.keys.contains(key));
        self.search();
        self.filter(selected);
    }

    /// Chooses the lines that are shown.
    fn filter(&mut self, selected: Option<Key>) {
        let above = self.selected.saturating_sub(self.top.0);
        let least = self.least;
        let is_shown = |i: &usize| {
            let is_kept = !self.only_hits || self.find.hits.binary_search(i).is_ok();
            is_kept && least.is_none_or(|least| self.lines[*i].level >= least)
        };
        self.shown = (0..self.lines.len()).filter(is_shown).collect();
        let last = self.shown.len().saturating_sub(1);
        self.selected = match selected {
            _ if self.follow => last,
            Some(key) => {
                let keys = || self.shown.iter().map(|&i| self.keys[i]);
                (keys().position(|other| other == key))
                    .or_else(|| keys().position(|other| other.at_ns >= key.at_ns))
                    .unwrap_or(last)
            }
            None => 0,
        };
        self.top = (self.selected.saturating_sub(above), self.top.1);
    }
}

/// Asks for the lines of a node and goes to the screen.
pub fn open(app: &mut App, subject: Subject) -> Vec<Cmd> {
    app.show(View::Logs);
    let state = &mut app.logs;
    if state.subject.as_ref().is_none_or(|earlier| earlier.is_other(&subject)) {
        let State { wrap, absolute, least, .. } = *state;
        *state = State { wrap, absolute, least, ..State::default() };
    }
    // Of a node that has not ended the end is the time of asking, to the millisecond; a stuck one says nothing any more.
    let (start, end) = subject.window;
    state.running = end >= app.now - TimeDelta::milliseconds(1) && end - start <= app.settings.stale_after;
    state.subject = Some(subject);
    ask(app)
}

/// Lines of Grafana or Loki came, or did not.
pub fn loki_loaded(app: &mut App, request: u64, answer: Result<LogPage, LogError>) -> Vec<Cmd> {
    let state = &mut app.logs;
    if !state.loki.take(request) {
        return Vec::new();
    }
    match answer {
        Ok(page) => {
            state.loki = Load { value: Some(page), loaded_at: Some(app.now), ..Load::default() };
            state.refusal = None;
        }
        Err(error) => {
            app.messages.add(&error.to_string(), true, app.now);
            app.logs.loki.error = Some(error.to_string());
            app.logs.refusal = Some(error);
        }
    }
    came(app);
    Vec::new()
}

/// Lines of the table came.
pub fn table_loaded(app: &mut App, request: u64, answer: Result<LogPage, Failure>) -> Vec<Cmd> {
    if !app.logs.table.take(request) {
        return Vec::new();
    }
    app.logs.unreachable = answer.as_ref().is_err_and(|failure| failure.kind != FailureKind::Other);
    match app.heard(answer) {
        Ok(page) => app.logs.table = Load { value: Some(page), loaded_at: Some(app.now), ..Load::default() },
        Err(text) => app.logs.table.error = Some(text),
    }
    came(app);
    Vec::new()
}

fn came(app: &mut App) {
    app.logs.derive();
    app.logs.top = rows::window(app, app.size.0, rows::height(app));
}

/// Gives up what is on its way; tells whether something was. It is asked for again when the screen is shown again.
pub(super) fn abandon(app: &mut App) -> bool {
    let loki = app.logs.loki.abandon();
    let abandoned = app.logs.table.abandon() || loki;
    if abandoned {
        app.logs.asked_at = None;
    }
    abandoned
}

/// Reads again while more lines may come, or when a source could not be reached; others only by a key.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let state = &app.logs;
    let is_transient = state.refusal.as_ref().is_some_and(LogError::is_transient);
    let is_due = state.asked_at.is_none_or(|at| app.now - at >= ASK_AGAIN_AFTER);
    let wants = is_due && (state.running || is_transient) || state.unreachable || state.asked_at.is_none();
    if wants { ask_once(app) } else { Vec::new() }
}

/// Asks, unless this is on its way already.
fn ask_once(app: &mut App) -> Vec<Cmd> {
    let is_lost = app.logs.asked_at.is_none_or(|at| app.now - at >= LOST_AFTER);
    if app.logs.is_loading() && !is_lost { Vec::new() } else { ask(app) }
}

fn ask(app: &mut App) -> Vec<Cmd> {
    let (now, request) = (app.now, app.next_request());
    let state = &mut app.logs;
    let (Some((start, end)), Some(subject)) = (state.window(), &state.subject) else { return Vec::new() };
    let end = if state.running { end.max(now) } else { end };
    let correlation = subject.correlation_id.as_deref().filter(|id| !id.trim().is_empty());
    let job = subject.job.filter(|_| !state.cascade);
    let can_ask = correlation.is_some() || job.is_some();
    let query = can_ask.then(|| LogQuery::around(correlation.unwrap_or_default(), job, start, end));
    let jobs = if state.cascade { &subject.cascade_jobs } else { &subject.jobs }.clone();
    state.asked_at = Some(now);
    state.query.clone_from(&query);
    state.loki.request = query.is_some().then_some(request);
    state.table.request = (!jobs.is_empty()).then_some(request);
    if query.is_none() && jobs.is_empty() {
        return Vec::new();
    }
    vec![Cmd::Logs { request, query, jobs }]
}

#[cfg(test)]
pub(in crate::tui) mod tests;

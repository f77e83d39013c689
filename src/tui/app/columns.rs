//! The columns of the list: which are shown, in which order, and what the loaded rows are sorted by.
//!
//! Sorting concerns the rows that are loaded and nothing else: the newest are first unless a person wants otherwise, and
//! only then the list follows. The rows stay as they came; the order is a list of their places.

pub mod payload;

use std::cmp::Reverse;

use crossterm::event::{KeyCode, KeyEvent};

use super::cursor::Cursor;
use super::overlay::Overlay;
use super::{App, invocations};
use crate::model::invocation::{Listed, count_deliveries};
use crate::model::number::Decimal;
use crate::model::status::Effective;
use crate::tui::msg::{Action, Cmd};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// When it began.
    Time,
    /// The effective status.
    Status,
    /// The function.
    Function,
    /// What was done to which table.
    Trigger,
    /// Who did it.
    User,
    /// Events that were detected, of those that were checked.
    Events,
    /// Jobs that ended well, run, failed.
    Jobs,
    /// How long it took.
    Duration,
    /// The correlation id.
    Correlation,
    /// A value out of the payload, by a path that a person chose.
    Payload,
}

impl Column {
    /// All, in the order of the list.
    pub const ALL: [Self; 10] = [
        Self::Time,
        Self::Status,
        Self::Function,
        Self::Trigger,
        Self::User,
        Self::Events,
        Self::Jobs,
        Self::Duration,
        Self::Correlation,
        Self::Payload,
    ];

    /// Whether it is shown where nobody chose.
    #[must_use]
    pub fn is_usual(self) -> bool {
        self != Self::Payload
    }

    /// Its head.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Time => "TIME",
            Self::Status => "STATUS",
            Self::Function => "FUNCTION",
            Self::Trigger => "TRIGGER",
            Self::User => "USER",
            Self::Events => "EVT",
            Self::Jobs => "JOBS",
            Self::Duration => "DURATION",
            Self::Correlation => "CORRELATION",
            Self::Payload => "PAYLOAD",
        }
    }

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Status => "status",
            Self::Function => "function",
            Self::Trigger => "trigger",
            Self::User => "user",
            Self::Events => "events",
            Self::Jobs => "jobs",
            Self::Duration => "duration",
            Self::Correlation => "correlation",
            Self::Payload => "payload",
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// What stands in it, in a few words.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Time => "when it began",
            Self::Status => "judged from its events and jobs",
            Self::Function => "the function that ran",
            Self::Trigger => "operation and table",
            Self::User => "who or what changed the row",
            Self::Events => "detected/checked",
            Self::Jobs => "ended well, then failed or running",
            Self::Duration => "from begin to end",
            Self::Correlation => "what belongs together",
            Self::Payload => "p: which value of the payload",
        }
    }
}

/// What the loaded rows are sorted by: the largest, worst or newest first, names from A on; or the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: Column,
    /// The other way round.
    pub reverse: bool,
}

impl Sort {
    /// Whether values go down from row to row.
    #[must_use]
    pub fn descends(self) -> bool {
        let is_text = matches!(
            self.column,
            Column::Function | Column::Trigger | Column::User | Column::Correlation | Column::Payload
        );
        is_text == self.reverse
    }

    /// In words: `DURATION, largest first`.
    #[must_use]
    pub fn words(self) -> String {
        let (first, last) = match self.column {
            Column::Time => ("newest", "oldest"),
            Column::Status => ("worst", "best"),
            Column::Function | Column::Trigger | Column::User | Column::Correlation | Column::Payload => ("A", "Z"),
            Column::Events | Column::Jobs => ("most", "fewest"),
            Column::Duration => ("longest", "shortest"),
        };
        format!("{}, {} first", self.column.title(), if self.reverse { last } else { first })
    }
}

/// The order of the rows as they come.
pub const NEWEST_FIRST: Sort = Sort { column: Column::Time, reverse: false };

/// The columns.
#[derive(Clone, Debug)]
pub struct State {
    /// All, from left to right, and whether they are shown where there is room.
    pub all: Vec<(Column, bool)>,
    /// What the rows are sorted by; nothing when the newest are first.
    pub sort: Option<Sort>,
    /// The column of a value out of the payload.
    pub payload: payload::State,
    /// The places of the rows in the order of the sort; empty without one.
    order: Vec<usize>,
}

impl Default for State {
    fn default() -> Self {
        let all = Column::ALL.map(|column| (column, column.is_usual())).to_vec();
        Self { all, sort: None, payload: payload::State::default(), order: Vec::new() }
    }
}

impl State {
    /// Those that are shown where there is room, from left to right.
    pub fn shown(&self) -> impl Iterator<Item = Column> {
        self.all.iter().filter(|(_, is_shown)| *is_shown).map(|(column, _)| *column)
    }

    /// Shows these, in this order, and hides the others; shows the usual ones where there is none.
    pub fn show(&mut self, shown: &[Column]) {
        let is_shown = |column: &Column| if shown.is_empty() { column.is_usual() } else { shown.contains(column) };
        let mut all: Vec<Column> = Vec::new();
        for &column in shown.iter().chain(&Column::ALL) {
            if !all.contains(&column) {
                all.push(column);
            }
        }
        self.all = all.into_iter().map(|column| (column, is_shown(&column))).collect();
    }
}

/// The row that stands at a place of the list.
#[must_use]
pub fn row_at(app: &App, place: usize) -> Option<usize> {
    match app.columns.sort {
        None => (place < app.invocations.rows().len()).then_some(place),
        Some(_) => app.columns.order.get(place).copied().filter(|&row| row < app.invocations.rows().len()),
    }
}

/// Where the selected row stands in the list.
#[must_use]
pub fn place(app: &App) -> usize {
    let at = app.invocations.selected_index();
    match app.columns.sort {
        None => at,
        Some(_) => app.columns.order.iter().position(|&row| row == at).unwrap_or(0),
    }
}

/// Puts the rows in order, after they changed.
pub(super) fn arrange(app: &mut App) {
    if let Some(rows) = &mut app.invocations.rows.value {
        count_deliveries(rows.iter_mut().map(|row| &mut row.invocation));
    }
    app.columns.order.clear();
    let Some(sort) = app.columns.sort else { return };
    let keys = sort_keys(app, sort.column);
    let mut order: Vec<usize> = (0..keys.len()).collect();
    // Stable: what is alike stays newest first.
    order.sort_by(|&a, &b| {
        let (a, b) = (&keys[a], &keys[b]);
        let is_nothing = |key: &SortKey| *key == SortKey::Nothing;
        let ordering = if sort.reverse { b.cmp(a) } else { a.cmp(b) };
        // Rows without a value stand last, whichever way.
        is_nothing(a).cmp(&is_nothing(b)).then(ordering)
    });
    let first = order.first().copied();
    app.columns.order = order;
    // The top of this order is not the newest row: there is nothing to follow.
    if let Some(first) = first.filter(|_| app.invocations.follow) {
        app.invocations.select(first);
    }
}

/// What a row is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey<'a> {
    Number(Reverse<i64>),
    /// A number of a payload, whatever its length; these stand before texts.
    Decimal(Decimal),
    Text(std::borrow::Cow<'a, str>),
    Nothing,
}

fn sort_keys(app: &App, column: Column) -> Vec<SortKey<'_>> {
    let (rows, now, stale_after) = (app.invocations.rows(), app.data_time(), app.settings.stale_after);
    let number = |n: i64| SortKey::Number(Reverse(n));
    let count = |n: u64| number(i64::try_from(n).unwrap_or(i64::MAX));
    let text = |text: Option<&'_ str>| match text {
        Some(text) if !text.is_empty() => SortKey::Text(text.to_lowercase().into()),
        _ => SortKey::Nothing,
    };
    let key = |row: &Listed| match column {
        Column::Time => number(row.invocation.created_at.timestamp_micros()),
        Column::Status => number(severity(row.verdict(now, stale_after).effective)),
        Column::Function => text(Some(&row.invocation.source_function)),
        Column::Trigger => text(Some(&row.invocation.trigger())),
        Column::User => text(row.invocation.source_user_email.as_deref()),
        Column::Events => count(row.children.events_detected),
        Column::Jobs => count(row.children.jobs_run),
        Column::Duration => row.duration_ms(now).map_or(SortKey::Nothing, number),
        Column::Correlation => text(row.invocation.correlation_id.as_deref()),
        Column::Payload => {
            let value = app.columns.payload.value(row.invocation.id).filter(|value| *value != "-");
            value.and_then(Decimal::parse).map_or_else(|| text(value), SortKey::Decimal)
        }
    };
    rows.iter().map(key).collect()
}

fn severity(effective: Effective) -> i64 {
    match effective {
        Effective::Failed => 4,
        Effective::Stuck => 3,
        Effective::Running => 2,
        Effective::Ok => 1,
        Effective::NotDetected => 0,
    }
}

/// Sorts by a column. Newest first is no order of its own: the list follows again.
fn sort(app: &mut App, sort: Sort) -> Vec<Cmd> {
    if sort == NEWEST_FIRST {
        app.say("newest first, as ever");
        return invocations::follow(app);
    }
    app.columns.sort = Some(sort);
    arrange(app);
    // The first row of the order is what a person wants to see.
    let first = row_at(app, 0).unwrap_or(0);
    app.invocations.offset = 0;
    app.invocations.select(first);
    app.say(format!("the {} loaded rows by {}", app.invocations.rows().len(), sort.words()));
    Vec::new()
}

/// Shows these columns, all where there is none, and sorts the rows, those that are loaded and those to come.
pub fn set(app: &mut App, shown: &[Column], sort: Option<Sort>) {
    app.columns.show(shown);
    match sort.filter(|sort| *sort != NEWEST_FIRST) {
        Some(sort) => {
            app.columns.sort = Some(sort);
            arrange(app);
        }
        None => newest_first(app),
    }
}

/// Gives the order up.
pub(super) fn newest_first(app: &mut App) {
    app.columns.sort = None;
    app.columns.order.clear();
}

/// Sorts by the next shown column, or turns the order round.
pub(super) fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let now = app.columns.sort.unwrap_or(NEWEST_FIRST);
    let next = if action == Action::SortReverse {
        Sort { reverse: !now.reverse, ..now }
    } else {
        let shown: Vec<Column> = app.columns.shown().collect();
        let at = shown.iter().position(|&column| column == now.column).map_or(0, |at| at + 1);
        Sort { column: shown.get(at).or(shown.first()).copied().unwrap_or(Column::Time), reverse: false }
    };
    sort(app, next)
}

/// Opens the choice of columns.
pub(super) fn open(app: &mut App) {
    app.overlay = Some(Overlay::Columns(0));
}

/// A key of the choice of columns; nothing when it is none of them.
pub(super) fn typed(app: &mut App, at: usize, key: KeyEvent) -> Option<Vec<Cmd>> {
    let mut commands = Vec::new();
    let last = app.columns.all.len().saturating_sub(1);
    let mut to = at;
    match key.code {
        KeyCode::Char('p') => {
            payload::open(app);
            return Some(commands);
        }
        KeyCode::Char(' ')
            if app.columns.all.get(at).is_some_and(|(column, _)| *column == Column::Payload)
                && app.columns.payload.path().is_empty() =>
        {
            payload::open(app);
            return Some(commands);
        }
        KeyCode::Char(' ') => {
            let is_last_one = app.columns.shown().count() == 1;
            match app.columns.all.get_mut(at) {
                Some((_, is_shown)) if !*is_shown || !is_last_one => *is_shown = !*is_shown,
                _ => app.say("one column stays"),
            }
        }
        KeyCode::Char('J') if at < last => {
            app.columns.all.swap(at, at + 1);
            to = at + 1;
        }
        KeyCode::Char('K') if at > 0 => {
            app.columns.all.swap(at, at - 1);
            to = at - 1;
        }
        KeyCode::Char('J' | 'K') => {}
        KeyCode::Char('s') => {
            let column = app.columns.all.get(at).map_or(Column::Time, |(column, _)| *column);
            let reverse = app.columns.sort.is_some_and(|sort| sort.column == column && !sort.reverse);
            commands = sort(app, Sort { column, reverse });
        }
        KeyCode::Char('0') => {
            app.columns.show(&[]);
            commands = invocations::follow(app);
            app.say("the columns and the order of the beginning");
        }
        _ => return None,
    }
    app.overlay = Some(Overlay::Columns(to));
    Some(commands)
}

/// Moves in the choice of columns.
pub(super) fn act_in_choice(app: &mut App, at: usize, action: Action) {
    let count = app.columns.all.len();
    let mut cursor = Cursor { at, top: 0 };
    cursor.act(action, count, count);
    app.overlay = Some(Overlay::Columns(cursor.at));
}

#[cfg(test)]
mod tests;

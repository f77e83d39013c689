//! All state of the explorer: plain data, no handle, no channel, no clock.

pub mod charts;
pub mod columns;
pub mod compare;
pub mod cursor;
pub mod detail;
pub mod documents;
pub mod filter;
pub mod find;
pub mod flow;
pub mod groups;
pub mod help;
pub mod invocations;
pub mod kept;
pub mod live;
pub mod login;
pub mod logs;
pub mod messages;
pub mod overlay;
pub mod palette;
pub mod prompt;
pub mod views;

use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::keymap::Keymap;
use super::msg::{Action, Failure, FailureKind, View};
use crate::model::invocation::Server;
use crate::model::redact::mask_text;
use crate::model::text::shell_argument;
use crate::model::time::{self, Shown};
use crate::model::zone::Zone;

/// From so many rows on, the header has a second line.
const TALL: u16 = 30;

/// What does not change while the explorer runs, except for the keys.
#[derive(Clone, Debug)]
pub struct Settings {
    /// User, host and database, for the header. Never a password.
    pub database: String,
    /// Unfinished and untouched for longer than this is stuck.
    pub stale_after: TimeDelta,
    /// Time between two looks for new rows.
    pub poll_every: TimeDelta,
    /// The zone of local time.
    pub zone: Zone,
    /// How this program was started, as far as another start needs it: `obs-tui --schema other`.
    pub command: String,
    /// The keys.
    pub keys: Keymap,
    /// Files that are kept.
    pub files: Files,
    /// What the user should know of the settings.
    pub warnings: Vec<String>,
}

/// Files that are kept from session to session; nothing is kept where there is no place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The configuration, which may be missing.
    pub config: Option<PathBuf>,
    /// The saved views.
    pub views: Option<PathBuf>,
    /// The last session.
    pub session: Option<PathBuf>,
}

/// Whether the database answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not asked yet.
    Connecting,
    /// It answered last time.
    Online,
    /// It did not.
    Offline {
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        error: String,
        /// Failed attempts.
        attempt: u32,
        /// When the next one is due; nothing while one is on its way.
        retry_at: Option<DateTime<Utc>>,
    },
    /// It lets nobody in, or not this user; only a person's wish makes another attempt.
    Refused {
        /// Its words.
        error: String,
        /// Whether another password may help.
        login: bool,
    },
}

/// Something that is loaded: what came last, whether more is on its way, and what went wrong.
#[derive(Clone, Debug)]
pub struct Load<T> {
    /// The number of the request that is on its way.
    pub request: Option<u64>,
    /// What came last.
    pub value: Option<T>,
    /// When it came.
    pub loaded_at: Option<DateTime<Utc>>,
    /// Why the last request failed; the last value stays.
    pub error: Option<String>,
}

impl<T> Default for Load<T> {
    fn default() -> Self {
        Self { request: None, value: None, loaded_at: None, error: None }
    }
}

impl<T> Load<T> {
    /// Whether an answer is awaited.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.request.is_some()
    }

    /// Awaits no answer any more; tells whether one was awaited.
    pub fn abandon(&mut self) -> bool {
        self.request.take().is_some()
    }

    /// Whether nothing came yet, nothing went wrong and nothing is awaited.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.value.is_none() && self.error.is_none() && !self.is_loading()
    }

    /// Whether the answer with this number is the awaited one; if so it is no longer awaited.
    pub fn take(&mut self, request: u64) -> bool {
        let awaited = self.request == Some(request);
        if awaited {
            self.request = None;
        }
        awaited
    }
}

/// A line for the message row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text.
    pub text: String,
    /// Whether something went wrong.
    pub is_error: bool,
    /// When it appeared.
    pub at: DateTime<Utc>,
}

/// The state.
#[derive(Clone, Debug)]
pub struct App {
    /// What does not change.
    pub settings: Settings,
    /// The time of the last [`super::msg::Msg::Tick`].
    pub now: DateTime<Utc>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Whether the database answers.
    pub connection: Connection,
    /// What answered last.
    pub server: Server,
    /// The password that is being typed, when one is asked for.
    pub login: Option<login::Password>,
    /// Whether new rows are read.
    pub live: bool,
    /// Whether the server tells of new rows.
    pub listening: live::Listening,
    /// When to look for new rows next.
    pub poll_at: Option<DateTime<Utc>>,
    /// The screen.
    pub view: View,
    /// The screens to go back to.
    pub back: Vec<View>,
    /// The screen shown before this one.
    pub previous: Option<View>,
    /// The list.
    pub invocations: invocations::State,
    /// The columns and the order of the list.
    pub columns: columns::State,
    /// What the rows of the list pass.
    pub filter: filter::State,
    /// The tree.
    pub flow: flow::State,
    /// The node.
    pub detail: detail::State,
    /// The log lines.
    pub logs: logs::State,
    /// The charts.
    pub charts: charts::State,
    /// How the jobs went.
    pub jobs: groups::State,
    /// What failed.
    pub failures: groups::State,
    /// Two cascades side by side.
    pub compare: compare::State,
    /// The marked invocations, in the order of marking.
    pub marks: Vec<Uuid>,
    /// Saved views.
    pub views: views::State,
    /// What is open over the screen.
    pub overlay: Option<overlay::Overlay>,
    /// What this run said.
    pub messages: messages::Messages,
    /// What was written to the terminal.
    pub traffic: messages::Traffic,
    /// The first line of the help that is shown, when it is open.
    pub help: Option<usize>,
    /// What is looked for in the help, while it is typed.
    pub help_search: Option<prompt::Line>,
    /// The message row.
    pub note: Option<Note>,
    /// The first key of a chord that waits for its second.
    pub pending: Option<KeyEvent>,
    /// Whether times are shown in local time.
    pub local_time: bool,
    /// Whether lists say how long ago something was, instead of when.
    pub ages: bool,
    /// Whether one pane of the screen has it all.
    pub zoomed: bool,
    /// Whether `q` was pressed at the root once.
    pub asked_to_quit: bool,
    /// What was asked of a screen before its first rows came, to be done then.
    pub typed_ahead: Vec<Action>,
    /// Whether the explorer is to end.
    pub quit: bool,
    /// The number of the last request.
    pub requests: u64,
}

/// The largest screen that is drawn, the rest stays empty: a terminal may claim 65,535 by 65,535 cells.
const MOST: (u16, u16) = (1_000, 500);

/// What is drawn of a terminal of this size.
fn drawn((columns, rows): (u16, u16)) -> (u16, u16) {
    (columns.min(MOST.0), rows.min(MOST.1))
}

impl App {
    /// A new state; [`super::update::start`] gives the first requests.
    #[must_use]
    pub fn new(settings: Settings, now: DateTime<Utc>, size: (u16, u16)) -> Self {
        Self {
            settings,
            now,
            size: drawn(size),
            connection: Connection::Connecting,
            server: Server::default(),
            login: None,
            live: true,
            listening: live::Listening::Off,
            poll_at: None,
            view: View::Invocations,
            back: Vec::new(),
            previous: None,
            invocations: invocations::State::default(),
            columns: columns::State::default(),
            filter: filter::State::default(),
            flow: flow::State::default(),
            detail: detail::State::default(),
            logs: logs::State::default(),
            charts: charts::State::default(),
            jobs: groups::State::new(0),
            failures: groups::State::new(2),
            compare: compare::State::default(),
            marks: Vec::new(),
            views: views::State::default(),
            overlay: None,
            messages: messages::Messages::default(),
            traffic: messages::Traffic::default(),
            help: None,
            help_search: None,
            note: None,
            pending: None,
            local_time: false,
            ages: false,
            zoomed: false,
            asked_to_quit: false,
            quit: false,
            typed_ahead: Vec::new(),
            requests: 0,
        }
    }

    /// The command line that does this, for a shell. A value stands in one word with its option, `--filter=…`: it may
    /// begin like another one.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> String {
        let quoted = arguments.iter().map(|argument| shell_argument(argument));
        [self.settings.command.clone().into()].into_iter().chain(quoted).collect::<Vec<_>>().join(" ")
    }

    /// A number for the next request.
    pub fn next_request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Says something in the message row.
    pub fn say(&mut self, text: impl Into<String>) {
        self.tell(text.into(), false);
    }

    /// Says in the message row that something went wrong.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.tell(text.into(), true);
    }

    /// Says that what is open over the screen does not know this key.
    pub(super) fn close_first(&mut self) {
        self.say(format!("not here: {} closes this first", self.settings.keys.key_of(self.view, Action::Back)));
    }

    fn tell(&mut self, text: String, is_error: bool) {
        let text = mask_text(&text).0.into_owned();
        self.messages.add(&text, is_error, self.now);
        self.note = Some(Note { text, is_error, at: self.now });
    }

    /// Goes to a screen and remembers this one.
    pub fn show(&mut self, view: View) {
        if self.view != view {
            self.back.retain(|&earlier| earlier != view);
            self.back.push(self.view);
            self.previous = Some(self.view);
            self.view = view;
        }
    }

    /// The time that the rows tell of: now, or when the database was heard last. What runs must not seem to go on while
    /// nobody knows.
    #[must_use]
    pub fn data_time(&self) -> DateTime<Utc> {
        if let Some(moment) = self.flow.replayed().filter(|_| self.view == View::Flow) {
            return moment;
        }
        match self.connection {
            Connection::Offline { since, .. } => since,
            _ => self.server.data_time(self.now),
        }
    }

    /// Whether the screen waits for the first rows that it is to show.
    #[must_use]
    pub fn waits_for_first_rows(&self) -> bool {
        match self.view {
            View::Invocations => self.invocations.rows.value.is_none() && self.invocations.rows.is_loading(),
            View::Flow => self.flow.flow.value.is_none() && self.flow.flow.is_loading(),
            View::Detail => self.detail.row.value.is_none() && self.detail.row.is_loading(),
            View::Logs | View::Charts | View::Jobs | View::Failures | View::Compare => false,
        }
    }

    /// Whether the screen has nothing to show and nothing on its way.
    #[must_use]
    pub fn has_nothing(&self) -> bool {
        match self.view {
            View::Invocations => self.invocations.rows.is_idle(),
            View::Flow => self.flow.flow.is_idle(),
            View::Detail => self.detail.row.is_idle(),
            View::Logs => self.logs.loki.is_idle() && self.logs.table.is_idle(),
            View::Charts => self.charts.hourly.is_idle(),
            View::Jobs => self.jobs.told.is_idle(),
            View::Failures => self.failures.told.is_idle(),
            View::Compare => self.compare.compared.is_idle(),
        }
    }

    /// Gives up what is on its way for a screen that was left; tells whether something was.
    pub(super) fn abandon(&mut self, view: View) -> bool {
        match view {
            View::Invocations => invocations::abandon(self),
            View::Flow => self.flow.flow.abandon(),
            View::Detail => self.detail.row.abandon(),
            View::Logs => logs::abandon(self),
            View::Charts => charts::abandon(self),
            View::Jobs | View::Failures => groups::abandon(self, view),
            View::Compare => self.compare.compared.abandon(),
        }
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.size = drawn(size);
    }

    /// Lines of a page below a header and above a footer of `chrome` lines together.
    #[must_use]
    pub fn page(&self, chrome: u16) -> usize {
        usize::from(self.size.1.saturating_sub(chrome)).max(1)
    }

    /// Whether the header has two lines.
    #[must_use]
    pub fn is_tall(&self) -> bool {
        self.size.1 >= TALL
    }

    /// Whether a banner stands below the header.
    #[must_use]
    pub fn has_banner(&self) -> bool {
        matches!(self.connection, Connection::Offline { .. } | Connection::Refused { .. })
    }

    /// Whether something is open over the screen.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.help.is_some() || self.overlay.is_some()
    }

    /// Rows of a screen's body: what header, banner, rule, message row and key row leave.
    #[must_use]
    pub fn body_rows(&self) -> u16 {
        let header = if self.is_tall() { 2 } else { 1 };
        self.size.1.saturating_sub(header + u16::from(self.has_banner()) + 3)
    }

    /// The time zone that is shown.
    pub(super) fn time_zone(&self) -> Zone {
        if self.local_time { self.settings.zone.clone() } else { Zone::UTC }
    }

    /// A moment in the time zone that is shown.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        self.time_zone().local(at)
    }

    /// A moment in the time zone that is shown, in a form of `strftime`, or the word for one without a date.
    #[must_use]
    pub fn shown<'f>(&self, at: DateTime<Utc>, form: &'f str) -> Shown<'f> {
        time::shown(at, self.local(at), form)
    }

    /// Whether day and month alone would be taken for those of this year.
    #[must_use]
    pub fn is_of_another_year(&self, at: DateTime<Utc>) -> bool {
        (self.now - at).num_days().abs() > 300
    }

    /// What stands behind a time: `Z` for UTC, nothing for local time.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        if self.local_time { "" } else { "Z" }
    }

    /// The database answered, or it did not: every answer of the store passes here, and a failure's text comes back.
    pub fn heard<T>(&mut self, answer: Result<T, Failure>) -> Result<T, String> {
        let failure = match answer {
            Ok(value) => {
                self.connection = Connection::Online;
                return Ok(value);
            }
            Err(failure) => failure,
        };
        let error = failure.text.clone();
        self.messages.add(&error, true, self.now);
        self.connection = match (failure.kind, std::mem::replace(&mut self.connection, Connection::Online)) {
            (FailureKind::Refused { login }, _) => Connection::Refused { error, login },
            // Requests that fail together are one attempt.
            (FailureKind::Unreachable, Connection::Offline { since, attempt, retry_at: Some(at), .. }) => {
                Connection::Offline { since, error, attempt, retry_at: Some(at) }
            }
            (FailureKind::Unreachable, Connection::Offline { since, attempt, retry_at: None, .. }) => {
                Connection::Offline { since, error, attempt: attempt + 1, retry_at: None }
            }
            (FailureKind::Unreachable, _) => Connection::Offline { since: self.now, error, attempt: 1, retry_at: None },
            // Who refuses a query can be reached.
            (FailureKind::Other, _) => Connection::Online,
        };
        Err(failure.text)
    }

    /// When a [`super::msg::Msg::Tick`] is wanted although nothing happens; `None` lets the loop sleep.
    #[must_use]
    pub fn wake_at(&self) -> Option<DateTime<Utc>> {
        let replay = self.flow.replay.as_ref().and_then(|replay| replay.next_at);
        [replay, self.read_at()].into_iter().flatten().min()
    }

    /// When the database is asked next without anybody's wish.
    #[must_use]
    pub fn read_at(&self) -> Option<DateTime<Utc>> {
        match &self.connection {
            _ if !self.live => None,
            Connection::Offline { retry_at, .. } => *retry_at,
            Connection::Refused { .. } => None,
            Connection::Connecting | Connection::Online => self.poll_at,
        }
    }
}

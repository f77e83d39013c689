//! What can happen, and what the state may ask for.

mod copied;
mod data;
mod names;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use serde_json::Value;
use uuid::Uuid;

use super::app::{kept, live};
use super::keymap::Keymap;
use crate::logs::{LogError, LogPage, LogQuery};
use crate::model::failures::{Failures, JobStats};
use crate::model::filter::{Filter, Known};
use crate::model::flow::{Kind, Rows};
use crate::model::hourly::{Hourly, Step};
use crate::model::invocation::{Count, Found, Inside, Key, Page, Server};
use crate::model::losses::Losses;
use crate::tui::app::login::Password;

pub use copied::{Copied, Form};
pub use data::{Document, Failure, FailureKind, Mouse, Program};
pub use view::View;

/// What a key means. One meaning in all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// One line down.
    Down,
    /// One line up.
    Up,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// Fold, or an hour back.
    Left,
    /// Unfold, or an hour on.
    Right,
    /// Fold or unfold.
    FoldToggle,
    /// Fold everything.
    FoldAll,
    /// Unfold everything.
    UnfoldAll,
    /// The next sibling, or the next section.
    NextSibling,
    /// The previous sibling, or the previous section.
    PreviousSibling,
    /// The root of the cascade.
    Origin,
    /// Open what is selected.
    Open,
    /// Close, or go back.
    Back,
    /// To the screen shown before this one.
    PreviousView,
    /// To a screen.
    Show(View),
    /// The next section.
    NextPane,
    /// The previous section.
    PreviousPane,
    /// One pane over the whole screen, or all again.
    Zoom,
    /// Preview on or off.
    Preview,
    /// Preview beside the list, below it, or away.
    PreviewPlace,
    /// The next failure.
    NextFailure,
    /// The failure before.
    PreviousFailure,
    /// Undetected events on or off.
    Undetected,
    /// Stay at the newest row.
    Follow,
    /// Stop or go on reading new rows.
    Pause,
    /// Read again now.
    Refresh,
    /// Wrap long lines.
    Wrap,
    /// Show masked secrets on this screen.
    Reveal,
    /// The difference of the old and the new row.
    Diff,
    /// The failures with the same fingerprint.
    Fingerprint,
    /// Copy the value under the cursor.
    CopyValue,
    /// Copy the row as JSON.
    CopyRow,
    /// Copy the correlation id.
    CopyCorrelation,
    /// Copy the command line that gives the same data.
    CopyCommand,
    /// Copy the path of a JSON value.
    CopyPath,
    /// Copy the link to the log lines in Grafana.
    CopyLink,
    /// Read what is shown in the pager.
    Pager,
    /// Read what is shown in the editor.
    Editor,
    /// Write what is shown into a file.
    Export,
    /// Log lines of the selected node.
    Logs,
    /// Log lines of the node, or of the whole cascade.
    LogScope,
    /// Cycle the lowest log level shown.
    LogLevel,
    /// The next length of the time range, or a choice of them.
    TimeRange,
    /// The time range earlier.
    Earlier,
    /// The time range later.
    Later,
    /// UTC or local time.
    TimeZone,
    /// Filter by a value of what is selected.
    FilterBy,
    /// Filter out a value of what is selected.
    FilterOut,
    /// Only what is selected, or all again.
    OnlyThis,
    /// Open the prompt of a find, or of the filter.
    Find,
    /// The next hit.
    NextHit,
    /// The hit before.
    PreviousHit,
    /// Keep only the lines that are hit.
    OnlyHits,
    /// The next warning.
    NextWarning,
    /// The warning before.
    PreviousWarning,
    /// Fold everything but the ways to failures.
    FoldHealthy,
    /// The critical path on or off.
    CriticalPath,
    /// The cascade from moment to moment.
    Replay,
    /// To the moment before.
    ReplayBack,
    /// To the next moment.
    ReplayForward,
    /// Play the replay, or stop it.
    ReplayPlay,
    /// More time on the axis.
    ZoomOut,
    /// Less time on the axis.
    ZoomIn,
    /// The list of saved views.
    Views,
    /// Save how the list is looked at.
    SaveView,
    /// Type the name of an action.
    Palette,
    /// The messages of this run.
    Messages,
    /// What the upper panel shows.
    Metric,
    /// The help.
    Help,
    /// Mark the row, or take its mark away.
    Mark,
    /// Take all marks away.
    ClearMarks,
    /// Sort the rows by the next column.
    SortColumn,
    /// Turn the order of the rows round.
    SortReverse,
    /// Choose the columns.
    Columns,
    /// Ask for a password.
    Login,
    /// The two marked cascades side by side.
    Compare,
    /// Draw everything again.
    Redraw,
    /// To the background; `fg` returns.
    Suspend,
    /// Back, at the root leave.
    Quit,
    /// Leave at once.
    QuitNow,
}

/// What can happen. Answers carry the number of the request, so that late ones can be told from current ones.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// It is this late now. Comes before every other message and when [`super::app::App::wake_at`] is reached.
    Tick(DateTime<Utc>),
    /// Rows of the list.
    Page(u64, Result<Page, Failure>),
    /// Rows of the list that were found before the search for them ended.
    Found(u64, Found),
    /// The newest rows, and those asked for by id.
    Changes(u64, Result<Page, Failure>),
    /// What is below the selected row of the list.
    Inside(u64, Result<Inside, Failure>),
    /// Text was pasted.
    Paste(String),
    /// Values out of payloads.
    Values(u64, Result<Vec<(Uuid, Option<String>)>, Failure>),
    /// Names that can be completed in a filter.
    Known(u64, Result<Known, Failure>),
    /// What recorders lost in the range of the list, and that range.
    Losses(String, Result<Losses, Failure>),
    /// How many rows pass the filter.
    Count(u64, Result<Count, Failure>),
    /// What the server is, before each page and each look for changes.
    Server(Server),
    /// The server told something without being asked.
    Hint(live::Hint),
    /// The rows of a cascade; `None` when its invocation is gone.
    Cascade(u64, Result<Option<Rows>, Failure>),
    /// A raw row; `None` when it is gone.
    Row(u64, Result<Option<Value>, Failure>),
    /// Hourly numbers.
    Hourly(u64, Result<Hourly, Failure>),
    /// Hourly numbers, as far as they have been counted.
    HourlySoFar(u64, Hourly),
    /// What failed.
    Failures(u64, Result<Failures, Failure>),
    /// The rows of two cascades.
    Compared(u64, Result<(Rows, Rows), Failure>),
    /// How the jobs went.
    JobStats(u64, Result<JobStats, Failure>),
    /// Log lines.
    Logs(u64, Result<LogPage, LogError>),
    /// Lines of the table `job_logs`, merged with those above.
    TableLogs(u64, Result<LogPage, Failure>),
    /// The next attempt to reach the database is due then.
    RetryAt(DateTime<Utc>),
    /// The saved views, or why there are none.
    Views(Result<Vec<kept::View>, String>),
    /// A view was saved, and these are all; nothing when another one has its name.
    ViewSaved(kept::View, Result<Option<Vec<kept::View>>, String>),
    /// The configuration was edited: its keys, or what is wrong with them.
    Keys(Result<Keymap, String>),
    /// How much memory is used, in bytes, where the system tells, and the least time between frames that news alone cause.
    Performance(Option<u64>, Duration),
    /// A request took long: what was asked for, and how long.
    Slow(&'static str, Duration),
    /// Something was copied or written, or why not, in words for the message row.
    Told(Result<String, String>),
}

/// What the state asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Cmd {
    /// Rows of the list, newest first, from the newest or older than a key.
    Page {
        /// Number of the request.
        request: u64,
        /// What they pass; its times are exact.
        filter: Filter,
        /// Where the last page ended.
        older_than: Option<Key>,
        /// At most so many.
        limit: usize,
    },
    /// Names that occurred since then, to be completed in a filter.
    Known {
        /// Number of the request.
        request: u64,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The values at a path of the payloads of these invocations, once nothing else was asked for a moment.
    Values {
        /// Number of the request.
        request: u64,
        /// The invocations.
        ids: Vec<Uuid>,
        /// The names on the way to the value.
        path: Vec<String>,
    },
    /// Give up asking for these names, on the server too.
    LeavePrompt,
    /// How many rows pass a filter.
    Count {
        /// Number of the request.
        request: u64,
        /// The filter; its times are exact.
        filter: Filter,
    },
    /// What changed: the newest rows back to a little before `since`, and the rows with these ids, as far as they pass.
    Changes {
        /// Number of the request.
        request: u64,
        /// What they pass; its times are exact.
        filter: Filter,
        /// The newest row that is known.
        since: Option<Key>,
        /// Rows that had not ended when they were last seen.
        unfinished: Vec<Uuid>,
        /// At most so many newest rows.
        limit: usize,
    },
    /// What is directly below an invocation, once nothing else was asked for a moment.
    Inside {
        /// Number of the request.
        request: u64,
        /// The invocation.
        invocation: Uuid,
    },
    /// The cascade that an invocation belongs to.
    Cascade {
        /// Number of the request.
        request: u64,
        /// The invocation.
        invocation: Uuid,
    },
    /// The raw row of a node.
    Row {
        /// Number of the request.
        request: u64,
        /// Which table.
        kind: Kind,
        /// Its id.
        id: Uuid,
    },
    /// Hourly numbers from one moment to another.
    Hourly {
        /// Number of the request.
        request: u64,
        /// First step.
        from: DateTime<Utc>,
        /// Last step.
        to: DateTime<Utc>,
        /// How much time is counted together.
        step: Step,
    },
    /// The cascades that two invocations belong to.
    Compare {
        /// Number of the request.
        request: u64,
        /// The first.
        left: Uuid,
        /// The second.
        right: Uuid,
    },
    /// What failed from one moment to another.
    Failures {
        /// Number of the request.
        request: u64,
        /// From here.
        from: DateTime<Utc>,
        /// To here.
        to: DateTime<Utc>,
    },
    /// How the jobs went from one moment to another.
    JobStats {
        /// Number of the request.
        request: u64,
        /// From here.
        from: DateTime<Utc>,
        /// To here.
        to: DateTime<Utc>,
    },
    /// Log lines of Grafana or Loki, and of the table `job_logs` for these jobs.
    Logs {
        /// Number of the request.
        request: u64,
        /// What to ask for; nothing when the node carries no correlation id.
        query: Option<LogQuery>,
        /// Whose rows of `job_logs` to read.
        jobs: Vec<Uuid>,
    },
    /// Use this password from now on.
    Login(Password),
    /// Listen for what is written, until the connection breaks: then a hint says so.
    Listen,
    /// Listen no longer.
    Unlisten,
    /// Announce the next attempt after so many failed ones.
    Retry {
        /// Failed attempts so far, from 1.
        attempt: u32,
    },
    /// Put text into the terminal's clipboard.
    Copy(Copied),
    /// Put the link to these log lines in Grafana into the terminal's clipboard.
    CopyLink(LogQuery),
    /// Show a text in another program.
    Open(Document, Program),
    /// Write a text into a file.
    Export(Document),
    /// Read the saved views of this file.
    ReadViews(PathBuf),
    /// Save a view in this file.
    SaveView {
        /// The file.
        file: PathBuf,
        /// The view.
        view: kept::View,
        /// Also in the place of another one of its name.
        replace: bool,
    },
    /// Delete a view of this file.
    DeleteView {
        /// The file.
        file: PathBuf,
        /// Its name.
        name: String,
    },
    /// Let a person edit the keys in this configuration file.
    EditKeys(PathBuf),
    /// Tell what frames cost.
    Performance,
    /// Draw everything again.
    Redraw,
    /// Stop this process as the shell's Ctrl-Z does.
    Suspend,
    /// Give up what is on its way for a screen that was left, on the server too.
    Leave(View),
}

//! All that is recorded of one node.

mod content;
mod diff;
mod hits;
mod layout;
mod summary;

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::cursor::Cursor;
use super::find::Find;
use super::{App, Load, flow, groups, logs};
use crate::model::flow::Kind;
use crate::model::outline::{EntryId, Folds};
use crate::model::redact::mask;
use crate::model::status::Recorded;
use crate::tui::msg::{Action, Cmd, Copied, Failure, Form, View};

use content::unfold_diff;

pub use content::{Content, TextLine};
pub use diff::{Diff, DiffLine, DiffRow};
pub use hits::{go_to_hit, search, searched, selected_thing};
pub use layout::Layout;
pub use summary::{Field, Tone, fields, link};

/// A part of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What it is and how it went.
    #[default]
    Summary,
    /// The event's payload.
    Payload,
    /// Old and new row.
    Diff,
    /// Context data.
    Context,
    /// A job's options.
    Options,
    /// A job's result.
    Result,
    /// Error and stack.
    Error,
    /// The whole row.
    Raw,
}

impl Section {
    /// The sections that a kind of node has.
    #[must_use]
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Invocation => &[Self::Summary, Self::Payload, Self::Diff, Self::Context, Self::Error, Self::Raw],
            Kind::Event => &[Self::Summary, Self::Error, Self::Raw],
            Kind::Job => &[Self::Summary, Self::Options, Self::Result, Self::Error, Self::Raw],
        }
    }

    /// Its name on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Payload => "Payload",
            Self::Diff => "Diff",
            Self::Context => "Context",
            Self::Options => "Options",
            Self::Result => "Result",
            Self::Error => "Error",
            Self::Raw => "Raw",
        }
    }
}

/// One section: what it shows, and where the cursor is.
#[derive(Clone, Debug, Default)]
pub struct Pane {
    /// What it shows; derived from the row when the section is first looked at.
    pub content: Option<Content>,
    /// The selected line.
    pub cursor: Cursor,
    /// What is folded.
    pub folds: Folds,
    /// The selected entry, while there is no content.
    selected: Option<EntryId>,
}

/// The node.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Which row.
    pub of: Option<(Kind, Uuid)>,
    /// The raw row.
    pub row: Load<Value>,
    /// The raw row with its secrets masked.
    masked: Value,
    /// The section on the screen.
    pub section: Section,
    /// The sections that were looked at.
    pub panes: BTreeMap<Section, Pane>,
    /// Whether secrets are shown.
    pub revealed: bool,
    /// Whether long values are wrapped.
    pub wrap: bool,
    /// Whether what did not change and what did not apply is shown, too.
    pub all_shown: bool,
    /// What is looked for: hits are entries of the section's outline, or its lines.
    pub find: Find,
}

impl State {
    /// The section on the screen.
    #[must_use]
    pub fn pane(&self) -> Option<&Pane> {
        self.panes.get(&self.section)
    }

    /// What the section on the screen shows.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        self.pane()?.content.as_ref()
    }

    /// The row as it is shown: with its secrets masked, unless they are asked for.
    #[must_use]
    pub fn shown(&self) -> Option<&Value> {
        let row = self.row.value.as_ref()?;
        Some(if self.revealed { row } else { &self.masked })
    }

    /// A column of the row, as it is shown.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Value> {
        self.shown()?.get(name).filter(|value| !value.is_null())
    }
}

fn layout(app: &App) -> Layout {
    Layout::of(app.detail.section, app.size.0, app.body_rows())
}

fn rows(app: &App) -> usize {
    usize::from(layout(app).lines).max(1)
}

/// Shows a node and goes to the screen; `diff` opens the section with the difference of old and new row.
pub fn open(app: &mut App, kind: Kind, id: Uuid, diff: bool) -> Vec<Cmd> {
    app.show(View::Detail);
    if app.detail.of == Some((kind, id)) {
        hide(app);
    } else {
        app.detail =
            State { of: Some((kind, id)), wrap: app.detail.wrap, all_shown: app.detail.all_shown, ..State::default() };
    }
    let section = if diff && kind == Kind::Invocation { Section::Diff } else { Section::Summary };
    show_section(app, section);
    app.detail.row.request = None;
    load(app)
}

fn load(app: &mut App) -> Vec<Cmd> {
    let Some((kind, id)) = app.detail.of.filter(|_| !app.detail.row.is_loading()) else { return Vec::new() };
    let request = app.next_request();
    app.detail.row.request = Some(request);
    vec![Cmd::Row { request, kind, id }]
}

/// Reads again while the node is unfinished. What has ended stays as it is, however large it is.
pub fn refresh(app: &mut App) -> Vec<Cmd> {
    let status = app.detail.column("status").and_then(Value::as_str);
    if status.is_some_and(|status| Recorded::parse(status).is_finished()) && app.detail.row.error.is_none() {
        return Vec::new();
    }
    load(app)
}

/// The row came.
pub fn loaded(app: &mut App, request: u64, answer: Result<Option<Value>, Failure>) -> Vec<Cmd> {
    if !app.detail.row.take(request) {
        return Vec::new();
    }
    let answer = app.heard(answer);
    let now = app.now;
    let row = &mut app.detail.row;
    match answer {
        Ok(Some(value)) => {
            row.error = None;
            row.loaded_at = Some(now);
            if row.value.as_ref() != Some(&value) {
                app.detail.masked = value.clone();
                mask(&mut app.detail.masked);
                app.detail.row.value = Some(value);
                forget_contents(app);
                derive(app);
            }
        }
        Ok(None) => {
            row.error =
                Some("this row is no longer in the database: it was deleted, or its retention is over".to_owned());
        }
        Err(error) => row.error = Some(error),
    }
    Vec::new()
}

/// Derives what the section on the screen shows, unless that is done, and looks for the hits in it.
fn derive(app: &mut App) {
    derive_content(app);
    search(app);
}

fn derive_content(app: &mut App) {
    let rows = rows(app);
    let reason = content::reason(app);
    let state = &mut app.detail;
    let (Some((kind, _)), Some(row)) = (state.of, &state.row.value) else { return };
    let pane = state.panes.entry(state.section).or_default();
    if pane.content.is_some() {
        return;
    }
    pane.content = Content::derive(state.section, kind, row, state.revealed, &reason);
    if let Some(Content::Diff(Some(diff))) = &mut pane.content {
        diff.open = state.all_shown;
    }
    pane.list(rows);
}

fn forget_contents(app: &mut App) {
    for pane in app.detail.panes.values_mut() {
        pane.selected = pane.selected_entry().map(|(outline, at)| outline.entries()[at].id).or(pane.selected);
        pane.content = None;
    }
}

/// Masks the secrets again; also when the screen is left.
pub fn hide(app: &mut App) {
    if app.detail.revealed {
        app.detail.revealed = false;
        forget_contents(app);
        derive(app);
    }
}

fn show_section(app: &mut App, section: Section) {
    app.detail.section = section;
    derive(app);
}

fn step_section(app: &mut App, forward: bool) {
    let Some((kind, _)) = app.detail.of else { return };
    let all = Section::of(kind);
    let at = all.iter().position(|&section| section == app.detail.section).unwrap_or_default();
    let next = if forward { at + 1 } else { at + all.len() - 1 };
    show_section(app, all[next % all.len()]);
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let (rows, len) = (rows(app), lines(app));
    let section = app.detail.section;
    let pane = app.detail.panes.entry(section).or_default();
    if pane.cursor.act(action, len, rows) || pane.walk(action, rows) || unfold_diff(&mut app.detail, action, rows) {
        return Vec::new();
    }
    match action {
        Action::NextPane | Action::NextSibling => step_section(app, true),
        Action::PreviousPane | Action::PreviousSibling => step_section(app, false),
        Action::Diff => return diff_of(app),
        Action::Fingerprint => {
            let node = app.detail.of.and_then(|(_, id)| app.flow.flow.value.as_ref()?.find(id));
            return groups::open_fingerprint(app, node);
        }
        Action::Refresh => return load(app),
        Action::Wrap => app.detail.wrap = !app.detail.wrap,
        Action::Reveal => {
            app.detail.revealed = !app.detail.revealed;
            forget_contents(app);
            derive(app);
        }
        Action::Logs => {
            let node = app.detail.of.and_then(|(_, id)| app.flow.flow.value.as_ref()?.find(id));
            match flow::subject(app, node) {
                Some(subject) => return logs::open(app, subject),
                None => app.complain("logs are asked for from the flow: open it first"),
            }
        }
        _ => return copy(app, action).into_iter().collect(),
    }
    Vec::new()
}

/// Selects the line that stands in this row of the body. Not where lines have several rows.
pub fn click(app: &mut App, row: usize) -> Vec<Cmd> {
    let layout = layout(app);
    let (rows, len) = (rows(app), lines(app));
    let line = row.checked_sub(2 + usize::from(layout.head)).filter(|&line| line < rows && !app.detail.wrap);
    if let (Some(line), Some(pane)) = (line, app.detail.panes.get_mut(&app.detail.section)) {
        let at = pane.cursor.window(len, rows).start + line;
        if at < len {
            pane.cursor.go(at, len, rows);
        }
    }
    Vec::new()
}

/// The row difference of the node, or of the invocation that it belongs to.
fn diff_of(app: &mut App) -> Vec<Cmd> {
    let Some((kind, id)) = app.detail.of else { return Vec::new() };
    if kind == Kind::Invocation {
        show_section(app, Section::Diff);
        return Vec::new();
    }
    let own = app.detail.column("invocation_id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let above = || {
        let flow = app.flow.flow.value.as_ref()?;
        Some(flow.nodes[flow.invocation_of(flow.find(id)?)?].id)
    };
    match own.or_else(above) {
        Some(invocation) => open(app, Kind::Invocation, invocation, true),
        None => Vec::new(),
    }
}

/// Lines of the section on the screen.
fn lines(app: &App) -> usize {
    match app.detail.content() {
        Some(content) => content.len(),
        None if app.detail.section == Section::Summary => fields(app).len(),
        None => 0,
    }
}

fn copy(app: &App, action: Action) -> Option<Cmd> {
    let state = &app.detail;
    let (kind, id) = state.of?;
    let at = state.pane().map(|pane| pane.cursor.at).unwrap_or_default();
    let (form, text, what) = match action {
        Action::CopyCommand => (Form::Value, app.command(&["show", &id.to_string()]), "the command"),
        Action::CopyCorrelation => {
            (Form::Value, state.column("correlation_id").and_then(Value::as_str)?.to_owned(), "the correlation id")
        }
        Action::CopyPath => (Form::Json, state.content()?.path(at)?, "the path"),
        Action::CopyValue => match state.content() {
            Some(content) => {
                let (form, text) = content.value(at)?;
                (form, text, "the value")
            }
            None => (Form::Value, fields(app).get(at)?.value.clone(), "the value"),
        },
        Action::CopyRow => match state.content() {
            Some(content) => {
                let (form, text) = content.whole(at)?;
                (form, text, content.whole_name())
            }
            None => (Form::Json, format!("{:#}", state.shown()?), kind.short()),
        },
        _ => return None,
    };
    Some(Cmd::Copy(Copied::new(form, &text, what)))
}

#[cfg(test)]
pub(in crate::tui) mod tests;

//! What a section shows, derived once from the row.

use serde_json::Value;

use super::{Diff, DiffLine, DiffRow, Pane, Section, State};
use crate::model::flow::Kind;
use crate::model::outline::{Folds, Outline, plain_text};
use crate::tui::app::App;
use crate::tui::msg::{Action, Form};

/// A line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLine {
    /// The line, as it was stored.
    pub text: String,
    /// Whether it is a heading of ours.
    pub is_heading: bool,
}

/// What a section shows.
#[derive(Clone, Debug)]
pub enum Content {
    /// JSON.
    Outline {
        /// All of it.
        outline: Outline,
        /// The visible entries: derived from the outline and its folds whenever one of them changes.
        lines: Vec<usize>,
    },
    /// Old and new row; none in a payload without rows.
    Diff(Option<Diff>),
    /// Errors and stacks.
    Text {
        /// The lines.
        lines: Vec<TextLine>,
        /// The first error, whole.
        message: String,
        /// How many secrets there are.
        secrets: usize,
    },
}

impl Content {
    /// Derives it; `None` for the summary, which is made of the row when it is drawn.
    pub(super) fn derive(section: Section, kind: Kind, row: &Value, revealed: bool, reason: &str) -> Option<Self> {
        let outline = |value: &Value| Self::Outline { outline: Outline::build(value, revealed), lines: Vec::new() };
        let column = |name: &str| outline(row.get(name).unwrap_or(&Value::Null));
        Some(match section {
            Section::Summary => return None,
            Section::Payload => column("source_event_payload"),
            Section::Context => column("context_data"),
            Section::Options => column("job_options"),
            Section::Result => column("result"),
            Section::Raw => outline(row),
            Section::Diff => {
                Self::Diff(row.get("source_event_payload").and_then(|payload| Diff::of(payload, revealed)))
            }
            Section::Error => errors(kind, row, revealed, reason),
        })
    }

    /// How many lines it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Outline { lines, .. } => lines.len(),
            Self::Diff(diff) => diff.as_ref().map_or(0, Diff::len),
            Self::Text { lines, .. } => lines.len(),
        }
    }

    /// Whether it has no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many secrets there are in it.
    #[must_use]
    pub fn secrets(&self) -> usize {
        match self {
            Self::Outline { outline, .. } => outline.secrets,
            Self::Diff(diff) => diff.as_ref().map_or(0, |diff| diff.secrets),
            Self::Text { secrets, .. } => *secrets,
        }
    }

    /// The value of a line, for the clipboard: a text without quotes, anything else as JSON.
    pub(super) fn value(&self, line: usize) -> Option<(Form, String)> {
        let copy = |value: &Value| match value {
            Value::String(text) => (Form::Value, text.clone()),
            value => (Form::Json, format!("{value:#}")),
        };
        match self {
            Self::Outline { outline, lines } => Some(copy(&outline.value(*lines.get(line)?))),
            Self::Diff(diff) => {
                let row = diff_row(diff.as_ref()?, line)?;
                Some(row.new.as_ref().or(row.old.as_ref()).map_or((Form::Value, String::new()), copy))
            }
            Self::Text { message, .. } => Some((Form::Lines, message.clone())).filter(|_| !message.is_empty()),
        }
    }

    /// Where the value of a line is, for the clipboard: `.event.data.new.status`, in the difference of rows `config.sla`.
    pub(super) fn path(&self, line: usize) -> Option<String> {
        match self {
            Self::Outline { outline, lines } => Some(outline.path(*lines.get(line)?)),
            Self::Diff(diff) => Some(diff_row(diff.as_ref()?, line)?.path.clone()),
            Self::Text { .. } => None,
        }
    }

    /// A line with everything below it, for the clipboard.
    pub(super) fn whole(&self, line: usize) -> Option<(Form, String)> {
        match self {
            Self::Outline { outline, lines } => Some((Form::Json, format!("{:#}", outline.value(*lines.get(line)?)))),
            Self::Diff(diff) => diff_row(diff.as_ref()?, line).map(|row| {
                let value = serde_json::json!({"path": row.path, "old": row.old, "new": row.new});
                (Form::Json, format!("{value:#}"))
            }),
            Self::Text { lines, .. } => {
                Some((Form::Lines, lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")))
            }
        }
    }

    /// What [`Self::whole`] gives.
    pub(super) fn whole_name(&self) -> &'static str {
        match self {
            Self::Outline { .. } => "the JSON below the cursor",
            Self::Diff(_) => "the change as JSON",
            Self::Text { .. } => "the error with its stack",
        }
    }
}

fn diff_row(diff: &Diff, line: usize) -> Option<&DiffRow> {
    match diff.line(line)? {
        DiffLine::Row(row) => Some(row),
        DiffLine::Unchanged => None,
    }
}

/// Why the node counts as failed although its row holds no error.
pub(super) fn reason(app: &App) -> String {
    let node = app.detail.of.and_then(|(_, id)| {
        let flow = app.flow.flow.value.as_ref()?;
        flow.find(id).map(|node| &flow.nodes[node])
    });
    node.and_then(|node| node.reason.clone()).unwrap_or_default()
}

fn errors(kind: Kind, row: &Value, revealed: bool, reason: &str) -> Content {
    let columns: &[(&str, &str)] = match kind {
        Kind::Event => &[("detection_error", "detection_error_stack"), ("handler_error", "handler_error_stack")],
        Kind::Invocation | Kind::Job => &[("error_message", "error_stack")],
    };
    let mut lines = Vec::new();
    let (mut first, mut secrets) = (String::new(), 0);
    let column = |name: &str| row.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    for name in columns.iter().flat_map(|&(message, stack)| [message, stack]) {
        let Some(stored) = column(name) else { continue };
        let (text, found) = plain_text(stored, revealed);
        secrets += found;
        if !lines.is_empty() {
            lines.push(TextLine { text: String::new(), is_heading: false });
        }
        lines.push(TextLine { text: name.replace('_', " "), is_heading: true });
        lines.extend(text.lines().map(|line| TextLine { text: line.to_owned(), is_heading: false }));
        if first.is_empty() {
            first = text;
        }
    }
    if lines.is_empty() {
        let text = match reason {
            "" => "no error is recorded".to_owned(),
            reason => format!("no error of its own: {reason}; e in the flow goes to the cause"),
        };
        lines.push(TextLine { text, is_heading: false });
    }
    Content::Text { lines, message: first, secrets }
}

/// Opens or closes what did not change, when the section is the difference of the rows and the key is about that.
pub(super) fn unfold_diff(state: &mut State, action: Action, rows: usize) -> bool {
    if state.section != Section::Diff {
        return false;
    }
    let pane = state.panes.entry(Section::Diff).or_default();
    let Some(Content::Diff(Some(diff))) = &mut pane.content else {
        // The detectors stand beside a payload without rows, too.
        let undetected = action == Action::Undetected;
        state.all_shown ^= undetected;
        return undetected;
    };
    let Some(open) = diff.wants_open(action, pane.cursor.at) else { return false };
    (diff.open, state.all_shown) = (open, open);
    if !open {
        pane.cursor.at = pane.cursor.at.min(diff.rows.len());
    }
    pane.cursor.clamp(diff.len(), rows);
    true
}

impl Pane {
    /// The outline and its selected entry.
    pub(super) fn selected_entry(&self) -> Option<(&Outline, usize)> {
        match &self.content {
            Some(Content::Outline { outline, lines }) => Some((outline, *lines.get(self.cursor.at)?)),
            _ => None,
        }
    }

    /// Derives the visible lines and brings the cursor back to what was selected.
    pub(super) fn list(&mut self, rows: usize) {
        let selected = self.selected.take();
        let Some(content) = &mut self.content else { return };
        if let Content::Outline { outline, lines } = content {
            *lines = outline.lines(&self.folds);
            let found = selected.and_then(|id| lines.iter().position(|&at| outline.entries()[at].id == id));
            self.cursor.at = found.unwrap_or(self.cursor.at);
        }
        self.cursor.clamp(content.len(), rows);
    }

    /// Folds, unfolds, goes along the outline; false when the action means something else.
    pub(super) fn walk(&mut self, action: Action, rows: usize) -> bool {
        let Some(Content::Outline { outline, lines }) = &self.content else { return false };
        let Some(entry) = lines.get(self.cursor.at).map(|&at| &outline.entries()[at]) else { return false };
        let open = entry.children().map(|children| (self.folds.is_open(entry), children));
        let parent = entry.parent.and_then(|parent| lines.binary_search(&parent).ok());
        let len = lines.len();
        match (action, open) {
            (Action::FoldToggle | Action::Open, Some(_))
            | (Action::Left, Some((true, _)))
            | (Action::Right, Some((false, _))) => {
                self.folds.toggle(entry);
                self.list(rows);
            }
            (Action::Left, _) => self.cursor.go(parent.unwrap_or(self.cursor.at), len, rows),
            (Action::Right, Some((true, 1..))) => self.cursor.go(self.cursor.at + 1, len, rows),
            (Action::Origin, _) => self.cursor.go(0, len, rows),
            (Action::FoldAll | Action::UnfoldAll, _) => {
                // What is selected may vanish: then its nearest container that stays.
                let mut above = lines.get(self.cursor.at).copied();
                while let Some(at) = above.filter(|&at| action == Action::FoldAll && outline.entries()[at].depth > 1) {
                    above = outline.entries()[at].parent;
                }
                self.selected = above.map(|at| outline.entries()[at].id);
                self.folds = if action == Action::FoldAll { Folds::all_closed() } else { Folds::all_open() };
                self.list(rows);
            }
            (Action::Right | Action::FoldToggle | Action::Open, _) => {}
            _ => return false,
        }
        true
    }
}

//! What messages carry: the mouse, texts to take away, failures.

use crate::model::redact::mask_text;
use crate::model::text::{clean_text, escape_json};

/// What the mouse did; columns and rows of the terminal are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The first button was pressed.
    Click {
        /// Column.
        column: u16,
        /// Row.
        row: u16,
    },
    /// The wheel was turned away.
    WheelUp,
    /// The wheel was turned towards the person.
    WheelDown,
}

/// What is shown, as a text to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// A name for its file, without folder and extension; safe for any file system.
    pub name: String,
    /// The extension of its file.
    pub extension: &'static str,
    /// The text.
    pub text: String,
}

impl Document {
    /// A text that came from data, made safe: JSON says the same afterwards, of other texts the lines stay.
    #[must_use]
    pub fn new(name: String, extension: &'static str, text: &str) -> Self {
        let text = if extension == "json" { escape_json(text) } else { clean_text(text) };
        Self { name, extension, text: text.into_owned() }
    }
}

/// A program that shows a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// That of `PAGER`.
    Pager,
    /// That of `VISUAL` or `EDITOR`.
    Editor,
}

/// Why an answer did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened and what to do next.
    pub text: String,
    /// What it means for everything else.
    pub kind: FailureKind,
}

/// What a failure means for everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The database cannot be reached: everything waits, and tries again by itself.
    Unreachable,
    /// It lets nobody in, or not this user: nothing is tried again until a person asks for it.
    Refused {
        /// Whether another password may help.
        login: bool,
    },
    /// Only this request failed.
    Other,
}

impl Failure {
    /// The database cannot be reached.
    #[must_use]
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self::new(text, FailureKind::Unreachable)
    }

    /// The database refuses this user.
    #[must_use]
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(text, FailureKind::Refused { login: true })
    }

    /// There is no such database.
    #[must_use]
    pub fn absent(text: impl Into<String>) -> Self {
        Self::new(text, FailureKind::Refused { login: false })
    }

    /// Only this request failed.
    #[must_use]
    pub fn other(text: impl Into<String>) -> Self {
        Self::new(text, FailureKind::Other)
    }

    /// Servers repeat values of rows in their errors.
    fn new(text: impl Into<String>, kind: FailureKind) -> Self {
        Self { text: mask_text(&text.into()).0.into_owned(), kind }
    }
}

//! What goes to the clipboard. It may be pasted into a shell, so that nothing that a terminal obeys and nothing that is not
//! seen is ever in it: this is the only way to make one.

use crate::model::text::{bytes, clean_counted, escape_json, plural};

/// What a copy is, which decides how it is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An id, a name, a command line: one line.
    Value,
    /// An error with its stack: line breaks stay, but for those at the end.
    Lines,
    /// JSON, or a path of it: nothing is lost, `\u…` is written.
    Json,
}

/// A text that is safe to be pasted, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    text: String,
    what: String,
    form: Form,
    replaced: usize,
}

impl Copied {
    /// A text that came from data, made safe; `what` it is comes into the notice.
    #[must_use]
    pub fn new(form: Form, text: &str, what: impl Into<String>) -> Self {
        let (text, replaced) = match form {
            Form::Value => {
                let (text, replaced) = clean_counted(text);
                (text.into_owned(), replaced)
            }
            Form::Lines => return Self::list(text.trim_end_matches(['\n', '\r']).lines(), what),
            Form::Json => (escape_json(text).into_owned(), 0),
        };
        Self { text, what: what.into(), form, replaced }
    }

    /// Texts that came from data, each on a line of its own.
    #[must_use]
    pub fn list<'a>(texts: impl Iterator<Item = &'a str>, what: impl Into<String>) -> Self {
        let (lines, counts): (Vec<_>, Vec<_>) = texts.map(clean_counted).unzip();
        Self { text: lines.join("\n"), what: what.into(), form: Form::Lines, replaced: counts.into_iter().sum() }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is: `row as JSON`.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What is said about it when it was copied: `copied the name, 12 B; 2 control or invisible characters replaced`.
    #[must_use]
    pub fn notice(&self) -> String {
        let lines = match self.text.lines().count() {
            lines @ 2.. if self.form == Form::Lines => format!(", {lines} lines"),
            _ => String::new(),
        };
        let replaced = match self.replaced {
            0 => String::new(),
            count => format!("; {} replaced", plural(count as u64, "control or invisible character")),
        };
        format!("copied {}{lines}, {}{replaced}", self.what, bytes(self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_copy_holds_what_a_terminal_obeys() {
        let evil = "a\u{1b}[201~\u{3}\nb\u{202e}\u{9b}\u{200b}\r\n\n";
        let told = |form| {
            let copied = Copied::new(form, evil, "the name");
            (copied.text().to_owned(), copied.notice())
        };
        let (text, notice) = told(Form::Value);
        assert_eq!(text, "a·[201~· b···   ");
        assert_eq!(notice, "copied the name, 21 B; 9 control or invisible characters replaced");
        let (text, notice) = told(Form::Lines);
        assert_eq!(text, "a·[201~·\nb···");
        assert_eq!(notice, "copied the name, 2 lines, 18 B; 5 control or invisible characters replaced");
        let (text, notice) = told(Form::Json);
        assert_eq!(text, "a\\u001b[201~\\u0003\nb\\u202e\\u009b\\u200b\\u000d\n\n");
        assert_eq!(notice, "copied the name, 46 B");
        assert_eq!(Copied::new(Form::Value, "moves.1", "the id").notice(), "copied the id, 7 B");
        assert_eq!(
            Copied::new(Form::Value, "a\u{7}", "the id").notice(),
            "copied the id, 3 B; 1 control or invisible character replaced"
        );
    }
}

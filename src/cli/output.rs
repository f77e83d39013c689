//! The two ways out: standard output, which every command prints to, and standard error. Whatever a command forgets,
//! nothing that a terminal obeys and nothing that is not seen passes here; without a locale of UTF-8 it is ASCII.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::io::{self, BufWriter, Stdout, Write};
use std::panic::PanicHookInfo;

use super::args::{Args, Command, DbCommand};
use super::{CliError, Exit, failed, variable};
use crate::model::text::{ascii, ascii_json, ascii_toml, clean_text, escape_json};
use crate::tui::theme::{Look, is_utf8};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines for people.
    Lines,
    /// JSON: all of it is kept, as `\u…` where it is not to be seen raw.
    Json,
    /// A configuration file, whose texts are in quotes.
    Toml,
}

impl Form {
    /// That of a command.
    pub(super) fn of(command: Option<&Command>) -> Self {
        let is_json = match command {
            Some(Command::Config { .. }) => return Self::Toml,
            Some(Command::Ls(ls)) => ls.json,
            Some(Command::Show(show)) => show.json,
            Some(Command::Tail(tail)) => tail.json,
            Some(Command::Logs(logs)) => logs.json,
            Some(Command::Db { command: DbCommand::Quarantine(rows) }) => rows.json,
            _ => false,
        };
        if is_json { Self::Json } else { Self::Lines }
    }
}

/// Text on its way out.
#[derive(Debug)]
pub(super) struct Output<W> {
    to: W,
    form: Form,
    ascii: bool,
}

impl Output<BufWriter<Stdout>> {
    /// Standard output. A wish for ASCII, or against it, goes before the locale.
    pub(super) fn stdout(args: &Args, look: Look) -> Self {
        let ascii = look.ascii.unwrap_or_else(|| !is_utf8(variable));
        Self::new(BufWriter::new(io::stdout()), Form::of(args.command.as_ref()), ascii)
    }
}

impl<W: Write> Output<W> {
    fn new(to: W, form: Form, ascii: bool) -> Self {
        Self { to, form, ascii }
    }
}

impl<W: Write> Write for Output<W> {
    /// Takes whole characters only, as everything gives them that formats text.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.to.write_all(safe(&text, self.form, self.ascii).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn safe(text: &str, form: Form, in_ascii: bool) -> Cow<'_, str> {
    let safe = match form {
        Form::Lines | Form::Toml => clean_text(text),
        Form::Json => escape_json(text),
    };
    if !in_ascii {
        return safe;
    }
    let ascii = match form {
        Form::Lines => ascii(&safe),
        Form::Toml => ascii_toml(&safe),
        Form::Json => ascii_json(&safe),
    };
    Cow::Owned(ascii.into_owned())
}

/// Says something on standard error.
pub(super) fn tell(text: &str) {
    // Nothing is left to tell it to when standard error is closed.
    let _ = io::stderr().write_all(format!("{}\n", safe(text, Form::Lines, !is_utf8(variable))).as_bytes());
}

/// Tells of a panic as the standard library does, but safely: what is told may have come from data.
pub(super) fn tell_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    tell(&format!("\nthread '{}' {panic}", thread.name().unwrap_or("<unnamed>")));
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tell(&format!("stack backtrace:\n{backtrace}")),
        _ => tell("note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"),
    }
}

/// Prints what clap has to say: help as it is, which holds nothing but our own words, and errors, which repeat the
/// arguments, in plain safe lines.
pub(super) fn tell_usage(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        tell(error.render().to_string().trim_end());
        return Exit::Usage;
    }
    match error.print() {
        Ok(()) => Exit::Ok,
        Err(error) => failed(&CliError::Output(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(form: Form, ascii: bool, text: &str) -> String {
        let mut out = Output::new(Vec::new(), form, ascii);
        writeln!(out, "{text:<4}|{text}").unwrap();
        out.flush().unwrap();
        String::from_utf8(out.to).unwrap()
    }

    #[test]
    fn nothing_raw_is_printed_whatever_a_command_forgets() {
        let evil = "ä\u{1b}\u{9b}\u{202e}\u{3164}";
        for (form, ascii, shown) in [
            (Form::Lines, false, "ä····"),
            (Form::Lines, true, "?????"),
            (Form::Json, false, "ä\\u001b\\u009b\\u202e\\u3164"),
            (Form::Json, true, "\\u00e4\\u001b\\u009b\\u202e\\u3164"),
            (Form::Toml, false, "ä····"),
            (Form::Toml, true, "\\u00e4\\u00b7\\u00b7\\u00b7\\u00b7"),
        ] {
            assert_eq!(printed(form, ascii, evil), format!("{shown}|{shown}\n"), "{form:?}");
        }
        assert_eq!(printed(Form::Json, true, "😀"), "\\ud83d\\ude00   |\\ud83d\\ude00\n");
        assert_eq!(printed(Form::Toml, true, "😀"), "\\U0001f600   |\\U0001f600\n");
    }
}

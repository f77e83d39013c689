//! Another program in our terminal: the pager or the editor.
//!
//! It gets the terminal as it was before us, and all keys; it belongs to our job, so that Ctrl-Z stops both and `fg`
//! brings both back. Ctrl-C is its own. A signal that ends us ends it first.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::programs::{Copy, command_line, start, wait};
use super::signals::{Caught, Signals};
use super::{Ended, Incoming, RunError, Running};
use crate::tui::effects::kept;
use crate::tui::msg::{Document, Msg, Program};
use crate::tui::update::update;

/// What another program is opened for.
#[derive(Debug)]
pub(super) enum Guest {
    /// To show a text.
    Text(Document, Program),
    /// To edit the keys in this configuration file.
    Keys(PathBuf),
}

impl Running {
    /// Has another program show or edit something, and comes back; `Some` when the explorer is to end instead.
    pub(super) async fn be_host(&mut self, incoming: &mut Incoming, guest: &Guest) -> Result<Option<Ended>, RunError> {
        match guest {
            Guest::Text(document, program) => match Copy::write(&std::env::temp_dir(), document) {
                Ok(copy) => self.lend(incoming, copy.path(), *program).await,
                Err(error) => {
                    let told = format!("nothing to read from: {}: {error}", std::env::temp_dir().display());
                    update(&mut self.app, Msg::Told(Err(told)));
                    Ok(None)
                }
            },
            Guest::Keys(file) => {
                if let Err(told) = kept::offer_keys(file) {
                    update(&mut self.app, Msg::Told(Err(told)));
                    return Ok(None);
                }
                let ended = self.lend(incoming, file, Program::Editor).await?;
                if ended.is_none() {
                    update(&mut self.app, Msg::Keys(kept::keys(file)));
                }
                Ok(ended)
            }
        }
    }

    /// Gives the terminal to a program and a file until it ends.
    async fn lend(
        &mut self,
        incoming: &mut Incoming,
        file: &Path,
        program: Program,
    ) -> Result<Option<Ended>, RunError> {
        let command_line = command_line(program, |name| std::env::var(name).ok());
        let paused = incoming.keyboard.pause().await;
        self.terminal.give_back();
        let (shown, ended) = show(incoming, &command_line, file).await;
        drop(paused);
        if ended.is_some() {
            return Ok(ended);
        }
        self.go_on()?;
        if let Err(told) = shown {
            update(&mut self.app, Msg::Told(Err(told)));
        }
        Ok(None)
    }
}

/// Hears the signals that came before the program ended: a Ctrl-C that ended it reaches us too, and perhaps later than
/// its end does. Signals that wait are delivered and told in the order of [`Signals::next`], so that one that we send
/// to ourselves, and that comes last in it, comes after all of them. Twice, because one may have been on its way.
async fn late(signals: &mut Signals) -> Option<Ended> {
    let mut ended = None;
    for _ in 0..2 {
        if kill_process(getpid(), Signal::WINCH).is_err() {
            break;
        }
        loop {
            match signals.next().await {
                Caught::Resized => break,
                Caught::End(2 | 3) | Caught::Continued => {}
                Caught::End(number) => ended = Some(Ended::Signal(number)),
                Caught::Suspended => {
                    let _ = kill_process(getpid(), Signal::STOP);
                }
            }
        }
    }
    ended
}

async fn show(incoming: &mut Incoming, command_line: &str, file: &Path) -> (Result<(), String>, Option<Ended>) {
    let child = match start(command_line, file) {
        Ok(child) => child,
        Err(error) => return (Err(format!("`{command_line}` cannot be started: {error}")), None),
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let line = command_line.to_owned();
    let mut waiting = tokio::task::spawn_blocking(move || wait(child, &line));
    let mut ended = None;
    loop {
        tokio::select! {
            shown = &mut waiting => {
                let shown = shown.unwrap_or_else(|error| Err(format!("`{command_line}` was lost: {}", io::Error::other(error))));
                return (shown, late(&mut incoming.signals).await.or(ended));
            }
            caught = incoming.signals.next() => match caught {
                // Ctrl-C and Ctrl-\ were meant for the program.
                Caught::End(2 | 3) | Caught::Resized | Caught::Continued => {}
                Caught::End(number) => {
                    ended = Some(Ended::Signal(number));
                    if let Some(pid) = pid {
                        // Of the many signals that end us, these two end every pager and editor. It may have ended.
                        let signal = if number == 1 { Signal::HUP } else { Signal::TERM };
                        let _ = kill_process(pid, signal);
                    }
                }
                // It has stopped itself; the shell waits for us.
                Caught::Suspended => {
                    let _ = kill_process(getpid(), Signal::STOP);
                }
            },
        }
    }
}

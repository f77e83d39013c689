//! The terminal: taken over as a whole, and given back however the explorer ends.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, Once, PoisonError};

use crossterm::cursor::{Hide, Show};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::Notify;

use crate::store::answer::is_caught;

/// The terminal, while it is ours. Whoever writes to it holds the lock: a panic of another thread gives the terminal
/// back between two frames, never within one.
static OURS: Mutex<Option<Ours>> = Mutex::new(None);
static HOOK: Once = Once::new();
/// Rung by a panic on any thread.
pub(super) static PANIC: Notify = Notify::const_new();

#[derive(Debug)]
struct Ours {
    out: File,
    mouse: bool,
}

/// The terminal of standard output. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Terminal {
    out: File,
    mouse: bool,
}

/// Presses and the wheel are reported, in the form without limits of the size.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Pasted text is told from keys.
const PASTE_ON: &[u8] = b"\x1b[?2004h";
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, no cursor, pasted text apart from keys; with `mouse` it reports the mouse.
    ///
    /// # Errors
    /// When standard output is no terminal.
    pub(super) fn take(mouse: bool) -> io::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let terminal = Self { out, mouse };
        install_hook();
        terminal.take_again()?;
        Ok(terminal)
    }

    /// Takes it once more, after it was given back or after another program used it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn take_again(&self) -> io::Result<()> {
        {
            let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
            // Raw mode may have been changed by the shell meanwhile.
            disable_raw_mode()?;
            *ours = Some(Ours { out: self.out.try_clone()?, mouse: self.mouse });
            enable_raw_mode()?;
        }
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, Hide)?;
        bytes.extend_from_slice(PASTE_ON);
        if self.mouse {
            bytes.extend_from_slice(MOUSE_ON);
        }
        self.write(&bytes)
    }

    /// Gives it back as it was.
    pub(super) fn give_back(&self) {
        give_back();
    }

    /// A terminal that was never taken.
    #[cfg(test)]
    pub(super) fn closed() -> Self {
        Self { out: File::open("/dev/null").unwrap(), mouse: false }
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = rustix::termios::tcgetwinsize(&self.out)?;
        Ok((size.ws_col, size.ws_row))
    }

    /// Writes at once; nothing while the terminal is not ours.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
        match &*ours {
            Some(ours) if !bytes.is_empty() => write_all(&ours.out, bytes),
            _ => Ok(()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it is ours; tells whether it was.
fn give_back() -> bool {
    let Some(ours) = OURS.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
    let mut bytes = Vec::new();
    // Each of these fails only when the terminal is gone, and then nothing is left to be done.
    let _ = queue!(bytes, ResetColor, LeaveAlternateScreen, Show);
    bytes.extend_from_slice(PASTE_OFF);
    if ours.mouse {
        bytes.extend_from_slice(MOUSE_OFF);
    }
    let _ = write_all(&ours.out, &bytes);
    let _ = disable_raw_mode();
    true
}

/// Writes all of it, also where another program has set the terminal not to block.
fn write_all(mut out: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&out, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A panic on any thread gives the terminal back before its message is printed, and rings the bell.
fn install_hook() {
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // What becomes an error is told where the answer would have been.
            if !is_caught() {
                give_back();
                print(panic);
                PANIC.notify_one();
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[tokio::test]
    async fn a_panic_of_any_thread_gives_the_terminal_back_and_is_noticed() {
        let mut screen = tempfile::tempfile().unwrap();
        *OURS.lock().unwrap() = Some(Ours { out: screen.try_clone().unwrap(), mouse: true });
        install_hook();
        let panicked = tokio::spawn(async { panic!("a panic that is part of a test") }).await;
        assert!(panicked.is_err());
        PANIC.notified().await;
        assert!(OURS.lock().unwrap().is_none());
        let mut written = String::new();
        screen.rewind().unwrap();
        screen.read_to_string(&mut written).unwrap();
        assert_eq!(written, "\u{1b}[0m\u{1b}[?1049l\u{1b}[?25h\u{1b}[?2004l\u{1b}[?1006l\u{1b}[?1000l");
        assert!(!give_back(), "once is enough");
    }
}

//! Reads the terminal on a thread of its own, and leaves it alone while another program uses it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::input::{Heard, is_long, parse};

/// How long the rest of a sequence may take.
const REST: Timespec = milliseconds(25);
/// How long it may take while the terminal owes an answer: its Esc is not to be taken for a key.
const REST_OF_FIRST: Timespec = milliseconds(250);
/// How long the rest of an answer, or of pasted text, may take.
const REST_OF_LONG: Timespec = milliseconds(1_000);

const fn milliseconds(count: i64) -> Timespec {
    Timespec { tv_sec: count / 1_000, tv_nsec: count % 1_000 * 1_000_000 }
}

/// What the terminal says, as it comes.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// What it said; ends with the terminal.
    pub(super) heard: UnboundedReceiver<Vec<Heard>>,
    gate: Arc<Mutex<()>>,
}

impl Keyboard {
    /// Begins to read. `asked` says that the terminal owes an answer.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(terminal: File, asked: bool) -> io::Result<Self> {
        let gate = Arc::new(Mutex::new(()));
        let (sender, heard) = unbounded_channel();
        let own = gate.clone();
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(terminal, &own, asked, |heard| sender.send(heard).is_ok()))?;
        Ok(Self { heard, gate })
    }

    /// Leaves the terminal to another program until the guard is dropped.
    pub(super) async fn pause(&self) -> OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }
}

/// Reads until the terminal is gone or nobody wants to hear any more.
fn read(mut terminal: File, gate: &Mutex<()>, mut asked: bool, mut send: impl FnMut(Vec<Heard>) -> bool) {
    let mut bytes = Vec::new();
    loop {
        let patience = (!bytes.is_empty()).then(|| match is_long(&bytes) {
            true => REST_OF_LONG,
            false if asked => REST_OF_FIRST,
            false => REST,
        });
        let complete = !readable(&terminal, patience.as_ref());
        if !complete {
            let _ours = gate.blocking_lock();
            // Another program may have read it meanwhile.
            if !readable(&terminal, Some(&milliseconds(0))) {
                continue;
            }
            let mut chunk = [0; 1024];
            match terminal.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => continue,
                Err(_) => return,
            }
        }
        let (heard, used) = parse(&bytes, complete);
        bytes.drain(..used);
        asked &= !heard.contains(&Heard::Answered);
        if !heard.is_empty() && !send(heard) {
            return;
        }
    }
}

fn readable(terminal: &File, timeout: Option<&Timespec>) -> bool {
    loop {
        match poll(&mut [PollFd::new(terminal, PollFlags::IN)], timeout) {
            Err(Errno::INTR) => {}
            // What cannot be waited for is read, and says what is wrong with it.
            found => return found.is_ok_and(|count| count > 0) || found.is_err(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::tui::keymap::{Press, parse as keys};

    fn pipe() -> (File, File) {
        let (reader, writer) = std::io::pipe().unwrap();
        (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)))
    }

    fn presses(heard: Vec<Heard>) -> Vec<Press> {
        heard
            .into_iter()
            .filter_map(|heard| if let Heard::Key(key) = heard { Some(key.into()) } else { None })
            .collect()
    }

    #[test]
    fn reading_ends_with_the_terminal() {
        let (reader, mut writer) = pipe();
        writer.write_all(b"j\x1b").unwrap();
        drop(writer);
        let mut seen = Vec::new();
        read(reader, &Mutex::new(()), false, |heard| {
            seen.extend(presses(heard));
            true
        });
        assert_eq!(seen, keys("j"));
    }

    #[tokio::test]
    async fn keys_for_another_program_are_left_to_it() {
        let (reader, mut writer) = pipe();
        let mut other = reader.try_clone().unwrap();
        let mut keyboard = Keyboard::start(reader, false).unwrap();
        writer.write_all(b"j").unwrap();
        assert_eq!(presses(keyboard.heard.recv().await.unwrap()), keys("j"));
        let paused = keyboard.pause().await;
        writer.write_all(b"secret").unwrap();
        let mut taken = [0; 6];
        other.read_exact(&mut taken).unwrap();
        assert_eq!(&taken, b"secret");
        drop(paused);
        writer.write_all(b"k").unwrap();
        assert_eq!(presses(keyboard.heard.recv().await.unwrap()), keys("k"));
    }
}

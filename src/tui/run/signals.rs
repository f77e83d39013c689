//! Signals that concern the explorer.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// The end, by this signal.
    End(u8),
    /// The terminal has another size.
    Resized,
    /// To the background.
    Suspended,
    /// To the foreground again.
    Continued,
}

/// All of them, from when this is made until the program ends.
#[derive(Debug)]
pub(super) struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
    quit: Signal,
    winch: Signal,
    tstp: Signal,
    cont: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            winch: signal(SignalKind::window_change())?,
            tstp: signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
            cont: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
        })
    }

    /// The next one. Several of a kind are one.
    pub(super) async fn next(&mut self) -> Caught {
        tokio::select! {
            biased;
            _ = self.term.recv() => Caught::End(15),
            _ = self.hup.recv() => Caught::End(1),
            _ = self.int.recv() => Caught::End(2),
            _ = self.quit.recv() => Caught::End(3),
            _ = self.tstp.recv() => Caught::Suspended,
            _ = self.cont.recv() => Caught::Continued,
            _ = self.winch.recv() => Caught::Resized,
        }
    }
}

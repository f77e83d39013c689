//! Signals that concern the explorer.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

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

/// The first ones to look for, in this order.
const FIRST: [(Number, Caught); 4] = [
    (Number::TERM, Caught::End(15)),
    (Number::HUP, Caught::End(1)),
    (Number::INT, Caught::End(2)),
    (Number::QUIT, Caught::End(3)),
];

/// The last ones, in this order.
const LAST: [(Number, Caught); 3] =
    [(Number::TSTP, Caught::Suspended), (Number::CONT, Caught::Continued), (Number::WINCH, Caught::Resized)];

/// Those that end no process, or cannot be handled: what raised a fault raises it again when the handler returns, so
/// these end the process at once.
const LEFT_ALONE: &[Number] = &[
    Number::KILL,
    Number::STOP,
    Number::ILL,
    Number::FPE,
    Number::SEGV,
    Number::BUS,
    Number::CHILD,
    Number::URG,
    Number::TTIN,
    Number::TTOU,
    // Writing to a closed pipe is an error of the write.
    Number::PIPE,
    #[cfg(not(target_os = "linux"))]
    Number::INFO,
];

/// The last number of Linux.
const HIGHEST: u8 = 64;

/// All of them, from when this is made until the program ends.
#[derive(Debug)]
pub(super) struct Signals(Vec<(Caught, Signal)>);

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub(super) fn new() -> io::Result<Self> {
        let listen = |(number, caught): (Number, Caught)| Ok((caught, signal(SignalKind::from_raw(number.as_raw()))?));
        let mut all = FIRST.into_iter().map(listen).collect::<io::Result<Vec<_>>>()?;
        let known = [&FIRST.map(|(number, _)| number)[..], &LAST.map(|(number, _)| number), LEFT_ALONE].concat();
        let others = (1..=HIGHEST).filter(|number| known.iter().all(|known| known.as_raw() != i32::from(*number)));
        // What is left ends a process that does not handle it. Some are the C library's own, and some systems have fewer.
        all.extend(
            others.filter_map(|number| Some((Caught::End(number), signal(SignalKind::from_raw(number.into())).ok()?))),
        );
        all.extend(LAST.into_iter().map(listen).collect::<io::Result<Vec<_>>>()?);
        Ok(Self(all))
    }

    /// The next one. Several of a kind are one.
    pub(super) async fn next(&mut self) -> Caught {
        let first = |context: &mut std::task::Context<'_>| {
            let caught =
                |(caught, signal): &mut (Caught, Signal)| signal.poll_recv(context).is_ready().then_some(*caught);
            self.0.iter_mut().find_map(caught).map_or(Poll::Pending, Poll::Ready)
        };
        poll_fn(first).await
    }
}

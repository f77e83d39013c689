//! What a recorder in a `static` does at the end of its process, if it is asked to: nobody drops it.
//!
//! Two edges: a function that the system calls when `main` returns or somebody calls `exit`, and a thread that waits for
//! SIGTERM. Nothing but the library's own handler runs inside a signal; what is to be done is done by threads, and for a
//! bounded time.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use super::{GRACE, Handle};

/// The recorders to end, and how long each may take.
static KNOWN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
/// Whether a thread waits for the signal.
static WAITING: Mutex<bool> = Mutex::new(false);

#[derive(Clone)]
struct Entry {
    handle: Weak<Handle>,
    time: Duration,
    /// In a fork there is nothing to write, and no thread to wait for.
    process: u32,
}

/// Ends a recorder with its process. True if also at SIGTERM.
pub(super) fn install(handle: &Arc<Handle>, time: Duration) -> io::Result<bool> {
    let entry = Entry { handle: Arc::downgrade(handle), time, process: std::process::id() };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|other| other.handle.strong_count() > 0 && !other.handle.ptr_eq(&entry.handle));
    known.push(entry);
    drop(known);
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if !*waiting && ends_by_default() {
        wait_for_signal()?;
        *waiting = true;
    }
    Ok(*waiting)
}

/// Whether the system ends this process at SIGTERM: nobody handles or ignores the signal. False where that cannot be seen.
fn ends_by_default() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = |name: &str| {
        let digits = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(digits.trim(), 16).ok()
    };
    let Some((ignored, caught)) = mask("SigIgn:").zip(mask("SigCgt:")) else { return false };
    (ignored | caught) & 1 << (SIGTERM - 1) == 0
}

fn wait_for_signal() -> io::Result<()> {
    let (tell, told) = channel();
    // The thread first: without it the signal would be swallowed.
    let work = move || {
        let seen = Arc::new(AtomicBool::new(false));
        // The pipe before the handlers, which stay: it is what may be refused.
        let signals = Signals::new(std::iter::empty::<i32>()).and_then(|signals| {
            flag::register(SIGTERM, Arc::clone(&seen))?;
            signals.add_signal(SIGTERM)?;
            Ok(signals)
        });
        let mut signals = match signals {
            Ok(signals) => signals,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let _ = tell.send(Ok(()));
        for _ in signals.forever() {
            // A fork has the same pipe, but not the same memory: its signals are not ours.
            if seen.swap(false, Ordering::SeqCst) {
                end_all();
                // As if there were no handler.
                let _ = low_level::emulate_default_handler(SIGTERM);
            }
        }
    };
    std::thread::Builder::new().name("obs-recorder-end".to_owned()).spawn(work)?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that waits for SIGTERM ended")))
}

dtor::declarative::dtor! {
    #[dtor(unsafe, method = at_module_exit)]
    fn at_exit() {
        end_all();
    }
}

/// Ends all recorders side by side, in threads of their own: whatever the caller has locked, it is not held up for longer
/// than they may take.
fn end_all() {
    let process = std::process::id();
    // Locked it may be for ever, in a fork.
    let Ok(known) = KNOWN.try_lock().map(|known| known.clone()) else { return };
    let running = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let mut longest = Duration::ZERO;
    for Entry { handle, time, .. } in known.into_iter().filter(|entry| entry.process == process) {
        let Some(handle) = handle.upgrade() else { continue };
        let ended = Arc::clone(&running);
        let work = move || {
            let _ = catch_unwind(AssertUnwindSafe(|| handle.stop(time)));
            drop(handle);
            *ended.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            ended.1.notify_all();
        };
        *running.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        if std::thread::Builder::new().spawn(work).is_ok() {
            longest = longest.max(time.saturating_add(2 * GRACE));
        } else {
            *running.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        }
    }
    let count = running.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(running.1.wait_timeout_while(count, longest, |count| *count > 0));
}

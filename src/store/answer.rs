//! Waiting for an answer of a server that may be slow, hostile or broken: no longer than a time, with no more memory than
//! a bound, and a panic on the way (the driver has some for messages that it does not expect) is an error like others.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;

use super::error::StoreError;

/// How long a session may take to begin.
pub(super) const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Memory by which the process may grow during one answer. The driver takes whatever length a server names for a message,
/// and keeps all of it.
const MOST_GROWTH: usize = 256 * 1024 * 1024;
/// How often the memory is looked at. Most answers come earlier.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often it is looked at while nothing is asked, as in listening.
const LISTEN_EVERY: Duration = Duration::from_millis(250);

thread_local! {
    /// Whether what runs on this thread is caught when it panics.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread becomes an error: it needs no report of its own then.
#[must_use]
pub fn is_caught() -> bool {
    CAUGHT.get()
}

/// Prints no panic that becomes an error.
pub fn print_no_caught_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_caught() {
            print(panic);
        }
    }));
}

/// The same answer, or the panic on the way to it as an error.
///
/// # Errors
/// Those of the answer.
pub async fn caught<T, E: Into<StoreError>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
    let answer = std::future::poll_fn(|context| {
        let outer = CAUGHT.replace(true);
        let polled = answer.poll_unpin(context);
        CAUGHT.set(outer);
        polled
    });
    answer
        .await
        .map_or_else(|panic| Err(StoreError::Internal { reason: text(&*panic) }), |answer| answer.map_err(Into::into))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Waits no longer than a time, and while the process does not grow too much.
pub(super) async fn within<T, E: Into<StoreError>>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    let late = |_| Err(failed(ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())));
    tokio::time::timeout(limit, bounded(LOOK_EVERY, answer)).await.unwrap_or_else(late)
}

/// Waits however long it takes until something is heard, while the process does not grow too much.
pub(super) async fn heard<T, E: Into<StoreError>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    bounded(LISTEN_EVERY, answer).await
}

async fn bounded<T, E: Into<StoreError>>(
    look_every: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    let mut answer = pin!(caught(answer));
    let before = resident();
    loop {
        if let Ok(answer) = tokio::time::timeout(look_every, &mut answer).await {
            return answer;
        }
        check(before)?;
    }
}

fn check(before: usize) -> Result<(), StoreError> {
    if resident().saturating_sub(before) <= MOST_GROWTH {
        return Ok(());
    }
    let text = format!("it sent more than {} MB for one answer, which is not read", MOST_GROWTH >> 20);
    Err(failed(ErrorKind::InvalidData, text))
}

/// Bytes of memory that the process holds; 0 where nobody can say.
fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |memory| memory.physical_mem)
}

fn failed(kind: ErrorKind, text: String) -> StoreError {
    sqlx::Error::Io(io::Error::new(kind, text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = Result<(), StoreError>;

    #[tokio::test]
    async fn a_panic_is_an_error_that_says_what_happened() {
        print_no_caught_panics();
        let answer =
            within(CONNECT_TIME, async { Answer::Ok([()][usize::MAX.min(std::env::args().count() + 7)]) }).await;
        let text = answer.unwrap_err().to_string();
        assert!(text.contains("index out of bounds") && text.contains("report"), "{text}");
        assert!(!is_caught());
    }

    #[tokio::test]
    async fn waiting_ends_in_time() {
        let answer = within(LOOK_EVERY * 2, std::future::pending::<Answer>()).await;
        assert!(answer.unwrap_err().to_string().contains("no answer within 0 s"));
        assert!(within(Duration::from_secs(10), async { Answer::Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn memory_ends_waiting_too() {
        let mut taken = Vec::new();
        let grows = async {
            loop {
                taken.push(vec![1_u8; 16 << 20]);
                tokio::task::yield_now().await;
            }
            #[expect(unreachable_code, reason = "names the type")]
            Answer::Ok(())
        };
        let text = within(Duration::from_secs(60), grows).await.unwrap_err().to_string();
        assert!(text.contains("more than 256 MB for one answer"), "{text}");
    }
}

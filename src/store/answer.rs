//! Waiting for an answer of a server that may be slow, hostile or broken: no longer than a time, with no more memory than
//! a bound, and a panic on the way (the driver has some for messages that it does not expect) is an error like others.

mod peer;

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::config::Config;
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

/// Waits no longer than a time for an answer of this server, and while the process does not grow too much.
pub(super) async fn within<T, E: Into<StoreError>>(
    limit: Duration,
    server: &Config,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    bounded(Some(limit), LOOK_EVERY, server, answer).await
}

/// Waits however long it takes until something is heard of this server, while the process does not grow too much.
pub(super) async fn heard<T, E: Into<StoreError>>(
    server: &Config,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    bounded(None, LISTEN_EVERY, server, answer).await
}

/// A task of its own looks at time and memory: as long as bytes come faster than they are read, the driver does not let
/// go of its thread. So where nobody heeds that it is over, that task closes the connections, which ends the reading.
async fn bounded<T, E: Into<StoreError>>(
    limit: Option<Duration>,
    look_every: Duration,
    server: &Config,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    let (before, server, (over, mut is_over)) = (resident(), peer::Server::of(server), oneshot::channel());
    let _watch = Watch(tokio::spawn(async move {
        let growth = async {
            while resident().saturating_sub(before) <= MOST_GROWTH {
                tokio::time::sleep(look_every).await;
            }
            Over::TooMuch
        };
        let why = match limit {
            Some(limit) => tokio::time::timeout(limit, growth).await.unwrap_or(Over::Late(limit)),
            None => growth.await,
        };
        // Whoever waits may be gone.
        let _ = over.send(why);
        tokio::time::sleep(look_every).await;
        peer::close_connections(&server);
    }));
    tokio::select! {
        why = &mut is_over => Err(why.unwrap_or(Over::TooMuch).into()),
        answer = caught(answer) => answer.map_err(|error| is_over.try_recv().map_or(error, StoreError::from)),
    }
}

/// Why nobody waits for an answer any more.
#[derive(Debug)]
enum Over {
    TooMuch,
    Late(Duration),
}

impl From<Over> for StoreError {
    fn from(over: Over) -> Self {
        let (kind, text) = match over {
            Over::Late(limit) => (ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())),
            Over::TooMuch => {
                let most = MOST_GROWTH >> 20;
                (ErrorKind::InvalidData, format!("it sent more than {most} MB for one answer, which is not read"))
            }
        };
        sqlx::Error::Io(io::Error::new(kind, text)).into()
    }
}

/// Ends with what it watches.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Bytes of memory that the process holds; 0 where nobody can say.
fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |memory| memory.physical_mem)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = Result<(), StoreError>;

    fn server() -> Config {
        Config::from_url("postgres://me@localhost:1/none").unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_error_that_says_what_happened() {
        print_no_caught_panics();
        let empty = Vec::<usize>::new();
        let answer = within(CONNECT_TIME, &server(), async { Ok::<_, StoreError>(empty[1]) }).await;
        let text = answer.unwrap_err().to_string();
        assert!(text.contains("index out of bounds") && text.contains("report"), "{text}");
        assert!(!is_caught());
    }

    #[tokio::test]
    async fn waiting_ends_in_time() {
        let answer = within(LOOK_EVERY * 2, &server(), std::future::pending::<Answer>()).await;
        assert!(answer.unwrap_err().to_string().contains("no answer within 0 s"));
        assert!(within(Duration::from_secs(10), &server(), async { Answer::Ok(()) }).await.is_ok());
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
        let text = within(Duration::from_secs(60), &server(), grows).await.unwrap_err().to_string();
        assert!(text.contains("more than 256 MB for one answer"), "{text}");
    }
}

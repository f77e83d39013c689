//! Anything a host calls an error, as text with its causes.

use std::any::Any;
use std::error::Error;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What can be recorded as the reason of a failure: every [`std::error::Error`], boxed errors, error types that deref
/// to one as anyhow's does, and plain text.
///
/// `Kind` only keeps these cases apart; it is always inferred.
pub trait Failure<Kind> {
    /// The message, and the messages of its causes.
    fn messages(&self) -> Vec<String>;
}

/// How a type is a [`Failure`].
pub mod kind {
    /// It implements [`std::error::Error`].
    #[derive(Debug)]
    pub struct Typed;
    /// It holds an error that can be sent between threads.
    #[derive(Debug)]
    pub struct Boxed;
    /// It is a `Box<dyn Error>`.
    #[derive(Debug)]
    pub struct BoxedLocal;
    /// It is text.
    #[derive(Debug)]
    pub struct Text;
}

impl<E: Error> Failure<kind::Typed> for E {
    fn messages(&self) -> Vec<String> {
        chain(self.to_string(), self.source())
    }
}

impl<E: AsRef<dyn Error + Send + Sync>> Failure<kind::Boxed> for E {
    fn messages(&self) -> Vec<String> {
        let error: &(dyn Error + Send + Sync) = self.as_ref();
        chain(error.to_string(), error.source())
    }
}

impl Failure<kind::BoxedLocal> for Box<dyn Error> {
    fn messages(&self) -> Vec<String> {
        chain(self.to_string(), self.source())
    }
}

impl Failure<kind::Text> for str {
    fn messages(&self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Failure<kind::Text> for &str {
    fn messages(&self) -> Vec<String> {
        vec![(*self).to_owned()]
    }
}

impl Failure<kind::Text> for String {
    fn messages(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

/// An error that was put into words already: its message, and the messages of its causes.
#[derive(Debug, PartialEq)]
pub(super) struct Messages(pub(super) Vec<String>);

impl Messages {
    pub(super) fn line(&self) -> String {
        line(&self.0)
    }
}

impl Failure<kind::Text> for Messages {
    fn messages(&self) -> Vec<String> {
        self.0.clone()
    }
}

/// Puts an error into words, also one that panics on the way.
pub(super) fn words<K>(error: &(impl Failure<K> + ?Sized)) -> Messages {
    let messages = catch_unwind(AssertUnwindSafe(|| error.messages()));
    Messages(messages.unwrap_or_else(|_| vec!["the error panicked while it was put into words".to_owned()]))
}

/// What a panic said, after `panicked`, where it is text.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "panicked".to_owned(), |text| format!("panicked: {text}"))
}

/// A chain of causes may be endless by mistake.
const MAX_CAUSES: usize = 32;

pub(super) fn chain(first: String, mut cause: Option<&(dyn Error + 'static)>) -> Vec<String> {
    let mut messages = vec![first];
    while let Some(error) = cause
        && messages.len() < MAX_CAUSES
    {
        messages.push(error.to_string());
        cause = error.source();
    }
    messages
}

/// `message: cause: cause`; a cause that the text already ends with is not repeated.
pub(super) fn line(messages: &[String]) -> String {
    messages.iter().fold(String::new(), |mut line, message| {
        if line.is_empty() {
            line.push_str(message);
        } else if !line.ends_with(message.as_str()) {
            let _ = write!(line, ": {message}");
        }
        line
    })
}

/// One cause per line; nothing when the message says it all. There is no backtrace of its own: it would show where the
/// failure was recorded, not where it arose, and take milliseconds to put into words.
pub(super) fn stack(messages: &[String]) -> Option<String> {
    (messages.len() > 1).then(|| messages.join("\ncaused by: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("sending failed")]
    struct Sending(#[source] Refused);

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Refused;

    fn record<K>(error: &(impl Failure<K> + ?Sized)) -> String {
        line(&error.messages())
    }

    #[test]
    fn every_kind_of_error_keeps_its_causes() {
        let expect = "sending failed: connection refused";
        assert_eq!(record(&Sending(Refused)), expect);
        assert_eq!(record(&Box::<dyn Error + Send + Sync>::from(Sending(Refused))), expect);
        assert_eq!(record(&Box::<dyn Error>::from(Sending(Refused))), expect);
        assert_eq!(record("no driver"), "no driver");
        assert_eq!(record(&"no driver".to_owned()), "no driver");
        assert_eq!(line(&["a: b".to_owned(), "b".to_owned()]), "a: b");
        assert_eq!(stack(&Sending(Refused).messages()).unwrap(), "sending failed\ncaused by: connection refused");
    }
}

//! What is taken from the host at the call: values as JSON text, errors as text.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde::Serialize;

/// Any value as JSON text. Longer than `max` bytes it becomes `{"_truncated": true, "bytes": n}`; a value that cannot
/// be written as JSON, or panics, becomes `{"serialization_error": "…"}`.
pub(super) fn json<T: Serialize + ?Sized>(value: &T, max: usize) -> Box<str> {
    String::from_utf8(write_json(value, max, Vec::new())).unwrap_or_default().into()
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What a thread keeps, bytes.
const MOST_SCRATCH: usize = 16 << 10;

/// The JSON text of a value that is copied soon: in memory that the thread keeps for the next one, so that nothing is
/// allocated.
#[derive(Debug)]
pub(super) struct Json(Vec<u8>);

impl Json {
    /// Like [`json`].
    pub(super) fn of<T: Serialize + ?Sized>(value: &T, max: usize) -> Self {
        // Taken out: the value may record something while it is serialized. At the end of a thread there is none.
        Self(write_json(value, max, SCRATCH.try_with(Cell::take).unwrap_or_default()))
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Json {
    #[inline]
    fn drop(&mut self) {
        if self.0.capacity() <= MOST_SCRATCH {
            let _ = SCRATCH.try_with(|scratch| scratch.set(std::mem::take(&mut self.0)));
        }
    }
}

fn write_json<T: Serialize + ?Sized>(value: &T, max: usize, mut text: Vec<u8>) -> Vec<u8> {
    text.clear();
    let mut sink = Capped { text, bytes: 0, max };
    let failure = match catch_unwind(AssertUnwindSafe(|| serde_json::to_writer(&mut sink, value))) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the value panicked while it was serialized".to_owned()),
    };
    if let Some(message) = failure {
        return serde_json::json!({ "serialization_error": message }).to_string().into();
    }
    if sink.bytes > max {
        return truncated(sink.bytes).into();
    }
    sink.text
}

/// What stands in the place of JSON of so many bytes.
pub(super) fn truncated(bytes: usize) -> String {
    serde_json::json!({ "_truncated": true, "bytes": bytes }).to_string()
}

/// Keeps the first `max` bytes and counts the rest, so that a huge value is never held in full.
struct Capped {
    text: Vec<u8>,
    bytes: usize,
    max: usize,
}

impl io::Write for Capped {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.bytes += part.len();
        if self.bytes <= self.max {
            self.text.extend_from_slice(part);
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text of at most `max` bytes; what is cut off is said.
pub(super) fn text(text: String, max: usize) -> Box<str> {
    if text.len() <= max {
        return text.into();
    }
    let kept = text.get(..text.floor_char_boundary(max)).unwrap_or_default();
    format!("{kept}… ({} bytes more)", text.len() - kept.len()).into()
}

/// Whole milliseconds, at most what the column holds.
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_json_of_a_bounded_size() {
        assert_eq!(&*json(&serde_json::json!({ "a": [1, null] }), 100), r#"{"a":[1,null]}"#);
        let raw = serde_json::value::RawValue::from_string(r#"{ "kept":  "as it is" }"#.to_owned()).unwrap();
        assert_eq!(&*json(&raw, 100), r#"{ "kept":  "as it is" }"#);
        assert_eq!(&*json(&"x".repeat(99), 100), r#"{"_truncated":true,"bytes":101}"#);
        assert_eq!(json(&"x".repeat(98), 100).len(), 100);
        let (first, second) = (Json::of("a", 100), Json::of("b", 100));
        assert_eq!((first.bytes(), second.bytes()), (&br#""a""#[..], &br#""b""#[..]));
        drop((first, second));
        assert_eq!(Json::of(&[1], 100).bytes(), b"[1]");
    }

    #[test]
    fn a_value_that_fails_leaves_its_reason() {
        struct Panics;
        impl Serialize for Panics {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                panic!("no")
            }
        }
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(&*json(&map, 100), r#"{"serialization_error":"key must be a string"}"#);
        assert!(json(&Panics, 100).contains("panicked"));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(&*text("aéé".to_owned(), 4), "aé… (2 bytes more)");
        assert_eq!(&*text("aé".to_owned(), 3), "aé");
        assert_eq!(millis(Duration::from_secs(60 * 60 * 24 * 365)), i32::MAX);
    }
}

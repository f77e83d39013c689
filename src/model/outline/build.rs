//! Value → entries.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use serde_json::Value;

use super::super::redact::{mask_text, masker};
use super::{Content, Entry, EntryId, Mark, Outline, Place};

/// Keys are padded to this many characters at the most.
const WIDEST_KEY: usize = 28;

impl Outline {
    /// Lays a value out; secrets are masked by the rule of [`mask_text`] unless `revealed`.
    #[must_use]
    pub fn build(value: &Value, revealed: bool) -> Self {
        let mut builder = Builder { entries: Vec::new(), secrets: 0, revealed };
        builder.add(value, Place::Root, None, false);
        Self { entries: builder.entries, secrets: builder.secrets, bytes: json_length(value) }
    }
}

struct Builder {
    entries: Vec<Entry>,
    secrets: usize,
    revealed: bool,
}

impl Builder {
    fn add(&mut self, value: &Value, place: Place, parent: Option<usize>, secret: bool) {
        if secret {
            let secrets = self.secrets + 1;
            if self.revealed {
                self.add_any(value, place, parent);
            } else {
                self.push(place, parent, Content::Masked, None);
            }
            // What is inside a secret is part of it.
            self.secrets = secrets;
        } else {
            self.add_any(value, place, parent);
        }
    }

    fn add_any(&mut self, value: &Value, place: Place, parent: Option<usize>) {
        let mark = marked(value);
        if mark == Some(Mark::RawText)
            && let Some(text) = raw_text(value)
        {
            match container(text) {
                Some(inner) => self.add_value(&inner, place, parent, mark),
                None => self.add_text(text, place, parent, mark),
            }
            return;
        }
        self.add_value(value, place, parent, mark);
    }

    fn add_value(&mut self, value: &Value, place: Place, parent: Option<usize>, mark: Option<Mark>) {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Bool(*value),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => return self.add_text(text, place, parent, mark),
            Value::Array(items) => Content::Array { items: items.len() },
            Value::Object(map) => {
                let widest = map.keys().map(|key| key.chars().take(WIDEST_KEY).count()).max().unwrap_or_default();
                Content::Object { keys: map.len(), widest }
            }
        };
        let at = self.push(place, parent, content, mark);
        let hidden = masker().hidden(value);
        match value {
            Value::Array(items) => {
                for ((index, item), secret) in items.iter().enumerate().zip(hidden) {
                    self.add(item, Place::Item(index), Some(at), secret);
                }
            }
            Value::Object(map) => {
                for ((key, value), secret) in map.iter().zip(hidden) {
                    let (masked, secrets) = mask_text(key);
                    self.secrets += secrets;
                    let key = if self.revealed { key } else { &*masked };
                    self.add(value, Place::Key(key.into()), Some(at), secret);
                }
            }
            _ => {}
        }
        self.entries[at].next = self.entries.len();
    }

    /// A text; secrets in it are masked, too.
    fn add_text(&mut self, text: &str, place: Place, parent: Option<usize>, mark: Option<Mark>) {
        let (masked, secrets) = mask_text(text);
        self.secrets += secrets;
        let shown = if self.revealed { text } else { &*masked };
        self.push(place, parent, Content::Text(shown.into()), mark);
    }

    fn push(&mut self, place: Place, parent: Option<usize>, content: Content, mark: Option<Mark>) -> usize {
        let at = self.entries.len();
        let mut hasher = DefaultHasher::new();
        let around = parent.map(|parent| &self.entries[parent]);
        around.map(|entry| entry.id).hash(&mut hasher);
        place.hash(&mut hasher);
        let id = EntryId(hasher.finish());
        let depth = around.map_or(0, |entry| entry.depth + 1);
        self.entries.push(Entry { id, parent, depth, place, content, mark, next: at + 1 });
        at
    }
}

fn marked(value: &Value) -> Option<Mark> {
    match value {
        Value::String(text) if text.starts_with("[Circular") => Some(Mark::Circular),
        Value::Object(map) => {
            let is_true = |key| map.get(key) == Some(&Value::Bool(true));
            if raw_text(value).is_some() {
                Some(Mark::RawText)
            } else if is_true("_truncated") || is_true("__truncated") {
                Some(Mark::Truncated)
            } else if map.contains_key("serialization_error") {
                Some(Mark::Unserializable)
            } else if map.get("_type").is_some_and(Value::is_string) {
                Some(Mark::Placeholder)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The text that a writer wrapped because it is no JSON. One writer adds the column that it was meant for.
fn raw_text(value: &Value) -> Option<&str> {
    let map = value.as_object()?;
    let is_name = |text: &str| text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_column = |key: &str, value: &Value| key == "_column" && value.as_str().is_some_and(is_name);
    let is_wrapping = map.iter().all(|(key, value)| key == "_raw_string" || is_column(key, value));
    map.get("_raw_string").filter(|_| is_wrapping)?.as_str()
}

fn container(text: &str) -> Option<Value> {
    let starts = text.trim_start().starts_with(['{', '[']);
    starts.then(|| serde_json::from_str(text).ok()).flatten()
}

/// A text column as a person means it: without the JSON that some writers wrap around it, and with its secrets masked
/// unless `revealed`. Also tells how many secrets there were.
#[must_use]
pub fn plain_text(stored: &str, revealed: bool) -> (String, usize) {
    let wrapped = container(stored).and_then(|value| raw_text(&value).map(str::to_owned));
    let text = wrapped.as_deref().unwrap_or(stored);
    let (masked, secrets) = mask_text(text);
    (if revealed { text.to_owned() } else { masked.into_owned() }, secrets)
}

/// Bytes that a value takes as JSON.
fn json_length(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Writing to a counter cannot fail, and the keys of a `Value` are always texts.
    serde_json::to_writer(&mut counter, value).map_or(0, |()| counter.0)
}

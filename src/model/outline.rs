//! Stored JSON as lines that fold.
//!
//! A value is laid out once, in the order it is read; what is open is kept apart from it in [`Folds`], under names that
//! stay the same when the value is read again. Values that a writer could not store as they were are recognised by the
//! marks that it left in their place.

mod build;

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::redact::MASK;
use super::text::{bytes, clean, plural};

pub use build::plain_text;

/// Containers deeper than this are closed at first.
const OPEN_LEVELS: usize = 3;
/// Containers with more children than this are closed at first.
const OPEN_CHILDREN: usize = 200;

/// Names an entry by its path, so that folds and the selection survive a new reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u64);

/// Where an entry stands in its container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// It is the whole value.
    Root,
    /// Under this key.
    Key(Box<str>),
    /// At this position, from 0.
    Item(usize),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text, as it was stored.
    Text(Box<str>),
    /// A secret that is not shown.
    Masked,
    /// An object with so many keys; the widest has so many characters.
    Object {
        /// Keys.
        keys: usize,
        /// Characters of the longest.
        widest: usize,
    },
    /// An array with so many items.
    Array {
        /// Items.
        items: usize,
    },
}

/// What a writer did to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It was not JSON, or not stored as such: unwrapped from `_raw_string`.
    RawText,
    /// Cut off.
    Truncated,
    /// A reference to itself.
    Circular,
    /// It could not be turned into JSON.
    Unserializable,
    /// Something stands for a value that JSON cannot hold.
    Placeholder,
}

impl Mark {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::RawText => "stored as raw text",
            Self::Truncated => "cut off by the writer",
            Self::Circular => "refers to itself",
            Self::Unserializable => "could not be stored as JSON",
            Self::Placeholder => "stands for a value that JSON cannot hold",
        }
    }
}

/// A value or a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub id: EntryId,
    /// The container that it is in.
    pub parent: Option<usize>,
    /// Containers around it.
    pub depth: usize,
    /// Its key or position.
    pub place: Place,
    /// What it is.
    pub content: Content,
    /// What the writer did to it.
    pub mark: Option<Mark>,
    /// The first entry behind it and everything in it.
    next: usize,
}

impl Entry {
    /// How many entries it holds directly; `None` for what is no container.
    #[must_use]
    pub fn children(&self) -> Option<usize> {
        match self.content {
            Content::Object { keys, .. } => Some(keys),
            Content::Array { items } => Some(items),
            _ => None,
        }
    }

    /// The value in one line of at most about `most` characters, safe for a terminal: text quoted, containers as
    /// `{3 keys}`.
    #[must_use]
    pub fn short(&self, most: usize) -> String {
        match &self.content {
            Content::Null => "null".to_owned(),
            Content::Bool(value) => value.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Text(text) if self.mark == Some(Mark::Circular) => clean(text).into_owned(),
            Content::Text(text) => {
                let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
                let quote = if end < text.len() { "" } else { "\"" };
                format!("\"{}{quote}", clean(&text[..end]))
            }
            Content::Masked => MASK.to_owned(),
            Content::Object { keys, .. } => format!("{{{}}}", plural(*keys as u64, "key")),
            Content::Array { items } => format!("[{}]", plural(*items as u64, "item")),
        }
    }

    /// Its type, and its size where that says something: `string 17 chars`.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.content {
            Content::Null => "null".to_owned(),
            Content::Bool(_) => "boolean".to_owned(),
            Content::Number(_) => "number".to_owned(),
            Content::Text(text) => match text.chars().take(10_000).count() {
                10_000 => format!("string {}", bytes(text.len())),
                n => format!("string {}", plural(n as u64, "char")),
            },
            Content::Masked => "secret, X reveals it".to_owned(),
            Content::Object { keys, .. } => format!("object {}", plural(*keys as u64, "key")),
            Content::Array { items } => format!("array {}", plural(*items as u64, "item")),
        }
    }
}

/// What is open and what is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folds {
    base: Base,
    /// Containers that differ from the base.
    flipped: BTreeSet<EntryId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Base {
    /// Deep and large containers are closed.
    #[default]
    Usual,
    /// Only the outermost is open.
    Closed,
    /// All are open.
    Open,
}

impl Folds {
    /// Everything folded but the outermost container.
    #[must_use]
    pub fn all_closed() -> Self {
        Self { base: Base::Closed, flipped: BTreeSet::new() }
    }

    /// Nothing folded.
    #[must_use]
    pub fn all_open() -> Self {
        Self { base: Base::Open, flipped: BTreeSet::new() }
    }

    /// Whether an entry is an open container.
    #[must_use]
    pub fn is_open(&self, entry: &Entry) -> bool {
        let Some(children) = entry.children() else { return false };
        let open = match self.base {
            Base::Usual => entry.depth == 0 || entry.depth <= OPEN_LEVELS && children <= OPEN_CHILDREN,
            Base::Closed => entry.depth == 0,
            Base::Open => true,
        };
        open != self.flipped.contains(&entry.id)
    }

    /// Opens what is closed and closes what is open.
    pub fn toggle(&mut self, entry: &Entry) {
        if !self.flipped.remove(&entry.id) {
            self.flipped.insert(entry.id);
        }
    }
}

/// A value, laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    entries: Vec<Entry>,
    /// How many secrets are masked in it, or would be.
    pub secrets: usize,
    /// Length of the value as JSON, bytes.
    pub bytes: usize,
}

impl Outline {
    /// All entries; the first is the whole value.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that are visible, top to bottom.
    #[must_use]
    pub fn lines(&self, folds: &Folds) -> Vec<usize> {
        let mut lines = Vec::new();
        let mut at = 0;
        while let Some(entry) = self.entries.get(at) {
            lines.push(at);
            at = if folds.is_open(entry) { at + 1 } else { entry.next };
        }
        lines
    }

    /// Where an entry is, in the manner of jq: `.event.data.new`, `.stops[4]`, `."a b"`; `.` for the whole value.
    #[must_use]
    pub fn path(&self, index: usize) -> String {
        let mut places = Vec::new();
        let mut at = self.entries.get(index);
        while let Some(entry) = at {
            places.push(&entry.place);
            at = entry.parent.map(|parent| &self.entries[parent]);
        }
        let mut path = String::new();
        for place in places.into_iter().rev() {
            match place {
                Place::Root => {}
                Place::Item(item) => path.push_str(&format!("[{item}]")),
                Place::Key(key) if is_plain(key) => path.push_str(&format!(".{key}")),
                Place::Key(key) => path.push_str(&format!(".{}", Value::from(&**key))),
            }
        }
        if path.is_empty() || path.starts_with('[') {
            path.insert(0, '.');
        }
        path
    }

    /// An entry as a value again, as it is laid out: what is masked stays masked.
    #[must_use]
    pub fn value(&self, index: usize) -> Value {
        let Some(entry) = self.entries.get(index) else { return Value::Null };
        let children = || {
            let mut at = index + 1;
            std::iter::from_fn(move || {
                let child = at;
                let entry = self.entries.get(child).filter(|_| child < self.entries[index].next)?;
                at = entry.next;
                Some((child, entry))
            })
        };
        match &entry.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::from(&**text),
            Content::Masked => Value::from(MASK),
            Content::Array { .. } => children().map(|(child, _)| self.value(child)).collect(),
            Content::Object { .. } => {
                let pairs = children().filter_map(|(child, entry)| match &entry.place {
                    Place::Key(key) => Some((key.to_string(), self.value(child))),
                    Place::Root | Place::Item(_) => None,
                });
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The columns that the key of an entry is padded to, so that the values of one container stand below each other.
    #[must_use]
    pub fn key_width(&self, entry: &Entry) -> usize {
        match entry.parent.map(|parent| &self.entries[parent].content) {
            Some(Content::Object { widest, .. }) => *widest,
            Some(Content::Array { items }) => items.saturating_sub(1).to_string().len() + 2,
            _ => 0,
        }
    }
}

fn is_plain(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;

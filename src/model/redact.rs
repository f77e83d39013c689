//! Masks secrets in texts and JSON: the one place that decides what a secret is, for explorer, command line and recorder.
//!
//! A [`Masker`] reads a text once. Where JSON begins it follows it as it is written, without parsing it into values, so
//! that numbers and spacing stay; everything else is a free text. Texts within texts (strings of JSON with escapes, parts
//! of URLs with `%`) are read as what they stand for. The time is proportional to the length, whatever the text is.
//!
//! What a secret is: values under keys such as `password` and `api_key`, also as `{"name": "password", "value": "x"}` and
//! in lists of headers; in texts `password=x`, `token: x`, `--password x`, headers of authorization and cookies, URLs with a
//! password or a secret parameter, private keys, and the keys and tokens that are known by their form.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::Value;

mod forms;
mod json;
mod keys;
mod marks;
mod pairs;
#[cfg(feature = "tui")]
mod rows;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod told;
mod value;
mod words;

use keys::Keys;
use scan::{MOST_NESTED, Scan};

/// What stands in the place of a masked value.
pub const MASK: &str = "******";

/// Knows secrets and masks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masker {
    /// Nothing is a secret without them.
    keys: Option<Keys>,
}

impl Default for Masker {
    fn default() -> Self {
        Self { keys: Some(Keys::default()) }
    }
}

impl Masker {
    /// With more keys whose values are secrets, and keys that are none after all.
    ///
    /// Case and punctuation of keys do not matter. One of up to four letters is found as a word of its own (`tan` in
    /// `smsTan`), a longer one anywhere in a key; an allowed key is the whole one.
    pub fn new<T: AsRef<str>>(keys: impl IntoIterator<Item = T>, allow: impl IntoIterator<Item = T>) -> Self {
        Self { keys: Some(Keys::new(keys, allow)) }
    }

    /// Masks nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { keys: None }
    }

    /// Whether it masks nothing.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.keys.is_none()
    }

    /// A text with every secret in it replaced by [`MASK`], and how many there were.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        let masked = self.keys.as_ref().and_then(|keys| Scan::new(text, keys, MOST_NESTED).masked());
        masked.map_or((text.into(), 0), |(masked, secrets)| (masked.into(), secrets))
    }

    /// Whether values under this key are secrets.
    #[must_use]
    pub fn is_secret(&self, key: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.is_secret(key))
    }

    /// Whether one of the names in a path such as `data.new.password` makes its value a secret.
    #[must_use]
    pub fn is_secret_path(&self, path: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.is_secret_path(path))
    }
}

static CONFIGURED: OnceLock<Masker> = OnceLock::new();

/// What explorer and command line mask from now on. Only the first call counts, and only before anything was masked: it is
/// a part of the configuration of the process.
pub fn configure(masker: Masker) {
    let _ = CONFIGURED.set(masker);
}

/// What explorer and command line mask.
#[must_use]
pub fn masker() -> &'static Masker {
    CONFIGURED.get_or_init(Masker::default)
}

/// [`Masker::text`] of [`masker`].
#[must_use]
pub fn mask_text(text: &str) -> (Cow<'_, str>, usize) {
    masker().text(text)
}

/// [`Masker::mask`] of [`masker`].
pub fn mask(value: &mut Value) -> usize {
    masker().mask(value)
}

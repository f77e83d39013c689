//! Secrets in parsed JSON, by the same rules as in JSON as text.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::json::is_name_of_header;
use super::keys::{counts, is_header, is_name, is_value_key, names_another};
use super::words::SETTINGS;
use super::{MASK, Masker};

impl Masker {
    /// Replaces every secret by [`MASK`], at any depth, also within texts. Returns how many there were.
    pub fn mask(&self, value: &mut Value) -> usize {
        if self.is_off() {
            return 0;
        }
        let hidden = self.hidden(value);
        let of_member = |(value, is_hidden): (&mut Value, bool)| {
            if !is_hidden {
                return self.mask(value);
            }
            *value = Value::from(MASK);
            1
        };
        match value {
            Value::Object(map) => {
                let secrets: usize = map.values_mut().zip(hidden).map(of_member).sum();
                secrets + self.mask_keys(map)
            }
            Value::Array(items) => items.iter_mut().zip(hidden).map(of_member).sum(),
            Value::String(text) => {
                let (masked, secrets) = self.text(text);
                if let Cow::Owned(masked) = masked {
                    *text = masked;
                }
                secrets
            }
            _ => 0,
        }
    }

    /// Keys that are secrets themselves, or hold one.
    fn mask_keys(&self, map: &mut Map<String, Value>) -> usize {
        if map.keys().all(|key| matches!(self.text(key).0, Cow::Borrowed(_))) {
            return 0;
        }
        let mut secrets = 0;
        *map = std::mem::take(map)
            .into_iter()
            .map(|(key, value)| {
                let (masked, of_key) = self.text(&key);
                secrets += of_key;
                (masked.into_owned(), value)
            })
            .collect();
        secrets
    }

    /// Of the members of an object or array, in their order: whether it is a secret because of what stands beside it.
    #[must_use]
    pub fn hidden(&self, container: &Value) -> Vec<bool> {
        match container {
            Value::Object(map) => {
                let is_name = |(key, value): (&String, &Value)| {
                    names_another(key) && value.as_str().is_some_and(|name| is_name(name) && self.is_secret(name))
                };
                let named = map.iter().any(is_name);
                let is_hidden = |(key, value): (&String, &Value)| {
                    can_hide(value)
                        && (named && is_value_key(key) || self.is_secret(key) && !(value.is_number() && counts(key)))
                };
                map.iter().map(is_hidden).collect()
            }
            Value::Array(items) => {
                let mut hidden = vec![false; items.len()];
                for (at, pair) in items.windows(2).enumerate() {
                    let (Some(name), value) = (pair[0].as_str(), &pair[1]) else { continue };
                    let names = is_name(name)
                        && !(name.starts_with('-') && name.contains(' '))
                        && !hidden[at]
                        && self.is_secret(name);
                    let is_next = name.starts_with("--") || at % 2 == 0 && is_header(name) || items.len() == 2;
                    let is_name = value.as_str().is_some_and(|text| {
                        is_name_of_header(text)
                            || items.len() == 2 && self.keys.as_ref().is_some_and(|keys| keys.is_field(text))
                    });
                    hidden[at + 1] = names && is_next && !is_name && can_hide(value);
                }
                hidden
            }
            _ => Vec::new(),
        }
    }
}

/// Whether there is anything in it that could be a secret.
fn can_hide(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty() && !SETTINGS.contains(&text.as_str()),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

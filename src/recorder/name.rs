//! Names of jobs: short ones need no memory of their own.

use std::fmt;
use std::sync::Arc;

/// Longer names are allocated.
const SHORT: usize = 46;

/// A name that can be kept and cloned without an allocation if it is short.
#[derive(Clone)]
pub(super) enum Name {
    Short(u8, [u8; SHORT]),
    Long(Arc<str>),
}

impl Name {
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short(..) => std::str::from_utf8(self.bytes()).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for Name {
    #[inline]
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(place)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_stay_what_they_are() {
        for length in [0, 1, SHORT / 2, SHORT / 2 + 1, 200] {
            let text = "é".repeat(length);
            let name = Name::from(&*text);
            assert_eq!((name.as_str(), name.bytes()), (&*text, text.as_bytes()));
            assert_eq!(matches!(name, Name::Short(..)), text.len() <= SHORT, "{length}");
        }
    }
}

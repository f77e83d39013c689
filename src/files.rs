//! Files of the user's own that are read whole, such as settings, password files and certificates. Reading one neither
//! hangs nor fills the memory, whatever stands in its place.

mod read;

#[cfg(feature = "tui")]
pub(crate) use read::{Contents, read_text};
pub(crate) use read::{SETTINGS_BYTES, read_bounded};

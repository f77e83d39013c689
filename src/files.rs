//! Files and folders: the only place that creates them, and the bounded reading of the user's own files, such as settings,
//! password files and certificates. Reading one neither hangs nor fills the memory, whatever stands in its place.

pub(crate) mod folder;
mod read;
#[cfg(feature = "tui")]
pub(crate) mod trust;
pub(crate) mod write;

#[cfg(feature = "tui")]
pub(crate) use read::{Contents, read_text};
pub(crate) use read::{SETTINGS_BYTES, read_bounded};

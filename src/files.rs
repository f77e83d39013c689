//! Files and folders: the only place that creates them.

pub(crate) mod folder;
#[cfg(feature = "tui")]
pub(crate) mod trust;
pub(crate) mod write;

//! # obs-tui
//!
//! An explorer for event and job cascades recorded in PostgreSQL, and the recorder that writes them.
#[cfg(feature = "tui")]
pub mod cli;
pub mod clock;
#[cfg(feature = "recorder")]
mod files;
#[cfg(feature = "tui")]
pub mod logs;
pub mod model;
#[cfg(feature = "tui")]
pub mod postgres;
#[cfg(feature = "recorder")]
pub mod recorder;
#[cfg(feature = "recorder")]
pub mod store;
#[cfg(feature = "tui")]
pub mod tui;

#[cfg(feature = "recorder")]
pub use recorder::Recorder;

#[cfg(test)]
mod tidy;

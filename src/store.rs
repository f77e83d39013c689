//! The only layer that talks to PostgreSQL.
//!
//! [`config`] where the database is · [`error`] what went wrong, and what to do · `connect` the one way to a session · `admin` migrations, roles, a new
//! database, `refresh` and `prune` what is to be done from time to time · [`mod@write`] batches of rows · `sql` and `trust`
//! that no code of others runs.
#[cfg(feature = "tui")]
pub mod admin;
#[cfg(feature = "tui")]
mod adopted;
#[cfg(feature = "tui")]
pub mod answer;
#[cfg(feature = "tui")]
pub mod capabilities;
#[cfg(feature = "recorder")]
pub mod config;
#[cfg(feature = "recorder")]
pub(crate) mod connect;
#[cfg(feature = "tui")]
mod count;
#[cfg(feature = "recorder")]
pub mod error;
#[cfg(feature = "tui")]
mod migrations;
#[cfg(feature = "tui")]
pub mod prune;
#[cfg(feature = "tui")]
pub mod quarantine;
#[cfg(feature = "tui")]
pub mod read;
#[cfg(feature = "tui")]
pub mod refresh;
#[cfg(feature = "recorder")]
pub(crate) mod sql;
#[cfg(feature = "tui")]
mod text;
#[cfg(feature = "recorder")]
pub mod time;
#[cfg(feature = "tui")]
mod trust;
#[cfg(feature = "recorder")]
pub mod write;

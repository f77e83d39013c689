//! The only layer that talks to PostgreSQL.
//!
//! [`config`] where the database is · [`error`] what went wrong, and what to do · `admin` migrations, roles, a new
//! database · [`mod@write`] batches of rows.
#[cfg(feature = "tui")]
pub mod admin;
#[cfg(feature = "tui")]
pub mod capabilities;
#[cfg(feature = "recorder")]
pub mod config;
#[cfg(feature = "recorder")]
pub mod error;
#[cfg(feature = "tui")]
pub mod read;
#[cfg(feature = "recorder")]
pub mod write;

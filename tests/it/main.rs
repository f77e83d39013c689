//! One test program for everything that needs a real server: it starts one private PostgreSQL and gives every test a
//! database of its own. Needs the feature `tui`, which brings the server.
#![cfg(feature = "tui")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and helpers of tests too")]
mod beside;
mod cli;
mod cluster;
mod common;
mod database;
mod effects;
mod extremes;
mod filter;
mod hostile;
mod hostile_server;
mod hours;
mod ids;
mod kept;
mod links;
mod live;
mod login;
mod logs;
mod loki_server;
mod losses;
mod odd;
mod plans;
mod planted;
mod private;
mod prune;
mod pty;
mod push_server;
mod quarantine;
mod read;
mod recorder;
mod replica;
mod secrets;
mod settings;
mod tail;
mod terminal;
mod tls;
mod upkeep;
mod zone;

//! The explorer.
//!
//! ```text
//! keys ─▶ keymap ─Action─┐
//! answers of effects ────┼─▶ Msg ─▶ update(&mut App, Msg) ─▶ Vec<Cmd> ─▶ effects (store, logs) ─▶ Msg
//! clock tick, signals ───┘                │ changed?
//!                                         ▼
//!                          view(&App, &Theme, &mut Frame) ─▶ terminal   |   TestBackend ─▶ snapshots/
//! ```
//!
//! - [`app`]: all state as plain data, one file a screen, with what keys do to it.
//! - [`msg`]: what can happen ([`msg::Msg`], [`msg::Action`]) and what can be asked for ([`msg::Cmd`]).
//! - [`keymap`]: the one table of keys, read by the loop, the help and the footer.
//! - [`update`]: the only function that changes the state. Synchronous and total.
//! - [`view`]: draws the state, changes nothing.
//! - [`effects`]: does what was asked for, and sends the answers back.
//! - [`run`]: the loop around all of it, and the terminal.
//! - [`plain`]: list and tree as lines of text, for the command line and the pager.
//! - [`theme`]: colours and glyphs.

pub mod app;
pub mod effects;
#[cfg(test)]
pub mod fixture;
pub mod keymap;
pub mod msg;
pub mod plain;
pub mod run;
pub mod theme;
pub mod update;
pub mod view;
pub mod wrap;

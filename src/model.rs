//! Pure data and rules: no database, no terminal, no clock of its own.
//!
//! - [`compare`]: two cascades side by side.
//! - [`correlation`]: correlation ids and the tokens that carry them through a row's `updated_by`.
//! - [`status`]: the recorded status and the **effective** one, derived by one rule for lists, trees, charts and exit codes.
//! - [`invocation`]: the rows a reader meets.
//! - `filter` (feature `tui`): the language of the list's filter: parse, print, complete, match.
//! - `environment` (feature `tui`): the variables that hold secrets.
//! - [`failures`]: what failed in a range of time, and how the jobs of each name went.
//! - [`fingerprint`]: what errors have in common that differ only in what they are about.
//! - [`flow`]: rows → cascade tree → visible lines.
//! - [`outline`]: stored JSON as lines that fold.
//! - [`host`]: whether a host is this machine.
//! - [`hourly`]: invocations per hour, and where the numbers come from.
//! - [`losses`]: what recorders reported as lost.
//! - [`number`]: numbers of JSON by their digits.
//! - [`payload`]: difference of two rows.
//! - [`redact`]: masking of secrets in texts and JSON.
//! - [`report`]: the JSON of the command line.
//! - [`spread`]: durations counted by length.
//! - [`trace`]: the `traceparent` header.
//! - [`text`]: text that came from data, made safe for a terminal; durations and ages in words.
//! - [`words`]: what differs between two texts.
//! - `zone` (feature `tui`): time zones with their rules.

pub mod compare;
pub mod correlation;
#[cfg(feature = "tui")]
pub mod environment;
pub mod failures;
#[cfg(feature = "tui")]
pub mod filter;
pub mod fingerprint;
pub mod flow;
pub mod host;
pub mod hourly;
pub mod invocation;
pub mod losses;
pub mod number;
pub mod outline;
pub mod payload;
pub mod redact;
pub mod report;
pub mod shared;
pub mod spread;
pub mod status;
pub mod text;
pub mod time;
pub mod trace;
pub mod words;
#[cfg(feature = "tui")]
pub mod zone;

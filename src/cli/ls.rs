//! `obs-tui ls`: invocations, newest first, read page by page, so that a long list costs no memory.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::CliError;
use super::args::Ls;
use crate::model::invocation::Key;
use crate::model::report::Listing;
use crate::store::read::{PageQuery, Reader};
use crate::tui::plain::{LIST_HEAD, list_line};

const PAGE: usize = 500;

/// Prints the list.
///
/// # Errors
/// When nothing matches, when the database fails, or when the output cannot be written.
pub async fn run(
    reader: &Reader,
    args: &Ls,
    stale_after: TimeDelta,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let since = (!args.all).then(|| now - args.since);
    let mut left = args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut older_than: Option<Key> = None;
    let mut printed = 0_usize;
    while left > 0 {
        let query = PageQuery { older_than, since, limit: left.min(PAGE), ..PageQuery::default() };
        let page = reader.page(&query, now, stale_after).await?;
        for row in &page.rows {
            let first = printed == 0;
            if args.json {
                out.write_all(if first { b"[" } else { b",\n " })?;
                serde_json::to_writer(&mut *out, &Listing::new(row, now, stale_after)).map_err(std::io::Error::from)?;
            } else {
                if first {
                    writeln!(out, "{LIST_HEAD}")?;
                }
                writeln!(out, "{}", list_line(row, now, stale_after))?;
            }
            printed += 1;
        }
        left = left.saturating_sub(page.rows.len());
        older_than = page.rows.last().map(|row| Key::from(&row.invocation));
        if !page.more || older_than.is_none() {
            break;
        }
    }
    if args.json {
        out.write_all(if printed == 0 { b"[]\n" } else { b"]\n" })?;
    }
    out.flush()?;
    if printed == 0 {
        let range = if args.all { "at all".to_owned() } else { "within that time; try --since 7d or --all".to_owned() };
        return Err(CliError::Nothing(format!("no invocation was recorded {range}")));
    }
    Ok(())
}

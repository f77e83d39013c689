//! `obs-tui ls`: invocations, newest first, read page by page, so that a long list costs no memory.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use unicode_width::UnicodeWidthStr;

use super::CliError;
use super::args::Ls;
use crate::model::filter::Filter;
use crate::model::invocation::Key;
use crate::model::report::Listing;
use crate::model::text::clean;
use crate::model::time;
use crate::model::zone::Zone;
use crate::store::read::{PageQuery, Reader};
use crate::tui::plain::{LIST_HEAD, list_line};

const PAGE: usize = 500;
/// How far back rows are listed when nothing is said.
const DEFAULT_RANGE: TimeDelta = TimeDelta::hours(24);

/// Reads a filter, or shows where it is wrong.
fn parse(text: &str) -> Result<Filter, CliError> {
    Filter::parse(text).map_err(|error| {
        let before = text.get(..error.at).unwrap_or(text);
        let place = " ".repeat(clean(before).width());
        CliError::Usage(format!("--filter: {}\n  {}\n  {place}^", error.message, clean(text)))
    })
}

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
    let filter = args.filter.as_deref().map(parse).transpose()?;
    let since = match (&filter, args.since) {
        _ if args.all => Some(DateTime::UNIX_EPOCH),
        (_, Some(since)) => Some(time::plus(now, -since)),
        (None, None) => Some(now - DEFAULT_RANGE),
        // Times of its own bound it, or else what a search may read.
        (Some(_), None) => None,
    };
    // Pages that are read later mean the same time.
    let filter = filter.unwrap_or_default().pinned(now, &Zone::UTC);
    let mut left = args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut older_than: Option<Key> = None;
    let mut printed = 0_usize;
    while left > 0 {
        let query = PageQuery { older_than, since, filter: filter.clone(), limit: left.min(PAGE) };
        let page = reader.page(&query, now, stale_after).await?;
        let now = reader.data_time(now);
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
        let what = if filter.is_empty() { "was recorded" } else { "matches" };
        let range = if args.all { "at all" } else { "within that time; try --since 30d or --all" };
        return Err(CliError::Nothing(format!("no invocation {what} {range}")));
    }
    Ok(())
}

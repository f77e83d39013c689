//! `obs-tui tail`: prints invocations as they come, and again when their status changes, until it is stopped.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use uuid::Uuid;

use super::args::Tail;
use super::config::Settings;
use super::{CliError, complain};
use crate::clock::Clock;
use crate::model::filter::Filter;
use crate::model::invocation::{Key, Listed};
use crate::model::report::Listing;
use crate::model::status::Effective;
use crate::model::time::plus;
use crate::store::error::StoreError;
use crate::store::read::{Listener, PageQuery, Reader};
use crate::tui::plain::{LIST_HEAD, list_line};

/// Rows of one look.
const PAGE: usize = 500;
/// Unfinished rows that are looked at again at the most: the newest.
const MOST_WATCHED: usize = 500;
/// Finished rows are remembered for so long, in the time of the rows: the reader looks back a minute.
const REMEMBERED: TimeDelta = TimeDelta::minutes(5);
/// How far the clocks of writers may differ from ours.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);
/// How long after something was written a look begins: a burst is one look.
const SHORTLY: Duration = Duration::from_millis(250);
/// The longest wait while the database is away.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What was printed of a row.
#[derive(Clone, Copy, Debug)]
struct Printed {
    key: Key,
    effective: Effective,
}

/// What was printed and what to look for next.
#[derive(Debug)]
struct Follower {
    query: PageQuery,
    printed: BTreeMap<Uuid, Printed>,
    /// The newest row that is not from the future: a writer whose clock is ahead must not hide what comes after.
    newest: Option<Key>,
    /// When the last look began that was answered.
    looked_at: Option<DateTime<Utc>>,
}

impl Follower {
    /// The rows to print, oldest first: those that were not printed yet with this status.
    fn take(&mut self, mut rows: Vec<Listed>, now: DateTime<Utc>, stale_after: TimeDelta) -> Vec<Listed> {
        self.looked_at = Some(now);
        rows.sort_by_key(|row| Key::from(&row.invocation));
        rows.dedup_by_key(|row| row.invocation.id);
        rows.retain(|row| {
            let (key, effective) = (Key::from(&row.invocation), row.verdict(now, stale_after).effective);
            self.newest = self.newest.max(Some(key).filter(|key| key.created_at <= now));
            let before = self.printed.insert(key.id, Printed { key, effective });
            before.is_none_or(|before| before.effective != effective)
        });
        if let Some(newest) = self.newest {
            let since = plus(newest.created_at, -REMEMBERED);
            let watched: Vec<Uuid> = self.watched();
            self.printed.retain(|id, printed| printed.key.created_at >= since || watched.contains(id));
        }
        rows
    }

    /// The newest of the rows that may change.
    fn watched(&self) -> Vec<Uuid> {
        let may_change = |printed: &&Printed| matches!(printed.effective, Effective::Running | Effective::Stuck);
        let mut keys: Vec<Key> = self.printed.values().filter(may_change).map(|printed| printed.key).collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.into_iter().take(MOST_WATCHED).map(|key| key.id).collect()
    }

    /// From where on a look begins. Where few rows pass the newest one may be old, or there is none: the rows since then
    /// were looked through before.
    fn known_until(&self) -> Option<Key> {
        let looked = self.looked_at.and_then(|at| at.checked_sub_signed(CLOCKS_DIFFER));
        self.newest.max(looked.map(|created_at| Key { created_at, id: Uuid::nil() }))
    }

    /// What came and what changed since the last look.
    async fn look(
        &self,
        reader: &Reader,
        now: DateTime<Utc>,
        stale_after: TimeDelta,
    ) -> Result<Vec<Listed>, StoreError> {
        let until = self.known_until();
        let mut rows = match until {
            Some(_) => reader.changes(&self.query, until, &self.watched(), now, stale_after).await?.rows,
            None => reader.page(&self.query, now, stale_after).await?.rows,
        };
        // More came than one look brings: those between follow, page by page.
        let known = |key: &Key| until.is_some_and(|until| *key <= until);
        let mut last = rows.iter().map(|row| Key::from(&row.invocation)).filter(|key| !known(key)).min();
        let mut is_full = rows.len() >= PAGE;
        while let Some(oldest) = last.filter(|_| is_full) {
            let query = PageQuery { older_than: Some(oldest), ..self.query.clone() };
            let page = reader.page(&query, now, stale_after).await?;
            is_full = page.more;
            last = page.rows.last().map(|row| Key::from(&row.invocation)).filter(|key| !known(key));
            rows.extend(page.rows);
        }
        Ok(rows)
    }
}

/// Prints what comes until Ctrl-C, or until nobody reads any more. While the database is away it waits, and goes on
/// where it was.
///
/// # Errors
/// When the filter cannot be read, when the database cannot be reached at first or refuses, or when the output cannot be
/// written.
pub async fn run(
    reader: &Reader,
    args: &Tail,
    settings: &Settings,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let filter = Filter::parse(&args.filter).map_err(|error| CliError::Usage(error.to_string()))?;
    let begun = clock.now();
    let since = args.since.map_or(begun, |time| plus(begun, -time));
    let query = PageQuery { since: Some(since), filter, limit: PAGE, ..PageQuery::default() };
    let mut follower = Follower { query, printed: BTreeMap::new(), newest: None, looked_at: None };
    let every = settings.poll_every.to_std().unwrap_or(Duration::from_secs(2));
    let (mut wait, mut is_away, mut was_there) = (every, false, false);
    // Looks between those of every so often, where the server tells that something was written.
    let (mut listener, mut may_listen) = (None, true);
    if !args.json {
        writeln!(out, "{LIST_HEAD}")?;
        out.flush()?;
    }
    let mut stopped = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let now = clock.now();
        let looked = tokio::select! {
            looked = follower.look(reader, now, settings.stale_after) => looked,
            _ = &mut stopped => return Ok(()),
        };
        match looked {
            Ok(rows) => {
                if is_away {
                    complain("connected again");
                }
                (wait, is_away, was_there) = (every, false, true);
                let now = reader.data_time(now);
                for row in follower.take(rows, now, settings.stale_after) {
                    if args.json {
                        writeln!(out, "{}", serde_json::to_string(&Listing::new(&row, now, settings.stale_after))?)?;
                    } else {
                        writeln!(out, "{}", list_line(&row, now, settings.stale_after))?;
                    }
                }
                out.flush()?;
                if may_listen && listener.is_none() {
                    listener = reader.listen().await.ok();
                    may_listen = listener.is_some();
                }
            }
            // A lock, a standby that replays and a look that takes too long pass, too.
            Err(
                error @ (StoreError::Unreachable { .. }
                | StoreError::Timeout { .. }
                | StoreError::Locked { .. }
                | StoreError::Conflict { .. }),
            ) if was_there => {
                if !is_away {
                    complain(&format!("{error}. Trying again until it answers"));
                }
                (wait, is_away) = ((wait * 2).min(LONGEST_WAIT), true);
                (listener, may_listen) = (None, true);
            }
            Err(error) => return Err(error.into()),
        }
        if nobody_reads() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            heard = heard(&mut listener) => match heard {
                true => tokio::time::sleep(SHORTLY).await,
                false => listener = None,
            },
            _ = &mut stopped => return Ok(()),
        }
    }
}

/// Waits until something was written; false when the listener is of no use any more. Without one there is no end.
async fn heard(listener: &mut Option<Listener<'_>>) -> bool {
    match listener {
        Some(listener) => listener.heard().await,
        None => std::future::pending().await,
    }
}

/// Whether standard output is a pipe whose other end is closed: a write would tell, but there may be nothing to write.
fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let answer = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    answer.is_ok() && fds[0].revents().intersects(PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::status::STALE_AFTER;
    use crate::tui::fixture;

    fn follower() -> Follower {
        Follower { query: PageQuery::default(), printed: BTreeMap::new(), newest: None, looked_at: None }
    }

    #[test]
    fn neither_a_clock_that_is_ahead_nor_a_long_wait_moves_the_place_of_the_next_look() {
        let mut follower = follower();
        assert_eq!(follower.known_until(), None);
        let mut rows = fixture::listed();
        rows[0].invocation.created_at = fixture::now() + TimeDelta::hours(2);
        follower.take(rows.clone(), fixture::now(), STALE_AFTER);
        assert_eq!(follower.newest, Some(Key::from(&rows[1].invocation)), "rows of now still come");
        // Nothing passes for a day: the day is not looked through each time.
        let later = fixture::now() + TimeDelta::days(1);
        assert_eq!(follower.take(Vec::new(), later, STALE_AFTER).len(), 0);
        assert_eq!(follower.known_until().map(|key| key.created_at), Some(later - CLOCKS_DIFFER));
    }

    #[test]
    fn every_row_is_printed_once_for_each_status() {
        let mut follower = follower();
        // The last one is of yesterday and ended: such a row does not come again.
        let rows = fixture::listed()[..11].to_vec();
        let mut take = |rows: &[Listed]| follower.take(rows.to_vec(), fixture::now(), STALE_AFTER).len();
        assert_eq!(take(&rows), rows.len());
        assert_eq!(take(&rows), 0);
        let mut ended = rows.clone();
        ended[0].invocation.status = "completed".into();
        ended[0].children.jobs_unfinished = 0;
        assert_eq!((take(&ended), take(&ended)), (1, 0));
    }

    #[test]
    fn rows_come_oldest_first_and_old_ones_are_forgotten_unless_they_run() {
        let mut follower = follower();
        let rows = fixture::listed();
        let taken = follower.take(rows.clone(), fixture::now(), STALE_AFTER);
        assert!(taken.windows(2).all(|pair| pair[0].invocation.created_at <= pair[1].invocation.created_at));
        assert_eq!(follower.newest, Some(Key::from(&rows[0].invocation)));
        let (stuck, old) = (rows[10].invocation.id, rows[11].invocation.id);
        assert!(follower.printed.contains_key(&stuck) && !follower.printed.contains_key(&old));
        assert_eq!(follower.watched(), [rows[0].invocation.id, stuck]);
    }
}

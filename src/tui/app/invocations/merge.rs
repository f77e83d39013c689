//! Rows that came → rows that are shown. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::model::invocation::{Key, Listed};

/// The key of a row.
#[must_use]
pub fn key(row: &Listed) -> Key {
    Key::from(&row.invocation)
}

/// Where a key stands in rows that are newest first, or where it would stand.
///
/// # Errors
/// The place where it would stand.
pub fn position(rows: &[Listed], wanted: Key) -> Result<usize, usize> {
    rows.binary_search_by_key(&Reverse(wanted), |row| Reverse(key(row)))
}

/// Puts rows into a list that is newest first: a row whose id is known is replaced, every other one is added in its
/// place.
pub fn merge(rows: &mut Vec<Listed>, page: Vec<Listed>) {
    let page: BTreeMap<Uuid, Listed> = page.into_iter().map(|row| (row.invocation.id, row)).collect();
    let mut added = Vec::new();
    for row in page.into_values() {
        match position(rows, key(&row)) {
            Ok(at) => rows[at] = row,
            Err(_) => added.push(row),
        }
    }
    if added.is_empty() {
        return;
    }
    // An id that came back with another time leaves its old place.
    let ids: HashSet<Uuid> = added.iter().map(|row| row.invocation.id).collect();
    rows.retain(|row| !ids.contains(&row.invocation.id));
    added.sort_unstable_by_key(|row| Reverse(key(row)));
    let newer = rows.first().is_none_or(|first| added.last().is_some_and(|last| key(last) > key(first)));
    let older = rows.last().is_none_or(|last| added.first().is_some_and(|first| key(first) < key(last)));
    if older {
        rows.append(&mut added);
    } else if newer {
        rows.splice(0..0, added);
    } else {
        rows.append(&mut added);
        rows.sort_by_key(|row| Reverse(key(row)));
    }
}

/// What [`trim`] took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Some of the newest rows.
    pub newest: bool,
    /// Some of the oldest rows.
    pub oldest: bool,
}

/// Keeps at most so many rows: those around the place that is looked at.
pub fn trim(rows: &mut Vec<Listed>, at: usize, most: usize) -> Trimmed {
    let surplus = rows.len().saturating_sub(most);
    let first = at.saturating_sub(most / 2).min(surplus);
    rows.truncate(first + most);
    rows.drain(..first);
    Trimmed { newest: first > 0, oldest: first < surplus }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::tui::fixture;

    fn row(id: u128, seconds: i64) -> Listed {
        let invocation = fixture::invocation(id, seconds * 1_000, "moves", ("UPDATE", "moves"));
        Listed { invocation, children: crate::model::invocation::Children::default() }
    }

    fn rows() -> impl Strategy<Value = Vec<Listed>> {
        vec((0..40_u128, 0..12_i64).prop_map(|(id, seconds)| row(id, seconds)), 0..40)
    }

    proptest! {
        #[test]
        fn merging_loses_nothing_doubles_nothing_and_keeps_the_order(pages in vec(rows(), 1..6)) {
            let mut merged = Vec::new();
            let mut expected = BTreeMap::new();
            for page in pages {
                expected.extend(page.iter().map(|row| (row.invocation.id, key(row))));
                merge(&mut merged, page);
                let mut wanted: Vec<Key> = expected.values().copied().collect();
                wanted.sort_unstable_by_key(|key| Reverse(*key));
                let found: Vec<Key> = merged.iter().map(key).collect();
                prop_assert_eq!(found, wanted);
            }
        }

        #[test]
        fn trimming_keeps_what_is_looked_at(count in 0..60_usize, at in 0..60_usize, most in 1..60_usize) {
            let mut rows: Vec<Listed> = (0..count).map(|n| row(n as u128, i64::try_from(n).unwrap())).collect();
            let seen = rows.get(at).map(|row| row.invocation.id);
            trim(&mut rows, at, most);
            prop_assert!(rows.len() <= most && rows.len() == count.min(most));
            prop_assert!(seen.is_none_or(|id| rows.iter().any(|row| row.invocation.id == id)));
        }
    }

    #[test]
    fn a_row_that_came_again_replaces_the_old_one() {
        let mut rows = vec![row(1, 1), row(2, 2)];
        let mut again = row(2, 2);
        again.invocation.status = "failed".into();
        merge(&mut rows, vec![again.clone()]);
        assert_eq!(rows, [row(1, 1), again]);
    }
}

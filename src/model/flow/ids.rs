//! Sets and maps by row id. Ids are random or ordered by time, so a few multiplications spread them as well as a hash
//! that resists attacks, and a tree of 100,000 nodes looks up half a million.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use uuid::Uuid;

/// A set of row ids.
pub type IdSet = HashSet<Uuid, BuildHasherDefault<IdHasher>>;
/// Something for each row id.
pub(super) type IdMap<T> = HashMap<Uuid, T, BuildHasherDefault<IdHasher>>;

/// 2⁶⁴ divided by the golden ratio: an odd number with well mixed bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Hashes row ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            // The upper half of a product depends on all bits, the lower one on those below: together they are mixed.
            let product = u128::from(self.0 ^ u64::from_le_bytes(word)) * u128::from(SPREAD);
            self.0 = (product >> 64) as u64 ^ product as u64;
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    /// The hash of each of these ids.
    fn hashes(ids: impl Iterator<Item = u128>) -> Vec<u64> {
        let hash = |id| BuildHasherDefault::<IdHasher>::default().hash_one(Uuid::from_u128(id));
        ids.map(hash).collect()
    }

    #[test]
    fn ids_that_differ_in_few_bits_are_spread() {
        let base = 0x550e_8400_e29b_71d4_a716_4466_5544_0000_u128;
        for shift in [0, 16, 40, 64, 96] {
            let hashes = hashes((0..4_096).map(|n| base ^ n << shift));
            for bits in [|hash: u64| hash & 0xFFF, |hash: u64| hash >> 52] {
                let places: HashSet<u64> = hashes.iter().map(|&hash| bits(hash)).collect();
                // Of as many balls in as many boxes, 2,589 boxes are hit by chance.
                assert!(places.len() > 1_000, "{} places at {shift}", places.len());
            }
        }
    }
}

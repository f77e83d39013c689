//! The buffer of the recorder and its counters, run by loom in every order of their steps (with at most so many
//! preemptions), and with every value that the memory orderings allow an atomic to have:
//!
//! ```sh
//! cargo test --manifest-path tests/model/Cargo.toml
//! ```
#![cfg(test)]

/// What the parts of the recorder find in place of `std::sync`.
mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
    pub(crate) use std::sync::{Arc, PoisonError};
}

#[expect(dead_code, reason = "what is not run here")]
mod recorder {
    pub(super) mod arena {
        include!(concat!(env!("OUT_DIR"), "/arena.rs"));

        mod checks;
    }

    pub(super) mod counts {
        include!(concat!(env!("OUT_DIR"), "/counts.rs"));

        mod checks;
    }

    /// Records of eight bytes: a thread and a count.
    pub(super) mod frame {
        use super::record::Record;

        pub(crate) struct Frame<'a>(pub(crate) &'a Record);

        #[derive(Clone, Copy)]
        pub(crate) struct Size;

        impl Size {
            pub(crate) fn total(self) -> usize {
                8
            }
        }

        impl Frame<'_> {
            pub(crate) fn size(&self) -> Size {
                Size
            }

            pub(crate) fn fill(&self, _: Size, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.0.0.to_le_bytes());
            }
        }
    }

    pub(super) const BATCH_BYTES: usize = 1 << 10;

    /// What was taken.
    pub(super) mod held {
        use std::ops::Range;
        use std::sync::Arc;

        use super::record::Record;

        pub(crate) struct Held(pub(crate) Vec<Record>);

        impl Held {
            pub(crate) fn new(bytes: Arc<Vec<u8>>, places: impl IntoIterator<Item = Range<usize>>) -> Self {
                let record = |place: Range<usize>| Record(u64::from_le_bytes(bytes[place].try_into().unwrap()));
                Self(places.into_iter().map(record).collect())
            }

            pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
                None
            }
        }
    }

    pub(super) mod record {
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) struct Record(pub(crate) u64);
    }
}

/// Runs a check in every order with at most this many preemptions.
fn explore(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 20_000;
    model.check(check);
}

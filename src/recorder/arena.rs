//! Where records wait: bytes in chunks, in shards that threads share as little as possible.
//!
//! A record is copied into the open chunk of the caller's shard under a lock that nobody holds for longer than such a
//! copy; a caller that finds it taken goes to the next shard instead of waiting. Every record has a number, drawn while
//! the shard is locked: a record whose guard was made from another one has the greater number, whichever shards and
//! threads they went through. The flusher takes all records up to some number, so it never has a child without its parent.
//!
//! The bound covers the chunks as they are allocated, so it is exact whatever is in them. An eighth is reserved for ends,
//! so that what has started can be finished; and parts of it for the ends of parents, which are few and come last.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::recorder::BATCH_BYTES;
use crate::recorder::frame::Frame;
use crate::recorder::held::Held;

/// The length and the number before each record.
const HEADER: usize = 12;
const FEWEST_SHARDS: usize = 8;
const LARGEST_CHUNK: usize = 256 << 10;
/// What is kept for the next batch, bytes.
const MOST_SPARE: usize = 2 * BATCH_BYTES;
/// Chunks that are kept for the next records.
const POOL: usize = 8;
/// How often a caller goes round all shards before it gives up.
const ROUNDS: usize = 64;

/// What a record is to others, and so how much of the memory may be in use when it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A log line: half.
    Line,
    /// What begins or goes on: all but an eighth.
    Start,
    /// The end of a job, a row that others refer to, and what is only counted anew.
    JobEnd,
    /// The end of an event: there is still room when jobs find none.
    EventEnd,
    /// The end of an invocation: all.
    InvocationEnd,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is record number `.0`, counted from 1.
    Kept(u64),
    /// There is no room.
    Full,
    /// Every shard was locked again and again: threads that were put to sleep by the system while they held one.
    Contended,
    /// The recorder has ended.
    Closed,
}

#[derive(Debug)]
pub(super) struct Arena {
    shards: Box<[Shard]>,
    /// Records so far.
    accepted: Apart<AtomicU64>,
    /// Bytes of all chunks but those in the pool.
    in_use: AtomicUsize,
    /// Bytes in chunks that are complete and that the flusher has not taken.
    complete: AtomicUsize,
    pool: Mutex<Vec<Chunk>>,
    limit: usize,
    chunk: usize,
}

/// On a pair of cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

type Shard = Apart<Mutex<Chunks>>;

#[derive(Debug, Default)]
struct Chunks {
    open: Chunk,
    complete: VecDeque<Chunk>,
    closed: bool,
}

/// Memory for records, and how much of it they fill.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Box<[u8]>,
    used: usize,
}

impl Chunk {
    fn new(size: usize) -> Self {
        Self { bytes: vec![0; size].into_boxed_slice(), used: 0 }
    }

    /// Adds the header of a record, for which there is room; its bytes are to be filled in.
    #[inline(always)]
    fn add(&mut self, length: u32, number: u64) -> &mut [u8] {
        let (free, length_bytes) = (self.bytes.get_mut(self.used..), length as usize);
        self.used += HEADER + length_bytes;
        let Some((place, rest)) = free.and_then(|free| free.split_first_chunk_mut()) else { return &mut [] };
        *place = length.to_le_bytes();
        let Some((place, rest)) = rest.split_first_chunk_mut() else { return &mut [] };
        *place = number.to_le_bytes();
        rest.get_mut(..length_bytes).unwrap_or_default()
    }

    #[inline]
    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() - self.used >= bytes
    }
}

impl Arena {
    pub(super) fn new(limit: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_shards(limit, (2 * cores).max(FEWEST_SHARDS).next_power_of_two())
    }

    /// The number of shards is a power of two.
    fn with_shards(limit: usize, shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            accepted: Apart::default(),
            in_use: AtomicUsize::new(0),
            complete: AtomicUsize::new(0),
            pool: Mutex::default(),
            limit,
            // All shards together keep an eighth of the memory open.
            chunk: LARGEST_CHUNK.min(limit / (8 * shards)),
        }
    }

    /// Takes a record, if the memory in use leaves room for those of its rank.
    #[inline(always)]
    pub(super) fn push(&self, frame: &Frame<'_>, rank: Rank) -> Pushed {
        let limit = match rank {
            Rank::Line => self.limit / 2,
            Rank::Start => self.limit - self.limit / 8,
            Rank::JobEnd => self.limit - self.limit / 32,
            Rank::EventEnd => self.limit - self.limit / 64,
            Rank::InvocationEnd => self.limit,
        };
        let size = frame.size();
        let Ok(length) = u32::try_from(size.total()) else { return Pushed::Full };
        let (first, mask) = (home(), self.shards.len() - 1);
        let mut full = false;
        for turn in 0..ROUNDS * self.shards.len() {
            let Some(shard) = self.shards.get((first + turn) & mask) else { break };
            // Poisoned it cannot be: nothing panics while it is locked.
            if let Ok(mut chunks) = shard.0.try_lock() {
                if chunks.closed {
                    return Pushed::Closed;
                }
                if self.has_room(&mut chunks, HEADER + size.total(), limit) {
                    // Sequentially consistent: see `Shared::accepted`.
                    let before = self.accepted.0.fetch_add(1, Ordering::SeqCst);
                    frame.fill(size, chunks.open.add(length, before));
                    return Pushed::Kept(before + 1);
                }
                full = true;
            }
            if turn & mask == mask {
                if full {
                    return Pushed::Full;
                }
                std::hint::spin_loop();
            }
        }
        Pushed::Contended
    }

    #[inline]
    fn has_room(&self, chunks: &mut Chunks, bytes: usize, limit: usize) -> bool {
        if self.in_use.load(Ordering::Relaxed) > limit {
            return false;
        }
        chunks.open.has_room(bytes) || self.open(chunks, bytes, limit)
    }

    /// Opens a chunk that has room for a record of this size, if the limit allows.
    #[cold]
    fn open(&self, chunks: &mut Chunks, bytes: usize, limit: usize) -> bool {
        let size = bytes.max(self.chunk);
        let grown = |used: usize| used.checked_add(size).filter(|used| *used <= limit);
        if self.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_err() {
            return false;
        }
        let mut pool = self.pool();
        let pooled = pool.as_deref_mut().filter(|_| size == self.chunk).and_then(Vec::pop);
        let opened = pooled.unwrap_or_else(|| {
            // A chunk of unusual size makes up for those that wait in the pool.
            pool.as_deref_mut().into_iter().for_each(Vec::clear);
            Chunk::new(size)
        });
        drop(pool);
        let old = std::mem::replace(&mut chunks.open, opened);
        if old.used == 0 {
            self.release(old);
        } else {
            self.complete.fetch_add(old.used, Ordering::Relaxed);
            chunks.complete.push_back(old);
        }
        true
    }

    /// Gives back a chunk.
    fn release(&self, mut chunk: Chunk) {
        self.in_use.fetch_sub(chunk.bytes.len(), Ordering::Relaxed);
        if chunk.bytes.len() == self.chunk
            && let Some(mut pool) = self.pool()
            && pool.len() < POOL
        {
            chunk.used = 0;
            pool.push(chunk);
        }
    }

    /// None while another thread uses it: nobody waits for the pool.
    fn pool(&self) -> Option<MutexGuard<'_, Vec<Chunk>>> {
        self.pool.try_lock().ok()
    }

    /// Records so far.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.0.load(Ordering::SeqCst)
    }

    /// Bytes that records hold.
    pub(super) fn bytes(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Whether so much is waiting that it should be written whatever its age: `bytes`, or a quarter of all.
    pub(super) fn is_pressed(&self, bytes: usize) -> bool {
        self.complete.load(Ordering::Relaxed) >= bytes || self.is_filling()
    }

    /// Whether a quarter of the memory is in use.
    #[inline]
    pub(super) fn is_filling(&self) -> bool {
        self.bytes() > self.limit / 4
    }

    /// No records from now on.
    pub(super) fn close(&self) {
        for shard in &self.shards {
            shard.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        }
    }
}

/// Threads are spread over the shards in the order in which they come.
fn home() -> usize {
    thread_local! {
        static HOME: Cell<Option<usize>> = const { Cell::new(None) };
    }
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    HOME.try_with(|home| match home.get() {
        Some(place) => place,
        None => {
            let place = NEXT.fetch_add(1, Ordering::Relaxed);
            home.set(Some(place));
            place
        }
    })
    .unwrap_or(0)
}

/// The flusher's end of the arena: what it has taken out and not read yet.
#[derive(Debug)]
pub(super) struct Intake {
    /// The chunks of each shard.
    shards: Vec<VecDeque<Cursor>>,
    /// All records below this number are in `shards`, or have been read.
    complete_to: u64,
    /// Records that were read.
    pub(super) read: u64,
    /// Memory of a batch that was written, for the next one: new pages from the system cost more than what is put there.
    spare: Vec<u8>,
}

#[derive(Debug)]
struct Cursor {
    chunk: Chunk,
    at: usize,
}

impl Cursor {
    /// The number of the next record, and its bytes.
    fn peek(&self) -> Option<(u64, &[u8])> {
        let (length, rest) = self.chunk.bytes.get(self.at..self.chunk.used)?.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        Some((u64::from_le_bytes(*number), rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?))
    }
}

impl Intake {
    pub(super) fn new(arena: &Arena) -> Self {
        Self {
            shards: arena.shards.iter().map(|_| VecDeque::new()).collect(),
            complete_to: 0,
            read: 0,
            spare: Vec::new(),
        }
    }

    /// The next records in the order of their numbers: so many, or somewhat more than so many bytes.
    pub(super) fn take(&mut self, arena: &Arena, records: usize, bytes: usize) -> Held {
        let (mut taken, mut places) = (std::mem::take(&mut self.spare), Vec::new());
        taken.clear();
        while places.len() < records && taken.len() < bytes {
            if self.read >= self.complete_to {
                self.drain(arena);
                if self.read >= self.complete_to {
                    break;
                }
            }
            let number = |queue: &VecDeque<Cursor>| queue.front().and_then(Cursor::peek).map(|(number, _)| number);
            let next = self.shards.iter_mut().filter(|queue| !queue.is_empty()).min_by_key(|queue| number(queue));
            let Some(queue) = next else { break };
            if let Some(cursor) = queue.front_mut()
                && let Some((_, frame)) = cursor.peek()
            {
                let start = taken.len();
                taken.extend_from_slice(frame);
                places.push(start..taken.len());
                self.read += 1;
                cursor.at += HEADER + taken.len() - start;
            }
            if queue.front().is_some_and(|cursor| cursor.peek().is_none())
                && let Some(cursor) = queue.pop_front()
            {
                arena.release(cursor.chunk);
            }
        }
        Held::new(Arc::new(taken), places)
    }

    /// Takes back the memory of a batch.
    pub(super) fn reuse(&mut self, held: Held) {
        if let Some(bytes) = held.into_bytes().filter(|bytes| bytes.capacity() <= MOST_SPARE) {
            self.spare = bytes;
        }
    }

    fn drain(&mut self, arena: &Arena) {
        // Whoever has drawn a lower number has locked a shard, and is waited for below.
        let accepted = arena.accepted();
        for (queue, shard) in self.shards.iter_mut().zip(&arena.shards) {
            let mut chunks = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            let complete = chunks.complete.drain(..);
            queue.extend(complete.map(|chunk| {
                arena.complete.fetch_sub(chunk.used, Ordering::Relaxed);
                Cursor { chunk, at: 0 }
            }));
            let open = std::mem::take(&mut chunks.open);
            drop(chunks);
            if open.used == 0 {
                arena.release(open);
            } else {
                queue.push_back(Cursor { chunk: open, at: 0 });
            }
        }
        self.complete_to = accepted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::held::tests::{held, rows};
    use crate::recorder::record::Record;
    use crate::recorder::record::tests::history;

    const ALL: usize = usize::MAX;

    fn push(arena: &Arena, record: &Record<'_>) -> Pushed {
        arena.push(&Frame::of(record), record.rank().max(Rank::Start))
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_memory_comes_back() {
        let arena = Arena::new(1 << 20);
        let mut intake = Intake::new(&arena);
        let records = [history(1, "failed", 40), history(2, "completed", 40)].concat();
        for round in 0..5 {
            for (record, number) in records.iter().zip(1..) {
                assert_eq!(push(&arena, record), Pushed::Kept(round * records.len() as u64 + number));
            }
            for (most, bytes, expected) in
                [(10, ALL, &records[..10]), (ALL, 1, &records[10..11]), (ALL, ALL, &records[11..])]
            {
                assert_eq!(rows(&intake.take(&arena, most, bytes)), rows(&held(expected)));
            }
            assert_eq!((arena.bytes(), intake.read), (0, arena.accepted()));
        }
        assert!(intake.take(&arena, ALL, ALL).is_empty());
    }

    #[test]
    fn what_starts_leaves_room_for_what_ends_and_the_bound_is_exact() {
        for limit in [8 << 10, 100_000, 4 << 20] {
            let arena = Arena::new(limit);
            let records = history(1, "completed", 1);
            let (start, end) = (&records[3], &records[4]);
            let (event_end, invocation_end) = (&records[6], &records[7]);
            assert_eq!(
                [start, end, event_end, invocation_end].map(Record::rank),
                [Rank::Start, Rank::JobEnd, Rank::EventEnd, Rank::InvocationEnd]
            );
            while push(&arena, start) != Pushed::Full {}
            let started = arena.accepted();
            assert!(arena.bytes() <= limit - limit / 8);
            while push(&arena, end) != Pushed::Full {}
            assert!(arena.bytes() <= limit && arena.accepted() - started >= started / 16, "{started} of {limit}");
            assert_eq!(push(&arena, start), Pushed::Full);
            // However many jobs there are, the ends of their parents find room.
            for parent in [event_end, invocation_end] {
                assert!(matches!(push(&arena, parent), Pushed::Kept(_)), "{limit}");
                while push(&arena, parent) != Pushed::Full {}
                assert!(arena.bytes() <= limit);
                assert_eq!(push(&arena, end), Pushed::Full);
            }
            let mut intake = Intake::new(&arena);
            assert_eq!(rows(&intake.take(&arena, ALL, ALL)).records(), arena.accepted());
            assert_eq!(arena.bytes(), 0);
            assert!(matches!(push(&arena, start), Pushed::Kept(_)));
            arena.close();
            assert_eq!(push(&arena, end), Pushed::Closed);
        }
    }

    #[test]
    fn a_record_larger_than_a_chunk_has_one_of_its_own() {
        let arena = Arena::new(1 << 20);
        let mut records = history(1, "completed", 1);
        if let Record::Job(row) = &mut records[4] {
            row.result = Some("x".repeat(600_000).into());
        }
        records.iter().for_each(|record| assert!(matches!(push(&arena, record), Pushed::Kept(_))));
        assert!(arena.is_pressed(ALL) && arena.bytes() <= 1 << 20);
        assert_eq!(push(&arena, &records[4]), Pushed::Full);
        assert_eq!(rows(&Intake::new(&arena).take(&arena, ALL, ALL)), rows(&held(&records)));
        assert_eq!(arena.bytes(), 0);
    }

    #[test]
    fn threads_lose_nothing_and_a_child_never_comes_before_its_parent() {
        let arena = Arena::new(64 << 20);
        let mut intake = Intake::new(&arena);
        let (threads, rounds) = (4_u128, 500_u128);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let arena = &arena;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let records = history(thread * rounds + round + 1, "completed", 2);
                        // The children are recorded by another thread than the parents.
                        records[..2].iter().for_each(|record| assert!(matches!(push(arena, record), Pushed::Kept(_))));
                        let children = || {
                            let rest = &records[2..];
                            rest.iter().for_each(|record| assert!(matches!(push(arena, record), Pushed::Kept(_))));
                        };
                        std::thread::scope(|inner| inner.spawn(children).join().unwrap());
                    }
                });
            }
            let total = threads * rounds * 12;
            let (mut seen, mut count) = (std::collections::BTreeSet::new(), 0);
            while count < total {
                let taken = intake.take(&arena, 7, ALL);
                let batch = rows(&taken);
                count += u128::from(batch.records());
                seen.extend(batch.invocations.iter().map(|row| row.id));
                assert!(
                    batch.events.iter().all(|row| seen.contains(&row.invocation_id)),
                    "an event before its invocation"
                );
                seen.extend(batch.events.iter().map(|row| row.id));
                assert!(batch.jobs.iter().all(|row| seen.contains(&row.event_execution_id)), "a job before its event");
                seen.extend(batch.jobs.iter().map(|row| row.id));
                assert!(batch.logs.iter().all(|row| seen.contains(&row.job_execution_id)), "a line before its job");
            }
        });
        assert!(intake.take(&arena, ALL, ALL).is_empty());
        assert_eq!(arena.bytes(), 0);
    }
}

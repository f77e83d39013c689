//! No record is lost, doubled or out of order, and all memory comes back.

use loom::sync::Arc;
use loom::thread;

use crate::recorder::record::Record;

use super::*;

/// Two threads record while the flusher takes; one of them refers to what the other had recorded before.
#[test]
fn records_come_out_once_and_in_order() {
    crate::explore(2, || {
        let arena = Arc::new(Arena::with_shards(16 * 64, 2));
        let mut intake = Intake::new(&arena);
        let push = |arena: &Arena, record: u64| match arena.push(&Frame(&Record(record)), Rank::InvocationEnd) {
            Pushed::Kept(_) => 1,
            Pushed::Contended => 0,
            other => panic!("{other:?}"),
        };
        let parent = push(&arena, 1);
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || push(&arena, 2))
        };
        let mut taken = intake.take(&arena, usize::MAX, usize::MAX).0;
        let kept = parent + push(&arena, 3) + other.join().unwrap();
        taken.extend(intake.take(&arena, usize::MAX, usize::MAX).0);

        let mut records: Vec<u64> = taken.iter().map(|record| record.0).collect();
        assert_eq!(records.first(), Some(&1), "nothing comes before what it was made from");
        records.sort_unstable();
        records.dedup();
        assert_eq!((records.len(), taken.len()), (kept, kept));
        assert_eq!((arena.accepted(), intake.read, arena.bytes()), (kept as u64, kept as u64, 0));
        assert_eq!(arena.complete.load(Ordering::Relaxed), 0);
    });
}

/// A thread that sees a record of another one has its own taken after it, wherever the two went.
#[test]
fn a_child_of_another_thread_never_comes_first() {
    crate::explore(2, || {
        let arena = Arc::new(Arena::with_shards(16 * 64, 2));
        let told = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let flusher = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let mut intake = Intake::new(&arena);
                let taken = intake.take(&arena, usize::MAX, usize::MAX).0;
                (taken, intake)
            })
        };
        let child = {
            let (arena, told) = (Arc::clone(&arena), Arc::clone(&told));
            thread::spawn(move || {
                told.load(Ordering::Acquire) && matches!(arena.push(&Frame(&Record(2)), Rank::InvocationEnd), Pushed::Kept(_))
            })
        };
        let parent = matches!(arena.push(&Frame(&Record(1)), Rank::InvocationEnd), Pushed::Kept(_));
        told.store(parent, Ordering::Release);
        let child = child.join().unwrap();
        let (mut taken, mut intake) = flusher.join().unwrap();
        taken.extend(intake.take(&arena, usize::MAX, usize::MAX).0);
        let expected: Vec<Record> =
            [parent.then_some(Record(1)), child.then_some(Record(2))].into_iter().flatten().collect();
        assert_eq!(taken, expected);
    });
}

/// What is refused because the end has come is not in the arena, and what was kept is.
#[test]
fn the_end_takes_all_or_tells() {
    crate::explore(2, || {
        let arena = Arc::new(Arena::with_shards(16 * 64, 2));
        let caller = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || matches!(arena.push(&Frame(&Record(1)), Rank::InvocationEnd), Pushed::Kept(_)))
        };
        arena.close();
        let taken = Intake::new(&arena).take(&arena, usize::MAX, usize::MAX).0;
        assert_eq!(caller.join().unwrap(), taken.len() == 1);
    });
}

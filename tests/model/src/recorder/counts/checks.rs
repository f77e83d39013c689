//! Every job is counted once on both rows, in their last records.

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::*;

#[derive(Default)]
struct Rows {
    event: Counts,
    invocation: Counts,
    /// The last record of each row; one with more jobs stands for the later one, as in the merge of rows.
    recorded: Mutex<[[i32; 3]; 2]>,
}

impl Rows {
    fn record(&self, row: usize, counts: &Counts) {
        let jobs = counts.jobs();
        let mut recorded = self.recorded.lock().unwrap();
        recorded[row] = std::array::from_fn(|n| recorded[row][n].max(jobs[n]));
    }

    fn job(&self, failed: bool) {
        if self.event.start() {
            self.invocation.start();
        }
        if self.event.end(failed) {
            let late = self.invocation.end(failed);
            self.record(0, &self.event);
            if late {
                self.record(1, &self.invocation);
            }
        }
    }

    fn end_event(&self) {
        let late = self.event.close_into(&self.invocation);
        self.record(0, &self.event);
        if late {
            self.record(1, &self.invocation);
        }
    }

    fn end_invocation(&self) {
        self.invocation.close();
        self.record(1, &self.invocation);
    }
}

#[test]
fn each_job_is_counted_once_whenever_it_ends() {
    crate::explore(3, || {
        let rows = Arc::new(Rows::default());
        let threads = [
            {
                let rows = Arc::clone(&rows);
                thread::spawn(move || rows.job(true))
            },
            {
                let rows = Arc::clone(&rows);
                thread::spawn(move || rows.end_event())
            },
            {
                let rows = Arc::clone(&rows);
                thread::spawn(move || rows.end_invocation())
            },
        ];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        rows.job(false);
        assert_eq!(*rows.recorded.lock().unwrap(), [[2, 1, 1]; 2]);
    });
}

//! Files of the spool that cannot be read, or not wholly: they hold up nothing else, are kept, and what they held is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::{Options, Reason, Stats};
use obs_tui::store::config::Config;

use super::{LONG, chain, cluster, comes_to_pass, nowhere, number, options, records, until};
use crate::common;

const JOBS: &str = "SELECT count(*) FROM job_executions WHERE status = 'completed'";
const INVOCATIONS: &str = "SELECT count(*) FROM invocations WHERE source_function = 'large'";

fn spooling(config: &Config, dir: &Path) -> Options {
    Options { spool: Some(dir.to_owned()), batch_size: 20, ..options(config) }
}

/// The files with this ending, in order.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    files
}

/// Spools so many segments and more, of large invocations. Returns how many records they are.
fn fill(recorder: &Recorder, dir: &Path, segments: usize) -> u64 {
    let mut invocations = 0;
    while files(dir, ".segment").len() <= segments {
        for _ in 0..10 {
            recorder.invocation("large").payload(&"x".repeat(9000)).start().finish();
        }
        invocations += 10;
        comes_to_pass(|| {
            recorder.flush(Duration::from_millis(20));
            recorder.stats().buffered == 0
        });
    }
    2 * invocations
}

fn adds_up(stats: &Stats) {
    let known = stats.written + stats.spooled + stats.quarantined + stats.dropped + stats.buffered;
    assert_eq!(stats.recorded, known, "{stats:?}");
}

/// Changes the bytes of a file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn damaged_files_of_the_spool_cost_what_was_in_them_and_are_kept() {
    let (mut cluster, roles) = cluster("recorder_damage_own").await;
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(spooling(&roles.app, dir.path()));
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    cluster.halt();
    let spooled = fill(&recorder, dir.path(), 5);
    let segments = files(dir.path(), ".segment");
    // Something else in its place; a byte; the end; another version; the beginning.
    fs::remove_file(&segments[0]).unwrap();
    fs::create_dir(&segments[0]).unwrap();
    change(&segments[1], |bytes| bytes[100] ^= 1);
    change(&segments[2], |bytes| bytes.truncate(bytes.len() - 20_000));
    change(&segments[3], |bytes| bytes[7] = 2);
    change(&segments[4], |bytes| bytes[0] = b'x');
    cluster.restart().unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    adds_up(&stats);
    assert_eq!((stats.recorded, stats.spooled, stats.quarantined), (spooled + 2 * records(5), 0, 0), "{stats:?}");
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::Spool), "{stats:?}");
    let connection = &mut common::session(&roles.readonly).await;
    assert_eq!(number(connection, JOBS).await, 10);
    let large = u64::try_from(number(connection, INVOCATIONS).await).unwrap();
    assert_eq!((stats.written, stats.dropped), (2 * large + 2 * records(5), spooled - 2 * large));
    // Of the second one record, of the third some.
    assert!(large > 30 && stats.dropped > 2 * 60, "{stats:?}");
    let kept: Vec<_> = segments[..5].iter().map(|path| PathBuf::from(format!("{}.damaged", path.display()))).collect();
    assert_eq!((files(dir.path(), ".damaged"), files(dir.path(), ".segment").len()), (kept.clone(), 0));
    let error = stats.last_error.unwrap();
    assert!(error.contains(kept[4].to_str().unwrap()) && error.contains("does not begin as a segment does"), "{error}");
    assert!(stats.damaged_bytes > 3 * (256 << 10), "{}", stats.damaged_bytes);
}

#[tokio::test]
async fn damaged_files_that_another_process_left_are_counted_and_kept() {
    let db = common::database("recorder_damage_other").await;
    let dir = tempfile::tempdir().unwrap();
    let left = Recorder::new(spooling(&nowhere(), dir.path()));
    let spooled = fill(&left, dir.path(), 3);
    assert_eq!(left.shutdown(LONG).spooled, spooled);
    let segments = files(dir.path(), ".segment");
    // The version of a program to come is kept for it.
    change(&segments[0], |bytes| bytes[7] = 2);
    change(&segments[1], |bytes| bytes[100] ^= 1);
    let length = fs::metadata(&segments[2]).unwrap().len();
    change(&segments[2], |bytes| bytes.truncate(bytes.len() - 100));
    let recorder = Recorder::new(spooling(&db.app, dir.path()));
    chain(&recorder, 5);
    until(async || recorder.flush(Duration::from_secs(1)) && files(dir.path(), ".segment").is_empty()).await;
    until(async || files(dir.path(), ".segment").is_empty() && recorder.stats().buffered == 0).await;
    let end = recorder.shutdown(LONG);
    let stats = recorder.stats();
    adds_up(&stats);
    // One record has a byte changed, one is cut off; how many the first file held, nobody can tell.
    assert_eq!((stats.written, end.dropped, end.held), (records(5), stats.dropped, 0));
    assert!(stats.losses.iter().all(|loss| loss.reason == Reason::Spool), "{stats:?}");
    assert_eq!(stats.dropped, 2 * 2, "{stats:?}");
    let whole = fs::metadata(format!("{}.damaged", segments[0].display())).unwrap().len();
    assert!(whole < stats.damaged_bytes && stats.damaged_bytes < whole + length, "{}", stats.damaged_bytes);
    assert_eq!(files(dir.path(), ".damaged").len(), 3);
    let connection = &mut common::session(&db.readonly).await;
    let large = u64::try_from(number(connection, INVOCATIONS).await).unwrap();
    assert_eq!(stats.replayed, 2 * large);
    assert!(stats.replayed + stats.dropped < spooled);
    // What is kept stays kept.
    let next = Recorder::new(spooling(&db.app, dir.path()));
    assert!(next.flush(LONG));
    let _ = next.shutdown(LONG);
    assert_eq!(files(dir.path(), ".damaged").len(), 3);
    assert_eq!((next.stats().replayed, next.stats().last_error), (0, None));
    // Repaired and given its name again it is written.
    let repaired = &segments[0];
    fs::rename(format!("{}.damaged", repaired.display()), repaired).unwrap();
    change(repaired, |bytes| bytes[7] = 1);
    let last = Recorder::new(spooling(&db.app, dir.path()));
    last.flush(LONG);
    until(async || files(dir.path(), ".segment").is_empty()).await;
    let _ = last.shutdown(LONG);
    let connection = &mut common::session(&db.readonly).await;
    let large = u64::try_from(number(connection, INVOCATIONS).await).unwrap();
    assert_eq!(2 * large + stats.dropped, spooled);
}

//! Records in files, while there is no other place for them: what a process leaves there, the next one writes.
//!
//! In the spool's folder every process has one of its own, `{id}.spool`, with a lock file that is locked as long as the
//! process lives, and segments of about a quarter of a mebibyte, since each is read as a whole. A segment begins with a
//! magic word; then each record has its length, a checksum and its bytes. What follows a record that is cut off or damaged
//! is not read. A segment is removed when its rows are in the database; if that is cut short it is written again, which
//! changes nothing.
//!
//! Files survive the end of the process, however it comes. They are not synced: a power failure may cost the last ones.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::recorder::frame::{self, Frame};
use crate::recorder::held::Held;
use crate::recorder::loss::ByClass;
use crate::recorder::record::JobRef;
use crate::store::write::Batch;

const MAGIC: &[u8; 8] = b"obsspl\x00\x01";
/// A segment takes no more records when it has this size. As rows in memory it is three times as large.
const SEGMENT_BYTES: u64 = 256 << 10;
/// Length and checksum.
const HEADER: usize = 8;
const LOCK: &str = "lock";
const QUARANTINE: &str = "quarantine.jsonl";

#[derive(Debug)]
pub(super) struct Spool {
    root: PathBuf,
    limit: u64,
    /// Bytes of all segments.
    bytes: u64,
    home: Option<Home>,
    adopted: Vec<Home>,
    /// In the order in which they are to be written.
    segments: VecDeque<Segment>,
    /// The last segment, while it takes more.
    open: Option<File>,
}

/// The folder of one process; nobody else touches it while the lock is held.
#[derive(Debug)]
struct Home {
    dir: PathBuf,
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
    own: bool,
    /// Frames whose records are in the database already.
    done: usize,
    /// Records of this process that are not.
    held: ByClass,
}

/// What is left to write of the first segment.
pub(super) struct Backlog {
    bytes: Arc<Vec<u8>>,
    frames: Vec<Range<usize>>,
    /// Whether this process recorded them.
    pub(super) own: bool,
}

impl Backlog {
    /// In parts of so many frames.
    pub(super) fn parts(&self, frames: usize) -> impl Iterator<Item = (usize, Held)> {
        let held = |part: &[Range<usize>]| (part.len(), Held::new(Arc::clone(&self.bytes), part.iter().cloned()));
        self.frames.chunks(frames.max(1)).map(held)
    }
}

impl Spool {
    /// A spool in this folder, which is made when it is needed, of so many bytes at most.
    pub(super) fn new(root: &Path, limit: usize) -> Self {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let root = root.to_owned();
        Self { root, limit, bytes: 0, home: None, adopted: Vec::new(), segments: VecDeque::new(), open: None }
    }

    /// Takes over what processes have left that are no more.
    pub(super) fn adopt(&mut self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let mut dirs: Vec<PathBuf> = entries.map_while(Result::ok).map(|entry| entry.path()).collect();
        dirs.retain(|dir| dir.extension().is_some_and(|extension| extension == "spool"));
        dirs.sort();
        for dir in dirs {
            let Ok(lock) = private().read(true).open(dir.join(LOCK)) else { continue };
            if lock.try_lock().is_err() {
                continue;
            }
            let mut paths: Vec<PathBuf> = fs::read_dir(&dir)?.map_while(Result::ok).map(|entry| entry.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
            paths.sort();
            for path in paths {
                let bytes = fs::metadata(&path)?.len();
                self.bytes += bytes;
                self.segments.push_back(Segment { path, bytes, own: false, done: 0, held: ByClass::default() });
            }
            self.adopted.push(Home { dir, _lock: lock });
        }
        self.tidy();
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Appends the rows of a batch, made of so many records, all or none.
    pub(super) fn append(&mut self, batch: &Batch<'_>, records: ByClass) -> io::Result<()> {
        let mut bytes = Vec::new();
        let invocations = batch.invocations.iter().map(Frame::Invocation);
        let events = batch.events.iter().map(Frame::Event);
        let jobs = batch.jobs.iter().map(|row| Frame::Job(JobRef::from(row)));
        let logs = batch.logs.iter().map(Frame::Log);
        for frame in invocations.chain(events).chain(jobs).chain(logs) {
            let start = bytes.len();
            bytes.extend_from_slice(&[0; HEADER]);
            frame.append(&mut bytes);
            let frame = bytes.get(start + HEADER..).unwrap_or_default();
            let header = [length(frame)?.to_le_bytes(), checksum(frame).to_le_bytes()].concat();
            if let Some(place) = bytes.get_mut(start..start + HEADER) {
                place.copy_from_slice(&header);
            }
        }
        let more = bytes.len() as u64;
        if self.bytes + more > self.limit {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the spool has reached its limit"));
        }
        if self.open.is_none() || self.segments.back().is_none_or(|segment| segment.bytes >= SEGMENT_BYTES) {
            self.open_segment()?;
        }
        let (Some(file), Some(segment)) = (&mut self.open, self.segments.back_mut()) else {
            return Err(io::Error::other("no segment is open"));
        };
        if let Err(error) = file.write_all(&bytes) {
            // Half a record would hide what is appended after it.
            if file.set_len(segment.bytes).is_err() {
                self.open = None;
            }
            return Err(error);
        }
        segment.bytes += more;
        segment.held.iter_mut().zip(records).for_each(|(held, records)| *held += records);
        self.bytes += more;
        Ok(())
    }

    fn open_segment(&mut self) -> io::Result<()> {
        self.open = None;
        let dir = self.home()?.to_owned();
        let path = dir.join(format!("{:020}.segment", next_number(&dir)?));
        let mut file = private().append(true).create_new(true).open(&path)?;
        if let Err(error) = file.write_all(MAGIC) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let bytes = MAGIC.len() as u64;
        self.bytes += bytes;
        self.segments.push_back(Segment { path, bytes, own: true, done: 0, held: ByClass::default() });
        self.open = Some(file);
        Ok(())
    }

    /// The folder of this process: locked before it gets the name by which others find it.
    fn home(&mut self) -> io::Result<&Path> {
        // Somebody may have removed it.
        if self.home.as_ref().is_none_or(|home| !home.dir.exists()) {
            make_dir(&self.root)?;
            let id = crate::clock::secret();
            let (new, dir) = (self.root.join(format!("{id}.new")), self.root.join(format!("{id}.spool")));
            make_dir(&new)?;
            let lock = private().append(true).create_new(true).open(new.join(LOCK))?;
            lock.try_lock().map_err(io::Error::from)?;
            fs::rename(&new, &dir)?;
            self.home = Some(Home { dir, _lock: lock });
        }
        self.home.as_ref().map(|home| home.dir.as_path()).ok_or_else(|| io::Error::other("there is no folder"))
    }

    /// What is left to write of the first segment: nothing if somebody has removed it. It takes no more records.
    pub(super) fn first(&mut self) -> io::Result<Option<Backlog>> {
        if self.segments.len() == 1 {
            self.open = None;
        }
        let Some(segment) = self.segments.front() else { return Ok(None) };
        let bytes = match fs::read(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes?,
        };
        let mut frames = frames(&bytes);
        frames.drain(..segment.done.min(frames.len()));
        Ok(Some(Backlog { bytes: Arc::new(bytes), frames, own: segment.own }))
    }

    /// So many more frames of the first segment, and so many records, are in the database.
    pub(super) fn advance(&mut self, frames: usize, records: ByClass) {
        if let Some(segment) = self.segments.front_mut() {
            segment.done += frames;
            segment.held.iter_mut().zip(records).for_each(|(held, records)| *held = held.saturating_sub(records));
        }
    }

    /// Removes the first segment, of which nothing is left to write. Returns the records of this process that were not
    /// found in it.
    pub(super) fn remove_first(&mut self) -> (ByClass, io::Result<()>) {
        if self.segments.len() == 1 {
            self.open = None;
        }
        let Some(segment) = self.segments.pop_front() else { return (ByClass::default(), Ok(())) };
        self.bytes -= segment.bytes;
        let removed = fs::remove_file(&segment.path);
        if self.segments.iter().all(|segment| segment.own) {
            self.tidy();
        }
        (segment.held, removed)
    }

    /// Removes the folders of others that hold nothing any more.
    fn tidy(&mut self) {
        let needed = |home: &Home| self.segments.iter().any(|segment| segment.path.starts_with(&home.dir));
        let empty: Vec<Home> = self.adopted.extract_if(.., |home| !needed(home)).collect();
        empty.iter().for_each(remove);
    }

    /// Keeps a row that the database refuses, with the reason, as a line of JSON.
    pub(super) fn quarantine<R: Serialize>(&mut self, table: &str, row: &R, reason: &str) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a, R> {
            reason: &'a str,
            table: &'a str,
            row: &'a R,
        }
        make_dir(&self.root)?;
        let mut line = serde_json::to_vec(&Line { reason, table, row })?;
        line.push(b'\n');
        let mut file = private().append(true).create(true).open(self.root.join(QUARANTINE))?;
        if file.metadata()?.len() + line.len() as u64 > self.limit {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the quarantine has reached the limit of the spool",
            ));
        }
        file.write_all(&line)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(home) = self.home.take_if(|_| self.segments.iter().all(|segment| !segment.own)) {
            remove(&home);
        }
    }
}

fn remove(home: &Home) {
    // What is left behind is empty, and the next process tries again.
    let _ = fs::remove_file(home.dir.join(LOCK)).and_then(|()| fs::remove_dir(&home.dir));
}

fn next_number(dir: &Path) -> io::Result<u64> {
    let number = |path: PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let last = fs::read_dir(dir)?.map_while(Result::ok).filter_map(|entry| number(entry.path())).max();
    Ok(last.map_or(0, |last| last + 1))
}

/// Where the frames of a segment are.
fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    let place = |at: usize| {
        let (size, rest) = bytes.get(at..)?.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let frame = rest.get(..usize::try_from(u32::from_le_bytes(*size)).ok()?)?;
        let whole = checksum(frame) == u32::from_le_bytes(*sum) && frame::read(frame).is_some();
        whole.then(|| at + HEADER..at + HEADER + frame.len())
    };
    let first = bytes.starts_with(MAGIC).then(|| place(MAGIC.len())).flatten();
    std::iter::successors(first, |last| place(last.end)).collect()
}

fn length(frame: &[u8]) -> io::Result<u32> {
    u32::try_from(frame.len()).map_err(|_| io::Error::other("a record is larger than four gigabytes"))
}

/// CRC-32 (IEEE 802.3).
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut n = 0;
        while n < 256 {
            let (mut value, mut bit) = (n as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[n] = value;
            n += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, byte| sum >> 8 ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

/// Only for the user of this process: records hold what the host handles.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::recorder::held::tests::{held, rows};
    use crate::recorder::record::tests::history;

    /// Of a batch.
    const COUNTS: ByClass = [3, 3, 6, 3];

    fn batch(number: u128) -> Held {
        held(&history(number, "failed", 3))
    }

    fn append(spool: &mut Spool, number: u128) -> io::Result<()> {
        spool.append(&rows(&batch(number)), COUNTS)
    }

    /// What is left of the first segment.
    fn left(spool: &mut Spool) -> Held {
        spool.first().unwrap().unwrap().parts(usize::MAX).next().map(|(_, held)| held).unwrap_or_default()
    }

    fn segments(root: &Path) -> Vec<PathBuf> {
        let dirs = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let files = dirs.flat_map(|dir| fs::read_dir(dir).unwrap()).map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect()
    }

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_is_appended_is_read_by_the_next_process_and_then_gone() {
        let root = tempfile::tempdir().unwrap();
        let mut first = Spool::new(root.path(), 1 << 20);
        append(&mut first, 1).unwrap();
        append(&mut first, 2).unwrap();
        let mut second = Spool::new(root.path(), 1 << 20);
        second.adopt().unwrap();
        assert!(second.is_empty(), "its owner lives");
        drop(first);
        second.adopt().unwrap();
        assert!(!second.first().unwrap().unwrap().own);
        let both = [history(1, "failed", 3), history(2, "failed", 3)].concat();
        assert_eq!(rows(&left(&mut second)), rows(&held(&both)));
        let (missing, removed) = second.remove_first();
        assert_eq!((missing, removed.is_ok()), ([0; 4], true));
        assert!(second.is_empty());
        drop(second);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_torn_or_damaged_end_costs_no_more_than_itself() {
        let root = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(root.path(), 1 << 20);
        append(&mut spool, 1).unwrap();
        let path = segments(root.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        let all = frames(&whole);
        for cut in MAGIC.len()..whole.len() {
            let found = frames(&whole[..cut]);
            assert_eq!(found[..], all[..found.len()]);
            assert!(found.len() < all.len());
        }
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(frames(&damaged)[..], all[..all.len() - 1]);
        assert!(frames(b"something else").is_empty());
    }

    #[test]
    fn the_limit_holds_and_room_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(root.path(), 100_000);
        let appended = (1..).take_while(|n| append(&mut spool, *n).is_ok()).count();
        let size: u64 = segments(root.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(appended > 10 && size <= 100_000 && size == spool.bytes);
        assert_eq!(rows(&left(&mut spool)).invocations.len(), appended);
        spool.remove_first().1.unwrap();
        assert_eq!(spool.bytes, 0);
        append(&mut spool, 1).unwrap();
        assert_eq!(rows(&left(&mut spool)), rows(&batch(1)));
    }

    #[test]
    fn segments_are_read_in_order_and_go_on_where_they_were() {
        let root = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(root.path(), usize::MAX);
        let mut number = 0;
        while spool.segments.len() < 3 {
            number += 1;
            append(&mut spool, number).unwrap();
        }
        let mut seen = 0;
        while let Some(backlog) = spool.first().unwrap() {
            let all = backlog.frames.len();
            spool.advance(2, [1, 0, 0, 0]);
            assert_eq!(spool.first().unwrap().unwrap().frames.len(), all - 2);
            for row in backlog
                .parts(usize::MAX)
                .flat_map(|(_, held)| rows(&held).invocations.iter().map(|row| row.id).collect::<Vec<_>>())
            {
                seen += 1;
                assert_eq!(row, Uuid::from_u128(seen * 100));
            }
            spool.remove_first().1.unwrap();
        }
        assert_eq!(seen, number);
    }

    #[test]
    fn what_somebody_removed_is_missed_and_the_rest_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(root.path(), 1 << 20);
        append(&mut spool, 1).unwrap();
        append(&mut spool, 2).unwrap();
        spool.advance(8, COUNTS);
        fs::remove_dir_all(root.path()).unwrap();
        assert!(left(&mut spool).is_empty());
        let (missing, removed) = spool.remove_first();
        assert_eq!((missing, removed.is_err(), spool.bytes), (COUNTS, true, 0));
        append(&mut spool, 3).unwrap();
        assert_eq!(rows(&left(&mut spool)), rows(&batch(3)));
    }
}

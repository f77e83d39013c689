//! Records in files, while there is no other place for them: what a process leaves there, the next one writes.
//!
//! In the spool's folder every process has one of its own, `{id}.spool`, with a lock file that is locked as long as the
//! process lives, and segments of about a quarter of a mebibyte, since each is read as a whole. A segment begins with a
//! magic word; then each record has its length, a checksum and its bytes. What follows a record that is cut off or damaged
//! is not read. A segment is removed when its rows are in the database; if that is cut short it is written again, which
//! changes nothing.
//!
//! Only folders of this user are taken over, which nobody else may write to, and no link is followed: whoever may write to
//! the spool's folder can neither have us read nor write anything else.
//!
//! Files survive the end of the process, however it comes. They are not synced: a power failure may cost the last ones.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::files::folder::Folder;
use crate::files::write;
use crate::recorder::frame::{self, Frame};
use crate::recorder::held::Held;
use crate::recorder::loss::ByClass;
use crate::recorder::record::JobRef;
use crate::store::write::Batch;

const MAGIC: &[u8; 8] = b"obsspl\x00\x01";
/// A segment takes no more records when it has this size. As rows in memory it is three times as large.
const SEGMENT_BYTES: u64 = 256 << 10;
/// The largest segment that is read: one of a quarter of a mebibyte that one batch made longer, with the longest texts.
const MOST_SEGMENT: u64 = 256 << 20;
/// Length and checksum.
const HEADER: usize = 8;
const LOCK: &str = "lock";
const SPOOL: &str = ".spool";
const SEGMENT: &str = ".segment";
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
    path: PathBuf,
    dir: Arc<Folder>,
    /// The number of the next segment.
    next: u64,
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    dir: Arc<Folder>,
    name: OsString,
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

    /// Takes over what processes have left that are no more. Returns what it left alone, and why, if there is any.
    pub(super) fn adopt(&mut self) -> io::Result<Option<String>> {
        let root = match Folder::open(&fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            root => root?,
        };
        let mut names = root.names()?;
        names.retain(|name| has_ending(name, SPOOL));
        names.sort();
        let mut skipped = 0;
        for name in &names {
            match self.adopt_folder(&root, name) {
                Ok(Some(home)) => self.adopted.push(home),
                Ok(None) => {}
                // Its process has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => skipped += 1,
            }
        }
        self.tidy();
        let why = "they do not belong to this user alone, or cannot be read";
        let text = |skipped| format!("{skipped} of the spools in {} are left alone: {why}", self.root.display());
        Ok((skipped > 0).then_some(skipped).map(text))
    }

    /// Nothing if the process lives that it belongs to.
    fn adopt_folder(&mut self, root: &Folder, name: &OsString) -> io::Result<Option<Home>> {
        let dir = Arc::new(root.folder(name)?);
        if !write::is_own(&dir.metadata()?) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let lock = dir.file_to_append(LOCK)?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let mut names = dir.names()?;
        names.retain(|name| has_ending(name, SEGMENT));
        names.sort();
        let mut segments = Vec::new();
        for name in names {
            let bytes = dir.file(&name)?.metadata()?.len();
            if bytes > MOST_SEGMENT {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            segments.push(Segment {
                dir: Arc::clone(&dir),
                name,
                bytes,
                own: false,
                done: 0,
                held: ByClass::default(),
            });
        }
        self.bytes += segments.iter().map(|segment| segment.bytes).sum::<u64>();
        self.segments.extend(segments);
        Ok(Some(Home { path: self.root.join(name), dir, next: 0, _lock: lock }))
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
        if let Err(error) = write::append(file, &bytes) {
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
        let home = self.home()?;
        let (dir, name) = (Arc::clone(&home.dir), OsString::from(format!("{:020}{SEGMENT}", home.next)));
        home.next += 1;
        let file = dir.create(&name)?;
        if let Err(error) = write::append(&file, MAGIC) {
            let _ = dir.remove(&name);
            return Err(error);
        }
        let bytes = MAGIC.len() as u64;
        self.bytes += bytes;
        self.segments.push_back(Segment { dir, name, bytes, own: true, done: 0, held: ByClass::default() });
        self.open = Some(file);
        Ok(())
    }

    /// The folder of this process: locked before it gets the name by which others find it.
    fn home(&mut self) -> io::Result<&mut Home> {
        // Somebody may have removed it.
        if self.home.as_ref().is_none_or(|home| !home.path.exists()) {
            Folder::create_all(&self.root)?;
            let id = crate::clock::secret();
            let (new, path) = (self.root.join(format!("{id}.new")), self.root.join(format!("{id}{SPOOL}")));
            let dir = Arc::new(Folder::create_new(&new)?);
            if !write::is_own(&dir.metadata()?) {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "a new folder in it does not belong to this user",
                ));
            }
            let lock = dir.create(LOCK)?;
            lock.try_lock().map_err(io::Error::from)?;
            fs::rename(&new, &path)?;
            self.home = Some(Home { path, dir, next: 0, _lock: lock });
        }
        self.home.as_mut().ok_or_else(|| io::Error::other("there is no folder"))
    }

    /// What is left to write of the first segment: nothing if somebody has removed it. It takes no more records.
    pub(super) fn first(&mut self) -> io::Result<Option<Backlog>> {
        if self.segments.len() == 1 {
            self.open = None;
        }
        let Some(segment) = self.segments.front() else { return Ok(None) };
        let bytes = match segment.dir.read(&segment.name, segment.bytes.max(MOST_SEGMENT)) {
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
        let removed = segment.dir.remove(&segment.name);
        if self.segments.iter().all(|segment| segment.own) {
            self.tidy();
        }
        (segment.held, removed)
    }

    /// Removes the folders of others that hold nothing any more.
    fn tidy(&mut self) {
        let needed = |home: &Home| self.segments.iter().any(|segment| Arc::ptr_eq(&segment.dir, &home.dir));
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
        Folder::create_all(&self.root)?;
        let mut line = serde_json::to_vec(&Line { reason, table, row })?;
        line.push(b'\n');
        let file = quarantine(&Folder::open(&fs::canonicalize(&self.root)?)?)?;
        if file.metadata()?.len() + line.len() as u64 > self.limit {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "the quarantine has reached the limit of the spool",
            ));
        }
        write::append(&file, &line)
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
    let _ = home.dir.remove(LOCK).and_then(|()| fs::remove_dir(&home.path));
}

/// The file of refused rows, which must be this user's: rows hold what the host handles.
fn quarantine(root: &Folder) -> io::Result<File> {
    let file = match root.file_to_append(QUARANTINE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => root.create(QUARANTINE)?,
        opened => opened?,
    };
    if write::is_own(&file.metadata()?) {
        return Ok(file);
    }
    let why = format!("{QUARANTINE} does not belong to this user alone");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn has_ending(name: &OsString, ending: &str) -> bool {
    name.as_encoded_bytes().ends_with(ending.as_bytes())
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

#[cfg(test)]
mod tests;

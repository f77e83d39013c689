//! Records in files, while there is no other place for them: what a process leaves there, the next one writes.
//!
//! In the spool's folder every process has one of its own, `{id}.spool`, with a lock file that is locked as long as the
//! process lives, and [segments](segment) of about a quarter of a mebibyte, since each is read as a whole. A segment is
//! removed when its rows are in the database; if that is cut short it is written again, which changes nothing. One that
//! holds anything that cannot be read is renamed `….damaged` instead.
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
use crate::recorder::frame::Frame;
use crate::recorder::held::Held;
use crate::recorder::loss::ByClass;
use crate::recorder::record::JobRef;
use crate::store::write::Batch;
use segment::{HEADER, MAGIC, checksum, scan};

pub(super) use segment::Damage;

mod segment;

/// A segment takes no more records when it has this size. As rows in memory it is three times as large.
const SEGMENT_BYTES: u64 = 256 << 10;
/// The largest segment that is read: one of a quarter of a mebibyte that one batch made longer, with the longest texts.
const MOST_SEGMENT: u64 = 256 << 20;
const LOCK: &str = "lock";
const SPOOL: &str = ".spool";
const SEGMENT: &str = ".segment";
const DAMAGED: &str = ".damaged";
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
    /// What else is in the segment.
    pub(super) damage: Option<Damage>,
}

/// A segment that was set aside.
pub(super) struct Aside {
    /// The records of this process that were not found in it; none if it is another's.
    pub(super) missing: Option<ByClass>,
    /// Where it is now, or where it stays, and why.
    pub(super) place: Result<PathBuf, (PathBuf, io::Error)>,
    pub(super) bytes: u64,
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
        let (mut skipped, mut files) = (0, Vec::new());
        for name in &names {
            match self.adopt_folder(&root, name, &mut files) {
                Ok(Some(home)) => self.adopted.push(home),
                Ok(None) => {}
                // Its process has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => skipped += 1,
            }
        }
        self.tidy();
        let why = "they do not belong to this user alone, or cannot be read";
        let folders =
            (skipped > 0).then(|| format!("{skipped} of the spools in {} are left alone: {why}", self.root.display()));
        let more = match files.len() {
            0 | 1 => String::new(),
            all => format!(", and {} more files", all - 1),
        };
        let first = files.first().map(|first| format!("left alone in the spool: {first}{more}"));
        let left = folders.into_iter().chain(first).collect::<Vec<_>>();
        Ok((!left.is_empty()).then(|| left.join("; ")))
    }

    /// Nothing if the process lives that it belongs to.
    fn adopt_folder(&mut self, root: &Folder, name: &OsString, left: &mut Vec<String>) -> io::Result<Option<Home>> {
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
        let path = self.root.join(name);
        for name in names {
            let bytes = match dir.file(&name).and_then(|file| file.metadata()) {
                Ok(file) if file.len() <= MOST_SEGMENT => file.len(),
                other => {
                    let error = other.err().unwrap_or_else(|| io::ErrorKind::FileTooLarge.into());
                    left.push(format!("{}: {error}", path.join(name).display()));
                    continue;
                }
            };
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
        Ok(Some(Home { path, dir, next: 0, _lock: lock }))
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
        let segment::Scan { mut frames, damage } = scan(&bytes);
        frames.drain(..segment.done.min(frames.len()));
        Ok(Some(Backlog { bytes: Arc::new(bytes), frames, own: segment.own, damage }))
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
        let Some(segment) = self.take_first() else { return (ByClass::default(), Ok(())) };
        let removed = segment.dir.remove(&segment.name);
        self.tidy_if_own();
        (segment.held, removed)
    }

    /// Gives the first segment a name by which nobody takes it for one, because something in it cannot be read.
    pub(super) fn set_aside_first(&mut self) -> Option<Aside> {
        let home = |spool: &Self, segment: &Segment| {
            let mut homes = spool.home.iter().chain(&spool.adopted);
            homes.find(|home| Arc::ptr_eq(&home.dir, &segment.dir)).map_or(PathBuf::new(), |home| home.path.clone())
        };
        let segment = self.take_first()?;
        let folder = home(self, &segment);
        let place = match set_aside(&segment) {
            Ok(name) => Ok(folder.join(name)),
            Err(error) => Err((folder.join(&segment.name), error)),
        };
        self.tidy_if_own();
        Some(Aside { missing: segment.own.then_some(segment.held), place, bytes: segment.bytes })
    }

    fn take_first(&mut self) -> Option<Segment> {
        if self.segments.len() == 1 {
            self.open = None;
        }
        let segment = self.segments.pop_front()?;
        self.bytes -= segment.bytes;
        Some(segment)
    }

    fn tidy_if_own(&mut self) {
        if self.segments.iter().all(|segment| segment.own) {
            self.tidy();
        }
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

/// Removes a folder, unless there is something in it: then the next process may still take it over.
fn remove(home: &Home) {
    if home.dir.names().is_ok_and(|names| names.iter().all(|name| name == LOCK)) {
        // What is left behind is empty, and the next process tries again.
        let _ = home.dir.remove(LOCK).and_then(|()| fs::remove_dir(&home.path));
    }
}

/// Renames a segment. Nobody else makes files in its folder, so what is free stays free.
fn set_aside(segment: &Segment) -> io::Result<OsString> {
    let names = segment.dir.names()?;
    let named = |n: usize| {
        let mut name = segment.name.clone();
        name.push(if n == 0 { DAMAGED.to_owned() } else { format!("-{n}{DAMAGED}") });
        name
    };
    let name = (0..).map(named).find(|name| !names.contains(name)).unwrap_or_else(|| named(0));
    segment.dir.rename(&segment.name, &name)?;
    Ok(name)
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

fn length(frame: &[u8]) -> io::Result<u32> {
    u32::try_from(frame.len()).map_err(|_| io::Error::other("a record is larger than four gigabytes"))
}

#[cfg(test)]
mod tests;

//! What is in a segment of the spool, and what in it cannot be read.
//!
//! A segment begins with a name and a version; then each record has its length, a checksum and its bytes. A program reads
//! the version that it knows and keeps what it cannot read: such a file is renamed, never removed. A version that is laid
//! out otherwise also needs another ending than `.segment`, since the first programs remove what they cannot read.

use std::ops::Range;

use crate::recorder::frame;
use crate::recorder::loss::ByClass;

const NAME: &[u8; 7] = b"obsspl\0";
const VERSION: u8 = 1;
/// What every segment begins with.
pub(super) const MAGIC: &[u8; 8] = b"obsspl\0\x01";
/// Length and checksum.
pub(super) const HEADER: usize = 8;
/// More records are in no row: the number is damaged.
const MOST_RECORDS: u64 = 1 << 20;

/// Where the records of a segment are, and what else is in it.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) frames: Vec<Range<usize>>,
    pub(super) damage: Option<Damage>,
}

/// What cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::recorder) struct Damage {
    pub(in crate::recorder) bytes: u64,
    /// The records in it, as far as they can be told.
    pub(in crate::recorder) records: ByClass,
    pub(in crate::recorder) why: String,
}

impl Damage {
    fn add(damage: &mut Option<Self>, bytes: &[u8], frame: &[u8], why: &str) {
        let damage = damage.get_or_insert_with(|| Self { why: why.to_owned(), ..Self::default() });
        damage.bytes += bytes.len() as u64;
        if let Some((table, records)) = frame::records(frame)
            && let Some(count) = damage.records.get_mut(table)
        {
            *count += if (1..=MOST_RECORDS).contains(&records) { records } else { 1 };
        }
    }
}

/// Reads a segment: all records that are whole, also behind one that is not.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    // Its process ended before there was a record in it.
    if MAGIC.starts_with(bytes) {
        return Scan::default();
    }
    let unknown = |why| {
        let damage = Damage { bytes: bytes.len() as u64, why, ..Damage::default() };
        Scan { frames: Vec::new(), damage: Some(damage) }
    };
    match bytes.strip_prefix(NAME).and_then(<[u8]>::first) {
        Some(&VERSION) => {}
        Some(version) => {
            return unknown(format!("it is of version {version}, and this program reads version {VERSION}"));
        }
        None => return unknown("it does not begin as a segment does".to_owned()),
    }
    let (mut scan, mut at) = (Scan::default(), MAGIC.len());
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((sum, frame)) = framed(rest) else {
            Damage::add(&mut scan.damage, rest, rest.get(HEADER..).unwrap_or_default(), "it is cut off");
            break;
        };
        let length = HEADER + frame.len();
        if checksum(frame) == sum && frame::read(frame).is_some() {
            scan.frames.push(at + HEADER..at + length);
        } else {
            Damage::add(&mut scan.damage, rest.get(..length).unwrap_or(rest), frame, "a record in it is damaged");
        }
        at += length;
    }
    scan
}

/// The checksum of the first record, and its bytes, if they are all there.
fn framed(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    Some((u32::from_le_bytes(*sum), rest.get(..usize::try_from(u32::from_le_bytes(*size)).ok()?)?))
}

/// CRC-32 (IEEE 802.3).
pub(super) fn checksum(bytes: &[u8]) -> u32 {
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

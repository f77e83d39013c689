//! What the spool keeps, takes over and leaves alone.

use uuid::Uuid;

use super::segment::Scan;
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
    let all = scan(&whole).frames;
    assert_eq!(scan(&whole).damage, None);
    for cut in MAGIC.len()..whole.len() {
        let Scan { frames: found, damage } = scan(&whole[..cut]);
        assert_eq!(found[..], all[..found.len()]);
        assert!(found.len() < all.len());
        let rest = cut - found.last().map_or(MAGIC.len(), |last| last.end);
        assert_eq!(damage.map_or(0, |damage| damage.bytes), rest as u64);
    }
    // Before the first record nothing is lost.
    assert!((0..MAGIC.len()).all(|cut| scan(&whole[..cut]).damage.is_none()));
    // Each record alone, whatever byte of it is damaged; behind it all are read, unless it is its length.
    for (n, frame) in all.iter().enumerate() {
        for at in [frame.start - 1, frame.start, frame.start + 3, frame.end - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let Scan { frames: found, damage } = scan(&damaged);
            assert_eq!(found, [&all[..n], &all[n + 1..]].concat());
            assert_eq!(damage.unwrap().bytes, (HEADER + frame.len()) as u64);
        }
        let mut damaged = whole.clone();
        damaged[frame.start - HEADER + 3] ^= 1;
        let Scan { frames: found, damage } = scan(&damaged);
        assert_eq!(found, all[..n]);
        assert_eq!(damage.unwrap().bytes, (whole.len() - frame.start + HEADER) as u64);
    }
    // What kind of record it was, and of how many it was made.
    let mut damaged = whole.clone();
    all.iter().for_each(|frame| damaged[frame.end - 1] ^= 1);
    assert_eq!(scan(&damaged).damage.unwrap().records, COUNTS);
    for (text, why) in [(&b"something else"[..], "begin"), (b"obsspl\0\x02", "version 2"), (b"obsspl\0\0", "version 0")]
    {
        let Scan { frames, damage } = scan(text);
        let damage = damage.unwrap();
        assert!(frames.is_empty() && damage.why.contains(why), "{damage:?}");
        assert_eq!((damage.bytes, damage.records), (text.len() as u64, [0; 4]));
    }
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

#[test]
fn nobody_else_may_read_what_is_spooled() {
    use std::os::unix::fs::PermissionsExt;

    let root = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(&root.path().join("new/spool"), 1 << 20);
    append(&mut spool, 1).unwrap();
    spool.quarantine("jobs", &1, "why").unwrap();
    let home = spool.home.as_ref().unwrap().path.clone();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folders = [root.path().join("new"), root.path().join("new/spool"), home.clone()];
    assert_eq!(folders.map(|folder| mode(&folder)), [0o700; 3]);
    let segment = home.join(format!("{:020}{SEGMENT}", 0));
    let files = [root.path().join("new/spool").join(QUARANTINE), home.join(LOCK), segment];
    assert_eq!(files.map(|file| mode(&file)), [0o600; 3]);
    let aside = spool.set_aside_first().unwrap();
    assert_eq!((aside.missing, mode(&aside.place.unwrap())), (Some(COUNTS), 0o600));
}

#[test]
fn what_is_set_aside_replaces_nothing_and_its_folder_is_taken_over_again() {
    let root = tempfile::tempdir().unwrap();
    let home = left_behind(root.path());
    let name = format!("{:020}{SEGMENT}", 0);
    fs::write(home.join(format!("{name}{DAMAGED}")), "an earlier one").unwrap();
    let mut spool = Spool::new(root.path(), 1 << 20);
    assert_eq!(spool.adopt().unwrap(), None);
    let aside = spool.set_aside_first().unwrap();
    let place = aside.place.unwrap();
    assert_eq!((aside.missing, spool.bytes, spool.is_empty()), (None, 0, true));
    assert_eq!(place, home.join(format!("{name}-1{DAMAGED}")));
    assert_eq!(fs::metadata(&place).unwrap().len(), aside.bytes);
    assert_eq!(fs::read_to_string(home.join(format!("{name}{DAMAGED}"))).unwrap(), "an earlier one");
    drop(spool);
    fs::rename(place, home.join(&name)).unwrap();
    let mut next = Spool::new(root.path(), 1 << 20);
    next.adopt().unwrap();
    assert_eq!(rows(&left(&mut next)), rows(&batch(1)));
}

#[test]
fn a_file_that_cannot_be_taken_over_is_named_and_the_others_are() {
    let root = tempfile::tempdir().unwrap();
    let home = left_behind(root.path());
    let folder = home.join(format!("{:020}{SEGMENT}", 7));
    fs::create_dir(&folder).unwrap();
    let mut spool = Spool::new(root.path(), 1 << 20);
    let told = spool.adopt().unwrap().unwrap();
    assert!(told.starts_with("left alone in the spool: ") && told.contains(folder.to_str().unwrap()), "{told}");
    assert_eq!(rows(&left(&mut spool)), rows(&batch(1)));
}

/// A spool with two records whose process is gone, and the folder of that process.
fn left_behind(root: &Path) -> PathBuf {
    let mut spool = Spool::new(root, 1 << 20);
    append(&mut spool, 1).unwrap();
    let home = spool.home.as_ref().unwrap().path.clone();
    drop(spool);
    home
}

#[test]
fn only_folders_of_this_user_alone_are_taken_over() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    let root = tempfile::tempdir().unwrap();
    let adopted = |skipped: &str| {
        let mut spool = Spool::new(root.path(), 1 << 20);
        let text = spool.adopt().unwrap().unwrap_or_default();
        assert!(text.starts_with(skipped) && text.is_empty() == skipped.is_empty(), "{text}");
        spool.segments.len()
    };
    let home = left_behind(root.path());
    for (mode, skipped) in [(0o777, "1 of the spools in "), (0o770, "1 of"), (0o755, ""), (0o700, "")] {
        fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(adopted(skipped), usize::from(skipped.is_empty()), "{mode:o}");
    }
    // A link to a folder elsewhere, a file, a folder whose owner is on the point of removing it.
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(left_behind(elsewhere.path()), root.path().join("link.spool")).unwrap();
    fs::write(root.path().join("file.spool"), "").unwrap();
    fs::create_dir(root.path().join("empty.spool")).unwrap();
    assert_eq!(adopted("2 of"), 1);
    if rustix::process::geteuid().is_root() {
        chown(&home, Some(65_534), None).unwrap();
        assert_eq!(adopted("3 of"), 0);
    }
}

#[test]
fn links_in_the_spool_are_not_followed() {
    use std::os::unix::fs::symlink;

    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let mut spool = Spool::new(root.path(), 1 << 20);
    symlink(&victim, root.path().join(QUARANTINE)).unwrap();
    assert!(spool.quarantine("jobs", &1, "why").is_err());
    fs::remove_file(root.path().join(QUARANTINE)).unwrap();
    spool.quarantine("jobs", &1, "why").unwrap();
    spool.quarantine("jobs", &2, "why").unwrap();
    assert_eq!(fs::read_to_string(root.path().join(QUARANTINE)).unwrap().lines().count(), 2);

    append(&mut spool, 1).unwrap();
    let home = spool.home.as_ref().unwrap().path.clone();
    // The next segment's name, and then the folder itself.
    symlink(&victim, home.join(format!("{:020}{SEGMENT}", 1))).unwrap();
    spool.segments[0].bytes = SEGMENT_BYTES;
    assert!(append(&mut spool, 2).is_err());
    fs::rename(&home, root.path().join("moved")).unwrap();
    symlink(elsewhere.path(), &home).unwrap();
    append(&mut spool, 3).unwrap();
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing is written there");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");

    // A segment of another process that is a link, a FIFO or too large.
    let home = left_behind(root.path());
    let segment = segments(root.path()).into_iter().find(|path| path.starts_with(&home)).unwrap();
    let whole = fs::read(&segment).unwrap();
    let replace: [&dyn Fn(); 3] = [
        &|| symlink(&victim, &segment).unwrap(),
        &|| rustix::fs::mknodat(rustix::fs::CWD, &segment, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap(),
        &|| fs::File::create(&segment).unwrap().set_len(MOST_SEGMENT + 1).unwrap(),
    ];
    for make in replace {
        fs::remove_file(&segment).unwrap();
        make();
        let mut next = Spool::new(root.path(), 1 << 20);
        let skipped = next.adopt().unwrap().unwrap();
        assert!(next.is_empty() && skipped.contains("left alone"), "{skipped}");
    }
    fs::remove_file(&segment).unwrap();
    fs::write(&segment, whole).unwrap();
    let mut next = Spool::new(root.path(), 1 << 20);
    next.adopt().unwrap();
    assert_eq!(rows(&left(&mut next)), rows(&batch(1)));
}

//! What the spool keeps, takes over and leaves alone.

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

//! Which paths lead where this user wants, and nobody else can lead them elsewhere.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::process::{getegid, geteuid};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;
const STICKY: u32 = 0o1000;

/// Where a path leads, with all links followed; what is missing at its end stays as it is.
///
/// Every folder and every link on the way must belong to this user, to root, or to one of `others`, and no one else may
/// write to the folder unless it is sticky, as `/tmp` is. Nobody else can change such a path between this check and its
/// use. Whoever owns `/` counts as root: in a container that may be somebody else.
pub(crate) fn resolve(path: &Path, others: &[u32]) -> io::Result<PathBuf> {
    let root = std::fs::symlink_metadata("/")?;
    let owners = [&[0, root.uid(), geteuid().as_raw()], others].concat();
    let absolute = std::path::absolute(path)?;
    let mut rest = names(&absolute);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    check(&at, &root, &owners)?;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let found = match std::fs::symlink_metadata(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                at = next;
                continue;
            }
            found => found?,
        };
        if found.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(rustix::io::Errno::LOOP.into());
            }
            check(&next, &found, &owners)?;
            let target = std::fs::read_link(&next)?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut before = names(&target);
            before.append(&mut rest);
            rest = before;
            continue;
        }
        if found.is_dir() {
            check(&next, &found, &owners)?;
        }
        at = next;
    }
    Ok(at)
}

/// The parts of a path, without those that change nothing.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |part| matches!(part, Component::Normal(_) | Component::ParentDir).then(|| part.as_os_str().to_owned());
    path.components().filter_map(name).collect()
}

fn check(path: &Path, found: &Metadata, owners: &[u32]) -> io::Result<()> {
    let why = if !owners.contains(&found.uid()) {
        format!("{} belongs to another user (uid {})", path.display(), found.uid())
    } else if found.is_dir() && found.mode() & STICKY == 0 && others_may_write(found) {
        format!("other users may write to {}", path.display())
    } else {
        return Ok(());
    };
    Err(io::Error::new(ErrorKind::PermissionDenied, why))
}

/// Whether anybody but the owner, and the group that the user of this process is in, may write to it.
pub(crate) fn others_may_write(found: &Metadata) -> bool {
    found.mode() & 0o002 != 0 || found.mode() & 0o020 != 0 && found.gid() != getegid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    /// An account that is neither root nor this user's.
    const STRANGER: u32 = 65_534;

    #[test]
    fn links_lead_on_and_missing_names_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        fs::create_dir_all(place.join("a/b")).unwrap();
        symlink("a/b/../b", place.join("relative")).unwrap();
        symlink(place.join("relative"), place.join("absolute")).unwrap();
        symlink("loop", place.join("loop")).unwrap();
        let at = |path: &str| resolve(&place.join(path), &[]);
        assert_eq!(at("absolute/new/file").unwrap(), place.join("a/b/new/file"));
        assert_eq!(at("absolute/../c").unwrap(), place.join("a/c"), "the folder that holds where the link leads");
        assert_eq!(at("relative/./x/../y").unwrap(), place.join("a/b/y"));
        assert!(at("loop").is_err());
    }

    #[test]
    fn what_a_stranger_owns_is_refused_unless_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        let (sticky, theirs) = (place.join("sticky"), place.join("sticky/theirs"));
        fs::create_dir_all(&theirs).unwrap();
        fs::set_permissions(&sticky, fs::Permissions::from_mode(0o1777)).unwrap();
        symlink("theirs", sticky.join("link")).unwrap();
        assert_eq!(resolve(&sticky.join("link/x"), &[]).unwrap(), theirs.join("x"));
        // Only root can give files away; others see the rest of this test in the server's.
        if !geteuid().is_root() {
            return;
        }
        lchown(sticky.join("link"), Some(STRANGER), None).unwrap();
        let refused = resolve(&sticky.join("link/x"), &[]).unwrap_err();
        assert!(refused.to_string().ends_with("link belongs to another user (uid 65534)"), "{refused}");
        lchown(&theirs, Some(STRANGER), None).unwrap();
        let refused = resolve(&theirs.join("x"), &[]).unwrap_err();
        assert!(refused.to_string().ends_with("theirs belongs to another user (uid 65534)"), "{refused}");
        assert_eq!(resolve(&theirs.join("x"), &[STRANGER]).unwrap(), theirs.join("x"));
    }

    #[test]
    fn group_of_this_user_may_write_and_another_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o775)).unwrap();
        assert!(resolve(&place.join("x"), &[]).is_ok());
        if geteuid().is_root() {
            lchown(&place, None, Some(STRANGER)).unwrap();
            let refused = resolve(&place.join("x"), &[]).unwrap_err();
            assert!(refused.to_string().contains("other users may write to"), "{refused}");
        }
    }
}

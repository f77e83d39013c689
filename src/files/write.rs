//! Writes files. Nothing else in this package creates one.
//!
//! Whatever is created is new, private (0600 under every umask) and never opened through a link. What replaces a file is
//! complete before it takes the place. What cannot be written completely is removed again.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
#[cfg(feature = "tui")]
use std::path::Path;

use rustix::process::{Resource, geteuid, getrlimit};

/// A new file that only this user may read and write. Fails where there is something of that name, also a link.
#[cfg(feature = "tui")]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a private file with this content; if that fails, no file is left.
#[cfg(feature = "tui")]
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = create_private(path)?;
    // The close of a file reports nothing: on a network file system only a sync finds a full disk.
    let written = append(&file, bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Writes all of it at the end of a file that is open for that. Where the process may not write files of this size, that
/// is an error: the system would send SIGXFSZ, which ends a program that knows nothing of it.
pub(crate) fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if let Some(limit) = getrlimit(Resource::Fsize).current
        && file.metadata()?.len().saturating_add(bytes.len() as u64) > limit
    {
        return Err(rustix::io::Errno::FBIG.into());
    }
    file.write_all(bytes)
}

/// Whether a file or folder belongs to this user, and nobody else may write to it.
pub(crate) fn is_own(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
}

/// Replaces a file, or creates it with its folders. A link stays a link, and permissions stay as they are.
///
/// Fails where another user could redirect what is written: see [`super::trust::resolve`].
#[cfg(feature = "tui")]
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::folder::Folder;
    use super::trust;

    let path = trust::resolve(path, &[])?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    Folder::create_all(parent)?;
    let folder = Folder::open(parent)?;
    let mut beside = name.to_owned();
    beside.push(format!(".{}.new", crate::clock::secret()));
    let file = folder.create(&beside)?;
    let placed = append(&file, bytes)
        .and_then(|()| match std::fs::symlink_metadata(&path) {
            Ok(old) => file.set_permissions(Permissions::from_mode(old.permissions().mode() & 0o777)),
            Err(_) => Ok(()),
        })
        .and_then(|()| file.sync_all())
        .and_then(|()| folder.rename(&beside, name));
    if placed.is_err() {
        // What is left of it would only be in the way; the first error is the one to report.
        let _ = folder.remove(&beside);
        return placed;
    }
    // The file is in its place; some file systems cannot sync a folder.
    let _ = folder.sync();
    Ok(())
}

#[cfg(test)]
#[cfg(feature = "tui")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn planted_link_is_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        assert_eq!(create_private(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(write_new(&link, b"x").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        // The name that an earlier version wrote through.
        symlink(&victim, folder.path().join(format!("views.toml.{}.new", std::process::id()))).unwrap();
        replace(&folder.path().join("views.toml"), b"views").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(folder.path().join("views.toml")).unwrap(), "views");
    }

    #[test]
    fn own_link_stays_a_link_even_where_it_leads_nowhere_yet() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("dotfiles/views.toml"), folder.path().join("views.toml"));
        symlink("dotfiles/views.toml", &link).unwrap();
        replace(&link, b"one").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&target).unwrap(), mode(&target)), ("two".to_owned(), 0o640));
        assert_eq!(mode(&folder.path().join("dotfiles")), 0o700);
        assert_eq!(fs::read_dir(folder.path().join("dotfiles")).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn folder_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shared");
        fs::create_dir(&shared).unwrap();
        for (mode, refused) in [(0o777, true), (0o1777, false), (0o755, false), (0o1757, false), (0o757, true)] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            let written = replace(&shared.join("deeper/views.toml"), b"x");
            let text = written.as_ref().map_err(ToString::to_string).err().unwrap_or_default();
            assert_eq!(text.contains("other users may write to"), refused, "{mode:o} {text}");
            assert_eq!(shared.join("deeper").exists(), !refused);
            let _ = fs::remove_dir_all(shared.join("deeper"));
        }
    }
}

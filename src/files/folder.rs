//! A folder that is held open: whoever renames it, or puts a link in its place, changes nothing for whoever holds it.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};

/// A folder. Names in it are opened without following links.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    /// Opens a folder; fails where a link stands in its place.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        OpenOptions::new().read(true).custom_flags(flags).open(path).map(Self)
    }

    /// Creates a folder that only this user may enter, and opens it.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(path)?;
        Self::open(path)
    }

    /// Creates those of its folders that are missing, for this user only.
    pub(crate) fn create_all(path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).recursive(true).create(path)
    }

    /// Owner and permissions.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    /// Creates a private file. Fails where there is something of that name, also a link.
    pub(crate) fn create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.at(name.as_ref(), OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    /// Opens a file for reading.
    pub(crate) fn file(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        regular(self.at(name.as_ref(), OFlags::RDONLY)?)
    }

    /// Opens a file for reading and appending.
    pub(crate) fn file_to_append(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        regular(self.at(name.as_ref(), OFlags::RDWR | OFlags::APPEND)?)
    }

    /// Opens a folder in it.
    pub(crate) fn folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        self.at(name.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    /// The content of a file of so many bytes at most.
    pub(crate) fn read(&self, name: impl AsRef<OsStr>, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file(name)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(rustix::io::Errno::FBIG.into());
        }
        Ok(bytes)
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<Vec<std::ffi::OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Removes a file, or a link.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(unlinkat(&self.0, name.as_ref(), AtFlags::empty())?)
    }

    /// Gives a file or folder of this name a new one, in the place of what has that one.
    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from.as_ref(), &self.0, to.as_ref())?)
    }

    fn at(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        // A FIFO would hold up whoever opens it.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?))
    }
}

/// What only the program needs, not the recorder.
#[cfg(feature = "tui")]
impl Folder {
    /// Gives a file another name; fails where there is something of that name.
    pub(crate) fn rename_new(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        rustix::fs::linkat(&self.0, from.as_ref(), &self.0, to.as_ref(), AtFlags::empty())?;
        self.remove(from)
    }

    /// Keeps others from what is done under this lock, until it is closed. False while another one holds it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Lets only the owner enter it.
    pub(crate) fn make_private(&self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        self.0.set_permissions(std::fs::Permissions::from_mode(0o700))
    }

    /// Gives it to a user.
    pub(crate) fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::fchown(&self.0, Some(uid), Some(gid))
    }

    /// Returns when its names are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// A device or a FIFO is no place to read from or write to.
fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"))
    }
}

#[cfg(test)]
#[cfg(feature = "tui")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_fifos_are_not_opened() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        fs::write(place.path().join("victim"), "precious").unwrap();
        symlink("victim", place.path().join("link")).unwrap();
        rustix::fs::mkfifoat(&folder.0, "fifo", Mode::RUSR | Mode::WUSR).unwrap();
        for name in ["link", "fifo"] {
            assert!(folder.file(name).is_err(), "{name}");
            assert!(folder.file_to_append(name).is_err(), "{name}");
            assert!(folder.create(name).is_err(), "{name}");
        }
        assert!(folder.folder("link").is_err());
        symlink(place.path(), place.path().join("here")).unwrap();
        assert!(Folder::open(&place.path().join("here")).is_err() && folder.folder("here").is_err());
        assert_eq!(folder.read("victim", 8).unwrap(), b"precious");
        assert!(folder.read("victim", 7).is_err(), "too long");
    }

    #[test]
    fn a_folder_stays_itself_whatever_takes_its_name() {
        let place = tempfile::tempdir().unwrap();
        let (path, other) = (place.path().join("a"), place.path().join("b"));
        let folder = Folder::create_new(&path).unwrap();
        fs::rename(&path, place.path().join("moved")).unwrap();
        fs::create_dir(&other).unwrap();
        symlink(&other, &path).unwrap();
        folder.create("file").unwrap();
        assert!(place.path().join("moved/file").exists() && !other.join("file").exists());
        folder.create("second").unwrap();
        assert!(folder.rename_new("file", "second").is_err(), "nothing is replaced");
        folder.rename_new("file", "third").unwrap();
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["second", "third"]);
    }
}

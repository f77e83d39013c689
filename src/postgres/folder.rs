//! The folder of a private cluster: where it is, who owns it, who holds it.
//!
//! When this process is root, the folder belongs to the user that the server runs as, who can put anything into it. So
//! nothing in it is opened by its path, no link in it is followed, and no mode or owner is set but through a descriptor.
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::account::{Account, accounts_for_root, command};
use super::{ClusterError, io_error};
use crate::clock;
use crate::files::folder::Folder as Handle;
use crate::files::{trust, write};

const TEMPORARY_PREFIX: &str = "obs-tui-pg-";
/// The process, address and state of a server, its version, its password: short texts.
const LONGEST_TEXT: u64 = 4_096;
const LOCK: &str = "lock";

/// A folder that this process holds the lock of.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    /// The user that the server runs as, when this process is root.
    pub(super) account: Option<Account>,
    pub(super) lock: File,
    pub(super) handle: Handle,
}

impl Folder {
    /// A new temporary folder. Stale ones are removed on the way.
    pub(super) fn temporary() -> Result<Self, ClusterError> {
        let account = accounts_for_root()?.into_iter().next();
        remove_stale(account.as_ref());
        let mut refused = None;
        for base in bases() {
            let dir = base.join(format!("{TEMPORARY_PREFIX}{}", &clock::secret()[..12]));
            let made = trusted(&dir, account.as_ref())
                .and_then(|dir| enterable(&dir, account.as_ref()).and_then(|()| Self::create(&dir, account.as_ref())));
            match made {
                Ok(folder) => return Ok(folder),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(ClusterError::NoAccount))
    }

    /// A folder that somebody chose: a new one, an empty one, or one made by this function before.
    pub(super) fn given(dir: &Path) -> Result<Self, ClusterError> {
        // The owner of the folder is who the server ran as before.
        let accounts = accounts_for_root()?;
        let owner = std::fs::metadata(dir).ok().map(|found| found.uid());
        let account = accounts.iter().find(|account| owner == Some(account.uid)).or(accounts.first());
        let dir = trusted(dir, account)?;
        enterable(&dir, account)?;
        let handle = match Handle::open(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Who runs the server must be able to pass through all of them.
                let missing = |parent: &&Path| matches!(parent.try_exists(), Ok(false));
                let parents: Vec<&Path> = dir.ancestors().skip(1).take_while(missing).collect();
                for parent in parents.into_iter().rev() {
                    create(parent, account)?;
                }
                return Self::create(&dir, account);
            }
            opened => opened.map_err(|source| io_error(format!("open {}", dir.display()), source))?,
        };
        let reading = |source| io_error(format!("read {}", dir.display()), source);
        let found = handle.metadata().map_err(reading)?;
        let own = rustix::process::geteuid().as_raw();
        if found.uid() != own && account.is_none_or(|account| account.uid != found.uid()) {
            return Err(ClusterError::Foreign { dir, owner: found.uid() });
        }
        if trust::others_may_write(&found) {
            return Err(ClusterError::Shared { dir });
        }
        let is_empty = handle.names().map_err(reading)?.is_empty();
        if !is_empty && handle.file(LOCK).is_err() {
            return Err(ClusterError::NotOurs { dir });
        }
        let lock = hold(&handle, &dir)?;
        handle.make_private().map_err(|source| io_error(format!("make {} private", dir.display()), source))?;
        give(&handle, &dir, account)?;
        Ok(Self { dir, account: account.cloned(), lock, handle })
    }

    fn create(dir: &Path, account: Option<&Account>) -> Result<Self, ClusterError> {
        let handle = create(dir, account)?;
        let lock = hold(&handle, dir)?;
        Ok(Self { dir: dir.to_owned(), account: account.cloned(), lock, handle })
    }

    /// A short text of the data folder, where it is.
    pub(super) fn data_text(&self, name: &str) -> Option<String> {
        let bytes = self.handle.folder("data").ok()?.read(name, LONGEST_TEXT).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file that only the owner of the cluster can read.
    pub(super) fn write_private(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        let beside = format!("{name}.{}", clock::secret());
        let written = self.handle.create(&beside).and_then(|file| {
            write::append(&file, text.as_bytes())?;
            if let Some(account) = &self.account {
                std::os::unix::fs::fchown(&file, Some(account.uid), Some(account.gid))?;
            }
            self.handle.rename(&beside, name)
        });
        if written.is_err() {
            // The first error is the one to report.
            let _ = self.handle.remove(&beside);
        }
        written.map_err(|source| io_error(format!("write {}", self.dir.join(name).display()), source))
    }

    /// Reads a file that [`Folder::write_private`] has written.
    pub(super) fn read_private(&self, name: &str) -> Result<String, ClusterError> {
        let read = self.handle.read(name, LONGEST_TEXT);
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        text.map_err(|source| io_error(format!("read {}", self.dir.join(name).display()), source))
    }
}

/// Where the folder is, if nobody else can put another one in its place.
fn trusted(dir: &Path, account: Option<&Account>) -> Result<PathBuf, ClusterError> {
    let others: Vec<u32> = account.iter().map(|account| account.uid).collect();
    trust::resolve(dir, &others).map_err(|source| io_error(format!("use {}", dir.display()), source))
}

/// Removes the temporary folders whose owner and guardian are both gone.
fn remove_stale(account: Option<&Account>) {
    let own = rustix::process::geteuid().as_raw();
    for entry in bases().iter().filter_map(|base| std::fs::read_dir(base).ok()).flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            continue;
        }
        let Ok(handle) = Handle::open(&entry.path()) else { continue };
        let ours = handle
            .metadata()
            .is_ok_and(|found| found.uid() == own || account.is_some_and(|account| account.uid == found.uid()));
        let unheld = ours && handle.file(LOCK).is_ok_and(|lock| lock.try_lock().is_ok());
        if unheld {
            // What cannot be removed now is tried again by the next start. No link is followed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Takes the lock of the folder. The file gets its name when it is locked: an unlocked `lock` is always a stale one.
fn hold(handle: &Handle, dir: &Path) -> Result<File, ClusterError> {
    let refused = |source| io_error(format!("lock {}", dir.join(LOCK).display()), source);
    let lock = |file: &File| match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(ClusterError::InUse { dir: dir.to_path_buf(), by: "another obs-tui".into() })
        }
        Err(TryLockError::Error(source)) => Err(refused(source)),
    };
    match handle.file_to_append(LOCK) {
        Ok(file) => lock(&file).map(|()| file),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let fresh = format!("{LOCK}.{}", clock::secret());
            let file = handle.create(&fresh).map_err(refused)?;
            lock(&file)?;
            match handle.rename_new(&fresh, LOCK) {
                Ok(()) => Ok(file),
                Err(source) => {
                    let _ = handle.remove(&fresh);
                    // Another process was faster.
                    let taken = source.kind() == ErrorKind::AlreadyExists;
                    let by = || ClusterError::InUse { dir: dir.to_path_buf(), by: "another obs-tui".into() };
                    Err(if taken { by() } else { refused(source) })
                }
            }
        }
        Err(source) => Err(refused(source)),
    }
}

/// Creates a folder that only the account may enter.
fn create(dir: &Path, account: Option<&Account>) -> Result<Handle, ClusterError> {
    let handle = Handle::create_new(dir).map_err(|source| io_error(format!("make {}", dir.display()), source))?;
    give(&handle, dir, account)?;
    Ok(handle)
}

fn give(handle: &Handle, dir: &Path, account: Option<&Account>) -> Result<(), ClusterError> {
    let Some(account) = account else { return Ok(()) };
    let given = handle.give_to(account.uid, account.gid);
    given.map_err(|source| io_error(format!("give {} to user {}", dir.display(), account.name), source))
}

/// Whether the account can reach the folder: it needs the right to pass through every parent.
fn enterable(dir: &Path, account: Option<&Account>) -> Result<(), ClusterError> {
    let Some(account) = account else { return Ok(()) };
    for parent in dir.ancestors().skip(1) {
        let Ok(meta) = std::fs::metadata(parent) else { continue };
        let bit = match (meta.uid() == account.uid, meta.gid() == account.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if meta.mode() & bit == 0 {
            return Err(ClusterError::NotTraversable { dir: parent.to_path_buf(), user: account.name.clone() });
        }
    }
    Ok(())
}

/// The folders for temporary files, the configured one first.
fn bases() -> Vec<PathBuf> {
    let mut bases: Vec<PathBuf> = [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()]
        .into_iter()
        .filter_map(|base| base.canonicalize().ok())
        .collect();
    bases.dedup();
    bases
}

/// The command line of a process, empty when there is none.
pub(super) fn command_line(pid: u32) -> String {
    let from_kernel = std::fs::read(format!("/proc/{pid}/cmdline"));
    let bytes = from_kernel.or_else(|_| {
        command("ps", None).args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().map(|output| output.stdout)
    });
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn a_folder_with_something_else_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("thesis.txt"), "x").unwrap();
        let refused = Folder::given(dir.path()).unwrap_err();
        assert!(matches!(refused, ClusterError::NotOurs { .. }), "{refused}");
        assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o755, "and left as it is");
    }

    #[test]
    fn a_held_folder_is_refused_and_a_released_one_is_not() {
        let parent = Folder::temporary().unwrap();
        let dir = parent.dir.join("kept");
        let first = Folder::given(&dir).unwrap();
        let refused = Folder::given(&dir).unwrap_err().to_string();
        assert!(refused.contains("in use"), "{refused}");
        drop(first);
        // A program that another test starts at this moment holds the lock, too, until it is itself.
        let mut attempts = (0..100_000).map(|_| {
            std::thread::yield_now();
            Folder::given(&dir)
        });
        assert!(attempts.any(|folder| folder.is_ok_and(|folder| folder.dir == dir)));
        fs::remove_dir_all(&parent.dir).unwrap();
    }

    /// What whoever owns the data folder may have put there, for root to write through.
    #[test]
    fn planted_links_lead_nowhere() {
        let parent = Folder::temporary().unwrap();
        let victim = parent.dir.join("victim");
        fs::write(&victim, "precious").unwrap();
        let before = fs::metadata(&victim).unwrap();
        for name in ["lock", "lock.new", "password", "log", "data"] {
            let dir = parent.dir.join(format!("with-{name}"));
            let first = Folder::given(&dir).unwrap();
            if name == "lock" {
                fs::remove_file(dir.join(name)).unwrap();
            }
            symlink(&victim, dir.join(name)).unwrap();
            drop(first);
            let opened = (0..100_000).map(|_| Folder::given(&dir));
            let opened = opened.into_iter().find(|opened| !matches!(opened, Err(ClusterError::InUse { .. }))).unwrap();
            match opened {
                Ok(folder) if name == "password" => {
                    assert!(folder.read_private(name).is_err());
                    folder.write_private(name, "hush").unwrap();
                    assert!(!fs::symlink_metadata(dir.join(name)).unwrap().is_symlink());
                }
                Ok(_) => assert_ne!(name, "lock"),
                Err(refused) => assert!(matches!(refused, ClusterError::NotOurs { .. }) && name == "lock", "{refused}"),
            }
            let after = fs::metadata(&victim).unwrap();
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
            assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()), "{name}");
        }
        fs::remove_dir_all(&parent.dir).unwrap();
    }

    #[test]
    fn folders_of_others_are_refused() {
        let parent = Folder::temporary().unwrap();
        let dir = parent.dir.join("open");
        fs::create_dir(&dir).unwrap();
        for mode in [0o777, 0o1777, 0o757] {
            fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
            let refused = Folder::given(&dir).unwrap_err().to_string();
            assert!(refused.contains("other users may write to"), "{refused}");
            assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, mode, "and left as it is");
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        if rustix::process::geteuid().is_root() {
            let own = fs::metadata(&dir).unwrap().uid();
            chown(&dir, Some(12_345), None).unwrap();
            for place in [dir.clone(), dir.join("below")] {
                let refused = Folder::given(&place).unwrap_err().to_string();
                assert!(refused.contains("belongs to another user (uid 12345)"), "{refused}");
            }
            assert_eq!(fs::metadata(&dir).unwrap().uid(), 12_345);
            chown(&dir, Some(own), None).unwrap();
        }
        let folder = Folder::given(&dir).unwrap();
        assert_eq!(folder.handle.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(dir.join(LOCK)).unwrap().mode() & 0o777, 0o600);
        fs::remove_dir_all(&parent.dir).unwrap();
    }
}

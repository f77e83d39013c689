//! The folder of a private cluster: where it is, who owns it, who holds it.
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ClusterError, io_error};
use crate::clock;

const TEMPORARY_PREFIX: &str = "obs-tui-pg-";

/// A folder that this process holds the lock of.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    /// The user that the server runs as, when this process is root.
    pub(super) account: Option<Account>,
    pub(super) lock: File,
}

/// An unprivileged user of this machine.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    name: String,
}

impl Folder {
    /// A new temporary folder. Stale ones are removed on the way.
    pub(super) fn temporary() -> Result<Self, ClusterError> {
        let account = account_for_root()?;
        remove_stale(account.as_ref());
        let mut refused = None;
        for base in bases() {
            let dir = base.join(format!("{TEMPORARY_PREFIX}{}", &clock::secret()[..12]));
            match enterable(&dir, account.as_ref()).and_then(|()| Self::create(&dir, account.as_ref())) {
                Ok(lock) => return Ok(Self { dir, account, lock }),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(ClusterError::NoAccount))
    }

    /// A folder that somebody chose: a new one, an empty one, or one made by this function before.
    pub(super) fn given(dir: &Path) -> Result<Self, ClusterError> {
        let absolute =
            std::path::absolute(dir).map_err(|source| io_error(format!("find {}", dir.display()), source))?;
        let Ok(existing) = std::fs::metadata(&absolute) else {
            let account = account_for_root()?;
            if let Some(parent) = absolute.parent() {
                std::fs::create_dir_all(parent)
                    .map_err(|source| io_error(format!("make {}", parent.display()), source))?;
            }
            enterable(&absolute, account.as_ref())?;
            let lock = Self::create(&absolute, account.as_ref())?;
            return Ok(Self { dir: absolute, account, lock });
        };
        let entries = std::fs::read_dir(&absolute)
            .map_err(|source| io_error(format!("read {}", absolute.display()), source))?
            .flatten()
            .count();
        if entries > 0 && !absolute.join("lock").is_file() {
            return Err(ClusterError::NotOurs { dir: absolute });
        }
        // The owner of the folder is who the server ran as before.
        let account = account_for_root()?.map(|account| match existing.uid() {
            0 => account,
            uid => Account { uid, gid: existing.gid(), name: uid.to_string() },
        });
        enterable(&absolute, account.as_ref())?;
        give(&absolute, account.as_ref())?;
        let lock = hold(&absolute)?;
        Ok(Self { dir: absolute, account, lock })
    }

    fn create(dir: &Path, account: Option<&Account>) -> Result<File, ClusterError> {
        DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .map_err(|source| io_error(format!("make {}", dir.display()), source))?;
        give(dir, account)?;
        hold(dir)
    }

    /// Writes a file that only the owner of the cluster can read.
    pub(super) fn write_private(&self, name: &str, text: &str) -> Result<PathBuf, ClusterError> {
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| io_error(format!("write {}", path.display()), source))?;
        give(&path, self.account.as_ref())?;
        Ok(path)
    }
}

/// Removes the temporary folders whose owner and guardian are both gone.
fn remove_stale(account: Option<&Account>) {
    let uid = effective_uid();
    for entry in bases().iter().filter_map(|base| std::fs::read_dir(base).ok()).flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)
            && entry.metadata().is_ok_and(|meta| {
                meta.is_dir() && (Some(meta.uid()) == uid || account.is_some_and(|account| account.uid == meta.uid()))
            });
        let unheld = ours && File::open(entry.path().join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if unheld {
            // What cannot be removed now is tried again by the next start.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Takes the lock of the folder. The file gets its name when it is locked: an unlocked `lock` is always a stale one.
fn hold(dir: &Path) -> Result<File, ClusterError> {
    let path = dir.join("lock");
    let doing = || format!("lock {}", path.display());
    let (file, fresh) = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => (file, None),
        Err(_) => {
            let fresh = dir.join("lock.new");
            (File::create(&fresh).map_err(|source| io_error(doing(), source))?, Some(fresh))
        }
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ClusterError::InUse { dir: dir.to_path_buf(), by: "another obs-tui".into() });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(doing(), source)),
    }
    if let Some(fresh) = fresh {
        std::fs::rename(fresh, &path).map_err(|source| io_error(doing(), source))?;
    }
    Ok(file)
}

fn give(path: &Path, account: Option<&Account>) -> Result<(), ClusterError> {
    let Some(account) = account else { return Ok(()) };
    chown(path, Some(account.uid), Some(account.gid))
        .map_err(|source| io_error(format!("give {} to user {}", path.display(), account.name), source))
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

fn effective_uid() -> Option<u32> {
    let output = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The user to become when this process is root; `None` when it is not.
fn account_for_root() -> Result<Option<Account>, ClusterError> {
    if effective_uid() != Some(0) {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| account(&users, name)).map(Some).ok_or(ClusterError::NoAccount)
}

fn account(users: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some(Account { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()?, name: name.to_owned() })
}

/// The command line of a process, empty when there is none.
pub(super) fn command_line(pid: u32) -> String {
    let from_kernel = std::fs::read(format!("/proc/{pid}/cmdline"));
    let bytes = from_kernel.or_else(|_| {
        Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().map(|output| output.stdout)
    });
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_the_list_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        let nobody = account(users, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert!(account(users, "postgres").is_none());
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.txt"), "x").unwrap();
        let refused = Folder::given(dir.path()).unwrap_err();
        assert!(matches!(refused, ClusterError::NotOurs { .. }), "{refused}");
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
        std::fs::remove_dir_all(&parent.dir).unwrap();
    }
}

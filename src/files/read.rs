//! Bounded reading of regular files.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The most that a file of settings, passwords or certificates may hold, bytes.
pub(crate) const SETTINGS_BYTES: u64 = 1 << 20;

/// What a file holds, and who may read it.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) bytes: Vec<u8>,
    /// The permission bits; `0o600` on systems that have none.
    pub(crate) mode: u32,
}

/// Reads a regular file, through links too, of at most so many bytes. The texts of its errors follow the name of the
/// file: `cannot read FILE: it is a named pipe; …`.
///
/// # Errors
/// The file cannot be read, is none (a FIFO, device, socket or directory), or is larger.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> io::Result<Contents> {
    // Before it is opened: opening a device may do something. Afterwards again: it may have been replaced.
    require_regular(&fs::metadata(path)?)?;
    let file = open(path)?;
    let metadata = file.metadata()?;
    require_regular(&metadata)?;
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let text = format!("it is larger than {} KiB; name a smaller file", max_bytes.div_ceil(1024));
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(Contents { bytes, mode: mode(&metadata) })
}

/// As [`read_bounded`], for a text.
///
/// # Errors
/// As [`read_bounded`], and when the file is not UTF-8.
#[cfg(feature = "tui")]
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    read_bounded(path, max_bytes)?.into_text()
}

#[cfg(feature = "tui")]
impl Contents {
    /// The text.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    pub(crate) fn into_text(self) -> io::Result<String> {
        String::from_utf8(self.bytes).map_err(|error| {
            io::Error::new(ErrorKind::InvalidData, format!("it is not UTF-8 ({})", error.utf8_error()))
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    // A FIFO that nobody writes to would hang, a terminal would become ours.
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}

fn require_regular(metadata: &Metadata) -> io::Result<()> {
    match kind(metadata) {
        None => Ok(()),
        Some(kind) => {
            let text = format!("it is {kind}; a regular file is needed");
            Err(io::Error::new(ErrorKind::InvalidInput, text))
        }
    }
}

/// What it is when it is no regular file.
fn kind(metadata: &Metadata) -> Option<&'static str> {
    if metadata.is_file() {
        return None;
    }
    if metadata.is_dir() {
        return Some("a directory");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let of = metadata.file_type();
        if of.is_fifo() {
            return Some("a named pipe");
        }
        if of.is_socket() {
            return Some("a socket");
        }
    }
    Some("a device")
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o600
}

#[cfg(feature = "tui")]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn refused(path: &Path) -> String {
        read_text(path, 8).unwrap_err().to_string()
    }

    #[test]
    fn regular_files_are_read_up_to_the_bound_and_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "12345678").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        let read = read_bounded(&link, 8).unwrap();
        assert_eq!((read.bytes.as_slice(), read.mode), (&b"12345678"[..], 0o640));
        fs::write(&file, "123456789").unwrap();
        assert_eq!(refused(&file), "it is larger than 1 KiB; name a smaller file");
        fs::write(&file, b"\xff").unwrap();
        assert!(refused(&file).starts_with("it is not UTF-8"), "{}", refused(&file));
        assert_eq!(read_bounded(&folder.path().join("none"), 8).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        symlink(at("fifo"), at("link")).unwrap();
        for (path, kind) in [
            (at("fifo"), "a named pipe"),
            (at("link"), "a named pipe"),
            (at("socket"), "a socket"),
            (at("zero"), "a device"),
            ("/dev/tty".into(), "a device"),
            (folder.path().to_owned(), "a directory"),
        ] {
            assert_eq!(refused(&path), format!("it is {kind}; a regular file is needed"), "{}", path.display());
        }
    }
}

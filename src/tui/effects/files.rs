//! Documents into files that nothing of the same name loses its content for.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::files::write;
use crate::model::text::{bytes, clean};
use crate::tui::msg::Document;

/// Numbers that are tried behind a name.
const MOST_TRIES: u32 = 100;

/// Writes a document into a new file of the folder, which only this user may read. Gives what to say about it.
///
/// # Errors
/// The folder cannot be written to: in words.
pub(super) fn export(folder: &Path, document: &Document) -> Result<String, String> {
    let written = write_new(folder, document);
    let size = bytes(document.text.len());
    let shown = |path: &Path| clean(&path.display().to_string()).into_owned();
    written
        .map(|path| format!("wrote {size} to {}", shown(&path)))
        .map_err(|(path, error)| format!("nothing written to {}: {error}", shown(&path)))
}

fn write_new(folder: &Path, document: &Document) -> Result<PathBuf, (PathBuf, io::Error)> {
    let Document { name, extension, text } = document;
    for number in 1..=MOST_TRIES {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{name}{number}.{extension}"));
        match write::write_new(&path, text.as_bytes()) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err((path, error)),
        }
    }
    let error = io::Error::new(ErrorKind::AlreadyExists, "there are too many files of that name");
    Err((folder.join(format!("{name}.{extension}")), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let document = |text: &str| Document { name: "flow-1".to_owned(), extension: "json", text: text.to_owned() };
        let first = export(folder.path(), &document("one")).unwrap();
        assert!(first.starts_with("wrote 3 B to /") && first.ends_with("/flow-1.json"), "{first}");
        assert!(export(folder.path(), &document("two!")).unwrap().ends_with("/flow-1-2.json"));
        assert_eq!(std::fs::read_to_string(folder.path().join("flow-1.json")).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(folder.path().join("flow-1-2.json")).unwrap(), "two!");
        let told = export(Path::new("/no/such/folder"), &document("x")).unwrap_err();
        assert!(told.starts_with("nothing written to /no/such/folder/flow-1.json: "), "{told}");
    }
}

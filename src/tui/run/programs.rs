//! Text in the pager and in the editor: a copy that only this user may read, and that is gone afterwards.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::modelines::disarmed;
use crate::files::{trust, write};
use crate::model::environment::SECRETS;
use crate::tui::msg::{Document, Program};

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Copy {
    path: PathBuf,
}

impl Copy {
    /// Writes the text into a new file of this folder.
    ///
    /// # Errors
    /// When the folder cannot be written to, or another user could put another file in the place of this one.
    pub(super) fn write(folder: &Path, document: &Document) -> io::Result<Self> {
        let name = format!("{}-{}.{}", document.name, crate::clock::secret(), document.extension);
        let path = trust::resolve(folder, &[])?.join(name);
        write::write_new(&path, disarmed(&document.text, document.extension).as_bytes())?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

/// The command line of a program, as the environment names it: `VISUAL` or `EDITOR`, or `PAGER`.
pub(super) fn command_line(program: Program, get: impl Fn(&str) -> Option<String>) -> String {
    let (names, fallback): (&[&str], _) = match program {
        Program::Pager => (&["PAGER"], "less"),
        Program::Editor => (&["VISUAL", "EDITOR"], "vi"),
    };
    let named = names.iter().filter_map(|name| get(name)).find(|line| !line.trim().is_empty());
    named.unwrap_or_else(|| fallback.to_owned())
}

/// Starts it on a file. The command line may hold arguments, so that a shell reads it. It gets our environment without
/// our passwords and tokens.
///
/// # Errors
/// When there is no shell.
pub(super) fn start(command_line: &str, file: &Path) -> io::Result<Child> {
    // The program takes the shell's place where it can, so that a signal reaches it.
    let exec = if command_line.contains(|c| "=;|&<>(){}$`".contains(c)) { "" } else { "exec " };
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{exec}{command_line} \"$1\"")).arg("sh").arg(file);
    for name in SECRETS {
        command.env_remove(name);
    }
    command.spawn()
}

/// Waits for its end; nothing when it did what it should.
pub(super) fn wait(mut child: Child, command_line: &str) -> Result<(), String> {
    let status = loop {
        match child.wait() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            ended => break ended,
        }
    };
    match status.map(|status| status.code()) {
        Ok(Some(127)) => Err(format!("`{command_line}` was not found: set PAGER or EDITOR to a program that there is")),
        Ok(Some(126)) => Err(format!("`{command_line}` cannot be run: set PAGER or EDITOR to a program that can")),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{command_line}` was lost: {error}")),
    }
}

/// The memory that this process uses, in bytes, where the system tells.
pub(super) fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: u64 =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn document(text: &str) -> Document {
        Document { name: "obs-tui-job-1".to_owned(), extension: "json", text: text.to_owned() }
    }

    #[test]
    fn the_copy_is_private_and_gone_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::write(folder.path(), &document("{}")).unwrap();
        assert_eq!(fs::read_to_string(copy.path()).unwrap(), "{}");
        assert_eq!(fs::metadata(copy.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(copy.path().to_string_lossy().ends_with(".json"));
        drop(copy);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_copy_commands_no_editor() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::write(folder.path(), &document("{\"k\": \" vim: set x:\"}")).unwrap();
        assert_eq!(fs::read_to_string(copy.path()).unwrap(), "{\"k\": \" vim\\u003a set x:\"}");
    }

    #[test]
    fn the_environment_names_the_program() {
        let line = |program, pairs: &[(&str, &str)]| {
            command_line(program, |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(line(Program::Pager, &[]), "less");
        assert_eq!(line(Program::Pager, &[("PAGER", "less -S")]), "less -S");
        assert_eq!(line(Program::Editor, &[("EDITOR", "nano"), ("VISUAL", " ")]), "nano");
        assert_eq!(line(Program::Editor, &[("EDITOR", "nano"), ("VISUAL", "code -w")]), "code -w");
        assert_eq!(line(Program::Editor, &[]), "vi");
    }

    #[test]
    fn a_program_gets_the_file_and_a_missing_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::write(folder.path(), &document("what it holds")).unwrap();
        let seen = folder.path().join("seen");
        let line = format!("cat > '{}' --", seen.display());
        assert_eq!(wait(start(&line, copy.path()).unwrap(), &line), Ok(()));
        assert_eq!(fs::read_to_string(seen).unwrap(), "what it holds");
        let line = "no-such-program-as-this";
        let told = wait(start(&format!("{line} 2>/dev/null"), copy.path()).unwrap(), line).unwrap_err();
        assert!(told.contains(line) && told.contains("EDITOR"), "{told}");
    }
}

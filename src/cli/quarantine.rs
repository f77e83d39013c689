//! `obs-tui db quarantine`: lists the rows that the database refused, and writes them again.
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::CliError;
use crate::files::folder::Folder;
use crate::files::write::{append, is_own};
use crate::model::text::{clean, plural};
use crate::store::config::Config;
use crate::store::quarantine::{Quarantined, replay as write_again};

/// The file in the folder of a spool.
const NAME: &str = "quarantine.jsonl";
/// What it is called while its rows are written again.
const REPLAYING: &str = ".replaying";
/// The most that is read.
const MOST_BYTES: u64 = 256 << 20;

/// A file of quarantine.
struct Place {
    folder: Folder,
    name: String,
}

/// Lists the rows of a file, or of the file in a folder.
///
/// # Errors
/// When it cannot be read, or holds nothing.
pub fn list(path: &Path, as_json: bool) -> Result<String, CliError> {
    let place = Place::at(path)?;
    let bytes = place.read(&place.name).map_err(|error| refused(path, &error))?;
    let rows: Vec<_> = lines(&bytes).map(|line| (line, Quarantined::parse(line))).collect();
    if rows.is_empty() {
        return Err(CliError::Nothing(format!("{}: no rows in quarantine", clean(&path.display().to_string()))));
    }
    if as_json {
        let rows: Vec<Value> = rows.iter().map(|(_, row)| told(row)).collect();
        return Ok(format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut text = String::new();
    for (_, row) in &rows {
        let row = told(row);
        let field = |name: &str| clean(row[name].as_str().unwrap_or("-")).into_owned();
        let _ =
            writeln!(text, "{:<17} {:<36} {}  {}", field("table"), field("id"), field("created_at"), field("reason"));
    }
    let _ = writeln!(text, "{} in quarantine. --replay writes them again.", plural(rows.len() as u64, "row"));
    Ok(text)
}

/// Writes the rows again; what the database refuses stays in the file. Gives what to say, and whether all were written.
///
/// # Errors
/// When the file cannot be read or changed, or the database cannot be reached: then the file is as it was.
pub async fn replay(config: &Config, path: &Path) -> Result<(String, bool), CliError> {
    let place = Place::at(path)?;
    let busy = format!("{}{REPLAYING}", place.name);
    let fault = |error: io::Error| refused(path, &error);
    // What an interrupted replay has left comes first.
    if place.folder.file(&busy).is_err() {
        match place.folder.rename_new(&place.name, &busy) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = format!("{}: no rows in quarantine", clean(&path.display().to_string()));
                return Err(CliError::Nothing(text));
            }
            moved => moved.map_err(fault)?,
        }
    }
    let outcome = replay_moved(config, &place, &busy).await;
    if outcome.is_err() && place.folder.file(&place.name).is_err() {
        place.folder.rename_new(&busy, &place.name).map_err(fault)?;
    }
    outcome.map_err(|error| match error {
        CliError::Output(error) => refused(path, &error),
        error => error,
    })
}

async fn replay_moved(config: &Config, place: &Place, busy: &str) -> Result<(String, bool), CliError> {
    if !is_own(&place.folder.file(busy)?.metadata()?) {
        return Err(CliError::Usage(
            "the file belongs to another user, or others may write to it: not replayed".into(),
        ));
    }
    let bytes = place.read(busy)?;
    let (mut rows, mut left, mut text) = (Vec::new(), Vec::new(), String::new());
    for line in lines(&bytes) {
        match Quarantined::parse(line) {
            Ok(row) => rows.push((line, row)),
            Err(reason) => left.push((line, "-".to_owned(), reason)),
        }
    }
    let (lines_of_rows, rows): (Vec<&[u8]>, Vec<Quarantined>) = rows.into_iter().unzip();
    let outcomes = write_again(config, &rows).await?;
    for ((line, row), outcome) in lines_of_rows.iter().zip(&rows).zip(&outcomes) {
        if let Err(reason) = outcome {
            left.push((line, format!("{} {}", row.table, row.row["id"].as_str().unwrap_or("-")), reason.clone()));
        }
    }
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    let mut kept: Vec<u8> = left.iter().flat_map(|(line, ..)| [line, &b"\n"[..]].concat()).collect();
    // A recorder that had opened the file before it was moved may have added to it.
    kept.extend_from_slice(place.read(busy)?.get(bytes.len()..).unwrap_or_default());
    if !kept.is_empty() {
        let file = match place.folder.file_to_append(&place.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => place.folder.create(&place.name)?,
            opened => opened?,
        };
        append(&file, &kept)?;
        file.sync_all()?;
    }
    place.folder.remove(busy)?;
    for (_, row, reason) in &left {
        let _ = writeln!(text, "{}  {}", clean(row), clean(reason));
    }
    let stay = if left.is_empty() { String::new() } else { format!(", {} stayed in quarantine", left.len()) };
    let _ = writeln!(text, "{} written{stay}.", plural(written, "row"));
    Ok((text, left.is_empty()))
}

impl Place {
    fn at(path: &Path) -> Result<Self, CliError> {
        let fault = |error: io::Error| refused(path, &error);
        let is_folder = fs::symlink_metadata(path).map_err(fault)?.is_dir();
        let (folder, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !is_folder => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                (fs::canonicalize(parent).map_err(fault)?, name.to_string_lossy().into_owned())
            }
            _ => (path.to_owned(), NAME.to_owned()),
        };
        Ok(Self { folder: Folder::open(&folder).map_err(fault)?, name })
    }

    /// The whole file; nothing where there is none.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.folder.read(name, MOST_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
}

fn told(row: &Result<Quarantined, String>) -> Value {
    match row {
        Ok(row) => json!({
            "table": row.table, "id": row.row["id"], "created_at": row.row["created_at"], "reason": row.reason,
        }),
        Err(reason) => json!({ "table": null, "id": null, "created_at": null, "reason": reason }),
    }
}

fn refused(path: &Path, error: &io::Error) -> CliError {
    CliError::Usage(format!("{}: {error}", clean(&path.display().to_string())))
}

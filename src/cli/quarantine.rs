//! `obs-tui db quarantine`: lists the rows that the database refused, and writes them again.
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::CliError;
use crate::files::folder::Folder;
use crate::files::write::{append, is_own};
use crate::model::redact::mask_text;
use crate::model::text::{clean, cut, plural};
use crate::store::config::Config;
use crate::store::quarantine::{Quarantined, replay as write_again};

/// The file in the folder of a spool.
const NAME: &str = "quarantine.jsonl";
/// What it is called while its rows are written again.
const REPLAYING: &str = ".replaying";
/// The most that is read.
const MOST_BYTES: u64 = 256 << 20;
/// What each line begins with.
const BEGIN: &[u8] = b"{\"reason\":";
/// Characters of a reason that are shown.
const LONGEST: usize = 500;

/// A file of quarantine.
struct Place {
    folder: Folder,
    name: String,
}

/// Lists the rows of a file, or of the file in a folder, with those that an interrupted replay has left.
///
/// # Errors
/// When it cannot be read, or holds nothing.
pub fn list(path: &Path, as_json: bool) -> Result<String, CliError> {
    let place = Place::at(path)?;
    let read = |name: &str| place.read(name).map_err(|error| refused(path, &error));
    let (left, bytes) = (read(&place.busy())?, read(&place.name)?);
    let known: HashSet<&[u8]> = lines(&bytes).into_iter().collect();
    let left = lines(&left).into_iter().filter(|line| !known.contains(line));
    let rows: Vec<_> = left.chain(lines(&bytes)).map(Quarantined::parse).collect();
    if rows.is_empty() {
        return Err(nothing(path));
    }
    if as_json {
        let rows: Vec<Value> = rows.iter().map(told).collect();
        return Ok(format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    let mut text = String::new();
    for row in &rows {
        let row = told(row);
        let field = |name: &str| shown(row[name].as_str().unwrap_or("-"));
        let _ =
            writeln!(text, "{:<17} {:<36} {}  {}", field("table"), field("id"), field("created_at"), field("reason"));
    }
    let _ = writeln!(text, "{} in quarantine. --replay writes them again.", plural(rows.len() as u64, "row"));
    Ok(text)
}

/// Writes the rows again; what the database refuses stays in the file. Gives what to say, and whether all were written.
///
/// # Errors
/// When the file cannot be read or changed, or the database cannot be reached: then the rows are where they were.
pub async fn replay(config: &Config, path: &Path) -> Result<(String, bool), CliError> {
    let place = Place::at(path)?;
    let fault = |error: io::Error| refused(path, &error);
    if !place.folder.try_lock().map_err(fault)? {
        return Err(refused(path, &io::Error::other("another replay is on its way")));
    }
    // Of a replay that was interrupted.
    place.restore().map_err(fault)?;
    let Some(file) = place.take().map_err(fault)? else { return Err(nothing(path)) };
    let outcome = replay_moved(config, &place, &file).await;
    if outcome.is_err() {
        place.restore().map_err(fault)?;
    }
    outcome.map_err(|error| match error {
        CliError::Output(error) => refused(path, &error),
        error => error,
    })
}

async fn replay_moved(config: &Config, place: &Place, mut file: &File) -> Result<(String, bool), CliError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
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
    let mut kept: Vec<&[u8]> = left.iter().map(|(line, ..)| *line).collect();
    // A recorder that had opened the file before it was moved may have added to it, even until it is gone.
    let mut added = Vec::new();
    file.read_to_end(&mut added)?;
    kept.extend(lines(&added));
    place.give_back(&kept)?;
    place.folder.remove(place.busy())?;
    let mut late = Vec::new();
    file.read_to_end(&mut late)?;
    place.give_back(&lines(&late))?;
    for (_, row, reason) in &left {
        let _ = writeln!(text, "{}  {}", shown(row), shown(reason));
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

    /// What the file is called while its rows are written again.
    fn busy(&self) -> String {
        format!("{}{REPLAYING}", self.name)
    }

    /// The whole file; nothing where there is none.
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.folder.read(name, MOST_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Moves the file aside, so that a recorder begins another one; nothing where there is none.
    fn take(&self) -> io::Result<Option<File>> {
        let file = match self.folder.file(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => own(opened?)?,
        };
        if file.metadata()?.len() > MOST_BYTES {
            return Err(rustix::io::Errno::FBIG.into());
        }
        self.folder.rename_new(&self.name, self.busy())?;
        Ok(Some(file))
    }

    /// Puts back what was moved aside.
    fn restore(&self) -> io::Result<()> {
        match self.folder.file(self.busy()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => drop(own(opened?)?),
        }
        self.give_back(&lines(&self.read(&self.busy())?))?;
        self.folder.remove(self.busy())
    }

    /// Adds lines to the file, unless they are there: an interrupted replay may have added them.
    fn give_back(&self, lines_back: &[&[u8]]) -> io::Result<()> {
        if lines_back.is_empty() {
            return Ok(());
        }
        let file = own(match self.folder.file_to_append(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.folder.create(&self.name)?,
            opened => opened?,
        })?;
        let there = self.read(&self.name)?;
        let known: HashSet<&[u8]> = lines(&there).into_iter().collect();
        let mut text = Vec::new();
        if there.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
        for line in lines_back.iter().filter(|line| !known.contains(*line)) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        append(&file, &text)?;
        file.sync_all()?;
        self.folder.sync()
    }
}

/// The file, if nobody else can have written to it.
fn own(file: File) -> io::Result<File> {
    if is_own(&file.metadata()?) {
        return Ok(file);
    }
    let why = "the file belongs to another user, or others may write to it: not replayed";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// The lines that are not blank. A recorder that was ended within one has left half of it, on which the next one follows.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    for mut line in bytes.split(|byte| *byte == b'\n') {
        if serde_json::from_slice::<IgnoredAny>(line).is_err() {
            // In a text it would stand with backslashes.
            while let Some(at) = line.windows(BEGIN.len()).skip(1).position(|window| window == BEGIN) {
                let (half, rest) = line.split_at(at + 1);
                all.push(half);
                line = rest;
            }
        }
        all.push(line);
    }
    all.retain(|line| !line.trim_ascii().is_empty());
    all
}

/// A text for people: no secret, no end that is out of sight.
fn shown(text: &str) -> String {
    clean(&cut(mask_text(text).0.into_owned(), LONGEST)).into_owned()
}

fn nothing(path: &Path) -> CliError {
    CliError::Nothing(format!("{}: no rows in quarantine", clean(&path.display().to_string())))
}

fn told(row: &Result<Quarantined, String>) -> Value {
    match row {
        Ok(row) => json!({
            "table": row.table, "id": row.row["id"], "created_at": row.row["created_at"],
            "reason": mask_text(&row.reason).0,
        }),
        Err(reason) => json!({ "table": null, "id": null, "created_at": null, "reason": mask_text(reason).0 }),
    }
}

fn refused(path: &Path, error: &io::Error) -> CliError {
    CliError::Usage(format!("{}: {error}", clean(&path.display().to_string())))
}

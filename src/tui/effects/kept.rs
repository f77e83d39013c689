//! The files of saved views and of the last session: read whole, written whole or not at all.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::files::{SETTINGS_BYTES, read_text, write};
use crate::model::text::clean;
use crate::tui::app::kept::{self, Session, View};
use crate::tui::keymap::{Keymap, with_template};

/// The saved views; none where there is no file.
///
/// # Errors
/// The file cannot be read or understood: in words.
pub(super) fn views(path: &Path) -> Result<Vec<View>, String> {
    kept::views(&text(path)?).map_err(|error| format!("{}: {error}", shown(path)))
}

/// Saves a view and gives all of them; nothing where another one has its name and is not to be replaced.
///
/// # Errors
/// Why nothing was written: in words.
pub(super) fn save(path: &Path, view: &View, replace: bool) -> Result<Option<Vec<View>>, String> {
    let known = views(path)?;
    if !replace && known.iter().any(|other| other.name == view.name) {
        return Ok(None);
    }
    edit(path, |text| kept::with_view(text, view)).map(Some)
}

/// Deletes the view of this name and gives the others.
///
/// # Errors
/// As [`save`].
pub(super) fn delete(path: &Path, name: &str) -> Result<Vec<View>, String> {
    edit(path, |text| kept::without_view(text, name))
}

fn edit(path: &Path, change: impl Fn(&str) -> Result<String, String>) -> Result<Vec<View>, String> {
    let edited = change(&text(path)?).map_err(|error| format!("{}: {error}", shown(path)))?;
    write::replace(path, edited.as_bytes()).map_err(|error| format!("nothing written to {}: {error}", shown(path)))?;
    views(path)
}

/// What the last session left; nothing where there was none, or where it cannot be read.
#[must_use]
pub(in crate::tui) fn session(path: &Path) -> Option<Session> {
    read_text(path, SETTINGS_BYTES).map(|text| kept::session(&text)).ok()
}

/// Keeps a session for the next one.
///
/// # Errors
/// The file cannot be written.
pub(in crate::tui) fn keep_session(path: &Path, session: &Session) -> io::Result<()> {
    write::replace(path, kept::session_text(session).as_bytes())
}

/// Puts all keys into a configuration file as comments, where it has none, for a person to edit them.
///
/// # Errors
/// The file cannot be read or written: in words.
pub(in crate::tui) fn offer_keys(path: &Path) -> Result<(), String> {
    match with_template(&text(path)?) {
        Some(offered) => write::replace(path, offered.as_bytes())
            .map_err(|error| format!("nothing written to {}: {error}", shown(path))),
        None => Ok(()),
    }
}

/// The keys of a configuration file.
///
/// # Errors
/// What is wrong with it, in words.
pub(in crate::tui) fn keys(path: &Path) -> Result<Keymap, String> {
    Keymap::of_file(&text(path)?).map_err(|error| format!("{}, {error}", shown(path)))
}

fn text(path: &Path) -> Result<String, String> {
    match read_text(path, SETTINGS_BYTES) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("cannot read {}: {error}", shown(path))),
    }
}

fn shown(path: &Path) -> String {
    clean(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::tui::app::kept::Look;

    #[test]
    fn keys_are_offered_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/config.toml");
        offer_keys(&path).unwrap();
        let offered = fs::read_to_string(&path).unwrap();
        offer_keys(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), offered);
        assert_eq!(keys(&path), Ok(Keymap::default()));
        fs::write(&path, "[keys]\nnext_failure = [\"j\"]\n").unwrap();
        let error = keys(&path).unwrap_err();
        assert!(error.contains("config.toml, line 2: `j` is"), "{error}");
    }

    fn view(name: &str, filter: &str) -> View {
        View { name: name.to_owned(), look: Look { filter: filter.to_owned(), ..Look::default() } }
    }

    #[test]
    fn views_are_saved_replaced_when_wanted_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/views.toml");
        assert_eq!(views(&path), Ok(vec![]), "no file, no views");
        let (a, b) = (view("a", "st:failed"), view("b", ""));
        assert_eq!(save(&path, &a, false), Ok(Some(vec![a.clone()])));
        assert_eq!(save(&path, &b, false), Ok(Some(vec![a, b.clone()])));
        let other = view("a", "st:stuck");
        assert_eq!(save(&path, &other, false), Ok(None), "there is one of that name");
        assert_eq!(save(&path, &other, true), Ok(Some(vec![other.clone(), b.clone()])));
        assert_eq!(delete(&path, "a"), Ok(vec![b]));
        assert!(delete(&path, "a").unwrap_err().contains("no view `a`"));
        let left: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["views.toml"], "nothing else is left there");
    }

    #[test]
    fn a_damaged_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.toml");
        let damaged = "[[view]]\nname = \"a\"\n<<<<<<< HEAD\n";
        fs::write(&path, damaged).unwrap();
        for error in
            [views(&path).unwrap_err(), save(&path, &view("b", ""), true).unwrap_err(), delete(&path, "a").unwrap_err()]
        {
            assert!(error.contains("views.toml: line 3: "), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        let blocked = folder.path().join("views.toml/views.toml");
        assert!(save(&blocked, &view("b", ""), false).unwrap_err().contains("views.toml"));
    }

    #[test]
    fn a_link_stays_a_link_and_permissions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("views.toml"));
        fs::write(&real, "# mine\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        save(&link, &view("a", ""), false).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().starts_with("# mine\n\n[[view]]\n"));
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_session_is_kept_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/obs-tui/session.toml");
        assert_eq!(session(&path), None);
        let left = Session {
            database: "app@db:5432/x".to_owned(),
            look: view("", "st:failed at:1h").look,
            view: Some("x".to_owned()),
            local_time: true,
            ages: true,
        };
        keep_session(&path, &left).unwrap();
        assert_eq!(session(&path).as_ref(), Some(&left));
        fs::write(&path, [0xff, 0x00, b'[']).unwrap();
        assert_eq!(session(&path), None);
        keep_session(&path, &left).unwrap();
        assert_eq!(session(&path).as_ref(), Some(&left), "and it is written anew");
        assert!(keep_session(&path.join("x/y"), &left).is_err());
    }
}

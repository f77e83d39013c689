//! The password file of libpq, `PGPASSFILE` or `~/.pgpass`, which sqlx would read whatever it is, and pass over without
//! a word when others may read it.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::Config;
use crate::files::{SETTINGS_BYTES, read_bounded};

/// The password for a connection; `None` when no file has one.
///
/// # Errors
/// Why the file was ignored, and what to do.
pub(super) fn password(config: &Config, variable: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = set("PGPASSFILE");
    let is_named = named.is_some();
    let at_home = || set("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let Some(path) = named.map(PathBuf::from).or_else(at_home) else { return Ok(None) };
    let ignored = |why: &str| Err(format!("the password file {} is ignored: {why}", path.display()));
    let contents = match read_bounded(&path, SETTINGS_BYTES) {
        Ok(contents) => contents,
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named => return Ok(None),
        Err(error) => return ignored(&error.to_string()),
    };
    if contents.mode & 0o077 != 0 {
        let what = format!("others may read it (mode {:o}); run chmod 600 on it", contents.mode);
        return ignored(&what);
    }
    Ok(find(&String::from_utf8_lossy(&contents.bytes), config))
}

/// The password of the first line that fits: `host:port:database:user:password`, each of the first four perhaps `*`; a
/// backslash takes the special meaning from the next character.
fn find(text: &str, config: &Config) -> Option<String> {
    let port = config.port.to_string();
    let wanted = [config.host.as_str(), &port, &config.database, &config.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.strip_suffix('\r').unwrap_or(line);
        for (place, wanted) in wanted.into_iter().enumerate() {
            let (field, after) = field(rest)?;
            // As libpq, which knows the usual folders of sockets by this name.
            let socket = place == 0 && field == "localhost" && is_usual_socket(wanted);
            let fits = rest.starts_with("*:") || field == wanted || socket;
            rest = fits.then_some(after)?;
        }
        Some(unescaped(rest))
    })
}

fn is_usual_socket(host: &str) -> bool {
    matches!(host, "/tmp" | "/run/postgresql" | "/var/run/postgresql")
}

/// The field up to the next colon, and what follows the colon.
fn field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b':' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((unescaped(&text[..end]), &text[end + 1..]))
}

fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    std::iter::from_fn(|| match chars.next()? {
        '\\' => chars.next(),
        c => Some(c),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    #[test]
    fn lines_are_read_as_libpq_reads_them() {
        let config = Config::from_url("postgres://me@db:5433/ev").unwrap();
        let odd = Config::from_url("postgres://m%3Ae@%3A%3A1/e%5Cv").unwrap();
        let socket = Config::from_url("postgres://me@%2Frun%2Fpostgresql/ev").unwrap();
        let own_socket = Config::from_url("postgres://me@%2Fhome%2Fme/ev").unwrap();
        for (text, config, password) in [
            ("db:5433:ev:me:word", &config, Some("word")),
            ("*:*:*:*:word", &config, Some("word")),
            ("db:5433:ev:me:word\r\n", &config, Some("word")),
            (
                "#db:5433:ev:me:no\n\nbroken\ndb:5433:other:me:no\ndb:*:ev:me:first\n*:*:*:*:second",
                &config,
                Some("first"),
            ),
            ("db:5433:ev:me:a\\:b\\\\c:d\\e ", &config, Some("a:b\\c:de ")),
            ("db:5433:ev:me:\n*:*:*:*:word", &config, Some("")),
            ("db:5433:ev:me:word\\", &config, Some("word")),
            ("\\*:5433:ev:me:word", &config, None),
            ("db:5432:ev:me:word", &config, None),
            ("DB:5433:ev:me:word", &config, None),
            ("db:5433:ev:me", &config, None),
            ("\\:\\:1:5432:e\\\\v:m\\:e:word", &odd, Some("word")),
            ("localhost:5432:ev:me:word", &socket, Some("word")),
            ("/run/postgresql:5432:ev:me:word", &socket, Some("word")),
            ("localhost:5432:ev:me:word", &own_socket, None),
            ("", &config, None),
        ] {
            assert_eq!(find(text, config).as_deref(), password, "{text:?}");
        }
    }

    fn ask(variables: &[(&str, &Path)]) -> Result<Option<String>, String> {
        let config = Config::from_url("postgres://me@db/ev").unwrap();
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
        password(&config, |name| of(name).map(|path| path.display().to_string()))
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_none_is_ignored_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".pgpass");
        assert_eq!(ask(&[("HOME", folder.path())]), Ok(None), "there need not be one");
        assert!(ask(&[("PGPASSFILE", &file)]).unwrap_err().contains("No such file"), "but one that is named");
        fs::write(&file, "*:*:*:*:hush\n").unwrap();
        for (mode, fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let asked = ask(&[("HOME", folder.path())]);
            let expected = format!(
                "the password file {} is ignored: others may read it (mode {mode:o}); run chmod 600 on it",
                file.display()
            );
            assert_eq!(asked, if fine { Ok(Some("hush".to_owned())) } else { Err(expected) });
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(ask(&[("PGPASSFILE", &file)]).unwrap_err().contains("larger than 1024 KiB"));
        for (path, kind) in [(Path::new("/dev/zero"), "a device"), (folder.path(), "a directory")] {
            assert!(ask(&[("PGPASSFILE", path)]).unwrap_err().contains(&format!("it is {kind}")));
        }
    }
}

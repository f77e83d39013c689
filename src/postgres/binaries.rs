//! Finds the server programs of PostgreSQL on this machine.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ClusterError;
use super::account::{Account, command};

/// The oldest major version that works: earlier ones lack `gen_random_uuid()`.
const OLDEST: u32 = 13;

/// Names the folder of `postgres` and `initdb` before all others.
const VARIABLE: &str = "OBS_TUI_PG_BIN";

/// Where distributions put the server programs; `*` stands for a version.
const USUAL: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/lib64/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
];

/// A folder that holds `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

/// The newest usable programs in `dirs`, or in the usual places; of exactly `major` if given.
///
/// Whoever owns such a folder chooses what runs here: as the account, where this process is root.
pub(super) fn find(
    dirs: Option<&[PathBuf]>,
    major: Option<u32>,
    account: Option<&Account>,
) -> Result<Binaries, ClusterError> {
    let dirs = dirs.map_or_else(|| usual_dirs(account), <[PathBuf]>::to_vec);
    let mut seen = BTreeSet::new();
    let mut found: Vec<Binaries> =
        dirs.iter().filter_map(|dir| inspect(dir, account)).filter(|b| seen.insert(b.dir.clone())).collect();
    found.retain(|b| b.major >= OLDEST);
    // Stable: of one version, the first folder wins.
    found.sort_by_key(|b| std::cmp::Reverse(b.major));
    match major {
        None => found.into_iter().next().ok_or(ClusterError::NoBinaries { looked_in: dirs.len() }),
        Some(major) if found.is_empty() => Err(ClusterError::WrongVersion { major, found: "none".into() }),
        Some(major) => {
            let versions: Vec<String> = found.iter().map(|b| b.major.to_string()).collect();
            found
                .into_iter()
                .find(|b| b.major == major)
                .ok_or_else(|| ClusterError::WrongVersion { major, found: versions.join(", ") })
        }
    }
}

/// What to type to get the server programs, for every platform we know.
pub(super) fn how_to_install() -> String {
    format!(
        "Install PostgreSQL {OLDEST} or newer:\n  \
         Debian, Ubuntu:  sudo apt install postgresql\n  \
         Fedora, RHEL:    sudo dnf install postgresql-server\n  \
         Alpine:          sudo apk add postgresql\n  \
         Arch:            sudo pacman -S postgresql\n  \
         macOS:           brew install postgresql\n\
         or set {VARIABLE} to the folder that holds `postgres` and `initdb`"
    )
}

fn usual_dirs(account: Option<&Account>) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::var_os(VARIABLE).map(PathBuf::from).into_iter().collect();
    dirs.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let configured = command("pg_config", account).arg("--bindir").output();
    if let Ok(output) = configured {
        dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    dirs.extend(USUAL.iter().flat_map(|pattern| expand(pattern)));
    dirs.extend(std::env::var_os("HOME").map(|home| Path::new(&home).join(".nix-profile/bin")));
    // What `PATH` may hold, too: the working directory is no place for programs.
    dirs.retain(|dir| dir.is_absolute());
    dirs
}

/// The existing folders that a path with at most one `*` stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(if parent.is_empty() { "/" } else { parent })
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect();
    dirs.sort();
    dirs
}

fn inspect(dir: &Path, account: Option<&Account>) -> Option<Binaries> {
    let server = dir.join("postgres").canonicalize().ok()?;
    let dir = server.parent()?.to_path_buf();
    if !dir.join("initdb").is_file() {
        return None;
    }
    let output = command(&server, account).arg("--version").output().ok()?;
    Some(Binaries { dir, major: major(&String::from_utf8_lossy(&output.stdout))? })
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` → 15, also for 18beta1 and 19devel.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL)")?.1.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major("not a server"), None);
    }

    #[test]
    fn the_newest_version_wins_and_a_given_one_is_respected() {
        let root = tempfile::tempdir().unwrap();
        // A shell writes the programs: a file that this process has open for writing could not be executed.
        let script = r#"cd "$1"; for v in 9.6.24 13.2 16.1 14.0; do
            mkdir -p $v/bin
            printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' $v | tee $v/bin/postgres >$v/bin/initdb
            chmod +x $v/bin/*
        done"#;
        assert!(Command::new("sh").args(["-c", script, "sh"]).arg(root.path()).status().unwrap().success());
        let dirs = expand(&format!("{}/*/bin", root.path().display()));
        assert_eq!(dirs.len(), 4);
        assert_eq!(find(Some(&dirs), None, None).unwrap().major, 16);
        assert_eq!(
            find(Some(&dirs), Some(14), None).unwrap().dir,
            root.path().canonicalize().unwrap().join("14.0/bin")
        );
        let refused = find(Some(&dirs), Some(9), None).unwrap_err().to_string();
        assert!(refused.contains("PostgreSQL 9") && refused.contains("16, 14, 13"), "{refused}");
    }

    #[test]
    fn without_binaries_the_error_names_the_packages() {
        let text = find(Some(&[PathBuf::from("/nonexistent")]), None, None).unwrap_err().to_string();
        for word in ["apt install postgresql", "dnf", "apk", "pacman", "brew", VARIABLE] {
            assert!(text.contains(word), "{word} is missing in: {text}");
        }
    }
}

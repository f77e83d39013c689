//! Who the server runs as, and what its programs get from us: PostgreSQL does not run as root.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::ClusterError;

/// What a program of the server needs of our environment. The rest is none of its business: it may hold passwords, and
/// the server may run as another user.
const KEPT: &[&str] = &["PATH", "LD_LIBRARY_PATH"];

/// An unprivileged user of this machine.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
}

/// The users to become when this process is root, the preferred one first; none when it is not.
///
/// # Errors
/// When it is root and there is no such user.
pub(super) fn accounts_for_root() -> Result<Vec<Account>, ClusterError> {
    if !geteuid().is_root() {
        return Ok(Vec::new());
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let accounts: Vec<Account> = ["postgres", "nobody"].iter().filter_map(|name| account(&users, name)).collect();
    if accounts.is_empty() { Err(ClusterError::NoAccount) } else { Ok(accounts) }
}

fn account(users: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some(Account { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()?, name: name.to_owned() })
}

/// A program that runs as this account, in a cleared environment and without input.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null()).env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)))).env("LC_ALL", "C");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
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
    fn programs_get_nothing_else_of_our_environment() {
        assert!(std::env::vars_os().count() > KEPT.len(), "there is something to keep back");
        let output = command("env", accounts_for_root().unwrap().first()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.contains(&"PATH") && text.contains("LC_ALL=C\n"), "{text}");
        assert!(names.iter().all(|name| *name == "LC_ALL" || KEPT.contains(name)), "{text}");
    }
}

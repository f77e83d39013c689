//! A private PostgreSQL server, for the demo and for tests: made on demand, gone with its owner.
//!
//! **Invariant**: however the owner ends, also by `kill -9`, the server stops. It runs under a small shell script
//! (`postgres/guardian.sh`) that waits for the end of a pipe which only the owner holds. The owner and the script share
//! one lock on the cluster's folder, so a temporary folder whose lock is free is stale and the next start removes it.
mod account;
mod binaries;
mod folder;

use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::clock::{self, Clock};
use crate::store::config::{Config, Secret};
use binaries::Binaries;
use folder::Folder;

/// Name of the superuser, on every platform and for every owner.
const SUPERUSER: &str = "postgres";
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(15);
const PID_FILE: &str = "postmaster.pid";
const PASSWORD_FILE: &str = "password";
/// The data folder until it is complete.
const UNFINISHED: &str = "data.new";
/// What is shown of the log of a server that did not start, bytes.
const MOST_LOG: u64 = 64 << 10;
const POLL: Duration = Duration::from_millis(5);
/// The longest folder name that still leaves room for the name of a socket in it.
const LONGEST_SOCKET_DIR: usize = 80;

/// What a cluster is made of.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder to keep the data in, made if it is missing; a temporary one, removed at the end, if `None`.
    pub data_dir: Option<PathBuf>,
    /// The folders to look for `postgres` and `initdb` in; the usual ones of the platform if `None`.
    pub bin_dirs: Option<Vec<PathBuf>>,
}

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server programs on this machine.
    #[error("found no PostgreSQL server programs (looked into {looked_in} folders). {}", binaries::how_to_install())]
    NoBinaries {
        /// How many folders were looked into.
        looked_in: usize,
    },
    /// The data were written by another major version than any that is installed.
    #[error("the data were written by PostgreSQL {major}, installed: {found}. {}", binaries::how_to_install())]
    WrongVersion {
        /// Major version of the data.
        major: u32,
        /// Major versions that are installed.
        found: String,
    },
    /// Another process uses the folder.
    #[error("{} is in use by {by}. Stop it, or choose another folder", dir.display())]
    InUse {
        /// The folder of the cluster.
        dir: PathBuf,
        /// Who uses it.
        by: String,
    },
    /// The folder holds something else.
    #[error("{} is not empty and was not made by obs-tui. Choose an empty folder", dir.display())]
    NotOurs {
        /// The folder that was asked for.
        dir: PathBuf,
    },
    /// The folder belongs to somebody else, who could have us write elsewhere.
    #[error("{} belongs to another user (uid {owner}). Choose a folder of your own", dir.display())]
    Foreign {
        /// The folder that was asked for.
        dir: PathBuf,
        /// Who owns it.
        owner: u32,
    },
    /// Others may write to the folder, and so have us write elsewhere.
    #[error("other users may write to {}. Run `chmod 700` on it, or choose another folder", dir.display())]
    Shared {
        /// The folder that was asked for.
        dir: PathBuf,
    },
    /// PostgreSQL does not run as root, and the user it would run as cannot get into the folder.
    #[error("user {user} cannot enter {}. PostgreSQL does not run as root: choose a folder that others may enter", dir.display())]
    NotTraversable {
        /// The folder that cannot be entered.
        dir: PathBuf,
        /// The user that the server would run as.
        user: String,
    },
    /// PostgreSQL does not run as root, and there is no other user to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`. Start this program as another user"
    )]
    NoAccount,
    /// A program of PostgreSQL failed.
    #[error("{program} did not start:\n{}\nCorrect what it says and try again", output.trim())]
    Failed {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// What it wrote.
        output: String,
    },
    /// The operating system refused something.
    #[error("cannot {doing}: {source}. Check the permissions and the free space")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The reason.
        source: io::Error,
    },
}

/// A running server with its folder; stops when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: Folder,
    temporary: bool,
    binaries: Binaries,
    password: Secret,
    port: u16,
    guardian: Option<Guardian>,
}

/// The script that runs the server, and the pipe that keeps it alive.
#[derive(Debug)]
struct Guardian {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Cluster {
    /// Makes the cluster if needed and starts its server; returns when it accepts connections.
    ///
    /// # Errors
    /// When there are no server programs, the folder cannot be used, or the server does not come up.
    pub fn start(options: &Options) -> Result<Self, ClusterError> {
        let bin_dirs = options.bin_dirs.as_deref();
        let accounts = account::accounts_for_root()?;
        let newest = binaries::find(bin_dirs, None, accounts.first())?;
        let temporary = options.data_dir.is_none();
        let folder = match &options.data_dir {
            Some(dir) => Folder::given(dir)?,
            None => Folder::temporary()?,
        };
        let made_by = folder.data_text("PG_VERSION");
        let binaries = match made_by.and_then(|version| version.trim().parse().ok()) {
            Some(major) if major != newest.major => binaries::find(bin_dirs, Some(major), folder.account.as_ref())?,
            _ => newest,
        };
        let password = Secret::new(String::new());
        let mut cluster = Self { folder, temporary, binaries, password, port: 0, guardian: None };
        cluster.refuse_orphan()?;
        cluster.initialise()?;
        for attempt in 1.. {
            cluster.port = free_port()?;
            match cluster.launch() {
                // Another process took the port in the meantime.
                Err(ClusterError::Failed { output, .. }) if attempt < 5 && output.contains("could not bind") => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(cluster)
    }

    /// How to connect to it as superuser, over TCP.
    #[must_use]
    pub fn superuser(&self) -> Config {
        Config::local(self.port, SUPERUSER, SUPERUSER, self.password.clone())
    }

    /// The folder of the cluster: its socket, its `log`, and the data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.folder.dir
    }

    /// Process id of the server, as it wrote it down; `None` when it is not running.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        pid_of(&self.folder.data_text(PID_FILE)?)
    }

    /// Stops the server, keeps the folder: clients are disconnected, [`Cluster::restart`] brings it back.
    pub fn halt(&mut self) {
        let Some(mut guardian) = self.guardian.take() else { return };
        let clock = Clock::system();
        for signal in ["-INT", "-QUIT", "-KILL"] {
            if let Some(pid) = self.pid().filter(|_| guardian.is_running()) {
                // As the account, and not as root: the number comes from a file of the account.
                let mut kill = self.command("sh");
                kill.args(["-c", "kill \"$1\" \"$2\"", "sh", signal, &pid.to_string()]);
                let _ = kill.stderr(Stdio::null()).status();
            }
            guardian.wait(&clock, clock.elapsed() + STOP_DEADLINE / 3);
        }
    }

    /// Starts the server again, on the same port, after it was halted or killed; stops it before if it runs.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> Result<(), ClusterError> {
        self.halt();
        let clock = Clock::system();
        loop {
            match self.launch() {
                // A killed server leaves processes that end a moment later.
                Err(ClusterError::Failed { output, .. })
                    if clock.elapsed() < STOP_DEADLINE && output.contains("shared memory block") =>
                {
                    std::thread::sleep(POLL);
                }
                result => return result,
            }
        }
    }

    /// Stops the server, removes a temporary folder, and returns when both are done.
    pub fn stop(self) {
        drop(self);
    }

    /// Fails if a server without guardian still uses the data; removes what a dead one left.
    fn refuse_orphan(&self) -> Result<(), ClusterError> {
        let Some(text) = self.folder.data_text(PID_FILE) else { return Ok(()) };
        let orphan =
            pid_of(&text).filter(|pid| folder::command_line(*pid).contains(&*self.folder.dir.to_string_lossy()));
        if let Some(pid) = orphan {
            return Err(ClusterError::InUse {
                dir: self.folder.dir.clone(),
                by: format!("a server with process id {pid}"),
            });
        }
        let removed = self.folder.handle.folder("data").and_then(|data| data.remove(PID_FILE));
        removed.map_err(|source| io_error(format!("remove {PID_FILE} in {}", self.folder.dir.display()), source))
    }

    /// Makes the data folder with a new superuser, or reads the password of an existing one.
    fn initialise(&mut self) -> Result<(), ClusterError> {
        let (handle, dir) = (&self.folder.handle, &self.folder.dir);
        if handle.folder("data").is_ok() {
            self.password = Secret::new(self.folder.read_private(PASSWORD_FILE)?);
            return Ok(());
        }
        self.password = Secret::new(clock::secret());
        self.folder.write_private(PASSWORD_FILE, self.password.reveal())?;
        let unfinished = dir.join(UNFINISHED);
        let mut words = String::new();
        for locale in ["C.UTF-8", "C"] {
            let _ = self.command("rm").arg("-rf").arg(&unfinished).status();
            let mut initdb = self.command("initdb");
            initdb.arg("--pgdata").arg(&unfinished).arg("--pwfile").arg(dir.join(PASSWORD_FILE));
            initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]);
            initdb.args(["--locale", locale, "--lc-messages", "C"]);
            let output = initdb.output().map_err(|source| io_error("run initdb".into(), source))?;
            if output.status.success() {
                return handle
                    .rename(UNFINISHED, "data")
                    .map_err(|source| io_error(format!("rename {}", unfinished.display()), source));
            }
            words = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        Err(ClusterError::Failed { program: "initdb", output: words })
    }

    /// Starts the guardian with the server and waits until the server says that it is ready.
    fn launch(&mut self) -> Result<(), ClusterError> {
        let log_start = self.folder.handle.file("log").and_then(|log| log.metadata()).map_or(0, |found| found.len());
        let pid_before = self.folder.data_text(PID_FILE);
        let shared_lock = || self.folder.lock.try_clone().map_err(|source| io_error("share the lock".into(), source));
        let mut command = self.command("sh");
        command.args(["-c", include_str!("postgres/guardian.sh"), "obs-tui-postgres"]);
        command.arg(&self.folder.dir).arg(if self.temporary { "temporary" } else { "kept" });
        command.arg(self.binaries.dir.join("postgres")).arg("-D").arg(self.folder.dir.join("data"));
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        // The lock on the folder is shared with the script, which keeps it until the server has ended.
        command.stdin(Stdio::piped()).stdout(shared_lock()?).stderr(shared_lock()?).process_group(0);
        let mut child = command.spawn().map_err(|source| io_error("run sh".into(), source))?;
        let pipe = child.stdin.take();
        let guardian = self.guardian.insert(Guardian { child, pipe });

        let clock = Clock::system();
        while guardian.is_running() && clock.elapsed() < START_DEADLINE {
            let state = self.folder.data_text(PID_FILE);
            let ready =
                state.as_deref().is_some_and(|text| text.lines().nth(7).is_some_and(|l| l.starts_with("ready")));
            if ready && state != pid_before {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        let mut output = Vec::new();
        if let Ok(mut log) = self.folder.handle.file("log") {
            // What cannot be read is missing from the message only.
            let _ = log.seek(io::SeekFrom::Start(log_start)).and_then(|_| log.take(MOST_LOG).read_to_end(&mut output));
        }
        self.halt();
        let output = String::from_utf8_lossy(&output).into_owned();
        Err(ClusterError::Failed { program: "postgres", output })
    }

    fn settings(&self) -> Vec<String> {
        let dir = self.folder.dir.to_string_lossy();
        // A list, separated by commas: a folder whose name does not fit into it has no socket.
        let fits = dir.len() <= LONGEST_SOCKET_DIR && !dir.contains([',', '"']) && dir.trim() == dir;
        let socket_dir = if fits { &*dir } else { "" };
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={socket_dir}"),
            "unix_socket_permissions=0700".to_owned(),
            "password_encryption=scram-sha-256".to_owned(),
            "max_connections=200".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        if self.temporary {
            // Does not survive a crash of the machine, but does survive a kill of the server: commits are not delayed.
            let careless = ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0"];
            // Nothing is gained by a long log: writing everything is cheap when nobody waits for the disk.
            let small = ["min_wal_size=32MB", "max_wal_size=64MB"];
            settings.extend(careless.into_iter().chain(small).map(str::to_owned));
        }
        settings
    }

    /// A program of the server, or of the system, run as the account of the cluster.
    fn command(&self, program: &str) -> Command {
        let is_of_server = matches!(program, "initdb" | "postgres");
        let program = if is_of_server { self.binaries.dir.join(program) } else { program.into() };
        account::command(program, self.folder.account.as_ref())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut guardian) = self.guardian.take() {
            drop(guardian.pipe.take());
            let clock = Clock::system();
            guardian.wait(&clock, STOP_DEADLINE);
        }
        // The script has done it, unless the server had ended before.
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.folder.dir);
        }
    }
}

impl Guardian {
    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn wait(&mut self, clock: &Clock, until: Duration) {
        while self.is_running() && clock.elapsed() < until {
            std::thread::sleep(POLL);
        }
    }
}

fn pid_of(pid_file: &str) -> Option<u32> {
    pid_file.lines().next()?.trim().parse().ok()
}

fn free_port() -> Result<u16, ClusterError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| io_error("find a free port on 127.0.0.1".into(), source))
}

fn io_error(doing: String, source: io::Error) -> ClusterError {
    ClusterError::Io { doing, source }
}

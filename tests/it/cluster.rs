//! The private server: it starts where it can, and never outlives its owner.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use obs_tui::clock::Clock;
use obs_tui::postgres::{Cluster, ClusterError, Options};
use sqlx::{Connection, Executor, PgConnection};

/// Waits for what another process does; the limit is far above what it takes.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let clock = Clock::system();
    let start = clock.elapsed();
    while !done() {
        assert!(clock.elapsed() < start + Duration::from_secs(300), "waited too long until {what}");
        std::thread::yield_now();
    }
}

fn is_alive(pid: u32) -> bool {
    // A zombie that nobody collects has no command line.
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

async fn one(cluster: &Cluster) -> i32 {
    let mut session = PgConnection::connect_with(&cluster.superuser().writer_options("test")).await.unwrap();
    sqlx::query_scalar("SELECT 1").fetch_one(&mut session).await.unwrap()
}

#[test]
fn without_binaries_the_error_names_the_packages() {
    let options = Options { bin_dirs: Some(vec![PathBuf::from("/nonexistent")]), ..Options::default() };
    let text = Cluster::start(&options).unwrap_err().to_string();
    for word in ["apt install postgresql", "dnf install", "apk add", "pacman -S", "brew install", "OBS_TUI_PG_BIN"] {
        assert!(text.contains(word), "{word} is missing in: {text}");
    }
}

#[tokio::test]
async fn stopping_disconnects_and_removes_everything() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let (dir, pid) = (cluster.dir().to_path_buf(), cluster.pid().unwrap());
    assert_eq!(one(&cluster).await, 1);
    let config = cluster.superuser();
    assert!(!format!("{cluster:?}").contains(config.password.as_ref().unwrap().reveal()));
    cluster.stop();
    assert!(!dir.exists());
    assert!(!is_alive(pid));
    assert!(PgConnection::connect_with(&config.writer_options("test")).await.is_err());
}

#[tokio::test]
async fn a_killed_server_is_restarted_with_its_data_on_the_same_port() {
    let mut cluster = Cluster::start(&Options::default()).unwrap();
    let config = cluster.superuser();
    let mut session = PgConnection::connect_with(&config.writer_options("test")).await.unwrap();
    session.execute("CREATE TABLE public.kept (n int); INSERT INTO public.kept VALUES (7)").await.unwrap();
    kill(cluster.pid().unwrap());
    cluster.restart().unwrap();
    assert_eq!(cluster.superuser(), config);
    let mut session = PgConnection::connect_with(&config.writer_options("test")).await.unwrap();
    let kept: i32 = sqlx::query_scalar("SELECT n FROM public.kept").fetch_one(&mut session).await.unwrap();
    assert_eq!(kept, 7);
    cluster.halt();
    assert_eq!(cluster.pid(), None);
    assert!(PgConnection::connect_with(&config.writer_options("test")).await.is_err());
    cluster.restart().unwrap();
    assert_eq!(one(&cluster).await, 1);
}

#[tokio::test]
async fn a_given_folder_keeps_its_data_and_has_one_owner() {
    // Somewhere that the unprivileged user of the server can enter.
    let parent = Cluster::start(&Options::default()).unwrap();
    let kept = Options { data_dir: Some(parent.dir().join("kept")), ..Options::default() };
    let first = Cluster::start(&kept).unwrap();
    let mut session = PgConnection::connect_with(&first.superuser().writer_options("test")).await.unwrap();
    session.execute("CREATE TABLE public.kept (n int)").await.unwrap();
    let refused = Cluster::start(&kept).unwrap_err();
    assert!(matches!(refused, ClusterError::InUse { .. }), "{refused}");
    let password = first.superuser().password;
    first.stop();
    // What a crash leaves behind: the number of a process that is not, or is something else by now.
    std::fs::write(parent.dir().join("kept/data/postmaster.pid"), format!("{}\n/elsewhere\n", std::process::id()))
        .unwrap();
    let second = Cluster::start(&kept).unwrap();
    assert_eq!(second.superuser().password, password);
    let mut session = PgConnection::connect_with(&second.superuser().writer_options("test")).await.unwrap();
    session.execute("DROP TABLE public.kept").await.unwrap();
    second.stop();
    assert!(parent.dir().join("kept/data/PG_VERSION").exists());
}

#[test]
fn a_stale_folder_is_removed_by_the_next_start() {
    let stale = std::env::temp_dir().join("obs-tui-pg-stale-of-a-test");
    std::fs::create_dir_all(stale.join("data")).unwrap();
    std::fs::write(stale.join("lock"), "").unwrap();
    let neighbour = Cluster::start(&Options::default()).unwrap();
    assert!(!stale.exists());
    let cluster = Cluster::start(&Options::default()).unwrap();
    assert!(neighbour.dir().exists(), "a folder in use is not stale");
    cluster.stop();
}

/// The test starts itself as another process that owns a cluster, and kills that.
#[test]
fn a_killed_owner_takes_its_server_along() {
    const OWNER: &str = "OBS_TUI_TEST_IS_OWNER";
    if std::env::var_os(OWNER).is_some() {
        let cluster = Cluster::start(&Options::default()).unwrap();
        println!("\nowns {} {}", cluster.pid().unwrap(), cluster.dir().display());
        loop {
            std::thread::park();
        }
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::a_killed_owner_takes_its_server_along", "--nocapture"])
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.into_iter().find(|line| line.starts_with("owns ")).unwrap();
    let mut words = line.split(' ').skip(1);
    let pid: u32 = words.next().unwrap().parse().unwrap();
    let dir = Path::new(words.next().unwrap()).to_path_buf();
    assert!(is_alive(pid) && dir.exists());
    kill(owner.id());
    owner.wait().unwrap();
    eventually("the server has ended", || !is_alive(pid));
    eventually("the folder is gone", || !dir.exists());
}

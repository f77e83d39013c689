//! What is created is private under every umask, leaves nothing behind on a full disk, and other programs get no secrets.
#![expect(clippy::print_stdout, reason = "the list of what is created is worth a look")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_tui::Recorder;
use obs_tui::postgres::{Cluster, Options};
use obs_tui::recorder;
use obs_tui::store::admin::{self, Passwords};
use sqlx::{Connection, PgConnection};

use crate::cli::{binary, command, run};
use crate::common;
use crate::pty::Terminal;

const SIZE: (u16, u16) = (200, 40);
const FUNCTION: &str = "event-handlers";

/// Kind and mode of everything below a folder, by its path.
fn modes(folder: &Path) -> BTreeMap<PathBuf, (&'static str, u32)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // Servers remove files at any time.
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            let kind = match meta.file_type() {
                kind if kind.is_dir() => "folder",
                kind if kind.is_file() => "file",
                kind if kind.is_socket() => "socket",
                _ => "other",
            };
            if kind == "folder" {
                folders.push(path.clone());
            }
            found.insert(path, (kind, meta.permissions().mode() & 0o7777));
        }
    }
    found
}

/// Fails where something is not private, and prints what there is; of a server's data how much.
fn all_private(folder: &Path) -> BTreeMap<PathBuf, (&'static str, u32)> {
    let found = modes(folder);
    let mut data = BTreeMap::new();
    for (path, (kind, mode)) in &found {
        let name = path.strip_prefix(folder).unwrap();
        let most = match *kind {
            "folder" | "socket" => 0o700,
            "file" => 0o600,
            kind => panic!("{}: {kind}", path.display()),
        };
        assert_eq!(mode & !most, 0, "{kind} {mode:o} {}", path.display());
        if name.components().any(|part| part.as_os_str() == "data")
            && name.file_name().is_some_and(|name| name != "data")
        {
            *data.entry((*kind, *mode)).or_insert(0) += 1;
        } else {
            println!("{mode:04o} {kind} {}", name.display());
        }
    }
    data.iter().for_each(|((kind, mode), count)| println!("{mode:04o} {kind} below data: {count}"));
    found
}

fn has(found: &BTreeMap<PathBuf, (&str, u32)>, ending: &str) -> bool {
    found.keys().any(|path| path.to_string_lossy().ends_with(ending))
}

#[tokio::test]
async fn explorer_creates_private_files_under_umask_000() {
    let db = common::database("private_explorer").await;
    common::load_foreign(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let (home, url) = (folder.path().to_str().unwrap(), db.readonly.url());
    let (pager, seen) = (folder.path().join("pager"), tempfile::tempdir().unwrap());
    let secrets = ["OBSERVABILITY_DB_PASSWORD", "PGPASSWORD", "GRAFANA_TOKEN", "OBS_TUI_LOKI_PASSWORD"];
    let script = format!("stat -c '%a %n' \"$1\" > {0}/mode; env > {0}/env\n", seen.path().display());
    std::fs::write(&pager, script).unwrap();
    std::fs::set_permissions(&pager, std::fs::Permissions::from_mode(0o600)).unwrap();
    let program = format!("sh {}", pager.display());
    let mut environment = vec![
        ("OBSERVABILITY_DB_URL", &*url),
        ("XDG_CONFIG_HOME", home),
        ("XDG_STATE_HOME", home),
        ("TMPDIR", home),
        ("PAGER", &program),
        ("VISUAL", &program),
        ("KEPT_FOR_THE_PAGER", "yes"),
    ];
    environment.extend(secrets.map(|name| (name, "hunter2")));
    let binary = binary();
    let script = ["-c", "umask 000; cd \"$1\"; exec \"$0\"", &binary, home];
    let mut terminal = Terminal::start("sh", &script, &environment, SIZE);
    terminal.wait_for(FUNCTION);
    terminal.press("\u{13}mine\r");
    terminal.wait_for("saved the view `mine`");
    terminal.press("x");
    terminal.wait_for("wrote ");
    let shown = |name: &str| std::fs::read_to_string(seen.path().join(name)).unwrap_or_default();
    terminal.press("o");
    terminal.wait_until("the list again", |screen| shown("env").contains("PAGER=") && screen.contains(FUNCTION));
    let (mode, copy) =
        shown("mode").trim().split_once(' ').map(|(mode, path)| (mode.to_owned(), PathBuf::from(path))).unwrap();
    println!("0{mode} file {} (while the pager shows it)", copy.file_name().unwrap().to_string_lossy());
    assert!(mode == "600" && copy.starts_with(home) && !copy.exists(), "{mode} {}", copy.display());
    let environment = shown("env");
    assert!(
        environment.contains("KEPT_FOR_THE_PAGER=yes\n") && environment.contains("XDG_STATE_HOME="),
        "{environment}"
    );
    assert!(!environment.contains("hunter2") && !environment.contains(&*url), "{environment}");
    assert!(secrets.iter().all(|name| !environment.contains(&format!("{name}="))), "{environment}");
    terminal.press(":keys edit\r");
    terminal.wait_for("no key is changed");
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().0.exit_code(), 0);
    let found = all_private(folder.path());
    for name in ["obs-tui", "obs-tui/views.toml", "obs-tui/session.toml", "obs-tui/config.toml", ".json"] {
        assert!(has(&found, name), "{name}: {found:?}");
    }
    assert_eq!(found.len(), 6, "and nothing else: {found:?}");
}

/// Tells the program that it is the host of the test, and where it may create things.
const HOST: &str = "OBS_TUI_TEST_PRIVATE";

/// Runs a server and a recorder with a spool; waits for a line of input while both have everything.
async fn host(folder: &Path) {
    let mut input = std::io::stdin().lines();
    let mut pause = |what: &str| {
        println!("\n{what}");
        assert!(input.next().is_some());
    };
    let data_dir = Some(folder.join("made/demo"));
    let mut cluster = Cluster::start(&Options { data_dir, ..Options::default() }).unwrap();
    let roles = admin::create_database(&cluster.superuser(), "private", &Passwords::default()).await.unwrap();
    admin::migrate(&roles.admin).await.unwrap();
    let spool = Some(folder.join("also/spool"));
    let recorder = Recorder::new(recorder::Options { spool, ..recorder::Options::new(roles.app.clone()) });
    recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start().finish();
    recorder.invocation("written").start().finish();
    assert!(recorder.flush(Duration::from_secs(60)), "{:?}", recorder.stats());
    pause("running");
    cluster.halt();
    recorder.invocation("spooled").start().finish();
    while recorder.stats().spooled == 0 {
        recorder.flush(Duration::from_millis(20));
    }
    pause("spooled");
}

#[tokio::test]
async fn server_and_spool_are_private_under_umask_000() {
    if let Some(folder) = std::env::var_os(HOST) {
        return host(Path::new(&folder)).await;
    }
    // Somewhere that the user of the server can enter.
    let parent = Cluster::start(&Options::default()).unwrap();
    let folder = parent.dir().join("umask");
    let test = ["--exact", "private::server_and_spool_are_private_under_umask_000", "--nocapture"];
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).unwrap();
    let mut host = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(test)
        .env(HOST, &folder)
        .env("PGPASSWORD", "hunter2")
        .env("KEPT_FROM_THE_SERVER", "hunter2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut input = host.stdin.take().unwrap();
    assert!(lines.any(|line| line == "running"));
    let demo = folder.join("made/demo");
    let found = all_private(&folder);
    for name in
        ["made", "made/demo", "demo/log", "demo/lock", "demo/password", "data/PG_VERSION", "data/postmaster.pid"]
    {
        assert!(has(&found, name), "{name}");
    }
    assert!(found.values().any(|(kind, _)| *kind == "socket"));
    assert!(has(&found, "also/spool/quarantine.jsonl"));
    // What the server got from us: all of it.
    let pid = std::fs::read_to_string(demo.join("data/postmaster.pid")).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", pid.lines().next().unwrap())).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let names: Vec<&str> = environment.split_terminator('\0').filter_map(|pair| pair.split('=').next()).collect();
    println!("environment of the server: {names:?}");
    let known = ["PATH", "LD_LIBRARY_PATH", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| known.contains(name)) && !environment.contains("hunter2"), "{names:?}");
    writeln!(input).unwrap();
    assert!(lines.any(|line| line == "spooled"));
    println!("-- with the server stopped and records in the spool");
    let found = all_private(&folder);
    for name in [".spool", "/lock", ".segment"] {
        assert!(found.keys().any(|path| path.to_string_lossy().ends_with(name)), "{name}");
    }
    writeln!(input).unwrap();
    lines.for_each(drop);
    assert!(host.wait().unwrap().success());
}

/// Local users can reach the server, but not without its password.
#[tokio::test]
async fn nobody_enters_the_private_server_without_its_password() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let config = cluster.superuser();
    let rules = std::fs::read_to_string(cluster.dir().join("data/pg_hba.conf")).unwrap();
    let rules: Vec<&str> = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rules.len() >= 4 && rules.iter().all(|rule| rule.ends_with("scram-sha-256")), "{rules:#?}");
    for url in [
        format!("postgres://postgres@127.0.0.1:{}/postgres", config.port),
        format!("postgres://postgres:wrong@127.0.0.1:{}/postgres", config.port),
    ] {
        let wrong = obs_tui::store::config::Config::from_url(&url).unwrap();
        let refused = PgConnection::connect_with(&wrong.writer_options("test")).await.unwrap_err().to_string();
        assert!(refused.contains("password"), "{refused}");
    }
    let kept = modes(cluster.dir());
    assert_eq!(kept[&cluster.dir().join("password")].1, 0o600);
    assert_eq!(std::fs::metadata(cluster.dir()).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Ways to have no room: a disk of the test's own, which it fills, where root may mount one; a limit of the size of files
/// everywhere.
const FULL: [(&str, &str, &str); 2] = [
    ("ulimit -f 0", "", "File too large"),
    (
        "mount -t tmpfs -o size=64k,mode=0700 tmpfs \"$1\" && head -c 1m /dev/zero > \"$1/fill\" 2>/dev/null; true",
        "unshare -m",
        "No space left on device",
    ),
];

fn can_mount() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = Command::new("unshare");
    mount.args(["-m", "mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path()).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

#[tokio::test]
async fn full_disk_leaves_no_file_behind_and_is_reported() {
    let db = common::database("private_full").await;
    common::load_foreign(&db).await;
    for (fill, wrap, reason) in FULL {
        if !wrap.is_empty() && !can_mount() {
            println!("no disk of its own can be mounted here: {fill}");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let (home, url, binary) = (folder.path().to_str().unwrap(), db.readonly.url(), binary());
        let environment =
            [("OBSERVABILITY_DB_URL", &*url), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home), ("TMPDIR", home)];
        let script = format!("{fill}; cd \"$1\"; \"$0\"; echo \"ended $?\"; find \"$1\" -type f ! -name fill | wc -l");
        let line = format!("exec {wrap} sh -c '{script}' \"$0\" \"$1\"");
        let mut terminal = Terminal::start("sh", &["-c", &line, &binary, home], &environment, SIZE);
        terminal.wait_for(FUNCTION);
        for (keys, what) in
            [("x", "/obs-tui-invocations-"), ("\u{13}mine\r", "/obs-tui/views.toml: "), ("o", "nothing to read from")]
        {
            terminal.press(keys);
            terminal.wait_until(what, |screen| {
                screen.lines().any(|line| line.contains("nothing") && line.contains(what) && line.contains(reason))
            });
            let screen = terminal.screen();
            println!("{}", screen.lines().find(|line| line.contains(reason)).unwrap().trim());
        }
        terminal.press("\u{3}\u{3}");
        terminal.wait_for("ended 0\n0");
        let kept = "obs-tui: the session was not kept: nothing written to ";
        assert!(terminal.screen().contains(kept) && terminal.screen().contains(reason), "{}", terminal.screen());
        let (_, left, _) = terminal.end();
        assert_eq!(left, Vec::<&str>::new());
    }
}

/// Every command whose output cannot be written says so and fails.
#[tokio::test]
async fn output_to_a_full_disk_is_an_error_of_every_command() {
    let db = common::database("private_output").await;
    common::load_foreign(&db).await;
    let (url, admin) = (db.readonly.url(), db.admin.url());
    let id =
        serde_json::from_str::<serde_json::Value>(&run(&url, &["ls", "--json", "--all", "--limit", "1"]).1).unwrap();
    let id = id[0]["id"].as_str().unwrap().to_owned();
    let mut session = common::session(&db.app).await;
    let lines = "INSERT INTO job_logs (id, job_execution_id, level, message) \
                 SELECT gen_random_uuid(), id, 'INFO', 'a line' FROM job_executions WHERE invocation_id = $1::uuid";
    sqlx::query(lines).bind(&id).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
    let superuser = db.superuser.url();
    for (url, arguments) in [
        (&url, &["ls", "--all"][..]),
        (&url, &["ls", "--all", "--json"]),
        (&url, &["show", &id]),
        (&url, &["show", &id, "--json"]),
        (&url, &["tail", "--since", "520w"]),
        (&url, &["tail", "--since", "520w", "--json"]),
        (&url, &["logs", &id, "--cascade"]),
        (&url, &["logs", &id, "--cascade", "--json"]),
        (&url, &["--plain"]),
        (&url, &["config"]),
        (&url, &["config", "--keys"]),
        (&admin, &["db", "status"]),
        (&admin, &["db", "migrate"]),
        (&admin, &["db", "refresh", "--all"]),
        (&admin, &["db", "prune", "--older-than", "5000w", "--dry-run"]),
        (&superuser, &["db", "create", "--name", "private_output_new"]),
        (&url, &["man"]),
        (&url, &["completions", "bash"]),
        (&url, &["completions", "zsh"]),
        (&url, &["--help"]),
        (&url, &["ls", "--help"]),
        (&url, &["--version"]),
        (&url, &["demo", "--no-ui"]),
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command(url, arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("cannot write the output: No space left on device"), "{arguments:?}: {said}");
    }
}

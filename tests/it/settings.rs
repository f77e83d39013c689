//! Settings from the environment and from files, as the program takes or refuses them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::command;
use crate::common;
use crate::loki_server::{Fault, LokiServer};

fn run(mut command: std::process::Command) -> (i32, String) {
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_password_file_is_used_or_its_fault_is_named() {
    let db = common::database("password_file").await;
    let folder = tempfile::tempdir().unwrap();
    let word = db.readonly.password.as_ref().unwrap().reveal();
    let line = format!("127.0.0.1:{}:{}:{}:{word}\n", db.readonly.port, db.readonly.database, db.readonly.user);
    let url = db.readonly.with_user(&db.readonly.user, None).url();
    let ls = |path: &str| {
        let mut command = command(&url, &["ls"]);
        command.env("PGPASSFILE", path).env_remove("PGPASSWORD");
        run(command)
    };
    let (code, error) = ls(&file(folder.path(), "private", &line, 0o600));
    assert!(code == 3 && error.starts_with("obs-tui: no invocation was recorded"), "there are no rows: {error}");

    let open = file(folder.path(), "open", &line, 0o644);
    let (code, error) = ls(&open);
    let ignored = format!("the password file {open} is ignored: others may read it (mode 644); run chmod 600 on it");
    assert!(error.starts_with(&format!("obs-tui: {ignored}\n")), "{error}");
    assert!(code == 4 && error.contains("refused the login") && error.trim_end().ends_with(&ignored), "{error}");
    let (_, error) = ls("/dev/zero");
    assert!(error.contains("the password file /dev/zero is ignored: it is a device"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_used_ends_the_program_with_its_reason() {
    let db = common::database("unusable_settings").await;
    let url = db.readonly.url().replace("?sslmode=disable", "");
    for (name, value, expected) in [
        ("PGSSLMODE", "verify_full", "the variable PGSSLMODE is unknown; use disable, allow, prefer, require"),
        ("PGSSLCERT", "/nowhere.pem", "sslcert and sslkey go together"),
    ] {
        let mut command = command(&url, &["ls"]);
        command.env(name, value);
        let (code, error) = run(command);
        assert!(code == 2 && error.starts_with(&format!("obs-tui: {expected}")), "{code} {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (code, error) = run(command(&url, &["--config", fifo.to_str().unwrap(), "config"]));
    let expected = format!("obs-tui: cannot read {}: it is a named pipe; a regular file is needed\n", fifo.display());
    assert_eq!((code, error), (2, expected));
}

#[tokio::test]
async fn a_token_of_the_environment_does_not_reach_a_server_of_a_file() {
    let db = common::database("token_places").await;
    common::load_foreign(&db).await;
    let mut session = common::session(&db.readonly).await;
    let id: String = sqlx::query_scalar("select id::text from invocations where correlation_id <> '' limit 1")
        .fetch_one(&mut session)
        .await
        .unwrap();
    let unauthorized = Fault::Status { from_request: 1, line: "401 Unauthorized", body: "" };
    let evil = LokiServer::start(vec![], Some(unauthorized)).await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[logs]\ngrafana_url = \"{}\"\ngrafana_datasource_uid = \"u\"\n", evil.url());
    let config = file(folder.path(), "config.toml", &text, 0o600);
    let url = db.readonly.url();
    let mut logs = command(&url, &["--config", &config, "logs", &id]);
    logs.env("GRAFANA_TOKEN", "hunter2");
    let (_, error) = tokio::task::spawn_blocking(move || run(logs)).await.unwrap();
    let notice = format!("GRAFANA_TOKEN of the environment is not sent to the log server that {config} names");
    assert!(error.starts_with(&format!("obs-tui: {notice}")), "{error}");
    assert_eq!(error.matches(&notice).count(), 2, "once at first, once as what may be the reason: {error}");
    let asked = evil.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|request| !request.headers.contains_key("authorization")),
        "{asked:?}"
    );
}

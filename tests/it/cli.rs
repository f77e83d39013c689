//! The binary as scripts use it: output, JSON, exit codes, bad input.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use obs_tui::store::config::Config;
use obs_tui::store::config::Secret;
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::common::{self, TestDb};

/// The binary under test: another one than that of this build when `OBS_TUI_BIN` names it.
pub(crate) fn binary() -> String {
    std::env::var("OBS_TUI_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_obs-tui").to_owned())
}

pub(crate) fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OBSERVABILITY_DB_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("LC_ALL", "C.UTF-8").env("TERM", "xterm").stdin(Stdio::null());
    // The configuration of whoever runs the tests is not theirs.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    if !url.is_empty() {
        command.env("OBSERVABILITY_DB_URL", url);
    }
    command
}

/// Exit code, standard output, standard error.
pub(crate) fn run(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(url, arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(url: &str, arguments: &[&str]) -> Value {
    let (code, output, error) = run(url, arguments);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&output).unwrap()
}

async fn number(db: &TestDb, sql: &'static str) -> u64 {
    let mut session = common::session(&db.readonly).await;
    let (number,): (i64,) = sqlx::query_as(sql).fetch_one(&mut session).await.unwrap();
    session.close().await.unwrap();
    u64::try_from(number).unwrap()
}

fn sum(list: &Value, group: &str, field: &str) -> u64 {
    list.as_array().unwrap().iter().map(|row| row[group][field].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn ls_lists_what_passes_a_filter() {
    let db = common::database("cli_filter").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let all = json(&url, &["ls", "--json", "--all"]);
    let count = |list: &Value, status: &str| {
        list.as_array().unwrap().iter().filter(|row| row["effective_status"] == status).count()
    };
    let failed = count(&all, "failed");
    for arguments in
        [&["ls", "--json", "--all", "--filter", "st:failed"][..], &["ls", "--json", "--filter", "st:failed at:all"]]
    {
        let list = json(&url, arguments);
        assert_eq!((list.as_array().unwrap().len(), count(&list, "failed")), (failed, failed), "{arguments:?}");
    }
    assert!(failed > 0);
    let id = all[0]["id"].as_str().unwrap();
    let (code, text, _) = run(&url, &["ls", "--filter", id]);
    assert_eq!((code, text.lines().count()), (0, 2), "an id needs no range: {text}");
    let (code, _, error) = run(&url, &["ls", "--filter", "st:failed dur:>fast"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("write dur:>1s") && error.ends_with("  st:failed dur:>fast\n                ^\n"),
        "{error}"
    );
    let (code, text, error) = run(&url, &["ls", "--json", "--filter", "fn:nowhere"]);
    assert_eq!((code, text.trim()), (3, "[]"));
    assert!(error.contains("no invocation matches"), "{error}");
}

#[tokio::test]
async fn ls_lists_all_rows_with_counts_of_the_tables() {
    let db = common::database("cli_ls").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let list = json(&url, &["ls", "--json", "--all"]);
    let rows = list.as_array().unwrap();
    assert_eq!(rows.len(), 1_500);
    assert_eq!(sum(&list, "events", "checked"), number(&db, "select count(*) from event_executions").await);
    assert_eq!(
        sum(&list, "events", "detected"),
        number(&db, "select count(*) from event_executions where detected").await
    );
    assert_eq!(sum(&list, "jobs", "run"), number(&db, "select count(*) from job_executions").await);
    assert_eq!(
        sum(&list, "jobs", "failed"),
        number(&db, "select count(*) from job_executions where status = 'failed' or error_message <> ''").await
    );
    let failed = rows.iter().filter(|row| row["effective_status"] == "failed").count() as u64;
    let failed_by_sql = number(
        &db,
        "select count(*) from invocations i where status = 'failed' or error_message <> '' \
         or exists (select from event_executions e where e.invocation_id = i.id and e.status in ('failed', 'detection_failed', 'handler_failed')) \
         or exists (select from job_executions j where j.invocation_id = i.id and j.status = 'failed')",
    )
    .await;
    assert_eq!(failed, failed_by_sql);
    let keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "id created_at correlation_id source_function source_system source_operation source_table \
                    source_user_email status effective_status reason total_duration_ms events jobs parent_job_id link \
                    source_event_id deliveries";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    let order: Vec<_> =
        rows.iter().map(|row| (row["created_at"].as_str().unwrap(), row["id"].as_str().unwrap())).collect();
    assert!(order.windows(2).all(|pair| pair[0] > pair[1]), "newest first");

    let newest = json(&url, &["ls", "--json", "--all", "--limit", "7"]);
    assert_eq!(newest.as_array().unwrap()[..], rows[..7]);
    let (code, text, _) = run(&url, &["ls", "--all", "--limit", "3"]);
    assert_eq!((code, text.lines().count()), (0, 4));
}

#[tokio::test]
async fn show_draws_a_chain_and_gives_it_as_json() {
    let db = common::database("cli_show").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let list = json(&url, &["ls", "--json", "--all"]);
    let child = list.as_array().unwrap().iter().find(|row| row["link"] == "recorded").unwrap();
    let from_invocation = json(&url, &["show", "--json", child["id"].as_str().unwrap()]);
    let from_job = json(&url, &["show", "--json", child["parent_job_id"].as_str().unwrap()]);
    let from_chain = json(&url, &["show", "--json", child["correlation_id"].as_str().unwrap()]);
    assert_eq!(from_invocation, from_job);
    assert_eq!(from_invocation, from_chain);
    let keys: Vec<&String> = from_invocation.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["correlation_id", "counts", "truncated", "children_unsearched_since", "roots"]);
    fn count(node: &Value, kind: &str) -> u64 {
        let below: u64 = node["children"].as_array().unwrap().iter().map(|child| count(child, kind)).sum();
        below + u64::from(node["kind"] == kind)
    }
    for (kind, counted) in [
        ("invocation", &from_chain["counts"]["invocations"]),
        ("event", &from_chain["counts"]["events"]["checked"]),
        ("job", &from_chain["counts"]["jobs"]["run"]),
    ] {
        let nodes: u64 = from_chain["roots"].as_array().unwrap().iter().map(|root| count(root, kind)).sum();
        assert_eq!(Some(nodes), counted.as_u64(), "{kind}");
    }
    let root = &from_chain["roots"][0];
    for field in
        ["kind", "id", "name", "status", "effective_status", "reason", "started_at", "duration_ms", "error", "children"]
    {
        assert!(root.get(field).is_some(), "{field}");
    }
    let (code, text, _) = run(&url, &["show", "--ascii", child["id"].as_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(text.is_ascii() && text.contains("inv event-handlers") && text.contains("events not detected"), "{text}");
    let (_, all, _) = run(&url, &["show", "--ascii", "-u", child["id"].as_str().unwrap()]);
    assert!(all.lines().count() > text.lines().count());
}

#[tokio::test]
async fn show_gives_the_past_of_a_chain() {
    let db = common::database("cli_show_at").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let list = json(&url, &["ls", "--json", "--all"]);
    let child = list.as_array().unwrap().iter().find(|row| row["link"] == "recorded").unwrap();
    let id = child["id"].as_str().unwrap();
    let now = json(&url, &["show", "--json", id]);
    let root = &now["roots"][0];
    let began = |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let root_began = began(&root["started_at"]);
    let at = |moment: chrono::DateTime<chrono::Utc>| moment.to_rfc3339();
    let (first, before) = (at(root_began), at(root_began - chrono::TimeDelta::milliseconds(1)));
    let past = json(&url, &["show", "--json", id, "--at", &first]);
    assert_eq!(past["roots"][0]["id"], root["id"]);
    assert_eq!(past["counts"]["invocations"], 1, "{past}");
    assert_ne!(past["roots"][0]["effective_status"], "ok", "it had only begun");
    assert!(!past.to_string().contains(id), "the child came later");
    let later = json(&url, &["show", "--json", id, "--at", &at(began(&child["created_at"]))]);
    assert!(later.to_string().contains(id), "{later}");
    let ended = json(&url, &["show", "--json", id, "--at", "2100-01-01T00:00:00Z"]);
    assert_eq!(ended["counts"]["invocations"], now["counts"]["invocations"]);
    let (code, _, error) = run(&url, &["show", id, "--at", &before]);
    assert!(code == 3 && error.contains("nothing of this cascade had begun at"), "{code} {error}");
    assert_eq!(run(&url, &["show", id, "--at", "noon"]).0, 2);
}

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let db = common::database("cli_codes").await;
    let url = db.readonly.url();
    assert_eq!(
        run(&url, &["ls", "--json", "--all"]),
        (3, "[]\n".to_owned(), "obs-tui: no invocation was recorded at all\n".to_owned())
    );
    let (code, _, error) = run(&url, &["show", "7f5e58e4-6ce2-4321-84f4-db38524942d2"]);
    assert_eq!(code, 3);
    assert!(error.contains("7f5e58e4") && error.contains("obs-tui ls --all"), "{error}");
    assert_eq!(run(&url, &["show", "x\u{1b}[2Jy"]).0, 3);
    assert!(!run(&url, &["show", "x\u{1b}[2Jy"]).2.contains('\u{1b}'));

    let wrong_password = db.readonly.with_user(&db.readonly.user, Some(Secret::new("pa55word".to_owned()))).url();
    for (url, code, words) in [
        ("", 2, "OBSERVABILITY_DB_URL"),
        ("mysql://u@h/d", 2, "postgres://"),
        ("postgres://someone:pa55word@127.0.0.1:1/db", 4, "127.0.0.1:1"),
        (&wrong_password, 4, "Check the user and the password"),
        (&url.replace("cli_codes", "no_such_database"), 4, "no_such_database"),
        (&format!("{url}&schema=elsewhere"), 2, "db migrate"),
    ] {
        let (found, output, error) = run(url, &["ls"]);
        assert_eq!(found, code, "{error}");
        assert!(error.contains(words) && output.is_empty(), "{error}");
        assert!(!error.contains("pa55word"), "{error}");
    }
    for arguments in [&["ls", "--since", "yesterday"][..], &["nonsense"], &["show"], &["ls", "--limit", "0"]] {
        assert_eq!(run(&url, arguments).0, 2, "{arguments:?}");
    }
    let (code, _, error) = run(&url, &[]);
    assert_eq!(code, 2);
    assert!(error.contains("needs a terminal") && error.contains("obs-tui ls"), "{error}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run("", &["completions", shell]);
        assert!(code == 0 && script.contains("obs-tui"), "{shell}");
    }
    assert!(run("", &["--help"]).1.contains("Examples:"));
}

#[tokio::test]
async fn a_reader_that_has_enough_ends_it_quietly() {
    let db = common::database("cli_pipe").await;
    common::load_foreign(&db).await;
    let mut child = command(&db.readonly.url(), &["ls", "--all", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(first.starts_with("[{") && error.is_empty(), "{error}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn hostile_rows_reach_the_terminal_without_control_characters() {
    let db = common::database("cli_hostile").await;
    let mut session = common::session(&db.app).await;
    session
        .execute(
            "insert into invocations (id, source_function, source_event_payload, status, correlation_id, error_message) \
             values ('7f5e58e4-6ce2-4321-84f4-db38524942d2', E'f\\x1b[31m\\u202Egnp', '{}', 'failed', E'c\\x07', E'e\\x1b]0;t\\x07')",
        )
        .await
        .unwrap();
    let url = db.readonly.url();
    for arguments in [&["ls"][..], &["show", "7f5e58e4-6ce2-4321-84f4-db38524942d2"]] {
        let (code, text, _) = run(&url, arguments);
        assert_eq!(code, 0);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
    }
}

/// The whole way of the README: a server of its own, rows through the recorder, read back as readonly, nothing left.
#[tokio::test]
async fn the_demo_writes_until_it_is_stopped_and_leaves_nothing() {
    let mut demo = command("", &["demo", "--no-ui", "--seed", "7", "--rate", "20"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let urls: Vec<String> =
        (0..3).map(|_| lines.next().unwrap().unwrap().split_whitespace().nth(1).unwrap().to_owned()).collect();
    let list = json(&urls[2], &["ls", "--json", "--all"]);
    let statuses: std::collections::BTreeSet<&str> =
        list.as_array().unwrap().iter().filter_map(|row| row["effective_status"].as_str()).collect();
    assert!(statuses.is_superset(&["failed", "ok", "stuck"].into()), "{statuses:?}");
    let (code, _, error) = run(&urls[2].replace("readonly", "app"), &["ls"]);
    assert_eq!(code, 4, "another role's password does not open it: {error}");
    let chain = list.as_array().unwrap().iter().find(|row| row["link"] == "recorded").unwrap();
    let shown = json(&urls[2], &["show", "--json", chain["id"].as_str().unwrap()]);
    assert!(shown["counts"]["invocations"].as_u64().unwrap() >= 2);
    let reader = &mut crate::common::session(&Config::from_url(&urls[2]).unwrap()).await;
    let logs = "SELECT count(*) FROM job_logs l JOIN job_executions j ON j.id = l.job_execution_id WHERE j.status = 'failed' AND l.level = 'error'";
    let errors: i64 = sqlx::query_scalar(logs).fetch_one(&mut *reader).await.unwrap();
    assert!(errors > 0, "failed jobs of the demo have lines");

    let stopped = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(demo.wait().unwrap().code(), Some(128 + 15));
    let (code, _, error) = run(&urls[2], &["ls"]);
    assert_eq!(code, 4, "{error}");
}

#[tokio::test]
async fn plain_lines_tell_what_the_screen_shows() {
    let db = common::database("cli_plain").await;
    common::load_foreign(&db).await;
    let url = db.readonly.url();
    let list = json(&url, &["ls", "--json", "--all"]);
    let failed = list.as_array().unwrap().iter().position(|row| row["jobs"]["failed"].as_u64() > Some(0)).unwrap();
    let talk = |typed: &str| {
        let mut child = command(&url, &["--plain"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()), "{typed:?}");
        String::from_utf8(stdout).unwrap()
    };
    let (pages, line) = (failed / 20, failed % 20 + 1);
    let told = talk(&format!("{}{line}\nf\n1\nb\nr\n?\n999\nx\nq\n", "n\n".repeat(pages)));
    assert!(told.is_ascii() && told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
    let mut answers = told.split("> ");
    let mut answer = || answers.next().unwrap();
    let first = answer();
    assert!(first.starts_with("20 invocations, newest first.\n1. "), "{first}");
    assert_eq!(first.lines().filter(|line| line.contains(" detected, ")).count(), 20, "{first}");
    let page = (0..pages).map(|_| answer()).last().unwrap_or(first);
    let row = page.lines().find(|row| row.starts_with(&format!("{line}. "))).unwrap();
    assert!(row.starts_with(&format!("{line}. FAIL, ")), "{row}");
    let cascade = answer();
    assert!(cascade.starts_with("Cascade ") && cascade.contains("\n1. invocation "), "{cascade}");
    assert!(cascade.contains("  2. event ") && cascade.contains("job "), "{cascade}");
    let failure = answer();
    assert!(failure.contains(", FAIL, ") && failure.contains("  id "), "{failure}");
    assert!(answer().starts_with("1. invocation "));
    assert_eq!(answer(), page.split("?").next().unwrap(), "back");
    assert!(answer().starts_with("20 invocations"), "the newest again");
    assert!(answer().contains("q leave"));
    assert_eq!(answer(), "There is no line 999.\n");
    assert_eq!(answer(), "`x` is no command here. ? tells what can be typed.\n");
    assert_eq!(talk("").matches("> ").count(), 1, "the end of the input is the end");
}

#[tokio::test]
async fn plain_lines_tell_of_failures_jobs_hours_and_rows() {
    let db = common::database("cli_plain_topics").await;
    common::session(&db.app)
        .await
        .execute(
            "with i as (insert into invocations (source_function, source_event_payload, status) \
                        values ('broken-one', '{\"token\": \"hunter2\", \"n\": 1}', 'completed') returning id), \
                  e as (insert into event_executions (invocation_id, event_name, detected, status) \
                        select id, 'an.event', true, 'completed' from i returning id, invocation_id) \
             insert into job_executions (invocation_id, event_execution_id, job_name, status, error_message, duration_ms) \
             select invocation_id, id, 'sendIt', 'failed', 'no route', 912 from e",
        )
        .await
        .unwrap();
    let typed = "failures\n1\n3\nd\n1\nd\nb\nb\njobs\n1\nb\nhours\n7\nn\nb\nq\n";
    let mut child =
        command(&db.readonly.url(), &["--plain"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let answers: Vec<&str> = told.split("> ").collect();
    let begins = [
        "1 invocation, newest first.\n1. FAIL, broken-one",
        "1 kind of failure in the last 24 hours, most frequent first.\n1. job sendIt, 1 time, last ",
        "Cascade ",
        "3. job sendIt, FAIL, 912ms",
        "  ",
        "1. invocation broken-one",
        "  ",
        "1 kind of failure",
        "1 invocation, newest first.",
        "Jobs of 1 name in the last 24 hours.\n1. sendIt, 1 run, 1 failed, half within 912ms",
        "Cascade ",
        "Jobs of 1 name",
        "The last 24 hours by function.\nbroken-one, 1 invocation, 1 failed",
        "There is no line 7.",
        "That is all.",
        "1 invocation, newest first.",
    ];
    for (answer, begin) in answers.iter().zip(begins) {
        assert!(answer.starts_with(begin), "{begin:?}: {answer}");
    }
    assert!(answers.len() >= begins.len() && answers[4].contains("  error_message: no route"), "{told}");
    assert!(answers[6].contains("  source_event_payload: {") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_broken_configuration_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let path = path.to_str().unwrap();
    let url = "postgres://nobody@127.0.0.1:1/none";
    assert_eq!(run(url, &["--config", path]).0, 2, "named, but not there");
    std::fs::write(path, "theme = \"light\"\n\n[keys]\nnext_failure = [\"j\"]\n").unwrap();
    for arguments in [&["--config", path][..], &["ls", "--config", path], &["config", "--config", path]] {
        let (code, output, error) = run(url, arguments);
        assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}");
        assert!(error.contains("config.toml:4: `j` is next_failure and down at once"), "{error}");
    }
    std::fs::write(path, "theme = \"light\"\n[keys]\nnext_failure = [\"Q\"]\n").unwrap();
    let (code, text, _) = run("", &["config", "--config", path]);
    assert!(code == 0 && text.contains("theme = \"light\"") && text.contains("next_failure = [\"Q\"]"), "{text}");
    let (code, table, _) = run("", &["config", "--keys", "--config", path]);
    assert!(code == 0 && table.contains("next_failure = [\"Q\"]") && table.contains("show_flow = [\"2\"]"), "{table}");
    let (code, text, _) = run("", &["config"]);
    assert!(code == 0 && text.starts_with("# /nonexistent/obs-tui/config.toml (not there)"), "{text}");
    assert_eq!(run("", &["config", "--theme", "blue"]).0, 2);
}

#[test]
fn the_manual_page_is_made_of_the_arguments() {
    let (code, page, _) = run("", &["man"]);
    assert!(code == 0 && page.contains(".TH obs-tui 1") && page.contains("\\-\\-stale\\-after"), "{page}");
}

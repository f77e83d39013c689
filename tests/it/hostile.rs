//! What a row, an argument, a file or a server holds, on its way to a terminal and to a script: every command, in a locale
//! with UTF-8 and in one without.

use std::process::Output;

use serde_json::Value;
use sqlx::Executor;

use crate::cli::command;
use crate::common;

const ID: &str = "7f5e58e4-6ce2-4321-84f4-db38524942d3";
const JOB: &str = "7f5e58e4-6ce2-4321-84f4-db38524942d4";
/// A clear, a title, a control sequence in one byte, DEL, bidi, zero width, fillers that look like nothing, a tag, a letter
/// that is none of ASCII, a flood.
const EVIL: &str = "e\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{7f}\u{202e}\u{200b}\u{3164}\u{115f}\u{34f}\u{e0041}ü\
                    a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";

/// What may not be in what is printed; a list of its own, not that of the program.
fn is_hidden(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(u32::from(c), 0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// Exit code, standard output and standard error in this locale, neither of which holds what is hidden.
fn printed(url: &str, arguments: &[&str], locale: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(url, arguments).env("LC_ALL", locale).output().unwrap();
    let [output, error] = [stdout, stderr].map(|bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(is_hidden), "{arguments:?}: {text:?}");
        assert!(!text.contains(&"\u{301}".repeat(5)), "a flood is cut: {arguments:?}: {text:?}");
        assert!(locale != "C" || text.is_ascii(), "{arguments:?}: {text:?}");
        text
    });
    (status.code().unwrap(), output, error)
}

#[tokio::test]
async fn no_row_reaches_a_terminal_or_a_script_raw() {
    let db = common::database("hostile_rows").await;
    let mut session = common::session(&db.app).await;
    let evil = format!("'{EVIL}'");
    for sql in [
        format!(
            "insert into invocations (id, source_function, source_table, source_event_payload, status, correlation_id, error_message) \
             values ('{ID}', {evil}, {evil}, '{{}}', 'failed', {evil}, {evil})"
        ),
        format!(
            "insert into event_executions (id, invocation_id, event_name, detected, status) \
             values ('{ID}', '{ID}', {evil}, true, 'completed')"
        ),
        format!(
            "insert into job_executions (id, invocation_id, event_execution_id, job_name, status, error_message) \
             values ('{JOB}', '{ID}', '{ID}', {evil}, 'failed', {evil})"
        ),
        format!("insert into job_logs (job_execution_id, level, message) values ('{JOB}', 'error', {evil})"),
    ] {
        session.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    let url = db.readonly.url();
    for locale in ["C.UTF-8", "C", "POSIX"] {
        let json = |arguments: &[&str]| -> Value {
            let (code, output, error) = printed(&url, arguments, locale);
            assert_eq!(code, 0, "{error}");
            assert!(
                output.contains("\\u001b[2J") && output.contains("\\u009b31m\\u007f\\u202e\\u200b\\u3164"),
                "{output}"
            );
            serde_json::from_str(&output).unwrap()
        };
        assert_eq!(json(&["ls", "--json"])[0]["source_function"], EVIL, "nothing is lost");
        let shown = json(&["show", ID, "--json"]);
        assert_eq!((&shown["correlation_id"], &shown["roots"][0]["name"]), (&EVIL.into(), &EVIL.into()));
        assert_eq!(json(&["logs", ID, "--json"])["message"], EVIL);
        for arguments in [&["ls"][..], &["show", ID], &["show", EVIL], &["logs", ID]] {
            let (code, output, error) = printed(&url, arguments, locale);
            assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}");
            assert!(output.contains("[2J"), "{output}");
        }
    }
    let (code, output, _) = printed(&url, &["ls", "--ascii"], "C.UTF-8");
    assert!(
        code == 0 && output.is_ascii() && output.contains("?a????"),
        "a wish for ASCII goes before the locale: {output}"
    );
}

#[tokio::test]
async fn tail_prints_hostile_rows_as_safe_json() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let db = common::database("hostile_tail").await;
    let mut tail =
        command(&db.readonly.url(), &["tail", "--json", "--since", "1h"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut session = common::session(&db.app).await;
    let sql = format!(
        "insert into invocations (id, source_function, source_event_payload) values ('{ID}', '{EVIL}', '{{}}')"
    );
    session.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(!line.contains(is_hidden) && line.contains("\\u001b") && line.ends_with("}\n"), "{line:?}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["source_function"], EVIL);
}

#[test]
fn no_argument_file_or_server_text_reaches_standard_error_raw() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown_key =
        file(&format!("a{EVIL}.toml"), &format!("\"{}\" = 1\n", EVIL.replace(['\u{7}', '\u{1b}', '\u{7f}'], "")));
    let unknown_theme = file("b.toml", "theme = \"\\u001b[2J\\u202e\\u009b\\u3164\"\n");
    let (missing, url) = (format!("/nonexistent/{EVIL}"), "postgres://nobody@127.0.0.1:1/none");
    let hostile_url = format!("{EVIL}://x");
    for (url, arguments) in [
        (url, &[EVIL][..]),
        (url, &["ls", EVIL]),
        (url, &["ls", "--since", EVIL]),
        (url, &["--theme", EVIL]),
        (url, &["ls", "--filter", EVIL, "--limit", EVIL]),
        (url, &["ls", "--filter", &format!("st:{EVIL}")]),
        (url, &["tail", &format!("st:{EVIL}")]),
        (url, &["ls", &format!("--{EVIL}=1")]),
        (url, &["show", "x", "--at", EVIL]),
        (url, &["ls", "--config", &missing]),
        (url, &["ls", "--config", &unknown_key]),
        (url, &["ls", "--config", &unknown_theme]),
        (&hostile_url, &["ls"]),
        ("", &["ls", "--database-url", &hostile_url]),
    ] {
        for locale in ["C.UTF-8", "C"] {
            let (code, output, error) = printed(url, arguments, locale);
            assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}");
            assert!(!error.is_empty(), "{arguments:?}");
        }
    }
    // The help of the arguments shows what is set in the environment.
    let told = command("", &["ls", "--help"]).env("OBSERVABILITY_DB_SCHEMA", EVIL).output().unwrap();
    assert!(told.status.success() && !String::from_utf8(told.stdout).unwrap().contains(is_hidden));
}

#[tokio::test]
async fn what_a_server_says_is_cleaned() {
    let db = common::database("hostile_server").await;
    for locale in ["C.UTF-8", "C"] {
        let (code, _, error) = printed(&db.readonly.url(), &["ls", "--schema", EVIL], locale);
        assert!(code == 2 && !error.is_empty(), "{error}");
        let (code, _, error) = printed(&db.readonly.url(), &["db", "migrate", "--schema", EVIL], locale);
        assert!(code == 2 && !error.is_empty(), "{error}");
        let nobody = db.readonly.url().replace("/hostile_server", "/%1b%5b2J%c2%9b%e2%80%ae");
        let (code, _, error) = printed(&nobody, &["ls"], locale);
        assert!(code != 0 && error.contains("[2J"), "the server repeats the name: {error}");
    }
}

#[test]
fn the_configuration_is_printed_so_that_it_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let escaped: String = EVIL.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    std::fs::write(&path, format!("[logs]\nloki_url = \"http://127.0.0.1:1\"\nloki_username = \"{escaped}\"\n"))
        .unwrap();
    for locale in ["C.UTF-8", "C"] {
        let (code, text, error) = printed("", &["config", "--config", path.to_str().unwrap()], locale);
        assert_eq!((code, error.as_str()), (0, ""));
        let config: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(config["logs"]["loki_username"].as_str(), Some(EVIL), "{text}");
        assert!(!config.contains_key("ascii") && text.contains("\n# ascii = true "), "the locale decides: {text}");
    }
    std::fs::write(&path, "ascii = false\n[logs]\nloki_url = \"http://127.0.0.1:1\"\nloki_username = \"ü\"\n").unwrap();
    let told = command("", &["config", "--config", path.to_str().unwrap()]).env("LC_ALL", "C").output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("\nascii = false\n") && text.contains("\"ü\""), "a wish goes before the locale: {text}");
}

//! Rows that the database refused: listed, and written again as the recorder would have.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::Options;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};

use crate::cli::run;
use crate::common::{self, TestDb, session};

const LONG: Duration = Duration::from_secs(300);

async fn count(db: &TestDb, sql: &str) -> i64 {
    let mut session = session(&db.readonly).await;
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut session).await.unwrap()
}

/// A cascade of which the database refuses the invocation and one job, and another that it takes. All that hangs on what
/// it refuses goes to the quarantine, too.
async fn refused(db: &TestDb, spool: &Path) -> u64 {
    let mut admin = session(&db.admin).await;
    admin
        .execute(
            "alter table invocations add constraint no check (source_function <> 'bad'); \
             alter table job_executions add constraint no check (job_name <> 'bad')",
        )
        .await
        .unwrap();
    let options = Options { flush_interval: LONG, spool: Some(spool.to_owned()), ..Options::new(db.app.clone()) };
    let recorder = Recorder::new(options);
    for function in ["bad", "good"] {
        let invocation = recorder.invocation(function).payload(&serde_json::json!({ "n": 1 })).start();
        let handler = invocation.event("event").detected();
        handler.job("bad").start().fail("why");
        handler.job("fine").start().complete(&7);
        handler.finish();
        invocation.finish();
    }
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!(stats.recorded, stats.written + stats.quarantined);
    stats.quarantined
}

#[tokio::test]
async fn refused_rows_are_listed_and_replayed() {
    let db = common::database("quarantine").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(refused(&db, folder.path()).await > 0);
    let file = folder.path().join("quarantine.jsonl");
    let lines = fs::read_to_string(&file).unwrap().lines().count();

    let (code, output, error) = run("", &["db", "quarantine", path]);
    assert_eq!(code, 0, "{error}");
    assert!(output.lines().next().unwrap().starts_with("invocations       "), "{output}");
    assert!(output.contains("violates check constraint") && output.contains(&format!("{lines} rows in ")), "{output}");
    let (_, output, _) = run("", &["db", "quarantine", file.to_str().unwrap(), "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&output).unwrap();
    assert_eq!(listed.len(), lines);
    assert!(
        listed.iter().all(|row| row["id"].is_string() && row["created_at"].is_string() && row["reason"].is_string())
    );

    // Nothing is mended: all stay, with the reason of today.
    let before = fs::read(&file).unwrap();
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(code == 2 && output.ends_with(&format!("0 rows written, {lines} stayed in quarantine.\n")), "{output}");
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&fs::read(&file).unwrap()), sorted(&before));

    // One constraint goes: the cascade that hung on it comes, but for its job that is still refused.
    let mut admin = session(&db.admin).await;
    admin.execute("alter table invocations drop constraint no").await.unwrap();
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(code == 2 && output.contains(" 2 stayed in quarantine."), "{output}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    admin.execute("alter table job_executions drop constraint no").await.unwrap();
    // A line that is none, and hostile, stays as it is.
    let odd = "{\"reason\":\"\\u001b[2J\",\"table\":\"pg_authid\",\"row\":{}}\n";
    fs::write(&file, [odd.as_bytes(), &fs::read(&file).unwrap()].concat()).unwrap();
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(
        code == 2 && output.contains("no table of a recorder") && output.contains("2 rows written, 1 "),
        "{output}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), odd);
    let (_, output, _) = run("", &["db", "quarantine", path]);
    assert!(!output.contains('\u{1b}'), "{output}");

    let whole = "select count(*) from invocations i join event_executions e on e.invocation_id = i.id \
                 join job_executions j on j.event_execution_id = e.id \
                 where i.status <> 'running' and e.status <> 'handling' and j.status <> 'running' \
                   and i.source_event_payload = '{\"n\": 1}' and (j.error_message = 'why' or j.result = '7')";
    assert_eq!(count(&db, whole).await, 4);
    // Replayed once more, nothing changes.
    let rows = "select hashtextextended(string_agg((to_jsonb(j) - 'updated_at')::text, '' order by id), 0) from job_executions j";
    let hash = count(&db, rows).await;
    fs::write(&file, &before).unwrap();
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(code == 0 && output == format!("{lines} rows written.\n"), "{output}");
    assert_eq!((count(&db, whole).await, count(&db, rows).await), (4, hash));
    assert!(!file.exists());
    assert_eq!(run(&db.app.url(), &["db", "quarantine", path, "--replay"]).0, 3);
}

#[tokio::test]
async fn a_quarantine_that_is_a_link_or_cannot_be_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, elsewhere) = (folder.path().join("quarantine.jsonl"), folder.path().join("elsewhere"));
    let line = "{\"reason\":\"r\",\"table\":\"job_logs\",\"row\":null}\n";
    fs::write(&elsewhere, line).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let path = folder.path().to_str().unwrap();
    let nowhere = "postgresql://app:hush@127.0.0.1:1/nowhere?sslmode=disable";
    assert_eq!(run("", &["db", "quarantine", path]).0, 2);
    assert_eq!(run(nowhere, &["db", "quarantine", path, "--replay"]).0, 2);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), line);
    fs::remove_file(&file).unwrap();
    assert_eq!(run("", &["db", "quarantine", path]).0, 3);
    // No database: the file is as it was.
    fs::rename(&elsewhere, &file).unwrap();
    assert_eq!(run(nowhere, &["db", "quarantine", path, "--replay"]).0, 4);
    assert_eq!(fs::read_to_string(&file).unwrap(), line);
    let (code, help, _) = run("", &["db", "quarantine", "--help"]);
    assert!(code == 0 && help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
}

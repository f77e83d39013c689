//! Rows that the database refused: listed, and written again as the recorder would have.
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use obs_tui::Recorder;
use obs_tui::recorder::Options;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};

use crate::cli::{command, run};
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

/// The lines of the file that a recorder left, when the database takes them again.
async fn mended(db: &TestDb, folder: &Path) -> Vec<Value> {
    refused(db, folder).await;
    let mend = "alter table invocations drop constraint no; alter table job_executions drop constraint no";
    session(&db.admin).await.execute(mend).await.unwrap();
    let text = fs::read_to_string(folder.join("quarantine.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn nothing_is_lost_or_printed_raw_of_odd_lines() {
    let db = common::database("quarantine_odd").await;
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().to_str().unwrap(), folder.path().join("quarantine.jsonl"));
    let lines = mended(&db, folder.path()).await;
    let of = |table: &str| lines.iter().find(|line| line["table"] == table).unwrap().clone();
    let (cause, job) = (of("invocations"), of("job_executions"));
    // Where the link is a key, what a row that comes later caused.
    let key = "alter table invocations add constraint key foreign key (source_job_id) references job_executions";
    session(&db.admin).await.execute(key).await.unwrap();
    let mut caused = cause.clone();
    caused["row"]["id"] = "00000000-0000-4000-8000-000000000001".into();
    caused["row"]["source"]["job_id"] = job["row"]["id"].clone();
    // Of a newer version: a field of the line, of the row, and within.
    let mut newer = [cause.clone(), cause.clone(), cause.clone()];
    newer[0]["since"] = 1.into();
    newer[1]["row"]["later"] = "x".into();
    newer[2]["row"]["source"]["later"] = true.into();
    for (number, line) in newer.iter_mut().enumerate() {
        line["row"]["id"] = format!("00000000-0000-4000-8000-00000000001{number}").into();
    }
    let long = "\u{9b}2J\u{1b}[2J\u{202e} password=hunter2 ".to_owned() + &"x".repeat(1 << 20);
    let long = format!("{}\n", serde_json::json!({ "reason": long, "table": "job_logs", "row": {} }));
    let half = "{\"reason\":\"he said \\\"reason\\\":\",\"table\":\"invo";
    let stay: Vec<String> = newer.iter().map(|line| format!("{line}\n")).chain([long, half.to_owned()]).collect();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{caused}\n{}{text}", stay.concat())).unwrap();

    for arguments in [&["db", "quarantine", path][..], &["db", "quarantine", path, "--json"]] {
        let (code, output, error) = run("", arguments);
        assert_eq!(code, 0, "{error}");
        assert!(!output.contains(['\u{1b}', '\u{9b}', '\u{202e}']) && !output.contains("hunter2"), "{output:.2000}");
    }
    let (_, output, _) = run("", &["db", "quarantine", path]);
    assert!(output.len() < 20_000 && output.contains(&format!("{} rows in ", lines.len() + 6)), "{output:.9000}");

    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert_eq!(code, 2);
    let counts = format!("{} rows written, 5 stayed in quarantine.\n", lines.len() + 1);
    assert!(output.ends_with(&counts) && output.len() < 20_000, "{output:.9000}");
    assert!(output.matches("not known to this version").count() == 2 && output.contains("unknown field `since`"));
    let mut left: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    let mut all: Vec<String> = stay.iter().map(|line| line.trim_end().to_owned()).collect();
    left.sort();
    all.sort();
    assert!(left == all, "{left:.3000?}");
    let linked = "select count(*) from invocations i join job_executions j on j.id = i.source_job_id";
    assert_eq!(count(&db, linked).await, 1);
    assert_eq!(count(&db, "select count(*) from invocations").await, 3);
}

#[tokio::test]
async fn an_interrupted_replay_loses_no_row_and_doubles_none() {
    let db = common::database("quarantine_killed").await;
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().to_str().unwrap(), folder.path().join("quarantine.jsonl"));
    let lines = mended(&db, folder.path()).await;
    let whole = fs::read(&file).unwrap();

    // Killed while it waits for the jobs, when some rows are written.
    let mut admin = session(&db.admin).await;
    admin.execute("begin; lock table job_executions in share mode").await.unwrap();
    let replay = || command(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    let mut killed = replay().spawn().unwrap();
    let waiting = "select count(*) from pg_stat_activity where application_name = 'obs-tui quarantine' \
                   and wait_event_type = 'Lock' and datname = current_database()";
    let mut watch = session(&db.superuser).await;
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut watch).await.unwrap() == 0 {
        assert!(killed.try_wait().unwrap().is_none(), "ended without a lock");
        tokio::task::yield_now().await;
    }
    // Two at once are not.
    let (code, _, error) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(code == 2 && error.contains("another replay"), "{error}");
    killed.kill().unwrap();
    killed.wait().unwrap();
    admin.execute("rollback").await.unwrap();
    assert!(!file.exists());
    let listed = |expected: usize| {
        let (code, output, _) = run("", &["db", "quarantine", path]);
        assert!(code == 0 && output.contains(&format!("{expected} rows in quarantine")), "{output}");
    };
    listed(lines.len());

    // The recorder has begun another file, in which an interrupted replay also has put back a part.
    let aside = folder.path().join("quarantine.jsonl.replaying");
    let first = whole.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    let other = b"{\"reason\":\"r\",\"table\":\"job_logs\",\"row\":null}\n";
    fs::write(&file, [first, other].concat()).unwrap();
    listed(lines.len() + 1);
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    let counts = format!("{} rows written, 1 stayed in quarantine.\n", lines.len());
    assert!(code == 2 && output.ends_with(&counts), "{output}");
    assert_eq!(fs::read(&file).unwrap(), other);
    assert!(!aside.exists());
    // Killed between the two steps of the move: one file of two names.
    fs::write(&file, &whole).unwrap();
    fs::hard_link(&file, &aside).unwrap();
    listed(lines.len());
    let (code, output, _) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
    assert!(code == 0 && output == format!("{} rows written.\n", lines.len()), "{output}");
    assert!(!aside.exists() && !file.exists());
    for (sql, rows) in [("select count(*) from invocations", 2), ("select count(*) from job_executions", 4)] {
        assert_eq!(count(&db, sql).await, rows, "{sql}");
    }

    // What others may write to is neither replayed nor moved, also when it is in the way.
    for place in [&file, &aside] {
        fs::write(place, &whole).unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o666)).unwrap();
        let (code, _, error) = run(&db.app.url(), &["db", "quarantine", path, "--replay"]);
        assert!(code == 2 && error.contains("others may write to it"), "{error}");
        assert_eq!(fs::read(place).unwrap(), whole);
        fs::remove_file(place).unwrap();
    }
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

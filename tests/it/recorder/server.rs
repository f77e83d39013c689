//! A server whose disk is full, and one that ends one of two writers which wait for each other.

use std::process::{Command, Stdio};

use obs_tui::Recorder;
use obs_tui::postgres::{self, Cluster};
use obs_tui::recorder::{Handler, Job};
use obs_tui::store::admin::{self, Passwords};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

use super::{LONG, chain, failing, number, options, records, rows, until};
use crate::common;

const COUNTS: &str = "SELECT (SELECT count(*) FROM job_executions WHERE status = 'completed') AS done, (SELECT count(*) FROM job_executions) AS jobs";

/// Where the host of the test may mount a disk of its own.
const DISK: &str = "OBS_TUI_TEST_DISK";

/// The tables are on a disk of a few mebibytes, which the test fills. Only root can mount one; for others a trigger
/// answers as the server does when its disk is full.
#[tokio::test]
async fn a_full_disk_of_the_server_loses_nothing() {
    if let Some(dir) = std::env::var_os(DISK) {
        return on_a_full_disk(dir.to_str().unwrap()).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "recorder::server::a_full_disk_of_the_server_loses_nothing";
    let mut mount = Command::new("unshare");
    mount.args(["-m", "sh", "-c", "mount -t tmpfs tmpfs \"$0\""]).arg(dir.path()).stderr(Stdio::null());
    if mount.status().is_ok_and(|status| status.success()) {
        // The mount is gone with the process.
        let script = "mount -t tmpfs -o size=24m,mode=0777 tmpfs \"$1\" && exec \"$0\" --exact \"$2\" --nocapture";
        let mut host = Command::new("unshare");
        host.args(["-m", "sh", "-c", script]).arg(std::env::current_exe().unwrap()).arg(dir.path()).arg(test);
        assert!(host.env(DISK, dir.path()).stdout(Stdio::null()).status().unwrap().success());
        return;
    }
    let db = common::database("recorder_full").await;
    let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON job_executions FOR EACH STATEMENT EXECUTE FUNCTION full_disk()";
    let admin = &mut common::session(&db.admin).await;
    admin.execute(full).await.unwrap();
    let recorder = Recorder::new(options(&db.app));
    (0..20).for_each(|_| chain(&recorder, 5));
    refused_for_space(&recorder, 0);
    admin.execute("DROP TRIGGER full_disk ON job_executions").await.unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!((recorder.stats().written, recorder.stats().dropped), (20 * records(5), 0));
}

fn refused_for_space(recorder: &Recorder, written: u64) {
    let stats = failing(recorder, "No space left on device");
    assert_eq!((stats.written, stats.dropped, stats.quarantined), (written, 0, 0), "{stats:?}");
}

async fn on_a_full_disk(dir: &str) {
    let cluster = Cluster::start(&postgres::Options::default()).unwrap();
    let roles = admin::create_database(&cluster.superuser(), "small", &Passwords::default()).await.unwrap();
    admin::migrate(&roles.admin).await.unwrap();
    // It belongs to whoever runs the server.
    let like = format!("--reference={}", cluster.dir().join("data").display());
    assert!(Command::new("chown").arg(like).arg(dir).status().unwrap().success());
    let superuser = &mut common::session(&cluster.superuser()).await;
    let place = format!("CREATE TABLESPACE small LOCATION '{dir}'");
    superuser.execute(AssertSqlSafe(place)).await.unwrap();
    superuser.execute("ALTER DATABASE small SET TABLESPACE small").await.unwrap();

    let recorder = Recorder::new(options(&roles.app));
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let filler = format!("{dir}/filler");
    let fill = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={filler}")).output().unwrap();
    assert!(!fill.status.success(), "it ends when the disk is full");
    (0..400).for_each(|_| chain(&recorder, 5));
    refused_for_space(&recorder, records(5));
    std::fs::remove_file(filler).unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (401 * records(5), 0));
    let connection = &mut common::session(&roles.readonly).await;
    assert_eq!(rows(connection, COUNTS).await, [json!({ "done": 2005, "jobs": 2005 })]);
}

#[tokio::test]
async fn of_two_writers_that_wait_for_each_other_both_get_their_way() {
    let db = common::database("recorder_deadlock").await;
    let recorder = Recorder::new(options(&db.app));
    let handler: Handler = recorder.invocation("deadlock").start().event("event").detected();
    let jobs: Vec<Job> = (0..2).map(|_| handler.job("job").start()).collect();
    let ids: Vec<uuid::Uuid> = jobs.iter().map(|job| job.id()).collect();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    // Another writer has the second row, and will want the first: the recorder locks them in the order of their ids.
    // The server asks whoever waits for so long whether to end: the recorder, since the other one is more patient.
    let other = &mut common::session(&db.superuser).await;
    other.execute("SET deadlock_timeout = '20s'; BEGIN").await.unwrap();
    let touch = "UPDATE job_executions SET error_stack = 'touched' WHERE id = $1";
    sqlx::query(touch).bind(ids[1]).execute(&mut *other).await.unwrap();
    jobs.into_iter().for_each(|job| job.complete(&1));
    assert!(!recorder.flush(std::time::Duration::ZERO));
    let superuser = &mut common::session(&db.superuser).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'observability_app' AND wait_event_type = 'Lock'";
    until(async || number(superuser, waiting).await == 1).await;
    let outcome = sqlx::query(touch).bind(ids[0]).execute(&mut *other).await;
    other.execute(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await.unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.quarantined, stats.buffered), (stats.recorded, 0, 0, 0));
    // On a slow machine the other one may be it.
    let ended = stats.last_error.is_some_and(|error| error.contains("deadlock"));
    assert_eq!(ended, outcome.is_ok(), "{outcome:?}");
    let touched = if ended { 2 } else { 0 };
    let connection = &mut common::session(&db.readonly).await;
    let counts = "SELECT count(*) FILTER (WHERE status = 'completed') AS done, count(error_stack) AS touched FROM job_executions";
    assert_eq!(rows(connection, counts).await, [json!({ "done": 2, "touched": touched })]);
}

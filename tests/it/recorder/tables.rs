//! Tables that take no row for a while, beside rows that no table takes: the first wait, the second are put aside, and the
//! server is not kept busy with either.

use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Class, Loss, Notice, Options, Reason};
use obs_tui::store::config::Config;
use sqlx::Executor;

use super::notices::noting;
use super::{LONG, chain, failing, number, options, records, until};
use crate::common;

const COLUMN: &str = "ALTER TABLE job_executions ADD COLUMN tenant int NOT NULL";

/// Transactions of this database so far. A session tells of its own when it ends, or at the latest a second after them.
async fn transactions(db: &common::TestDb) -> i64 {
    let session = &mut common::session(common::superuser()).await;
    let count =
        format!("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{}'", db.superuser.database);
    number(session, &count).await
}

/// Lets records come for this long while nothing is written, and returns how long it took.
fn record_for(recorder: &Recorder, time: Duration) -> (u64, Duration) {
    let (clock, mut chains) = (Clock::system(), 0);
    while clock.elapsed() < time {
        if chains < 400 {
            chain(recorder, 5);
            chains += 1;
        }
        assert!(!recorder.flush(Duration::from_millis(20)), "{:?}", recorder.stats());
    }
    (chains, clock.elapsed())
}

/// A column that another program added, and that must have a value.
#[tokio::test]
async fn a_column_that_must_have_a_value_costs_no_row_and_few_transactions() {
    for spooled in [false, true] {
        let db = common::database(if spooled { "recorder_column_spool" } else { "recorder_column" }).await;
        let dir = tempfile::tempdir().unwrap();
        let (on_notice, notices) = noting();
        let spool = spooled.then(|| dir.path().to_owned());
        let recorder = Recorder::new(Options { on_notice, spool, ..options(&db.app) });
        chain(&recorder, 5);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let admin = &mut common::session(&db.admin).await;
        // Rows that are there would stand in its way.
        admin.execute("TRUNCATE invocations CASCADE").await.unwrap();
        admin.execute(COLUMN).await.unwrap();
        let before = transactions(&db).await;
        let (chains, time) = record_for(&recorder, Duration::from_secs(2));
        let stats = failing(&recorder, "refuses every row, not only one: ");
        assert_eq!((stats.dropped, stats.quarantined, stats.buffered + stats.spooled), (0, 0, chains * records(5)));
        let error = stats.last_error.unwrap();
        assert!(error.contains("null value in column \"tenant\" of relation \"job_executions\""), "{error}");
        admin.execute("ALTER TABLE job_executions DROP COLUMN tenant").await.unwrap();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let end = recorder.shutdown(LONG);
        assert_eq!((end.written, end.dropped, end.quarantined), ((1 + chains) * records(5), 0, 0));
        let made = transactions(&db).await - before;
        // An attempt every 50 ms at most, since somebody waits for a flush, and each is four transactions.
        let most = 80.0 * time.as_secs_f64() + 40.0;
        assert!(made as f64 <= most, "{made} transactions in {time:?}");
        println!("a column that must have a value: {made} transactions in {time:?}, {} written", end.written);
        let said = notices.all();
        let cannot = said.iter().filter(|notice| matches!(notice, Notice::CannotWrite { .. })).count();
        assert_eq!((cannot, said.last()), (1, Some(&Notice::Recovered)), "{said:?}");
    }
}

/// Tables that are divided by time, with no part for now.
#[tokio::test]
async fn a_partition_that_is_missing_is_waited_for_and_older_rows_are_written() {
    let db = common::database("recorder_partition").await;
    let admin = &mut common::session(&db.admin).await;
    // By ids, which hold the time: so the key and what refers to it stay as they are.
    let day = |date: &str| {
        let micros = date.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        uuid::Uuid::from_u128(u128::from((micros / 1000).unsigned_abs()) << 80)
    };
    let (first, second, third) =
        (day("2027-01-15T00:00:00Z"), day("2027-01-16T00:00:00Z"), day("2027-01-17T00:00:00Z"));
    let divide = format!(
        "ALTER TABLE job_logs DROP CONSTRAINT job_logs_job_execution_id_fkey;
         ALTER TABLE job_executions RENAME TO old;
         CREATE TABLE job_executions (LIKE old INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE first PARTITION OF job_executions FOR VALUES FROM ('{first}') TO ('{second}');
         GRANT SELECT, INSERT, UPDATE ON job_executions TO observability_app"
    );
    admin.execute(sqlx::AssertSqlSafe(divide)).await.unwrap();
    // A second before midnight, and a second after.
    let clock = Clock::manual("2027-01-15T23:59:59Z".parse().unwrap());
    let ids = obs_tui::clock::Ids::random(clock.clone());
    let dir = tempfile::tempdir().unwrap();
    let spool = Some(dir.path().to_owned());
    let recorder = Recorder::new(Options { clock: clock.clone(), ids, spool, ..options(&db.app) });
    // All goes to the spool first, so that it is one batch there.
    admin.execute("ALTER TABLE invocations RENAME TO hidden").await.unwrap();
    let invocation = recorder.invocation("host").start();
    let handler = invocation.event("event").detected();
    (0..3).for_each(|n| handler.job("job").start().complete(&n));
    // A row that no table accepts is put aside beside them, once.
    let poison = serde_json::value::RawValue::from_string("1e400000".to_owned()).unwrap();
    handler.job("poison").start().complete(&poison);
    handler.finish();
    invocation.finish();
    clock.advance(chrono::TimeDelta::seconds(2));
    chain(&recorder, 3);
    failing(&recorder, "lacks the tables");
    admin.execute("ALTER TABLE hidden RENAME TO invocations").await.unwrap();
    let stats = failing(&recorder, "no partition of relation");
    assert_eq!((stats.dropped, stats.quarantined), (0, 0), "{stats:?}");
    let jobs = "SELECT count(*) FROM job_executions WHERE status = 'completed'";
    let connection = &mut common::session(&db.superuser).await;
    until(async || number(connection, jobs).await == 3).await;
    // Again and again the whole batch.
    assert!((0..5).all(|_| !recorder.flush(Duration::from_millis(100))), "{:?}", recorder.stats());
    let second = format!("CREATE TABLE second PARTITION OF job_executions FOR VALUES FROM ('{second}') TO ('{third}')");
    admin.execute(sqlx::AssertSqlSafe(second)).await.unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.quarantined, stats.dropped, stats.spooled), (2 * records(3), 2, 0, 0));
    assert_eq!(number(connection, jobs).await, 6);
    let quarantine = std::fs::read_to_string(dir.path().join("quarantine.jsonl")).unwrap();
    let lines: Vec<&str> = quarantine.lines().collect();
    let [line] = lines[..] else { panic!("{quarantine}") };
    // Other programs read this: see docs/recorder.md.
    let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    assert_eq!(line.keys().collect::<Vec<_>>(), ["reason", "table", "row"]);
    let fields = [
        "id",
        "invocation_id",
        "event_execution_id",
        "created_at",
        "updated_at",
        "correlation_id",
        "job_name",
        "function_name",
        "options",
        "status",
        "duration_ms",
        "result",
        "error",
        "records",
    ];
    let row = line["row"].as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>(), fields);
    assert_eq!(
        (&line["table"], &row["job_name"], &row["records"]),
        (&"job_executions".into(), &"poison".into(), &2.into())
    );
}

/// What raises an error of its own for every row, and what is checked only at the end of a transaction.
#[tokio::test]
async fn a_trigger_that_refuses_everything_is_waited_for() {
    for (name, trigger) in [
        (
            "recorder_trigger",
            "CREATE TRIGGER refuse BEFORE INSERT ON event_executions FOR EACH ROW EXECUTE FUNCTION refuse()",
        ),
        (
            "recorder_deferred",
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON event_executions DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        ),
    ] {
        let db = common::database(name).await;
        let admin = &mut common::session(&db.admin).await;
        let refuse =
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$";
        admin.execute(refuse).await.unwrap();
        admin.execute(trigger).await.unwrap();
        let recorder = Recorder::new(Options { retry_attempts: 1, ..options(&db.app) });
        chain(&recorder, 5);
        let stats = failing(&recorder, "refuses every row, not only one: ");
        assert_eq!((stats.dropped, stats.buffered), (0, records(5)), "{stats:?}");
        assert!(stats.last_error.unwrap().contains("not now"));
        admin.execute("DROP TRIGGER refuse ON event_executions").await.unwrap();
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        assert_eq!((recorder.stats().written, recorder.stats().dropped), (records(5), 0));
    }
}

/// A batch of one row only, or of bad rows only, is told from a table that takes none by a row with which nothing is wrong.
#[tokio::test]
async fn a_batch_of_bad_rows_only_is_put_aside_at_a_bounded_rate() {
    let db = common::database("recorder_all_bad").await;
    let recorder = Recorder::new(options(&db.app));
    let bad = || std::mem::forget(recorder.invocation("bad").source_event_time(DateTime::<Utc>::MIN_UTC).start());
    bad();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let lost = |records| [Loss { class: Class::Invocation, reason: Reason::Refused, records }];
    assert_eq!((recorder.stats().losses, recorder.stats().written), (lost(1).to_vec(), 0));
    let before = transactions(&db).await;
    (0..300).for_each(|_| bad());
    let clock = Clock::system();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let time = clock.elapsed();
    assert_eq!(recorder.stats().losses, lost(301));
    chain(&recorder, 1);
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (records(1), 301));
    let made = transactions(&db).await - before;
    println!("300 bad rows: {made} transactions in {time:?}");
    // 599 refused statements and 300 probes; a refusal takes 5 ms at least.
    assert!((900..1_000).contains(&made) && time >= Duration::from_secs(3), "{made} transactions in {time:?}");
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(number(connection, "SELECT count(*) FROM invocations").await, 1, "no probe is left behind");
    assert_eq!(number(connection, "SELECT sum(count)::int8 FROM recorder_losses").await, 301);
}

/// A right that is refused to one row is no right that is missing: nobody else waits for it.
#[tokio::test]
async fn a_row_that_a_policy_refuses_holds_up_no_other() {
    let db = common::database("recorder_policy").await;
    let admin = &mut common::session(&db.admin).await;
    let policy = "ALTER TABLE job_executions ENABLE ROW LEVEL SECURITY;
        CREATE POLICY writers ON job_executions TO observability_app USING (true) WITH CHECK (job_name <> 'forbidden')";
    admin.execute(policy).await.unwrap();
    let recorder = Recorder::new(Options { retry_attempts: 1, ..options(&db.app) });
    chain(&recorder, 5);
    let invocation = recorder.invocation("host").start();
    let handler = invocation.event("event").detected();
    handler.job("forbidden").start().complete(&1);
    handler.finish();
    invocation.finish();
    chain(&recorder, 5);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Job, reason: Reason::Refused, records: 2 }]);
    assert_eq!((stats.written, stats.buffered), (2 * records(5) + records(0), 0));
    // For everybody it is a right that is missing.
    admin.execute("ALTER POLICY writers ON job_executions WITH CHECK (false)").await.unwrap();
    chain(&recorder, 5);
    let stats = failing(&recorder, "row-level security");
    assert_eq!((stats.dropped, stats.buffered), (2, records(5)), "{stats:?}");
    admin.execute("ALTER POLICY writers ON job_executions WITH CHECK (true)").await.unwrap();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!(recorder.stats().dropped, 2);
}

/// A foreign key that came after the recorder had looked at the tables.
#[tokio::test]
async fn tables_that_change_meanwhile_are_looked_at_again_before_a_row_is_blamed() {
    let db = common::database("recorder_changed").await;
    let recorder = Recorder::new(options(&db.app));
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let admin = &mut common::session(&db.admin).await;
    let key = "ALTER TABLE invocations ADD FOREIGN KEY (source_job_id) REFERENCES job_executions ON DELETE SET NULL";
    admin.execute(key).await.unwrap();
    let unknown = recorder.invocation("unknown parent").source_job(uuid::Uuid::from_u128(1));
    unknown.start().finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!((recorder.stats().written, recorder.stats().dropped), (records(1) + 2, 0));
}

/// A batch whose writing panics is lost, counted by class under its own reason, and the recorder goes on.
#[tokio::test]
async fn a_batch_that_panics_is_counted_as_that() {
    let db = common::database("recorder_batch_panics").await;
    let mut config: Config = db.app.clone();
    config.port = super::refusal::breaking(db.app.port, b"WITH invocations_written AS");
    let (on_notice, notices) = noting();
    let recorder = Recorder::new(Options { on_notice, ..options(&config) });
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let lost = |class, records| Loss { class, reason: Reason::Internal, records };
    let losses = [lost(Class::Invocation, 2), lost(Class::Event, 3), lost(Class::Job, 2)];
    let stats = recorder.stats();
    assert_eq!((&stats.losses[..], stats.dropped, stats.written), (&losses[..], 7, 0));
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (records(1), 7));
    let said = notices.all();
    assert!(
        matches!(&said[0], Notice::Lost { losses: said, last_error: Some(error) } if said[..] == losses && error.contains("panicked")),
        "{said:?}"
    );
}

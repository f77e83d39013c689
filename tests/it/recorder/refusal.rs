//! What the database cannot take, or is too much: the rest is written, the loss is counted and told.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use obs_tui::Recorder;
use obs_tui::clock::Clock;
use obs_tui::recorder::{Class, Loss, Options, Reason};
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::Executor;

use super::{LONG, chain, failing, number, options, records, rows, until};
use crate::common;

#[tokio::test]
async fn odd_values_are_made_to_fit() {
    let db = common::database("recorder_odd").await;
    let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let recorder = Recorder::new(Options { clock: clock.clone(), ..options(&db.app) });
    let invocation = recorder.invocation("odd\0").operation("EXPLODE").payload(&json!({ "a\0": "\0" })).start();
    let handler = invocation.event("\u{1b}[31m").detected();
    clock.advance(TimeDelta::days(60));
    let lone = RawValue::from_string(r#"["\ud800", "\\u0000"]"#.to_owned()).unwrap();
    handler.job("job").options(&lone).start().fail("\0");
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!(recorder.stats().dropped, 0);
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(
            connection,
            "SELECT source_function, source_operation, source_event_payload, total_duration_ms, event_name, job_options, j.error_message
             FROM invocations i JOIN event_executions e ON e.invocation_id = i.id JOIN job_executions j ON j.invocation_id = i.id"
        )
        .await,
        [json!({
            "source_function": "odd\u{fffd}", "source_operation": "EXPLODE", "source_event_payload": { "a\u{fffd}": "\u{fffd}" },
            "total_duration_ms": i32::MAX, "event_name": "\u{1b}[31m", "job_options": ["\u{fffd}", "\\u0000"],
            "error_message": "\u{fffd}",
        })]
    );
}

#[tokio::test]
async fn a_refused_row_does_not_take_others_with_it() {
    let db = common::database("recorder_poison").await;
    let recorder = Recorder::new(options(&db.app));
    let number_too_large = RawValue::from_string("1e400000".to_owned()).unwrap();
    for n in 0..20 {
        let invocation = recorder.invocation("host").start();
        let handler = invocation.event("event").detected();
        handler.job("good").start().complete(&n);
        if n % 10 == 3 {
            handler.job("poison").start().complete(&number_too_large);
        }
        handler.finish();
        invocation.finish();
    }
    // A parent that is refused takes its own child with it, no other row.
    let refused = recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start();
    refused.event("orphan").not_detected();
    refused.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let stats = recorder.stats();
    let loss = |class, records| Loss { class, reason: Reason::Refused, records };
    assert_eq!(stats.losses, [loss(Class::Invocation, 2), loss(Class::Event, 2), loss(Class::Job, 4)]);
    assert_eq!((stats.recorded, stats.written, stats.buffered), (20 * records(1) + 2 * 2 + 4, 20 * records(1), 0));
    assert!(stats.last_error.unwrap().contains("refuses a row"));
    let connection = &mut common::session(&db.readonly).await;
    assert_eq!(
        rows(
            connection,
            "SELECT (SELECT count(*) FROM invocations) AS invocations, (SELECT count(*) FROM event_executions) AS events, \
             (SELECT count(*) FROM job_executions WHERE status = 'completed') AS jobs"
        )
        .await,
        [json!({ "invocations": 20, "events": 20, "jobs": 20 })]
    );
    let told = "SELECT class, reason, count FROM recorder_losses ORDER BY class";
    let _ = recorder.shutdown(LONG);
    assert_eq!(
        rows(connection, told).await,
        [
            json!({ "class": "event", "reason": "refused", "count": 2 }),
            json!({ "class": "invocation", "reason": "refused", "count": 2 }),
            json!({ "class": "job", "reason": "refused", "count": 4 }),
        ]
    );
}

#[tokio::test]
async fn a_role_that_may_not_tell_of_losses_writes_its_rows_all_the_same() {
    let db = common::database("recorder_untold").await;
    let admin = &mut common::session(&db.admin).await;
    admin.execute("REVOKE INSERT ON recorder_losses FROM observability_app").await.unwrap();
    let session = "SELECT coalesce(min(pid), 0)::int8 FROM pg_stat_activity WHERE usename = 'observability_app' AND datname = current_database()";
    let recorder = Recorder::new(options(&db.app));
    let superuser = &mut common::session(&db.superuser).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start().finish();
        chain(&recorder, 1);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        sessions.push(number(superuser, session).await);
    }
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (3 * records(1), 6));
    assert!(sessions[0] > 0 && sessions.iter().all(|pid| *pid == sessions[0]), "one session: {sessions:?}");
}

/// A server that answers the first report of losses with a frame that is none, after which the driver panics.
#[tokio::test]
async fn a_report_that_panics_costs_a_connection_and_no_record() {
    let db = common::database("recorder_report").await;
    let port = breaking(db.app.port, b"INSERT INTO \"public\".recorder_losses ");
    let mut config = db.app.clone();
    config.port = port;
    let recorder = Recorder::new(options(&config));
    recorder.invocation("refused").source_event_time(DateTime::<Utc>::MIN_UTC).start().finish();
    let panicked = |error: &Option<String>| error.as_ref().is_some_and(|error| error.contains("the report of losses"));
    until(async || {
        recorder.flush(LONG);
        panicked(&recorder.stats().last_error)
    })
    .await;
    // The flusher lives, and tells the next time what it could not tell.
    chain(&recorder, 1);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let end = recorder.shutdown(LONG);
    assert_eq!((end.written, end.dropped), (records(1), 2));
    let connection = &mut common::session(&db.readonly).await;
    let told = "SELECT class, reason, count FROM recorder_losses";
    assert_eq!(rows(connection, told).await, [json!({ "class": "invocation", "reason": "refused", "count": 2 })]);
}

/// A port that leads to another one, until a client sends these bytes for the first time: the answer is broken then.
pub(super) fn breaking(port: u16, text: &'static [u8]) -> u16 {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let broken = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let pass = |mut from: TcpStream, mut to: TcpStream, broken: Option<Arc<AtomicBool>>| {
                std::thread::spawn(move || {
                    let mut buffer = [0; 65_536];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        let found = buffer[..count].windows(text.len()).any(|part| part == text);
                        if found && broken.as_ref().is_some_and(|broken| !broken.swap(true, Ordering::SeqCst)) {
                            // It is parsed, and its parameters are described by a frame that does not even count them.
                            from.write_all(b"1\0\0\0\x04t\0\0\0\x04").unwrap();
                        } else if to.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                });
            };
            pass(client.try_clone().unwrap(), server.try_clone().unwrap(), Some(Arc::clone(&broken)));
            pass(server, client, None);
        }
    });
    own
}

#[tokio::test]
async fn a_status_that_is_unknown_and_a_parent_that_is_gone_cost_their_own_rows() {
    let db = common::database("recorder_unknown").await;
    let admin = &mut common::session(&db.admin).await;
    let known = "ALTER TABLE job_executions ADD CONSTRAINT known CHECK (status IN ('running', 'completed'))";
    admin.execute(known).await.unwrap();
    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("host").start();
    let handler = invocation.event("event").detected();
    handler.job("of an unknown status").start().fail("no");
    let late = handler.job("late").start();
    chain(&recorder, 2);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let lost = |records| [Loss { class: Class::Job, reason: Reason::Refused, records }];
    assert_eq!(recorder.stats().losses, lost(2));
    // Its event and its jobs go with it.
    admin.execute("DELETE FROM invocations WHERE source_function = 'host'").await.unwrap();
    late.complete(&1);
    chain(&recorder, 2);
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    assert_eq!(recorder.stats().losses, lost(3));
    // Every record can make its row.
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.buffered), (stats.recorded - 3, 3, 0));
    let connection = &mut common::session(&db.readonly).await;
    let ended = "SELECT (SELECT count(*) FROM invocations WHERE status = 'completed') AS invocations, \
        (SELECT count(*) FROM event_executions WHERE status = 'completed') AS events, (SELECT count(*) FROM job_executions) AS jobs";
    assert_eq!(rows(connection, ended).await, [json!({ "invocations": 3, "events": 3, "jobs": 4 })]);
}

#[tokio::test]
async fn tables_of_another_writer_are_filled_as_far_as_they_go() {
    let db = common::database("recorder_adopted").await;
    let admin = &mut common::session(&db.admin).await;
    admin
        .execute(
            "ALTER TABLE invocations DROP COLUMN source_type,
                 ADD FOREIGN KEY (source_job_id) REFERENCES job_executions ON DELETE SET NULL;
             ALTER TABLE event_executions DROP CONSTRAINT IF EXISTS event_executions_status_check,
                 ADD CONSTRAINT old CHECK (status IN ('detecting', 'not_detected', 'handling', 'completed', 'failed'));
             DROP TABLE recorder_losses",
        )
        .await
        .unwrap();
    let recorder = Recorder::new(options(&db.app));
    let invocation = recorder.invocation("parent").source_type("webhook").payload(&json!({ "kept": 1 })).start();
    invocation.event("first").detection_failed("no detector");
    let handler = invocation.event("second").detected();
    let job = handler.job("job").start();
    recorder.invocation("known parent").from_token(&job.token().to_string()).start().finish();
    let unknown =
        recorder.invocation("unknown parent").source_job(uuid::Uuid::from_u128(1)).payload(&json!({ "kept": 2 }));
    unknown.start().finish();
    job.complete(&());
    handler.handler_failed("no handler");
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());

    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped), (stats.recorded, 0));
    let connection = &mut common::session(&db.readonly).await;
    let links = "SELECT source_function AS f, source_job_id IS NOT NULL AS linked, source_event_payload AS payload FROM invocations ORDER BY id";
    assert_eq!(
        rows(connection, links).await,
        [
            json!({ "f": "parent", "linked": false, "payload": { "kept": 1 } }),
            json!({ "f": "known parent", "linked": true, "payload": {} }),
            json!({ "f": "unknown parent", "linked": false, "payload": { "kept": 2 } }),
        ]
    );
    let failed = "SELECT count(*) FROM event_executions WHERE status = 'failed' AND coalesce(detection_error, handler_error) IS NOT NULL";
    assert_eq!(number(connection, failed).await, 2);
}

#[tokio::test]
async fn a_role_that_may_not_write_and_missing_tables_are_named() {
    let db = common::database("recorder_denied").await;
    let denied = Recorder::new(options(&db.readonly));
    chain(&denied, 1);
    let stats = failing(&denied, "permission denied");
    assert_eq!((stats.written, stats.dropped, stats.buffered), (0, 0, records(1)));
    let lost = denied.shutdown(Duration::ZERO);
    assert_eq!((lost.written, lost.dropped), (0, records(1)));

    let elsewhere = Recorder::new(options(&db.app.with_schema("elsewhere")));
    chain(&elsewhere, 1);
    failing(&elsewhere, "obs-tui db migrate");
    let admin = &mut common::session(&db.admin).await;
    // The tables come late: what waited is written.
    admin.execute("ALTER SCHEMA public RENAME TO elsewhere").await.unwrap();
    assert!(elsewhere.flush(LONG), "{:?}", elsewhere.stats());
    assert_eq!(elsewhere.stats().written, records(1));
}

#[tokio::test]
async fn a_row_that_fails_for_no_clear_reason_is_searched_after_the_retries() {
    let db = common::database("recorder_unclear").await;
    let admin = &mut common::session(&db.admin).await;
    admin
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON job_executions FOR EACH ROW WHEN (NEW.job_name = 'odd')
                 EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let recorder = Recorder::new(Options { retry_attempts: 1, retry_delay: Duration::ZERO, ..options(&db.app) });
    chain(&recorder, 5);
    let invocation = recorder.invocation("odd").start();
    let handler = invocation.event("event").detected();
    handler.job("odd").start().complete(&1);
    handler.finish();
    invocation.finish();
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!(stats.losses, [Loss { class: Class::Job, reason: Reason::Refused, records: 2 }]);
    assert_eq!((stats.written, stats.buffered), (records(5) + records(0), 0));
    assert!(stats.last_error.unwrap().contains("not this one"));
}

//! Texts that are too long for an index, and characters that the database cannot hold: they are stored in another form, and
//! cost neither their row nor its children.

use obs_tui::Recorder;
use obs_tui::recorder::{Level, Notice};
use obs_tui::store::admin;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

use super::notices::noting;
use super::{LONG, chain, number, options, records, rows};
use crate::common;

/// What no index of a B-tree takes if it holds all of it, whatever the others hold.
const INDEXES: &str =
    "CREATE INDEX ON invocations (correlation_id, source_function, source_user_email, source_system, created_at, id);
    CREATE INDEX ON invocations (source_table, source_operation, source_type, source_user_role, created_at, id);
    CREATE INDEX ON invocations (lower(event_modules_directory), created_at);
    CREATE INDEX ON event_executions (correlation_id, event_name, event_module_path, created_at, id);
    CREATE INDEX ON job_executions (correlation_id, job_name, job_function_name, created_at, id);
    CREATE INDEX ON job_logs (source, created_at)";

/// Text that the server cannot compress.
fn noise(random: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| random.alphanumeric()).collect()
}

#[tokio::test]
async fn a_text_of_any_length_costs_neither_its_row_nor_its_children() {
    let db = common::database("recorder_long").await;
    let admin = &mut common::session(&db.admin).await;
    admin.execute(INDEXES).await.unwrap();
    let random = &mut fastrand::Rng::with_seed(9);
    let (on_notice, notices) = noting();
    let recorder = Recorder::new(obs_tui::recorder::Options { on_notice, ..options(&db.app) });
    for length in [600, 640, 641, 2_600, 2_704, 3_000, 100_000] {
        let mut long = || noise(random, length);
        let (function, correlation, email, error) = (long(), long(), long(), long());
        let invocation = recorder.invocation(&function).correlation_id(&correlation).user_email(&email);
        let invocation = invocation.table(&long()).operation(&long()).system(&long()).source_type(&long());
        let invocation = invocation.user_role(&long()).modules_directory(&long()).context(&json!({ "kept": 1 }));
        let invocation = invocation.start();
        let handler = invocation.event_of_module(&long(), &long()).detected();
        let job = handler.job(&long()).function_name(&long()).start();
        job.context().log(Level::INFO, &error, &());
        job.fail(&*error);
        handler.handler_failed(&*error);
        invocation.fail(&*error);
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let stats = recorder.stats();
        assert_eq!((stats.dropped, stats.quarantined, stats.written), (0, 0, stats.recorded), "{length}: {stats:?}");

        let found = rows(
            &mut common::session(&db.readonly).await,
            &format!(
                "SELECT i.correlation_id AS c, i.context_data AS context, source_function AS function, i.error_message AS error,
                    greatest(length(source_function), length(source_table), length(source_operation), length(source_system),
                        length(source_type), length(source_user_email), length(source_user_role), length(event_modules_directory),
                        length(event_name), length(event_module_path), length(job_name), length(job_function_name), length(l.source)) AS most,
                    e.correlation_id = i.correlation_id AND j.correlation_id = i.correlation_id AS one_chain,
                    length(l.message) AS line
                 FROM invocations i JOIN event_executions e ON e.invocation_id = i.id JOIN job_executions j ON j.event_execution_id = e.id
                 JOIN job_logs l ON l.job_execution_id = j.id WHERE i.id = '{}'",
                newest(&db).await
            ),
        )
        .await;
        let [row] = &found[..] else { panic!("{found:?}") };
        let (stored, context) = (row["c"].as_str().unwrap(), &row["context"]);
        assert_eq!((&row["one_chain"], &row["error"]), (&json!(true), &json!(error)));
        assert_eq!(row["line"].as_u64().unwrap().min(65_536), length.min(65_536) as u64);
        assert_eq!(context["kept"], 1);
        if length <= 640 {
            assert_eq!((stored, context.get("_original")), (&*correlation, None));
            assert_eq!(stats.altered, 0);
        } else {
            let most = row["most"].as_u64().unwrap();
            assert!((600..=640).contains(&most) && stored.len() <= 640, "{most}");
            assert!(
                stored.starts_with(&correlation[..590]) && stored.contains(&format!("…[{length} bytes, ")),
                "{stored}"
            );
            let original = &context["_original"];
            assert_eq!(
                (&original["correlation_id"], &original["source_function"]),
                (&json!(correlation), &json!(function))
            );
            assert_eq!((&original["source_user_email"], original.as_object().unwrap().len()), (&json!(email), 9));
        }
    }
    let stats = recorder.stats();
    let _ = recorder.shutdown(LONG);
    let altered: Vec<Notice> =
        notices.all().into_iter().filter(|notice| matches!(notice, Notice::Altered { .. })).collect();
    assert!(matches!(altered[..], [Notice::Altered { texts }] if (1..=stats.altered).contains(&texts)), "{altered:?}");
}

/// The id of the newest invocation.
async fn newest(db: &common::TestDb) -> String {
    let session = &mut common::session(&db.readonly).await;
    sqlx::query_scalar("SELECT id::text FROM invocations ORDER BY id DESC LIMIT 1").fetch_one(session).await.unwrap()
}

#[tokio::test]
async fn what_an_index_of_another_writer_cannot_hold_costs_its_text_and_nothing_else() {
    let db = common::database("recorder_long_texts").await;
    let admin = &mut common::session(&db.admin).await;
    let indexes = "CREATE INDEX ON job_executions (error_message); CREATE INDEX ON invocations ((source_event_payload ->> 'text'))";
    admin.execute(indexes).await.unwrap();
    let long = noise(&mut fastrand::Rng::with_seed(9), 5_000);
    let recorder = Recorder::new(options(&db.app));
    for n in 0..20 {
        let invocation = recorder.invocation("host").context(&json!({ "kept": n }));
        let payload = if n == 7 { json!({ "text": long }) } else { json!({ "n": n }) };
        let invocation = invocation.payload(&payload).start();
        let handler = invocation.event("event").detected();
        handler.job("job").options(&n).start().fail(if n == 9 { &*long } else { "no" });
        handler.finish();
        invocation.finish();
    }
    assert!(recorder.flush(LONG), "{:?}", recorder.stats());
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.dropped, stats.altered), (20 * records(1), 0, 2), "{stats:?}");
    let connection = &mut common::session(&db.readonly).await;
    let found = rows(
        connection,
        "SELECT source_event_payload AS payload, left(j.error_message, 590) AS error, job_options AS n
         FROM invocations i JOIN job_executions j ON j.invocation_id = i.id WHERE context_data @> '{\"kept\": 7}' OR job_options = '9' ORDER BY i.id",
    )
    .await;
    let payload = json!({ "_truncated": true, "bytes": long.len() + r#"{"text":""}"#.len() });
    assert_eq!(
        found,
        [
            json!({ "payload": payload, "error": "no", "n": 7 }),
            json!({ "payload": { "n": 9 }, "error": long[..590], "n": 9 }),
        ]
    );
}

#[tokio::test]
async fn characters_that_a_database_lacks_are_replaced() {
    for (name, encoding, lost) in [
        ("recorder_latin", "LATIN1", "é?? ?"),
        ("recorder_koi8", "KOI8R", "?"),
        ("recorder_ascii", "SQL_ASCII", "é\u{fffd}– 😀"),
    ] {
        let superuser = &mut common::session(common::superuser()).await;
        let create =
            format!("CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        superuser.execute(AssertSqlSafe(create)).await.unwrap();
        let config = common::superuser().with_database(name);
        admin::migrate(&config).await.unwrap();
        let recorder = Recorder::new(options(&config));
        (0..10).for_each(|_| chain(&recorder, 1));
        let text = "é\0– 😀";
        let raw = serde_json::value::RawValue::from_string(r#"{"text":"\u00e9\u0000\u2013 \ud83d\ude00"}"#.to_owned());
        let invocation = recorder.invocation(text).payload(&raw.unwrap()).start();
        let handler = invocation.event(text).detected();
        handler.job(text).options(&json!({ "text": text })).start().fail(text);
        handler.finish();
        invocation.finish();
        (0..10).for_each(|_| chain(&recorder, 1));
        assert!(recorder.flush(LONG), "{:?}", recorder.stats());
        let stats = recorder.stats();
        assert_eq!((stats.written, stats.dropped), (21 * records(1), 0), "{encoding}: {stats:?}");
        assert!(stats.altered > 0);
        let _ = recorder.shutdown(LONG);
        let session = &mut common::session(&config).await;
        let found = rows(
            session,
            "SELECT source_function AS f, source_event_payload ->> 'text' AS payload, event_name AS e, job_name AS j,
                job_options ->> 'text' AS options, j.error_message AS error
             FROM invocations i JOIN event_executions e ON e.invocation_id = i.id JOIN job_executions j ON j.event_execution_id = e.id
             WHERE source_function <> 'chain'",
        )
        .await;
        // KOI8-R has none of these but the space, and says so when it refuses the row.
        let lost = if lost == "?" { "??? ?" } else { lost };
        let expected: Value = ["f", "payload", "e", "j", "options", "error"]
            .map(|key| (key.to_owned(), json!(lost)))
            .into_iter()
            .collect();
        assert_eq!(found, [expected], "{encoding}");
        assert_eq!(number(session, "SELECT count(*) FROM job_executions").await, 21);
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        superuser.execute(AssertSqlSafe(drop)).await.unwrap();
    }
}

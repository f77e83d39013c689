//! What the explorer asks for, on a real server.

use std::time::Duration;

use chrono::TimeDelta;
use obs_tui::clock::Clock;
use obs_tui::logs::{LogsConfig, LokiClient};
use obs_tui::model::flow::Kind;
use obs_tui::store::read::Reader;
use obs_tui::tui::effects::Effects;
use obs_tui::tui::msg::{Cmd, Msg, View};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tokio::sync::mpsc::unbounded_channel;
use uuid::Uuid;

use crate::common;

/// How many reads of a row by explorers this database executes, once it is so many or time is up.
async fn executing(superuser: &mut PgConnection, wanted: i64, patience: Duration) -> i64 {
    let clock = Clock::system();
    let count = "select count(*) from pg_stat_activity \
                 where application_name = 'obs-tui' and datname = current_database() and state = 'active' \
                 and query like '%to_jsonb%'";
    loop {
        let (active,): (i64,) = sqlx::query_as(count).fetch_one(&mut *superuser).await.unwrap();
        if active == wanted || clock.elapsed() > patience {
            return active;
        }
    }
}

#[tokio::test]
async fn a_left_screen_ends_its_query_on_the_server() {
    let db = common::database("effects_leave").await;
    let mut superuser = common::session(&db.superuser).await;
    // Much longer than the time that the server allows a query.
    for statement in [
        "alter table invocations rename to fast",
        "insert into fast (id, source_function, status, source_event_payload) \
         values ('00000000-0000-0000-0000-000000000000', 'slow', 'completed', '{}')",
        "create view invocations as select fast.* from fast, pg_sleep(60)",
        "grant select on invocations to observability_readonly",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    let version: i32 = superuser.server_version_num().map_or(0, |number| i32::try_from(number).unwrap());
    let (sender, mut answers) = unbounded_channel();
    let logs = Ok(LokiClient::new(LogsConfig::default()));
    let reader = Reader::new(db.readonly.clone());
    let mut effects = Effects::new(reader, logs, TimeDelta::minutes(15), Clock::system(), sender);
    effects.run(Cmd::Row { request: 1, kind: Kind::Invocation, id: Uuid::nil() });
    assert_eq!(executing(&mut superuser, 1, Duration::from_secs(20)).await, 1, "the query runs");
    effects.run(Cmd::Leave(View::Flow));
    assert_eq!(executing(&mut superuser, 1, Duration::ZERO).await, 1, "another screen's request goes on");
    effects.run(Cmd::Leave(View::Detail));
    if version >= 140_000 {
        assert_eq!(executing(&mut superuser, 0, Duration::from_secs(3)).await, 0, "it has ended");
    }
    // The next one works, on another connection.
    effects.run(Cmd::Row { request: 2, kind: Kind::Job, id: Uuid::nil() });
    let answer = answers.recv().await.unwrap();
    assert!(matches!(answer, Msg::Row(2, Ok(None))), "{answer:?}");
    superuser.close().await.unwrap();
}

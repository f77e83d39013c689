//! What the explorer asks for, on a real server.

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
use crate::pty::PATIENCE;

/// How many sessions of explorers in this database are within `pg_sleep`.
async fn sleeping(superuser: &mut PgConnection) -> i64 {
    let count = "select count(*) from pg_stat_activity \
                 where application_name = 'obs-tui' and datname = current_database() and wait_event = 'PgSleep'";
    sqlx::query_scalar(count).fetch_one(superuser).await.unwrap()
}

async fn wait_for_sleeping(superuser: &mut PgConnection, wanted: i64) {
    let clock = Clock::system();
    while sleeping(superuser).await != wanted {
        assert!(clock.elapsed() < PATIENCE, "never {wanted} executing");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_left_screen_ends_its_query_on_the_server() {
    let db = common::database("effects_leave").await;
    let mut superuser = common::session(&db.superuser).await;
    // The time that the server allows a query does not end this one, only the end of its connection does.
    for statement in [
        "create function stay() returns text language plpgsql as $$ begin \
         loop begin perform pg_sleep(3600); exception when query_canceled then end; end loop; end $$",
        "alter table invocations rename to fast",
        "insert into fast (id, source_function, status, source_event_payload) \
         values ('00000000-0000-0000-0000-000000000000', 'slow', 'completed', '{}')",
        "create view invocations as select fast.* from fast, stay()",
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
    wait_for_sleeping(&mut superuser, 1).await;
    effects.run(Cmd::Leave(View::Flow));
    assert_eq!(sleeping(&mut superuser).await, 1, "another screen's request goes on");
    effects.run(Cmd::Leave(View::Detail));
    if version >= 140_000 {
        wait_for_sleeping(&mut superuser, 0).await;
    }
    // The next one works, on another connection.
    effects.run(Cmd::Row { request: 2, kind: Kind::Job, id: Uuid::nil() });
    let answer = answers.recv().await.unwrap();
    assert!(matches!(answer, Msg::Row(2, Ok(None))), "{answer:?}");
    superuser.close().await.unwrap();
}

//! Local time in the explorer is that of the zone that `TZ` names, by its rules on the day that is shown.

use sqlx::Executor;

use crate::cli::binary;
use crate::common;
use crate::pty::Terminal;

#[tokio::test]
async fn local_times_are_those_of_the_zone_that_the_variable_names() {
    let db = common::database("zone").await;
    let mut session = common::session(&db.superuser).await;
    let insert = "insert into invocations (created_at, updated_at, source_function, source_event_payload, status) \
        select now() - ago, now(), 'f', '{}'::jsonb, 'completed' from unnest('{1 day 3:07, 160 days 5:19}'::interval[]) as moments (ago) \
        union all select now(), now(), 'now', '{}'::jsonb, 'completed'";
    session.execute(insert).await.unwrap();
    // What the server says of the same moments.
    let shown =
        "select to_char(created_at at time zone $1, 'MM-DD HH24:MI') from invocations where source_function = 'f'";
    for (zone, name) in [("America/New_York", "America/New_York"), (":Asia/Kolkata", "Asia/Kolkata"), ("", "UTC")] {
        let expected: Vec<String> = sqlx::query_scalar(shown).bind(name).fetch_all(&mut session).await.unwrap();
        let environment = [("OBSERVABILITY_DB_URL", &*db.readonly.url()), ("TZ", zone)];
        let mut terminal = Terminal::start(&binary(), &[], &environment, (120, 36));
        terminal.wait_for("LIVE");
        terminal.press("T");
        terminal.wait_until(&format!("{expected:?} of {name}"), |screen| {
            expected.iter().all(|time| screen.contains(&time[6..]))
        });
        terminal.press("\u{3}\u{3}");
        assert_eq!(terminal.end().0.exit_code(), 0);
    }
    let environment = [("OBSERVABILITY_DB_URL", &*db.readonly.url()), ("TZ", "Nowhere/Else")];
    let mut terminal = Terminal::start(&binary(), &[], &environment, (120, 36));
    terminal.wait_for("TZ=Nowhere/Else names no time zone: local times are UTC");
    terminal.press("\u{3}\u{3}");
    assert_eq!(terminal.end().0.exit_code(), 0);
}

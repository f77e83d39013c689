//! What recorders lost is shown, and nothing lost is another thing than nothing known.
use sqlx::Executor;

use crate::cli::run;
use crate::common::{self, session};

const LEGACY: &str = include_str!("../data/foreign/legacy.sql");

/// The line of `db status`.
fn status(url: &str) -> String {
    let (code, output, error) = run(url, &["db", "status"]);
    assert_eq!(code, 0, "{error}");
    let line = output.lines().find(|line| line.starts_with("Recorder losses")).unwrap_or_default();
    line.to_owned()
}

#[tokio::test]
async fn status_tells_losses_from_what_is_not_known() {
    let adopted = common::empty_database("losses_adopted").await;
    let mut admin = session(&adopted.admin).await;
    admin.execute(LEGACY).await.unwrap();
    admin.execute("grant select on all tables in schema public to observability_readonly").await.unwrap();
    assert!(status(&adopted.readonly.url()).contains("not known: there is no table recorder_losses"));

    let db = common::database("losses").await;
    let url = db.readonly.url();
    assert_eq!(status(&url), "Recorder losses: none reported in the last 7 days");
    let mut app = session(&db.app).await;
    app.execute(
        "insert into recorder_losses (recorder, class, reason, count, created_at) values \
         ('a', 'job', 'full', 7, now()), ('b', 'job', 'full', 5, now()), ('a', E'log\\x1b[2J', 'deadline', 1, now() - interval '3 days'), \
         ('a', 'event', 'refused', 100, now() - interval '8 days')",
    )
    .await
    .unwrap();
    let (_, output, _) = run(&url, &["db", "doctor"]);
    let lines: Vec<&str> = output.lines().skip_while(|line| !line.starts_with("Recorder losses")).take(3).collect();
    assert_eq!(lines[0], "Recorder losses: 13 records lost in the last 7 days: gaps in the data");
    assert!(lines[1].starts_with("  job          full                   12  2 recorders, last reported "), "{output}");
    assert!(lines[2].contains("deadline") && !output.contains('\u{1b}') && !output.contains("refused"), "{output}");

    let (_, plain, _) = run(&url, &["--plain"]);
    assert!(plain.contains("Recorder losses: 12 records lost in the last 24 hours"), "{plain}");

    session(&db.admin).await.execute("revoke select on recorder_losses from observability_readonly").await.unwrap();
    let unknown = "Recorder losses: not known: this role may not read recorder_losses";
    assert_eq!(status(&url), unknown);
    let (_, plain, _) = run(&url, &["--plain"]);
    assert!(plain.starts_with(&format!("{unknown}\n")), "{plain}");
}

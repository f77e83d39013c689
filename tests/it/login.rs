//! A refused login in a real terminal: it says so, asks for a password, tries once with it, and shows it nowhere.

use obs_tui::store::config::Secret;

use crate::cli::binary;
use crate::common;
use crate::pty::Terminal;

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_right_one_lets_in() {
    let db = common::database("login").await;
    common::load_foreign(&db).await;
    let right = db.readonly.password.clone().unwrap();
    let stale = db.readonly.with_user(&db.readonly.user, Some(Secret::new("outdated-secret".to_owned())));
    let mut terminal = Terminal::start(&binary(), &[], &[("OBSERVABILITY_DB_URL", &stale.url())], (120, 36));
    let is_refused = |screen: &str| screen.contains("REFUSED") && screen.contains("P asks for another password");
    terminal.wait_until("a refusal that offers a password", is_refused);
    terminal.press("P");
    terminal.wait_for("password (not shown");
    terminal.press("wrong-secret\r");
    terminal.wait_until("the second refusal", |screen| is_refused(screen) && !screen.contains("not shown"));
    terminal.press("P");
    terminal.wait_for("password (not shown");
    terminal.press(right.reveal());
    terminal.press("\r");
    terminal.wait_for("event-handlers");
    terminal.wait_until("a live session", |screen| screen.contains(" ro  LIVE"));
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    for secret in ["outdated-secret", "wrong-secret", right.reveal()] {
        assert!(!written.contains(secret), "a password was shown");
    }
    terminal.press("\u{3}\u{3}");
    let (status, left, _) = terminal.end();
    assert_eq!((status.exit_code(), left), (0, vec![]));
}

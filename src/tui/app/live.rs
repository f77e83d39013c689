//! How the explorer comes to know of new rows: it asks every so often, and asks at once when the server tells that
//! something was written. Telling is a hint only, since not all writers tell, so that asking never ends.

use chrono::{DateTime, TimeDelta, Utc};

use super::{App, Connection};
use crate::tui::msg::Cmd;

/// How long after the loss of a listener another one is tried while the database answers.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(1);
/// How long after a hint that comes while an answer is awaited the next look is.
const SHORTLY: TimeDelta = TimeDelta::milliseconds(250);

/// Whether the server tells of new rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listening {
    /// It was not asked to.
    #[default]
    Off,
    /// It was asked to, and has told nothing so far.
    Asked,
    /// It does.
    Told,
    /// It did, until the connection broke: to be asked again from this moment on.
    Lost(DateTime<Utc>),
    /// It does not, as long as this database is the one that answers.
    Refused,
}

/// What is heard of the server without a request of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something was written, at this time of ours.
    Written(DateTime<Utc>),
    /// The connection that listens broke.
    Lost,
    /// The server does not tell: why.
    Refused(String),
}

/// Takes a hint.
pub fn heard(app: &mut App, hint: Hint) {
    if matches!(app.listening, Listening::Off | Listening::Refused) {
        return;
    }
    match hint {
        Hint::Written(at) => {
            app.listening = Listening::Told;
            let awaited = app.invocations.rows.is_loading() || app.flow.flow.is_loading();
            let look_at = if awaited { at + SHORTLY } else { at };
            app.poll_at = Some(app.poll_at.map_or(look_at, |poll_at| poll_at.min(look_at)));
        }
        Hint::Lost => {
            app.listening = Listening::Lost(app.now + AGAIN_AFTER);
            // Often the server is gone, too.
            app.poll_at = Some(app.now);
        }
        Hint::Refused(why) => {
            app.listening = Listening::Refused;
            let every = crate::model::text::age(app.settings.poll_every);
            app.messages.add(&format!("new rows are looked for every {every}: {why}"), false, app.now);
        }
    }
}

/// Listens while rows are wanted and the database answers, and only then.
pub fn settle(app: &mut App) -> Option<Cmd> {
    let wanted = app.live && app.connection == Connection::Online;
    let listens = match app.listening {
        Listening::Off => false,
        Listening::Asked | Listening::Told => true,
        Listening::Lost(again_at) if wanted && app.now < again_at => return None,
        Listening::Lost(_) => false,
        // Paused or not, this database does not tell.
        Listening::Refused if app.connection == Connection::Online => return None,
        Listening::Refused => false,
    };
    app.listening = if wanted { if listens { app.listening } else { Listening::Asked } } else { Listening::Off };
    match (wanted, listens) {
        (true, false) => Some(Cmd::Listen),
        (false, true) => Some(Cmd::Unlisten),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::Page;
    use crate::tui::fixture::{self, press};
    use crate::tui::msg::{Failure, Msg};
    use crate::tui::update::{start, update};

    /// An explorer that has its first rows and listens.
    fn listening() -> App {
        let mut app = fixture::app((80, 24));
        app.listening = Listening::Off;
        app.connection = Connection::Connecting;
        start(&mut app);
        let request = app.invocations.rows.request.expect("a request");
        let commands = update(&mut app, Msg::Page(request, Ok(Page { rows: fixture::listed(), more: false })));
        assert_eq!((commands, app.listening), (vec![Cmd::Listen], Listening::Asked), "when the database has answered");
        app
    }

    fn written(app: &mut App, milliseconds: i64) -> Vec<Cmd> {
        let at = app.now + TimeDelta::milliseconds(milliseconds);
        update(app, Msg::Hint(Hint::Written(at)))
    }

    fn wake(app: &mut App) -> Vec<Cmd> {
        let at = app.wake_at().expect("it waits for something");
        update(app, Msg::Tick(at))
    }

    fn header(app: &App) -> String {
        fixture::screen(app, &fixture::THEME, (80, 24)).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_is_written_is_looked_for_at_once_and_every_so_often_all_the_same() {
        let mut app = listening();
        assert!(header(&app).contains("LIVE 2s"), "{}", header(&app));
        assert_eq!(app.wake_at(), Some(fixture::now() + TimeDelta::seconds(2)));
        assert_eq!(written(&mut app, 300), []);
        assert_eq!(app.wake_at(), Some(fixture::now() + TimeDelta::milliseconds(300)));
        assert!(matches!(wake(&mut app)[..], [Cmd::Changes { .. }]));
        assert!(header(&app).contains("LIVE  "), "{}", header(&app));
        // The answer is awaited: what was written meanwhile is looked for after it.
        assert_eq!(written(&mut app, 10), []);
        assert_eq!(app.wake_at(), Some(app.now + TimeDelta::milliseconds(260)));
        let request = app.invocations.rows.request.expect("a request");
        update(&mut app, Msg::Changes(request, Ok(Page::default())));
        assert!(matches!(wake(&mut app)[..], [Cmd::Changes { .. }]));
        assert_eq!(app.wake_at(), Some(app.now + TimeDelta::seconds(2)), "nobody told: the usual time");
    }

    #[test]
    fn who_pauses_is_told_nothing() {
        let mut app = listening();
        assert_eq!(press(&mut app, "p"), [Cmd::Unlisten]);
        assert_eq!(written(&mut app, 1), []);
        assert_eq!((app.wake_at(), app.listening), (None, Listening::Off));
        let commands = press(&mut app, "p");
        assert!(matches!(commands[..], [Cmd::Changes { .. }, Cmd::Listen]), "{commands:?}");
    }

    #[test]
    fn a_server_that_does_not_tell_is_asked_once_for_each_connection() {
        let mut app = listening();
        let why = "cannot execute LISTEN during recovery";
        assert_eq!(update(&mut app, Msg::Hint(Hint::Refused(why.to_owned()))), []);
        assert!(header(&app).contains("LIVE 2s"));
        assert!(app.messages.kept.iter().any(|message| message.text.contains(why) && !message.is_error));
        assert!(matches!(wake(&mut app)[..], [Cmd::Changes { .. }]), "it goes on asking for rows");
        assert_eq!((press(&mut app, "p"), app.listening), (vec![], Listening::Refused));
        press(&mut app, "p");
        let request = app.invocations.rows.request.expect("a request");
        update(&mut app, Msg::Changes(request, Err(Failure::unreachable("gone"))));
        assert_eq!(app.listening, Listening::Off);
        let [Cmd::Changes { request, .. }] = press(&mut app, "r")[..] else { panic!("no attempt") };
        assert_eq!(
            update(&mut app, Msg::Changes(request, Ok(Page::default()))),
            [Cmd::Listen],
            "it may be another one"
        );
    }

    #[test]
    fn a_lost_listener_is_replaced_at_once_with_the_connection_else_after_a_minute() {
        let mut app = listening();
        written(&mut app, 0);
        update(&mut app, Msg::Hint(Hint::Lost));
        assert!(header(&app).contains("LIVE 2s"), "{}", header(&app));
        let commands = wake(&mut app);
        assert!(matches!(commands[..], [Cmd::Changes { .. }]), "{commands:?}");
        app.invocations.rows.request = None;
        let later = app.now + AGAIN_AFTER;
        let commands = update(&mut app, Msg::Tick(later));
        assert!(matches!(commands[..], [Cmd::Changes { .. }, Cmd::Listen]), "{commands:?}");

        update(&mut app, Msg::Hint(Hint::Lost));
        let request = app.invocations.rows.request.expect("a request");
        assert_eq!(
            update(&mut app, Msg::Changes(request, Err(Failure::unreachable("gone")))),
            [Cmd::Retry { attempt: 1 }]
        );
        let [Cmd::Changes { request, .. }] = press(&mut app, "r")[..] else { panic!("no attempt") };
        assert_eq!(update(&mut app, Msg::Changes(request, Ok(Page::default()))), [Cmd::Listen]);
    }

    #[test]
    fn an_offline_database_is_not_listened_to() {
        let mut app = listening();
        wake(&mut app);
        let request = app.invocations.rows.request.expect("a request");
        let commands = update(&mut app, Msg::Changes(request, Err(Failure::unreachable("gone"))));
        assert_eq!(commands, [Cmd::Retry { attempt: 1 }, Cmd::Unlisten]);
        assert_eq!(written(&mut app, 1), [], "what was on its way is ignored");
        assert_eq!(app.wake_at(), None);
    }
}

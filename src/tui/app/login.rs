//! A password for a database that refuses the login: typed unseen, sent once, kept nowhere here.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{App, Connection};

/// A password as far as it is typed. `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself.
    #[must_use]
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Asks for a password, if the database refuses.
pub fn open(app: &mut App) {
    if matches!(app.connection, Connection::Refused { login: true, .. }) {
        app.login = Some(Password::default());
    } else {
        app.say("the database does not refuse the login");
    }
}

/// Takes a key while a password is asked for; gives the password when it is to be sent. An empty one is not sent.
pub fn typed(app: &mut App, key: KeyEvent) -> Option<Password> {
    let Password(text) = app.login.as_mut()?;
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return app.login.take().filter(|password| !password.0.is_empty()),
        KeyCode::Esc => app.login = None,
        KeyCode::Char('c') if control => app.login = None,
        KeyCode::Char('u') if control => text.clear(),
        KeyCode::Backspace => _ = text.pop(),
        KeyCode::Char(c) if !control => text.push(c),
        _ => {}
    }
    None
}

/// Takes pasted text while a password is asked for, its first line; false when none is.
pub fn pasted(app: &mut App, text: &str) -> bool {
    let Some(Password(password)) = &mut app.login else { return false };
    password.extend(text.trim_start_matches(['\r', '\n']).chars().take_while(|c| !c.is_control()));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{self, PLAIN, assert_screen, press};
    use crate::tui::msg::{Cmd, Failure, Msg, View};
    use crate::tui::update::{start, update};

    /// An explorer that was let in never.
    fn refused() -> App {
        let mut app = fixture::app((80, 24));
        start(&mut app);
        refuse(&mut app);
        app
    }

    fn refuse(app: &mut App) {
        let request = app.invocations.rows.request.expect("a request");
        let text = "PostgreSQL refused the login to observability_readonly@db:5432/event_detector_observability: \
                    password authentication failed. Check the user and the password";
        assert_eq!(update(app, Msg::Page(request, Err(Failure::refused(text)))), []);
    }

    #[test]
    fn a_refused_login_asks_once_for_each_wish() {
        let mut app = refused();
        assert_screen("login__refused", &app);
        assert_eq!(press(&mut app, "P"), []);
        assert_screen("login__asked", &app);
        // Keys are letters of the password now.
        let commands = press(&mut app, "q1?x<BS><Enter>");
        let [Cmd::Login(password), Cmd::Page { .. }] = commands.as_slice() else { panic!("{commands:?}") };
        assert_eq!(password.clone().reveal(), "q1?");
        assert_eq!((&app.login, &app.connection, app.quit), (&None, &Connection::Connecting, false));
        refuse(&mut app);
        assert!(matches!(app.connection, Connection::Refused { .. }), "and no further attempt");
        let commands = press(&mut app, "P2<Enter>");
        let request = app.invocations.rows.request.expect("a request");
        assert_eq!(commands.len(), 2);
        update(&mut app, Msg::Page(request, Ok(crate::model::invocation::Page::default())));
        assert_eq!(app.connection, Connection::Online);
        assert_eq!(press(&mut app, "P"), []);
        assert_eq!(app.note.as_ref().map(|note| note.text.as_str()), Some("the database does not refuse the login"));
    }

    #[test]
    fn what_is_typed_is_shown_nowhere() {
        let mut app = refused();
        let empty = {
            press(&mut app, "P");
            fixture::screen(&app, &PLAIN, (80, 24))
        };
        press(&mut app, "sec");
        update(&mut app, Msg::Paste("ret\r\nsecret".to_owned()));
        assert_eq!(fixture::screen(&app, &PLAIN, (80, 24)), empty);
        assert!(!format!("{app:?}").contains("secret"));
        let commands = press(&mut app, "<Enter>");
        let [Cmd::Login(password), ..] = commands.as_slice() else { panic!("{commands:?}") };
        assert_eq!(password.clone().reveal(), "secret");
        assert!(!format!("{commands:?}").contains("secret"));
        refuse(&mut app);
        press(&mut app, "!");
        assert!(!fixture::screen(&app, &PLAIN, (120, 36)).contains("secret"));
    }

    #[test]
    fn it_can_be_given_up() {
        for keys in ["Pabc<Esc>", "Pabc C-c", "PabcC-u<Enter>", "P<Enter>"] {
            let mut app = refused();
            assert_eq!(press(&mut app, &keys.replace(' ', "")), [], "{keys}");
            assert!(app.login.is_none() && matches!(app.connection, Connection::Refused { .. }), "{keys}");
            assert!(app.view == View::Invocations && !app.quit, "{keys}");
        }
    }
}

//! The help: scrolled, and searched by words.

use crossterm::event::{KeyCode, KeyEvent};

use super::App;
use super::prompt::{Edit, Line};
use crate::tui::msg::{Action, Cmd};

/// Opens it.
pub fn open(app: &mut App) {
    app.help = Some(0);
    app.help_search = None;
}

/// What is looked for in it.
#[must_use]
pub fn wanted(app: &App) -> &str {
    app.help_search.as_ref().map_or("", Line::text)
}

/// Gives a key to the search of the help; false when none is open, or when the key is none of its own.
pub fn typed(app: &mut App, key: KeyEvent) -> bool {
    if app.help.is_none() {
        return false;
    }
    let Some(line) = &mut app.help_search else {
        let opens = key.code == KeyCode::Char('/');
        if opens {
            (app.help, app.help_search) = (Some(0), Some(Line::default()));
        }
        return opens;
    };
    match line.press(key) {
        Edit::Foreign => return false,
        Edit::Same => {}
        Edit::Changed => app.help = Some(0),
        Edit::Left => app.help_search = None,
        Edit::Done => app.help = None,
    }
    true
}

/// Puts pasted text into the search of the help; false when none is open.
pub fn pasted(app: &mut App, text: &str) -> bool {
    let Some(line) = app.help_search.as_mut().filter(|_| app.help.is_some()) else { return false };
    line.insert(text);
    app.help = Some(0);
    true
}

/// What an action does in it.
pub fn act(app: &mut App, action: Action) -> Vec<Cmd> {
    let first = app.help.unwrap_or(0);
    let page = usize::from(app.body_rows()).max(2);
    app.help = match action {
        Action::Help | Action::Back | Action::Quit | Action::Open => None,
        Action::Down => Some(first + 1),
        Action::Up => Some(first.saturating_sub(1)),
        Action::HalfDown => Some(first + page / 2),
        Action::HalfUp => Some(first.saturating_sub(page / 2)),
        Action::PageDown => Some(first + page),
        Action::PageUp => Some(first.saturating_sub(page)),
        Action::First => Some(0),
        Action::Last => Some(usize::MAX),
        _ => {
            app.close_first();
            Some(first)
        }
    };
    let last = app.settings.keys.help_rows(app.view, app.size.0, wanted(app)).saturating_sub(page);
    app.help = app.help.map(|first| first.min(last));
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};

    #[test]
    fn keys_search_and_close_it() {
        // (keys after ?, what is looked for, open)
        for (keys, found, open) in [
            ("/fail", "fail", true),
            ("/failC-u", "", true),
            ("/fail<Esc>", "", true),
            ("/fail<Esc><Esc>", "", false),
            ("/<BS>", "", true),
            ("/fail<Enter>", "fail", false),
            ("/q?", "q?", true),
        ] {
            let mut app = fixture::app((80, 24));
            press(&mut app, "?");
            press(&mut app, keys);
            assert_eq!((wanted(&app), app.help.is_some()), (found, open), "{keys}");
            press(&mut app, "<Enter>?");
            assert!(app.help != Some(0) || wanted(&app).is_empty(), "{keys}: it opens without a search");
        }
    }

    #[test]
    fn screens() {
        let mut app = fixture::app((80, 24));
        press(&mut app, "?/row");
        assert_screen("help__found", &app);
        assert_screen_at("help__found", &app, &PLAIN, (40, 12));
        press(&mut app, "zzz");
        assert_screen_at("help__nothing", &app, &fixture::THEME, (80, 24));
        press(&mut app, "C-u");
        press(&mut app, "<Esc>G");
        assert_screen_at("help__language", &app, &fixture::THEME, (80, 24));
    }
}

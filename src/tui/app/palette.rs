//! The palette: every action that this screen knows, found by typing a part of its name, and run.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::cursor::Cursor;
use super::kept::View;
use super::overlay::{Overlay, Typed};
use super::prompt::{Edit, Line};
use super::{App, filter, views};
use crate::model::filter::Filter;
use crate::tui::keymap::{BINDINGS, Binding, Group};
use crate::tui::msg::{Action, Cmd, View as Screen};

/// The palette while it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is typed.
    pub line: Line,
    /// The chosen one of what matches.
    pub at: usize,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// What a key does.
    Action(Action),
    /// Leaves without asking.
    Leave,
    /// Opens the configuration for other keys.
    EditKeys,
    /// Tells what frames cost.
    Performance,
    /// Filters the list.
    Filter(String),
    /// Shows a saved view.
    View(View),
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is typed for it. That of an action is its name in the configuration file; screens have their own.
    pub name: String,
    /// What it does, in words.
    pub help: String,
    /// Its keys.
    pub keys: String,
    /// What it does.
    pub run: Run,
}

/// Opens it.
pub(super) fn open(app: &mut App) -> Vec<Cmd> {
    app.overlay = Some(Overlay::Palette(State::default()));
    // Saved views are commands, too.
    let file = app.settings.files.views.clone().filter(|_| app.views.all.is_none() && app.view == Screen::Invocations);
    file.map(Cmd::ReadViews).into_iter().collect()
}

/// What a key does.
pub(super) fn typed(app: &mut App, mut state: State, key: KeyEvent) -> Typed {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let count = matching(app, state.line.text()).len();
    match (key.code, control) {
        (KeyCode::Down | KeyCode::Tab, _) | (KeyCode::Char('n'), true) => step(&mut state, 1, count),
        (KeyCode::Up | KeyCode::BackTab, _) | (KeyCode::Char('p'), true) => step(&mut state, count.max(1) - 1, count),
        _ => match state.line.press(key) {
            Edit::Foreign => return Typed::Foreign,
            Edit::Same => {}
            Edit::Changed => state.at = 0,
            Edit::Left => {
                app.overlay = None;
                return Typed::Taken(Vec::new());
            }
            Edit::Done => return run(app, &state),
        },
    }
    app.overlay = Some(Overlay::Palette(state));
    Typed::Taken(Vec::new())
}

/// What an action does that no key of the palette gives, as the wheel's.
pub(super) fn act(app: &mut App, mut state: State, action: Action) -> Vec<Cmd> {
    let count = matching(app, state.line.text()).len();
    let mut cursor = Cursor { at: state.at, top: 0 };
    cursor.act(action, count, count);
    state.at = cursor.at;
    app.overlay = Some(Overlay::Palette(state));
    Vec::new()
}

/// Moves the choice, round the end.
fn step(state: &mut State, by: usize, count: usize) {
    state.at = (state.at + by) % count.max(1);
}

fn run(app: &mut App, state: &State) -> Typed {
    let text = state.line.text().trim();
    let chosen = matching(app, text).into_iter().nth(state.at);
    app.overlay = None;
    match chosen.map(|entry| entry.run) {
        _ if text.is_empty() && state.at == 0 => {}
        Some(Run::Action(action)) => return Typed::Act(action),
        Some(Run::Leave) => app.quit = true,
        Some(Run::EditKeys) => match app.settings.files.config.clone() {
            Some(file) => return Typed::Taken(vec![Cmd::EditKeys(file)]),
            None => app.complain("there is no place for a configuration: set HOME or XDG_CONFIG_HOME"),
        },
        Some(Run::Performance) => return Typed::Taken(vec![Cmd::Performance]),
        Some(Run::View(view)) => return Typed::Taken(views::choose(app, view)),
        Some(Run::Filter(text)) => return Typed::Taken(filter::set(app, &text)),
        None => app.complain(format!("there is no command `{text}`")),
    }
    Typed::Taken(Vec::new())
}

/// What matches the text, the best first; all of it, in the order of the help, when there is no text.
#[must_use]
pub fn matching(app: &App, text: &str) -> Vec<Entry> {
    let wanted = text.trim().to_lowercase().replace(' ', "_");
    let mut ranked: Vec<(u32, Entry)> =
        entries(app).into_iter().filter_map(|entry| Some((rank(&wanted, &entry)?, entry))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut found: Vec<Entry> = ranked.into_iter().map(|(_, entry)| entry).collect();
    // Words with a colon are no name, but terms of the filter.
    if app.view == Screen::Invocations
        && text.contains(':')
        && let Ok(filter) = Filter::parse(text)
    {
        let (name, help) = (filter.to_string(), "show only what passes this filter".to_owned());
        found.insert(0, Entry { name, help, keys: String::new(), run: Run::Filter(text.to_owned()) });
    }
    found
}

/// All that can be run on this screen.
fn entries(app: &App) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let here = || BINDINGS.iter().filter(|binding| binding.works_in(app.view) && binding.action != Action::Palette);
    // Who types does so for the rest: keys that move are known.
    let (moves, others): (Vec<&Binding>, Vec<&Binding>) = here().partition(|binding| binding.group == Group::Move);
    for binding in others.into_iter().chain(moves) {
        let name = match binding.action {
            Action::Show(view) => format!("{view:?}").to_lowercase(),
            action => action.name(),
        };
        // One name, one thing: the lines of a node are its screen of lines.
        if entries.iter().any(|entry| entry.name == name) {
            continue;
        }
        let (help, keys) = (binding.help.to_owned(), app.settings.keys.shown(binding));
        entries.push(Entry { name, help, keys, run: Run::Action(binding.action) });
    }
    for view in views::all(app).iter().filter(|_| app.view == Screen::Invocations) {
        let (name, help) = (format!("view {}", view.name), "saved view".to_owned());
        entries.push(Entry { name, help, keys: String::new(), run: Run::View(view.clone()) });
    }
    for (name, help, run) in [
        ("keys edit", "other keys, in $EDITOR", Run::EditKeys),
        ("perf", "what frames cost: bytes, time, memory", Run::Performance),
        ("q!", "leave at once, without asking", Run::Leave),
    ] {
        entries.push(Entry { name: name.to_owned(), help: help.to_owned(), keys: String::new(), run });
    }
    entries
}

/// How well an entry matches, the best with the lowest number; nothing when it does not. Its whole name matches best,
/// then the beginning of the name, of a word of it, any part of name or help, at last letters in this order.
fn rank(wanted: &str, entry: &Entry) -> Option<u32> {
    let help = entry.help.to_lowercase().replace(' ', "_");
    let name = entry.name.to_lowercase().replace(' ', "_");
    let word_begins = |text: &str| text.match_indices(wanted).any(|(at, _)| at == 0 || text[..at].ends_with('_'));
    Some(match name.as_str() {
        name if name == wanted => 0,
        name if name.starts_with(wanted) => 1,
        name if word_begins(name) => 2,
        name if name.contains(wanted) => 3,
        _ if word_begins(&help) => 4,
        _ if help.contains(wanted) => 5,
        name => 6 + gaps(wanted, name)?,
    })
}

/// Letters between those that are wanted, where all of them come in this order.
fn gaps(wanted: &str, text: &str) -> Option<u32> {
    let (mut rest, mut gaps) = (text.chars(), 0);
    for letter in wanted.chars() {
        let passed = rest.position(|other| other == letter)?;
        gaps += u32::try_from(passed).ok()?;
    }
    Some(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::invocation::Page;
    use crate::tui::fixture::{self, PLAIN, assert_screen, assert_screen_at, press};
    use crate::tui::msg::Msg;
    use crate::tui::update::{start, update};

    fn list() -> App {
        let mut app = fixture::app((80, 24));
        let commands = start(&mut app);
        let Some(Cmd::Page { request, .. }) = commands.first() else { panic!("{commands:?}") };
        update(&mut app, Msg::Page(*request, Ok(Page { rows: fixture::listed(), more: false })));
        app
    }

    fn first(text: &str) -> String {
        matching(&list(), text).first().map_or_else(String::new, |entry| entry.name.clone())
    }

    #[test]
    fn a_part_of_a_name_or_of_its_help_is_enough() {
        for (text, name) in [
            ("flow", "flow"),
            ("charts", "charts"),
            ("LOGS", "logs"),
            ("next f", "next_failure"),
            ("next_failure", "next_failure"),
            ("nxfl", "next_failure"),
            ("newest row", "follow"),
            ("clear all", "clear_marks"),
            ("utc", "time_zone"),
            ("q", "quit"),
            ("q!", "q!"),
            ("st:failed", "st:failed"),
            ("zzz", ""),
        ] {
            assert_eq!(first(text), name, "{text}");
        }
    }

    #[test]
    fn every_action_of_a_screen_is_found_by_its_name_and_no_other() {
        for view in Screen::ALL {
            let app = App { view, ..list() };
            for binding in BINDINGS {
                let found = matching(&app, &binding.action.name());
                let is_found = found.iter().any(|entry| entry.run == Run::Action(binding.action));
                let is_view = matches!(binding.action, Action::Show(_));
                let here = binding.works_in(view)
                    || BINDINGS.iter().any(|other| other.action == binding.action && other.works_in(view));
                let expected = here && binding.action != Action::Palette && !is_view;
                assert!(is_view || is_found == expected, "{:?} in {view:?}", binding.action);
            }
        }
    }

    #[test]
    fn enter_runs_what_is_chosen() {
        let mut app = list();
        press(&mut app, ":charts<Enter>");
        assert_eq!((app.view, app.overlay), (Screen::Charts, None));
        let mut app = list();
        press(&mut app, ":mark<Enter>");
        assert_eq!(app.marks, [fixture::id(1)]);
        press(&mut app, ":mark<Down><Enter>");
        assert!(app.marks.is_empty(), "the second match clears the marks");
        press(&mut app, ":<Enter>:<Esc>:<BS>:nonsense");
        assert_eq!(app.note, None);
        press(&mut app, "<Enter>");
        assert_eq!(app.note.as_ref().unwrap().text, "there is no command `nonsense`");
        press(&mut app, ":q<Enter>");
        assert!(app.asked_to_quit && !app.quit);
        press(&mut app, ":q!<Enter>");
        assert!(app.quit);
        let mut app = list();
        press(&mut app, ":st:failed<Enter>");
        assert_eq!(app.filter.applied().to_string(), "st:failed");
    }

    #[test]
    fn saved_views_are_commands() {
        let mut app = list();
        app.settings.files.views = Some("/c/views.toml".into());
        assert_eq!(press(&mut app, ":"), [Cmd::ReadViews("/c/views.toml".into())]);
        let look = crate::tui::app::kept::Look { filter: "st:stuck".to_owned(), ..Default::default() };
        update(&mut app, Msg::Views(Ok(vec![View { name: "Stuck ones".to_owned(), look }])));
        press(&mut app, "view<Space>st<Enter>");
        assert_eq!(app.filter.applied().to_string(), "st:stuck");
    }

    #[test]
    fn screens() {
        let mut app = list();
        press(&mut app, ":");
        assert_screen("palette__all", &app);
        assert_screen_at("palette__all", &app, &PLAIN, (40, 12));
        press(&mut app, "fail<Down>");
        assert_screen("palette__typed", &app);
        press(&mut app, "xyz");
        assert_screen_at("palette__nothing", &app, &fixture::THEME, (80, 24));
    }
}

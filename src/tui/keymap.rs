//! The one table of keys. The loop looks keys up in it; the help and the footer are made from it.

mod file;
mod help;
mod notation;
mod table;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

use super::msg::{Action, View};

pub use file::{Section, with_template};
pub use help::HelpLine;
pub use notation::{Press, parse};
pub use table::BINDINGS;

/// What a binding belongs to in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Moving the cursor.
    Move,
    /// Going to another screen.
    Views,
    /// Folding, sections, failures.
    Show,
    /// Following, pausing, reading again.
    Live,
    /// Copying, reading elsewhere, writing files.
    Copy,
    /// The program.
    Program,
}

impl Group {
    /// All, in the order of the help.
    pub const ALL: [Self; 6] = [Self::Move, Self::Views, Self::Show, Self::Live, Self::Copy, Self::Program];

    /// Its title in the help.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Move => "MOVE",
            Self::Views => "SCREENS",
            Self::Show => "SHOW",
            Self::Live => "LIVE",
            Self::Copy => "TAKE AWAY",
            Self::Program => "PROGRAM",
        }
    }
}

/// What keys do, and where.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Any of these unless a person chose others ([`Keymap`]), each in the notation of the screen: `j`, `G`, `gg`,
    /// `C-d`, `<Down>`.
    pub keys: &'static [&'static str],
    /// What they do.
    pub action: Action,
    /// The screens where they do it.
    pub views: &'static [View],
    /// What the footer says; empty keeps it out. Neighbours with the same label share it.
    pub label: &'static str,
    /// What the help says.
    pub help: &'static str,
    /// Where in the help.
    pub group: Group,
}

impl Binding {
    /// Whether it works on this screen.
    #[must_use]
    pub fn works_in(&self, view: View) -> bool {
        self.views.contains(&view)
    }
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This.
    Action(Action),
    /// It begins a chord: the next key decides.
    Pending,
    /// Nothing.
    Nothing,
}

/// The table with the keys that a person chose in place of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keymap {
    changed: BTreeMap<Action, Vec<String>>,
}

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No action has that name.
    #[error("there is no action `{0}`; `obs-tui config --keys` lists all")]
    Unknown(String),
    /// This is no key.
    #[error("`{key}` of {action} is no key: write one or two such as j, G, gg, C-d, <Down>, <PgUp>, <Space>")]
    NoKey {
        /// The action.
        action: String,
        /// What was written.
        key: String,
    },
    /// Two actions want the same key on the same screen.
    #[error("`{key}` is {first} and {second} at once in {view:?}: give one of them another key")]
    Conflict {
        /// The key.
        key: String,
        /// The action that the key was given to.
        first: String,
        /// The action that has it already, or that one of its chords begins.
        second: String,
        /// Where.
        view: View,
    },
    /// There must be a way out.
    #[error("quit_now needs a key")]
    NoWayOut,
}

impl Keymap {
    /// The table with other keys for the actions of these names.
    ///
    /// # Errors
    /// An unknown action, something that is no key, or a key that means two things on one screen.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Result<Self, KeymapError> {
        let mut keymap = Self::default();
        for (name, keys) in keys {
            let found = BINDINGS.iter().map(|binding| binding.action).find(|action| action.name() == name);
            let action = found.ok_or_else(|| KeymapError::Unknown(name.to_owned()))?;
            if let Some(key) = keys.iter().find(|key| !matches!(parse(key).len(), 1 | 2)) {
                return Err(KeymapError::NoKey { action: name.to_owned(), key: key.clone() });
            }
            keymap.changed.insert(action, keys.to_vec());
        }
        if keymap.changed.get(&Action::QuitNow).is_some_and(Vec::is_empty) {
            return Err(KeymapError::NoWayOut);
        }
        keymap.check().map(|()| keymap)
    }

    /// Whether each key means one thing on each screen.
    fn check(&self) -> Result<(), KeymapError> {
        for view in View::ALL {
            let mut seen = Vec::<(Vec<Press>, Action)>::new();
            for (action, key) in self
                .bindings(view)
                .flat_map(|binding| self.keys(binding).into_iter().map(move |key| (binding.action, key)))
            {
                let chord = parse(key);
                let clashes = |(other, _): &&(Vec<Press>, _)| other.starts_with(&chord) || chord.starts_with(other);
                if let Some((_, second)) = seen.iter().find(clashes) {
                    let (key, first, second) = (key.to_owned(), action.name(), second.name());
                    return Err(KeymapError::Conflict { key, first, second, view });
                }
                seen.push((chord, action));
            }
        }
        Ok(())
    }

    /// The keys of a binding.
    #[must_use]
    pub fn keys<'a>(&'a self, binding: &'a Binding) -> Vec<&'a str> {
        match self.changed.get(&binding.action) {
            Some(keys) => keys.iter().map(String::as_str).collect(),
            None => binding.keys.to_vec(),
        }
    }

    /// Whether a person chose the keys of an action.
    #[must_use]
    pub fn is_changed(&self, action: Action) -> bool {
        self.changed.contains_key(&action)
    }

    fn bindings(&self, view: View) -> impl Iterator<Item = &'static Binding> {
        BINDINGS.iter().filter(move |binding| binding.works_in(view))
    }

    /// What a key means on a screen, after the first key of a chord if there was one. A chord that no binding knows
    /// counts as its second key alone.
    #[must_use]
    pub fn lookup(&self, view: View, pending: Option<KeyEvent>, key: KeyEvent) -> Lookup {
        let press = Press::from(key);
        let has = |binding: &Binding, meets: &dyn Fn(&[Press]) -> bool| {
            self.keys(binding).into_iter().any(|keys| meets(&parse(keys)))
        };
        let meant = |wanted: &[Press]| {
            self.bindings(view).find(|binding| has(binding, &|chord| chord == wanted)).map(|binding| binding.action)
        };
        let chord = pending.and_then(|first| meant(&[Press::from(first), press]));
        if let Some(action) = chord.or_else(|| meant(&[press])) {
            return Lookup::Action(action);
        }
        let begins = |binding| has(binding, &|chord| chord.len() == 2 && chord[0] == press);
        if self.bindings(view).any(begins) { Lookup::Pending } else { Lookup::Nothing }
    }

    /// What is said of a key that means nothing on a screen: where it means something.
    #[must_use]
    pub fn nothing(&self, view: View, pending: Option<KeyEvent>, key: KeyEvent) -> String {
        let chord: Vec<Press> = pending.into_iter().chain([key]).map(Press::from).collect();
        let name: String = chord.iter().map(|press| press.name().unwrap_or_else(|| "this key".to_owned())).collect();
        let means = |binding: &&Binding| self.keys(binding).into_iter().any(|keys| parse(keys).starts_with(&chord));
        match BINDINGS.iter().find(means) {
            Some(binding) => {
                let views: Vec<String> = binding.views.iter().map(|view| format!("{view:?}")).collect();
                format!("{name} does nothing here; in {}: {}", views.join(", "), binding.help)
            }
            None => format!("{name} is no key: {} lists all", self.key_of(view, Action::Help)),
        }
    }

    /// What the footer of a screen says, most important first: keys and label.
    #[must_use]
    pub fn footer(&self, view: View) -> Vec<(String, &'static str)> {
        let mut entries = Vec::<(String, &'static str)>::new();
        for binding in self.bindings(view).filter(|binding| !binding.label.is_empty()) {
            let Some(&key) = self.keys(binding).first() else { continue };
            match entries.last_mut() {
                Some((keys, label)) if *label == binding.label => {
                    keys.push('/');
                    keys.push_str(notation::shown(key));
                }
                _ => entries.push((notation::shown(key).to_owned(), binding.label)),
            }
        }
        entries
    }

    /// The first key of an action on a screen, as people read it; empty when there is none.
    #[must_use]
    pub fn key_of(&self, view: View, action: Action) -> String {
        let binding = self.bindings(view).find(|binding| binding.action == action);
        let first = binding.and_then(|binding| self.keys(binding).first().map(|keys| notation::shown(keys).to_owned()));
        first.unwrap_or_default()
    }

    /// The keys of a binding as the help shows them.
    #[must_use]
    pub fn shown(&self, binding: &Binding) -> String {
        self.keys(binding).into_iter().map(notation::shown).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;

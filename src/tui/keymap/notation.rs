//! How keys are written: `j`, `G`, `gg`, `C-d`, `<Down>`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key without what terminals tell differently: Shift of a letter is the capital letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Press {
    code: KeyCode,
    control: bool,
}

impl From<KeyEvent> for Press {
    fn from(key: KeyEvent) -> Self {
        Self { code: key.code, control: key.modifiers.contains(KeyModifiers::CONTROL) }
    }
}

impl Press {
    /// Its name as people read it; nothing for a key that no binding can have.
    #[must_use]
    pub fn name(self) -> Option<String> {
        let named = NAMED.iter().find(|(_, code)| *code == self.code).map(|(name, _)| shown(name).to_owned());
        let control = if self.control { "C-" } else { "" };
        match (named, self.code) {
            (Some(name), _) => Some(format!("{control}{name}")),
            (None, KeyCode::Char(c)) if !c.is_control() => Some(format!("{control}{c}")),
            (None, _) => None,
        }
    }

    /// The key event that a terminal sends for it.
    #[must_use]
    pub fn event(self) -> KeyEvent {
        let modifiers = if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        KeyEvent::new(self.code, modifiers)
    }
}

/// Names of keys that are no character.
const NAMED: [(&str, KeyCode); 15] = [
    ("<Down>", KeyCode::Down),
    ("<Up>", KeyCode::Up),
    ("<Left>", KeyCode::Left),
    ("<Right>", KeyCode::Right),
    ("<Home>", KeyCode::Home),
    ("<End>", KeyCode::End),
    ("<PgDn>", KeyCode::PageDown),
    ("<PgUp>", KeyCode::PageUp),
    ("<Enter>", KeyCode::Enter),
    ("<Esc>", KeyCode::Esc),
    ("<BS>", KeyCode::Backspace),
    ("<Tab>", KeyCode::Tab),
    ("<S-Tab>", KeyCode::BackTab),
    ("<Space>", KeyCode::Char(' ')),
    ("<Del>", KeyCode::Delete),
];

/// The presses of a notation; keys follow each other without a space, except after `C-x`.
#[must_use]
pub fn parse(notation: &str) -> Vec<Press> {
    let mut presses = Vec::new();
    let mut rest = notation;
    while let Some(first) = rest.chars().next() {
        let named = NAMED.iter().find(|(name, _)| rest.starts_with(name));
        let (press, length) = if let Some((name, code)) = named {
            (Press { code: *code, control: false }, name.len())
        } else if let Some(control) = rest.strip_prefix("C-").and_then(|after| after.chars().next()) {
            (Press { code: KeyCode::Char(control), control: true }, 2 + control.len_utf8())
        } else {
            (Press { code: KeyCode::Char(first), control: false }, first.len_utf8())
        };
        presses.push(press);
        rest = rest[length..].trim_start();
    }
    presses
}

/// A notation as people read it: without the angle brackets.
#[must_use]
pub(super) fn shown(notation: &str) -> &str {
    match notation {
        "<" | ">" => notation,
        _ => notation.strip_prefix('<').and_then(|name| name.strip_suffix('>')).unwrap_or(notation),
    }
}

//! Keys in a configuration file: the section `[keys]`, read and written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{BINDINGS, Group, Keymap};
use crate::model::text::quote_toml;
use crate::tui::msg::Action;

/// The section: names of actions, and the keys of each.
pub type Section = BTreeMap<String, Spanned<Vec<String>>>;

/// A configuration file, of which the rest is left to who reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    keys: Section,
}

/// What stands above the keys in a file that had none.
const HEAD: &str = "# Keys of the explorer: take away the # before what is to be another key, and save.\n";

impl Keymap {
    /// The table with the keys of a section.
    ///
    /// # Errors
    /// Where in the text, in bytes, and what is wrong there.
    pub fn of_section(section: &Section) -> Result<Self, (usize, String)> {
        let pairs = section.iter().map(|(name, keys)| (name.as_str(), &keys.get_ref()[..]));
        Self::new(pairs).map_err(|error| {
            let text = error.to_string();
            let named = |name: &String| text.contains(&format!("{name} ")) || text.contains(&format!("`{name}`"));
            (section.iter().find(|(name, _)| named(name)).map_or(0, |(_, keys)| keys.span().start), text)
        })
    }

    /// The table with the keys of a configuration file.
    ///
    /// # Errors
    /// What is wrong, in words, with the line.
    pub fn of_file(text: &str) -> Result<Self, String> {
        let told = |(place, error): (usize, String)| {
            let before = text.get(..place).unwrap_or_default();
            format!("line {}: {error}", before.matches('\n').count() + 1)
        };
        let file: File = toml::from_str(text).map_err(|error| {
            // Not its own form, which repeats the line: it may hold a token.
            told((error.span().map_or(0, |span| span.start), error.message().to_owned()))
        })?;
        Self::of_section(&file.keys).map_err(told)
    }

    /// The lines of a section for the actions that are wanted: name, keys, what they do.
    #[must_use]
    pub fn section(&self, wanted: impl Fn(Action) -> bool) -> String {
        let (mut text, mut done) = (String::new(), BTreeSet::new());
        for group in Group::ALL {
            for binding in BINDINGS.iter().filter(|binding| binding.group == group && wanted(binding.action)) {
                if done.insert(binding.action) {
                    let keys: Vec<String> = self.keys(binding).into_iter().map(quote_toml).collect();
                    let entry = format!("{} = [{}]", binding.action.name(), keys.join(", "));
                    text.push_str(&format!("{entry:<40} # {}\n", binding.help));
                }
            }
        }
        text
    }

    /// How many actions have other keys than the table's.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.changed.len()
    }
}

/// The text of a configuration file with all keys in it as comments, where it has none; nothing where it has, or cannot be
/// read.
#[must_use]
pub fn with_template(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    if table.contains_key("keys") {
        return None;
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let lines: String = Keymap::default().section(|_| true).lines().map(|line| format!("# {line}\n")).collect();
    Some(format!("{text}{gap}[keys]\n{HEAD}{lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_keys_gets_all_of_them_as_comments() {
        let mine = "theme = \"dark\" # mine";
        let template = with_template(mine).unwrap();
        assert!(template.starts_with("theme = \"dark\" # mine\n\n[keys]\n# Keys of the explorer"), "{template}");
        assert_eq!(Keymap::of_file(&template), Ok(Keymap::default()), "comments change nothing");
        assert_eq!(with_template(&template), None, "and are not added twice");
        let edited = template.replace("# next_failure = [\"e\"]", "next_failure = [\"Q\"]");
        assert_eq!(Keymap::of_file(&edited).map(|keys| keys.changes()), Ok(1));
        assert_eq!(with_template("theme = "), None, "who cannot be read is left alone");
    }

    #[test]
    fn all_lines_are_keys_again() {
        let section = Keymap::default().section(|_| true);
        let again = Keymap::of_file(&format!("poll_seconds = 2\n[keys]\n{section}")).unwrap();
        assert_eq!(again.section(|_| true), section);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, told) in [
            ("[keys]\nnext_failure = [\"j\"]", "line 2: `j` is next_failure and down at once"),
            ("\n[keys]\nnonsense = [\"j\"]", "line 3: there is no action `nonsense`"),
            ("[keys]\nexport = \"x\"", "line 2: "),
            ("token = \"hush\n[keys]", "line 1: "),
        ] {
            let error = Keymap::of_file(text).unwrap_err();
            assert!(error.starts_with(told) && !error.contains("hush"), "{error}");
        }
    }
}

//! The key table as the columns of the help.

use super::{BINDINGS, Binding, Group, Keymap};
use crate::model::filter::FIELDS;
use crate::tui::msg::View;

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// The title of a group.
    Title(&'static str),
    /// A binding.
    Key {
        /// Its keys.
        keys: String,
        /// What they do.
        help: &'static str,
        /// Whether they do it on this screen.
        here: bool,
    },
    /// Nothing.
    Blank,
}

/// Columns that a column of the help needs.
const COLUMN: u16 = 39;

impl Keymap {
    /// The help for a screen, in as many columns as the width allows; only lines that hold all the words that are looked
    /// for.
    #[must_use]
    pub fn help(&self, view: View, width: u16, wanted: &str) -> Vec<Vec<HelpLine>> {
        let keys = Group::ALL.into_iter().map(|group| (group.title(), self.lines(group, view)));
        let in_list = view == View::Invocations;
        let told = [("FILTER LANGUAGE", filter_lines(in_list)), ("TIME", told_lines(&TIMES, in_list))];
        let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
        let groups: Vec<Vec<HelpLine>> =
            keys.chain(told).filter_map(|(title, lines)| group(title, lines, &words)).collect();
        let count = usize::from(width / COLUMN).clamp(1, 3);
        let total: usize = groups.iter().map(Vec::len).sum();
        let mut columns = vec![Vec::new()];
        for group in groups {
            let left = count - columns.len();
            let current = columns.last_mut();
            match current {
                Some(column) if left == 0 || column.is_empty() || column.len() + group.len() / 2 <= total / count => {
                    column.extend(group);
                }
                _ => columns.push(group),
            }
        }
        columns
    }

    /// Rows of the help.
    #[must_use]
    pub fn help_rows(&self, view: View, width: u16, wanted: &str) -> usize {
        self.help(view, width, wanted).iter().map(Vec::len).max().unwrap_or(0)
    }

    fn lines(&self, group: Group, view: View) -> Vec<HelpLine> {
        let line = |binding: &Binding| HelpLine::Key {
            keys: self.shown(binding),
            help: binding.help,
            here: binding.works_in(view),
        };
        let mut lines: Vec<HelpLine> = BINDINGS.iter().filter(|binding| binding.group == group).map(line).collect();
        // What can be done here stands above what cannot.
        lines.sort_by_key(|line| !matches!(line, HelpLine::Key { here: true, .. }));
        lines
    }
}

/// The lines of a group that hold these words, below its title; nothing when there are none.
fn group(title: &'static str, lines: Vec<HelpLine>, words: &[String]) -> Option<Vec<HelpLine>> {
    let holds = |line: &HelpLine| match line {
        HelpLine::Key { keys, help, .. } => {
            let text = format!("{keys} {help}").to_lowercase();
            words.iter().all(|word| text.contains(word))
        }
        HelpLine::Title(_) | HelpLine::Blank => false,
    };
    let kept: Vec<HelpLine> = lines.into_iter().filter(holds).collect();
    let lines = || [HelpLine::Title(title)].into_iter().chain(kept.iter().cloned()).chain([HelpLine::Blank]);
    (!kept.is_empty()).then(|| lines().collect())
}

/// How terms of a filter are put together, beside its fields.
const TERMS: [(&str, &str); 6] = [
    ("a:x,y", "one of them"),
    ("-a:x", "not: -op:DELETE"),
    ("a:x*", "begins so, any case"),
    ("a:~x", "pattern: job:~send(Sms)?"),
    ("\"a b\"", "a text anywhere"),
    ("an id", "its row, however old"),
];

/// How times are written.
const TIMES: [(&str, &str); 4] = [
    ("15m 2h", "the last so long"),
    ("today", "or yesterday, or all"),
    ("12:00", "..12:30, a time of day"),
    ("date", "2026-11-20T12:00Z..+5m"),
];

fn told_lines(told: &[(&str, &'static str)], here: bool) -> Vec<HelpLine> {
    told.iter().map(|(keys, help)| HelpLine::Key { keys: (*keys).to_owned(), help, here }).collect()
}

fn filter_lines(here: bool) -> Vec<HelpLine> {
    let fields = FIELDS.iter().map(|field| HelpLine::Key { keys: field.name.to_owned(), help: field.example, here });
    fields.chain(told_lines(&TERMS, here)).collect()
}

//! What may come next while a filter is typed.

use std::fmt::Write;
use std::ops::Range;

use super::Text;
use super::display::is_bare;
use super::field::{FIELDS, Field, NumberField, TextField};

/// Completions that are offered at the most.
const MOST: usize = 50;
/// Letters of a bare word from which on values of all fields are offered.
const SEARCHED: usize = 2;

/// Names that occur in the database, most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Functions.
    pub functions: Vec<String>,
    /// Events that were detected.
    pub events: Vec<String>,
    /// Jobs.
    pub jobs: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// Tables, without the schema `public`.
    pub tables: Vec<String>,
    /// Systems.
    pub systems: Vec<String>,
}

/// A text that may stand in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The bytes that it replaces; the cursor goes behind it.
    pub replace: Range<usize>,
    /// The text.
    pub insert: String,
    /// What it is; empty for a value of the field that is typed.
    pub what: &'static str,
}

/// Completions of the term that ends at the cursor (a byte offset), best first: fields, then values. A value is found by
/// its beginning or by any part of it.
#[must_use]
pub fn complete(text: &str, cursor: usize, known: &Known) -> Vec<Completion> {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let start = start_of_term(&text[..cursor]);
    let term = &text[start..cursor];
    let start = start + usize::from(term.starts_with('-'));
    let term = &text[start..cursor];
    let mut found = match term.split_once(':').map(|(name, value)| (Field::named(name), value)) {
        Some((Some(field), value)) => {
            let (at, typed) = last_value(value);
            let from = cursor - value.len() + at;
            values(field, typed, known).map(|insert| Completion { replace: from..cursor, insert, what: "" }).collect()
        }
        _ => words(term, start..cursor, known),
    };
    found.retain(|completion| completion.insert != text[completion.replace.clone()]);
    found.truncate(MOST);
    found
}

/// Where the term begins that ends here: behind the last space outside quotes.
fn start_of_term(text: &str) -> usize {
    let mut start = 0;
    let mut open = false;
    let mut previous = ' ';
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        if open {
            (open, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if c == '"' {
            open = previous.is_whitespace() || ":,~.-".contains(previous);
        } else if c.is_whitespace() {
            start = index + c.len_utf8();
        }
        previous = c;
    }
    start
}

/// The value of a list that is being typed, and where it begins.
fn last_value(list: &str) -> (usize, &str) {
    let mut open = false;
    let mut at = 0;
    for (index, c) in list.char_indices() {
        match c {
            '"' => open = !open,
            ',' if !open => at = index + 1,
            _ => {}
        }
    }
    (at, &list[at..])
}

/// The values that fit what is typed, those that begin with it first.
fn values<'a>(field: Field, typed: &str, known: &'a Known) -> impl Iterator<Item = String> + use<'a> {
    let wanted = typed.strip_prefix('"').unwrap_or(typed).to_lowercase();
    let (fixed, names) = candidates(field, known);
    let fixed = fixed.iter().map(|name| (*name).to_owned());
    let mut all: Vec<(usize, String)> = (fixed.map(|name| (name.clone(), name)))
        .chain(names.iter().map(|name| (name.clone(), shown(name))))
        .filter_map(|(name, shown)| {
            let at = name.to_lowercase().find(&wanted)?;
            Some((at.min(1), shown))
        })
        .collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, shown)| shown)
}

fn shown(name: &str) -> String {
    if is_bare(name) {
        return name.to_owned();
    }
    let mut shown = String::new();
    // Writing to a String does not fail.
    let _ = write!(shown, "{}", super::Test::Text(TextField::Sys, vec![Text::Plain(name.to_owned())]));
    shown.split_off("sys:".len())
}

fn candidates(field: Field, known: &Known) -> (&'static [&'static str], &[String]) {
    match field {
        Field::Text(TextField::Fn) => (&[], &known.functions),
        Field::Text(TextField::Evt) => (&[], &known.events),
        Field::Text(TextField::Job) => (&[], &known.jobs),
        Field::Text(TextField::User) => (&[], &known.users),
        Field::Text(TextField::Table) => (&[], &known.tables),
        Field::Text(TextField::Sys) => (&[], &known.systems),
        Field::Text(TextField::Op) => (&["INSERT", "UPDATE", "DELETE", "MANUAL"], &[]),
        Field::St => (&["ok", "failed", "stuck", "running", "not_detected"], &[]),
        Field::At => (&["15m", "1h", "24h", "7d", "today", "yesterday", "all", "12:00..12:30", "12:00..+5m"], &[]),
        Field::Number(NumberField::Dur) => (&[">100ms", ">1s", ">10s", ">1m", "1s..10s"], &[]),
        Field::Number(NumberField::Jobs | NumberField::Fails) => (&["0", ">0", ">=2", "2..5"], &[]),
        Field::Text(TextField::Corr) | Field::Payload | Field::Id => (&[], &[]),
    }
}

/// Completions of a word without a field: fields, common terms, then values of any field that hold it.
fn words(term: &str, replace: Range<usize>, known: &Known) -> Vec<Completion> {
    let typed = term.to_lowercase();
    let one = |insert: String, what| Completion { replace: replace.clone(), insert, what };
    let fields = FIELDS.iter().filter_map(|info| {
        let fits = info.name.starts_with(&typed) || !typed.is_empty() && info.long.starts_with(&typed);
        let sign = if info.field == Field::Payload { '.' } else { ':' };
        fits.then(|| one(format!("{}{sign}", info.name), info.what))
    });
    let paths = [
        ("payload.data.new.", "a column of the row after the change"),
        ("payload.data.old.", "a column of the row before the change"),
        ("payload.session_variables.x-hasura-user-id:", "who sent it"),
        ("payload.trigger.name:", "the trigger"),
    ];
    let paths = paths.into_iter().filter(|(path, _)| typed.len() > 1 && path.starts_with(&typed));
    let times = ["15m", "today", "yesterday"].into_iter().filter(|time| !typed.is_empty() && time.starts_with(&typed));
    let mut found: Vec<_> = fields.collect();
    found.extend(paths.map(|(path, what)| one(path.to_owned(), what)));
    found.extend(times.map(|time| one(time.to_owned(), "recorded then")));
    if typed.chars().count() >= SEARCHED && !term.contains([':', '"']) {
        let named = FIELDS.iter().filter(|info| matches!(info.field, Field::Text(_) | Field::St));
        found.extend(named.flat_map(|info| {
            values(info.field, &typed, known).map(|value| one(format!("{}:{value}", info.name), info.what))
        }));
    }
    found
}

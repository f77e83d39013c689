//! What a find hits among the log lines.

use super::{State, fields, keys, rows};
use crate::logs::LogLine;
use crate::tui::app::App;
use crate::tui::app::find::Pattern;

impl State {
    /// Finds the lines that match, shown or not.
    pub(super) fn search(&mut self) {
        let is_hit = |pattern: &Pattern, i: usize| matched(&self.lines[i], pattern, self.reveal).is_some();
        self.find.hits = match &self.find.pattern {
            Some(pattern) => (0..self.lines.len()).filter(|&i| is_hit(pattern, i)).collect(),
            None => Vec::new(),
        };
    }
}

/// Where a line matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Fields,
}

fn matched(line: &LogLine, pattern: &Pattern, reveal: bool) -> Option<Part> {
    if pattern.is_match(&fields::text(&line.message, reveal)) || pattern.is_match(&line.service) {
        return Some(Part::Head);
    }
    let in_fields =
        rows::has_fields(line) && fields::rows(&line.fields, reveal).iter().any(|row| pattern.is_match(row));
    in_fields.then_some(Part::Fields)
}

/// Looks again, and shows what is to be shown then.
pub fn search(app: &mut App) {
    app.logs.search();
    let selected = app.logs.line().map(|(key, _)| key);
    app.logs.only_hits &= app.logs.find.pattern.is_some();
    app.logs.filter(selected);
    keys::settle(app);
}

/// Selects a line, and opens it when the hit is in its fields. A level that hides it is given up.
pub fn go_to_hit(app: &mut App, hit: usize) {
    if !app.logs.shown.contains(&hit) {
        app.logs.least = None;
        app.logs.filter(None);
        app.say("all levels are shown: the hit was hidden");
    }
    let state = &mut app.logs;
    let (Some(&key), Some(line), Some(pattern)) = (state.keys.get(hit), state.lines.get(hit), &state.find.pattern)
    else {
        return;
    };
    if matched(line, pattern, state.reveal) == Some(Part::Fields) {
        let rows = fields::rows(&line.fields, state.reveal);
        state.open.insert(key, rows);
    }
    let index = app.logs.shown.iter().position(|&line| line == hit);
    keys::to(app, index.unwrap_or(app.logs.selected));
}

//! Finding text in what is on the screen: a prompt of one line, the hits, and the way from hit to hit.
//!
//! Text is looked for as it is written, without regard to case; after a `~` it is a regular expression. Each screen
//! tells what matches and how to go there, in its own order.

use std::ops::Range;

use crossterm::event::KeyEvent;
use regex::{Regex, RegexBuilder};

use super::prompt::{Edit, Line};
use super::{App, detail, flow, logs};
use crate::tui::msg::{Action, View};

/// Bytes of a compiled pattern, so that nested repetitions cannot eat the memory.
const LARGEST: usize = 1 << 20;
/// So many things are searched at every key of the prompt; more of them only at Enter.
const SEARCHED_WHILE_TYPING: usize = 20_000;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Reads what was typed; nothing when that is nothing.
    ///
    /// # Errors
    /// What is wrong with the regular expression, in words.
    pub fn new(source: &str) -> Result<Option<Self>, String> {
        let expression = match source.strip_prefix('~') {
            Some(expression) => expression.to_owned(),
            None => regex::escape(source),
        };
        if expression.is_empty() {
            return Ok(None);
        }
        let regex = RegexBuilder::new(&expression).case_insensitive(true).size_limit(LARGEST).build();
        match regex {
            Ok(regex) => Ok(Some(Self { source: source.to_owned(), regex })),
            Err(regex::Error::CompiledTooBig(_)) => Err("this pattern is too large".to_owned()),
            // The last line of the message is the reason; those before it repeat the pattern.
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Err(reason)
            }
        }
    }

    /// As it was typed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Where it matches in the text.
    pub fn ranges<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

/// What is looked for on a screen, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Find {
    /// The prompt, while it is open.
    pub prompt: Option<Line>,
    /// What is looked for.
    pub pattern: Option<Pattern>,
    /// Why what was typed cannot be looked for.
    pub error: Option<String>,
    /// What matches, in the order of the screen.
    pub hits: Vec<usize>,
    /// Whether the last step went round the end.
    pub wrapped: bool,
}

impl Find {
    /// The place among the hits of the next one from a position on, or of the one before it, and whether the way went
    /// round the end. `position` tells where a hit stands.
    fn step(
        &self,
        here: Option<usize>,
        (forward, inclusive): (bool, bool),
        position: impl Fn(usize) -> usize,
    ) -> Option<(usize, bool)> {
        let last = self.hits.len().checked_sub(1)?;
        let Some(here) = here else { return Some((0, false)) };
        let before = |hit: &usize| match (forward, inclusive) {
            (true, false) => position(*hit) <= here,
            _ => position(*hit) < here,
        };
        let at = self.hits.partition_point(before);
        let found = if forward { Some(at).filter(|&at| at <= last) } else { at.checked_sub(1) };
        Some(found.map_or((if forward { 0 } else { last }, true), |at| (at, false)))
    }
}

/// The find of the screen, where it has one.
#[must_use]
pub fn of(app: &App) -> Option<&Find> {
    match app.view {
        View::Flow => Some(&app.flow.find),
        View::Detail => Some(&app.detail.find),
        View::Logs => Some(&app.logs.find),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => None,
    }
}

fn of_mut(app: &mut App) -> Option<&mut Find> {
    match app.view {
        View::Flow => Some(&mut app.flow.find),
        View::Detail => Some(&mut app.detail.find),
        View::Logs => Some(&mut app.logs.find),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => None,
    }
}

/// Which hit is selected, counted from 1.
#[must_use]
pub fn selected(app: &App) -> Option<usize> {
    let find = of(app)?;
    let here = here(app)?;
    find.hits.binary_search_by_key(&here, |&hit| position(app, hit)).ok().map(|at| at + 1)
}

/// Opens the prompt, closes it, or goes from hit to hit; false when the action means something else.
pub fn act(app: &mut App, action: Action) -> bool {
    match action {
        // There they go to spikes.
        Action::NextHit | Action::PreviousHit if app.view == View::Charts => return false,
        Action::Find => {
            if let Some(find) = of_mut(app) {
                find.prompt = Some(Line::default());
                find.error = None;
            }
        }
        Action::NextHit | Action::PreviousHit if of(app).is_some_and(|find| find.pattern.is_none()) => {
            app.say("nothing is looked for: / finds");
        }
        Action::NextHit => step(app, true, false),
        Action::PreviousHit => step(app, false, false),
        _ => return false,
    }
    true
}

/// Ends the find of the screen; false when there is none.
pub fn clear(app: &mut App) -> bool {
    let Some(find) = of_mut(app).filter(|find| find.pattern.is_some()) else { return false };
    *find = Find::default();
    search(app);
    true
}

/// Gives a key to the prompt; false when none is open, or when the key is none of a prompt's.
pub fn typed(app: &mut App, key: KeyEvent) -> bool {
    let quick = size(app) <= SEARCHED_WHILE_TYPING;
    let Some(find) = of_mut(app) else { return false };
    let Some(prompt) = &mut find.prompt else { return false };
    let edit = prompt.press(key);
    if edit == Edit::Foreign {
        return false;
    }
    edited(app, edit, quick);
    true
}

/// Puts pasted text into the prompt; false when none is open.
pub fn pasted(app: &mut App, text: &str) -> bool {
    let quick = size(app) <= SEARCHED_WHILE_TYPING;
    let Some(prompt) = of_mut(app).and_then(|find| find.prompt.as_mut()) else { return false };
    prompt.insert(text);
    edited(app, Edit::Changed, quick);
    true
}

/// Does what was done to the prompt.
fn edited(app: &mut App, edit: Edit, quick: bool) {
    let Some(prompt) = of(app).and_then(|find| find.prompt.as_ref()) else { return };
    let pattern = Pattern::new(prompt.text());
    app.note = None;
    let Some(find) = of_mut(app) else { return };
    match edit {
        Edit::Foreign | Edit::Same => {}
        Edit::Left => {
            *find = Find::default();
            search(app);
        }
        Edit::Changed => {
            let prompt = find.prompt.take();
            let error = pattern.as_ref().err().cloned();
            let pattern = pattern.ok().flatten().filter(|_| quick);
            *find = Find { prompt, pattern, error, ..Find::default() };
            search(app);
        }
        Edit::Done => match pattern {
            Ok(None) => *find = Find::default(),
            Err(error) => find.error = Some(error),
            Ok(pattern) => {
                *find = Find { pattern, ..Find::default() };
                search(app);
                step(app, true, true);
            }
        },
    }
}

fn step(app: &mut App, forward: bool, inclusive: bool) {
    let here = here(app);
    let Some(find) = of(app) else { return };
    let Some((at, wrapped)) = find.step(here, (forward, inclusive), |hit| position(app, hit)) else { return };
    let hit = find.hits[at];
    if let Some(find) = of_mut(app) {
        find.wrapped = wrapped;
    }
    match app.view {
        View::Flow => flow::go_to_hit(app, hit),
        View::Detail => detail::go_to_hit(app, hit),
        View::Logs => logs::go_to_hit(app, hit),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => {}
    }
}

/// Looks again on the screen.
fn search(app: &mut App) {
    match app.view {
        View::Flow => app.flow.search(),
        View::Detail => detail::search(app),
        View::Logs => logs::search(app),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => {}
    }
}

/// How many things a search looks at.
fn size(app: &App) -> usize {
    match app.view {
        View::Flow => app.flow.flow.value.as_ref().map_or(0, |flow| flow.nodes.len()),
        View::Detail => detail::searched(app),
        View::Logs => app.logs.lines.len(),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => 0,
    }
}

/// Where the selection stands, in the order of the screen.
fn here(app: &App) -> Option<usize> {
    match app.view {
        View::Flow => {
            let node = app.flow.line().and_then(|line| app.flow.place_of(line))?;
            Some(app.flow.overview.place(node))
        }
        View::Detail => detail::selected_thing(app),
        View::Logs => app.logs.shown.get(app.logs.selected).copied(),
        View::Invocations | View::Charts | View::Jobs | View::Failures | View::Compare => None,
    }
}

/// Where a hit stands, in the order of the screen.
fn position(app: &App, hit: usize) -> usize {
    if app.view == View::Flow { app.flow.overview.place(hit) } else { hit }
}

#[cfg(test)]
mod tests;

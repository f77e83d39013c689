//! The range of time: a choice of lengths, a line for any other, and shifting it.

use chrono::{DateTime, Days, TimeDelta, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{apply, query};
use crate::model::filter::{Moment, Period, TimeRange};
use crate::tui::app::App;
use crate::tui::app::overlay::Overlay;
use crate::tui::app::prompt::{Edit, Line};
use crate::tui::msg::Cmd;

/// The lengths that are offered.
pub const LENGTHS: [&str; 7] = ["15m", "1h", "6h", "24h", "7d", "30d", "all"];

/// The choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// The selected length.
    pub at: usize,
    /// A range that is typed, which is taken instead.
    pub line: Line,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// Opens the choice on the range that applies.
pub(super) fn open(app: &mut App) {
    let now = app.filter.applied.times().flatten().next();
    let at = LENGTHS.iter().position(|text| TimeRange::parse(text).ok().as_ref() == now).unwrap_or(0);
    app.overlay = Some(Overlay::Range(Menu { at, ..Menu::default() }));
}

/// Gives a key to the choice; nothing when it is none of its own.
pub fn typed(app: &mut App, mut menu: Menu, key: KeyEvent) -> Option<Vec<Cmd>> {
    // No time begins with these two, which move as everywhere.
    let moves = menu.line.text().is_empty() && !key.modifiers.contains(KeyModifiers::CONTROL);
    let edit = match key.code {
        KeyCode::Down | KeyCode::Tab => Some(true),
        KeyCode::Up | KeyCode::BackTab => Some(false),
        KeyCode::Char('j') if moves => Some(true),
        KeyCode::Char('k') if moves => Some(false),
        _ => None,
    };
    if let Some(down) = edit {
        menu.at = if down { (menu.at + 1).min(LENGTHS.len() - 1) } else { menu.at.saturating_sub(1) };
        menu.line = Line::default();
        menu.error = None;
        app.overlay = Some(Overlay::Range(menu));
        return Some(Vec::new());
    }
    match menu.line.press(key) {
        Edit::Foreign => return None,
        Edit::Left => {
            app.overlay = None;
            return Some(Vec::new());
        }
        Edit::Done => {
            let typed = menu.line.text().trim();
            let text = if typed.is_empty() { LENGTHS[menu.at] } else { typed };
            match TimeRange::parse(text) {
                Ok(range) => {
                    app.overlay = None;
                    return Some(set(app, range));
                }
                Err(error) => menu.error = Some(error),
            }
        }
        Edit::Changed => menu.error = None,
        Edit::Same => {}
    }
    app.overlay = Some(Overlay::Range(menu));
    Some(Vec::new())
}

/// Takes another range. All time needs to be said only where another one would apply by itself.
fn set(app: &mut App, range: TimeRange) -> Vec<Cmd> {
    let bare = app.filter.applied.clone().at(None);
    let unsaid = range == TimeRange::All && bare.search_since(app.now).is_none();
    let filter = if unsaid { bare } else { bare.at(Some(range)) };
    apply(app, filter)
}

/// Whether a range that ends there is meant to end now: since it was shifted away from now, time has gone on a little.
pub(in crate::tui::app) fn ends_now(until: DateTime<Utc>, length: TimeDelta, now: DateTime<Utc>) -> bool {
    (now - until).abs() < length / 10
}

/// Shifts the range by its length; at now it follows the time again, and a day that is not over is today.
pub(super) fn shift(app: &mut App, later: bool) -> Vec<Cmd> {
    let (now, filter) = (app.now, query(app));
    let times: Vec<&TimeRange> = filter.times().flatten().collect();
    let period = match times[..] {
        [] => Period { since: filter.search_since(now), until: None },
        [range] => range.resolve(now, app.filter.zone()),
        _ => Period { since: None, until: None },
    };
    let Some(since) = period.since else {
        app.say("there is no one range to shift: t chooses one");
        return Vec::new();
    };
    let until = period.until.unwrap_or(now);
    let length = (until - since).max(TimeDelta::seconds(1));
    if later && until >= now {
        app.say("the range already ends now");
        return Vec::new();
    }
    let zone = app.filter.zone();
    let day = |at: DateTime<Utc>| zone.is_midnight(at).then(|| zone.local(at).date());
    // Whole days stay so, however many hours a day has.
    let days = day(since).zip(day(until)).and_then(|(since, until)| u64::try_from((until - since).num_days()).ok());
    let shifted = |at: DateTime<Utc>| match days.filter(|days| *days > 0) {
        Some(days) => {
            let (date, by) = (zone.local(at).date(), Days::new(days));
            let other = if later { date.checked_add_days(by) } else { date.checked_sub_days(by) };
            other.map(|date| zone.midnight(date))
        }
        None => at.checked_add_signed(if later { length } else { -length }),
    };
    let Some((since, until)) = shifted(since).zip(shifted(until)) else { return Vec::new() };
    let range = if days == Some(1) && since <= now && now < until {
        TimeRange::Of(Moment::Today)
    } else if ends_now(until, length, now) {
        TimeRange::Of(Moment::Ago(length))
    } else {
        TimeRange::exact(Period { since: Some(since), until: Some(until) })
    };
    let filter = app.filter.applied.clone().at(Some(range));
    apply(app, filter)
}

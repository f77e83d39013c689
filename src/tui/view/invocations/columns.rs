//! Columns of the list: which, how wide, and what stands in them.

use std::borrow::Cow;

use chrono::TimeDelta;

use crate::model::correlation;
use crate::model::invocation::Listed;
use crate::model::status::{Effective, Recorded};
use crate::model::text::{age, clean, duration};
use crate::tui::app::App;
use crate::tui::theme::Theme;
use crate::tui::view::frame::fit;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    ShortTime,
    Status,
    Function,
    Trigger,
    User,
    Events,
    Jobs,
    Duration,
    Correlation,
    ShortCorrelation,
}

/// The prefix that functions of this field share; it is cut first.
const PREFIX: &str = "event-detector-";

/// The columns for a width, with their own widths. What matters least goes first: the user, then the name in the
/// correlation id, then the id itself, the trigger, the counts.
pub(super) fn columns(width: u16) -> Vec<(Column, u16)> {
    use Column::*;
    let mut columns = match width {
        100.. => vec![
            (Time, 12),
            (Status, 7),
            (Function, 0),
            (Trigger, 0),
            (User, 0),
            (Events, 6),
            (Jobs, 6),
            (Duration, 8),
            (Correlation, 15),
        ],
        72.. => vec![
            (Time, 12),
            (Status, 7),
            (Function, 0),
            (Trigger, 0),
            (Events, 5),
            (Jobs, 6),
            (Duration, 8),
            (ShortCorrelation, 7),
        ],
        58.. => vec![(ShortTime, 8), (Status, 7), (Function, 0), (Trigger, 0), (Jobs, 6), (Duration, 8)],
        _ => vec![(ShortTime, 8), (Status, 7), (Function, 0), (Duration, 8)],
    };
    let fixed: u16 = columns.iter().map(|(_, width)| width + 1).sum();
    let spare = width.saturating_sub(1 + fixed);
    let weight = |column: Column| match column {
        Function => 20,
        Trigger if width < 100 => 18,
        Trigger => 16,
        User => 20,
        _ => 0,
    };
    let total: u16 = columns.iter().map(|(column, _)| weight(*column)).sum();
    let mut left = spare;
    for (column, width) in columns.iter_mut().rev().filter(|(column, _)| weight(*column) > 0) {
        *width = if *column == Function { left } else { spare * weight(*column) / total };
        left -= *width;
    }
    columns
}

impl Column {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Time | Self::ShortTime => "TIME v",
            Self::Status => "STATUS",
            Self::Function => "FUNCTION",
            Self::Trigger => "TRIGGER",
            Self::User => "USER",
            Self::Events => "EVT",
            Self::Jobs => "JOBS",
            Self::Duration => "DURATION",
            Self::Correlation => "CORRELATION",
            Self::ShortCorrelation => "CORR",
        }
    }

    pub(super) fn is_right(self) -> bool {
        matches!(self, Self::Events | Self::Jobs | Self::Duration)
    }

    /// What stands in it, safe for a terminal.
    pub(super) fn text<'a>(self, app: &App, theme: &Theme, listed: &'a Listed, width: u16) -> Cow<'a, str> {
        let invocation = &listed.invocation;
        match self {
            Self::Time => time(app, listed, "%H:%M:%S%.3f", "%m-%d %H:%M").into(),
            Self::ShortTime => time(app, listed, "%H:%M:%S", "%m-%d").into(),
            Self::Status => {
                let effective = listed.verdict(app.data_time(), app.settings.stale_after).effective;
                status(theme, effective).into()
            }
            Self::Function => function(&invocation.source_function, width),
            Self::Trigger => clean(&invocation.trigger()).into_owned().into(),
            Self::User => clean(invocation.source_user_email.as_deref().unwrap_or_default()),
            Self::Events => match &listed.children {
                children if children.events_checked == 0 => "-".into(),
                children => format!("{}/{}", children.events_detected, children.events_checked).into(),
            },
            Self::Jobs => jobs(theme, listed).into(),
            Self::Duration => elapsed(app, listed).into(),
            Self::Correlation => match invocation.correlation_id.as_deref().map(correlation::split) {
                // The id matters more than the name before it.
                Some((Some(name), Some(id))) => {
                    let id = correlation::short_id(id, 8);
                    let room = usize::from(width).saturating_sub(id.len() + 1);
                    format!("{}.{}", fit(&clean(name), room, theme), clean(id)).into()
                }
                Some((None, Some(id))) => clean(correlation::short_id(id, 8)),
                Some((name, id)) => clean(id.or(name).unwrap_or_default()),
                None => "-".into(),
            },
            Self::ShortCorrelation => {
                let chain = invocation.correlation_id.as_deref().unwrap_or("-");
                match correlation::split(chain) {
                    (_, Some(id)) => clean(correlation::short_id(id, 7)).into_owned().into(),
                    _ => clean(chain),
                }
            }
        }
    }
}

/// Mark and word: neither needs colour.
pub(super) fn status(theme: &Theme, effective: Effective) -> String {
    format!("{} {}", theme.glyphs().mark(effective), Theme::word(effective))
}

/// The time of day; the date where it is another day.
fn time(app: &App, listed: &Listed, today: &str, earlier: &str) -> String {
    let (at, now) = (app.local(listed.invocation.created_at), app.local(app.now));
    let form = if at.date() == now.date() { today } else { earlier };
    at.format(form).to_string()
}

fn function(name: &str, width: u16) -> Cow<'_, str> {
    match name.strip_prefix(PREFIX) {
        Some(rest) if usize::from(width) < name.len() && !rest.is_empty() => format!("..{}", clean(rest)).into(),
        _ => clean(name),
    }
}

/// `3`, `2 x1` (one failed), `3>1` (one running), `3?1` (one stuck); the first number is those that ended well.
fn jobs(theme: &Theme, listed: &Listed) -> String {
    let jobs = listed.jobs();
    if jobs.run == 0 {
        return "-".to_owned();
    }
    let mut text = jobs.ok.to_string();
    let mark = |effective| theme.glyphs().mark(effective);
    for (count, effective) in [(jobs.running, Effective::Running), (jobs.stuck, Effective::Stuck)] {
        if count > 0 {
            text.push_str(&format!("{}{count}", mark(effective)));
        }
    }
    if jobs.failed > 0 {
        text.push_str(&format!(" {}{}", mark(Effective::Failed), jobs.failed));
    }
    text
}

/// The duration; with dots behind it while it grows, and only its size where it will never end.
pub(super) fn elapsed(app: &App, listed: &Listed) -> String {
    let invocation = &listed.invocation;
    let unfinished = invocation.total_duration_ms.is_none() && !Recorded::parse(&invocation.status).is_finished();
    let effective = listed.verdict(app.data_time(), app.settings.stale_after).effective;
    match listed.duration_ms(app.data_time()) {
        Some(ms) if unfinished && effective == Effective::Stuck => {
            format!(">{}", age(TimeDelta::try_milliseconds(ms).unwrap_or(TimeDelta::MAX)))
        }
        // In tenths: it is looked at every other second.
        Some(ms) if unfinished && ms < 60_000 => format!("{}.{}s..", ms / 1_000, ms % 1_000 / 100),
        Some(ms) if unfinished => format!("{}..", duration(ms)),
        Some(ms) => duration(ms),
        None => "-".to_owned(),
    }
}

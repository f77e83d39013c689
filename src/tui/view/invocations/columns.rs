//! Columns of the list: which, how wide, and what stands in them.

use std::borrow::Cow;

use chrono::TimeDelta;

use crate::model::correlation;
use crate::model::invocation::{JobCounts, Listed};
use crate::model::status::{Effective, Recorded};
use crate::model::text::{age, ago, clean, duration};
use crate::model::time;
use crate::tui::app::App;
use crate::tui::app::columns::{Column, NEWEST_FIRST};
use crate::tui::theme::Theme;
use crate::tui::view::frame::{fit, keep_end};

/// The prefix that functions of this field share; it is cut first.
const PREFIX: &str = "event-detector-";

/// What goes first where there is no room for all, with the columns that it needs at the least.
const LEAVE: [(Column, u16); 9] = [
    (Column::User, 12),
    (Column::Correlation, 7),
    (Column::Events, 5),
    (Column::Trigger, 8),
    (Column::Payload, 8),
    (Column::Jobs, 6),
    (Column::Time, 8),
    (Column::Status, 7),
    (Column::Duration, 8),
];
/// Columns that a function needs at the least.
const FUNCTION: u16 = 12;

/// The chosen columns for a width, with their own widths. What matters least goes first: the user, then the correlation
/// id, the counts, the trigger.
pub(super) fn columns(app: &App, width: u16) -> Vec<(Column, u16)> {
    let mut columns: Vec<(Column, u16)> = app.columns.shown().map(|column| (column, fixed(column, width))).collect();
    let sorted = app.columns.sort.map(|sort| sort.column);
    for (column, width) in columns.iter_mut().filter(|(column, width)| Some(*column) == sorted && *width > 0) {
        let head = head(*column, *width).len() + 2;
        *width = (*width).max(u16::try_from(head).unwrap_or(u16::MAX));
    }
    let least = |(column, width): &(Column, u16)| match column {
        Column::Function => FUNCTION,
        Column::Trigger | Column::User | Column::Payload => {
            LEAVE.iter().find(|(other, _)| other == column).map_or(0, |(_, least)| *least)
        }
        _ => *width,
    };
    let needed = |columns: &[(Column, u16)]| columns.iter().map(|column| least(column) + 1).sum::<u16>();
    for (leaving, _) in LEAVE {
        if columns.len() > 1 && needed(&columns) > width {
            columns.retain(|(column, _)| *column != leaving);
        }
    }
    share(&mut columns, width);
    columns
}

/// The width of a column that does not take what is left.
fn fixed(column: Column, width: u16) -> u16 {
    match column {
        Column::Time if width >= 72 => 12,
        Column::Time => 8,
        Column::Status => 7,
        Column::Events if width < 100 => 5,
        Column::Events | Column::Jobs => 6,
        Column::Duration => 8,
        Column::Correlation if width < 100 => SHORT_ID,
        Column::Correlation => 15,
        Column::Function | Column::Trigger | Column::User | Column::Payload => 0,
    }
}

/// Shares what is left among function, trigger and user.
fn share(columns: &mut [(Column, u16)], width: u16) {
    let fixed: u16 = columns.iter().map(|(_, width)| width + 1).sum();
    let spare = width.saturating_sub(1 + fixed);
    let weight = |column: Column| match column {
        Column::Function | Column::User => 20,
        Column::Trigger if width < 100 => 18,
        Column::Trigger | Column::Payload => 16,
        _ => 0,
    };
    let total: u16 = columns.iter().map(|(column, _)| weight(*column)).sum();
    // What rounding leaves over is the function's, or that of the first one.
    let is_function = |(column, _): &(Column, u16)| *column == Column::Function;
    let takes_rest =
        columns.iter().position(is_function).or(columns.iter().position(|(column, _)| weight(*column) > 0));
    let mut left = spare;
    for at in (0..columns.len()).rev().filter(|at| Some(*at) != takes_rest) {
        let weight = weight(columns[at].0);
        if weight > 0 {
            columns[at].1 = spare * weight / total;
            left -= columns[at].1;
        }
    }
    if let Some(at) = takes_rest {
        columns[at].1 = left;
    }
}

/// Columns of a correlation id without the name before it.
const SHORT_ID: u16 = 7;

/// The head of a column; the one that the rows are sorted by says so.
pub(super) fn title(app: &App, column: Column, width: u16, theme: &Theme) -> String {
    let sort = app.columns.sort.unwrap_or(NEWEST_FIRST);
    let room = usize::from(width).saturating_sub(if sort.column == column { 2 } else { 0 });
    let path = clean(app.columns.payload.path());
    // The last names of a path say most.
    let title = if column == Column::Payload { keep_end(&path, room, theme) } else { head(column, width).into() };
    if sort.column != column {
        return title.into_owned();
    }
    let mark = if sort.descends() { "v" } else { "^" };
    if is_right(column) { format!("{mark} {title}") } else { format!("{title} {mark}") }
}

fn head(column: Column, width: u16) -> &'static str {
    if column == Column::Correlation && width <= SHORT_ID { "CORR" } else { column.title() }
}

pub(super) fn is_right(column: Column) -> bool {
    matches!(column, Column::Events | Column::Jobs | Column::Duration)
}

/// What stands in a column, safe for a terminal.
pub(super) fn text<'a>(column: Column, app: &'a App, theme: &Theme, listed: &'a Listed, width: u16) -> Cow<'a, str> {
    let invocation = &listed.invocation;
    match column {
        Column::Time if width >= 12 => time(app, listed, "%H:%M:%S%.3f", "%m-%d %H:%M").into(),
        Column::Time => time(app, listed, "%H:%M:%S", "%m-%d").into(),
        Column::Status => {
            let effective = listed.verdict(app.data_time(), app.settings.stale_after).effective;
            status(theme, effective).into()
        }
        Column::Function => function(&invocation.source_function, width),
        Column::Trigger => {
            let trigger = invocation.trigger();
            let trigger = clean(&trigger);
            match invocation.delivery.others {
                0 => trigger.into_owned().into(),
                others => format!("{}x {trigger}", u32::from(others) + 1).into(),
            }
        }
        Column::User => clean(invocation.source_user_email.as_deref().unwrap_or_default()),
        Column::Events => match &listed.children {
            children if children.events_checked == 0 => "-".into(),
            children => {
                let more = if children.more_events { "+" } else { "" };
                format!("{}/{}{more}", children.events_detected, children.events_checked).into()
            }
        },
        Column::Jobs => jobs(theme, &listed.jobs(app.data_time(), app.settings.stale_after)).into(),
        Column::Duration => elapsed(app, listed).into(),
        Column::Payload => clean(app.columns.payload.value(invocation.id).unwrap_or_default()),
        Column::Correlation => chain(invocation.correlation_id.as_deref(), width, theme),
    }
}

fn chain<'a>(chain: Option<&'a str>, width: u16, theme: &Theme) -> Cow<'a, str> {
    let Some(chain) = chain else { return "-".into() };
    let digits = if width <= SHORT_ID { usize::from(SHORT_ID) } else { 8 };
    match correlation::split(chain) {
        (_, Some(id)) if width <= SHORT_ID => clean(correlation::short_id(id, digits)),
        _ if width <= SHORT_ID => clean(chain),
        // The id matters more than the name before it.
        (Some(name), Some(id)) => {
            let id = correlation::short_id(id, digits);
            let room = usize::from(width).saturating_sub(id.len() + 1);
            format!("{}.{}", fit(&clean(name), room, theme), clean(id)).into()
        }
        (None, Some(id)) => clean(correlation::short_id(id, digits)),
        (name, None) => clean(name.unwrap_or_default()),
    }
}

/// Mark and word: neither needs colour.
pub(super) fn status(theme: &Theme, effective: Effective) -> String {
    format!("{} {}", theme.glyphs().mark(effective), Theme::word(effective))
}

/// The time of day, the date where it is another day; or how long ago it was.
fn time(app: &App, listed: &Listed, today: &str, earlier: &str) -> String {
    let created_at = listed.invocation.created_at;
    if app.ages {
        return time::word(created_at).map_or_else(|| ago(app.now - created_at), Cow::into_owned);
    }
    let (at, now) = (app.local(created_at), app.local(app.now));
    let form = match (at.date() == now.date(), app.is_of_another_year(created_at)) {
        (true, _) => today,
        (_, true) => "%Y-%m-%d",
        _ => earlier,
    };
    app.shown(created_at, form).to_string()
}

fn function(name: &str, width: u16) -> Cow<'_, str> {
    match name.strip_prefix(PREFIX) {
        Some(rest) if usize::from(width) < name.len() && !rest.is_empty() => format!("..{}", clean(rest)).into(),
        _ => clean(name),
    }
}

/// `3`, `2 x1` (one failed), `3>1` (one running), `3?1` (one stuck); the first number is those that ended well.
fn jobs(theme: &Theme, jobs: &JobCounts) -> String {
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
    if jobs.at_least {
        text.push('+');
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

//! The charts in words: numbers, the step under the cursor, JSON and CSV to take away.

use std::fmt::Write as _;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::model::hourly::{Column, Hourly, Known, Step, Sum};
use crate::model::text::{clean, duration};
use crate::model::time;
use crate::tui::app::App;

/// A count with separators: `18,402`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured number of milliseconds, or `-`.
#[must_use]
pub fn milliseconds(ms: Option<f64>) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and shown rounded")]
    ms.filter(|ms| ms.is_finite()).map_or_else(|| "-".to_owned(), |ms| duration(ms.round() as i64))
}

/// A percentile: `~` before an estimate, `at_most` before an upper bound, `-` where it is not known.
#[must_use]
pub fn percentile(value: Option<(f64, Known)>, at_most: &str) -> String {
    let Some((ms, known)) = value.filter(|(ms, _)| ms.is_finite()) else { return "-".to_owned() };
    let sign = match known {
        Known::Exactly => "",
        Known::About => "~",
        Known::AtMost => at_most,
    };
    format!("{sign}{}", milliseconds(Some(ms)))
}

/// The time of a column: `09:00-10:00`, with days where `days` says so.
#[must_use]
pub fn time_of(app: &App, column: &Column, days: bool) -> String {
    let (from, to) = (app.local(column.from), app.local(column.to));
    let end = if days && column.to - column.from > TimeDelta::days(1) {
        to.format("%a %d %H:%M")
    } else {
        to.format("%H:%M")
    };
    format!("{}-{end}", from.format(if days { "%a %d %H:%M" } else { "%H:%M" }))
}

/// What a column says in words, in at most `width` columns: what is less wanted goes first where there is no room.
#[must_use]
pub fn words(app: &App, column: &Column, at_most: &str, width: usize) -> String {
    let sum = &column.sum;
    let state = &app.charts;
    let span = state.steps.last().zip(state.steps.first()).map_or(TimeDelta::zero(), |(last, first)| last.0 - first.0);
    let hours = time_of(app, column, span > TimeDelta::days(1));
    let so_far = if column.to > app.now || state.is_partial(column) { " so far" } else { "" };
    if state.is_missing(column) {
        return format!("{hours}  not counted yet");
    }
    if sum.total == 0 {
        return format!("{hours}  no invocations{so_far}");
    }
    let max = sum.max_ms.map_or_else(|| "-".to_owned(), duration);
    let mut counts = format!("{hours}  {} inv{so_far}", count(sum.total));
    let failed = format!("  {} failed {}", count(sum.failed), sum.failed_percent());
    let open = if sum.open() > 0 { format!("  {} open", count(sum.open())) } else { String::new() };
    counts.push_str(&failed);
    let middle = match sum.p50() {
        None => format!("  avg {}", milliseconds(sum.avg_ms)),
        p50 => format!("  p50 {}", percentile(p50, at_most)),
    };
    let tail = format!("  p95 {}  max {max}", percentile(sum.p95(), at_most));
    let full = format!("{counts}{open}{middle}{tail}");
    let tries = [full, format!("{counts}{middle}{tail}")];
    let fits = tries.into_iter().find(|text| text.chars().count() <= width);
    fits.unwrap_or_else(|| format!("{counts}{tail}"))
}

/// A column as JSON.
#[must_use]
pub fn as_json(app: &App, column: &Column) -> Value {
    let sum = &column.sum;
    let how = |value: Option<(f64, Known)>| {
        value.map(|(_, known)| match known {
            Known::Exactly => "exact",
            Known::About => "about",
            Known::AtMost => "at_most",
        })
    };
    json!({
        "from": column.from.to_rfc3339(), "to": column.to.to_rfc3339(),
        "function": app.charts.only, "invocations": sum.total, "ok": sum.ok,
        "failed": sum.failed, "open": sum.open(), "events_detected": sum.events_detected, "jobs_run": sum.jobs_run,
        "avg_ms": sum.avg_ms, "p50_ms": sum.p50().map(|(ms, _)| ms), "p50_is": how(sum.p50()),
        "p95_ms": sum.p95().map(|(ms, _)| ms), "p95_is": how(sum.p95()), "max_ms": sum.max_ms,
    })
}

/// All numbers of the range as CSV, a line for each step and function.
#[must_use]
pub fn csv(hourly: &Hourly, only: Option<&str>) -> String {
    let mut text = String::from(
        "from,minutes,function,invocations,ok,failed,open,events_detected,jobs_run,avg_ms,p50_ms,p95_ms,max_ms\n",
    );
    for bucket in hourly.buckets.iter().filter(|bucket| only.is_none_or(|name| name == bucket.function)) {
        let number = |ms: Option<f64>| ms.filter(|ms| ms.is_finite()).map_or_else(String::new, |ms| format!("{ms:.1}"));
        let (at, minutes) = (time::rfc3339(bucket.at, chrono::SecondsFormat::Secs), minutes(hourly.step));
        let (function, open) = (field(&bucket.function), Sum::from(bucket).open());
        // A text cannot refuse to be written to.
        let _ = writeln!(
            text,
            "{at},{minutes},{function},{},{},{},{open},{},{},{},{},{},{}",
            bucket.total,
            bucket.ok,
            bucket.failed,
            bucket.events_detected,
            bucket.jobs_run,
            number(bucket.avg_ms),
            number(bucket.p50_ms),
            number(bucket.p95_ms),
            bucket.max_ms.map_or_else(String::new, |ms| ms.to_string()),
        );
    }
    text
}

fn minutes(step: Step) -> i64 {
    step.length().num_minutes()
}

/// A text as a field: in quotes, and never what a spreadsheet takes for a formula.
fn field(text: &str) -> String {
    let text = clean(text);
    let apostrophe = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_no_formulas_and_cannot_end_early() {
        assert_eq!(field("a\"b"), "\"a\"\"b\"");
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert!(!field("\u{1b}[2J").contains('\u{1b}'));
    }
}

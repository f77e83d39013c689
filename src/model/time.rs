//! Moments as rows hold them. PostgreSQL knows `infinity`, `-infinity` and years up to 294276; the calendar here ends
//! at 262142, and sums of times must not leave it. So the infinities are two moments of it, and the years from 260000 on
//! are told by nanoseconds instead of microseconds: each time keeps its place in the order and can be sent back as it
//! was, and 2,000 years are left on either side for arithmetic. Here stands how they are written.

use std::borrow::Cow;
use std::fmt;

use chrono::format::{DelayedFormat, StrftimeItems};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::Serializer;

/// `infinity`.
pub const INFINITY: DateTime<Utc> = first_of(260_100);
/// `-infinity`.
pub const MINUS_INFINITY: DateTime<Utc> = first_of(-260_100);
/// From here on a nanosecond stands for a microsecond.
const FAR: DateTime<Utc> = first_of(260_000);
/// Where that ends: PostgreSQL ends before.
const FAR_END: DateTime<Utc> = first_of(260_040);
/// A moment of a log line after all that its clock can count.
const AFTER: DateTime<Utc> = first_of(260_060);
/// A moment of a log line before all that its clock can count.
const BEFORE: DateTime<Utc> = first_of(-260_060);
/// Where PostgreSQL begins to count.
const EPOCH: DateTime<Utc> = first_of(2000);
/// Microseconds from there to [`FAR`].
const FAR_MICROS: i64 = FAR.timestamp_micros() - EPOCH.timestamp_micros();
/// Years and their microseconds after which a calendar repeats.
const CYCLE: (i64, i64) = (400, 146_097 * 86_400_000_000);

const fn first_of(year: i32) -> DateTime<Utc> {
    match NaiveDate::from_ymd_opt(year, 1, 1) {
        Some(date) => NaiveDateTime::new(date, NaiveTime::MIN).and_utc(),
        None => DateTime::UNIX_EPOCH,
    }
}

/// The moment of so many microseconds since 2000, whatever they are; the ends are those of [`micros`].
#[must_use]
pub fn of_micros(micros: i64) -> DateTime<Utc> {
    let beyond = micros.saturating_sub(FAR_MICROS);
    if beyond >= 0 {
        return plus(FAR, TimeDelta::nanoseconds(beyond)).min(FAR_END);
    }
    plus(EPOCH, TimeDelta::microseconds(micros)).max(MINUS_INFINITY)
}

/// The microseconds since 2000 of a moment that is not infinite.
#[must_use]
pub fn micros(at: DateTime<Utc>) -> i64 {
    match beyond(at) {
        Some(beyond) => FAR_MICROS.saturating_add(beyond),
        None => (at - EPOCH).num_microseconds().unwrap_or(i64::MAX),
    }
}

/// The microseconds since the year 260000 of a moment that is that far.
fn beyond(at: DateTime<Utc>) -> Option<i64> {
    (FAR..FAR_END).contains(&at).then(|| (at - FAR).num_nanoseconds().unwrap_or(i64::MAX))
}

/// How a moment is written for which the calendar has no date: `infinity`, `-infinity`, `+280000-01-01`.
#[must_use]
pub fn word(at: DateTime<Utc>) -> Option<Cow<'static, str>> {
    let words = [(INFINITY, "infinity"), (MINUS_INFINITY, "-infinity"), (AFTER, "far future"), (BEFORE, "far past")];
    let word = words.iter().find(|(moment, _)| *moment == at).map(|(_, word)| (*word).into());
    word.or_else(|| far(at).map(|(year, rest)| format!("+{year}{}", rest.format("-%m-%d")).into()))
}

/// The year of a far moment, and the same moment of a year that the calendar has.
fn far(at: DateTime<Utc>) -> Option<(i64, DateTime<Utc>)> {
    let beyond = beyond(at)?;
    let rest = plus(EPOCH, TimeDelta::microseconds(beyond % CYCLE.1));
    Some((260_000 + beyond / CYCLE.1 * CYCLE.0 + i64::from(rest.year()) - 2000, rest))
}

/// A later moment, at most the last one of the calendar. What is infinite stays so.
#[must_use]
pub fn plus(at: DateTime<Utc>, length: TimeDelta) -> DateTime<Utc> {
    if at == INFINITY || at == MINUS_INFINITY {
        return at;
    }
    let end = if length < TimeDelta::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    at.checked_add_signed(length).unwrap_or(end)
}

/// Nanoseconds since 1970. Those that cannot be counted are the last two at either end, for [`of_nanoseconds`].
#[must_use]
pub fn nanoseconds(at: DateTime<Utc>) -> i64 {
    match at.timestamp_nanos_opt() {
        Some(ns) => ns,
        None if at == INFINITY => i64::MAX,
        None if at == MINUS_INFINITY => i64::MIN,
        None if at > DateTime::UNIX_EPOCH => i64::MAX - 1,
        None => i64::MIN + 1,
    }
}

/// The moment of so many [`nanoseconds`].
#[must_use]
pub fn of_nanoseconds(ns: i64) -> DateTime<Utc> {
    const LAST: i64 = i64::MAX - 1;
    const FIRST: i64 = i64::MIN + 1;
    match ns {
        i64::MAX => INFINITY,
        LAST => AFTER,
        FIRST => BEFORE,
        i64::MIN => MINUS_INFINITY,
        ns => DateTime::from_timestamp_nanos(ns),
    }
}

/// A moment in RFC 3339, or its word.
#[must_use]
pub fn rfc3339(at: DateTime<Utc>, digits: SecondsFormat) -> String {
    match (far(at), word(at)) {
        (Some((year, rest)), _) => {
            let text = rest.to_rfc3339_opts(digits, true);
            format!("+{year}{}", text.get(4..).unwrap_or_default())
        }
        (None, Some(word)) => word.into_owned(),
        (None, None) => at.to_rfc3339_opts(digits, true),
    }
}

/// As `serialize_with` for JSON: always six digits, so that texts sort as times do.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at, SecondsFormat::Micros))
}

/// A moment in a form of `strftime`, or its word.
#[derive(Debug)]
pub struct Shown<'f> {
    at: DelayedFormat<StrftimeItems<'f>>,
    word: Option<Cow<'static, str>>,
}

/// A moment that is written as `local` unless it has no date.
#[must_use]
pub fn shown(at: DateTime<Utc>, local: NaiveDateTime, form: &str) -> Shown<'_> {
    Shown { at: local.format(form), word: word(at) }
}

/// A moment in UTC, in a form of `strftime`, unless it has no date.
#[must_use]
pub fn utc(at: DateTime<Utc>, form: &str) -> Shown<'_> {
    shown(at, at.naive_utc(), form)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.word {
            Some(word) => f.pad(word),
            None => f.pad(&self.at.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last moment of PostgreSQL.
    const FIRST: i64 = -211_813_488_000_000_000;
    const LAST: i64 = 9_223_371_331_199_999_999;

    #[test]
    fn every_time_keeps_its_place_and_comes_back() {
        let far = FAR_MICROS;
        let order = [FIRST, -1, 0, 1_700_000_000_123_456, far - 1, far, far + 1, LAST - 1, LAST];
        let moments = order.map(of_micros);
        assert!(moments.windows(2).all(|pair| pair[0] < pair[1]), "{moments:?}");
        assert!(MINUS_INFINITY < moments[0] && moments[8] < FAR_END && FAR_END < INFINITY);
        assert_eq!(moments.map(micros), order);
        assert!(of_micros(i64::MIN) >= MINUS_INFINITY && of_micros(i64::MAX) <= FAR_END);
    }

    #[test]
    fn moments_without_a_date_are_written_as_what_they_are() {
        let text = |at| (word(at).unwrap_or_default().into_owned(), rfc3339(at, SecondsFormat::Micros));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(text(INFINITY), pair("infinity", "infinity"));
        assert_eq!(text(MINUS_INFINITY), pair("-infinity", "-infinity"));
        assert_eq!(text(of_micros(LAST)), pair("+294276-12-31", "+294276-12-31T23:59:59.999999Z"));
        assert_eq!(text(of_micros(FAR_MICROS)), pair("+260000-01-01", "+260000-01-01T00:00:00.000000Z"));
        assert_eq!(text(first_of(-4_712)), pair("", "-4712-01-01T00:00:00.000000Z"));
        assert_eq!(format!("{:9}|", utc(INFINITY, "%H:%M")), "infinity |");
        assert_eq!(utc(first_of(2026), "%Y %H:%M").to_string(), "2026 00:00");
        for at in [INFINITY, AFTER, BEFORE, MINUS_INFINITY, DateTime::UNIX_EPOCH] {
            assert_eq!(of_nanoseconds(nanoseconds(at)), at);
        }
        assert_eq!(word(of_nanoseconds(nanoseconds(first_of(3000)))).as_deref(), Some("far future"));
    }

    #[test]
    fn arithmetic_ends_at_the_ends_of_the_calendar() {
        assert_eq!(plus(FAR, TimeDelta::days(700_000)).year(), 261_916);
        assert_eq!(plus(EPOCH, TimeDelta::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(plus(EPOCH, TimeDelta::MIN), DateTime::<Utc>::MIN_UTC);
        assert_eq!(plus(INFINITY, TimeDelta::MIN), INFINITY);
    }
}

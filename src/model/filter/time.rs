//! Times in people's words: `15m`, `today`, `12:00..12:30`, `2026-11-20`, `2026-11-20T12:00Z..+5m`.
//!
//! A time alone means the whole unit that it is written to: a day, a minute, a second. As the end of a range a day is
//! included, a clock time is not. A clock time without a date is the last one that has passed, or, as the end of a range,
//! the first one after its start. A time that clocks show twice, on a day when they go back, means both of it.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, Timelike, Utc};

use crate::model::zone::Zone;

/// How to write a time, for error messages.
const EXAMPLES: &str = "write 15m, 2h, today, yesterday, all, 12:00..12:30, 2026-11-20 or 2026-11-20T12:00Z..+5m";
/// The farthest that a time may lie from now.
const FARTHEST: TimeDelta = TimeDelta::days(200 * 366);

/// A moment, or a unit of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Ago(TimeDelta),
    /// So long after the start of the range; only as its end.
    Later(TimeDelta),
    /// The day of now.
    Today,
    /// The day before it.
    Yesterday,
    /// A date, perhaps with a time, perhaps in a zone of its own.
    Date(NaiveDate, Option<Clock>, Option<FixedOffset>),
    /// A time of the day.
    Time(Clock, Option<FixedOffset>),
}

/// A time of the day, to a minute, a second or a fraction of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    time: NaiveTime,
    /// Digits after the second; none when it is written to the minute.
    digits: Option<u8>,
}

/// A range of time as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeRange {
    /// `all`: since the first row.
    All,
    /// The unit of a time, or everything since.
    Of(Moment),
    /// From one to another; either may be open, not both.
    Span(Option<Moment>, Option<Moment>),
}

/// A range of time: from the first, before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its start; open if absent.
    pub since: Option<DateTime<Utc>>,
    /// Its end, excluded; open if absent.
    pub until: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether it holds the moment.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

impl TimeRange {
    /// Reads a range.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        let moment = |text: &str| match text {
            "" => Ok(None),
            text => Moment::parse(text).map(Some).ok_or_else(|| format!("{text} is no time: {EXAMPLES}")),
        };
        let Some((from, to)) = text.split_once("..") else {
            return match moment(text)? {
                Some(Moment::Later(_)) | None => Err(format!("{text} is no time: {EXAMPLES}")),
                Some(moment) => Ok(Self::Of(moment)),
            };
        };
        let (from, to) = (moment(from)?, moment(to)?);
        match (&from, &to) {
            (None, None) => return Err(format!("a range has a start or an end: {EXAMPLES}")),
            (Some(Moment::Later(_)), _) => {
                return Err("a range cannot start with +; its end can: 12:00..+5m".to_owned());
            }
            (None, Some(Moment::Later(_))) => return Err("+5m needs a start before it: 12:00..+5m".to_owned()),
            (Some(Moment::Ago(from)), Some(Moment::Ago(to))) if from <= to => {
                return Err("the range ends before it begins; the longer ago comes first: 2h..1h".to_owned());
            }
            (Some(start @ Moment::Date(_, _, a)), Some(end @ Moment::Date(_, _, b)))
                if a == b && (start.fixed() > end.fixed_end() || end.is_day() && start.fixed() == end.fixed_end()) =>
            {
                return Err("the range ends before it begins; the earlier date comes first".to_owned());
            }
            _ => {}
        }
        Ok(Self::Span(from, to))
    }

    /// The exact range at `now`, where the hours of the day are those of `zone`.
    #[must_use]
    pub fn resolve(&self, now: DateTime<Utc>, zone: &Zone) -> Period {
        match self {
            Self::All => Period { since: None, until: None },
            Self::Of(Moment::Ago(ago)) => Period { since: Some(back(now, *ago)), until: None },
            Self::Of(moment) => {
                let unit = moment.unit(now, zone, None);
                Period { since: Some(unit.start), until: Some(unit.end) }
            }
            Self::Span(from, to) => {
                let since = from.as_ref().map(|moment| moment.unit(now, zone, None).start);
                let until = to.as_ref().map(|moment| {
                    let unit = moment.unit(now, zone, since);
                    match moment {
                        Moment::Date(_, Some(clock), _) | Moment::Time(clock, _) => back(unit.end, clock.unit()),
                        _ if moment.is_day() => unit.end,
                        _ => unit.start,
                    }
                });
                Period { since, until }
            }
        }
    }

    /// The same range, written so that it means the same at any time and in any zone.
    #[must_use]
    pub fn pinned(&self, now: DateTime<Utc>, zone: &Zone) -> Self {
        Self::exact(self.resolve(now, zone))
    }

    /// The range of a period, to the microsecond that a database keeps.
    #[must_use]
    pub fn exact(Period { since, until }: Period) -> Self {
        if since.is_none() && until.is_none() {
            return Self::All;
        }
        // An empty range stays empty, and readable.
        let until = until.map(|until| since.map_or(until, |since| until.max(since)));
        Self::Span(since.map(Moment::exact), until.map(Moment::exact))
    }
}

fn back(now: DateTime<Utc>, ago: TimeDelta) -> DateTime<Utc> {
    now.checked_sub_signed(ago).unwrap_or(DateTime::UNIX_EPOCH)
}

fn forth(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Moment {
    /// This very moment, in UTC, to the microsecond that a database keeps.
    fn exact(at: DateTime<Utc>) -> Self {
        let at = at.clamp(DateTime::UNIX_EPOCH, LAST.and_utc());
        let time = at.time().with_nanosecond(at.timestamp_subsec_micros() * 1000).unwrap_or(at.time());
        let digits = match time.nanosecond() {
            0 => 0,
            n if n % 1_000_000 == 0 => 3,
            _ => 6,
        };
        Self::Date(at.date_naive(), Some(Clock { time, digits: Some(digits) }), Some(Utc.fix()))
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "today" => return Some(Self::Today),
            "yesterday" => return Some(Self::Yesterday),
            "now" => return Some(Self::Ago(TimeDelta::zero())),
            _ => {}
        }
        if let Some(later) = text.strip_prefix('+') {
            return span(later).map(Self::Later);
        }
        if let Some(ago) = span(text) {
            return Some(Self::Ago(ago));
        }
        let (body, zone) = zone(text)?;
        if let Some(clock) = Clock::parse(body) {
            return Some(Self::Time(clock, zone));
        }
        let (day, time) = body.split_once(['T', 't', ' ']).map_or((body, None), |(day, time)| (day, Some(time)));
        let clock = match time {
            Some(time) => Some(Clock::parse(time)?),
            None => None,
        };
        Some(Self::Date(date(day)?, clock, zone))
    }

    fn is_day(&self) -> bool {
        matches!(self, Self::Today | Self::Yesterday | Self::Date(_, None, _))
    }

    /// The start of a date, whatever its zone.
    fn fixed(&self) -> Option<NaiveDateTime> {
        match self {
            Self::Date(date, clock, _) => Some(date.and_time(clock.map_or(NaiveTime::MIN, |clock| clock.time))),
            _ => None,
        }
    }

    /// The end of a range that is written with this date.
    fn fixed_end(&self) -> Option<NaiveDateTime> {
        let start = self.fixed()?;
        if self.is_day() { start.checked_add_days(Days::new(1)) } else { Some(start) }
    }

    fn unit(&self, now: DateTime<Utc>, zone: &Zone, start: Option<DateTime<Utc>>) -> Range<DateTime<Utc>> {
        let of = |own: Option<FixedOffset>| own.map_or_else(|| zone.clone(), Zone::fixed);
        let day = |date: NaiveDate, zone: &Zone| zone.midnight(date)..zone.midnight(date.succ_opt().unwrap_or(date));
        let clock_at = |date: NaiveDate, clock: Clock, zone: &Zone| {
            let local = date.and_time(clock.time);
            zone.first(local)..forth(zone.last(local), clock.unit())
        };
        match self {
            Self::Ago(ago) => {
                let at = back(now, *ago);
                at..at
            }
            Self::Later(by) => {
                let at = forth(start.unwrap_or(now), *by);
                at..at
            }
            Self::Today => day(zone.local(now).date(), zone),
            Self::Yesterday => {
                let today = zone.local(now).date();
                day(today.pred_opt().unwrap_or(today), zone)
            }
            Self::Date(date, None, own) => day(*date, &of(*own)),
            Self::Date(date, Some(clock), own) => clock_at(*date, *clock, &of(*own)),
            Self::Time(clock, own) => {
                let zone = of(*own);
                let near = zone.local(start.unwrap_or(now)).date();
                let same = clock_at(near, *clock, &zone);
                let other = match start {
                    Some(start) if same.start <= start => near.succ_opt(),
                    None if same.start > now => near.pred_opt(),
                    _ => None,
                };
                other.map_or(same, |date| clock_at(date, *clock, &zone))
            }
        }
    }
}

/// The last moment that can be written.
const LAST: NaiveDateTime = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(date) => date.and_time(NaiveTime::MIN),
    None => NaiveDateTime::MIN,
};

impl Clock {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
        let second = parts.next();
        if parts.next().is_some() {
            return None;
        }
        let Some(second) = second else {
            return Some(Self { time: NaiveTime::from_hms_opt(hour, minute, 0)?, digits: None });
        };
        let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
        let digits = fraction.bytes().all(|b| b.is_ascii_digit()).then(|| u8::try_from(fraction.len()).ok())??;
        if digits > 6 {
            return None;
        }
        let micros: u32 = format!("{fraction:0<6}").parse().ok()?;
        let time = NaiveTime::from_hms_micro_opt(hour, minute, two_digits(second)?, micros)?;
        Some(Self { time, digits: Some(digits) })
    }

    fn unit(self) -> TimeDelta {
        match self.digits {
            None => TimeDelta::minutes(1),
            Some(digits) => TimeDelta::microseconds(10_i64.pow(6 - u32::from(digits.min(6)))),
        }
    }
}

/// Two digits, or one.
fn two_digits(text: &str) -> Option<u32> {
    let valid = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let valid = year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && parts.next().is_none();
    let date = NaiveDate::from_ymd_opt(year.parse().ok().filter(|_| valid)?, two_digits(month)?, two_digits(day)?)?;
    (date >= DateTime::UNIX_EPOCH.date_naive() && date <= LAST.date()).then_some(date)
}

/// Takes the zone off the end: `Z` or `+02:00`; `None` when it is malformed.
fn zone(text: &str) -> Option<(&str, Option<FixedOffset>)> {
    if let Some(body) = text.strip_suffix(['Z', 'z']) {
        return Some((body, Some(Utc.fix())));
    }
    // Only behind a time of the day: a date is full of hyphens.
    let Some((_, sign)) = text.find(':').zip(text.rfind(['+', '-'])).filter(|(colon, sign)| sign > colon) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[sign + 1..].split_once(':').unwrap_or((&text[sign + 1..], "0"));
    let seconds = i32::try_from(two_digits(hours)? * 3600 + two_digits(minutes).filter(|m| *m < 60)? * 60).ok()?;
    let east = if text[sign..].starts_with('-') { -seconds } else { seconds };
    Some((&text[..sign], Some(FixedOffset::east_opt(east)?)))
}

/// A length of time: `90s`, `15m`, `1h30m`, `7d`, `2w`.
fn span(text: &str) -> Option<TimeDelta> {
    let mut total = TimeDelta::zero();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        total = total.checked_add(&TimeDelta::try_seconds(number.checked_mul(seconds)?)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty() && total <= FARTHEST).then_some(total)
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Of(moment) => moment.fmt(f),
            Self::Span(from, to) => {
                if let Some(from) = from {
                    from.fmt(f)?;
                }
                f.write_str("..")?;
                to.as_ref().map_or(Ok(()), |to| to.fmt(f))
            }
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |f: &mut fmt::Formatter<'_>, delta: &TimeDelta| {
            let seconds = delta.num_seconds();
            let units = [(86_400, "d"), (3600, "h"), (60, "m")];
            let (size, unit) = units.into_iter().find(|(size, _)| seconds % size == 0).unwrap_or((1, "s"));
            write!(f, "{}{unit}", seconds / size)
        };
        let zone = |f: &mut fmt::Formatter<'_>, zone: &Option<FixedOffset>| match zone {
            None => Ok(()),
            Some(zone) if zone.local_minus_utc() == 0 => f.write_str("Z"),
            Some(zone) => write!(f, "{zone}"),
        };
        match self {
            Self::Ago(ago) if ago.is_zero() => f.write_str("now"),
            Self::Ago(ago) => length(f, ago),
            Self::Later(by) => {
                f.write_str("+")?;
                length(f, by)
            }
            Self::Today => f.write_str("today"),
            Self::Yesterday => f.write_str("yesterday"),
            Self::Date(date, clock, at) => {
                write!(f, "{}", date.format("%Y-%m-%d"))?;
                if let Some(clock) = clock {
                    write!(f, "T{clock}")?;
                }
                zone(f, at)
            }
            Self::Time(clock, at) => {
                clock.fmt(f)?;
                zone(f, at)
            }
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time;
        write!(f, "{:02}:{:02}", time.hour(), time.minute())?;
        let Some(digits) = self.digits else { return Ok(()) };
        write!(f, ":{:02}", time.second())?;
        if digits == 0 {
            return Ok(());
        }
        let micros = format!("{:06}", time.nanosecond() / 1000);
        write!(f, ".{}", &micros[..usize::from(digits.min(6))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_of_the_day_follow_the_rules_of_the_zone() {
        let zones = ["America/New_York", "Asia/Kolkata"].map(|name| Zone::named(name).unwrap());
        let [new_york, india] = &zones;
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let cases = [
            // Other rules on other days than now, and days of 23 and 25 hours.
            ("2026-07-01T12:00..+1h", new_york, "2026-07-01T16:00:00Z", "2026-07-01T17:00:00Z"),
            ("2026-03-08", new_york, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("2026-11-01", new_york, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // Skipped in spring: an hour later; twice in autumn: both.
            ("2026-03-08T02:30", new_york, "2026-03-08T07:30:00Z", "2026-03-08T07:31:00Z"),
            ("2026-03-08T01:30..2026-03-08T03:30", new_york, "2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"),
            ("2026-11-01T01:30", new_york, "2026-11-01T05:30:00Z", "2026-11-01T06:31:00Z"),
            ("2026-11-01T01:30..2026-11-01T01:45", new_york, "2026-11-01T05:30:00Z", "2026-11-01T06:45:00Z"),
            ("2026-11-01T00:30..01:30", new_york, "2026-11-01T04:30:00Z", "2026-11-01T06:30:00Z"),
            ("2026-11-01T01:30-05:00", new_york, "2026-11-01T06:30:00Z", "2026-11-01T06:31:00Z"),
            ("2026-03-29T02:30", india, "2026-03-28T21:00:00Z", "2026-03-28T21:01:00Z"),
            ("today", india, "2026-11-19T18:30:00Z", "2026-11-20T18:30:00Z"),
            ("18:00..18:30", india, "2026-11-19T12:30:00Z", "2026-11-19T13:00:00Z"),
        ];
        for (text, zone, since, until) in cases {
            let period = TimeRange::parse(text).unwrap().resolve(at("2026-11-20T12:04:33Z"), zone);
            assert_eq!(period, Period { since: Some(at(since)), until: Some(at(until)) }, "{text}");
        }
        let clock = |text: &str, now: &str| TimeRange::parse(text).unwrap().resolve(at(now), new_york).since.unwrap();
        // The day before had another length: half past three stood there all the same.
        assert_eq!(clock("03:30", "2026-03-09T06:00:00Z"), at("2026-03-08T07:30:00Z"));
        assert_eq!(clock("yesterday", "2026-11-02T12:00:00Z"), at("2026-11-01T04:00:00Z"));
    }
}

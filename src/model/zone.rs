//! Time zones with their rules: how far local time is ahead of UTC depends on the moment, not only on the place.
//!
//! A local time that clocks skip in spring is as much later as they skip; one that they show twice in autumn has a first
//! and a last moment, so that a range from it to it holds both.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone that the variable `TZ` names, or else that of the machine.
    ///
    /// # Errors
    /// When nobody knows it: in words.
    pub fn system() -> Result<Self, String> {
        TimeZone::try_system().map(Self).map_err(|error| error.to_string())
    }

    /// The zone of this name in the time zone database, such as `America/New_York`.
    ///
    /// # Errors
    /// When there is none: in words.
    pub fn named(name: &str) -> Result<Self, String> {
        TimeZone::get(name).map(Self).map_err(|error| error.to_string())
    }

    /// The zone that is always so far from UTC.
    #[must_use]
    pub fn fixed(offset: FixedOffset) -> Self {
        Self(Offset::from_seconds(offset.local_minus_utc()).map_or(TimeZone::UTC, TimeZone::fixed))
    }

    /// What clocks show at a moment. Before and after the years of the calendar of rules the nearest rule applies.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let known = at.timestamp().clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let offset = Timestamp::from_second(known).map_or(Offset::UTC, |at| self.0.to_offset(at));
        let ahead = TimeDelta::seconds(offset.seconds().into());
        at.naive_utc().checked_add_signed(ahead).unwrap_or(at.naive_utc())
    }

    /// The first moment at which clocks show this.
    #[must_use]
    pub fn first(&self, local: NaiveDateTime) -> DateTime<Utc> {
        self.moment(local, false)
    }

    /// The last moment at which clocks show this.
    #[must_use]
    pub fn last(&self, local: NaiveDateTime) -> DateTime<Utc> {
        self.moment(local, true)
    }

    /// The moment at which a day begins, whatever its first hour is.
    #[must_use]
    pub fn midnight(&self, day: NaiveDate) -> DateTime<Utc> {
        self.first(day.and_time(NaiveTime::MIN))
    }

    /// Whether a day begins at this moment.
    #[must_use]
    pub fn is_midnight(&self, at: DateTime<Utc>) -> bool {
        self.midnight(self.local(at).date()) == at
    }

    fn moment(&self, local: NaiveDateTime, last: bool) -> DateTime<Utc> {
        let small = |n: u32| i8::try_from(n).unwrap_or_default();
        let seconds = || {
            let (year, month, day) = (i16::try_from(local.year()).ok()?, small(local.month()), small(local.day()));
            let time = (small(local.hour()), small(local.minute()), small(local.second()));
            let civil = civil::DateTime::new(year, month, day, time.0, time.1, time.2, 0).ok()?;
            let ambiguous = self.0.to_ambiguous_timestamp(civil);
            let at = if last { ambiguous.later() } else { ambiguous.compatible() }.ok()?;
            DateTime::from_timestamp(at.as_second(), local.nanosecond())
        };
        // Beyond the calendar of rules: no row has an hour there that anybody would name.
        seconds().unwrap_or_else(|| local.and_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn clock(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn local_time_follows_the_rules_of_its_zone() {
        let new_york = Zone::named("America/New_York").unwrap();
        let shown = |at: &str| new_york.local(utc(at)).to_string();
        assert_eq!(shown("2026-03-08T06:59:59Z"), "2026-03-08 01:59:59");
        assert_eq!(shown("2026-03-08T07:00:00Z"), "2026-03-08 03:00:00");
        assert_eq!(shown("2026-11-01T05:30:00Z"), "2026-11-01 01:30:00");
        assert_eq!(shown("2026-11-01T06:30:00.25Z"), "2026-11-01 01:30:00.250");
        assert_eq!(shown("2040-07-01T00:00:00Z"), "2040-06-30 20:00:00", "by the rule that goes on");
        let india = Zone::named("Asia/Kolkata").unwrap();
        assert_eq!(india.local(utc("2026-03-29T02:30:00Z")).to_string(), "2026-03-29 08:00:00");
        assert!(Zone::named("Nowhere/Else").is_err());
        assert_eq!(
            Zone::fixed(FixedOffset::east_opt(-5400).unwrap()).local(utc("1970-01-01T00:00:00Z")).to_string(),
            "1969-12-31 22:30:00"
        );
    }

    #[test]
    fn a_time_that_is_skipped_is_later_and_one_that_comes_twice_has_two_moments() {
        let new_york = Zone::named("America/New_York").unwrap();
        let both = |text: &str| [new_york.first(clock(text)), new_york.last(clock(text))];
        assert_eq!(both("2026-03-08T02:30:00"), [utc("2026-03-08T07:30:00Z"); 2], "half past three in summer time");
        assert_eq!(both("2026-11-01T01:30:00.5"), [utc("2026-11-01T05:30:00.5Z"), utc("2026-11-01T06:30:00.5Z")]);
        assert_eq!(both("2026-07-01T12:00:00"), [utc("2026-07-01T16:00:00Z"); 2]);
        let day = |date: &str| new_york.midnight(date.parse().unwrap());
        assert_eq!((day("2026-03-09") - day("2026-03-08")).num_hours(), 23);
        assert_eq!((day("2026-11-02") - day("2026-11-01")).num_hours(), 25);
        // Clocks go from 23:59 to 01:00 there.
        let beirut = Zone::named("Asia/Beirut").unwrap();
        assert!(beirut.is_midnight(beirut.midnight("2026-03-29".parse().unwrap())));
        assert!(
            Zone::UTC.is_midnight(utc("2026-03-29T00:00:00Z")) && !new_york.is_midnight(utc("2026-03-29T00:00:00Z"))
        );
    }

    #[test]
    fn moments_beyond_the_calendar_of_rules_are_moments() {
        let new_york = Zone::named("America/New_York").unwrap();
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let local = new_york.local(at);
            let _ = (new_york.first(local), new_york.last(local));
        }
        assert_eq!(new_york.first(clock("+12000-01-01T00:00:00")), utc("+12000-01-01T00:00:00Z"));
    }
}

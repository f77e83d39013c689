//! Labels of the x axis. Pure text.

use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};

/// Minutes of a day.
const DAY: usize = 24 * 60;

/// How columns stand on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Cells from one column to the next.
    pub pitch: usize,
    /// Cells of a bar.
    pub bar: usize,
}

impl Geometry {
    /// The widest bars with which so many columns fit into so many cells; a gap between them where there is room.
    #[must_use]
    pub fn fit(columns: usize, cells: usize) -> Self {
        let pitch = (cells / columns.max(1)).clamp(1, 12);
        Self { pitch, bar: if pitch > 1 { pitch - 1 } else { 1 } }
    }
}

/// The columns that carry a label, with its text: times within a day and a half, days for longer ranges. Every column is
/// given by the local time of its start and by its minutes. No two labels touch.
#[must_use]
pub fn labels(columns: &[(NaiveDateTime, usize)], pitch: usize) -> Vec<(usize, String)> {
    let total: usize = columns.iter().map(|(_, minutes)| minutes).sum();
    let each = columns.first().map_or(60, |(_, minutes)| (*minutes).max(1));
    if total > 36 * 60 { days(columns, pitch, total, each) } else { times(columns, pitch, each) }
}

fn days(columns: &[(NaiveDateTime, usize)], pitch: usize, total: usize, each: usize) -> Vec<(usize, String)> {
    let cells_per_day = DAY * pitch / each;
    let apart = [1, 2, 3, 7, 14].into_iter().find(|days| days * cells_per_day >= 8).unwrap_or(28);
    let day_starts = columns.iter().enumerate().filter_map(|(i, (from, minutes))| {
        let end = *from + TimeDelta::minutes(i64::try_from(*minutes).unwrap_or(1));
        let midnight = from.num_seconds_from_midnight() == 0;
        let day = if midnight { from.date() } else { end.date() };
        let begins = midnight || (end.date() > from.date() && end.num_seconds_from_midnight() > 0);
        begins.then_some((i, day))
    });
    day_starts
        .filter(|(_, day)| i64::from(day.num_days_from_ce()) % apart as i64 == 0)
        .map(|(i, day)| (i, day.format(if total > 14 * DAY { "%d %b" } else { "%a %d" }).to_string()))
        .collect()
}

fn times(columns: &[(NaiveDateTime, usize)], pitch: usize, each: usize) -> Vec<(usize, String)> {
    let minute = |at: &NaiveDateTime| (at.num_seconds_from_midnight() / 60) as usize;
    // Whole hours are told by two digits, where the time zone lets them be.
    let whole = columns.iter().any(|(from, _)| from.minute() == 0);
    let width = |apart: usize| if apart.is_multiple_of(60) && whole { 2 } else { 5 };
    let apart = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720]
        .into_iter()
        .find(|&apart| apart >= each && apart * pitch / each > width(apart))
        .unwrap_or(DAY);
    let format = if width(apart) == 2 { "%H" } else { "%H:%M" };
    (columns.iter().enumerate())
        .filter(|(_, (from, _))| minute(from) % apart < each)
        .map(|(i, (from, _))| (i, from.format(format).to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(offset_minutes: i32, each: usize, count: usize) -> Vec<(NaiveDateTime, usize)> {
        let start = NaiveDateTime::parse_from_str("2026-11-19 13:00", "%Y-%m-%d %H:%M").unwrap();
        let start = start + TimeDelta::minutes(i64::from(offset_minutes));
        (0..count).map(|i| (start + TimeDelta::minutes((i * each) as i64), each)).collect()
    }

    fn texts(columns: &[(NaiveDateTime, usize)], pitch: usize) -> String {
        labels(columns, pitch).into_iter().map(|(i, text)| format!("{i}:{text}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn hours_then_days() {
        assert_eq!(texts(&columns(0, 60, 6), 12), "0:13 1:14 2:15 3:16 4:17 5:18");
        assert_eq!(texts(&columns(0, 60, 24), 2), "1:14 3:16 5:18 7:20 9:22 11:00 13:02 15:04 17:06 19:08 21:10 23:12");
        assert_eq!(
            texts(&columns(330, 60, 24), 3),
            "0:18:30 2:20:30 4:22:30 6:00:30 8:02:30 10:04:30 12:06:30 14:08:30 16:10:30 18:12:30 20:14:30 22:16:30"
        );
        assert_eq!(
            texts(&columns(0, 120, 84), 1),
            "5:Fri 20 17:Sat 21 29:Sun 22 41:Mon 23 53:Tue 24 65:Wed 25 77:Thu 26"
        );
        assert_eq!(texts(&columns(0, 720, 60), 1), "4:22 Nov 18:29 Nov 32:06 Dec 46:13 Dec");
    }

    #[test]
    fn minutes_are_told() {
        assert_eq!(texts(&columns(4, 1, 60), 1), "6:13:10 16:13:20 26:13:30 36:13:40 46:13:50 56:14:00");
        assert_eq!(texts(&columns(0, 15, 24), 2), "0:13 4:14 8:15 12:16 16:17 20:18");
        assert_eq!(texts(&columns(0, 15, 5), 4), "0:13:00 2:13:30 4:14:00");
    }

    proptest::proptest! {
        #[test]
        fn labels_never_touch(range in 0usize..5, limit in 20usize..400, minutes in -48i32..56) {
            let range = crate::tui::app::charts::Range::ALL[range];
            let steps = range.steps() as usize;
            let each = crate::model::hourly::steps_per_column(range.step(), steps, limit);
            let length = range.step().length().num_minutes() as usize;
            let columns = columns(minutes * 15, each * length, steps / each);
            let pitch = Geometry::fit(columns.len(), limit).pitch;
            proptest::prop_assert!(pitch * columns.len() <= limit);
            let labels = labels(&columns, pitch);
            for pair in labels.windows(2) {
                proptest::prop_assert!(pair[0].0 * pitch + pair[0].1.len() < pair[1].0 * pitch, "{labels:?}");
            }
        }
    }
}

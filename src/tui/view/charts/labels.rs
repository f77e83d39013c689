//! Labels of the x axis. Pure text.

use chrono::{Datelike, NaiveDateTime, Timelike};

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

/// The columns that carry a label, with its text: hours within a day and a half, days for longer ranges. Every column
/// is given by the local time of its start and the number of its hours. No two labels touch.
#[must_use]
pub fn labels(columns: &[(NaiveDateTime, usize)], pitch: usize) -> Vec<(usize, String)> {
    let total: usize = columns.iter().map(|(_, hours)| hours).sum();
    let each = columns.first().map_or(1, |(_, hours)| (*hours).max(1));
    if total > 36 {
        let cells_per_day = 24 * pitch / each;
        let apart = [1, 2, 3, 7, 14].into_iter().find(|days| days * cells_per_day >= 8).unwrap_or(28);
        let day_starts = columns.iter().enumerate().filter_map(|(i, (from, hours))| {
            let end = *from + chrono::TimeDelta::hours(i64::try_from(*hours).unwrap_or(1));
            let midnight = from.num_seconds_from_midnight() == 0;
            let day = if midnight { from.date() } else { end.date() };
            let begins = midnight || (end.date() > from.date() && end.num_seconds_from_midnight() > 0);
            begins.then_some((i, day))
        });
        return day_starts
            .filter(|(_, day)| i64::from(day.num_days_from_ce()) % apart as i64 == 0)
            .map(|(i, day)| (i, day.format(if total > 14 * 24 { "%d %b" } else { "%a %d" }).to_string()))
            .collect();
    }
    let text = |at: &NaiveDateTime| {
        if at.minute() == 0 { at.format("%H").to_string() } else { at.format("%H:%M").to_string() }
    };
    let width = columns.first().map_or(2, |(from, _)| text(from).len());
    let apart = [1, 2, 3, 4, 6, 12].into_iter().find(|hours| hours * pitch / each > width).unwrap_or(24);
    (columns.iter().enumerate())
        .filter(|(_, (from, _))| (from.hour() as usize).is_multiple_of(apart))
        .map(|(i, (from, _))| (i, text(from)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(offset_minutes: i32, each: usize, count: usize) -> Vec<(NaiveDateTime, usize)> {
        let start = NaiveDateTime::parse_from_str("2026-11-19 13:00", "%Y-%m-%d %H:%M").unwrap();
        let start = start + chrono::TimeDelta::minutes(i64::from(offset_minutes));
        (0..count).map(|i| (start + chrono::TimeDelta::hours((i * each) as i64), each)).collect()
    }

    fn texts(columns: &[(NaiveDateTime, usize)], pitch: usize) -> String {
        labels(columns, pitch).into_iter().map(|(i, text)| format!("{i}:{text}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn hours_then_days() {
        assert_eq!(texts(&columns(0, 1, 6), 12), "0:13 1:14 2:15 3:16 4:17 5:18");
        assert_eq!(texts(&columns(0, 1, 24), 2), "1:14 3:16 5:18 7:20 9:22 11:00 13:02 15:04 17:06 19:08 21:10 23:12");
        assert_eq!(
            texts(&columns(330, 1, 24), 3),
            "0:18:30 2:20:30 4:22:30 6:00:30 8:02:30 10:04:30 12:06:30 14:08:30 16:10:30 18:12:30 20:14:30 22:16:30"
        );
        assert_eq!(
            texts(&columns(0, 2, 84), 1),
            "5:Fri 20 17:Sat 21 29:Sun 22 41:Mon 23 53:Tue 24 65:Wed 25 77:Thu 26"
        );
        assert_eq!(texts(&columns(0, 12, 60), 1), "4:22 Nov 18:29 Nov 32:06 Dec 46:13 Dec");
    }

    proptest::proptest! {
        #[test]
        fn labels_never_touch(range in 0usize..4, limit in 20usize..400, minutes in -48i32..56) {
            let hours = [6, 24, 168, 720][range];
            let each = crate::model::hourly::hours_per_column(hours, limit);
            let columns = columns(minutes * 15, each, hours / each);
            let pitch = Geometry::fit(columns.len(), limit).pitch;
            proptest::prop_assert!(pitch * columns.len() <= limit);
            let labels = labels(&columns, pitch);
            for pair in labels.windows(2) {
                proptest::prop_assert!(pair[0].0 * pitch + pair[0].1.len() < pair[1].0 * pitch, "{labels:?}");
            }
        }
    }
}

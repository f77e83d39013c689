//! Lines of Loki and lines of the table → one sequence.

use super::LogLine;

/// Two sources write the same line at slightly different times: up to this many nanoseconds apart it is one line.
const SAME_LINE_NS: i64 = 2_000_000;

/// Joins the lines of two sources by time, Loki's first where times are equal. A line of the table whose message Loki
/// has too, at most 2 ms away, is left out; each line of Loki stands for one line of the table at most, so repeated
/// messages keep their number. Equal lines of one source all stay.
#[must_use]
pub fn merge(mut loki: Vec<LogLine>, mut table: Vec<LogLine>) -> Vec<LogLine> {
    loki.sort_by_key(|line| line.at_ns);
    table.sort_by_key(|line| line.at_ns);
    let mut taken = vec![false; loki.len()];
    table.retain(|line| {
        let first = loki.partition_point(|other| other.at_ns < line.at_ns.saturating_sub(SAME_LINE_NS));
        let last = line.at_ns.saturating_add(SAME_LINE_NS);
        let twin = (first..loki.len())
            .take_while(|&i| loki[i].at_ns <= last)
            .find(|&i| !taken[i] && loki[i].message == line.message);
        if let Some(i) = twin {
            taken[i] = true;
        }
        twin.is_none()
    });
    loki.append(&mut table);
    loki.sort_by_key(|line| line.at_ns);
    loki
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Level, Origin};

    fn line(origin: Origin, at_ns: i64, message: &str) -> LogLine {
        let fields = serde_json::Value::Null;
        LogLine { at_ns, level: Level::Info, message: message.into(), service: String::new(), fields, origin }
    }

    fn merged(loki: &[(i64, &str)], table: &[(i64, &str)]) -> Vec<(i64, String, &'static str)> {
        let of = |origin, lines: &[(i64, &str)]| lines.iter().map(|(at, text)| line(origin, *at, text)).collect();
        let lines = merge(of(Origin::Loki, loki), of(Origin::Table, table));
        lines.into_iter().map(|l| (l.at_ns, l.message, l.origin.name())).collect()
    }

    #[test]
    fn lines_interleave_by_time_and_keep_their_source() {
        let lines = merged(&[(30, "c"), (10, "a")], &[(20, "b"), (30, "d")]);
        let expected = [(10, "a", "Loki"), (20, "b", "job_logs"), (30, "c", "Loki"), (30, "d", "job_logs")];
        assert_eq!(lines, expected.map(|(at, text, from)| (at, text.to_owned(), from)));
    }

    #[test]
    fn one_line_in_both_sources_is_shown_once() {
        let ms = 1_000_000;
        let texts = |loki: &[(i64, &str)], table: &[(i64, &str)]| merged(loki, table).len();
        assert_eq!(texts(&[(10 * ms, "same")], &[(12 * ms, "same")]), 1);
        assert_eq!(texts(&[(10 * ms, "same")], &[(8 * ms, "same")]), 1);
        assert_eq!(texts(&[(10 * ms, "same")], &[(12 * ms + 1, "same")]), 2, "more than 2 ms apart");
        assert_eq!(texts(&[(10 * ms, "same")], &[(10 * ms, "other")]), 2, "another message");
        assert_eq!(texts(&[(ms, "x")], &[(ms, "x"), (ms, "x")]), 2, "two of the table, one of them in Loki");
        assert_eq!(texts(&[(ms, "x"), (ms, "x")], &[]), 2, "repetitions in one source stay");
        assert_eq!(merged(&[(ms, "x")], &[(ms, "x")])[0].2, "Loki");
        assert_eq!(texts(&[(i64::MIN, "x")], &[(i64::MAX, "x")]), 2, "no overflow");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_or_out_of_order(
            loki in proptest::collection::vec((0_i64..20_000_000, "[ab]"), 0..30),
            table in proptest::collection::vec((0_i64..20_000_000, "[ab]"), 0..30),
        ) {
            let of = |origin, lines: &[(i64, String)]| -> Vec<_> {
                lines.iter().map(|(at, text)| line(origin, *at, text)).collect()
            };
            let lines = merge(of(Origin::Loki, &loki), of(Origin::Table, &table));
            proptest::prop_assert!(lines.is_sorted_by_key(|l| l.at_ns));
            let from_loki = lines.iter().filter(|l| l.origin == Origin::Loki).count();
            proptest::prop_assert_eq!(from_loki, loki.len());
            for (at, text) in &table {
                let near = |l: &LogLine| (l.at_ns - at).abs() <= SAME_LINE_NS && l.message == *text;
                proptest::prop_assert!(lines.iter().any(near), "the line {} at {} vanished", text, at);
            }
        }
    }
}

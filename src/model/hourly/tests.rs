//! Sums, columns and percentiles of hourly numbers.

use super::*;

fn at(hour: i64, minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(hour * 3600 + minute * 60, 0).unwrap()
}

fn bucket(hour: i64, function: &str, total: u64, failed: u64, avg: f64) -> Bucket {
    Bucket {
        at: at(hour, 0),
        function: function.to_owned(),
        total,
        ok: total - failed,
        failed,
        events_detected: total,
        jobs_run: total * 2,
        avg_ms: Some(avg),
        max_ms: Some(9),
        p50_ms: Some(avg),
        p95_ms: Some(avg),
        spread: None,
        failed_jobs: if failed > 0 { vec![(format!("job of {function}"), failed)] } else { Vec::new() },
    }
}

fn hourly(from: DateTime<Utc>, to: DateTime<Utc>, buckets: Vec<Bucket>) -> Hourly {
    Hourly {
        source: Source::Rows,
        as_of: to,
        from_rows: vec![from..to + Step::Hour.length()],
        back_to: None,
        step: Step::Hour,
        from,
        to,
        buckets,
    }
}

#[test]
fn hours_and_functions_add_up() {
    let buckets = vec![bucket(10, "b", 3, 0, 10.0), bucket(12, "a", 1, 1, 40.0), bucket(12, "b", 3, 1, 20.0)];
    let hourly = hourly(at(10, 20), at(13, 20), buckets);
    let hours: Vec<_> = hourly.steps_of(None).iter().map(|(_, sum)| (sum.total, sum.failed, sum.ok)).collect();
    assert_eq!(hours, [(3, 0, 3), (0, 0, 0), (4, 2, 2), (0, 0, 0)]);
    let functions = hourly.functions();
    assert_eq!(functions[0].0, "b");
    assert_eq!(functions[0].2, [3, 0, 3, 0]);
    assert_eq!((functions[0].1.avg_ms, functions[0].1.p95()), (Some(15.0), Some((20.0, Known::AtMost))));
    assert_eq!(hourly.total().total, 7);
    assert_eq!((functions[0].1.failed_percent(), functions[1].1.failed_percent()), ("16.7%".into(), "100.0%".into()));
    assert_eq!(hourly.failed_jobs(None), [("job of a", 1), ("job of b", 1)]);
    assert_eq!(hourly.failed_jobs(Some("b")), [("job of b", 1)]);
}

#[test]
fn one_function_has_its_own_hours() {
    let hourly = hourly(at(10, 0), at(11, 0), vec![bucket(10, "a", 3, 1, 10.0), bucket(10, "b", 4, 0, 30.0)]);
    let of = |name| hourly.steps_of(name).iter().map(|(_, sum)| sum.total).collect::<Vec<_>>();
    assert_eq!((of(Some("a")), of(Some("none")), of(None)), (vec![3, 0], vec![0, 0], vec![7, 0]));
    assert_eq!(hourly.steps_of(Some("a"))[0].1.p95(), Some((10.0, Known::Exactly)));
    assert_eq!(hourly.steps_of(None)[0].1.p95(), Some((30.0, Known::AtMost)));
    assert_eq!(hourly.steps_of(None)[0].1.p50(), None, "a median of medians says nothing");
}

#[test]
fn percentiles_of_several_buckets_come_from_their_spread() {
    let spread = |ms: f64, count: usize| {
        let mut spread = Spread::default();
        (0..count).for_each(|_| spread.add(ms));
        Some(spread)
    };
    let fast = Bucket { spread: spread(12.0, 90), max_ms: Some(14), ..bucket(1, "a", 90, 0, 12.0) };
    let slow = Bucket { spread: spread(1_600.0, 10), max_ms: Some(1_600), ..bucket(2, "a", 10, 0, 1_600.0) };
    let both = Sum::from(&fast).plus((&slow).into());
    let ((p50, how), (p95, _)) = (both.p50().unwrap(), both.p95().unwrap());
    assert_eq!(how, Known::About);
    assert!((10.0..15.0).contains(&p50) && (1_500.0..=1_600.0).contains(&p95), "{p50} {p95}");
    assert_eq!(Sum::from(&fast).p95(), Some((12.0, Known::Exactly)), "one bucket has its own");
    let unknown = both.plus((&bucket(3, "a", 5, 0, 3.0)).into());
    assert_eq!((unknown.is_spread(), unknown.p50(), unknown.p95()), (false, None, Some((1_600.0, Known::AtMost))));
}

#[test]
fn a_bucket_without_durations_does_not_weigh() {
    let untimed = Sum { total: 100, ok: 99, ..Sum::default() };
    let timed = Sum::from(&bucket(1, "a", 2, 0, 10.0)).plus(untimed).plus((&bucket(1, "b", 2, 0, 20.0)).into());
    assert_eq!((timed.avg_ms, timed.total, timed.timed, timed.open()), (Some(15.0), 104, 4, 1));
}

#[test]
fn what_was_not_counted_yet_is_missing() {
    let missing = |hourly: &Hourly| [9, 10, 11, 12, 13].map(|hour| hourly.is_missing(at(hour, 0)));
    let rows = Hourly { back_to: Some(at(12, 0)), ..hourly(at(9, 0), at(13, 0), vec![]) };
    assert_eq!(missing(&rows), [true, true, true, false, false]);
    assert_eq!(rows.counted(at(13, 30)), TimeDelta::minutes(90));
    // Ten is covered by the table.
    let from_rows = vec![at(11, 0)..at(14, 0), at(9, 0)..at(10, 0)];
    let table = Hourly { source: Source::MetricsHourly, from_rows, ..rows };
    assert_eq!(missing(&table), [true, false, true, false, false]);
    assert_eq!(table.counted(at(20, 0)), TimeDelta::hours(3));
    let done = Hourly { back_to: None, ..table };
    assert_eq!((missing(&done), done.counted(at(20, 0))), ([false; 5], TimeDelta::hours(5)));
}

#[test]
fn columns_are_parts_of_a_day() {
    let steps = [(24, 100), (24, 12), (168, 100), (168, 60), (720, 100), (720, 30), (720, 29), (720, 7), (5, 0)];
    let steps = steps.map(|(hours, limit)| steps_per_column(Step::Hour, hours, limit));
    assert_eq!(steps, [1, 2, 2, 3, 8, 24, 48, 120, 6]);
    let minutes = [60, 30, 20, 8, 1].map(|limit| steps_per_column(Step::Minute, 60, limit));
    assert_eq!(minutes, [1, 2, 3, 10, 60]);
    assert_eq!([24, 12, 5].map(|limit| steps_per_column(Step::Quarter, 24, limit)), [1, 2, 8]);
}

#[test]
fn steps_have_names() {
    let names =
        [(Step::Minute, 1), (Step::Minute, 5), (Step::Quarter, 4), (Step::Hour, 8), (Step::Hour, 24), (Step::Hour, 48)];
    let names = names.map(|(step, count)| step.words(count));
    assert_eq!(names, ["minute", "5 minutes", "hour", "8 hours", "day", "2 days"]);
}

proptest::proptest! {
    #[test]
    fn columns_lose_no_step(counts in proptest::collection::vec((0u64..1000, 0u64..9), 0..800), limit in 1usize..200, step in 0usize..3) {
        let step = [Step::Minute, Step::Quarter, Step::Hour][step];
        let steps: Vec<_> = (0..).zip(&counts).map(|(i, &(total, failed))| {
            let sum = Sum { total, failed, ..Sum::default() };
            (DateTime::from_timestamp(i * step.length().num_seconds(), 0).unwrap(), sum)
        }).collect();
        let columns = columns(step, &steps, limit);
        proptest::prop_assert!(columns.len() <= limit);
        proptest::prop_assert_eq!(columns.iter().map(|c| c.sum.total).sum::<u64>(), counts.iter().map(|c| c.0).sum::<u64>());
        proptest::prop_assert_eq!(columns.iter().map(|c| c.sum.failed).sum::<u64>(), counts.iter().map(|c| c.1).sum::<u64>());
        for pair in columns.windows(2) {
            proptest::prop_assert_eq!(pair[0].to, pair[1].from);
        }
        let whole = columns.iter().map(|c| c.to - c.from).sum::<TimeDelta>();
        proptest::prop_assert_eq!(whole, step.length() * i32::try_from(counts.len()).unwrap());
    }
}

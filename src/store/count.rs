//! SQL that counts rows per step of time and function: what charts show, in pieces, and what `metrics_hourly` is filled
//! with.

use super::read::bound;
use crate::model::hourly::Step;
use crate::model::spread::STEPS;
use crate::model::status::sql;

/// Names with their step and function at the most, in one answer.
const MOST_NAMES: usize = 5_000;
/// The invocations from `$1` up to `$2`, which is not included.
pub(super) const IN_RANGE: &str = "i.created_at >= $1 and i.created_at < $2";
/// The invocations of the ids `$1`.
pub(super) const OF_IDS: &str = "i.id = any($1)";

/// The beginning of the step that a row of `table` lies in. Not `date_bin`, which older servers lack.
pub(super) fn start(step: Step, column: &str) -> String {
    let seconds = step.length().num_seconds();
    format!("to_timestamp(floor(extract(epoch from {column}) / {seconds}) * {seconds})")
}

/// A select with the columns `at`, `function`, `ms`, `detected`, `jobs`, `failed`, `ok` and `names`, those of its failed
/// jobs, of each of these invocations.
fn judged(step: Step, function: &str, which: &str) -> String {
    let sql::Outcome { joins, failed, ok } = sql::outcome();
    format!(
        "select {} as at, {function} as function, {} as ms, i.events_detected_count as detected, i.total_jobs_run as jobs, \
                {failed} as failed, {ok} as ok, below_j.names as names \
         from @schema.invocations i{joins} where {which}",
        start(step, "i.created_at"),
        bound::milliseconds("i.total_duration_ms"),
    )
}

/// A select with the columns `at`, `function`, `total`, `ok`, `failed`, `events_detected`, `jobs_run` and `durations` of
/// whole hours.
pub(super) fn hours(which: &str) -> String {
    format!(
        "select at, function, {SUMS}, coalesce(array_agg(ms) filter (where ms is not null), '{{}}') as durations \
         from ({}) judged group by at, function",
        judged(Step::Hour, &bound::key("i.source_function"), which)
    )
}

/// A select with the columns `at`, `function`, `name`, `total`, `ok`, `failed`, `events_detected`, `jobs_run` and
/// `durations`: unlike medians, all of them can be added to those of another piece of the step. With a `name`, `total` is how
/// often the job of that name failed.
pub(super) fn pieces(step: Step) -> String {
    format!(
        "with judged as materialized ({}) \
         select at, function, null as name, {SUMS}, array_agg(ms) filter (where ms is not null) as durations \
         from judged group by at, function \
         union all \
         (select at, function, name, count(*), 0, 0, 0, 0, null from judged cross join unnest(names) as name \
          group by at, function, name order by 4 desc, 1, 2, 3 limit {MOST_NAMES})",
        judged(step, &bound::name("i.source_function"), IN_RANGE),
    )
}

/// The same of what was deleted, `$1` and `$2` as in [`IN_RANGE`].
pub(super) fn pruned_pieces() -> String {
    let (function, name) = (bound::name("p.source_function"), bound::name("n.name"));
    let range = "p.hour_bucket >= $1 and p.hour_bucket < $2";
    format!(
        "select p.hour_bucket as at, {function} as function, null as name, p.total_invocations as total, \
                p.successful_invocations as ok, p.failed_invocations as failed, p.total_events_detected as events_detected, \
                p.total_jobs_run as jobs_run, p.durations \
         from @schema.metrics_pruned p where {range} \
         union all \
         select p.hour_bucket, {function}, {name}, n.count, 0, 0, 0, 0, null \
         from @schema.metrics_pruned p cross join lateral jsonb_to_recordset(p.failed_jobs) as n(name text, count bigint) \
         where {range}"
    )
}

/// What is added up of the invocations of a step and function. A counter that a writer left out counts nothing.
const SUMS: &str = "count(*) as total, count(*) filter (where ok) as ok, count(*) filter (where failed) as failed, \
    least(coalesce(sum(greatest(detected, 0)), 0), 1000000000000)::bigint as events_detected, \
    least(coalesce(sum(greatest(jobs, 0)), 0), 1000000000000)::bigint as jobs_run";

/// A select of one row with the columns `avg_ms`, `min_ms`, `max_ms`, `p50_ms`, `p95_ms` and `spread` of the durations in an
/// array. Without durations all but the spread are null. A percentile is the duration of the nearest rank, as
/// [`nearest_rank`](crate::model::spread::nearest_rank) has it.
pub(super) fn lengths(durations: &str) -> String {
    let bounds: Vec<String> = STEPS[1..].iter().map(|(from, _)| from.to_string()).collect();
    let classes: Vec<String> =
        (0..STEPS.len()).map(|class| format!("count(*) filter (where class = {class})")).collect();
    format!(
        "select avg(ms)::float8 as avg_ms, min(ms) as min_ms, max(ms) as max_ms, \
                percentile_disc(0.5) within group (order by ms)::float8 as p50_ms, \
                percentile_disc(0.95) within group (order by ms)::float8 as p95_ms, array[{}]::int[] as spread \
         from (select ms, width_bucket(ms, array[{}]::bigint[]) as class from unnest({durations}) as ms) classed",
        classes.join(", "),
        bounds.join(", "),
    )
}

/// A select with the columns `at`, `function`, `name` and `count`: the jobs that failed.
pub(super) fn failed_jobs(which: &str) -> String {
    let jobs = format!(
        "select {} as name from @schema.job_executions j where j.invocation_id = i.id and {}",
        bound::key("j.job_name"),
        sql::JOB_FAILED
    );
    names(&jobs, which)
}

/// A select with the columns `at`, `function`, `name` and `count`: the events that were detected.
pub(super) fn detected_events(which: &str) -> String {
    let events = format!(
        "select {} as name from @schema.event_executions e where e.invocation_id = i.id and e.detected",
        bound::key("e.event_name")
    );
    names(&events, which)
}

fn names(below: &str, which: &str) -> String {
    format!(
        "select {} as at, {} as function, below.name, count(*) as count \
         from @schema.invocations i cross join lateral ({below}{}) below where {which} \
         group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit {MOST_NAMES}",
        start(Step::Hour, "i.created_at"),
        bound::key("i.source_function"),
        sql::PROBE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a view stands in a migration: whoever changes the rule writes a new one.
    #[test]
    fn dashboard_stats_has_the_rule_of_this_program() {
        let migration = include_str!("../../migrations/0017_hours_counted.sql");
        let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
        let sql::Outcome { joins, failed, ok } = sql::outcome();
        let view = words(migration).replace("( ", "(").replace(" )", ")");
        for part in [format!("{failed} as failed"), format!("{ok} as ok")] {
            assert!(view.contains(&words(&part)), "{part}");
        }
        // The names of failed jobs are not in the view.
        let without_names = |join: &str| match (join.find(", array_agg("), join.find(" from @schema.")) {
            (Some(names), Some(from)) => format!("{}{}", &join[..names], &join[from..]),
            _ => join.to_owned(),
        };
        for join in joins.split(" cross join lateral ").skip(1) {
            assert!(view.contains(&words(&without_names(join))), "{join}");
        }
    }
}

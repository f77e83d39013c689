//! SQL that counts rows per step of time and function: what charts show, in pieces, and what `metrics_hourly` is filled
//! with.
//! `$1` is the first moment that counts, `$2` the first that does not.

use super::read::bound;
use crate::model::hourly::Step;
use crate::model::spread::STEPS;
use crate::model::status::sql;

/// Names with their step and function at the most, in one answer.
const MOST_NAMES: usize = 5_000;

/// The beginning of the step that a row of `table` lies in. Not `date_bin`, which older servers lack.
fn start(step: Step, column: &str) -> String {
    let seconds = step.length().num_seconds();
    format!("to_timestamp(floor(extract(epoch from {column}) / {seconds}) * {seconds})")
}

/// A select with the columns `at`, `function`, `total`, `ok`, `failed`, `events_detected`, `jobs_run`, `avg_ms`,
/// `min_ms`, `max_ms`, `p50_ms`, `p95_ms` and `spread`.
pub(super) fn invocations(step: Step) -> String {
    let sql::Outcome { joins, failed, ok } = sql::outcome();
    let bounds: Vec<String> = STEPS[1..].iter().map(|(from, _)| from.to_string()).collect();
    let classes: Vec<String> =
        (0..STEPS.len()).map(|class| format!("count(*) filter (where class = {class})")).collect();
    format!(
        "select at, function, count(*) as total, count(*) filter (where ok) as ok, \
                count(*) filter (where failed) as failed, \
                {} as events_detected, {} as jobs_run, \
                avg(ms)::float8 as avg_ms, min(ms)::bigint as min_ms, max(ms)::bigint as max_ms, \
                percentile_cont(0.5) within group (order by ms)::float8 as p50_ms, \
                percentile_cont(0.95) within group (order by ms)::float8 as p95_ms, \
                array[{}]::int[] as spread \
         from (select {} as at, {} as function, i.total_duration_ms as ms, \
                      i.events_detected_count as detected, i.total_jobs_run as jobs, {failed} as failed, {ok} as ok, \
                      width_bucket(i.total_duration_ms, array[{}]) as class \
               from @schema.invocations i{joins} where i.created_at >= $1 and i.created_at < $2) counted \
         group by at, function",
        bound::count("sum(detected)"),
        bound::count("sum(jobs)"),
        classes.join(", "),
        start(step, "i.created_at"),
        bound::key("i.source_function"),
        bounds.join(", "),
    )
}

/// A select with the columns `at`, `function`, `name`, `total`, `ok`, `failed`, `events_detected`, `jobs_run` and
/// `durations`: unlike medians, all of them can be added to those of another piece of the step. With a `name`, `total` is how
/// often the job of that name failed.
pub(super) fn pieces(step: Step) -> String {
    let sql::Outcome { joins, failed, ok } = sql::outcome();
    format!(
        "with judged as materialized (\
           select {} as at, {} as function, {} as ms, \
                  i.events_detected_count as detected, i.total_jobs_run as jobs, {failed} as failed, {ok} as ok, \
                  below_j.names as names \
           from @schema.invocations i{joins} where i.created_at >= $1 and i.created_at < $2) \
         select at, function, null as name, count(*) as total, count(*) filter (where ok) as ok, \
                count(*) filter (where failed) as failed, {} as events_detected, \
                {} as jobs_run, array_agg(ms) filter (where ms is not null) as durations \
         from judged group by at, function \
         union all \
         (select at, function, name, count(*), 0, 0, 0, 0, null from judged cross join unnest(names) as name \
          group by at, function, name order by 4 desc, 1, 2, 3 limit {MOST_NAMES})",
        start(step, "i.created_at"),
        bound::name("i.source_function"),
        bound::milliseconds("i.total_duration_ms"),
        bound::count("sum(detected)"),
        bound::count("sum(jobs)"),
    )
}

/// A select with the columns `at`, `function`, `name` and `count`: the jobs that failed.
pub(super) fn failed_jobs(step: Step) -> String {
    let jobs = format!(
        "select {} as name from @schema.job_executions j where j.invocation_id = i.id and {}",
        bound::key("j.job_name"),
        sql::JOB_FAILED
    );
    names(step, &jobs)
}

/// A select with the columns `at`, `function`, `name` and `count`: the events that were detected.
pub(super) fn detected_events(step: Step) -> String {
    let events = format!(
        "select {} as name from @schema.event_executions e where e.invocation_id = i.id and e.detected",
        bound::key("e.event_name")
    );
    names(step, &events)
}

fn names(step: Step, below: &str) -> String {
    format!(
        "select {} as at, {} as function, below.name, count(*) as count \
         from @schema.invocations i cross join lateral ({below}{}) below \
         where i.created_at >= $1 and i.created_at < $2 \
         group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit {MOST_NAMES}",
        start(step, "i.created_at"),
        bound::key("i.source_function"),
        sql::PROBE,
    )
}

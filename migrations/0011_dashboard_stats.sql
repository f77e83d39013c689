-- Seven days by hour and function, as of the last refresh. A relation of that name that exists stays as it is.
-- An invocation counts as failed when anything below it failed, whatever its own row says; as successful when it
-- completed and nothing below it failed or is unfinished.
DO $$
BEGIN
    IF to_regclass(format('%I.dashboard_stats', @'schema')) IS NULL THEN
        CREATE MATERIALIZED VIEW @schema.dashboard_stats AS
        WITH child AS (
            SELECT invocation_id, status IN ('failed', 'detection_failed', 'handler_failed')
                OR coalesce(detection_error, handler_error, '') <> '' AS failed
            FROM @schema.event_executions
            WHERE status NOT IN ('completed', 'not_detected') OR detection_error <> '' OR handler_error <> ''
            UNION ALL
            SELECT invocation_id, status = 'failed' OR coalesce(error_message, '') <> ''
            FROM @schema.job_executions
            WHERE status <> 'completed' OR error_message <> ''
        ), below AS (
            SELECT invocation_id, bool_or(failed) AS failed FROM child GROUP BY invocation_id
        ), judged AS (
            SELECT i.created_at, i.source_function, i.events_detected_count, i.total_jobs_run, i.total_jobs_succeeded,
                i.total_duration_ms,
                i.status = 'failed' OR coalesce(i.error_message, '') <> '' OR coalesce(b.failed, false) AS failed,
                i.status = 'completed' AND coalesce(i.error_message, '') = '' AND b.invocation_id IS NULL AS successful
            FROM @schema.invocations i
            LEFT JOIN below b ON b.invocation_id = i.id
            WHERE i.created_at >= now() - interval '7 days'
        )
        SELECT date_trunc('hour', created_at, 'UTC') AS hour_bucket,
            source_function,
            count(*) AS total_invocations,
            count(*) FILTER (WHERE successful) AS successful_invocations,
            count(*) FILTER (WHERE failed) AS failed_invocations,
            coalesce(sum(events_detected_count), 0) AS total_events_detected,
            coalesce(sum(total_jobs_run), 0) AS total_jobs_run,
            coalesce(sum(total_jobs_succeeded), 0) AS total_jobs_succeeded,
            avg(total_duration_ms) AS avg_duration_ms,
            min(total_duration_ms) AS min_duration_ms,
            max(total_duration_ms) AS max_duration_ms,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY total_duration_ms) AS p95_duration_ms
        FROM judged
        GROUP BY 1, 2
        WITH DATA;

        CREATE UNIQUE INDEX dashboard_stats_hour_bucket_source_function_key ON @schema.dashboard_stats (hour_bucket, source_function);

        COMMENT ON MATERIALIZED VIEW @schema.dashboard_stats IS 'The last seven days by hour and function, as of its refresh.';
        COMMENT ON COLUMN @schema.dashboard_stats.hour_bucket IS 'Beginning of the hour, UTC.';
        COMMENT ON COLUMN @schema.dashboard_stats.source_function IS 'Function that the numbers are of.';
        COMMENT ON COLUMN @schema.dashboard_stats.total_invocations IS 'Invocations that began in the hour.';
        COMMENT ON COLUMN @schema.dashboard_stats.successful_invocations IS 'Those that completed with nothing failed or unfinished below them.';
        COMMENT ON COLUMN @schema.dashboard_stats.failed_invocations IS 'Those that failed, themselves or below.';
        COMMENT ON COLUMN @schema.dashboard_stats.total_events_detected IS 'Events they detected, as the writer counted them.';
        COMMENT ON COLUMN @schema.dashboard_stats.total_jobs_run IS 'Jobs they ran, as the writer counted them.';
        COMMENT ON COLUMN @schema.dashboard_stats.total_jobs_succeeded IS 'Jobs that succeeded, as the writer counted them.';
        COMMENT ON COLUMN @schema.dashboard_stats.avg_duration_ms IS 'Mean length of an invocation in milliseconds.';
        COMMENT ON COLUMN @schema.dashboard_stats.min_duration_ms IS 'Shortest invocation in milliseconds.';
        COMMENT ON COLUMN @schema.dashboard_stats.max_duration_ms IS 'Longest invocation in milliseconds.';
        COMMENT ON COLUMN @schema.dashboard_stats.p95_duration_ms IS '95th percentile of the length in milliseconds.';
    END IF;
END
$$;

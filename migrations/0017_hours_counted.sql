-- What metrics_hourly covers: an hour without invocations differs from one that was never counted.
CREATE TABLE IF NOT EXISTS @schema.metrics_coverage (
    covered_from timestamptz CONSTRAINT metrics_coverage_pkey PRIMARY KEY,
    covered_to timestamptz NOT NULL,
    counted_at timestamptz NOT NULL,
    CONSTRAINT metrics_coverage_check CHECK (covered_from < covered_to)
);

COMMENT ON TABLE @schema.metrics_coverage IS 'Ranges of hours that metrics_hourly covers, hours without invocations included.';
COMMENT ON COLUMN @schema.metrics_coverage.covered_from IS 'Beginning of the first hour; -infinity before the first invocation.';
COMMENT ON COLUMN @schema.metrics_coverage.covered_to IS 'End of the last hour.';
COMMENT ON COLUMN @schema.metrics_coverage.counted_at IS 'Rows that changed later were not counted yet.';

-- What was deleted stays in the numbers of its hour, while what is still there is counted again.
CREATE TABLE IF NOT EXISTS @schema.metrics_pruned (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    hour_bucket timestamptz NOT NULL,
    source_function text NOT NULL,
    total_invocations bigint NOT NULL,
    successful_invocations bigint NOT NULL,
    failed_invocations bigint NOT NULL,
    total_events_detected bigint NOT NULL,
    total_jobs_run bigint NOT NULL,
    durations bigint[] NOT NULL,
    detected_events jsonb NOT NULL,
    failed_jobs jsonb NOT NULL
);

CREATE INDEX IF NOT EXISTS metrics_pruned_hour_bucket_idx ON @schema.metrics_pruned (hour_bucket);

COMMENT ON TABLE @schema.metrics_pruned IS 'Numbers of invocations that db prune deleted: a part of their hours in metrics_hourly.';
COMMENT ON COLUMN @schema.metrics_pruned.id IS 'Identity.';
COMMENT ON COLUMN @schema.metrics_pruned.created_at IS 'When the rows were deleted.';
COMMENT ON COLUMN @schema.metrics_pruned.hour_bucket IS 'Beginning of the hour.';
COMMENT ON COLUMN @schema.metrics_pruned.source_function IS 'Function that the numbers are of.';
COMMENT ON COLUMN @schema.metrics_pruned.total_invocations IS 'Invocations that were deleted.';
COMMENT ON COLUMN @schema.metrics_pruned.successful_invocations IS 'Those that completed without any failure below them.';
COMMENT ON COLUMN @schema.metrics_pruned.failed_invocations IS 'Those that failed, themselves or below.';
COMMENT ON COLUMN @schema.metrics_pruned.total_events_detected IS 'Events they detected.';
COMMENT ON COLUMN @schema.metrics_pruned.total_jobs_run IS 'Jobs they ran.';
COMMENT ON COLUMN @schema.metrics_pruned.durations IS 'How long those that ended took, in milliseconds.';
COMMENT ON COLUMN @schema.metrics_pruned.detected_events IS 'Detected events with their counts.';
COMMENT ON COLUMN @schema.metrics_pruned.failed_jobs IS 'Failed jobs with their counts.';

-- A recorder writes rows with the times at which they changed: after an outage these are long past.
CREATE TABLE IF NOT EXISTS @schema.metrics_late (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    written_at timestamptz NOT NULL DEFAULT now(),
    updated_since timestamptz NOT NULL
);

COMMENT ON TABLE @schema.metrics_late IS 'Batches that a recorder wrote late, until db refresh has counted them.';
COMMENT ON COLUMN @schema.metrics_late.id IS 'Identity.';
COMMENT ON COLUMN @schema.metrics_late.written_at IS 'When the batch was written.';
COMMENT ON COLUMN @schema.metrics_late.updated_since IS 'The earliest updated_at among its rows.';

-- dashboard_stats by the same rule as metrics_hourly. Only the view that migration 11 made is replaced, and keeps the
-- rights and the comments that it had.
DO $$
DECLARE
    view_id oid := to_regclass(format('%I.dashboard_stats', @'schema'));
    statement text;
    statements text[];
BEGIN
    IF view_id IS NULL OR NOT EXISTS (
        SELECT FROM pg_class c WHERE c.oid = view_id AND c.relkind = 'm' AND pg_has_role(c.relowner, 'USAGE')
            AND obj_description(c.oid, 'pg_class') = 'The last seven days by hour and function, as of its refresh.'
    ) THEN
        RETURN;
    END IF;
    SELECT array_agg(format('GRANT %s ON %I.dashboard_stats TO %s%s', g.privilege_type, @'schema',
               CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END,
               CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END))
    INTO statements
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
    WHERE c.oid = view_id AND g.grantee <> c.relowner;
    SELECT statements || array_agg(format('COMMENT ON COLUMN %I.dashboard_stats.%I IS %L', @'schema', a.attname, d.description))
    INTO statements
    FROM pg_attribute a JOIN pg_description d ON d.objoid = a.attrelid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass
    WHERE a.attrelid = view_id AND a.attnum > 0;

    BEGIN
        DROP MATERIALIZED VIEW @schema.dashboard_stats;
    EXCEPTION WHEN dependent_objects_still_exist THEN
        RAISE WARNING 'dashboard_stats keeps its old rule for a status: other objects depend on it';
        RETURN;
    END;
    CREATE MATERIALIZED VIEW @schema.dashboard_stats AS
    WITH judged AS (
        SELECT date_trunc('hour', i.created_at, 'UTC') AS hour_bucket, left(i.source_function, 500) AS source_function,
            i.events_detected_count, i.total_jobs_run, i.total_jobs_succeeded, i.total_duration_ms,
            ((coalesce(i.status, '') in ('failed', 'detection_failed', 'handler_failed') or (coalesce(i.status, '')
                not in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') and
                coalesce(lower(i.status collate "C"), '') in ('failed', 'detection_failed', 'handler_failed', 'fail',
                'failure', 'error', 'errored', 'timeout', 'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted',
                'crashed', 'killed', 'terminated', 'rejected', 'expired', 'exception', 'dead')) or
                coalesce(i.error_message, '') <> '' or coalesce(i.error_stack, '') <> '') or below_e.failed or
                below_j.failed) AS failed,
            ((coalesce(i.status, '') in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected')
                or coalesce(lower(i.status collate "C"), '') in ('completed', 'failed', 'detection_failed',
                'handler_failed', 'not_detected', 'complete', 'success', 'successful', 'succeeded', 'ok', 'done',
                'finished', 'processed', 'passed', 'skipped', 'ignored', 'fail', 'failure', 'error', 'errored',
                'timeout', 'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted', 'crashed', 'killed',
                'terminated', 'rejected', 'expired', 'exception', 'dead')) and not (coalesce(i.status, '') in
                ('failed', 'detection_failed', 'handler_failed') or (coalesce(i.status, '') not in ('completed',
                'failed', 'detection_failed', 'handler_failed', 'not_detected') and coalesce(lower(i.status collate
                "C"), '') in ('failed', 'detection_failed', 'handler_failed', 'fail', 'failure', 'error', 'errored',
                'timeout', 'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted', 'crashed', 'killed',
                'terminated', 'rejected', 'expired', 'exception', 'dead')) or coalesce(i.error_message, '') <> '' or
                coalesce(i.error_stack, '') <> '') and not below_e.unwell and not below_j.unwell) AS ok
        FROM @schema.invocations i
        CROSS JOIN LATERAL (select coalesce(bool_or((coalesce(e.status, '') in ('failed', 'detection_failed',
            'handler_failed') or (coalesce(e.status, '') not in ('completed', 'failed', 'detection_failed',
            'handler_failed', 'not_detected') and coalesce(lower(e.status collate "C"), '') in ('failed',
            'detection_failed', 'handler_failed', 'fail', 'failure', 'error', 'errored', 'timeout', 'timed_out',
            'timedout', 'cancelled', 'canceled', 'aborted', 'crashed', 'killed', 'terminated', 'rejected', 'expired',
            'exception', 'dead')) or coalesce(e.detection_error, '') <> '' or coalesce(e.handler_error, '') <> '' or
            coalesce(e.detection_error_stack, '') <> '' or coalesce(e.handler_error_stack, '') <> '')), false) as
            failed, count(*) > 0 as unwell from @schema.event_executions e where e.invocation_id = i.id and
            ((coalesce(e.status, '') in ('failed', 'detection_failed', 'handler_failed') or (coalesce(e.status, '')
            not in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') and
            coalesce(lower(e.status collate "C"), '') in ('failed', 'detection_failed', 'handler_failed', 'fail',
            'failure', 'error', 'errored', 'timeout', 'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted',
            'crashed', 'killed', 'terminated', 'rejected', 'expired', 'exception', 'dead')) or
            coalesce(e.detection_error, '') <> '' or coalesce(e.handler_error, '') <> '' or
            coalesce(e.detection_error_stack, '') <> '' or coalesce(e.handler_error_stack, '') <> '') or not
            (coalesce(e.status, '') in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected')
            or coalesce(lower(e.status collate "C"), '') in ('completed', 'failed', 'detection_failed',
            'handler_failed', 'not_detected', 'complete', 'success', 'successful', 'succeeded', 'ok', 'done',
            'finished', 'processed', 'passed', 'skipped', 'ignored', 'fail', 'failure', 'error', 'errored', 'timeout',
            'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted', 'crashed', 'killed', 'terminated',
            'rejected', 'expired', 'exception', 'dead')))) below_e
        CROSS JOIN LATERAL (select coalesce(bool_or((coalesce(j.status, '') in ('failed', 'detection_failed',
            'handler_failed') or (coalesce(j.status, '') not in ('completed', 'failed', 'detection_failed',
            'handler_failed', 'not_detected') and coalesce(lower(j.status collate "C"), '') in ('failed',
            'detection_failed', 'handler_failed', 'fail', 'failure', 'error', 'errored', 'timeout', 'timed_out',
            'timedout', 'cancelled', 'canceled', 'aborted', 'crashed', 'killed', 'terminated', 'rejected', 'expired',
            'exception', 'dead')) or coalesce(j.error_message, '') <> '' or coalesce(j.error_stack, '') <> '')),
            false) as failed, count(*) > 0 as unwell from @schema.job_executions j where j.invocation_id = i.id and
            ((coalesce(j.status, '') in ('failed', 'detection_failed', 'handler_failed') or (coalesce(j.status, '')
            not in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') and
            coalesce(lower(j.status collate "C"), '') in ('failed', 'detection_failed', 'handler_failed', 'fail',
            'failure', 'error', 'errored', 'timeout', 'timed_out', 'timedout', 'cancelled', 'canceled', 'aborted',
            'crashed', 'killed', 'terminated', 'rejected', 'expired', 'exception', 'dead')) or
            coalesce(j.error_message, '') <> '' or coalesce(j.error_stack, '') <> '') or not (coalesce(j.status, '')
            in ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected') or
            coalesce(lower(j.status collate "C"), '') in ('completed', 'failed', 'detection_failed', 'handler_failed',
            'not_detected', 'complete', 'success', 'successful', 'succeeded', 'ok', 'done', 'finished', 'processed',
            'passed', 'skipped', 'ignored', 'fail', 'failure', 'error', 'errored', 'timeout', 'timed_out', 'timedout',
            'cancelled', 'canceled', 'aborted', 'crashed', 'killed', 'terminated', 'rejected', 'expired', 'exception',
            'dead')))) below_j
        WHERE i.created_at >= date_trunc('hour', now(), 'UTC') - interval '7 days'
    )
    SELECT hour_bucket,
        source_function,
        count(*) AS total_invocations,
        count(*) FILTER (WHERE ok) AS successful_invocations,
        count(*) FILTER (WHERE failed) AS failed_invocations,
        coalesce(sum(events_detected_count), 0) AS total_events_detected,
        coalesce(sum(total_jobs_run), 0) AS total_jobs_run,
        coalesce(sum(total_jobs_succeeded), 0) AS total_jobs_succeeded,
        avg(total_duration_ms) AS avg_duration_ms,
        min(total_duration_ms) AS min_duration_ms,
        max(total_duration_ms) AS max_duration_ms,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY total_duration_ms)::double precision AS p95_duration_ms
    FROM judged
    GROUP BY 1, 2
    WITH DATA;
    CREATE UNIQUE INDEX dashboard_stats_hour_bucket_source_function_key ON @schema.dashboard_stats (hour_bucket, source_function);
    COMMENT ON MATERIALIZED VIEW @schema.dashboard_stats IS 'The last seven days by hour and function, as of its refresh.';
    FOREACH statement IN ARRAY coalesce(statements, '{}') LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- Numbers computed from a row, callable as a column: SELECT i.invocation_success_rate FROM invocations i.
-- A function that another program made for the same argument stays as it is.
DO $$
BEGIN
    IF to_regprocedure('invocation_success_rate(invocations)') IS NULL THEN
        CREATE FUNCTION invocation_success_rate(invocation invocations) RETURNS numeric
            LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
            SELECT CASE WHEN invocation.total_jobs_run > 0
                THEN round(100.0 * coalesce(invocation.total_jobs_succeeded, 0) / invocation.total_jobs_run, 2)
                ELSE 100.0 END
        $function$;
        COMMENT ON FUNCTION invocation_success_rate(invocations) IS 'Jobs that succeeded in percent of jobs run; 100.0 when none ran.';
    END IF;

    IF to_regprocedure('invocation_avg_job_duration(invocations)') IS NULL THEN
        CREATE FUNCTION invocation_avg_job_duration(invocation invocations) RETURNS numeric
            LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $function$
            SELECT round(avg(j.duration_ms), 2) FROM job_executions j WHERE j.invocation_id = invocation.id
        $function$;
        COMMENT ON FUNCTION invocation_avg_job_duration(invocations) IS 'Mean length of its jobs in milliseconds; NULL when none ended.';
    END IF;

    IF to_regprocedure('event_job_success_rate(event_executions)') IS NULL THEN
        CREATE FUNCTION event_job_success_rate(event event_executions) RETURNS numeric
            LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
            SELECT CASE WHEN event.jobs_count > 0
                THEN round(100.0 * coalesce(event.jobs_succeeded, 0) / event.jobs_count, 2)
                ELSE 100.0 END
        $function$;
        COMMENT ON FUNCTION event_job_success_rate(event_executions) IS 'Jobs that succeeded in percent of jobs started; 100.0 when none ran.';
    END IF;
END
$$;

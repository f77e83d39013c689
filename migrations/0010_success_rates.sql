-- Numbers computed from a row, callable as a column: SELECT i.invocation_success_rate FROM invocations i.
-- A function that another program made for the same argument stays as it is.
DO $$
BEGIN
    IF to_regprocedure(format('%1$I.invocation_success_rate(%1$I.invocations)', @'schema')) IS NULL THEN
        CREATE FUNCTION @schema.invocation_success_rate(invocation @schema.invocations) RETURNS numeric
            LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $function$
            SELECT CASE WHEN invocation.total_jobs_run > 0
                THEN round(100.0 * coalesce(invocation.total_jobs_succeeded, 0) / invocation.total_jobs_run, 2)
                ELSE 100.0 END
        $function$;
        COMMENT ON FUNCTION @schema.invocation_success_rate(@schema.invocations) IS 'Jobs that succeeded in percent of jobs run; 100.0 when none ran.';
    END IF;

    IF to_regprocedure(format('%1$I.invocation_avg_job_duration(%1$I.invocations)', @'schema')) IS NULL THEN
        CREATE FUNCTION @schema.invocation_avg_job_duration(invocation @schema.invocations) RETURNS numeric
            LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $function$
            SELECT round(avg(j.duration_ms), 2) FROM @schema.job_executions j WHERE j.invocation_id = invocation.id
        $function$;
        COMMENT ON FUNCTION @schema.invocation_avg_job_duration(@schema.invocations) IS 'Mean length of its jobs in milliseconds; NULL when none ended.';
    END IF;

    IF to_regprocedure(format('%1$I.event_job_success_rate(%1$I.event_executions)', @'schema')) IS NULL THEN
        CREATE FUNCTION @schema.event_job_success_rate(event @schema.event_executions) RETURNS numeric
            LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $function$
            SELECT CASE WHEN event.jobs_count > 0
                THEN round(100.0 * coalesce(event.jobs_succeeded, 0) / event.jobs_count, 2)
                ELSE 100.0 END
        $function$;
        COMMENT ON FUNCTION @schema.event_job_success_rate(@schema.event_executions) IS 'Jobs that succeeded in percent of jobs started; 100.0 when none ran.';
    END IF;
END
$$;

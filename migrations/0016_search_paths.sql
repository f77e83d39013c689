-- Functions that an earlier version made looked names up where others may make things. They get a path of their own.
-- Only those with the very text that it made, and only by their owner: whatever else bears such a name is not ours.
DO $$
DECLARE
    made record;
    found record;
BEGIN
    FOR made IN
        SELECT * FROM (VALUES
            ('obs_tui_touch', 'BEGIN NEW.updated_at := now(); RETURN NEW; END'),
            ('invocation_success_rate', 'SELECT CASE WHEN invocation.total_jobs_run > 0 '
                'THEN round(100.0 * coalesce(invocation.total_jobs_succeeded, 0) / invocation.total_jobs_run, 2) ELSE 100.0 END'),
            ('event_job_success_rate', 'SELECT CASE WHEN event.jobs_count > 0 '
                'THEN round(100.0 * coalesce(event.jobs_succeeded, 0) / event.jobs_count, 2) ELSE 100.0 END'),
            ('invocation_avg_job_duration',
                'SELECT round(avg(j.duration_ms), 2) FROM job_executions j WHERE j.invocation_id = invocation.id'),
            ('refresh_dashboard_stats', 'BEGIN IF EXISTS ( SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid '
                'WHERE c.oid = ''dashboard_stats''::regclass AND c.relispopulated '
                'AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL ) THEN '
                'REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard_stats; ELSE REFRESH MATERIALIZED VIEW dashboard_stats; END IF; END')
        ) AS v (name, text)
    LOOP
        FOR found IN
            SELECT p.oid::regprocedure AS signature
            FROM pg_proc p
            WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = @'schema') AND p.proname = made.name
                AND btrim(regexp_replace(p.prosrc, '\s+', ' ', 'g')) = made.text AND pg_has_role(p.proowner, 'USAGE')
        LOOP
            IF made.name = 'invocation_avg_job_duration' THEN
                CREATE OR REPLACE FUNCTION @schema.invocation_avg_job_duration(invocation @schema.invocations) RETURNS numeric
                    LANGUAGE sql STABLE PARALLEL SAFE AS $function$
                    SELECT round(avg(j.duration_ms), 2) FROM @schema.job_executions j WHERE j.invocation_id = invocation.id
                $function$;
            ELSIF made.name = 'refresh_dashboard_stats' THEN
                CREATE OR REPLACE FUNCTION @schema.refresh_dashboard_stats() RETURNS void LANGUAGE plpgsql AS $function$
                BEGIN
                    IF EXISTS (
                        SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                        WHERE c.oid = format('%I.dashboard_stats', @'schema')::regclass AND c.relispopulated
                            AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                    ) THEN
                        REFRESH MATERIALIZED VIEW CONCURRENTLY @schema.dashboard_stats;
                    ELSE
                        REFRESH MATERIALIZED VIEW @schema.dashboard_stats;
                    END IF;
                END
                $function$;
            END IF;
            EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', found.signature);
        END LOOP;
    END LOOP;
END
$$;

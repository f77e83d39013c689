-- Refreshes dashboard_stats without blocking its readers where a unique index allows it. Only the owner of the view may.
DO $$
BEGIN
    IF to_regprocedure(format('%I.refresh_dashboard_stats()', @'schema')) IS NULL THEN
        CREATE FUNCTION @schema.refresh_dashboard_stats() RETURNS void
            LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
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
        COMMENT ON FUNCTION @schema.refresh_dashboard_stats() IS 'Recomputes dashboard_stats; for its owner.';
    END IF;
END
$$;

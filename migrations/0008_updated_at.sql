-- no-transaction
-- updated_at moves on every UPDATE that does not set it itself. The WHEN clause is tested without calling the function.
-- A table that already has such a trigger keeps its own.
CREATE OR REPLACE FUNCTION @schema.obs_tui_touch() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$function$;
-- next
COMMENT ON FUNCTION @schema.obs_tui_touch() IS 'Sets updated_at of the row to the time of the transaction.';
-- next
DO $$
BEGIN
    -- Somebody may have made a function of this name while everybody could, and could replace it at any time.
    IF NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure(format('%I.obs_tui_touch()', @'schema'))
            AND proowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)) THEN
        RAISE EXCEPTION 'function obs_tui_touch() in the schema % belongs to another role: drop it', @'schema';
    END IF;
END
$$;
-- next
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = format('%I.invocations', @'schema')::regclass AND NOT t.tgisinternal
            AND pg_get_triggerdef(t.oid) ILIKE '% BEFORE %UPDATE% FOR EACH ROW %' AND p.prosrc ILIKE '%updated_at%'
    ) THEN
        CREATE TRIGGER obs_tui_touch BEFORE UPDATE ON @schema.invocations FOR EACH ROW
            WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION @schema.obs_tui_touch();
    END IF;
END
$$;
-- next
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = format('%I.event_executions', @'schema')::regclass AND NOT t.tgisinternal
            AND pg_get_triggerdef(t.oid) ILIKE '% BEFORE %UPDATE% FOR EACH ROW %' AND p.prosrc ILIKE '%updated_at%'
    ) THEN
        CREATE TRIGGER obs_tui_touch BEFORE UPDATE ON @schema.event_executions FOR EACH ROW
            WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION @schema.obs_tui_touch();
    END IF;
END
$$;
-- next
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = format('%I.job_executions', @'schema')::regclass AND NOT t.tgisinternal
            AND pg_get_triggerdef(t.oid) ILIKE '% BEFORE %UPDATE% FOR EACH ROW %' AND p.prosrc ILIKE '%updated_at%'
    ) THEN
        CREATE TRIGGER obs_tui_touch BEFORE UPDATE ON @schema.job_executions FOR EACH ROW
            WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION @schema.obs_tui_touch();
    END IF;
END
$$;

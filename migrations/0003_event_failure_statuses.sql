-- Older databases refuse the statuses detection_failed and handler_failed. A check on status alone that refuses one of
-- them is widened by exactly these two; whatever else it accepts stays accepted, whatever else it refuses stays refused.
DO $$
DECLARE
    constraint_found record;
    accepted boolean;
BEGIN
    FOR constraint_found IN
        SELECT c.conname AS name, pg_get_expr(c.conbin, c.conrelid) AS expression
        FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = 'status'
        WHERE c.conrelid = format('%I.event_executions', @'schema')::regclass AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]
    LOOP
        EXECUTE format(
            'SELECT bool_and(coalesce(%s, true)) FROM (VALUES (''detection_failed''::text), (''handler_failed'')) AS v (status)',
            constraint_found.expression) INTO accepted;
        IF NOT accepted THEN
            EXECUTE format(
                'ALTER TABLE %3$I.event_executions DROP CONSTRAINT %1$I, '
                'ADD CONSTRAINT %1$I CHECK (%2$s OR status IN (''detection_failed'', ''handler_failed''))',
                constraint_found.name, constraint_found.expression, @'schema');
        END IF;
    END LOOP;
END
$$;

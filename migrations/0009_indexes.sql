-- The indexes that the explorer's queries need. An equal index under another name counts. There is none on status
-- alone: it would make every status update rewrite the indexes.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('invocations', 'invocations_created_at_id_idx', '(created_at DESC, id DESC)'),
            ('invocations', 'invocations_correlation_id_idx', '(correlation_id)'),
            ('invocations', 'invocations_source_job_id_idx', '(source_job_id) WHERE (source_job_id IS NOT NULL)'),
            ('invocations', 'invocations_source_function_idx', '(source_function, created_at DESC)'),
            ('event_executions', 'event_executions_invocation_id_idx', '(invocation_id)'),
            ('event_executions', 'event_executions_correlation_id_idx', '(correlation_id)'),
            ('event_executions', 'event_executions_detected_idx', '(created_at DESC) WHERE detected'),
            ('job_executions', 'job_executions_invocation_id_idx', '(invocation_id)'),
            ('job_executions', 'job_executions_event_execution_id_idx', '(event_execution_id)'),
            ('job_executions', 'job_executions_correlation_id_idx', '(correlation_id)'),
            ('job_executions', 'job_executions_failed_idx', '(created_at DESC) WHERE (status = ''failed''::text)'),
            ('job_logs', 'job_logs_job_execution_id_idx', '(job_execution_id, created_at)')
        ) AS v (on_table, name, columns)
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = format('%I.%I', @'schema', wanted.on_table)::regclass AND i.indisvalid
                AND split_part(pg_get_indexdef(i.indexrelid), ' USING btree ', 2) = wanted.columns
        ) THEN
            EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I.%I %s', wanted.name, @'schema', wanted.on_table, wanted.columns);
        END IF;
    END LOOP;
END
$$;

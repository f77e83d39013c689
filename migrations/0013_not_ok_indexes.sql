-- no-transaction
-- Events and jobs that failed or never ended, by their invocation: few rows, which decide the effective status of an
-- invocation without a look at all the others. The conditions are those of the reader's queries: otherwise the server
-- cannot use the indexes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_not_ok_idx ON @schema.event_executions (invocation_id)
    WHERE coalesce(status, '') IN ('failed', 'detection_failed', 'handler_failed')
        OR coalesce(detection_error, '') <> '' OR coalesce(handler_error, '') <> ''
        OR coalesce(detection_error_stack, '') <> '' OR coalesce(handler_error_stack, '') <> ''
        OR coalesce(status, '') NOT IN ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected');
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_not_ok_idx ON @schema.job_executions (invocation_id)
    WHERE coalesce(status, '') IN ('failed', 'detection_failed', 'handler_failed')
        OR coalesce(error_message, '') <> '' OR coalesce(error_stack, '') <> ''
        OR coalesce(status, '') NOT IN ('completed', 'failed', 'detection_failed', 'handler_failed', 'not_detected');

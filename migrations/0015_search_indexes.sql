-- no-transaction
-- What people search for most: the names of detected events, which are few among all that were checked, and the rows of
-- one person. The name is the second column, since the explorer goes through invocations, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_detected_name_idx ON @schema.event_executions (invocation_id, event_name)
    WHERE detected;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_source_user_email_idx ON @schema.invocations (source_user_email, created_at DESC);

-- no-transaction
-- The indexes that the explorer's queries need, one after the other and without blocking writers. An equal index under
-- another name counts, so each is written as the server writes it. There is none on status alone: it would make every
-- status update rewrite the indexes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_created_at_id_idx ON @schema.invocations (created_at DESC, id DESC);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_correlation_id_idx ON @schema.invocations (correlation_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_source_job_id_idx ON @schema.invocations (source_job_id) WHERE (source_job_id IS NOT NULL);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_source_function_idx ON @schema.invocations (source_function, created_at DESC);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_invocation_id_idx ON @schema.event_executions (invocation_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_correlation_id_idx ON @schema.event_executions (correlation_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_detected_idx ON @schema.event_executions (created_at DESC) WHERE detected;
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_invocation_id_idx ON @schema.job_executions (invocation_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_event_execution_id_idx ON @schema.job_executions (event_execution_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_correlation_id_idx ON @schema.job_executions (correlation_id);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_failed_idx ON @schema.job_executions (created_at DESC) WHERE (status = 'failed'::text);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_logs_job_execution_id_idx ON @schema.job_logs (job_execution_id, created_at);

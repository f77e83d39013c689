-- The indexes that a database of the other writer has, beside its primary keys: one column each, nothing partial, none
-- on the created_at of events, none that holds the id as a second column.
CREATE INDEX their_invocations_created_at ON invocations (created_at DESC);
CREATE INDEX their_invocations_source_function ON invocations (source_function);
CREATE INDEX their_invocations_source_system ON invocations (source_system);
CREATE INDEX their_invocations_status ON invocations (status);
CREATE INDEX their_invocations_source_event_id ON invocations (source_event_id);
CREATE INDEX their_invocations_correlation_id ON invocations (correlation_id);
CREATE INDEX their_invocations_source_job_id ON invocations (source_job_id);
CREATE INDEX their_events_invocation_id ON event_executions (invocation_id);
CREATE INDEX their_events_event_name ON event_executions (event_name);
CREATE INDEX their_events_detected ON event_executions (detected);
CREATE INDEX their_events_status ON event_executions (status);
CREATE INDEX their_events_correlation_id ON event_executions (correlation_id);
CREATE INDEX their_jobs_invocation_id ON job_executions (invocation_id);
CREATE INDEX their_jobs_event_execution_id ON job_executions (event_execution_id);
CREATE INDEX their_jobs_job_name ON job_executions (job_name);
CREATE INDEX their_jobs_status ON job_executions (status);
CREATE INDEX their_jobs_created_at ON job_executions (created_at DESC);
CREATE INDEX their_jobs_correlation_id ON job_executions (correlation_id)

-- no-transaction
-- Which rows changed since an hour was counted. Block ranges cost writers next to nothing.
CREATE INDEX CONCURRENTLY IF NOT EXISTS invocations_updated_at_idx ON @schema.invocations
    USING brin (updated_at) WITH (pages_per_range = 16, autosummarize = on);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS event_executions_updated_at_idx ON @schema.event_executions
    USING brin (updated_at) WITH (pages_per_range = 16, autosummarize = on);
-- next
CREATE INDEX CONCURRENTLY IF NOT EXISTS job_executions_updated_at_idx ON @schema.job_executions
    USING brin (updated_at) WITH (pages_per_range = 16, autosummarize = on);

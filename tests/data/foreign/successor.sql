-- Turns the tables of legacy.sql into those of a later writer: two more columns, a foreign key that makes orphans of
-- children instead of removing them, a full status check, a materialized view that was never filled.
ALTER TABLE invocations ADD COLUMN source_type text, ADD COLUMN source_job_id uuid
    REFERENCES job_executions (id) ON DELETE SET NULL;
ALTER TABLE event_executions DROP CONSTRAINT their_status, ADD CONSTRAINT their_status CHECK (status IN
    ('detecting', 'not_detected', 'handling', 'completed', 'failed', 'postponed', 'detection_failed', 'handler_failed'));
DROP VIEW dashboard_stats;
CREATE MATERIALIZED VIEW dashboard_stats AS
    SELECT date_trunc('hour', created_at) AS hour_bucket, count(*) AS n FROM invocations GROUP BY 1 WITH NO DATA;
CREATE TABLE metrics_hourly (id uuid PRIMARY KEY, hour_bucket timestamptz NOT NULL, source_function text NOT NULL,
    avg_duration_ms numeric(10, 2), UNIQUE (hour_bucket, source_function));
UPDATE invocations SET source_job_id = '00000000-0000-0000-0000-000000000003';

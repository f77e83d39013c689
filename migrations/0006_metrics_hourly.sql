-- Numbers per hour and function, so that charts need not read the rows.
CREATE TABLE IF NOT EXISTS @schema.metrics_hourly (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    hour_bucket timestamptz NOT NULL,
    source_function text NOT NULL,
    CONSTRAINT metrics_hourly_hour_bucket_source_function_key UNIQUE (hour_bucket, source_function)
);

ALTER TABLE @schema.metrics_hourly
    ADD COLUMN IF NOT EXISTS hour_bucket timestamptz,
    ADD COLUMN IF NOT EXISTS source_function text,
    ADD COLUMN IF NOT EXISTS total_invocations integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total_events_detected integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total_jobs_run integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS successful_invocations integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS failed_invocations integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS avg_duration_ms numeric(10, 2),
    ADD COLUMN IF NOT EXISTS min_duration_ms integer,
    ADD COLUMN IF NOT EXISTS max_duration_ms integer,
    ADD COLUMN IF NOT EXISTS p95_duration_ms numeric(10, 2),
    ADD COLUMN IF NOT EXISTS top_detected_events jsonb,
    ADD COLUMN IF NOT EXISTS most_failed_jobs jsonb,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();

COMMENT ON TABLE @schema.metrics_hourly IS 'Numbers per hour and function, filled incrementally.';
COMMENT ON COLUMN @schema.metrics_hourly.id IS 'Identity.';
COMMENT ON COLUMN @schema.metrics_hourly.hour_bucket IS 'Beginning of the hour.';
COMMENT ON COLUMN @schema.metrics_hourly.source_function IS 'Function that the numbers are of.';
COMMENT ON COLUMN @schema.metrics_hourly.total_invocations IS 'Invocations that began in the hour.';
COMMENT ON COLUMN @schema.metrics_hourly.total_events_detected IS 'Events they detected.';
COMMENT ON COLUMN @schema.metrics_hourly.total_jobs_run IS 'Jobs they ran.';
COMMENT ON COLUMN @schema.metrics_hourly.successful_invocations IS 'Invocations that completed without any failure below them.';
COMMENT ON COLUMN @schema.metrics_hourly.failed_invocations IS 'Invocations that failed, themselves or below.';
COMMENT ON COLUMN @schema.metrics_hourly.avg_duration_ms IS 'Mean length of an invocation in milliseconds.';
COMMENT ON COLUMN @schema.metrics_hourly.min_duration_ms IS 'Shortest invocation in milliseconds.';
COMMENT ON COLUMN @schema.metrics_hourly.max_duration_ms IS 'Longest invocation in milliseconds.';
COMMENT ON COLUMN @schema.metrics_hourly.p95_duration_ms IS '95th percentile of the length in milliseconds.';
COMMENT ON COLUMN @schema.metrics_hourly.top_detected_events IS 'Most detected events with their counts.';
COMMENT ON COLUMN @schema.metrics_hourly.most_failed_jobs IS 'Jobs that failed most with their counts.';
COMMENT ON COLUMN @schema.metrics_hourly.created_at IS 'When the row was computed.';

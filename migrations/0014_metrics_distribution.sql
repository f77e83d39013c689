-- The median, and durations counted by length: unlike percentiles these can be added, over hours and functions.
ALTER TABLE @schema.metrics_hourly
    ADD COLUMN IF NOT EXISTS p50_duration_ms numeric(10, 2),
    ADD COLUMN IF NOT EXISTS duration_counts integer[];

COMMENT ON COLUMN @schema.metrics_hourly.p50_duration_ms IS 'Median of the length in milliseconds.';
COMMENT ON COLUMN @schema.metrics_hourly.duration_counts IS 'How many invocations were how long, by classes of obs-tui.';

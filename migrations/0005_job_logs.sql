-- Lines that a job logged, for installations without a log server.
CREATE TABLE IF NOT EXISTS @schema.job_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

ALTER TABLE @schema.job_logs
    ADD COLUMN IF NOT EXISTS job_execution_id uuid NOT NULL
        CONSTRAINT job_logs_job_execution_id_fkey REFERENCES @schema.job_executions (id) ON DELETE CASCADE,
    ADD COLUMN IF NOT EXISTS level text NOT NULL DEFAULT 'info',
    ADD COLUMN IF NOT EXISTS message text,
    ADD COLUMN IF NOT EXISTS data jsonb,
    ADD COLUMN IF NOT EXISTS source text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();

COMMENT ON TABLE @schema.job_logs IS 'Lines that jobs logged.';
COMMENT ON COLUMN @schema.job_logs.id IS 'Identity, made by the writer.';
COMMENT ON COLUMN @schema.job_logs.job_execution_id IS 'The job that logged the line; goes when it goes.';
COMMENT ON COLUMN @schema.job_logs.level IS 'Severity: error, warn, info, debug or any other word; not checked.';
COMMENT ON COLUMN @schema.job_logs.message IS 'The line.';
COMMENT ON COLUMN @schema.job_logs.data IS 'Structured fields of the line.';
COMMENT ON COLUMN @schema.job_logs.source IS 'Where the line came from: console, a module, a logger.';
COMMENT ON COLUMN @schema.job_logs.created_at IS 'When it was logged.';

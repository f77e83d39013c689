-- One row per job that a detected event started.
CREATE TABLE IF NOT EXISTS @schema.job_executions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

ALTER TABLE @schema.job_executions
    ADD COLUMN IF NOT EXISTS invocation_id uuid NOT NULL
        CONSTRAINT job_executions_invocation_id_fkey REFERENCES @schema.invocations (id) ON DELETE CASCADE,
    ADD COLUMN IF NOT EXISTS event_execution_id uuid NOT NULL
        CONSTRAINT job_executions_event_execution_id_fkey REFERENCES @schema.event_executions (id) ON DELETE CASCADE,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS correlation_id text,
    ADD COLUMN IF NOT EXISTS job_name text NOT NULL,
    ADD COLUMN IF NOT EXISTS job_function_name text,
    ADD COLUMN IF NOT EXISTS job_options jsonb,
    ADD COLUMN IF NOT EXISTS duration_ms integer,
    ADD COLUMN IF NOT EXISTS status text DEFAULT 'running'
        CONSTRAINT job_executions_status_check CHECK (status IN ('running', 'completed', 'failed')),
    ADD COLUMN IF NOT EXISTS result jsonb,
    ADD COLUMN IF NOT EXISTS error_message text,
    ADD COLUMN IF NOT EXISTS error_stack text,
    ADD COLUMN IF NOT EXISTS console_logs jsonb;

COMMENT ON TABLE @schema.job_executions IS 'One job that a detected event started.';
COMMENT ON COLUMN @schema.job_executions.id IS 'Identity, made by the writer; the child invocations name it in source_job_id.';
COMMENT ON COLUMN @schema.job_executions.invocation_id IS 'The invocation it belongs to; goes when it goes.';
COMMENT ON COLUMN @schema.job_executions.event_execution_id IS 'The event that started it; goes when it goes.';
COMMENT ON COLUMN @schema.job_executions.created_at IS 'When the job began.';
COMMENT ON COLUMN @schema.job_executions.updated_at IS 'When the row was last touched.';
COMMENT ON COLUMN @schema.job_executions.correlation_id IS 'Correlation id of the invocation.';
COMMENT ON COLUMN @schema.job_executions.job_name IS 'Name of the job.';
COMMENT ON COLUMN @schema.job_executions.job_function_name IS 'Name of the function behind it.';
COMMENT ON COLUMN @schema.job_executions.job_options IS 'What the job was called with.';
COMMENT ON COLUMN @schema.job_executions.duration_ms IS 'Length of the job in milliseconds; NULL until it ends.';
COMMENT ON COLUMN @schema.job_executions.status IS 'running, completed or failed, as the writer left it.';
COMMENT ON COLUMN @schema.job_executions.result IS 'What the job returned.';
COMMENT ON COLUMN @schema.job_executions.error_message IS 'Error that ended the job.';
COMMENT ON COLUMN @schema.job_executions.error_stack IS 'Stack trace of that error.';
COMMENT ON COLUMN @schema.job_executions.console_logs IS 'Captured console output as one array, for writers without job_logs.';

-- One row per event that an invocation checked, detected or not.
CREATE TABLE IF NOT EXISTS @schema.event_executions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

ALTER TABLE @schema.event_executions
    ADD COLUMN IF NOT EXISTS invocation_id uuid NOT NULL
        CONSTRAINT event_executions_invocation_id_fkey REFERENCES @schema.invocations (id) ON DELETE CASCADE,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS correlation_id text,
    ADD COLUMN IF NOT EXISTS event_name text NOT NULL,
    ADD COLUMN IF NOT EXISTS event_module_path text,
    ADD COLUMN IF NOT EXISTS detected boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS detection_duration_ms integer,
    ADD COLUMN IF NOT EXISTS detection_error text,
    ADD COLUMN IF NOT EXISTS detection_error_stack text,
    ADD COLUMN IF NOT EXISTS handler_duration_ms integer,
    ADD COLUMN IF NOT EXISTS handler_error text,
    ADD COLUMN IF NOT EXISTS handler_error_stack text,
    ADD COLUMN IF NOT EXISTS jobs_count integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS jobs_succeeded integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS jobs_failed integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS status text DEFAULT 'detecting'
        CONSTRAINT event_executions_status_check CHECK (status IN
            ('detecting', 'not_detected', 'handling', 'completed', 'failed', 'detection_failed', 'handler_failed'));

COMMENT ON TABLE @schema.event_executions IS 'One event that an invocation checked, with its detection and its handling.';
COMMENT ON COLUMN @schema.event_executions.id IS 'Identity, made by the writer.';
COMMENT ON COLUMN @schema.event_executions.invocation_id IS 'The invocation that checked the event; goes when it goes.';
COMMENT ON COLUMN @schema.event_executions.created_at IS 'When the check began.';
COMMENT ON COLUMN @schema.event_executions.updated_at IS 'When the row was last touched.';
COMMENT ON COLUMN @schema.event_executions.correlation_id IS 'Correlation id of the invocation.';
COMMENT ON COLUMN @schema.event_executions.event_name IS 'Name of the event, often dotted.';
COMMENT ON COLUMN @schema.event_executions.event_module_path IS 'File of the module that checked it.';
COMMENT ON COLUMN @schema.event_executions.detected IS 'Whether the event had happened.';
COMMENT ON COLUMN @schema.event_executions.detection_duration_ms IS 'Length of the check in milliseconds.';
COMMENT ON COLUMN @schema.event_executions.detection_error IS 'Error that the check raised.';
COMMENT ON COLUMN @schema.event_executions.detection_error_stack IS 'Stack trace of that error.';
COMMENT ON COLUMN @schema.event_executions.handler_duration_ms IS 'Length of the handler, all jobs included, in milliseconds.';
COMMENT ON COLUMN @schema.event_executions.handler_error IS 'Error that the handler raised.';
COMMENT ON COLUMN @schema.event_executions.handler_error_stack IS 'Stack trace of that error.';
COMMENT ON COLUMN @schema.event_executions.jobs_count IS 'Jobs started, as the writer counted them.';
COMMENT ON COLUMN @schema.event_executions.jobs_succeeded IS 'Jobs that succeeded, as the writer counted them.';
COMMENT ON COLUMN @schema.event_executions.jobs_failed IS 'Jobs that failed, as the writer counted them.';
COMMENT ON COLUMN @schema.event_executions.status IS 'detecting, not_detected, handling, completed, failed, detection_failed or handler_failed.';

-- One row per call that checked events. Written so that it also completes a table that another program made:
-- what exists is kept as it is, what is missing is added.
CREATE TABLE IF NOT EXISTS @schema.invocations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

ALTER TABLE @schema.invocations
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS correlation_id text,
    ADD COLUMN IF NOT EXISTS source_function text NOT NULL,
    ADD COLUMN IF NOT EXISTS source_table text,
    ADD COLUMN IF NOT EXISTS source_operation text,
    ADD COLUMN IF NOT EXISTS source_system text,
    ADD COLUMN IF NOT EXISTS source_type text,
    ADD COLUMN IF NOT EXISTS source_job_id uuid,
    ADD COLUMN IF NOT EXISTS source_event_id uuid,
    ADD COLUMN IF NOT EXISTS source_event_payload jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS source_event_time timestamptz,
    ADD COLUMN IF NOT EXISTS source_user_email text,
    ADD COLUMN IF NOT EXISTS source_user_role text,
    ADD COLUMN IF NOT EXISTS total_duration_ms integer,
    ADD COLUMN IF NOT EXISTS events_detected_count integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total_jobs_run integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total_jobs_succeeded integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total_jobs_failed integer DEFAULT 0,
    ADD COLUMN IF NOT EXISTS auto_load_modules boolean,
    ADD COLUMN IF NOT EXISTS event_modules_directory text,
    ADD COLUMN IF NOT EXISTS status text DEFAULT 'running'
        CONSTRAINT invocations_status_check CHECK (status IN ('running', 'completed', 'failed')),
    ADD COLUMN IF NOT EXISTS error_message text,
    ADD COLUMN IF NOT EXISTS error_stack text,
    ADD COLUMN IF NOT EXISTS context_data jsonb;

COMMENT ON TABLE @schema.invocations IS 'One call of an event detector: the root of its events and jobs.';
COMMENT ON COLUMN @schema.invocations.id IS 'Identity, made by the writer (UUIDv7 from the recorder).';
COMMENT ON COLUMN @schema.invocations.created_at IS 'When the call began.';
COMMENT ON COLUMN @schema.invocations.updated_at IS 'When the row was last touched; an old value on a running row means that it is stuck.';
COMMENT ON COLUMN @schema.invocations.correlation_id IS 'Joins everything that one change set off: an e-mail, a UUID, system.uuid; any text is legal.';
COMMENT ON COLUMN @schema.invocations.source_function IS 'Name of the function that ran.';
COMMENT ON COLUMN @schema.invocations.source_table IS 'Table whose change started the call, as schema.table.';
COMMENT ON COLUMN @schema.invocations.source_operation IS 'INSERT, UPDATE, DELETE, MANUAL or any other word of the source; not checked.';
COMMENT ON COLUMN @schema.invocations.source_system IS 'System that sent the event.';
COMMENT ON COLUMN @schema.invocations.source_type IS 'Kind of source: database, webhook, cron, action, application, queue, manual.';
COMMENT ON COLUMN @schema.invocations.source_job_id IS 'The job whose write caused this call; NULL for a root.';
COMMENT ON COLUMN @schema.invocations.source_event_id IS 'Identity of the event at its source.';
COMMENT ON COLUMN @schema.invocations.source_event_payload IS 'The whole event as it came in; {} when capturing is off.';
COMMENT ON COLUMN @schema.invocations.source_event_time IS 'When the source made the event.';
COMMENT ON COLUMN @schema.invocations.source_user_email IS 'Person who made the change.';
COMMENT ON COLUMN @schema.invocations.source_user_role IS 'Role of that person in the source system.';
COMMENT ON COLUMN @schema.invocations.total_duration_ms IS 'Length of the call in milliseconds; NULL until it ends.';
COMMENT ON COLUMN @schema.invocations.events_detected_count IS 'Events detected, as the writer counted them.';
COMMENT ON COLUMN @schema.invocations.total_jobs_run IS 'Jobs run, as the writer counted them.';
COMMENT ON COLUMN @schema.invocations.total_jobs_succeeded IS 'Jobs that succeeded, as the writer counted them.';
COMMENT ON COLUMN @schema.invocations.total_jobs_failed IS 'Jobs that failed, as the writer counted them.';
COMMENT ON COLUMN @schema.invocations.auto_load_modules IS 'Whether event modules were found by looking into a folder.';
COMMENT ON COLUMN @schema.invocations.event_modules_directory IS 'That folder.';
COMMENT ON COLUMN @schema.invocations.status IS 'running, completed or failed, as the writer left it.';
COMMENT ON COLUMN @schema.invocations.error_message IS 'Error that ended the call.';
COMMENT ON COLUMN @schema.invocations.error_stack IS 'Stack trace of that error.';
COMMENT ON COLUMN @schema.invocations.context_data IS 'Whatever the caller attached; may hold secrets.';

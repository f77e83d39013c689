-- A database as an older writer made it: without source_type, source_job_id, job_logs and metrics_hourly, with narrow
-- checks, its own functions, triggers, indexes, columns and a plain view of the name that we use.
CREATE TABLE invocations (
    id uuid NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    correlation_id text,
    source_function varchar(200) NOT NULL,
    source_table text,
    source_operation text,
    source_system text DEFAULT 'hasura',
    source_event_id uuid,
    source_event_payload jsonb NOT NULL,
    source_event_time timestamptz,
    source_user_email text,
    source_user_role text,
    total_duration_ms integer,
    events_detected_count integer DEFAULT 0,
    total_jobs_run integer DEFAULT 0,
    total_jobs_succeeded integer DEFAULT 0,
    total_jobs_failed integer DEFAULT 0,
    auto_load_modules boolean DEFAULT true,
    event_modules_directory text,
    status text CHECK (status IN ('running', 'completed', 'failed')),
    error_message text,
    error_stack text,
    context_data jsonb,
    tenant text DEFAULT 'theirs'
);

CREATE TABLE event_executions (
    id uuid NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    invocation_id uuid NOT NULL REFERENCES invocations ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    correlation_id text,
    event_name text NOT NULL,
    event_module_path text,
    detected boolean NOT NULL,
    detection_duration_ms integer,
    detection_error text,
    detection_error_stack text,
    handler_duration_ms integer,
    handler_error text,
    handler_error_stack text,
    jobs_count integer DEFAULT 0,
    jobs_succeeded integer DEFAULT 0,
    jobs_failed integer DEFAULT 0,
    status varchar(30) CONSTRAINT their_status CHECK
        (status IN ('detecting', 'not_detected', 'handling', 'completed', 'failed', 'postponed'))
);

CREATE TABLE job_executions (
    id uuid NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    invocation_id uuid NOT NULL REFERENCES invocations ON DELETE CASCADE,
    event_execution_id uuid NOT NULL REFERENCES event_executions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    correlation_id text,
    job_name text NOT NULL,
    job_function_name text,
    job_options jsonb,
    duration_ms bigint,
    status text CHECK (status IN ('running', 'completed', 'failed')),
    result jsonb,
    error_message text,
    error_stack text
);

CREATE INDEX their_index ON invocations (correlation_id);

CREATE FUNCTION their_clock() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN new.updated_at = clock_timestamp(); RETURN new; END $$;

CREATE TRIGGER their_clock BEFORE UPDATE ON invocations FOR EACH ROW EXECUTE FUNCTION their_clock();

CREATE FUNCTION invocation_success_rate(inv_row invocations) RETURNS double precision LANGUAGE sql STABLE AS
$$ SELECT 12.5::double precision $$;

CREATE FUNCTION refresh_dashboard_stats() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;

CREATE VIEW dashboard_stats AS SELECT date_trunc('hour', created_at) AS hour_bucket, count(*) AS n FROM invocations GROUP BY 1;

INSERT INTO invocations (id, source_function, source_event_payload, status)
VALUES ('00000000-0000-0000-0000-000000000001', 'theirs', '{"a": 1}', 'completed');
INSERT INTO event_executions (id, invocation_id, event_name, detected, status)
VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'e', true, 'postponed');
INSERT INTO job_executions (id, invocation_id, event_execution_id, job_name, duration_ms, status)
VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-000000000002', 'j', 5000000000, 'failed');

-- What a recorder could not keep, so that a gap in the data is visible as a gap.
CREATE TABLE IF NOT EXISTS @schema.recorder_losses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    recorder text NOT NULL,
    class text NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL CONSTRAINT recorder_losses_count_check CHECK (count > 0)
);

CREATE INDEX IF NOT EXISTS recorder_losses_created_at_idx ON @schema.recorder_losses (created_at DESC);

COMMENT ON TABLE @schema.recorder_losses IS 'Records that a recorder dropped, counted: a gap in the data.';
COMMENT ON COLUMN @schema.recorder_losses.id IS 'Identity, made by the recorder.';
COMMENT ON COLUMN @schema.recorder_losses.created_at IS 'When the loss was reported; it happened since the report before.';
COMMENT ON COLUMN @schema.recorder_losses.recorder IS 'Which recorder lost them: program and host.';
COMMENT ON COLUMN @schema.recorder_losses.class IS 'What was lost: log, body, event, job, invocation.';
COMMENT ON COLUMN @schema.recorder_losses.reason IS 'Why it was lost: full, refused, deadline.';
COMMENT ON COLUMN @schema.recorder_losses.count IS 'How many.';

-- A chat or an autopilot run that is deleted leaves its queued task without anything to do. Afterwards the foreign key does not
-- show this, so the task is marked while it loses its source, and a claim cancels it. The function is not a member of the extension
-- and uses no object of the extension, so that the table still works after DROP EXTENSION.
CREATE OR REPLACE FUNCTION @schema@.multica_task_source_deleted() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $mark$
BEGIN
    NEW.failure_reason := 'source_deleted';
    RETURN NEW;
END
$mark$;

COMMENT ON FUNCTION @schema@.multica_task_source_deleted() IS
    'marks a waiting task whose chat or autopilot run is deleted, so that multica_claim cancels it';

CREATE TRIGGER multica_task_source_deleted BEFORE UPDATE OF chat_session_id, autopilot_run_id ON agent_task_queue
FOR EACH ROW
WHEN (
    (OLD.chat_session_id IS NOT NULL OR OLD.autopilot_run_id IS NOT NULL)
    AND NEW.issue_id IS NULL
    AND NEW.chat_session_id IS NULL
    AND NEW.autopilot_run_id IS NULL
    AND NEW.status = ANY ('{queued,dispatched,deferred}'::text[])
    AND NEW.started_at IS NULL
)
EXECUTE FUNCTION @schema@.multica_task_source_deleted();

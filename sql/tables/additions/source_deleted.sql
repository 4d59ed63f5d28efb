-- A chat or an autopilot run that is deleted leaves its waiting task without anything to do. The foreign key says nothing of it
-- afterwards, so the task is marked while it loses its source; a claim cancels it. No member of the extension, and of no
-- other object: DROP EXTENSION leaves the table working.
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
    AND NEW.status IN ('queued', 'dispatched')
    AND NEW.started_at IS NULL
)
EXECUTE FUNCTION @schema@.multica_task_source_deleted();

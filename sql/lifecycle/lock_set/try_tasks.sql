-- Locks, without waiting, every row that a verdict on the tasks $1 writes or refers to, and returns the tasks for which all these
-- rows could be locked. The caller has locked the tasks. The runtime to which the agent is bound now is included, because the retry
-- is queued there; an agent may be bound to none, and an ended task may have none. The other tasks are left for the next sweep. The
-- issue is locked FOR UPDATE, because a session that has not committed a new task of the pair holds the key of the issue, and a
-- retry would wait for that session at the pending slot. A retry would also wait for a session that is just ending the task in the
-- slot. Each condition is written so that it becomes a hashed subplan; IS TRUE and OR prevent that the planner makes a join of it.
-- The planner does not know how many rows there are, and such a join would be a nested loop, whose cost is quadratic in the size of
-- the batch.
WITH task AS MATERIALIZED (
    SELECT id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, trigger_comment_id
    FROM agent_task_queue
    WHERE id = ANY ($1)
),
locked_agent AS MATERIALIZED (
    SELECT id, runtime_id FROM agent WHERE id = ANY (ARRAY(SELECT agent_id FROM task)) FOR NO KEY UPDATE SKIP LOCKED
),
locked_issue AS MATERIALIZED (
    SELECT id FROM issue WHERE id = ANY (ARRAY(SELECT issue_id FROM task)) FOR UPDATE SKIP LOCKED
),
locked_runtime AS MATERIALIZED (
    SELECT id
    FROM agent_runtime
    WHERE id = ANY (ARRAY(SELECT runtime_id FROM task UNION ALL SELECT runtime_id FROM locked_agent))
    FOR KEY SHARE SKIP LOCKED
),
locked_chat AS MATERIALIZED (
    SELECT id FROM chat_session WHERE id = ANY (ARRAY(SELECT chat_session_id FROM task)) FOR NO KEY UPDATE SKIP LOCKED
),
run AS MATERIALIZED (
    SELECT autopilot_run_id AS id, id AS task_id FROM task WHERE autopilot_run_id IS NOT NULL
    UNION ALL
    SELECT r.id, task.id
    FROM task
    JOIN autopilot_run AS r ON r.issue_id = task.issue_id
    WHERE r.status IN ('issue_created', 'running')
),
locked_run AS MATERIALIZED (
    SELECT id FROM autopilot_run WHERE id = ANY (ARRAY(SELECT id FROM run)) FOR NO KEY UPDATE SKIP LOCKED
),
-- feature quota
reserved AS MATERIALIZED (
    SELECT q.id, q.workspace_id, q.period_start, q.period_end, run.task_id
    FROM run
    JOIN autopilot_run AS r ON r.id = run.id
    JOIN autopilot_quota_reservation AS q ON q.id = r.quota_reservation_id
    WHERE q.state = 'reserved'
),
locked_reservation AS MATERIALIZED (
    SELECT id FROM autopilot_quota_reservation WHERE id = ANY (ARRAY(SELECT id FROM reserved)) FOR NO KEY UPDATE SKIP LOCKED
),
period AS MATERIALIZED (
    SELECT p.workspace_id, p.period_start, p.period_end
    FROM autopilot_quota_period AS p
    WHERE (p.workspace_id, p.period_start, p.period_end) IN (SELECT e.workspace_id, e.period_start, e.period_end FROM reserved AS e)
),
locked_period AS MATERIALIZED (
    SELECT p.workspace_id, p.period_start, p.period_end
    FROM autopilot_quota_period AS p
    WHERE (p.workspace_id, p.period_start, p.period_end) IN (SELECT e.workspace_id, e.period_start, e.period_end FROM period AS e)
    FOR NO KEY UPDATE OF p SKIP LOCKED
),
held_quota AS MATERIALIZED (
    SELECT e.task_id FROM reserved AS e WHERE e.id NOT IN (SELECT v.id FROM locked_reservation AS v)
    UNION ALL
    SELECT e.task_id
    FROM reserved AS e
    JOIN period AS p ON p.workspace_id = e.workspace_id AND p.period_start = e.period_start AND p.period_end = e.period_end
    WHERE (p.workspace_id, p.period_start, p.period_end) NOT IN (
        SELECT v.workspace_id, v.period_start, v.period_end FROM locked_period AS v
    )
),
-- end quota
locked_comment AS MATERIALIZED (
    SELECT id FROM comment WHERE id = ANY (ARRAY(SELECT trigger_comment_id FROM task)) FOR KEY SHARE SKIP LOCKED
),
slot_task AS MATERIALIZED (
    SELECT o.id, task.id AS task_id
    FROM task
    JOIN agent_task_queue AS o ON o.issue_id = task.issue_id AND o.agent_id = task.agent_id
    WHERE o.id <> task.id
      AND (
          o.status IN ('queued', 'dispatched')
          -- feature slot_of_media
          OR (o.status = 'deferred' AND o.context ->> 'channel_issue_media_pending'::text = 'true')
          -- end slot_of_media
      )
),
free_slot_task AS MATERIALIZED (
    SELECT id FROM agent_task_queue WHERE id = ANY (ARRAY(SELECT id FROM slot_task)) FOR SHARE SKIP LOCKED
)
SELECT task.id
FROM task
WHERE (task.agent_id IN (
    SELECT a.id FROM locked_agent AS a WHERE a.runtime_id IS NULL OR a.runtime_id IN (SELECT r.id FROM locked_runtime AS r)
)) IS TRUE
  AND (task.runtime_id IS NULL OR task.runtime_id IN (SELECT r.id FROM locked_runtime AS r))
  AND (task.issue_id IS NULL OR task.issue_id IN (SELECT i.id FROM locked_issue AS i))
  AND (task.chat_session_id IS NULL OR task.chat_session_id IN (SELECT c.id FROM locked_chat AS c))
  AND task.id NOT IN (SELECT s.task_id FROM run AS s WHERE s.id NOT IN (SELECT p.id FROM locked_run AS p))
  -- feature quota
  AND task.id NOT IN (SELECT h.task_id FROM held_quota AS h)
  -- end quota
  AND (task.trigger_comment_id IS NULL OR task.trigger_comment_id IN (SELECT m.id FROM locked_comment AS m))
  AND task.id NOT IN (SELECT s.task_id FROM slot_task AS s WHERE s.id NOT IN (SELECT f.id FROM free_slot_task AS f))

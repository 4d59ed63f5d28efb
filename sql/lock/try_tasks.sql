-- A sweep never waits for a row. Of the tasks given, already locked by the caller, those are kept of which every row
-- that the verdict writes or refers to could be locked at once, the runtime on which the agent lives now among them: its
-- retry goes there. The others are left for the next pass. The issue is
-- locked FOR UPDATE because an uncommitted task of the pair holds its key, and a retry would wait for it at the pending
-- slot. So it would for a task that is just leaving the slot: s holds the slots' tasks, q those that nobody is changing.
-- The conditions are written so that each is a hashed subplan (IS TRUE and OR keep the planner from making a join of it):
-- it knows nothing of how many rows there are, and a join of these would be a nested loop, quadratic in the batch.
WITH t AS MATERIALIZED (
    SELECT id, agent_id, issue_id, runtime_id, chat_session_id, autopilot_run_id, trigger_comment_id
    FROM agent_task_queue
    WHERE id = ANY ($1)
),
a AS MATERIALIZED (
    SELECT id, runtime_id FROM agent WHERE id = ANY (ARRAY(SELECT agent_id FROM t)) FOR NO KEY UPDATE SKIP LOCKED
),
i AS MATERIALIZED (
    SELECT id FROM issue WHERE id = ANY (ARRAY(SELECT issue_id FROM t)) FOR UPDATE SKIP LOCKED
),
r AS MATERIALIZED (
    SELECT id
    FROM agent_runtime
    WHERE id = ANY (ARRAY(SELECT runtime_id FROM t UNION ALL SELECT runtime_id FROM a))
    FOR KEY SHARE SKIP LOCKED
),
c AS MATERIALIZED (
    SELECT id FROM chat_session WHERE id = ANY (ARRAY(SELECT chat_session_id FROM t)) FOR NO KEY UPDATE SKIP LOCKED
),
p AS MATERIALIZED (
    SELECT id FROM autopilot_run WHERE id = ANY (ARRAY(SELECT autopilot_run_id FROM t)) FOR NO KEY UPDATE SKIP LOCKED
),
m AS MATERIALIZED (
    SELECT id FROM comment WHERE id = ANY (ARRAY(SELECT trigger_comment_id FROM t)) FOR KEY SHARE SKIP LOCKED
),
s AS MATERIALIZED (
    SELECT o.id, t.id AS task_id
    FROM t
    JOIN agent_task_queue AS o ON o.issue_id = t.issue_id AND o.agent_id = t.agent_id
    WHERE o.status IN ('queued', 'dispatched') AND o.id <> t.id
),
q AS MATERIALIZED (
    SELECT id FROM agent_task_queue WHERE id = ANY (ARRAY(SELECT id FROM s)) FOR SHARE SKIP LOCKED
)
SELECT t.id
FROM t
WHERE (t.agent_id IN (SELECT a.id FROM a WHERE (a.runtime_id IN (SELECT r.id FROM r)) IS TRUE)) IS TRUE
  AND (t.runtime_id IN (SELECT r.id FROM r)) IS TRUE
  AND (t.issue_id IS NULL OR t.issue_id IN (SELECT i.id FROM i))
  AND (t.chat_session_id IS NULL OR t.chat_session_id IN (SELECT c.id FROM c))
  AND (t.autopilot_run_id IS NULL OR t.autopilot_run_id IN (SELECT p.id FROM p))
  AND (t.trigger_comment_id IS NULL OR t.trigger_comment_id IN (SELECT m.id FROM m))
  AND t.id NOT IN (SELECT s.task_id FROM s WHERE s.id NOT IN (SELECT q.id FROM q))

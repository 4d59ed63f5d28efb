-- Locks, without waiting, those of the tasks $1 that are still deferred, with the other deferred tasks of the same issue and agent, and
-- returns those of which all could be locked. While another session is queueing one of these, it takes the pending slot, for which
-- this session would wait.
WITH deferred AS MATERIALIZED (
    SELECT t.id, t.id AS task_id FROM agent_task_queue AS t WHERE t.id = ANY ($1) AND t.status = 'deferred'
    UNION
    SELECT o.id, t.id
    FROM agent_task_queue AS t
    JOIN agent_task_queue AS o ON o.issue_id = t.issue_id AND o.agent_id = t.agent_id
    WHERE t.id = ANY ($1) AND t.status = 'deferred' AND o.status = 'deferred'
),
locked AS MATERIALIZED (
    SELECT t.id
    FROM agent_task_queue AS t
    WHERE t.id = ANY (ARRAY(SELECT d.id FROM deferred AS d)) AND t.status = 'deferred'
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT l.id
FROM locked AS l
WHERE l.id = ANY ($1)
  AND l.id NOT IN (SELECT d.task_id FROM deferred AS d WHERE d.id NOT IN (SELECT k.id FROM locked AS k))

-- Locks, without waiting, the chat sessions $1, agents $2, issues $3, autopilot runs $4, comments $5 and tasks $6, and returns those
-- that other sessions hold or that do not exist. The issue is locked FOR UPDATE, because a session that has not committed a new task
-- of the pair holds the key of the issue, and a retry would wait for that session at the pending slot. A retry would also wait for a
-- session that is just ending the task in the slot, so this task is locked too.
WITH task AS MATERIALIZED (
    SELECT u.id FROM pg_catalog.unnest($6) AS u (id)
    UNION
    SELECT o.id
    FROM agent_task_queue AS t
    JOIN agent_task_queue AS o ON o.issue_id = t.issue_id AND o.agent_id = t.agent_id
    WHERE t.id = ANY ($6) AND o.status IN ('queued', 'dispatched')
),
free_chat AS MATERIALIZED (
    SELECT id FROM chat_session WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
),
free_agent AS MATERIALIZED (
    SELECT id FROM agent WHERE id = ANY ($2) FOR NO KEY UPDATE SKIP LOCKED
),
free_issue AS MATERIALIZED (
    SELECT id FROM issue WHERE id = ANY ($3) FOR UPDATE SKIP LOCKED
),
free_run AS MATERIALIZED (
    SELECT id FROM autopilot_run WHERE id = ANY ($4) FOR NO KEY UPDATE SKIP LOCKED
),
free_comment AS MATERIALIZED (
    SELECT id FROM comment WHERE id = ANY ($5) FOR KEY SHARE SKIP LOCKED
),
free_task AS MATERIALIZED (
    SELECT id FROM agent_task_queue WHERE id = ANY (ARRAY(SELECT id FROM task)) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT
    ARRAY(SELECT u.id FROM pg_catalog.unnest($1) AS u (id) WHERE u.id NOT IN (SELECT c.id FROM free_chat AS c)) AS chat_sessions,
    ARRAY(SELECT u.id FROM pg_catalog.unnest($2) AS u (id) WHERE u.id NOT IN (SELECT a.id FROM free_agent AS a)) AS agents,
    ARRAY(SELECT u.id FROM pg_catalog.unnest($3) AS u (id) WHERE u.id NOT IN (SELECT i.id FROM free_issue AS i)) AS issues,
    ARRAY(SELECT u.id FROM pg_catalog.unnest($4) AS u (id) WHERE u.id NOT IN (SELECT r.id FROM free_run AS r)) AS autopilot_runs,
    ARRAY(SELECT u.id FROM pg_catalog.unnest($5) AS u (id) WHERE u.id NOT IN (SELECT c.id FROM free_comment AS c)) AS comments,
    ARRAY(SELECT t.id FROM task AS t WHERE t.id NOT IN (SELECT f.id FROM free_task AS f)) AS tasks

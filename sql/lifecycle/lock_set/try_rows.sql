-- Locks, without waiting, the chat sessions $1, agents $2, issues $3, autopilot runs $4, comments $5 and tasks $6, and returns those
-- that other sessions hold or that do not exist. The quota of a run is locked with it; a run whose quota another session holds counts
-- as held. The issue is locked FOR UPDATE, because a session that has not committed a new task of the pair holds the key of the
-- issue, and a retry would wait for that session at the pending slot. A retry would also wait for a session that is just ending the
-- task in the slot, so this task is locked too.
WITH task AS MATERIALIZED (
    SELECT u.id FROM pg_catalog.unnest($6) AS u (id)
    UNION
    SELECT o.id
    FROM agent_task_queue AS t
    JOIN agent_task_queue AS o ON o.issue_id = t.issue_id AND o.agent_id = t.agent_id
    WHERE t.id = ANY ($6)
      AND (
          o.status IN ('queued', 'dispatched')
          -- feature slot_of_media
          OR (o.status = 'deferred' AND o.context ->> 'channel_issue_media_pending'::text = 'true')
          -- end slot_of_media
      )
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
-- feature quota
reserved AS MATERIALIZED (
    SELECT q.id, q.workspace_id, q.period_start, q.period_end, r.id AS run_id
    FROM autopilot_run AS r
    JOIN autopilot_quota_reservation AS q ON q.id = r.quota_reservation_id
    WHERE r.id = ANY ($4) AND q.state = 'reserved'
),
free_reservation AS MATERIALIZED (
    SELECT id FROM autopilot_quota_reservation WHERE id = ANY (ARRAY(SELECT id FROM reserved)) FOR NO KEY UPDATE SKIP LOCKED
),
period AS MATERIALIZED (
    SELECT p.workspace_id, p.period_start, p.period_end
    FROM autopilot_quota_period AS p
    WHERE (p.workspace_id, p.period_start, p.period_end) IN (SELECT e.workspace_id, e.period_start, e.period_end FROM reserved AS e)
),
free_period AS MATERIALIZED (
    SELECT p.workspace_id, p.period_start, p.period_end
    FROM autopilot_quota_period AS p
    WHERE (p.workspace_id, p.period_start, p.period_end) IN (SELECT e.workspace_id, e.period_start, e.period_end FROM period AS e)
    FOR NO KEY UPDATE OF p SKIP LOCKED
),
held_quota AS MATERIALIZED (
    SELECT e.run_id FROM reserved AS e WHERE e.id NOT IN (SELECT f.id FROM free_reservation AS f)
    UNION ALL
    SELECT e.run_id
    FROM reserved AS e
    JOIN period AS p ON p.workspace_id = e.workspace_id AND p.period_start = e.period_start AND p.period_end = e.period_end
    WHERE (p.workspace_id, p.period_start, p.period_end) NOT IN (
        SELECT f.workspace_id, f.period_start, f.period_end FROM free_period AS f
    )
),
-- end quota
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
    ARRAY(
        SELECT u.id
        FROM pg_catalog.unnest($4) AS u (id)
        WHERE u.id NOT IN (SELECT r.id FROM free_run AS r)
            -- feature quota
            OR u.id IN (SELECT h.run_id FROM held_quota AS h)
            -- end quota
    ) AS autopilot_runs,
    ARRAY(SELECT u.id FROM pg_catalog.unnest($5) AS u (id) WHERE u.id NOT IN (SELECT c.id FROM free_comment AS c)) AS comments,
    ARRAY(SELECT t.id FROM task AS t WHERE t.id NOT IN (SELECT f.id FROM free_task AS f)) AS tasks

-- History moves to where its agent lives now, at most $2 tasks; rows that somebody holds are left for the next pass.
WITH moving AS MATERIALIZED (
    SELECT t.id, a.runtime_id
    FROM agent_task_queue AS t
    JOIN agent AS a ON a.id = t.agent_id
    JOIN agent_runtime AS n ON n.id = a.runtime_id
    WHERE t.runtime_id = ANY ($1) AND a.runtime_id <> ALL ($1)
    LIMIT $2
    FOR NO KEY UPDATE OF a SKIP LOCKED
    FOR KEY SHARE OF n SKIP LOCKED
    FOR UPDATE OF t SKIP LOCKED
)
UPDATE agent_task_queue AS t SET runtime_id = m.runtime_id FROM moving AS m WHERE t.id = m.id

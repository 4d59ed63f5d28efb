-- Creates an agent on every runtime, and an issue in progress for each agent.
WITH a AS (
    INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id)
    SELECT r.workspace_id, 'agent of ' || r.daemon_id, 'local', r.id FROM agent_runtime AS r
    RETURNING id, workspace_id
)
INSERT INTO issue (workspace_id, title, status, creator_type, creator_id, assignee_type, assignee_id)
SELECT a.workspace_id, 'issue', 'in_progress', 'agent', a.id, 'agent', a.id FROM a
RETURNING id

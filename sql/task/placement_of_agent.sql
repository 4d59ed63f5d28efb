-- Read before the agent is locked, to lock its runtime first, and again under the lock, after which no function of the extension binds
-- the agent to another runtime.
SELECT a.workspace_id, a.runtime_id, a.owner_id, a.archived_at IS NOT NULL AS is_archived FROM agent AS a WHERE a.id = $1

-- Read once the agent is locked, so that from here on no function of the extension binds it to another runtime.
SELECT a.workspace_id, a.runtime_id, a.archived_at IS NOT NULL AS is_archived FROM agent AS a WHERE a.id = $1

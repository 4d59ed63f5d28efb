-- Returns the queued tasks of the archived agents of the runtime $1, and with $2 those of its system agents too.
SELECT t.id
FROM agent_task_queue AS t
JOIN agent AS a ON a.id = t.agent_id
WHERE a.runtime_id = $1
    AND t.status = 'queued'
    -- feature system_agents
    AND (a.kind = 'user' OR $2)
    AND (a.archived_at IS NOT NULL OR a.kind = 'system')
    -- end system_agents
    -- without system_agents
    --| AND a.archived_at IS NOT NULL
    -- end system_agents

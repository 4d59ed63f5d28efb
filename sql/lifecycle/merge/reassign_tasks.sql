-- Moves the tasks of the runtimes $1 to the runtimes $2, and in the same statement the tasks of the system agents $3 to the system
-- agents $4: the server's trigger must see both changes at once to sum up what the former agent used on the former runtime. The old
-- ids are used in two conditions, so that no other row is read, because row-level security may hide such a row.
UPDATE agent_task_queue AS t
SET
    -- feature system_agents
    agent_id = COALESCE((SELECT j.kept FROM unnest($3, $4) AS j (id, kept) WHERE j.id = t.agent_id), t.agent_id),
    -- end system_agents
    runtime_id = m.new_id
FROM unnest($1, $2) AS m (old_id, new_id)
WHERE t.runtime_id = m.old_id AND t.runtime_id = ANY ($1)

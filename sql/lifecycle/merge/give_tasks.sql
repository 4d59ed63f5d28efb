-- Gives the tasks of the system agents $1 to the system agents $2. The runtime is written too, unchanged, because the server's
-- trigger that sums up the usage of each agent fires only for this column.
UPDATE agent_task_queue AS t SET agent_id = j.kept, runtime_id = t.runtime_id
FROM unnest($1, $2) AS j (id, kept)
WHERE t.agent_id = j.id AND t.agent_id = ANY ($1)

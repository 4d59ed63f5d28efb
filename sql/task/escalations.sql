-- Returns the tasks that are to run unless the task $1 starts, and their agents. In tables without an index they are searched for on the
-- issue of the task.
-- feature escalation
SELECT e.id, e.agent_id
FROM agent_task_queue AS t
JOIN agent_task_queue AS e ON e.escalation_for_task_id = t.id
WHERE t.id = $1
  -- without escalation_index
  --| AND e.issue_id = t.issue_id
  -- end escalation_index
  AND e.status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
-- end escalation
-- without escalation
--| SELECT NULL::uuid AS id, NULL::uuid AS agent_id WHERE false
-- end escalation

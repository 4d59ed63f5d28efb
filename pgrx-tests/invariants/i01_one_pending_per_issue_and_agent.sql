-- At most one task per issue and agent is pending.
SELECT issue_id, agent_id, count(*)
FROM agent_task_queue
WHERE status IN ('queued', 'dispatched') AND issue_id IS NOT NULL
GROUP BY issue_id, agent_id
HAVING count(*) > 1;

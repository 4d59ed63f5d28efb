-- A status that this version does not know is active.
SELECT EXISTS (
    SELECT FROM agent_task_queue AS t
    WHERE t.issue_id = $1 AND t.status NOT IN ('completed', 'failed', 'cancelled')
)

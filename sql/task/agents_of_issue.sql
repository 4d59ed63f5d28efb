-- Returns the agents that work on an issue, have worked on it or are assigned to it.
SELECT t.agent_id FROM agent_task_queue AS t WHERE t.issue_id = $1
UNION
SELECT i.assignee_id FROM issue AS i WHERE i.id = $1 AND i.assignee_type = 'agent'

-- The workspaces of tasks, one row each in the order given: $1 their issues, $2 chat sessions, $3 autopilot runs, $4 agents,
-- which are used if there is nothing else.
SELECT COALESCE(
    (SELECT i.workspace_id FROM issue AS i WHERE i.id = u.issue_id),
    (SELECT c.workspace_id FROM chat_session AS c WHERE c.id = u.chat_session_id),
    (
        SELECT p.workspace_id FROM autopilot AS p
        WHERE p.id = (SELECT r.autopilot_id FROM autopilot_run AS r WHERE r.id = u.autopilot_run_id)
    ),
    (SELECT a.workspace_id FROM agent AS a WHERE a.id = u.agent_id)
)
FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS u (issue_id, chat_session_id, autopilot_run_id, agent_id, at)
ORDER BY u.at

-- Returns the workspaces of tasks, one row per task in the given order. $1: their issues, $2: their chat sessions, $3: their
-- autopilot runs, $4: their agents, which are used only if a task has none of the others.
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

COMMENT ON FUNCTION multica_cancel(uuid) IS
$$Cancels one active task, with its consequences for the agent's status and the autopilot run. The daemon learns of it from its
next heartbeat.
task_id: the task.
Returns multica_transition; applied is false if the task had already ended. Records task:cancelled.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the task is in a status that this version does not know, or the
  tables are missing; 42501 no privilege on them.
Carries out the server's CancelTask.$$;

COMMENT ON FUNCTION multica_cancel_issue_tasks(uuid, uuid) IS
$$Cancels the active tasks of an issue: when it is reassigned, cancelled or deleted.
issue_id: the issue.
agent_id: only tasks of this agent; NULL is all agents.
Returns one multica_task per task cancelled, newest first. Records task:cancelled for each.
Errors: 22004 issue_id is NULL; P0002 no such issue or agent; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's CancelAgentTasksByIssue and CancelAgentTasksByIssueAndAgent.$$;

COMMENT ON FUNCTION multica_cancel_agent_tasks(uuid) IS
$$Cancels the active tasks of an agent: when it is archived.
agent_id: the agent.
Returns one multica_task per task cancelled, newest first. Records task:cancelled for each.
Errors: 22004 agent_id is NULL; P0002 no such agent; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's CancelAgentTasksByAgent.$$;

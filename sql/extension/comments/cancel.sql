COMMENT ON FUNCTION multica_cancel(uuid) IS
$$Cancels one active task. The agent's status and the autopilot run follow in the same transaction. The daemon learns of
it from its next heartbeat.
task_id: id of the task.
Returns multica_transition; applied is false if the task had already ended. Records task:cancelled.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task has a status that this
  version does not know; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements the server's CancelTask.$$;

COMMENT ON FUNCTION multica_cancel_issue_tasks(uuid, uuid) IS
$$Cancels the active tasks of an issue. Call it when the issue is reassigned, cancelled or deleted.
issue_id: id of the issue.
agent_id: cancels only the tasks of this agent; NULL (the default) means all agents.
Returns one multica_task per cancelled task, newest first. Records task:cancelled for each.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_agent) the issue or the agent does not exist; 40001 another session
  queued a turn of a chat session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing;
  0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is
  missing.
Implements the server's CancelAgentTasksByIssue and CancelAgentTasksByIssueAndAgent.$$;

COMMENT ON FUNCTION multica_cancel_agent_tasks(uuid) IS
$$Cancels the active tasks of an agent. Call it when the agent is archived.
agent_id: id of the agent.
Returns one multica_task per cancelled task, newest first. Records task:cancelled for each.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's CancelAgentTasksByAgent.$$;

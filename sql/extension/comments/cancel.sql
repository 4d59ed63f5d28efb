COMMENT ON FUNCTION multica_cancel(uuid, text, text) IS
$$Cancels one active task, also one that waits for a directory or is deferred. The agent's status, the autopilot run and the chat's
pointer follow in the same transaction. The daemon learns of it from its next heartbeat.
task_id: id of the task.
error: why, as text for people; NULL (the default) or empty means none.
failure_reason: why, as one word; NULL (the default) or empty means none.
Returns multica_transition; applied is false if the task had already ended. Records task:cancelled, autopilot:run_done,
  agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task has a status that this
  version does not know; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's CancelTask.$$;

COMMENT ON FUNCTION multica_cancel_issue_tasks(uuid, uuid) IS
$$Cancels the active tasks of an issue. Call it before the issue is deleted; on a platform of your own also when it is
reassigned or cancelled, as you like: today's server lets the tasks go on then.
issue_id: id of the issue.
agent_id: cancels only the tasks of this agent; NULL (the default) means all agents.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_agent) the issue or the agent does not exist; 40001 another session
  queued a turn of a chat session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's CancelAgentTasksByIssue and CancelAgentTasksByIssueAndAgent.$$;

COMMENT ON FUNCTION multica_cancel_agent_tasks(uuid) IS
$$Cancels the active tasks of an agent. Call it when the agent is archived.
agent_id: id of the agent.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByAgent.$$;

COMMENT ON FUNCTION multica_cancel_comment_tasks(uuid) IS
$$Cancels the active tasks on the issue of a comment that this comment has caused, or that are going to answer it together with
others. Call it before the comment is edited or deleted, and queue tasks for the other comments again: coalesced_comment_ids of
the result has them.
comment_id: id of the comment.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 comment_id is NULL; P0002 (no_comment) the comment does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByTriggerComment.$$;

COMMENT ON FUNCTION multica_cancel_chat_tasks(uuid) IS
$$Cancels the active turns of a chat session. Call it before the chat session is deleted or archived.
chat_session_id: id of the chat session.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 chat_session_id is NULL; P0002 (no_chat_session) the chat session does not exist; 40001 another session queued a
  turn of a chat session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's CancelAgentTasksByChatSession.$$;

COMMENT ON FUNCTION multica_cancel_runtime_tasks(uuid) IS
$$Cancels the active tasks of a runtime. Call it when the runtime is taken away from its owner. multica_delete_runtime does not
need it.
runtime_id: id of the runtime.
Returns one multica_task per cancelled task, newest first. Records events as multica_cancel does.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 40001 another session queued a turn of a chat
  session at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements the server's CancelAgentTasksByRuntime.$$;

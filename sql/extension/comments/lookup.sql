COMMENT ON FUNCTION multica_get_task(uuid) IS
$$Returns one task.
task_id: id of the task.
Returns one multica_task, or no row if it does not exist.
Errors: 22004 task_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's GetAgentTask.$$;

COMMENT ON FUNCTION multica_list_pending_tasks(uuid) IS
$$Lists the pending tasks of a runtime, newest first: those that are queued, those that were dispatched
and not started, and those that are deferred until their media are there.
runtime_id: id of the runtime; one that does not exist has no tasks.
Returns one multica_task per task.
Errors: 22004 runtime_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's ListPendingTasksByRuntime.$$;

COMMENT ON FUNCTION multica_list_issue_tasks(uuid, integer) IS
$$Lists the tasks of an issue, newest first.
issue_id: id of the issue; one that does not exist has no tasks.
max_tasks: maximum number of tasks, 0 or more (default 100); NULL means no limit.
Returns one multica_task per task.
Errors: 22004 issue_id is NULL; 22023 max_tasks is below 0; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Implements the server's ListTasksByIssue.$$;

COMMENT ON FUNCTION multica_list_agent_tasks(uuid, integer) IS
$$Lists the tasks of an agent, newest first.
agent_id: id of the agent; one that does not exist has no tasks.
max_tasks: maximum number of tasks, 0 or more (default 100); NULL means no limit.
Returns one multica_task per task.
Errors: 22004 agent_id is NULL; 22023 max_tasks is below 0; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Implements the server's ListAgentTasks.$$;

COMMENT ON FUNCTION multica_has_active_task(uuid) IS
$$Reports whether an issue has an active task, of any agent: one that is not completed, failed or cancelled.
issue_id: id of the issue.
Returns true or false.
Errors: 22004 issue_id is NULL; P0002 (no_issue) the issue does not exist; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's HasActiveTaskForIssue.$$;

COMMENT ON FUNCTION multica_has_pending_task(uuid, uuid) IS
$$Reports whether an issue has a pending task: one that is queued, dispatched and not started, or deferred until its media are
there. While it has one, another one is not created.
issue_id: id of the issue.
agent_id: looks only for tasks of this agent; NULL (the default) means any agent.
Returns true or false.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_agent) the issue or the agent does not exist; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements the server's HasPendingTaskForIssueAndAgent.$$;

COMMENT ON FUNCTION multica_count_running_tasks(uuid) IS
$$Counts the tasks of an agent that are in flight (dispatched, running or waiting for a directory), on any runtime.
max_concurrent_tasks limits this number.
agent_id: id of the agent.
Returns the number of tasks.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's CountRunningTasks.$$;

COMMENT ON FUNCTION multica_last_task_session(uuid, uuid) IS
$$Returns the last session of an agent on an issue, whether that task was completed, failed or cancelled. In the tables of a
newer server, sessions that failed in a way that resuming would repeat, and retired sessions, are left out, and session_id
is NULL if the session is on a runtime other than the agent's.
issue_id: id of the issue.
agent_id: id of the agent.
Returns one multica_session, or no row if no task got as far as a session.
Errors: 22004 an argument is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's GetLastTaskSession.$$;

COMMENT ON FUNCTION multica_last_chat_session(uuid) IS
$$Returns the session of the last turn of a chat, whether that turn was completed, failed or cancelled. In the tables of a
newer server, this is the session of the chat if it is on the agent's runtime; else the last turn's, chosen as by
multica_last_task_session.
chat_session_id: id of the chat session.
Returns one multica_session, or no row if no turn got as far as a session.
Errors: 22004 chat_session_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's GetLastChatTaskSession.$$;

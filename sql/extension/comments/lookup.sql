COMMENT ON FUNCTION multica_get_task(uuid) IS
$$Returns one task.
task_id: the task.
Returns one multica_task, or no row if it does not exist.
Errors: 22004 task_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's GetAgentTask.$$;

COMMENT ON FUNCTION multica_list_pending_tasks(uuid) IS
$$Returns the tasks that are queued on a runtime, or dispatched to it and not started, newest first.
runtime_id: the runtime; one that does not exist has no tasks.
Returns one multica_task per task.
Errors: 22004 runtime_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's ListPendingTasksByRuntime.$$;

COMMENT ON FUNCTION multica_list_issue_tasks(uuid, integer) IS
$$Returns the tasks of an issue, newest first.
issue_id: the issue; one that does not exist has no tasks.
max_tasks: the limit, 0 or more; NULL is no limit.
Returns one multica_task per task.
Errors: 22004 issue_id is NULL; 22023 max_tasks is below 0; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's ListTasksByIssue.$$;

COMMENT ON FUNCTION multica_list_agent_tasks(uuid, integer) IS
$$Returns the tasks of an agent, newest first.
agent_id: the agent; one that does not exist has no tasks.
max_tasks: the limit, 0 or more; NULL is no limit.
Returns one multica_task per task.
Errors: 22004 agent_id is NULL; 22023 max_tasks is below 0; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's ListAgentTasks.$$;

COMMENT ON FUNCTION multica_has_active_task(uuid) IS
$$Returns whether an issue has an active task, of any agent.
issue_id: the issue.
Returns true or false.
Errors: 22004 issue_id is NULL; P0002 no such issue; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's HasActiveTaskForIssue.$$;

COMMENT ON FUNCTION multica_has_pending_task(uuid, uuid) IS
$$Returns whether an issue has a pending task: queued, or dispatched and not started. Another one would not be created.
issue_id: the issue.
agent_id: only tasks of this agent; NULL is any agent.
Returns true or false.
Errors: 22004 issue_id is NULL; P0002 no such issue or agent; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's HasPendingTaskForIssueAndAgent.$$;

COMMENT ON FUNCTION multica_count_running_tasks(uuid) IS
$$Returns how many tasks of an agent are in flight (dispatched or running), on any runtime. max_concurrent_tasks limits it.
agent_id: the agent.
Returns the number.
Errors: 22004 agent_id is NULL; P0002 no such agent; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's CountRunningTasks.$$;

COMMENT ON FUNCTION multica_last_task_session(uuid, uuid) IS
$$Returns where an agent can resume its last task of an issue, whether that was completed, failed or cancelled.
issue_id: the issue.
agent_id: the agent.
Returns one multica_session, or no row if no task has reached a session.
Errors: 22004 an argument is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's GetLastTaskSession.$$;

COMMENT ON FUNCTION multica_last_chat_session(uuid) IS
$$Returns where the last turn of a chat can be resumed, whether it was completed, failed or cancelled.
chat_session_id: the session.
Returns one multica_session, or no row if no turn has reached a session.
Errors: 22004 chat_session_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's GetLastChatTaskSession.$$;

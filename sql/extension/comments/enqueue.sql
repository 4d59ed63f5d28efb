COMMENT ON FUNCTION multica_enqueue(uuid, jsonb, integer, integer) IS
$$Queues a task for an agent alone, for platforms that have no issues. The task goes to the runtime that the agent is
bound to.
agent_id: id of the agent.
context: any JSON that the daemon needs (default {}).
priority: tasks with a higher priority are claimed first (default 0).
max_attempts: total number of attempts, at least 1 (default 2); 2 allows one automatic retry.
Returns multica_enqueued; created is always true. Records task:queued.
Errors: 22004 an argument is NULL; 22023 max_attempts is below 1; P0002 (no_agent) the agent does not exist; 55000
  (archived) the agent is archived; 40001 the agent was bound to another runtime at the same time, repeat the transaction;
  55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of
  the tables; 42501 a privilege on the tables is missing.
The server has no such function; this one runs the INSERT that the server's enqueue functions share.$$;

COMMENT ON FUNCTION multica_enqueue_issue(uuid, uuid, integer, integer, jsonb) IS
$$Queues a task for the agent that an issue is assigned to. If this issue and agent already have a pending task, that task
is returned instead.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4,
  high 3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
Returns multica_enqueued; created is false if a task was already queued or dispatched. That task keeps its own trigger
  comment; if it is still queued, it moves to the runtime that the agent is bound to now. Records task:queued if a task
  was created or moved.
Errors: 22004 issue_id is NULL; 22023 max_attempts is below 1; P0002 (no_issue, no_comment, no_agent) the issue does not
  exist, the comment is not on it, or the agent is in another workspace; 55000 (not_assigned) the issue is not assigned to
  an agent; 55000 (archived) the agent is archived; 55000 (try_again) another session reassigned the issue at the same time;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the
  tables is missing.
Implements the server's enqueue for an issue.$$;

COMMENT ON FUNCTION multica_enqueue_mention(uuid, uuid, uuid, integer, integer, jsonb) IS
$$Queues a task on an issue for an agent that was mentioned there, whether or not the issue is assigned to it. If this
issue and agent already have a pending task, that task is returned instead.
issue_id: id of the issue.
agent_id: id of the mentioned agent.
trigger_comment_id: id of the comment on this issue that mentions the agent; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4,
  high 3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
Returns multica_enqueued, as multica_enqueue_issue does. Records task:queued if a task was created or moved.
Errors: 22004 issue_id or agent_id is NULL; 22023 max_attempts is below 1; P0002 (no_issue, no_comment, no_agent) the issue
  does not exist, the comment is not on it, or its workspace has no such agent; 55000 (archived) the agent is archived;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the
  tables is missing.
Implements the server's enqueue for a mention.$$;

COMMENT ON FUNCTION multica_enqueue_chat(uuid, uuid, integer, integer, jsonb) IS
$$Queues the next turn of a chat session. Several turns may wait; they are claimed one after the other.
chat_session_id: id of the chat session; its agent gets the task.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means 2.
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
Returns multica_enqueued; created is always true. Records task:queued.
Errors: 22004 chat_session_id is NULL; 22023 max_attempts is below 1; P0002 (no_chat_session, no_comment, no_agent) the chat
  session does not exist, its workspace has no such comment, or its agent is in another workspace; 55000 (archived) the
  agent is archived; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a chat.$$;

COMMENT ON FUNCTION multica_enqueue_autopilot(uuid, uuid, integer, integer, jsonb) IS
$$Queues the task of an autopilot run that works without an issue, and stores the task's id in the run. If the run already
has its task, that task is returned instead.
autopilot_run_id: id of the autopilot run; the assignee of the autopilot gets the task.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the autopilot (urgent 4,
  high 3, medium 2, low 1, otherwise 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2. Such a task is never retried automatically.
context: any JSON that the daemon needs; NULL (the default) means none.
Returns multica_enqueued. Records task:queued if a task was created.
Errors: 22004 autopilot_run_id is NULL; 22023 max_attempts is below 1; P0002 (no_autopilot_run, no_comment, no_agent) the
  run does not exist, its workspace has no such comment, or its agent is in another workspace; 55000 (final) the run has
  already finished; 55000 (archived) the agent is archived; 40001 the agent was bound to another runtime at the same time,
  repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work
  yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a run_only autopilot.$$;

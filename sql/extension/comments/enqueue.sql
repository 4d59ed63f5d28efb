COMMENT ON FUNCTION multica_enqueue(uuid, jsonb, integer, integer) IS
$$Queues a task for an agent without an issue, on the runtime to which the agent is bound.
agent_id: the agent.
context: data for the daemon, any JSON.
priority: higher is claimed first.
max_attempts: attempts in all, at least 1; 2 is one automatic retry.
Returns multica_enqueued; created is always true. Records task:queued.
Errors: 22004 an argument is NULL; 22023 max_attempts is below 1; P0002 no such agent; 55000 the agent is archived,
  or the tables are missing; 42501 no privilege on them.
The server has no such call; its enqueues share the insert.$$;

COMMENT ON FUNCTION multica_enqueue_issue(uuid, uuid, integer, integer, jsonb) IS
$$Queues a task for the agent to which an issue is assigned. If a task of this issue and agent is already pending, returns that
one.
issue_id: the issue.
trigger_comment_id: the comment of this issue that asks for it; NULL if there is none.
priority: higher is claimed first; NULL is the issue's (urgent 4, high 3, medium 2, low 1, none 0).
max_attempts: attempts in all, at least 1; NULL is 2, one automatic retry.
context: data for the daemon, any JSON; NULL is none.
Returns multica_enqueued; created is false if a task was already queued or dispatched. That task keeps its trigger
  comment. If it is queued, it moves to the runtime to which the agent is bound now. Records task:queued if a task was
  created or moved.
Errors: 22004 issue_id is NULL; 22023 max_attempts is below 1; P0002 no such issue, no such comment on it, or the agent is
  of another workspace; 55000 no agent is assigned, the agent is archived, another session has reassigned the issue, or
  the tables are missing; 42501 no privilege on them.
Carries out the server's enqueue for an issue.$$;

COMMENT ON FUNCTION multica_enqueue_mention(uuid, uuid, uuid, integer, integer, jsonb) IS
$$Queues a task on an issue for an agent that was mentioned there, whether or not it is assigned. If a task of this issue and
agent is already pending, returns that one.
issue_id: the issue.
agent_id: the agent mentioned.
trigger_comment_id: the comment of this issue that mentions it; NULL if there is none.
priority: higher is claimed first; NULL is the issue's (urgent 4, high 3, medium 2, low 1, none 0).
max_attempts: attempts in all, at least 1; NULL is 2, one automatic retry.
context: data for the daemon, any JSON; NULL is none.
Returns multica_enqueued, as multica_enqueue_issue does. Records task:queued if a task was created or moved.
Errors: 22004 issue_id or agent_id is NULL; 22023 max_attempts is below 1; P0002 no such issue, no such comment on it,
  no such agent in the issue's workspace; 55000 the agent is archived, or the tables are missing; 42501 no privilege
  on them.
Carries out the server's enqueue for a mention.$$;

COMMENT ON FUNCTION multica_enqueue_chat(uuid, uuid, integer, integer, jsonb) IS
$$Queues the next turn of a chat session. Several may wait; they are claimed one after the other.
chat_session_id: the session; its agent gets the task.
trigger_comment_id: a comment that asks for it; NULL if there is none.
priority: higher is claimed first; NULL is 2.
max_attempts: attempts in all, at least 1; NULL is 2, one automatic retry.
context: data for the daemon, any JSON; NULL is none.
Returns multica_enqueued; created is always true. Records task:queued.
Errors: 22004 chat_session_id is NULL; 22023 max_attempts is below 1; P0002 no such session, no such comment
  in its workspace, or its agent is of another one; 55000 the agent is archived, or the tables are missing; 42501 no
  privilege on them.
Carries out the server's enqueue for a chat.$$;

COMMENT ON FUNCTION multica_enqueue_autopilot(uuid, uuid, integer, integer, jsonb) IS
$$Queues the task of an autopilot run that works without an issue, and stores it in the run. If the run already has its task,
returns that one.
autopilot_run_id: the run; the autopilot's assignee gets the task.
trigger_comment_id: a comment that asks for it; NULL if there is none.
priority: higher is claimed first; NULL is the autopilot's (urgent 4, high 3, medium 2, low 1, else 0).
max_attempts: attempts in all, at least 1; NULL is 2. Such a task is never retried automatically.
context: data for the daemon, any JSON; NULL is none.
Returns multica_enqueued. Records task:queued if a task was created.
Errors: 22004 autopilot_run_id is NULL; 22023 max_attempts is below 1; P0002 no such run, no such comment in its
  workspace, or its agent is of another one; 55000 the run has ended, the agent is archived, or the tables are missing;
  42501 no privilege on them.
Carries out the server's enqueue for a run_only autopilot.$$;

COMMENT ON FUNCTION multica_enqueue(uuid, jsonb, integer, integer, jsonb, timestamp with time zone) IS
$$Queues a task for an agent alone, for platforms that have no issues. The task goes to the runtime that the agent is bound
to.
agent_id: id of the agent.
context: any JSON that the daemon needs (default {}). In the tables of a server, the key workspace_id is added to an object,
  because the server expects it.
priority: tasks with a higher priority are claimed first (default 0).
max_attempts: total number of attempts, at least 1 (default 2); 2 allows one automatic retry.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
Returns multica_enqueued; created is always true. Records task:queued, for a deferred task when it is queued.
Errors: 22004 an argument is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has an
  unknown key, or names two different users; P0002 (no_agent) the agent does not exist; 55000 (archived, unbound) the agent
  is archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that the tables lack; 42501 a
  privilege on the tables is missing.
The server has no such function; this one runs the INSERT that the server's enqueue functions share.$$;

COMMENT ON FUNCTION multica_enqueue_issue(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, uuid
) IS
$$Queues a task for the agent that an issue is assigned to, or for the leader of the squad that it is assigned to. If this
issue and agent already have a pending task, that task is returned instead. A new comment is never lost: it joins the
pending task, or gets a task of its own.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4, high
  3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none. If the comment joins a task, the keys of both
  contexts are kept, and of a key in both the new value.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
escalation_for_task_id: id of a task on this issue that has not started. When it starts, the new task, which is deferred
  until run_after, is cancelled. NULL (the default) means none.
Returns multica_enqueued. A comment joins a task that no daemon has claimed (merged): it becomes the trigger, and the former
  trigger one of coalesced_comment_ids; provenance and trigger_summary follow the new comment. Beside a claimed task that
  has not started, the new task is deferred until that one has started (planned); beside a running one it is queued. Where
  tasks have no coalesced_comment_ids, or without a new comment, the pending task is returned as it is (pending). With
  run_after, only a task with the same run_after takes the place of the new one. A task that is still queued moves to the
  runtime that the agent is bound to now. Records task:queued if a task was queued or moved.
Errors: 22004 issue_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has an
  unknown key, or names two different users, or escalation_for_task_id is given without run_after; P0002 (no_issue,
  no_comment, no_agent, no_task) the issue does not exist, the comment or the task is not on it, or the agent is in another
  workspace; 55000 (not_assigned) the issue is not assigned to an agent or to a squad; 55000 (archived, unbound) the agent
  is archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none;
  55000 (wrong_state) the task of escalation_for_task_id has started; 55000 (try_again) another session reassigned the issue
  at the same time; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that
  the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for an issue.$$;

COMMENT ON FUNCTION multica_enqueue_mention(
    uuid, uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, uuid
) IS
$$Queues a task on an issue for an agent that was mentioned there, whether or not the issue is assigned to it. If this issue
and agent already have a pending task, that task is returned instead, or the comment joins it, as by multica_enqueue_issue.
issue_id: id of the issue.
agent_id: id of the mentioned agent.
trigger_comment_id: id of the comment on this issue that mentions the agent; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the issue (urgent 4, high
  3, medium 2, low 1, none 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
escalation_for_task_id: id of a task on this issue that has not started. When it starts, the new task, which is deferred
  until run_after, is cancelled. NULL (the default) means none.
Returns multica_enqueued, as multica_enqueue_issue does. Records task:queued if a task was queued or moved.
Errors: 22004 issue_id or agent_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is
  malformed, has an unknown key, or names two different users, or escalation_for_task_id is given without run_after; P0002
  (no_issue, no_comment, no_agent, no_task) the issue does not exist, the comment or the task is not on it, or its workspace
  has no such agent; 55000 (archived, unbound) the agent is archived or is bound to no runtime; 55000 (unattributed) the
  workspace requires a user, and provenance names none; 55000 (wrong_state) the task of escalation_for_task_id has started;
  40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables
  are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that the tables lack; 42501 a
  privilege on the tables is missing.
Implements the server's enqueue for a mention.$$;

COMMENT ON FUNCTION multica_enqueue_chat(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone, boolean
) IS
$$Queues the next turn of a chat session. Several turns may wait; they are claimed one after the other.
chat_session_id: id of the chat session; its agent gets the task.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means 2.
max_attempts: total number of attempts, at least 1; NULL (the default) means 2, which is one automatic retry.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
owns_input: true: the turn answers the messages whose task_id is its id, which the caller sets, and a retry answers the same
  ones. false: the turn answers the messages since the last answer. NULL (the default) means false in the tables of a
  server, and true in others.
Returns multica_enqueued; created is always true. Records task:queued, for a deferred task when it is queued.
Errors: 22004 chat_session_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed, has
  an unknown key, or names two different users; P0002 (no_chat_session, no_comment, no_agent) the chat session does not
  exist, its workspace has no such comment, or its agent is in another workspace; 55000 (chat_archived) the chat session is
  archived; 55000 (channel_chat) the server receives its messages from a channel; 55000 (archived, unbound) the agent is
  archived or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (try_again) another session changed the chat session at the same time; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or
  a key of provenance, needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a chat.$$;

COMMENT ON FUNCTION multica_enqueue_autopilot(
    uuid, uuid, integer, integer, jsonb, jsonb, timestamp with time zone
) IS
$$Queues the task of an autopilot run that works without an issue, and stores the task's id in the run. If the run already
has its task, that task is returned instead.
autopilot_run_id: id of the autopilot run; the assignee of the autopilot gets the task, or the leader of the squad that is
  the assignee.
trigger_comment_id: id of a comment that asks for the task; NULL (the default) if no comment does.
priority: tasks with a higher priority are claimed first; NULL (the default) means the priority of the autopilot (urgent 4,
  high 3, medium 2, low 1, otherwise 0).
max_attempts: total number of attempts, at least 1; NULL (the default) means 2. Such a task is never retried automatically.
context: any JSON that the daemon needs; NULL (the default) means none.
provenance: where the task comes from, an object with any of the keys originator_user_id (the user at the beginning of the
  chain), accountable_user_id (by default the originator), originator_source, delegated_from_task_id, rule_version_id,
  trigger_evidence_kind, trigger_evidence_ref_id, initiator_user_id. If neither user is given (NULL, the default), the owner
  of the agent is accountable.
run_after: time at which the task is queued: until then it is deferred, and then it waits until its runtime is online. NULL
  (the default), or a time that has passed, means now.
Returns multica_enqueued. Records task:queued if a task was created, for a deferred task when it is queued.
Errors: 22004 autopilot_run_id is NULL; 22023 max_attempts is below 1, run_after is infinity, or provenance is malformed,
  has an unknown key, or names two different users; P0002 (no_autopilot_run, no_comment, no_agent) the run does not exist,
  its workspace has no such comment, or its agent is in another workspace; 55000 (final) the run has already finished; 55000
  (not_assigned) the autopilot is assigned to a squad that is archived; 55000 (archived, unbound) the agent is archived or
  is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (not_executable) the machine of the runtime cannot execute the provider; 55000 (try_again) another session changed the
  autopilot at the same time; 40001 the agent was bound to another runtime at the same time, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (missing_feature) an argument, or a key of provenance, needs a feature that
  the tables lack; 42501 a privilege on the tables is missing.
Implements the server's enqueue for a run_only autopilot.$$;

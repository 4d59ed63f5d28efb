COMMENT ON FUNCTION multica_start(uuid, bigint) IS
$$Starts a task that a daemon claimed: dispatched or waiting_local_directory becomes running, and the lease ends. Tasks that were
to run unless this one started are cancelled in the same transaction.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the holder of the current token repeats the call. Records task:running, then
  task:cancelled for each task that was to run otherwise, and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is neither
  dispatched nor waiting (it may have been failed or cancelled in the meantime: do not run it); 55000 (stale_claim) the task
  was claimed again since; 40001 another session queued a turn of a chat session at the same time, repeat the transaction;
  55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements the server's StartAgentTask.$$;

COMMENT ON FUNCTION multica_complete(uuid, jsonb, text, text, bigint, jsonb, text) IS
$$Completes a task: running becomes completed. In the same transaction it updates the chat's pointer, the autopilot run, the
issue's first_executed_at and the agent's status, and deletes the task's tokens. If applied is true, write the visible reply in
this transaction too. Pass what an agent printed to multica_complete_raw: Postgres refuses some of it as jsonb.
task_id: id of the task.
result: the result, any JSON; NULL (the default) means none. If it is a text, or an object whose key output is a text, and
  this text is nothing but the agent's message that its context is used up, the task fails instead, with the text as its error
  and the failure_reason agent_error.context_overflow, as by multica_fail (not in tables of a server before migration 066).
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: an object with branch_name, durable_work_dir, retired_session_id (texts; the last one is a session that the run has given
  up and that nothing resumes again) and session_rollout_missing (a boolean; true means that the transcript of the session is
  lost, so that it counts as given up). Each key may be left out or NULL, which keeps what is stored; a key for which the tables
  have no column is not stored. NULL (the default) means none.
issue_status: the status that the task's issue gets in this transaction; the open autopilot runs of the issue end with it if its
  category is done, in_review, blocked or cancelled. NULL (the default) leaves the issue as it is.
Returns multica_transition; applied is false if the task had already ended, so a repeated call is harmless. first_execution
  is true if this call set the issue's first_executed_at. If silence has failed the task and the token is that of its last
  claim, the result is kept: its retry is taken over, as by multica_resume, and completed, and the row is that of the retry.
  Records task:resumed, task:completed, chat:done, autopilot:run_done, issue:updated, agent:status.
Errors: 22004 task_id is NULL; 22023 extra is no such object, or has another key, or issue_status is not a status of the issue's
  workspace, or the task has no issue; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is not running;
  55000 (stale_claim) the task was claimed again since; 40001 the task fails instead, and the agent was bound to another runtime
  at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's CompleteTask.$$;

COMMENT ON FUNCTION multica_fail(uuid, text, text, text, text, bigint, jsonb) IS
$$Fails a task for a daemon: dispatched, waiting_local_directory or running becomes failed, with every consequence in the same
transaction. It is retried if the reason allows that; otherwise its issue is reset to todo if the issue has no other active task.
Pass what an agent printed to multica_fail_raw: Postgres refuses some of it as text.
task_id: id of the task.
error: what went wrong, as text for people.
failure_reason: one word, see multica_retry_policy_in_force. NULL (the default) or empty means that the word is found in the
  error, and a word that stands for several failures may be replaced, as by multica_classify_failure. In tables of a server
  before migration 066, empty means 'agent_error'.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: as for multica_complete.
Returns multica_transition, with retry_task_id; applied is false if the task had already ended. If silence has failed the
  task and the token is that of its last claim, its retry is taken over, as by multica_resume, and fails, and the row is that
  of the retry. Records task:resumed, task:failed and the events of the consequences. A chat forgets a session that must not be
  resumed, if it points to it.
Errors: 22004 task_id or error is NULL; 22023 extra is no such object, or has another key; P0002 (no_task) the task does not
  exist; 55000 (wrong_state) the task is still queued; 55000 (stale_claim) the task was claimed again since; 40001 the agent was
  bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's FailTask.$$;

COMMENT ON FUNCTION multica_pin_session(uuid, text, text, bigint, jsonb) IS
$$Stores where a task in flight can be resumed. Call it as soon as the daemon has the session. It is a sign of life of the
task, as multica_progress. Of a task that was cancelled meanwhile, it stores the session, the working directory, the branch and the
durable directory if they are not stored yet, and the chat points to this session unless a newer turn has one (not in tables of a
server before migration 066).
task_id: id of the task.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
extra: as for multica_complete.
Returns true if it was stored, false if the task has ended, or is queued.
Errors: 22004 task_id is NULL; 22023 session_id, work_dir and extra are all empty, or extra is no such object, or has another
  key; P0002 (no_task) the task does not exist; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements the server's UpdateAgentTaskSession.$$;

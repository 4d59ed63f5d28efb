COMMENT ON FUNCTION multica_start(uuid, bigint) IS
$$Starts a task that a daemon claimed: dispatched becomes running.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the holder of the current token repeats the call.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is not
  dispatched (it may have been failed or cancelled in the meantime: do not run it); 55000 (stale_claim) the task was claimed
  again since; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a
  feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's StartAgentTask.$$;

COMMENT ON FUNCTION multica_complete(uuid, jsonb, text, text, bigint) IS
$$Completes a task: running becomes completed. In the same transaction it updates the chat's pointer, the autopilot run, the
issue's first_executed_at and the agent's status. If applied is true, write the visible reply in this transaction too.
task_id: id of the task.
result: the result, any JSON; NULL (the default) means none.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the task had already ended, so a repeated call is harmless. first_execution
  is true if this call set the issue's first_executed_at. Records agent:status, task:completed, chat:done,
  autopilot:run_done.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is not running yet;
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's CompleteTask.$$;

COMMENT ON FUNCTION multica_fail(uuid, text, text, text, text, bigint) IS
$$Fails a task for a daemon: dispatched or running becomes failed, with every consequence in the same transaction. It is
retried if the reason allows that; otherwise its issue is reset to todo if the issue has no other active task.
task_id: id of the task.
error: what went wrong, as text for people.
failure_reason: one word; runtime_offline, runtime_recovery and timeout are retried; NULL (the default) or empty means
  'agent_error'.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition, with retry_task_id; applied is false if the task had already ended. Records task:failed and the
  events of the consequences.
Errors: 22004 task_id or error is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is still
  queued; 55000 (stale_claim) the task was claimed again since; 40001 the agent was bound to another runtime at the same
  time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not
  work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's FailTask.$$;

COMMENT ON FUNCTION multica_pin_session(uuid, text, text, bigint) IS
$$Stores where a task in flight can be resumed. Call it as soon as the daemon has the session.
task_id: id of the task.
session_id: id of the agent's session; NULL (the default) or empty keeps the stored one.
work_dir: the agent's working directory; NULL (the default) or empty keeps the stored one.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns true if it was stored, false if the task is no longer in flight.
Errors: 22004 task_id is NULL; 22023 session_id and work_dir are both empty; P0002 (no_task) the task does not exist;
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's UpdateAgentTaskSession.$$;

COMMENT ON FUNCTION multica_start(uuid, bigint) IS
$$Reports that a daemon begins to run a task that it claimed: dispatched becomes running.
task_id: the task.
claim_token: from multica_claim; NULL skips the check.
Returns multica_transition; applied is false if the holder of the current token repeats the call.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the task is not dispatched (it has failed or was cancelled:
  do not run it), it was claimed again since, or the tables are missing; 42501 no privilege on them.
Carries out the server's StartAgentTask.$$;

COMMENT ON FUNCTION multica_complete(uuid, jsonb, text, text, bigint) IS
$$Reports that a task has ended well: running becomes completed. The chat's pointer, the autopilot run, the issue's
first_executed_at and the agent's status are set in the same transaction. Write the visible reply in this transaction too,
if applied is true.
task_id: the task.
result: the result, any JSON; NULL is none.
session_id: the agent's session; NULL or empty keeps the present one.
work_dir: its working directory; NULL or empty keeps the present one.
claim_token: from multica_claim; NULL skips the check.
Returns multica_transition; applied is false if the task had already ended, so a repeated call is harmless.
  first_execution: this call stamped the issue. Records agent:status, task:completed, chat:done, autopilot:run_done.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the task is not running yet, it was claimed again since, or
  the tables are missing; 42501 no privilege on them.
Carries out the server's CompleteTask.$$;

COMMENT ON FUNCTION multica_fail(uuid, text, text, text, text, bigint) IS
$$Reports that a task has failed: dispatched or running becomes failed. All consequences follow in the same transaction: a
retry if the reason allows one, otherwise the issue goes back to todo if no other task of it is active.
task_id: the task.
error: what went wrong, for people.
failure_reason: a word; runtime_offline, runtime_recovery and timeout are retried; NULL or empty is 'agent_error'.
session_id: the agent's session; NULL or empty keeps the present one.
work_dir: its working directory; NULL or empty keeps the present one.
claim_token: from multica_claim; NULL skips the check.
Returns multica_transition, with retry_task_id; applied is false if the task had already ended. Records task:failed
  and the events of the consequences.
Errors: 22004 task_id or error is NULL; P0002 no such task; 55000 the task is still queued, it was claimed again
  since, or the tables are missing; 42501 no privilege on them.
Carries out the server's FailTask.$$;

COMMENT ON FUNCTION multica_pin_session(uuid, text, text, bigint) IS
$$Stores where a task in flight can be resumed. Call it as soon as the daemon knows.
task_id: the task.
session_id: the agent's session; NULL or empty keeps the present one.
work_dir: its working directory; NULL or empty keeps the present one.
claim_token: from multica_claim; NULL skips the check.
Returns true if it was stored, false if the task is no longer in flight.
Errors: 22004 task_id is NULL; 22023 session_id and work_dir are both empty; P0002 no such task; 55000 the task was
  claimed again since, or the tables are missing; 42501 no privilege on them.
Carries out the server's UpdateAgentTaskSession.$$;

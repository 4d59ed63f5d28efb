COMMENT ON FUNCTION multica_start(uuid, bigint) IS
$$A daemon begins to run a task that it claimed: dispatched becomes running.
task_id: the task.
claim_token: from multica_claim; NULL is not checked.
Returns multica_transition; applied is false where the holder of the current token repeats the call.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the task is not dispatched (failed or cancelled meanwhile: do
  not run it), it was handed out again since, or the tables are missing; 42501 no privilege on them.
Carries out the server's StartAgentTask.$$;

COMMENT ON FUNCTION multica_complete(uuid, jsonb, text, text, bigint) IS
$$A run came to its end: running becomes completed, and in the same transaction the chat's pointer, the autopilot run,
the issue's first_executed_at and the agent's status follow. Write the visible reply in this transaction too, where
applied is true.
task_id: the task.
result: what came out, any JSON; NULL is none.
session_id: the agent's session; NULL or empty keeps what is known.
work_dir: its working directory; NULL or empty keeps what is known.
claim_token: from multica_claim; NULL is not checked.
Returns multica_transition; applied is false where the task was over already, so a repeated call is harmless.
  first_execution: this call stamped the issue. Records agent:status, task:completed, chat:done, autopilot:run_done.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the task is not running yet, it was handed out again since, or
  the tables are missing; 42501 no privilege on them.
Carries out the server's CompleteTask.$$;

COMMENT ON FUNCTION multica_fail(uuid, text, text, text, text, bigint) IS
$$A daemon reports that a run failed: dispatched or running becomes failed, with every consequence in the same
transaction: a retry where the reason allows one, else the issue back to todo where nothing else is active.
task_id: the task.
error: what went wrong, for people.
failure_reason: a word; runtime_offline, runtime_recovery and timeout are retried; NULL or empty is 'agent_error'.
session_id: the agent's session; NULL or empty keeps what is known.
work_dir: its working directory; NULL or empty keeps what is known.
claim_token: from multica_claim; NULL is not checked.
Returns multica_transition, with retry_task_id; applied is false where the task was over already. Records task:failed
  and what followed.
Errors: 22004 task_id or error is NULL; P0002 no such task; 55000 the task is still queued, it was handed out again
  since, or the tables are missing; 42501 no privilege on them.
Carries out the server's FailTask.$$;

COMMENT ON FUNCTION multica_pin_session(uuid, text, text, bigint) IS
$$Remembers where a run in flight can be resumed, as soon as the daemon knows it.
task_id: the task.
session_id: the agent's session; NULL or empty keeps what is known.
work_dir: its working directory; NULL or empty keeps what is known.
claim_token: from multica_claim; NULL is not checked.
Returns true where it was remembered, false where the task is no longer in flight.
Errors: 22004 task_id is NULL; 22023 session_id and work_dir are both empty; P0002 no such task; 55000 the task was
  handed out again since, or the tables are missing; 42501 no privilege on them.
Carries out the server's UpdateAgentTaskSession.$$;

COMMENT ON FUNCTION multica_resume(uuid, bigint) IS
$$Goes on with a run that silence has failed. If a task was failed because its runtime was silent (runtime_offline) or it took
too long (timeout), and no process has its retry yet, the retry is claimed and started for the process that had the task, in
one transaction. The failed task stays as it is. It is for a machine that was only asleep, whose agent still works: work on
with the id and the claim_token of the returned row. The agent's limit, those of multica_limit, and one task in flight per issue
and agent and per chat session hold as for multica_claim.
task_id: id of the task; multica_heartbeat returns in resume_task_ids the tasks for which the call works.
claim_token: the token of the last claim of that task.
Returns multica_claimed, the retry: it is running, and has the session and the directory of the failed task. A repeated call
  returns the same row. A task that is still in flight with this token is returned as it is. The call counts as a heartbeat
  of the runtime, as a claim does. Records task:resumed, agent:status, daemon:register if the runtime was offline.
Errors: 22004 task_id or claim_token is NULL; P0002 (no_task) the task does not exist; 55000 (final) the run cannot go on:
  stop working on the task; 55000 (stale_claim, wrong_state) the task was claimed again since, or is queued: stop working on
  the task; 55000 (superseded) another process has registered the runtime: stop; 40001 another session held rows of the
  task, repeat the transaction; 55000 (row_kept_out) a trigger keeps the row unchanged; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.$$;

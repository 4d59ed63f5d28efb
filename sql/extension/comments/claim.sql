COMMENT ON FUNCTION multica_claim(uuid, integer, uuid) IS
$$Claims tasks for a runtime. First it returns tasks again that the runtime claimed more than multica.redeliver_after ago
and never started: a lost answer costs no attempt. Then it returns the best queued tasks of the runtime. At most one task
is in flight per issue and agent, and per chat session. An agent never has more than max_concurrent_tasks tasks in flight,
however many claims run at once, and an archived agent gets none. A task is cancelled instead of returned if it belongs to
another workspace than the runtime, or if its chat session or autopilot run was deleted while it waited. Tasks of agents and
chat sessions that other sessions hold are left for the next call. In tables that multica_install created, deferred tasks of
the runtime that are due are queued first, and deferred retries that newer work has replaced are cancelled.
runtime_id: id of the runtime.
max_tasks: maximum number of tasks, 0 or more (default 1); a value above 100 means 100.
incarnation: the uuid that the process passed to multica_register; NULL (the default) is not checked. It is recorded for each
  task, so that a recovery by the same process does not fail the task.
Returns one multica_claimed per task. prior_work_dir and prior_session_id are where to resume; the session is returned only
  if it was on this runtime. Pass claim_token to the calls that follow. A claim counts as a heartbeat of the runtime.
  Records task:dispatch for each newly claimed task, task:queued, task:cancelled and agent:status.
Errors: 22004 runtime_id or max_tasks is NULL; 22023 max_tasks is below 0; P0002 (no_runtime) the runtime does not exist:
  register again; 55000 (superseded) another process has registered the runtime: stop; 55000 (install_needed) the tables are
  missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the
  tables is missing.
Implements the server's ClaimTaskForRuntime.$$;

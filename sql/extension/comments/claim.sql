COMMENT ON FUNCTION multica_claim(uuid, integer, uuid) IS
$$Claims tasks for a runtime. First it returns tasks again that the runtime claimed more than multica.redeliver_after ago
and never started, if their lease is over: a lost answer costs no attempt. Then it returns the best queued tasks of the runtime.
At most one task is in flight per issue and agent, and per chat session; in the tables of a server, also one task per agent that
has neither issue, chat nor autopilot run. An agent never has more than max_concurrent_tasks tasks in flight, and a runtime, a
provider and a workspace never more than multica_limit allows, however many claims run at once. An archived agent gets none. A
task is cancelled instead of returned if it belongs to another workspace than the runtime, or if its chat session or autopilot
run was deleted while it waited. Tasks of agents, chat sessions and limits that other sessions hold are left for the next call.
Deferred tasks of the runtime that are due are queued first, and deferred retries that newer work has replaced are cancelled.
runtime_id: id of the runtime.
max_tasks: maximum number of tasks, 0 or more (default 1); a value above 100 means 100.
incarnation: the uuid that the process passed to multica_register; NULL (the default) is not checked. It is recorded for each
  task, so that a recovery by the same process does not fail the task.
Returns one multica_claimed per task. prior_work_dir and prior_session_id are where to resume; the session is returned only
  if it was on this runtime and can be resumed. prepare_lease_expires_at is multica.prepare_lease from now. Pass claim_token to
  the calls that follow. A claim counts as a heartbeat of the runtime; but a runtime that is offline because no task can run there
  (metadata offline_reason, code not_executable) stays offline and gets no task. Records task:dispatch for each newly claimed
  task, task:queued, task:cancelled and agent:status.
Errors: 22004 runtime_id or max_tasks is NULL; 22023 max_tasks is below 0; P0002 (no_runtime) the runtime does not exist:
  register again; 55000 (superseded) another process has registered the runtime: stop; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.
Implements the server's ClaimTaskForRuntime.$$;

COMMENT ON FUNCTION multica_claim_many(uuid[], integer, uuid) IS
$$Claims tasks for all runtimes of a daemon in one call, by the rules of multica_claim: redeliveries first, then the best queued
tasks of all runtimes together.
runtime_ids: ids of the runtimes; unknown ones are ignored, a repeated one counts once, an empty array is allowed.
max_tasks: maximum number of tasks of all runtimes together, 0 or more (default 1); a value above 100 means 100.
incarnation: as for multica_claim, for each of the runtimes.
Returns one multica_claimed per task, as multica_claim; runtime_id says for which runtime it is. The call counts as a heartbeat
  of all runtimes. A runtime that a trigger or constraint of your own does not let come online is named in a WARNING and gets no
  task; the others get theirs. Records the same events as multica_claim.
Errors: 22004 runtime_ids, an element of it or max_tasks is NULL; 22023 max_tasks is below 0; 55000 (superseded) another process
  has registered one of the runtimes: stop; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's ClaimTasksForRuntimes.$$;

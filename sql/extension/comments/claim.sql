COMMENT ON FUNCTION multica_claim(uuid, integer) IS
$$Claims tasks for a runtime. First come the tasks that the runtime claimed more than multica.redeliver_after ago and never
started: an answer that was lost uses up no attempt. Then come the best of the tasks that wait for it. One task per issue and
agent, and one per chat session, is in flight at a time. The max_concurrent_tasks of an agent holds with any number of
sessions. Archived agents get no tasks. A task of another workspace than the runtime's, and one whose chat or autopilot run was deleted while it
waited, is cancelled instead of returned.
runtime_id: the runtime.
max_tasks: the limit, 0 or more; more than 100 counts as 100.
Returns one multica_claimed per task, with where to resume (prior_work_dir, and prior_session_id if the session was on this
  runtime) and the claim_token to pass on. A claim counts as a heartbeat of the runtime. Records task:dispatch for what is newly claimed,
  task:cancelled and agent:status.
Errors: 22004 an argument is NULL; 22023 max_tasks is below 0; P0002 no such runtime: register again; 55000 the tables
  are missing; 42501 no privilege on them.
Carries out the server's ClaimTaskForRuntime.$$;

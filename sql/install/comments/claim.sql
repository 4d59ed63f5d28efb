COMMENT ON FUNCTION multica_claim(uuid, integer) IS
$$A runtime asks for work. First it gets again what it claimed more than multica.redeliver_after ago and never started:
a lost answer costs no attempt. Then the best of what waits for it. One task at a time is in flight for an issue and
agent and for a chat session, max_concurrent_tasks of an agent holds however many ask at once, and archived agents get
none. A task of another workspace than the runtime's, and one whose chat or autopilot run was deleted while it
waited, is cancelled instead of handed out.
runtime_id: the runtime.
max_tasks: at most so many, 0 or more; above 100 is 100.
Returns one multica_claimed per task, with where to resume (prior_work_dir, and prior_session_id if the session was on this
  runtime) and the claim_token to pass on. It is a sign of life of the runtime. Records task:dispatch for what is newly claimed,
  task:cancelled and agent:status.
Errors: 22004 an argument is NULL; 22023 max_tasks is below 0; P0002 no such runtime: register again; 55000 the tables
  are missing; 42501 no privilege on them.
Carries out the server's ClaimTaskForRuntime.$$;

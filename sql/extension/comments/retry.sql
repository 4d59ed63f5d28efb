COMMENT ON FUNCTION multica_retry(uuid) IS
$$Queues the automatic retry of one failed task, for an application that failed it with its own SQL.
multica_handle_failed_tasks does this and applies all other consequences.
The retry waits on the runtime that the agent is bound to now, and resumes the session only if that is the runtime of the
failed task.
task_id: id of the task.
Returns one multica_task, the retry. Returns no row if the task is not failed, multica_retry_policy_in_force() does not
  retry its failure_reason, its attempts are used up, its agent is archived or has no runtime, it already has its retry,
  or a newer task of the same issue or chat waits, runs or has run. Records task:queued, unless the retry is deferred.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's MaybeRetryFailedTask.$$;

COMMENT ON FUNCTION multica_retry_policy_in_force() IS
$$Returns the retry policy: what follows when a task fails, by its failure_reason. These are the built-in rules with what
the operator has changed of them in the table multica_retry_policy, in which a column that is NULL is as built in.
It takes no arguments.
Returns one multica_retry_rule per reason; the last one, *, is for all other reasons. A task is retried if is_retried is
  true, its max_attempts is 2 or more, its attempt is below max_attempts of the rule, and the conditions of multica_retry
  hold. If the tables have fire_at, a delayed retry is deferred until then. Until multica_install has made the table, the
  rules are the built-in ones.
Errors: 42501 a privilege on the tables is missing.
The server's policy is part of its code.$$;

COMMENT ON FUNCTION multica_reconcile_agent(uuid) IS
$$Reconciles the status of an agent: 'working' while one of its tasks is dispatched or running, else 'idle'. The other
functions do this themselves; call it from an application that changed tasks with its own SQL.
agent_id: id of the agent.
Returns the status that the agent now has. Records agent:status if it changed.
Errors: 22004 agent_id is NULL; P0002 (no_agent) the agent does not exist; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's ReconcileAgentStatus.$$;

COMMENT ON FUNCTION multica_retry(uuid) IS
$$Queues the automatic retry of one failed task, for an application that failed it with SQL of its own.
multica_handle_failed_tasks does this and applies all other consequences.
The retry waits on the runtime to which the agent is bound now, and resumes the session only if that is the task's own.
task_id: the task.
Returns one multica_task, the retry, or no row: the task is not failed, its failure_reason is not retried, its attempts
  are used up, its agent is archived, it has its retry, or newer work of the same issue or chat waits, runs or has
  run. Records task:queued.
Errors: 22004 task_id is NULL; P0002 no such task; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's MaybeRetryFailedTask.$$;

COMMENT ON FUNCTION multica_reconcile_agent(uuid) IS
$$Reconciles the status of an agent: 'working' while a task of it is in flight, otherwise 'idle'. All other calls do this
themselves; it is for an application that changed tasks with SQL of its own.
agent_id: the agent.
Returns its status. Records agent:status if it changed.
Errors: 22004 agent_id is NULL; P0002 no such agent; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's ReconcileAgentStatus.$$;

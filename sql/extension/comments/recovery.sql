COMMENT ON FUNCTION multica_fail_tasks_for_offline_runtimes(double precision, integer) IS
$$Fails the tasks in flight on every offline runtime, with retries and all other consequences in the same transaction. A stage of multica_sweep, for schedulers that run stages one by one. Rows that others hold are
skipped.
grace_secs: only tasks of runtimes that were silent for more than this many seconds, 0 for all; NULL is
  multica.offline_grace.
max_tasks: the limit, those dispatched for longest first; NULL is no limit.
Returns one multica_task per task failed, failure_reason 'runtime_offline', newest first.
Errors: 22023 grace_secs is not a finite number from 0 up, or max_tasks is below 0; 55000 the tables are
  missing; 42501 no privilege on them.
Carries out FailTasksForOfflineRuntimes.$$;

COMMENT ON FUNCTION multica_fail_stale_tasks(double precision, double precision, integer) IS
$$Fails tasks that were dispatched or have been running for too long, with retries and all other consequences in
the same transaction, whatever their runtime's status. A stage of multica_sweep, for those who schedule stages
by themselves. Rows that other sessions hold are skipped.
dispatch_timeout_secs: seconds since dispatched_at, above 0.
running_timeout_secs: seconds since started_at, above 0.
max_tasks: the limit; NULL is no limit.
Returns one multica_task per task failed, failure_reason 'timeout', newest first.
Errors: 22004 a timeout is NULL; 22023 a timeout is not a finite number above 0, or max_tasks is below 0; 55000
  the tables are missing; 42501 no privilege on them.
Carries out the server's FailStaleTasks.$$;

COMMENT ON FUNCTION multica_recover_orphans(uuid, uuid[]) IS
$$Fails the tasks that a daemon's previous process left in flight, with retries and all other consequences in the same
transaction. For a daemon that has just restarted; multica_register does the same with "recover": true.
runtime_id: the runtime.
running_task_ids: ids of tasks that the daemon still works on; NULL is none.
Returns multica_recovered. failure_reason of the tasks is 'runtime_recovery'. A task that a trigger or constraint of your
  own refuses is named in a WARNING and stays in flight until a sweep fails it; the others are failed.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 no such runtime; 55000 the tables are
  missing; 42501 no privilege on them.
Carries out the server's recover-orphans endpoint.$$;

COMMENT ON FUNCTION multica_handle_failed_tasks(uuid[]) IS
$$Applies the consequences of failed tasks, for an application that failed them with SQL of its own, in its own transaction
or later: queues a retry for those that are eligible, sets issues without an active task from in_progress to todo, ends
autopilot runs, reconciles agents, records events.
task_ids: the tasks; those that do not exist or are not failed are ignored, and so are consequences that were applied
  before.
Returns multica_consequences.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out the server's HandleFailedTasks.$$;

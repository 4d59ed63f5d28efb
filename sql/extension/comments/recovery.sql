COMMENT ON FUNCTION multica_fail_tasks_for_offline_runtimes(double precision, integer) IS
$$Fails the tasks in flight on all offline runtimes, with retries and all other consequences in the same transaction. It is
one stage of multica_sweep, for callers that schedule the stages themselves. Rows that other transactions have locked are
skipped.
grace_secs: fails only tasks of runtimes that have been silent for more than this many seconds, 0 for all; NULL (the
  default) means multica.offline_grace.
max_tasks: maximum number of tasks, 0 or more, those dispatched longest ago first; NULL (the default) means no limit.
Returns one multica_task per failed task, with failure_reason 'runtime_offline', newest first.
Errors: 22023 grace_secs is not a finite number of 0 or more, or max_tasks is below 0; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the
  tables is missing.
Implements FailTasksForOfflineRuntimes.$$;

COMMENT ON FUNCTION multica_fail_stale_tasks(double precision, double precision, integer) IS
$$Fails tasks that were dispatched too long ago or have been running for too long, with retries and all other consequences
in the same transaction. A task that its daemon still prepares is left. In the tables of a server that can keep heartbeats in
Redis, a running task is left until its runtime was silent for multica.offline_grace, and so is a dispatched task unless its
runtime is alive; in other tables the runtime does not matter. It is one stage of multica_sweep, for callers that schedule
the stages themselves. Rows that other transactions have locked are skipped.
dispatch_timeout_secs: seconds since dispatched_at, above 0.
running_timeout_secs: seconds since started_at, above 0.
max_tasks: maximum number of tasks, 0 or more; NULL (the default) means no limit.
Returns one multica_task per failed task, with failure_reason 'timeout', newest first.
Errors: 22004 a timeout is NULL; 22023 a timeout is not a finite number above 0, or max_tasks is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements the server's FailStaleTasks.$$;

COMMENT ON FUNCTION multica_recover_orphans(uuid, uuid[], uuid) IS
$$Fails the tasks that the daemon's previous process left in flight, with retries and all other consequences in the same
transaction. Call it from a daemon that has just restarted; multica_register does the same with "recover": true.
runtime_id: id of the runtime.
running_task_ids: ids of the tasks that the daemon is still running; NULL (the default) means none.
incarnation: the uuid that the process passed to multica_register; tasks that it has claimed with it are no orphans. NULL
  (the default) is not checked, and then only running_task_ids are no orphans.
Returns multica_recovered. The tasks get failure_reason 'runtime_recovery'. A task that a trigger or constraint of your own
  refuses is named in a WARNING and stays in flight until a sweep fails it; the others are failed.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 (no_runtime) the runtime does not exist; 55000
  (superseded) another process has registered the runtime: stop; 40001 an agent was bound to another runtime at the same
  time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not
  work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's recover-orphans endpoint.$$;

COMMENT ON FUNCTION multica_handle_failed_tasks(uuid[]) IS
$$Applies the consequences of failed tasks, for an application that failed them with its own SQL. It may run in the same
transaction or later. It queues retries for the tasks that may be retried, sets issues without an active task from
in_progress back to todo, ends autopilot runs, reconciles agents and records the events.
task_ids: ids of the tasks; those that do not exist or are not failed are ignored, and so are consequences that were
  already applied.
Returns multica_consequences.
Errors: 22004 the array or an element is NULL; 40001 an agent was bound to another runtime at the same time, repeat the
  transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a
  feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's HandleFailedTasks.$$;

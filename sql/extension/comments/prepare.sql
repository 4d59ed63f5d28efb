COMMENT ON FUNCTION multica_wait(uuid, text, bigint) IS
$$Lets a claimed task wait because its directory is in use: dispatched becomes waiting_local_directory, with a new lease. The task
keeps its place of the agent, whose status becomes idle if it has no other task. Start it with multica_start.
task_id: id of the task.
reason: text for people; NULL (the default), a blank text and an absolute path, as older daemons pass, are not stored.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the holder of the current token repeats the call. Records
  task:waiting_local_directory and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is not dispatched;
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the tables have no such status; 42501 a privilege on the tables is missing.
Implements the server's MarkTaskWaitingLocalDirectory.$$;

COMMENT ON FUNCTION multica_extend_lease(uuid, bigint) IS
$$Extends the lease of a claimed task for multica.prepare_lease from now on. Call it about every 15 s while the daemon prepares the
task, or waits for its directory. A task with a lease is neither returned to its runtime again nor failed because it was not
started.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is true. Records no event.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task is neither
  dispatched nor waiting: give it up; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables
  are missing; 0A000 (unsupported_feature) the tables have no leases; 42501 a privilege on the tables is missing.
Implements the server's ExtendTaskPrepareLease.$$;

COMMENT ON FUNCTION multica_requeue(uuid, bigint) IS
$$Gives a claimed task back that could not be handed out, for example because the answer to its claim could not be built:
dispatched becomes queued. It uses up no attempt.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
Returns multica_transition; applied is false if the task is queued. Records task:queued and agent:status.
Errors: 22004 task_id is NULL; P0002 (no_task) the task does not exist; 55000 (wrong_state, final) the task has started, waits,
  is deferred or has ended; 55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements the server's RequeueTask.$$;

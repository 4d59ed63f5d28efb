COMMENT ON FUNCTION multica_progress(uuid, bigint, jsonb) IS
$$Records a sign of life that a running task gives itself, and its progress. Call it while the agent works, as often as
something happens: it locks the task alone. Once a task has given a sign, a sweep fails it if it gives none for
multica.idle_timeout (off by default). A task that gives signs is not lost, even if heartbeats do not name it.
task_id: id of the task.
claim_token: the token that multica_claim returned; NULL (the default) is not checked.
progress: an object of your own, of at most 8192 bytes of text; NULL (the default) for a sign of life alone.
Returns multica_transition, with applied = true. Records task:progress if there is a progress that differs from the last
  recorded one of the task, and that was recorded at least multica.progress_interval ago; otherwise the progress is not
  stored.
Errors: 22004 task_id is NULL; 22023 progress is no object or too long; P0002 (no_task) the task does not exist; 55000
  (wrong_state, final) the task is not running (it may have been failed or cancelled in the meantime: stop working on it);
  55000 (stale_claim) the task was claimed again since; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
The server reports the progress of tasks of issues to its clients only, and stores nothing.$$;

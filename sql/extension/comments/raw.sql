COMMENT ON FUNCTION multica_complete_raw(uuid, bytea, text, text, bigint, bytea, text) IS
$$Completes a task with the bytes that an agent printed, as multica_complete. Postgres refuses some JSON and some text before a call
begins, and then the task would stay running.
task_id: id of the task.
result: JSON in UTF-8, cleaned as by multica_clean; NULL (the default) means none.
session_id: as for multica_complete.
work_dir: as for multica_complete.
claim_token: as for multica_complete.
extra: as for multica_complete, as JSON in UTF-8.
issue_status: as for multica_complete.
Returns multica_transition, and records events, as multica_complete does.
Errors: 22004 task_id is NULL; 22023 extra is no such object, or has another key, or issue_status is not a status of the issue's
  workspace, or the task has no issue; P0002 (no_task) the task does not exist; 55000 (wrong_state) the task is not running;
  55000 (stale_claim) the task was claimed again since; 40001 the task fails instead, and the agent was bound to another runtime
  at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements the server's CompleteTask.$$;

COMMENT ON FUNCTION multica_fail_raw(uuid, bytea, text, text, text, bigint, bytea) IS
$$Fails a task with the bytes that an agent printed, as multica_fail.
task_id: id of the task.
error: text in UTF-8; U+0000 is left out, and bytes that are not UTF-8 become U+FFFD.
failure_reason: as for multica_fail.
session_id: as for multica_fail.
work_dir: as for multica_fail.
claim_token: as for multica_fail.
extra: as for multica_complete, as JSON in UTF-8.
Returns multica_transition, and records events, as multica_fail does.
Errors: 22004 task_id or error is NULL; 22023 extra is no such object, or has another key; P0002 (no_task) the task does not
  exist; 55000 (wrong_state) the task is still queued; 55000 (stale_claim) the task was claimed again since; 40001 the agent was
  bound to another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements the server's FailTask.$$;

COMMENT ON FUNCTION multica_clean(bytea) IS
$$Returns JSON as jsonb, without what Postgres cannot store. In all strings, keys included, U+0000 is left out, and bytes that are
not UTF-8 and halves of surrogate pairs become U+FFFD. Control characters in strings are escaped.
data: JSON in UTF-8. Anything else, JSON that is nested in more than 1000 levels, and JSON with a number that jsonb cannot have,
  becomes one text.
Returns the JSON; NULL for NULL.
Errors: none.
The server has no such function.$$;

COMMENT ON FUNCTION multica_classify_failure(text, text) IS
$$Returns the failure_reason that multica_fail stores for an error.
error: the text of the error; NULL means empty.
failure_reason: the word that the daemon gives. If it is NULL (the default) or empty, the word is found in the error:
  agent_error.context_overflow, .missing_config, .provider_auth_or_access, .provider_quota_limit,
  .provider_capacity_or_rate_limit, .provider_server_error, .provider_network, .model_not_found_or_unavailable,
  .empty_or_unparseable_output, .agent_timeout, .runtime_missing_executable, .runtime_version_unsupported, .process_failure or
  .unknown, each after agent_error. A word that stands for several failures, such as agent_error, is replaced if the error shows
  which of them it is; any other word stays.
Returns the word.
Errors: none.
Implements the server's classification of failures.$$;

COMMENT ON FUNCTION multica_delete_stale_offline_runtimes(double precision, integer) IS
$$Deletes runtimes that have long been offline, that no agent is bound to and that have no active task. Their ended tasks
move to the runtimes that the agents are bound to now, so no history is lost. It is one stage of multica_sweep, for
callers that schedule the stages themselves. Rows that other transactions have locked are skipped.
ttl_secs: seconds since the last heartbeat, above 0.
max_runtimes: maximum number of runtimes, 0 or more, and also the maximum number of tasks to move; a runtime that still has
  tasks stays for the next call; NULL (the default) means no limit.
Returns one multica_runtime_ref per deleted runtime. Records daemon:register with action 'runtime_gc'. A runtime that one
  of your own tables refers to is skipped, as by multica_sweep.
Errors: 22004 ttl_secs is NULL; 22023 ttl_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements DeleteStaleOfflineRuntimes.$$;

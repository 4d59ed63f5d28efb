COMMENT ON FUNCTION multica_delete_stale_offline_runtimes(double precision, integer) IS
$$Deletes runtimes that have been offline for long, have no agent and no active task. Their finished tasks move to the
runtimes to which their agents are bound now, so that no history is lost. A stage of
multica_sweep, for schedulers that run stages one by one. Rows that other sessions hold are skipped.
ttl_secs: seconds since the last heartbeat, above 0.
max_runtimes: the limit of runtimes, and of tasks to move; a runtime with tasks left stays for the next
  call; NULL is no limit.
Returns one multica_runtime_ref per runtime deleted. Records daemon:register with action 'runtime_gc'. A runtime that
  something of yours refers to is skipped as by multica_sweep.
Errors: 22004 ttl_secs is NULL; 22023 ttl_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  the tables are missing; 42501 no privilege on them.
Carries out DeleteStaleOfflineRuntimes.$$;

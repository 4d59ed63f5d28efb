COMMENT ON FUNCTION multica_delete_stale_offline_runtimes(double precision, integer) IS
$$Deletes runtimes that have long been offline, that no agent is bound to and that have no active task. Their
finished tasks move to the runtimes on which their agents live now, so no history is lost. A stage of
multica_sweep, for those who schedule stages by themselves. Rows that others hold are skipped.
ttl_secs: seconds since the last sign of life, above 0.
max_runtimes: at most so many runtimes, and as many tasks to move; a runtime with tasks left stays for the next
  call; NULL is no bound.
Returns one multica_runtime_ref a runtime deleted. Records daemon:register with action 'runtime_gc'. A runtime that
  something of yours refers to is passed over as by multica_sweep.
Errors: 22004 ttl_secs is NULL; 22023 ttl_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  the tables are missing; 42501 no privilege on them.
Carries out DeleteStaleOfflineRuntimes.$$;

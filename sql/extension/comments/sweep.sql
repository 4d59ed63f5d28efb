COMMENT ON FUNCTION multica_sweep(double precision) IS
$$Runs every stage once, in one transaction. It sets stale runtimes offline, fails the tasks in flight on offline runtimes and
the tasks that took too long, queues retries, and reconciles issues, autopilot runs and agents. It moves tasks that wait on
an offline runtime to the runtimes of their agents, and sets agents without a task in flight to idle. It deletes runtimes
that were offline for multica.runtime_ttl, and old events. A stage handles at most multica.batch_size rows. A sweep never
waits for a row: rows that other sessions hold are left for the next one.
stale_secs: seconds without a heartbeat after which a runtime is stale, above 0; NULL is multica.stale_after.
Returns multica_swept; if more is true, sweep again. Every event carries the sweep's sweep_id. A row that cannot
  be written, because of a trigger or constraint of your own, is named in a WARNING, listed by multica_status and
  skipped for five minutes.
Errors: 22023 stale_secs is not a finite number above 0; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out MarkStaleRuntimesOffline, FailTasksForOfflineRuntimes, the server's task timeouts and
  DeleteStaleOfflineRuntimes, with what follows from each.$$;

COMMENT ON PROCEDURE multica_sweep_all(double precision) IS
$$Sweeps until nothing is left, committing after every part of a sweep: CALL multica_sweep_all(). For schedulers such as
pg_cron. Verdicts are committed before runtimes are deleted and events trimmed: an error there loses no verdict.
It commits, so it cannot run inside a transaction block, in a function, or over a connection that opens
transactions by itself (psycopg: set autocommit).
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns nothing; multica_sweep_state has what the last sweep did. It ends after as many parts as there was work
  for when it began, so a steady stream of new work does not keep it running.
Errors: 2D000 called inside a transaction block; 22023 stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them. Parts that were committed stay.
Carries out the server's sweeper, repeatedly.$$;

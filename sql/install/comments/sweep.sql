COMMENT ON FUNCTION multica_sweep(double precision) IS
$$One pass over everything that silence leaves behind, in one transaction: stale runtimes go offline, tasks in
flight on offline runtimes and tasks that took too long are failed, retries are queued, issues, autopilot runs
and agents set right, tasks that wait on an offline runtime moved to where their agents live now, agents without work
set to idle, runtimes that nobody has used for multica.runtime_ttl deleted, old events trimmed. At most
multica.batch_size rows a stage; it waits for nobody: what others hold is left for the next pass.
stale_secs: seconds without a sign of life after which a runtime is dead, above 0; NULL is multica.stale_after.
Returns multica_swept; where more is true, sweep again. Every event carries the sweep's sweep_id. A row that cannot
  be written, because of a trigger or constraint of your own, is named in a WARNING, listed by multica_status and
  passed over for five minutes.
Errors: 22023 stale_secs is not a finite number above 0; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out MarkStaleRuntimesOffline, FailTasksForOfflineRuntimes, the server's task timeouts and
  DeleteStaleOfflineRuntimes, with what follows from each.$$;

COMMENT ON PROCEDURE multica_sweep_all(double precision) IS
$$Sweeps until nothing is left, committing after every part of a sweep: CALL multica_sweep_all(). What a scheduler such
as pg_cron runs. Verdicts are committed before runtimes are deleted and events trimmed, so an error there costs none.
It commits, so it cannot run inside a transaction block, in a function, or over a connection that opens
transactions by itself (psycopg: set autocommit).
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns nothing; multica_sweep_state has what the last sweep did. It ends after as many parts as there was work
  for when it began, so a steady stream of new work does not keep it for ever.
Errors: 2D000 called inside a transaction block; 22023 stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them. Parts that had committed stay.
Carries out the server's sweeper, repeatedly.$$;

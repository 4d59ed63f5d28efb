COMMENT ON FUNCTION multica_sweep(double precision) IS
$$Runs all stages of a sweep once, in one transaction. It sets stale runtimes offline, fails tasks in flight on offline
runtimes, tasks that their daemon has lost, tasks that took too long or give no sign of life any more, deferred retries whose
runtime did not come back, and tasks that were queued for too long, queues retries, resets issues, ends autopilot runs,
reconciles agents, completes what a server left undone after it failed tasks, queues deferred tasks that are due, moves tasks
that wait on an offline runtime to the runtimes that their agents are bound to now, sets agents without work to idle, deletes
runtimes that have been offline for multica.runtime_ttl and that nothing uses, forgets what is stored about deleted runtimes
and ended tasks, and trims old events. Each stage handles at most multica.batch_size rows. A sweep never waits for a lock:
rows that other transactions have locked are left to the next sweep. After an outage it sets no runtime offline and fails no
task until daemons had time for a heartbeat (multica.hold_verdicts), and says so in a NOTICE.
stale_secs: seconds without a heartbeat after which a runtime is stale, above 0; NULL (the default) means
  multica.stale_after.
Returns multica_swept; if more is true, sweep again. Every event carries the sweep_id of the sweep. A row that cannot be
  written because of a trigger or constraint of your own is named in a WARNING, listed by multica_status and skipped for
  five minutes.
Errors: 22023 stale_secs is not a finite number above 0; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements MarkStaleRuntimesOffline, FailTasksForOfflineRuntimes, the server's task timeouts and DeleteStaleOfflineRuntimes,
  with the consequences of each.$$;

COMMENT ON PROCEDURE multica_sweep_all(double precision) IS
$$Sweeps until no work is left, and commits after every part of a sweep: CALL multica_sweep_all(). Run it from a scheduler
such as pg_cron. Verdicts are committed before runtimes are deleted and events are trimmed, so an error there undoes no
verdict. Because it commits, it cannot run inside a transaction block, in a function, or over a connection that opens
transactions by itself (psycopg: set autocommit).
stale_secs: as for multica_sweep; NULL (the default) means multica.stale_after.
Returns nothing; multica_sweep_state holds what the last sweep did. It ends after as many parts as the work that was there
  at the start needs, so a steady stream of new work does not keep it running for ever.
Errors: 2D000 it was called inside a transaction block; 22023 stale_secs is not a finite number above 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing. Parts that were committed stay.
Implements the server's sweeper, repeatedly.$$;

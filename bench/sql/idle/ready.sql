-- A sweep holds its verdicts until the server is up for as long as a runtime may be silent, and then looks for silent runtimes.
SELECT pg_sleep(GREATEST(0, 61 - extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())));
SET multica.hold_verdicts = on;
SET multica.stale_after = '60s';
UPDATE agent_runtime SET last_seen_at = now() + interval '55 seconds';
VACUUM (ANALYZE) agent_runtime

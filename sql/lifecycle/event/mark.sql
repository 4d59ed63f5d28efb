-- Stores where the log is, for the next check. The caller has locked the row.
UPDATE multica_sweep_state AS s SET events_home = $1

-- Where the log is, for the next that looks. The caller has locked the row.
UPDATE multica_sweep_state AS s SET events_home = $1

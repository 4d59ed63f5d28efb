-- Where the log is, for the next that looks. Never waited for: whoever holds the row says it next time.
UPDATE multica_sweep_state AS s
SET events_home = $1
WHERE s.only_row = (SELECT o.only_row FROM multica_sweep_state AS o FOR UPDATE SKIP LOCKED)

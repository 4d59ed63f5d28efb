-- Adds what a sweep deleted to its figures of $1, unless another sweep has replaced them. The caller has locked the row.
UPDATE multica_sweep_state AS s
SET last_sweep_ms = s.last_sweep_ms + $2, runtimes_deleted = s.runtimes_deleted + $3
WHERE s.last_sweep_at = $1

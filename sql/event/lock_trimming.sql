-- Only one trims at a time, and nobody waits for the other.
SELECT s.only_row FROM multica_sweep_state AS s FOR UPDATE SKIP LOCKED

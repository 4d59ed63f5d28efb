-- Locks the row of the state without waiting. Returns no row while another session holds it. The next statement writes the row.
SELECT s.only_row FROM multica_sweep_state AS s FOR UPDATE SKIP LOCKED

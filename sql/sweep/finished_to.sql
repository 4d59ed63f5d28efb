-- Stores how far sweeps have searched the failed tasks for what another program left undone. The caller has locked the row.
UPDATE multica_sweep_state AS s SET finished_to = $1, finished_id = $2

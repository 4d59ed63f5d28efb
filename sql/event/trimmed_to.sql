SELECT s.events_trimmed_to FROM multica_sweep_state AS s

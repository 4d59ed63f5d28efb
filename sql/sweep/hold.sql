-- Stores on which timeline the server writes, and since when verdicts are held (NULL: as before). The caller has locked the row.
UPDATE multica_sweep_state AS s SET timeline = $1, held_since = COALESCE($2, s.held_since)

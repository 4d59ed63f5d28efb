-- Locks the registered incarnations of runtimes, so that no claim of the process that is about to be replaced begins or is in
-- progress.
SELECT FROM multica_runtime_incarnation AS i WHERE i.runtime_id = ANY ($1) ORDER BY i.runtime_id FOR NO KEY UPDATE

-- Locks, without waiting, what is recorded about the processes of the runtimes $1, and returns the runtimes whose record another
-- session holds. The caller has locked the runtimes, so no record is added.
WITH free AS MATERIALIZED (
    SELECT i.runtime_id FROM multica_runtime_incarnation AS i WHERE i.runtime_id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT i.runtime_id FROM multica_runtime_incarnation AS i WHERE i.runtime_id = ANY ($1)
EXCEPT
SELECT f.runtime_id FROM free AS f

-- Returns those of the runtimes $1 of which the incarnation of a process is recorded.
SELECT i.runtime_id FROM multica_runtime_incarnation AS i WHERE i.runtime_id = ANY ($1)

-- Returns the incarnation of the process that has registered the runtime; no row if none was registered with one.
SELECT i.incarnation FROM multica_runtime_incarnation AS i WHERE i.runtime_id = $1

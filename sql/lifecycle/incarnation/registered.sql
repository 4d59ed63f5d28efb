-- Returns the incarnation of the process that has registered the runtime, and where its row is; no row if none was registered with one.
SELECT i.incarnation, i.tableoid, i.ctid FROM multica_runtime_incarnation AS i WHERE i.runtime_id = $1

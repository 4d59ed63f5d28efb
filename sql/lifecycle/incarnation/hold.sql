-- Returns the incarnation as registered.sql, and prevents another process from registering until the end of the transaction. While a
-- registration is being written, it waits for the end of that transaction and returns what is then committed.
SELECT i.incarnation FROM multica_runtime_incarnation AS i WHERE i.runtime_id = $1 FOR SHARE

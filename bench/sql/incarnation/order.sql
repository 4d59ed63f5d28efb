-- Returns the runtimes in an order that is no order of the table, and the same in every run.
SELECT r.id FROM agent_runtime AS r ORDER BY md5(r.id::text)

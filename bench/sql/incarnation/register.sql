-- Every runtime was registered by one process.
INSERT INTO multica_runtime_incarnation (runtime_id, incarnation, registered_at)
SELECT r.id, '00000000-0000-4000-8000-000000000001', now() FROM agent_runtime AS r

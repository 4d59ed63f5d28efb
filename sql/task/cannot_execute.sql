-- Returns whether the runtime is offline because its machine cannot execute the provider, until the machine registers again.
SELECT r.status = 'offline' AND (r.metadata #>> '{offline_reason,code}'::text[] = 'not_executable') IS TRUE
FROM agent_runtime AS r
WHERE r.id = $1

-- Returns whether the runtime is offline because its machine cannot execute the provider, until the machine registers again.
SELECT r.status = 'offline' AND r.metadata #>> '{offline_reason,code}'::text[] IS NOT DISTINCT FROM 'not_executable'
FROM agent_runtime AS r
WHERE r.id = $1

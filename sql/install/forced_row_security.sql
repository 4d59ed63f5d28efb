-- Tables of multica whose row-level security applies to their owner, as whom the worker sweeps.
SELECT string_agg(c.relname, ', ' ORDER BY c.relname)
FROM pg_extension AS e
JOIN pg_class AS c ON c.relnamespace = e.extnamespace
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE e.extname = 'multica'
  AND c.relkind IN ('r', 'p')
  AND c.relrowsecurity
  AND c.relforcerowsecurity
  AND NOT o.rolsuper
  AND NOT o.rolbypassrls
  AND c.relname = ANY (ARRAY[
      'workspace', 'user', 'member', 'agent', 'agent_runtime', 'issue', 'comment', 'chat_session', 'chat_message',
      'autopilot', 'autopilot_run', 'agent_task_queue', 'multica_event_log', 'multica_event_reader',
      'multica_sweep_state', 'multica_sweep_total'
  ]::name[])

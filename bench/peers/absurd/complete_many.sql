SELECT absurd.complete_run('bench', t.id, '{"ok": true}'::jsonb) FROM unnest(:ids::uuid[]) AS t (id)

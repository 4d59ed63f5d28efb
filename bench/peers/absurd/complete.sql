SELECT absurd.complete_run('bench', :id, '{"ok": true}'::jsonb)

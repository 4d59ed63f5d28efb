SELECT applied FROM multica_complete($1, '{"ok": true}', 'session', '/srv', $2)

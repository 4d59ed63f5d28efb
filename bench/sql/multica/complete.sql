SELECT applied FROM multica_complete(:id, '{"ok": true}', 'session', '/srv', :token)

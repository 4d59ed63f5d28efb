SELECT c.applied
FROM unnest(:ids::uuid[], :tokens::bigint[]) AS t (id, token)
CROSS JOIN LATERAL multica_complete(t.id, '{"ok": true}', 'session', '/srv', t.token) AS c

SELECT s.applied FROM unnest(:ids::uuid[], :tokens::bigint[]) AS t (id, token) CROSS JOIN LATERAL multica_start(t.id, t.token) AS s

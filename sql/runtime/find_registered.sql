-- Returns the rows that a registration is going to overwrite, and the rows of the same daemon under its earlier identities.
-- Runtimes of profiles are left out.
SELECT r.id, r.provider, r.daemon_id, (r.daemon_id IS DISTINCT FROM $2) AS legacy
FROM agent_runtime AS r
WHERE r.workspace_id = $1
  -- feature profile
  AND r.profile_id IS NULL
  -- end profile
  AND r.provider = ANY ($3)
  AND (
      r.daemon_id = $2
      OR lower(r.daemon_id COLLATE "C") = ANY (ARRAY(SELECT lower(l.id COLLATE "C") FROM pg_catalog.unnest($4) AS l (id)))
  )
ORDER BY r.created_at, r.id

-- As seen_lately.sql, for a process that passes its incarnation $4. A runtime that another process has registered is left out.
SELECT r.*, (r.status = 'online' AND r.last_seen_at <= $2 AND r.last_seen_at > $2 - make_interval(secs => $3)) AS is_seen_lately
FROM agent_runtime AS r
WHERE r.id = ANY ($1)
  AND (SELECT i.incarnation <> $4 FROM multica_runtime_incarnation AS i WHERE i.runtime_id = r.id) IS NOT TRUE

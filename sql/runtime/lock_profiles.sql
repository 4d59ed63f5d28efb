-- Locks profiles, so that none is deleted before a runtime refers to it. The reference has no foreign key.
SELECT p.id, p.display_name, p.protocol_family, p.enabled
FROM runtime_profile AS p
WHERE p.workspace_id = $1 AND p.id = ANY ($2)
ORDER BY p.id
FOR KEY SHARE

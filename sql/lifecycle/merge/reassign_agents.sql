-- The ids are passed twice, so that no other row is read: row-level security may hide it.
UPDATE agent AS a SET runtime_id = m.new_id
FROM unnest($1, $2) AS m (old_id, new_id)
WHERE a.runtime_id = m.old_id AND a.runtime_id = ANY ($1)

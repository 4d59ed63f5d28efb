-- The old ids are used in two conditions, so that no other row is read, because row-level security may hide such a row.
UPDATE agent AS a SET runtime_id = m.new_id
FROM unnest($1, $2) AS m (old_id, new_id)
WHERE a.runtime_id = m.old_id AND a.runtime_id = ANY ($1)

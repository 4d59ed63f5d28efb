UPDATE agent AS a SET runtime_id = m.new_id
FROM unnest($1, $2) AS m (old_id, new_id)
WHERE a.runtime_id = m.old_id

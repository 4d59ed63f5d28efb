-- Sets the agents $1 to working, because they have a task in flight now. The caller has locked them.
UPDATE agent AS a
SET status = 'working', updated_at = $2
WHERE a.id = ANY ($1) AND a.status <> 'working'
RETURNING a.id

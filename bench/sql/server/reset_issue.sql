UPDATE issue SET status = 'todo', updated_at = now() WHERE id = $1 RETURNING *
